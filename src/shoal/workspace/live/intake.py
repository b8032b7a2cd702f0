"""The door for calls: appended to the log, acknowledged when they are on disk, refused when too much waits."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from shoal.customers.tracking import encode
from shoal.workspace.live.entries import CALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoal.customers.tracking import Call
    from shoal.errors import StoreError
    from shoal.log import Log

Done: TypeAlias = "Callable[[BaseException | None], None]"

_logger = logging.getLogger("shoal.server")

MOST_TOGETHER = 500
"""Calls of several requests that become one entry at most; more would make the first wait for the last."""
SPACING = 0.002
"""Seconds between two entries at least, unless one is full. An entry costs about as much as ten calls, so a lone call is sent
at once, and many that come one by one share."""


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

    @property
    def oldest(self) -> int | None:
        """When the call arrived that waits longest to be applied; None where none waits."""
        with self._lock:
            waiting = (calls for _, _, _, calls in self._entries if calls)
            first = next(waiting, None)
        return None if first is None else first[0].received

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


class Gathering:
    """Calls of several requests that become one entry, and who is told of it for each request."""

    __slots__ = ("calls", "loop", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.calls: list[Call] = []
        self.waiting: list[tuple[Done, int]] = []
        """Of each request, and how many of the calls are its own."""

    def release(self, error: Exception | None = None) -> None:
        """Let the requests go on; in the event loop's thread."""
        for done, _ in self.waiting:
            try:
                done(error)
            except Exception:  # whatever goes wrong with one answer, the others still wait for theirs
                _logger.exception("A request could not be answered.")


class Acknowledgements:
    """Entries that wait for the disk, each with what is done in the server's event loop when they are on it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: deque[tuple[int, asyncio.AbstractEventLoop, Callable[[StoreError | None], None]]] = deque()
        self._lock = Lock()
        self._end = log.on_commit(self._committed, failed=self._refused)

    def when(self, position: int, loop: asyncio.AbstractEventLoop, done: Callable[[StoreError | None], None]) -> None:
        """Have ``done`` called in the loop when the entry is on disk, or with the error when the disk refused it."""
        with self._lock:
            if self._log.committed < position:
                self._waiting.append((position, loop, done))
                return
        loop.call_soon_threadsafe(done, None)

    def _committed(self, position: int) -> None:
        with self._lock:
            done = []
            while self._waiting and self._waiting[0][0] <= position:
                done.append(self._waiting.popleft())
        for _, loop, call in done:
            _tell(loop, call, None)

    def _refused(self, upto: int, error: StoreError) -> None:
        with self._lock:
            lost = [item for item in self._waiting if item[0] <= upto]
            self._waiting = deque(item for item in self._waiting if item[0] > upto)
        for _, loop, call in lost:
            _tell(loop, call, error)

    def close(self) -> None:
        """Listen to the log no more."""
        self._end()


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[StoreError | None], None], error: StoreError | None) -> None:
    with suppress(RuntimeError):
        # The loop may have ended meanwhile, and with it all requests.
        loop.call_soon_threadsafe(call, error)


class LiveIntake:
    """The collection server's intake over the log.

    While an entry is on its way to the disk, and for a moment after it was sent, the calls of further requests gather; they
    become the next entry. So the more comes at once, the more goes into one entry.

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
        self._gathering: Gathering | None = None
        self._under_way = 0
        self._last = 0.0
        self._held = False

    def submit(self, calls: Sequence[Call], done: Done) -> None:
        """Keep the calls, and call ``done`` in the event loop once they are safe on disk.

        Args:
            calls: of one request.
            done: gets None, or the error where the disk refused them.

        Raises:
            BaseException: what ``busy`` gave: there is too much already.
        """
        calls = self._kept(calls)
        gathering = self._gathering
        if gathering is None:
            # Not asked again for those who join: they come within moments.
            refusal = self._busy()
            if refusal is not None:
                raise refusal
            if calls:
                gathering = self._gathering = Gathering(asyncio.get_running_loop())
                # Not at once: others whose bytes came in the same moment join.
                gathering.loop.call_soon(self._send_if_idle)
        if not calls or gathering is None:
            done(None)
            return
        gathering.calls += calls
        gathering.waiting.append((done, len(calls)))
        if len(gathering.calls) >= MOST_TOGETHER:
            self._send(gathering)

    def _send_if_idle(self) -> None:
        gathering = self._gathering
        if gathering is None or self._under_way or self._held:
            return
        wait = self._last + SPACING - gathering.loop.time()
        if wait > 0:
            self._held = True
            gathering.loop.call_later(wait, self._let_go)
        else:
            self._send(gathering)

    def _let_go(self) -> None:
        self._held = False
        self._send_if_idle()

    def _send(self, gathering: Gathering) -> None:
        """Make an entry of what has gathered."""
        self._gathering, self._last = None, gathering.loop.time()
        try:
            position = self._queue.append(CALLS, encode(gathering.calls), gathering.calls)
        except Exception as error:
            if len(gathering.waiting) == 1:
                gathering.release(error)
            else:
                self._send_each(gathering)
            return
        self._under_way += 1
        self._acknowledgements.when(position, gathering.loop, partial(self._done, gathering))

    def _send_each(self, gathering: Gathering) -> None:
        """An entry for each request, so that what is wrong with one is not the others' matter."""
        begin = 0
        for done, many in gathering.waiting:
            alone = Gathering(gathering.loop)
            alone.calls, alone.waiting = gathering.calls[begin : begin + many], [(done, many)]
            begin += many
            self._send(alone)

    def _done(self, gathering: Gathering, error: StoreError | None) -> None:
        self._under_way -= 1
        gathering.release(error)
        self._send_if_idle()
