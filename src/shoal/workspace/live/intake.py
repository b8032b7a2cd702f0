"""The door for calls: appended to the log, acknowledged when they are on disk, refused when too much waits."""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from shoal.customers.tracking import encode
from shoal.workspace.live.entries import CALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.customers.tracking import Call
    from shoal.errors import StoreError
    from shoal.log import Log


class Queue:
    """Entries on their way from the log to the apply loop, in the order of their positions."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._entries: deque[tuple[int, int, bytes, Sequence[Call] | None]] = deque()
        self._lock = Lock()
        self._end = log.on_commit(lambda position: None, failed=lambda upto, error: self._drop_lost(upto))
        self.waiting_calls = 0
        """Calls that are appended and not applied yet."""

    def append(self, kind: int, payload: bytes, calls: Sequence[Call] | None = None) -> int:
        """Append to the log, and hold for the apply loop; returns the position."""
        with self._lock:
            position = self._log.append(kind, payload)
            self._entries.append((position, kind, payload, calls))
            self.waiting_calls += 0 if calls is None else len(calls)
        return position

    def take(self) -> tuple[int, int, bytes, Sequence[Call] | None] | None:
        """The next entry that is on disk, None where there is none."""
        with self._lock:
            if not self._entries or self._entries[0][0] > self._log.committed:
                return None
            entry = self._entries.popleft()
            self.waiting_calls -= 0 if entry[3] is None else len(entry[3])
        return entry

    def _drop_lost(self, upto: int) -> None:
        """Forget entries that the disk refused."""
        with self._lock:
            committed = self._log.committed
            kept = [entry for entry in self._entries if not committed < entry[0] <= upto]
            self._entries = deque(kept)
            self.waiting_calls = sum(len(entry[3]) for entry in kept if entry[3] is not None)

    def close(self) -> None:
        """Listen to the log no more."""
        self._end()


class Acknowledgements:
    """Futures of requests that wait for the disk, released in the server's event loop."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: deque[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._lock = Lock()
        self._end = log.on_commit(self._committed, failed=self._refused)

    async def wait(self, position: int) -> None:
        """Return when the entry is on disk.

        Raises:
            StoreError: the disk refused it.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._log.committed >= position:
                return
            self._waiting.append((position, loop, future))
        await future

    def _committed(self, position: int) -> None:
        with self._lock:
            done = []
            while self._waiting and self._waiting[0][0] <= position:
                done.append(self._waiting.popleft())
        if done:
            done[0][1].call_soon_threadsafe(_release, [future for _, _, future in done])

    def _refused(self, upto: int, error: StoreError) -> None:
        with self._lock:
            lost = [item for item in self._waiting if item[0] <= upto]
            self._waiting = deque(item for item in self._waiting if item[0] > upto)
        for _, loop, future in lost:
            loop.call_soon_threadsafe(_refuse, future, error)

    def close(self) -> None:
        """Listen to the log no more."""
        self._end()


def _release(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _refuse(future: asyncio.Future[None], error: StoreError) -> None:
    if not future.done():
        future.set_exception(error)


class LiveIntake:
    """The collection server's intake over the log.

    Args:
        queue: to the apply loop.
        acknowledgements: from the disk.
        busy: what tells a sender to come again later, None where there is room.
        kept: leaves out the calls that mustn't be kept.
    """

    def __init__(
        self,
        queue: Queue,
        acknowledgements: Acknowledgements,
        busy: Callable[[], BaseException | None],
        kept: Callable[[Sequence[Call]], Sequence[Call]],
    ) -> None:
        self._queue, self._acknowledgements, self._busy, self._kept = queue, acknowledgements, busy, kept

    async def submit(self, calls: Sequence[Call]) -> None:
        """Keep the calls; returns once they are safe on disk."""
        refusal = self._busy()
        if refusal is not None:
            raise refusal
        calls = self._kept(calls)
        if calls:
            await self._acknowledgements.wait(self._queue.append(CALLS, encode(calls), calls))
