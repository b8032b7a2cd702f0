"""Keys for programs: made, shown once, revoked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ConfigError
from shoal.web.audit import note
from shoal.web.people import Person, may, now, service_of
from shoal.web.render import page

router = APIRouter(prefix="/keys")
Admin = Annotated[Person, Depends(may("admin"))]
SCOPES = {
    "collect": "Send events, as a web shop or an app does.",
    "read": "Ask for profiles, segments, changes and figures.",
    "write": "Change segments, lists and identities; read as well.",
    "admin": "All of it.",
}


@router.get("")
def listed(request: Request, person: Admin, done: str = "", search: str = "") -> Response:
    """The keys."""
    return _page(request, done="The key is revoked." if done == "revoked" else "", search=search)


def _page(request: Request, *, status: int = 200, **more: Any) -> Response:
    values: dict[str, Any] = {
        "done": "",
        "errors": {},
        "name": "",
        "chosen": [],
        "secret": "",
        "made": None,
        "search": "",
    }
    values |= more
    words = values["search"].lower().split()
    found = [key for key in service_of(request).keys if all(w in f"{key.name} {key.id}".lower() for w in words)]
    found.sort(key=lambda key: (key.revoked is not None, -key.created))
    return page(
        request, "accounts/keys.html", title="Keys", status=status, keys=found, scopes=SCOPES, real=now(), **values
    )


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
        key, secret = service_of(request).keys.create(told, chosen, service_of(request).workspace.clock.now())
    except ConfigError as error:
        errors = errors or {"scopes": f"{error.problem} {error.fix or ''}".strip()}
        return _page(request, status=422, errors=errors, name=name, chosen=chosen)
    note(request, "key made", key.id, f"{key.name}: {', '.join(sorted(key.scopes))}")
    return _page(request, secret=secret, made=key)


@router.post("/{key}/revoke")
def revoke(request: Request, person: Admin, key: str) -> Response:
    """Take a key out of force at once."""
    service = service_of(request)
    found = next((one for one in service.keys if one.id == key), None)
    if found is None:
        raise HTTPException(404, "There is no such key.")
    if found.revoked is None:
        service.keys.revoke(key, service.workspace.clock.now())
        note(request, "key revoked", found.id, found.name)
    return RedirectResponse("/keys?done=revoked", 303)
