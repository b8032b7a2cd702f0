"""The line to a running server: one request that stays open and says that we live, and one connection for what we ask."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shoal.clock import stopwatch
from shoal.errors import StoreError
from shoal.workspace.served.wire import decode, decode_error, encode

if TYPE_CHECKING:
    from http.client import HTTPResponse

SESSION = "/v1/session"
OPENING = 10.0
"""Seconds in which a server has to answer at all."""
_IDLE = 30.0
"""Seconds after which a connection may have been closed by the server, and a new one is made."""
_KEPT = "Stopped, after the step that was under way had been completed: what it did is kept."
_GOES_ON = "Stopped waiting; the server goes on with it."


class NotReached(Exception):
    """There is no server at the address, it is starting still, or it is another one."""

    def __init__(self, reason: str, *, starting: bool = False) -> None:
        super().__init__(reason)
        self.starting = starting


class Link:
    """A session at a server; see ``open``. One thread at a time asks."""

    def __init__(self, address: str, token: str, held: HTTPConnection, answer: HTTPResponse, session: str) -> None:
        self.address, self._token = address, token
        # Kept open and never read to its end: when this process dies, the server learns of it and clears up.
        self._held, self._held_answer = held, answer
        self._path = f"{SESSION}/{session}"
        self._asking = _connection(address, None)
        self._asked = stopwatch()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="served")
        self._closed = False

    @classmethod
    def open(cls, address: str, token: str) -> Link:
        """Begin a session.

        Raises:
            NotReached: nobody answers there, or not as our server would.
        """
        held = _connection(address, OPENING)
        try:
            held.request("GET", SESSION, headers=_headers(token))
            answer = held.getresponse()
            session = answer.readline().decode("ascii", "replace").strip()
            if answer.status != 200 or not session.isalnum():
                raise NotReached(f"status {answer.status}", starting=answer.status == 503)
        except (OSError, HTTPException) as error:
            held.close()
            raise NotReached(type(error).__name__) from error
        except BaseException:
            held.close()
            raise
        return cls(address, token, held, answer, session)

    def again(self) -> Link:
        """A second session at the same server."""
        return Link.open(self.address, self._token)

    def ask(self, what: str, *, whole: bool = False, kept: bool = False, leave: bool = False, **said: Any) -> Any:
        """Ask for something and wait for the answer. Ctrl-C stops the statement at the server, too.

        Args:
            what: the name of an operation, as ``rows``.
            whole: it is waited for whatever comes, as a commit: what was kept must not be told as if it wasn't.
            kept: Ctrl-C stops it where it can be stopped, and is told of what was done all the same.
            leave: Ctrl-C only ends the waiting; the server finishes it.
            said: its particulars.

        Raises:
            ShoalError: as the server raised it.
            StoreError: the server is gone.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._sent(what, said)
        running = self._worker.submit(self._sent, what, said)
        try:
            return running.result()
        except KeyboardInterrupt:
            if leave and not running.done():
                raise KeyboardInterrupt(_GOES_ON) from None
            while not running.done():
                with suppress(KeyboardInterrupt):
                    if not whole:
                        # Again and again: an interrupt that comes before the statement has begun is lost.
                        self._interrupt()
                    wait([running], timeout=0.05)
            if (whole or kept) and running.exception() is None:
                raise KeyboardInterrupt(_KEPT) from None
            raise

    def _sent(self, what: str, said: dict[str, Any]) -> Any:
        if stopwatch() - self._asked > _IDLE:
            self._asking.close()
        try:
            self._asking.request("POST", f"{self._path}/{what}", encode(said), _headers(self._token))
            answer = self._asking.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            self._asking.close()
            raise StoreError(
                "The server that has the workspace open is gone; what wasn't committed is undone.",
                place=self.address,
                fix="Look at its log, and try again.",
            ) from error
        self._asked = stopwatch()
        if status != 200:
            raise decode_error(body)
        return decode(body)

    def _interrupt(self) -> None:
        connection = _connection(self.address, OPENING)
        with suppress(OSError, HTTPException):
            connection.request("POST", f"{self._path}/interrupt", b"", _headers(self._token))
            connection.getresponse().read()
        connection.close()

    def close(self) -> None:
        """End the session; what wasn't committed is undone. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        for connection in (self._held, self._asking):
            # Whoever still waits for an answer, after a Ctrl-C, is woken.
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(2)
            connection.close()
        self._held_answer.close()
        self._worker.shutdown(wait=False)


def _connection(address: str, timeout: float | None) -> HTTPConnection:
    parts = urlsplit(address)
    return HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/msgpack"}
