"""Tokens of forms: a change is taken only from a page that this server gave to this browser.

A token is a random word and the keyed hash of it, so that no two pages bear the same; the key is the secret of the browser's
cookie: that of its session or, before anybody is signed in, one of its own.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from shoal.web.people import COOKIE

if TYPE_CHECKING:
    from fastapi import Response

VISIT = "shoal_visit"
FIELD, HEADER = "token", "x-shoal-token"
SAFE = ("GET", "HEAD", "OPTIONS")
_STALE = "This page is from before; nothing was changed. Load it again and repeat what you did."
_FOREIGN = "This came from a page of another address; nothing was changed."


def token(request: Request) -> str:
    """A token for the forms of a page; the answer has to set the cookie that ``keep_visit`` sets."""
    secret = request.cookies.get(COOKIE) or request.cookies.get(VISIT) or _visit(request)
    word = secrets.token_urlsafe(9)
    return f"{word}.{_mark(secret, word)}"


def _visit(request: Request) -> str:
    """The secret of a browser that has none yet."""
    state = request.state
    if not hasattr(state, "visit"):
        state.visit = secrets.token_urlsafe(24)
    made: str = state.visit
    return made


def keep_visit(request: Request, response: Response) -> None:
    """Give the browser the secret that the page's tokens were made with, where it had none."""
    made = getattr(request.state, "visit", None)
    if made is not None:
        set_cookie(request, response, VISIT, made)


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie that no script reads and no other site's form sends."""
    response.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="lax", path="/", secure=is_secure(request)
    )


def is_secure(request: Request) -> bool:
    """Whether the browser speaks TLS, with us or with the proxy before us."""
    said = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return request.url.scheme == "https" or said == "https"


def _mark(secret: str, word: str) -> str:
    return hmac.new(secret.encode(), f"form {word}".encode(), "sha256").hexdigest()[:32]


async def checked(request: Request) -> None:
    """A dependency of all pages: what changes something comes from a page of ours, with a token of this browser.

    Raises:
        HTTPException: 403 otherwise.
    """
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    if (origin is not None and urlsplit(origin).netloc != request.headers.get("host")) or (
        request.headers.get("sec-fetch-site") not in (None, "same-origin", "none")
    ):
        raise HTTPException(403, _FOREIGN)
    given = request.headers.get(HEADER) or str((await request.form()).get(FIELD, ""))
    secret = request.cookies.get(COOKIE) or request.cookies.get(VISIT)
    word, _, mark = given.partition(".")
    if not secret or not hmac.compare_digest(mark.encode(), _mark(secret, word).encode()):
        raise HTTPException(403, _STALE)
