"""The body of a request: read up to a limit, and unpacked up to a limit."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

from shoal.server.faults import Fault, Refused, bad

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
Scope: TypeAlias = "MutableMapping[str, Any]"
App: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"


class Gone(Exception):
    """The sender hung up before the body was whole."""


async def read(receive: Receive, limit: int) -> bytes:
    """The body as it was sent.

    Args:
        receive: the ASGI channel.
        limit: the most bytes that are held in memory.

    Raises:
        Refused: it is larger.
        Gone: the sender hung up.
    """
    message = await receive()
    body = message.get("body", b"")
    if not message.get("more_body") and message["type"] == "http.request" and len(body) <= limit:
        return bytes(body)
    parts, size = [body], len(body)
    while message["type"] == "http.request" and message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] != "http.request":
        raise Gone
    if size > limit:
        raise too_large(limit)
    return b"".join(parts)


def unpacked(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body without its compression. A gzip body is known by its first bytes too: beacons can't set a header.

    Raises:
        Refused: the compression is another one or damaged, or the body is larger than the limit.
    """
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
        fault = Fault("encoding", "The body is packed in a way that isn't known here.", "content-encoding", "Use gzip.")
        raise Refused(415, fault)
    if body.startswith(_GZIP):
        body = _gunzipped(body, limit)
    elif b"gzip" in encoding:
        raise bad("bad-gzip", "The body isn't gzip.", "body", "Pack it, or leave the header content-encoding out.")
    if len(body) > limit:
        raise too_large(limit)
    return body.removeprefix(_MARK)


def _gunzipped(body: bytes, limit: int) -> bytes:
    parts, size = [], 0
    while body:
        # The limit is the decompressor's too: a bomb is never blown up in memory.
        machine = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            part = machine.decompress(body, limit + 1 - size)
        except zlib.error as error:
            raise bad("bad-gzip", f"The gzip body is damaged: {error}.", "body", "Send it again.") from None
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large(limit)
        if not machine.eof:
            raise bad("bad-gzip", "The gzip body ends too early.", "body", "Send it again, whole.")
        body = machine.unused_data
    return b"".join(parts)


def too_large(limit: int, place: str = "body") -> Refused:
    """A refusal of what is larger than a limit in bytes."""
    fix = "Send fewer calls at once." if limit > 100_000 else "Send fewer properties, or a batch of calls."
    return Refused(413, Fault("too-large", f"More than the {limit} bytes that are allowed.", place, fix))


def too_many(limit: int) -> Refused:
    """A refusal of a batch of more calls than a limit."""
    fault = Fault("too-many-calls", f"More than the {limit} calls that are allowed.", "batch", "Send fewer at once.")
    return Refused(413, fault)
