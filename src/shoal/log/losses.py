"""Which positions were given out and never became durable, and why."""

from __future__ import annotations

from shoal.errors import StoreError


class Losses:
    """Ranges of lost positions, one for each time that the disk refused."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, StoreError]] = []

    def add(self, first: int, last: int, error: StoreError) -> None:
        """Everything from ``first`` to ``last`` that isn't known as lost already is lost because of ``error``."""
        if self._ranges and self._ranges[-1][1] >= first - 1:
            first, _, _ = self._ranges.pop()
        if first <= last:
            self._ranges.append((first, last, error))

    def of(self, position: int) -> StoreError | None:
        """Why a position is lost, or None if it isn't."""
        for first, last, error in reversed(self._ranges):
            if first <= position:
                return error if position <= last else None
        return None


def again(error: StoreError) -> StoreError:
    """The same error anew: one that many threads raise would gather all their tracebacks."""
    return StoreError(error.problem, place=error.place, fix=error.fix)
