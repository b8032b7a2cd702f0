"""Signing in and out, by password, by a link once, by an invitation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ConfigError
from shoal.web.audit import note
from shoal.web.limits import Attempts, is_near, peer_of
from shoal.web.people import COOKIE, Person, now, open_to_all, person_of, service_of, sign_in_of
from shoal.web.render import page
from shoal.web.tokens import VISIT, set_cookie
from shoal.workspace.people import LEAST
from shoal.workspace.sign_ins import INVITATION, SIGN_IN, WHOLE

router = APIRouter(dependencies=[Depends(open_to_all)])
Text = Annotated[str, Form()]
_WRONG = "The e-mail address or the password isn't right."
_USED = "The link has been used already, or it is too old."
_BEGIN = "/overview"


@router.get("/sign-in")
def form(request: Request, next: str = "") -> Response:  # noqa: A002
    """Ask for address and password."""
    if person_of(request) is not None:
        return RedirectResponse(_inside(next), 303)
    return _form(request, next=next)


def _form(request: Request, *, next: str, address: str = "", error: str = "", status: int = 200) -> Response:  # noqa: A002
    begun = service_of(request).people.begun
    return page(
        request, "accounts/sign_in.html", title="Sign in", status=status, next=next, address=address, error=error,
        begun=begun,
    )  # fmt: skip


@router.post("/sign-in")
def sign_in(request: Request, address: Text = "", password: Text = "", next: Text = "") -> Response:  # noqa: A002
    """Sign in; the answer to an unknown address is the one to a wrong password."""
    attempts: Attempts = request.app.state.attempts
    peer, account = peer_of(request), address.strip().lower()[:300]
    wait = attempts.begin(peer, account)
    if wait:
        answer = _form(request, next=next, address=address, error=_patience(wait), status=429)
        answer.headers["Retry-After"] = str(int(wait) + 1)
        return answer
    person = service_of(request).people.check(address, password)
    if person is None:
        note(request, "sign-in refused", detail=f"from {peer}")
        return _form(request, next=next, address=address, error=_WRONG, status=401)
    attempts.succeeded(peer, account)
    return _signed_in(request, person, _inside(next), "signed in")


def _patience(wait: float) -> str:
    told = f"{int(wait) + 1} seconds" if wait < 90 else f"{round(wait / 60)} minutes"
    return f"There were too many attempts. Try again in {told}."


def _signed_in(request: Request, person: Person, to: str, action: str) -> Response:
    service, before = service_of(request), sign_in_of(request)
    if before is not None:
        service.sign_ins.end(before.hash)
    secret = service.sign_ins.begin(person.id, request.headers.get("user-agent", ""), now())
    note(request, action, person=person.id)
    answer = RedirectResponse(to, 303)
    set_cookie(request, answer, COOKIE, secret, WHOLE // 1_000_000)
    answer.delete_cookie(VISIT, path="/")
    return answer


def _inside(path: str) -> str:
    """Where somebody wanted to go, where that is a page of ours."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\", "/sign-")) and path.isprintable()
    return path if inside else _BEGIN


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End this browser's sign-in."""
    held = sign_in_of(request)
    if held is not None:
        note(request, "signed out")
        service_of(request).sign_ins.end(held.hash)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/")
    # What a browser keeps of pages would be there for whoever sits down next.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@router.get("/sign-in/link/{secret}")
def by_link(request: Request, secret: str) -> Response:
    """Sign in by the link that the server printed: once, and from this machine only."""
    if not is_near(request):
        raise HTTPException(403, "This link works only on the machine that the server runs on.")
    used = service_of(request).sign_ins.use_link(secret, SIGN_IN, now())
    person = service_of(request).people.get(used.person) if used is not None else None
    if person is None or person.removed is not None:
        raise HTTPException(403, f"{_USED} Make a new one: shoal accounts link")
    return _signed_in(request, person, _BEGIN, "signed in by a link")


@router.get("/invitation/{secret}")
def invitation(request: Request, secret: str) -> Response:
    """Ask who was invited for a password."""
    return _welcome(request, secret, _invited(request, secret))


def _invited(request: Request, secret: str) -> Person:
    """Who was invited by a link.

    Raises:
        HTTPException: it does no more.
    """
    service = service_of(request)
    found = service.sign_ins.link(secret, INVITATION, now())
    person = service.people.get(found.person) if found is not None else None
    if person is None or person.removed is not None:
        raise HTTPException(403, f"{_USED} Ask who invited you for another.")
    return person


def _welcome(
    request: Request, secret: str, person: Person, errors: dict[str, str] | None = None, name: str | None = None
) -> Response:
    return page(
        request, "accounts/invitation.html", title="Welcome", status=422 if errors else 200, secret=secret, invited=person,
        errors=errors or {}, name=person.name if name is None else name, least=LEAST,
    )  # fmt: skip


@router.post("/invitation/{secret}")
def accept(request: Request, secret: str, name: Text = "", password: Text = "") -> Response:
    """Take the password of who was invited, and sign them in."""
    service, person = service_of(request), _invited(request, secret)
    try:
        person = service.people.rename(person.id, name, person.address) if person.address else person
        service.people.choose(person.id, password)
    except ConfigError as error:
        return _welcome(request, secret, person, {str(error.place): f"{error.problem} {error.fix}"}, name)
    # The link does no more, and whoever was signed in with the password of before isn't any more.
    service.sign_ins.end_all(person.id)
    return _signed_in(request, person, _BEGIN, "accepted the invitation")
