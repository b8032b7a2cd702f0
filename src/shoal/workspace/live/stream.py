"""Changes out: each membership change once, with a number by which a reader resumes, in order."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, NamedTuple

from shoal.workspace.live.core import Numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shoal.live.changes import Change

KEPT = 200_000
"""So many of the newest changes are held in memory; older ones are read from the store."""

_FEW = 8


class _Block(NamedTuple):
    """Changes that were published together, and their numbers, ascending."""

    numbers: Sequence[int]
    changes: Sequence[Change]


class Stream:
    """The newest changes in memory, and who waits for more.

    Args:
        older: gives the changes after a number that the store has, in order, at most so many.
    """

    def __init__(self, older: Callable[[int, int], list[Numbered]]) -> None:
        self._older = older
        self._blocks: deque[_Block] = deque()
        self._kept = 0
        """Changes in the blocks."""
        self._dropped = 0
        self._state = Condition()
        self._watchers: list[Callable[[], None]] = []
        self._closed = False

    @property
    def last(self) -> int:
        """The number of the newest change; 0 where none was seen since the start."""
        return self._blocks[-1].numbers[-1] if self._blocks else self._dropped

    def put(self, numbers: Sequence[int], changes: Sequence[Change]) -> None:
        """Publish changes; the numbers ascend."""
        if not numbers:
            return
        with self._state:
            if len(numbers) > KEPT:
                self._dropped = numbers[-KEPT - 1]
                self._blocks.clear()
                self._kept, numbers, changes = 0, numbers[-KEPT:], changes[-KEPT:]
            # Columns of a few take more memory than they themselves.
            self._blocks.append(_Block(numbers, changes if len(numbers) > _FEW else list(changes)))
            self._kept += len(numbers)
            while self._kept - len(self._blocks[0].numbers) >= KEPT:
                oldest = self._blocks.popleft()
                self._kept -= len(oldest.numbers)
                self._dropped = oldest.numbers[-1]
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
            oldest = self._blocks[0].numbers[0] if self._blocks else None
        found = self._older(seq, most)
        if oldest is not None:
            found = [change for change in found if change.seq < oldest]
        if len(found) < most:
            with self._state:
                found += self._held(max(seq, self._dropped, found[-1].seq if found else 0), most - len(found))
        return found

    def _held(self, seq: int, most: int) -> list[Numbered]:
        found: list[Numbered] = []
        # Readers mostly ask for the newest: the blocks that they lack stand at the end.
        lacking = 0
        for block in reversed(self._blocks):
            if block.numbers[-1] <= seq:
                break
            lacking += 1
        for place in range(len(self._blocks) - lacking, len(self._blocks)):
            numbers, changes = self._blocks[place]
            begin = bisect_right(numbers, seq)
            end = min(len(numbers), begin + most - len(found))
            found += map(Numbered, numbers[begin:end], changes[begin:end])
            if len(found) >= most:
                break
        return found

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
            kept: deque[_Block] = deque()
            for numbers, changes in self._blocks:
                those = [
                    (n, change) for n, change in zip(numbers, changes, strict=True) if change.customer not in customers
                ]
                if those:
                    kept.append(_Block([n for n, _ in those], [change for _, change in those]))
            self._blocks, self._kept = kept, sum(len(block.numbers) for block in kept)

    def let_go(self) -> None:
        """Hold changes by themselves, without the state that they come from: it is replaced by another one."""
        with self._state:
            self._blocks = deque(_Block(numbers, list(changes)) for numbers, changes in self._blocks)

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
