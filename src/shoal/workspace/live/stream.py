"""Changes out: each membership change once, with a number by which a reader resumes, in order."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shoal.workspace.live.core import Numbered

KEPT = 200_000
"""So many of the newest changes are held in memory; older ones are read from the store."""


class Stream:
    """The newest changes in memory, and who waits for more.

    Args:
        older: gives the changes after a number that the store has, in order, at most so many.
    """

    def __init__(self, older: Callable[[int, int], list[Numbered]]) -> None:
        self._older = older
        self._kept: deque[Numbered] = deque(maxlen=KEPT)
        self._dropped = 0
        self._state = Condition()
        self._watchers: list[Callable[[], None]] = []
        self._closed = False

    @property
    def last(self) -> int:
        """The number of the newest change; 0 where none was seen since the start."""
        return self._kept[-1].seq if self._kept else self._dropped

    def put(self, changes: list[Numbered]) -> None:
        """Publish changes."""
        if not changes:
            return
        with self._state:
            for change in changes:
                if len(self._kept) == KEPT:
                    self._dropped = self._kept[0].seq
                self._kept.append(change)
            self._state.notify_all()
        for watcher in list(self._watchers):
            watcher()

    def begin(self, seq: int) -> None:
        """Say up to which number changes were published before the start: those are read from the store."""
        self._dropped = max(self._dropped, seq)

    def after(self, seq: int, most: int = 1_000) -> list[Numbered]:
        """The changes after a number, at most so many; empty where there are none yet."""
        with self._state:
            if seq >= self._dropped:
                return self._held(seq, most)
            oldest = self._kept[0].seq if self._kept else None
        found = self._older(seq, most)
        if oldest is not None:
            found = [change for change in found if change.seq < oldest]
        if len(found) < most:
            with self._state:
                found += self._held(max(seq, self._dropped, found[-1].seq if found else 0), most - len(found))
        return found

    def _held(self, seq: int, most: int) -> list[Numbered]:
        kept = self._kept
        if not kept or kept[-1].seq <= seq:
            return []
        return list(kept)[bisect_right(kept, seq, key=_seq) :][:most]

    def wait(self, seq: int, timeout: float) -> bool:
        """Wait until there is a change after a number; False where none came in time, or at the end."""
        with self._state:
            self._state.wait_for(lambda: self._closed or self.last > seq, timeout)
            return self.last > seq

    def follow(self, after: int, timeout: float | None = None) -> Iterator[Numbered]:
        """The changes after a number and all that come, until the end; ``timeout`` seconds of silence end it too."""
        while not self._closed:
            found = self.after(after)
            for change in found:
                after = change.seq
                yield change
            if not found and not self.wait(after, 1.0 if timeout is None else timeout) and timeout is not None:
                return

    def forget(self, customers: frozenset[str]) -> None:
        """Hold no changes of these customers any more."""
        with self._state:
            self._kept = deque((n for n in self._kept if n.change.customer not in customers), maxlen=KEPT)

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher`` after each publication, from the thread that publishes; returns what ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def close(self) -> None:
        """End all that wait."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        for watcher in list(self._watchers):
            watcher()


def _seq(change: Numbered) -> int:
    return change.seq
