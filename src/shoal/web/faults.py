"""Errors as pages: what is wrong and what to do, in the layout of all others. Programs get JSON as before."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from shoal.errors import ShoalError
from shoal.server.api.app import status_of
from shoal.server.asking import Busy
from shoal.web.guard import is_page
from shoal.web.people import SignInNeeded, service_of
from shoal.web.render import fragment, is_fragment, page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from fastapi import FastAPI

    Handler: TypeAlias = Callable[[Request, Exception], "Response | Awaitable[Response]"]

_logger = logging.getLogger("shoal.web")
SIGN_IN = "/sign-in"
_HEADS = {
    403: "You may not do this",
    404: "There is nothing here",
    405: "This can't be done here",
    413: "This is too large",
    422: "Something isn't right",
    429: "Too many at once",
    500: "Something went wrong",
    503: "Not now",
}
_FIXES = {
    403: "Go back, or ask an administrator for another role.",
    404: "Check the address, or go to the overview.",
    405: "Go back and try another way.",
    500: "It was written to the server's log. Try again; if it stays, tell whoever runs the server.",
    503: "Try again in a moment.",
}


def add_faults(app: FastAPI) -> None:
    """Let errors of pages become pages; those of the HTTP interface stay what they are."""
    for kind, handler in (
        (ShoalError, _refused),
        (RequestValidationError, _invalid),
        (HTTPException, _plain),
    ):
        app.add_exception_handler(kind, _unless_page(app.exception_handlers[kind], handler))
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    app.add_exception_handler(Exception, _failed)


def _unless_page(programs: Handler, people: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        answer = (people if is_page(request.url.path) else programs)(request, error)
        return answer if isinstance(answer, Response) else await answer

    return handle


def told(request: Request, status: int, problem: str, fix: str | None = None) -> Response:
    """An error, as a page or as a fragment."""
    said = {"head": _HEADS.get(status, "This didn't work"), "problem": problem, "fix": fix or _FIXES.get(status, "")}
    if is_fragment(request):
        return fragment(request, "errors/_error.html", status=status, **said)
    return page(request, "errors/error.html", title=said["head"], status=status, **said)


def starting(request: Request) -> Response:
    """A page that says that the workspace is being read, and loads itself again."""
    if is_fragment(request):
        answer: Response = fragment(request, "errors/_starting.html", status=503)
    else:
        answer = page(request, "errors/starting.html", title="Starting", status=503)
    answer.headers["Retry-After"] = "2"
    answer.headers["Refresh"] = "2"
    return answer


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ShoalError)
    if isinstance(error, Busy):
        answer = told(request, 429, error.problem, error.fix)
        answer.headers["Retry-After"] = "3"
        return answer
    return told(
        request, status_of(error), f"{error.place}: {error.problem}" if error.place else error.problem, error.fix
    )


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = str(first["loc"][-1]) if first["loc"] else ""
    return told(request, 422, f"{place}: {first['msg']}.", "Go back and correct it; what you typed is still there.")


def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    service = service_of(request)
    if error.status_code == 503 and service.failure is None and (service.live is None or service.live.failure is None):
        return starting(request)
    usual = {404: "No page has this address.", 405: "This page can only be looked at."}
    problem = usual.get(error.status_code, error.detail) if error.detail in _USUAL else error.detail
    answer = told(request, error.status_code, problem)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


_USUAL = ("Not Found", "Method Not Allowed")


def _to_sign_in(request: Request, error: Exception) -> Response:
    """Whoever isn't signed in is asked to, and comes back to where they wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_fragment(request):
        # The page around the fragment is loaded anew, which asks to sign in.
        return Response(status_code=401, headers={"HX-Refresh": "true"})
    if request.method != "GET" or wanted == "/":
        return RedirectResponse(SIGN_IN, 303)
    return RedirectResponse(f"{SIGN_IN}?next={quote(wanted)}", 303)


def _failed(request: Request, error: Exception) -> Response:
    if not is_page(request.url.path):
        return Response("Internal Server Error", 500, media_type="text/plain")
    try:
        return told(request, 500, "The server met what it didn't expect.")
    except Exception:  # the template of the error page may be what is broken
        _logger.exception("the page of an error")
        return Response("The server met what it didn't expect.", 500, media_type="text/plain")
