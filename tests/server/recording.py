"""A real server on a loopback port with an intake that remembers, for the tests of this folder."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from shoal.customers.tracking import Call, decode, encode
from shoal.server.app import collection_app, server
from shoal.server.body import App, Receive, Scope, Send
from shoal.server.collect import Collection
from shoal.server.intake import Busy, FixedKeys, Starting
from shoal.server.settings import CollectSettings

KEY = "wk_test"
PATIENCE = 30.0


class Recorder:
    """An intake in memory: what it acknowledged has been through the log's bytes.

    ``troubles`` are raised first, once each; those in ``late`` come as a disk's would, after the calls were handed over.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.requests = 0
        self.times: list[float] = []
        self.troubles: list[Exception] = []
        self.late: list[Exception] = []
        self.delay = 0.0

    def submit(self, calls: Sequence[Call], done: Callable[[BaseException | None], None]) -> None:
        self.requests += 1
        self.times.append(time.monotonic())
        if self.troubles:
            raise self.troubles.pop(0)
        asyncio.get_running_loop().call_later(self.delay, self._keep, decode(encode(calls)), done)

    def _keep(self, calls: Sequence[Call], done: Callable[[BaseException | None], None]) -> None:
        if self.late:
            done(self.late.pop(0))
            return
        self.calls += calls
        done(None)

    def busy_once(self, seconds: float = 1.0) -> None:
        self.troubles.append(Busy(seconds))

    def starting_once(self) -> None:
        self.troubles.append(Starting())

    def by_message(self) -> dict[str, Call]:
        return {call.message_id: call for call in self.calls}

    def of(self, kind: str) -> list[Call]:
        return [call for call in self.calls if call.kind == kind]

    def wait_for(self, many: int) -> list[Call]:
        """The calls as soon as there are so many, and a moment later, so that one too many is seen."""
        return self.wait_until(lambda calls: len(calls) >= many)

    def wait_until(self, enough: Callable[[list[Call]], bool]) -> list[Call]:
        """The calls as soon as they are enough, and a moment later."""
        until = time.monotonic() + PATIENCE
        while not enough(self.calls) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        return list(self.calls)

    def copies(self) -> dict[str, int]:
        """The messages that were acknowledged more than once."""
        return {m: n for m, n in Counter(call.message_id for call in self.calls).items() if n > 1}


@dataclass
class Running:
    """A server that runs: its address, what its intake keeps, and a client that speaks to it."""

    address: str
    intake: Recorder
    app: Collection
    http: httpx.Client = field(repr=False)
    stop: Callable[[], None] = field(repr=False)

    def post(self, path: str, body: object = None, **more: object) -> httpx.Response:
        """Send a call with the write key; bytes as they are, anything else as JSON."""
        given: dict[str, object] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.http.post(self.address + path, **{"auth": (KEY, ""), **given, **more})  # type: ignore[arg-type]


def _plain(app: Collection) -> App:
    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return asgi


@contextmanager
def running(
    settings: CollectSettings | None = None, *, keep_alive: int | None = None, plain: bool = False, **more: object
) -> Iterator[Running]:
    """A uvicorn server in a thread, on a free port.

    Args:
        settings: of the collection.
        keep_alive: for how many seconds an idle connection stays.
        plain: serve it as any other ASGI app, without the short way.
        more: for the collection.
    """
    intake = Recorder()
    app = collection_app(intake, FixedKeys([KEY]), settings, **more)  # type: ignore[arg-type]
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    served = server(_plain(app) if plain else app, port=port)
    if keep_alive is not None:
        served.config.timeout_keep_alive = keep_alive
    thread = threading.Thread(target=served.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE
    while not served.started and time.monotonic() < until:
        time.sleep(0.005)

    def stop() -> None:
        served.should_exit = True
        thread.join(PATIENCE)

    with httpx.Client(timeout=PATIENCE) as client:
        yield Running(f"http://127.0.0.1:{port}", intake, app, client, stop)
    stop()
    taken.close()
