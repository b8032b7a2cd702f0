"""Who may ask for what: every route of every page, for every role and for who isn't signed in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest
from fastapi.routing import APIRoute

from serving.served import Served
from shoal.web.app import routers
from shoal.web.audit import note
from shoal.web.navigation import SECTIONS
from shoal.web.people import right_of
from shoal.workspace.people import RIGHTS, ROLES, Person

from .visiting import Visitor, peopled, signed_in

OPEN = {
    "/static/{name:path}", "/sign-in", "/sign-out", "/sign-in/link/{secret}", "/invitation/{secret}",
}  # fmt: skip
"""What nobody has to be signed in for."""


def rights(dependant: Any) -> set[str]:
    """The rights that a route names, in its router's dependencies and in its own."""
    own = right_of(dependant.call)
    found = set() if own is None else {own}
    for one in dependant.dependencies:
        found |= rights(one)
    return found


ROUTES = [
    (method, route.path, rights(route.dependant))
    for router in routers()
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
CLOSED = [(method, path, named) for method, path, named in ROUTES if path not in OPEN]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served shop with somebody of each role."""
    found = Served(peopled(tmp_path_factory.mktemp("rights") / "shop"))
    try:
        yield found.start()
    finally:
        found.close()


@pytest.fixture(scope="module")
def visitors(people: Served) -> Iterator[dict[str, Visitor]]:
    """Somebody of each role, and somebody who isn't signed in, under an empty one."""
    found = {role: signed_in(people, role) for role in ROLES} | {"": Visitor(people)}
    yield found
    for one in found.values():
        one.close()


def test_there_are_routes() -> None:
    """Breaks when routes aren't found any more, and the tests below pass for that reason."""
    assert len(ROUTES) > 20
    assert {path for _, path, _ in ROUTES} >= OPEN | {"/overview", "/people", "/keys", "/audit", "/account"}


@pytest.mark.parametrize(("method", "path", "named"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_every_route_names_its_right(method: str, path: str, named: set[str]) -> None:
    """Breaks when a route is added and nobody says who may ask for it."""
    assert named, f"{method} {path} names no right: add Depends(may(…))"
    assert ("" in named) == (path in OPEN)
    assert named - {""} <= set(RIGHTS)


def filled(path: str) -> str:
    """A path with something in the place of what it is about."""
    return re.sub(r"\{[^}]+\}", "1", path)


def test_whoever_lacks_a_right_is_refused(visitors: dict[str, Visitor]) -> None:
    """Breaks when a role may ask for what it doesn't cover, whatever the navigation shows."""
    tried = 0
    tokens = {role: one.token("/account") for role, one in visitors.items() if role}
    for role in ROLES:
        person = Person("1", "x", "", role, 0)
        for method, path, named in CLOSED:
            if all(person.may(right) for right in named):
                continue
            tried += 1
            headers = {"X-Shoal-Token": tokens[role]}
            answer = visitors[role].request(method, filled(path), headers=headers)
            assert answer.status_code == 403, f"{role}: {method} {path} answered {answer.status_code}"
            assert "No page has this address" not in answer.text
    assert tried > 10


def test_whoever_is_not_signed_in_sees_nothing(visitors: dict[str, Visitor]) -> None:
    """Breaks when a page is shown, or a change taken, without a sign-in."""
    nobody = visitors[""]
    token = nobody.token()
    for method, path, _ in CLOSED:
        answer = nobody.request(method, filled(path), headers={"X-Shoal-Token": token})
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), path
        part = nobody.request(method, filled(path), headers={"X-Shoal-Token": token, "HX-Request": "true"})
        assert (part.status_code, part.headers["hx-refresh"]) == (401, "true"), path


def test_each_entry_of_the_navigation_leads_somewhere(visitors: dict[str, Visitor]) -> None:
    """Breaks when the navigation names a page that isn't there, or shows one to who may not open it."""
    for role, one in ((role, v) for role, v in visitors.items() if role):
        shown = set(re.findall(r'<a href="([^"]+)"', one.get("/overview").text.split("</nav>")[0]))
        person = Person("1", "x", "", role, 0)
        for entry in (entry for section in SECTIONS for entry in section.entries):
            assert (entry.path in shown) == person.may(entry.right), f"{role}: {entry.path}"
            if entry.path in shown:
                assert one.get(entry.path).status_code == 200, entry.path


def test_roles_are_what_they_are_said_to_be() -> None:
    """Breaks when a role gets a right that it isn't for: an officer changes segments, an editor sees personal data."""
    may = {role: {right for right in RIGHTS if Person("1", "x", "", role, 0).may(right)} for role in ROLES}
    assert may == {
        "viewer": {"view"},
        "editor": {"view", "edit"},
        "admin": {"view", "edit", "admin", "privacy"},
        "privacy officer": {"view", "privacy"},
    }
    assert {role for role in ROLES if Person("1", "x", "", role, 0).sees_personal} == {"admin", "privacy officer"}


UNNOTED = ("/segments/build/", "/segments/drafts/", "/style")
"""What changes nothing that others see: answers while somebody builds a segment, their own drafts, the samples."""
CHANGING = [
    (f"{method} {route.path}", route.endpoint)
    for router in routers()
    for route in router.routes
    if isinstance(route, APIRoute) and not route.path.startswith(UNNOTED)
    for method in sorted(route.methods - {"GET", "HEAD"})
]


def notes(function: Any, depth: int = 4) -> bool:
    """Whether a function of the pages, or one that it calls there, writes to the audit."""
    function = inspect.unwrap(function)
    codes = [function.__code__, *(one for one in function.__code__.co_consts if isinstance(one, CodeType))]
    names = {name for code in codes for name in code.co_names}
    called = (function.__globals__.get(name) for name in names)
    ours = [one for one in called if isinstance(one, FunctionType) and one.__module__.startswith("shoal.web")]
    return note in ours or (depth > 0 and any(notes(one, depth - 1) for one in ours))


@pytest.mark.parametrize(("route", "endpoint"), CHANGING, ids=[route for route, _ in CHANGING])
def test_every_change_goes_to_the_audit(route: str, endpoint: Any) -> None:
    """Breaks when a route that changes something is added and forgets to say who did it."""
    assert notes(endpoint), f"{route} doesn't call shoal.web.audit.note"
