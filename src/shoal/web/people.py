"""Who asks for a page, and what they may. Every route names a right by ``may``, or says ``open_to_all``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request

from shoal.clock import Clock
from shoal.workspace.people import RIGHTS, ROLES, Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.server.service import Service
    from shoal.workspace.sign_ins import SignIn

__all__ = [
    "ROLES",
    "Person",
    "SignInNeeded",
    "may",
    "now",
    "open_to_all",
    "service_of",
    "signed_in",
    "still_in",
]

COOKIE = "shoal_session"
_SAID = {
    "edit": "Your role lets you look, not change. An editor or an administrator may.",
    "admin": "Only an administrator may do this.",
    "privacy": "This shows personal data of customers, which your role doesn't need to see.",
}


class SignInNeeded(Exception):
    """Nobody is signed in in this browser."""


def service_of(request: Request) -> Service:
    """The served workspace."""
    service: Service = request.app.state.service
    return service


def now() -> int:
    """The instant of the real clock: sessions, links and the audit go by it, whatever the workspace's clock shows."""
    return Clock().now()


def sign_in_of(request: Request) -> SignIn | None:
    """The browser's own sign-in; None where nobody is signed in."""
    state = request.state
    if not hasattr(state, "sign_in"):
        secret = request.cookies.get(COOKIE)
        state.sign_in = service_of(request).sign_ins.of(secret, now()) if secret else None
    found: SignIn | None = state.sign_in
    return found


def person_of(request: Request) -> Person | None:
    """Who is signed in, if anybody."""
    held = sign_in_of(request)
    found = service_of(request).people.get(held.person) if held is not None else None
    return found if found is not None and found.removed is None else None


def still_in(request: Request) -> bool:
    """Whether who sent a request that stays open, as the live line does, is signed in still; it doesn't count as use."""
    held, person = sign_in_of(request), person_of(request)
    return held is not None and person is not None and service_of(request).sign_ins.lasts(held.hash, now())


def signed_in(request: Request) -> Person:
    """Who is signed in.

    Raises:
        SignInNeeded: nobody.
    """
    found = person_of(request)
    if found is None:
        raise SignInNeeded
    return found


def may(right: str) -> Callable[[Request], Person]:
    """A dependency: somebody is signed in whose role covers a right (``view``, ``edit``, ``admin``, ``privacy``)."""
    if right not in RIGHTS:
        raise ValueError(right)

    def check(request: Request) -> Person:
        person = signed_in(request)
        if not person.may(right):
            raise HTTPException(403, _SAID.get(right, "Your role doesn't cover this."))
        return person

    check.right = right  # type: ignore[attr-defined]
    return check


def open_to_all() -> None:
    """A dependency of the few routes that nobody has to be signed in for."""


open_to_all.right = None  # type: ignore[attr-defined]


def right_of(dependency: Any) -> str | None:
    """The right that a dependency asks for, ``""`` for one that is open to all; None where it asks for none."""
    if not hasattr(dependency, "right"):
        return None
    return dependency.right or ""
