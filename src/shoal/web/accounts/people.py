"""People and their roles: inviting, changing a role, removing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.destinations.mail import Mail, Mailer
from shoal.errors import ConfigError, MailError
from shoal.web.audit import note
from shoal.web.people import ROLES, Person, may, now, service_of
from shoal.web.render import page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell
from shoal.web.tokens import is_secure
from shoal.workspace.sign_ins import INVITATION

router = APIRouter(prefix="/people")
Text = Annotated[str, Form()]
Admin = Annotated[Person, Depends(may("admin"))]
COLUMNS = (
    Column("name", "Name", note="address"),
    Column("role", "Role"),
    Column("state", "State", "state"),
    Column("since", "Since", "day"),
)


@router.get("")
def everybody(request: Request, person: Admin) -> Response:
    """Everybody who works with the workspace."""
    return _page(request, person)


def _page(request: Request, by: Person, *, status: int = 200, **more: Any) -> Response:
    service = service_of(request)
    waiting = service.sign_ins.invitations(now())
    values: dict[str, Any] = {"errors": {}, "name": "", "address": "", "role": "viewer"} | more
    rows = [
        {
            "name": f"{one.name} (you)" if one.id == by.id else one.name, "address": one.address, "role": one.role,
            "state": _state(one, one.id in waiting), "since": one.created, "href": f"/people/{one.id}",
        }
        for one in service.people
    ]  # fmt: skip
    return page(
        request, "accounts/people.html", title="People", status=status, roles=ROLES,
        people=listed(request, "people", COLUMNS, rows, sort="name", label="people", search=("name", "address", "role")),
        mails=service.workspace.config.mail is not None, **values,
    )  # fmt: skip


def _state(person: Person, invited: bool) -> tuple[str, str]:
    """Whether somebody can sign in, in a word or two."""
    if person.chosen:
        return ("new link sent", "warn") if invited else ("active", "good")
    return ("invited", "warn") if invited else ("no password", "warn" if person.address else "")


def _one(request: Request, by: Person, other: Person, *, status: int = 200, **more: Any) -> Response:
    service = service_of(request)
    invited = service.sign_ins.invitations(now()).get(other.id)
    browsers = service.sign_ins.of_person(other.id, now())
    values: dict[str, Any] = {"errors": {}, "role": other.role, "link": ""} | more
    return page(
        request, "accounts/person.html", title=other.name, status=status, other=other, roles=ROLES, invited=invited,
        browsers=len(browsers), seen=max((one.used for one in browsers), default=None), you=other.id == by.id,
        mails=service.workspace.config.mail is not None, real=now(), **values,
    )  # fmt: skip


@router.get("/{other}")
def one(request: Request, person: Admin, other: str) -> Response:
    """Somebody: their role, a new link, removing them."""
    return _one(request, person, _person(request, other))


@router.post("")
def invite(request: Request, person: Admin, name: Text = "", address: Text = "", role: Text = "viewer") -> Response:
    """Let somebody in, and send them a link; where no mail server is set, it is shown for copying."""
    try:
        if not address.strip():
            raise ConfigError("They sign in with their e-mail address.", place="address", fix="Write it here.")
        added = service_of(request).people.add(name, address, role, now())
    except ConfigError as error:
        errors = {str(error.place): f"{error.problem} {error.fix or ''}".strip()}
        return _page(request, person, status=422, errors=errors, name=name, address=address, role=role)
    note(request, "person invited", added.id, f"{added.name}, {added.role}")
    return _invited(request, person, added)


@router.post("/{other}/invitation")
def invite_again(request: Request, person: Admin, other: str) -> Response:
    """Send somebody another link, with which they choose a new password."""
    found = _person(request, other)
    if not found.address:
        raise HTTPException(422, "They have no e-mail address yet: they sign in by a link that the server prints.")
    note(request, "person invited again", found.id, found.name)
    return _invited(request, person, found)


def _invited(request: Request, by: Person, added: Person) -> Response:
    service = service_of(request)
    secret = service.sign_ins.make_link(added.id, INVITATION, now())
    link = f"{_base(request)}/invitation/{secret}"
    mail = service.workspace.config.mail
    if mail is None:
        return _one(request, by, added, link=link)
    try:
        with Mailer(mail) as mailer:
            mailer.send(_mail(service.workspace.config.name, by, added, link))
    except MailError as error:
        return _one(request, by, added, link=link, errors={"mail": f"The mail wasn't sent. {error}"})
    return tell(
        RedirectResponse("/people", 303), f"{added.name} gets a mail with a link, which is good for seven days, once."
    )


def _base(request: Request) -> str:
    """The address under which people reach the server."""
    said = service_of(request).workspace.config.server.address
    scheme = "https" if is_secure(request) else "http"
    return said.rstrip("/") or f"{scheme}://{request.headers.get('host', '')}"


def _mail(workspace: str, by: Person, added: Person, link: str) -> Mail:
    text = (
        f"Hello {added.name},\n\n{by.name} lets you work with {workspace} in Shoal, as {added.role}. "
        f"Choose a password here:\n\n{link}\n\nThe link is good for seven days, once. "
        "If you don't know what this is about, do nothing.\n"
    )
    return Mail(added.address, f"You are invited to {workspace}", text)


@router.post("/{other}/role")
def put_in_role(request: Request, person: Admin, other: str, role: Text = "") -> Response:
    """Give somebody another role; it counts from their next click on."""
    before = _person(request, other)
    try:
        changed = service_of(request).people.put_in_role(other, role)
    except ConfigError as error:
        return _one(
            request,
            person,
            before,
            status=422,
            errors={"role": f"{error.problem} {error.fix or ''}".strip()},
            role=role,
        )
    if changed.role != before.role:
        note(request, "role changed", changed.id, f"{changed.name}: {before.role} → {changed.role}")
    return tell(RedirectResponse(f"/people/{other}", 303), f"{changed.name} is {changed.role} now.")


@router.post("/{other}/remove")
def remove(request: Request, person: Admin, other: str) -> Response:
    """Let somebody in no more."""
    found, service = _person(request, other), service_of(request)
    try:
        service.people.remove(other, now())
    except ConfigError as error:
        return _one(request, person, found, status=422, errors={"remove": f"{error.problem} {error.fix or ''}".strip()})
    note(request, "person removed", found.id, found.name)
    service.sign_ins.end_all(other)
    return tell(RedirectResponse("/people", 303), f"{found.name} is removed, and signed out everywhere.")


def _person(request: Request, other: str) -> Person:
    found = service_of(request).people.get(other)
    if found is None or found.removed is not None:
        raise HTTPException(404, "There is nobody of this id any more.")
    return found
