"""HTTP as uvicorn speaks it, with a short way for tracking calls, and head and body of an answer written together.

What an ASGI app costs before it does anything (a scope, a task, a channel) is as much as taking a call. So a request that
brings calls in the way that nearly all do goes from the parser to the collection at once, and its answer to the socket.
Whatever is unusual about a request (it is compressed by chunks, has no length, waits behind another, ends the connection,
can't be let in …) takes uvicorn's own way to the same collection, which answers the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shoal.server.answers import Answer
from shoal.server.collect import Collection, Request
from shoal.server.routes import POSTS

if TYPE_CHECKING:
    import asyncio

_POSTS = {path.encode(): kind for path, kind in POSTS.items()}
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]{1,9})\r\n", re.IGNORECASE)
_MOST_DIGITS = 9
_TRIES = 4
"""How often the head of a connection is remembered in vain, before it is taken for one whose heads differ."""
_BROKEN = Answer(500, b"Internal Server Error", [(b"content-type", b"text/plain; charset=utf-8")])


class Together:
    """A transport that writes at the end of the event loop's turn what was written in it.

    Each write is a call of the operating system, and gives Python's lock away; half of them are spared.
    """

    __slots__ = ("_loop", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write, together with what comes in the same turn."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def write_now(self, data: bytes) -> None:
        """Write what is whole already."""
        if self._waiting:
            self._flush()
        self._transport.write(data)

    def _flush(self) -> None:
        if self._waiting:
            self._transport.write(b"".join(self._waiting))
            self._waiting.clear()

    def close(self) -> None:
        """Write what waits, and close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Seen(NamedTuple):
    """A head that the parser has read and that the sender repeats, as all do over one connection: only the length differs.

    Args:
        before: its bytes up to the length.
        after: its bytes from there on.
        request: what the parser made of it.
    """

    before: bytes
    after: bytes
    request: Request

    @classmethod
    def of(cls, head: bytes, request: Request) -> Seen | None:
        """A head; None where its length isn't found as plainly as senders write it."""
        found = _LENGTH.search(head)
        return None if found is None else cls(head[: found.start(1)], head[found.end(1) :], request)

    def body(self, data: bytes) -> tuple[bytes, int] | None:
        """The length that data with this head give, and where the body begins; None where they begin otherwise."""
        begin = len(self.before)
        end = data.find(b"\r", begin, begin + _MOST_DIGITS + 1)
        length = data[begin:end]
        if not (data.startswith(self.before) and length.isdigit() and data.startswith(self.after, end)):
            return None
        return length, end + len(self.after)


