"""What stands before all pages: headers that tell browsers what to refuse, a limit of bodies, compression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROGRAMS = ("/v1/", "/healthz", "/metrics")
"""The paths of the HTTP interface, which answers programs as it does without pages."""
BODY = 4 << 20
"""Bytes of a form at most."""
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
    "connect-src 'self'", "manifest-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
))  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TLS = "max-age=31536000"


def is_page(path: str) -> bool:
    """Whether a path is that of a page, not of the HTTP interface."""
    return not path.startswith(PROGRAMS)


class Guard:
    """An app before the app, for pages alone.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._packed = GZipMiddleware(app, minimum_size=1_000, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not is_page(scope["path"]):
            return await self._app(scope, receive, send)
        secure = any(
            name == b"x-forwarded-proto" and value.startswith(b"https") for name, value in scope["headers"]
        ) or (scope.get("scheme") == "https")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _head(message, secure=secure)
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY:
            return await PlainTextResponse("This is too large.", 413)(scope, receive, guarded)
        return await self._packed(scope, _limited(receive), guarded)


def _head(message: Message, *, secure: bool) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    if secure:
        headers["Strict-Transport-Security"] = _TLS
    # What no route says otherwise of is for the one who asked, and for now.
    headers.setdefault("Cache-Control", "no-store")


def _limited(receive: Receive) -> Receive:
    """Ends a body that is sent in pieces and never says how long it is."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > BODY else message

    return limited
