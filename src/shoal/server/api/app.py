"""The FastAPI app put together: routes, errors as JSON, keys and scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException

from shoal import __version__
from shoal.errors import ConfigError, DefinitionError, PurposeError, ShoalError, StoreError, UnknownName, Unsupported

if TYPE_CHECKING:
    from shoal.server.access import Access
    from shoal.server.service import Service
    from shoal.workspace.live import Live

_STATUS: tuple[tuple[type[ShoalError], int], ...] = (
    (UnknownName, 404),
    (DefinitionError, 422),
    (Unsupported, 422),
    (PurposeError, 403),
    (ConfigError, 400),
    (StoreError, 503),
)

_bearer = HTTPBearer(scheme_name="key", description="A key of the scope that the route needs.", auto_error=False)


def api(service: Service, access: Access) -> FastAPI:
    """The app over a live workspace.

    Args:
        service: the workspace, which may be starting still.
        access: who may ask what.
    """
    from shoal.server.api import (
        accounts,
        changes,
        costs,
        experiments,
        health,
        measures,
        pilots,
        plan,
        profiles,
        segments,
        sessions,
        webhooks,
        what_if,
    )

    app = FastAPI(
        title="Shoal",
        version=__version__,
        summary="Profiles, segments and their changes.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.service, app.state.access = service, access
    for part in (
        health,
        profiles,
        what_if,
        accounts,
        segments,
        plan,
        changes,
        measures,
        costs,
        experiments,
        pilots,
        webhooks,
        sessions,
    ):
        app.include_router(part.router)
    app.add_exception_handler(ShoalError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _plain)
    return app


def needs(scope: str) -> Any:
    """A dependency: the request bears a key of this scope, and the key isn't asking too often."""

    def check(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        access: Access = request.app.state.access
        key = access.of(f"{given.scheme} {given.credentials}" if given is not None else None)
        if key is None:
            raise HTTPException(401, "Send a key: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
        if not key.may(scope):
            raise HTTPException(403, f"This key doesn't cover the scope {scope!r}.")
        wait = access.wait(key)
        if wait:
            raise HTTPException(429, "Too many requests with this key.", {"Retry-After": str(max(1, round(wait)))})

    return Depends(check)


def live_of(request: Request) -> Live:
    """The live workspace, once it is ready.

    Raises:
        HTTPException: 503 while it starts or after it has failed.
    """
    live: Live | None = request.app.state.service.live
    if live is None or not live.ready:
        raise HTTPException(503, "The workspace isn't ready.", {"Retry-After": "2"})
    return live


def customer_of(live: Live, identifier: str) -> str | None:
    """Whom an identifier means, ``KIND:VALUE`` or any that they bear; None where nobody bears it."""
    kind, colon, value = identifier.partition(":")
    with live.lock:
        identities = live.core.identities
        return (identities.find(kind, value) if colon else None) or identities.find_any(identifier)


def status_of(error: ShoalError) -> int:
    """The status that an error is answered with."""
    return next((code for kind, code in _STATUS if isinstance(error, kind)), 400)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ShoalError)
    status = status_of(error)
    said: dict[str, object] = {"problem": error.problem, "place": error.place, "fix": error.fix}
    if isinstance(error, DefinitionError) and error.start is not None:
        said |= {"start": error.start, "end": error.end}
    return JSONResponse({"error": said}, status)


async def _plain(request: Request, error: Exception) -> JSONResponse:
    """A refusal of ours, or of a path or method that there isn't, in the form of all others."""
    assert isinstance(error, StarletteHTTPException)
    problem, fix = _SAID.get(error.status_code, (None, None)) if error.detail in _USUAL else (None, None)
    said = {"problem": problem or error.detail, "place": request.url.path, "fix": fix or _FIXES.get(error.status_code)}
    return JSONResponse({"error": said}, error.status_code, headers=error.headers)


_USUAL = ("Not Found", "Method Not Allowed")
_SAID = {
    404: ("There is nothing under this path.", "See /v1/openapi.json."),
    405: ("The path doesn't take this method.", "See /v1/openapi.json."),
}
_FIXES = {
    401: "Make one with: shoal keys create NAME --scope read",
    403: "Use a key of that scope: shoal keys create NAME --scope …",
    412: "Read the segment again, and name the ETag that it has now in If-Match.",
    428: "Read the segment, and name its ETag in If-Match.",
    429: "Ask again after Retry-After; server: rate_per_second in shoal.yaml says how often.",
    503: "Try again after Retry-After.",
}


_AS_JSON = "Send JSON, with the header Content-Type: application/json."


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    said = {"problem": f"{first['msg']}.", "place": ".".join(map(str, first["loc"])), "fix": "See /v1/openapi.json."}
    sent = request.headers.get("content-type", "")
    if first["loc"] == ("body",) and "json" not in sent:
        # As curl sends it by itself: what is in the body isn't even looked at.
        said |= {"problem": f"The body is sent as {sent or 'nothing in particular'}.", "fix": _AS_JSON}
    return JSONResponse({"error": said}, 422)
