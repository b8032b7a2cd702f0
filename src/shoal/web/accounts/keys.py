"""Keys for programs: made, shown once, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ConfigError
from shoal.web.audit import note
from shoal.web.people import Person, may, now, service_of
from shoal.web.render import page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from shoal.workspace.keys import Key

router = APIRouter(prefix="/keys")
Admin = Annotated[Person, Depends(may("admin"))]
SCOPES = {
    "collect": "Send events, as a web shop or an app does.",
    "read": "Ask for profiles, segments, changes and figures.",
    "write": "Change segments, lists and identities; read as well.",
    "admin": "All of it.",
}


COLUMNS = (
    Column("name", "What it is for"),
    Column("key", "Key"),
    Column("may", "May", "tags"),
    Column("made", "Made", "day"),
    Column("state", "State", "state"),
)


@router.get("")
def all_keys(request: Request, person: Admin) -> Response:
    """The keys."""
    return _page(request)


def _page(request: Request, *, status: int = 200, **more: Any) -> Response:
    values: dict[str, Any] = {"errors": {}, "name": "", "chosen": []} | more
    rows = [
        {
            "name": key.name, "key": key.id, "may": sorted(key.scopes), "made": key.created, "href": f"/keys/{key.id}",
            "state": ("in force", "good") if key.revoked is None else ("revoked", ""),
        }
        for key in service_of(request).keys
    ]  # fmt: skip
    return page(
        request, "accounts/keys.html", title="Keys", status=status, scopes=SCOPES,
        keys=listed(request, "keys", COLUMNS, rows, sort="state", label="keys", search=("name", "key")), **values,
    )  # fmt: skip


def _one(request: Request, key: Key, secret: str = "") -> Response:
    return page(request, "accounts/key.html", title=key.name, key=key, scopes=SCOPES, secret=secret)


@router.get("/{key}")
def one(request: Request, person: Admin, key: str) -> Response:
    """A key; its secret isn't known any more."""
    return _one(request, _found(request, key))


def _found(request: Request, key: str) -> Key:
    """A key by its id.

    Raises:
        HTTPException: there is none.
    """
    found = next((one for one in service_of(request).keys if one.id == key), None)
    if found is None:
        raise HTTPException(404, "There is no such key.")
    return found


@router.post("")
def create(
    request: Request,
    person: Admin,
    name: Annotated[str, Form()] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a key; its secret is shown in this answer and never again."""
    told, chosen = " ".join(name.split())[:100], scopes or []
    errors = {} if told else {"name": "Say what it is for, as Web shop."}
    try:
        if errors:
            raise ConfigError(errors["name"], place="name")
        key, secret = service_of(request).keys.create(told, chosen, now())
    except ConfigError as error:
        errors = errors or {"scopes": f"{error.problem} {error.fix or ''}".strip()}
        return _page(request, status=422, errors=errors, name=name, chosen=chosen)
    note(request, "key made", key.id, f"{key.name}: {', '.join(sorted(key.scopes))}")
    return _one(request, key, secret)


@router.post("/{key}/revoke")
def revoke(request: Request, person: Admin, key: str) -> Response:
    """Take a key out of force at once."""
    service, found = service_of(request), _found(request, key)
    if found.revoked is None:
        service.keys.revoke(key, now())
        note(request, "key revoked", found.id, found.name)
    return tell(RedirectResponse("/keys", 303), f"The key {found.name} is revoked.")