class Direct:
    """A request on the short way, in the place of uvicorn's own cycle, which asks for some of this."""

    __slots__ = ("keep_alive", "parts", "protocol", "request", "response_complete")

    def __init__(self, protocol: Protocol, request: Request) -> None:
        self.protocol, self.request = protocol, request
        self.parts: list[bytes] = []
        self.keep_alive = True
        self.response_complete = False

    def take(self, collection: Collection) -> None:
        """Hand over the request, of which the body has come."""
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        try:
            collection.take(self.request, body, self.answer)
        except Exception:  # as for any app: one request fails, the server goes on
            self.protocol.logger.exception("Exception in the collection")
            self.keep_alive = False
            self.answer(_BROKEN)

    def answer(self, answer: Answer) -> None:
        """Write the answer."""
        if not self.response_complete:
            self.response_complete = True
            self.protocol.on_direct_answer(answer, self.keep_alive)


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with that way, for an app that is a ``Collection``."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        usual = not self.root_path and self.limit_concurrency is None
        self._collection = self.app if usual and isinstance(self.app, Collection) else None
        self._together: Together
        self._peer = ""
        self._inside = False
        """Whether the parser is in the middle of a request."""
        self._seen: Seen | None = None
        self._tries = _TRIES
        self._idle_since: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        self._together = Together(transport, self.loop)
        super().connection_made(self._together)  # type: ignore[arg-type]
        self._peer = str(self.client[0]) if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection. What it sent whole is taken all the same; only the answer goes nowhere."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        cycle: object = self.cycle
        if type(cycle) is Direct:
            self.cycle = None  # type: ignore[assignment]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._idle_since = None
        if self._inside or self._collection is None:
            super().data_received(data)
        elif self._seen is None or not self._repeated(self._seen, self._collection, data):
            self._unseen(data)

    def _repeated(self, seen: Seen, collection: Collection, data: bytes) -> bool:
        """Take a request that differs from the one before in its body only, and spare the parser; False for all others."""
        found = seen.body(data)
        if found is None or not self._free():
            return False
        length, begin = found
        end = begin + int(length)
        if len(data) < end:
            return False
        request = seen.request
        try:
            key = collection.begin(request.kind, request.head, length)
        except Exception:  # on the other way it is told
            return False
        self._tries = _TRIES
        direct = Direct(self, Request(request.kind, request.head, key, request.query, request.peer))
        self.cycle = direct  # type: ignore[assignment]
        direct.parts.append(data[begin:end])
        direct.take(collection)
        if len(data) > end:
            super().data_received(data[end:])
        return True

    def _unseen(self, data: bytes) -> None:
        """Have the parser read a request, and remember its head where it came whole and took the short way."""
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or not self._tries:
            super().data_received(data)
            return
        self._tries -= 1
        before: object = self.cycle
        # The parser alone knows whether a head ends here: then nothing of a body has come yet.
        super().data_received(data[:end])
        cycle: object = self.cycle
        if type(cycle) is Direct and cycle is not before and self._inside and not cycle.parts:
            self._seen = Seen.of(data[:end], cycle.request)
        # Behind a wish for another protocol uvicorn reads no more of what came with it.
        if len(data) > end and not self._together.is_closing() and not self.parser.should_upgrade():
            super().data_received(data[end:])

    # ------------------------------------------------------------ what the parser finds

    def on_message_begin(self) -> None:
        """A request begins. uvicorn makes its scope here; which way it takes is known after the headers."""
        self._inside = True
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Choose the way of a request."""
        direct = None if self._collection is None else self._direct(self._collection)
        if direct is not None:
            self.cycle = direct  # type: ignore[assignment]
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        cycle: object = self.cycle
        if type(cycle) is Direct:
            cycle.parts.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._inside = False
        cycle: object = self.cycle
        if type(cycle) is Direct and self._collection is not None:
            cycle.take(self._collection)
        else:
            super().on_message_complete()

    def _direct(self, collection: Collection) -> Direct | None:
        """The request at hand, where it may take the short way."""
        path, _, query = self.url.partition(b"?")
        kind = _POSTS.get(path)
        if kind is None or b"#" in query or self.parser.get_method() != b"POST" or self.expect_100_continue:
            return None
        parser, head = self.parser, dict(self.headers)
        length = head.pop(b"content-length", b"")
        # With a length, a body is held up to the limit that ``begin`` looks at; the rest is for the order of answers and for
        # connections that end, which uvicorn knows how to do.
        if (
            not length
            or b"transfer-encoding" in head
            or not self._free()
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
        ):
            return None
        try:
            key = collection.begin(kind, head, length)
        except Exception:  # on the other way it is told
            return None
        return Direct(self, Request(kind, head, key, query, self._peer))

    def _free(self) -> bool:
        """Whether an answer may be written as soon as it is there: none is before it, and the sender reads."""
        cycle = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self._together.is_closing()
        )

    # ------------------------------------------------------------ answering

    def on_direct_answer(self, answer: Answer, keep_alive: bool) -> None:
        """Write an answer to a request that came the short way, and go on with what waits behind it."""
        together = self._together
        if together.is_closing():
            return
        together.write_now(answer.written(self.server_state.default_headers, keep_alive=keep_alive))
        if not keep_alive:
            together.close()
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        # One timer for the connection, and none for each request: it looks how long nothing came.
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        self._idle_timer = None
        since, now = self._idle_since, self.loop.time()
        left = self.timeout_keep_alive if since is None else since + self.timeout_keep_alive - now
        if left <= 0:
            self.timeout_keep_alive_handler()
        else:
            self._idle_timer = self.loop.call_later(left, self._look)
