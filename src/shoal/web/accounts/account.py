"""One's own account: name, address, password, and where one is signed in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ConfigError
from shoal.web.audit import note
from shoal.web.limits import Attempts, peer_of
from shoal.web.people import ROLES, Person, may, now, service_of, sign_in_of
from shoal.web.render import page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell
from shoal.workspace.people import LEAST

router = APIRouter(prefix="/account")
Text = Annotated[str, Form()]
Self = Annotated[Person, Depends(may("view"))]
COLUMNS = (
    Column("browser", "Browser", note="this"),
    Column("since", "Signed in", "when"),
    Column("used", "Last used", "ago"),
)


@router.get("")
def shown(request: Request, person: Self) -> Response:
    """The account."""
    return _page(request, person)


def _page(request: Request, person: Person, *, status: int = 200, **more: Any) -> Response:
    held = sign_in_of(request)
    values: dict[str, Any] = {"errors": {}, "name": person.name, "address": person.address} | more
    rows = [
        {
            "browser": browser_of(one.agent), "since": one.created, "used": one.used,
            "this": "this one" if held is not None and one.hash == held.hash else "",
        }
        for one in service_of(request).sign_ins.of_person(person.id, now())
    ]  # fmt: skip
    return page(
        request, "accounts/account.html", title="Your account", status=status, meaning=ROLES[person.role], least=LEAST,
        browsers=listed(request, "browsers", COLUMNS, rows, sort="-used", label="browsers"), others=len(rows) > 1, **values,
    )  # fmt: skip


def browser_of(agent: str) -> str:
    """A browser and its machine in words, from how it calls itself.

    >>> browser_of("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36")
    'Chrome on Linux'
    >>> browser_of("curl/8.5.0"), browser_of("")
    ('curl', 'unknown')
    """
    named = next((name for mark, name in _BROWSERS if mark in agent), "")
    machine = next((name for mark, name in _MACHINES if mark in agent), "")
    if named and machine:
        return f"{named} on {machine}"
    return named or agent.partition("/")[0][:40] or "unknown"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_MACHINES = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"),
             ("Linux", "Linux"))  # fmt: skip


@router.post("/name")
def rename(request: Request, person: Self, name: Text = "", address: Text = "") -> Response:
    """Change name and address."""
    try:
        service_of(request).people.rename(person.id, name, address)
    except ConfigError as error:
        return _page(request, person, status=422, errors=_beside(error), name=name, address=address)
    note(request, "own account changed")
    return tell(RedirectResponse("/account", 303), "Your name and address are changed.")


@router.post("/password")
def choose(request: Request, person: Self, current: Text = "", password: Text = "") -> Response:
    """Change the password; whoever has one says it first. All other browsers are signed out."""
    service = service_of(request)
    if person.chosen:
        attempts: Attempts = request.app.state.attempts
        if attempts.begin(peer_of(request), person.address):
            return _page(
                request, person, status=429, errors={"current": "There were too many attempts. Wait a minute."}
            )
        if service.people.check(person.address, current) is None:
            return _page(request, person, status=422, errors={"current": "This isn't your password."})
        attempts.succeeded(peer_of(request), person.address)
    elif not person.address:
        return _page(
            request, person, status=422, errors={"address": "Give your e-mail address first: you sign in with it."}
        )
    try:
        service.people.choose(person.id, password)
    except ConfigError as error:
        return _page(request, person, status=422, errors=_beside(error))
    _end_others(request, person)
    note(request, "password changed")
    return tell(
        RedirectResponse("/account", 303), "Your password is changed, and you are signed out in all other browsers."
    )


@router.post("/sign-out-others")
def sign_out_others(request: Request, person: Self) -> Response:
    """Sign out in all other browsers."""
    _end_others(request, person)
    note(request, "signed out in all other browsers")
    return tell(RedirectResponse("/account", 303), "You are signed out in all other browsers.")


def _end_others(request: Request, person: Person) -> None:
    held = sign_in_of(request)
    service_of(request).sign_ins.end_all(person.id, but=held.hash if held is not None else None)


def _beside(error: ConfigError) -> dict[str, str]:
    """An error, to stand beside its field."""
    return {str(error.place): f"{error.problem} {error.fix or ''}".strip()}
