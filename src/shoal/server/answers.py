"""What is answered to a sender, once for every way on which it goes out: as ASGI messages, or as bytes at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.server.body import Send
    from shoal.server.cors import Headers

JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")


class Answer:
    """An answer: its status, its headers but for the body's length, and its body.

    Nearly all requests get the same answer, so it remembers its bytes.
    """

    __slots__ = ("_before", "_bytes", "body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Headers) -> None:
        self.status, self.body = status, body
        length = (b"content-length", str(len(body)).encode())
        self.headers: Headers = headers if status == HTTPStatus.NO_CONTENT else [length, *headers]
        self._before: Headers | None = None
        self._bytes = b""

    async def send(self, send: Send) -> None:
        """Send it over an ASGI channel."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    def written(self, before: Headers, *, keep_alive: bool) -> bytes:
        """Its bytes for HTTP/1.1.

        Args:
            before: the headers that the server gives to all answers; another list once they say something else.
            keep_alive: whether the connection stays.
        """
        if keep_alive and before is self._before:
            return self._bytes
        headers = [*before, *self.headers] if keep_alive else [*before, *self.headers, _CLOSE]
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        phrase = HTTPStatus(self.status).phrase.encode()
        made = b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (self.status, phrase, lines, self.body)
        if keep_alive:
            self._before, self._bytes = before, made
        return made


def as_json(status: int, body: bytes, headers: Headers) -> Answer:
    """An answer with a body of JSON."""
    return Answer(status, body, [JSON, *headers])
