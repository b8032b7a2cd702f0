"""Room for a batch of events as loops read it, kept between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from shoal.live.columns import MISSING
from shoal.live.table import UNSAID

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]

_MOST_FLIPS = 1 << 16


class Room:
    """Arrays, one place an event.

    Args:
        many: for how many events.
        wide: of the most columns that a table has.
        masks: words that hold a bit for each segment.
        atoms: how many atoms there are.
        depth: of the deepest segment.
    """

    def __init__(self, many: int, wide: int, masks: int, atoms: int, depth: int) -> None:
        self.rows: Ints = np.zeros(many, np.int64)
        self.which: Ints = np.zeros(many, np.int64)
        """The place of each event's table."""
        self.ts: Ints = np.zeros(many, np.int64)
        self.mids: npt.NDArray[np.int32] = np.full(many, UNSAID, np.int32)
        self.flags: npt.NDArray[np.uint64] = np.zeros(many, np.uint64)
        self.values: Ints = np.full((many, wide), MISSING, np.int64)
        self.dirty: npt.NDArray[np.uint64] = np.zeros((many, masks), np.uint64)
        self.asked: npt.NDArray[np.uint64] = np.zeros(many, np.uint64)
        """The tables of those segments, a bit each."""
        self.seen: npt.NDArray[np.bool_] = np.zeros(many, np.bool_)
        self.odd: npt.NDArray[np.bool_] = np.zeros(many, np.bool_)
        self.state: Ints = np.zeros(5, np.int64)
        """How many are added, how many judged, how much of ``out`` is filled, how many are odd, how many seen."""
        self.clean = True
        """Whether message ids, filters and values are as they were: the loop leaves them so."""
        self.numbers: Ints = np.zeros(atoms + 1, np.int64)
        self.stamps: Ints = np.zeros(atoms + 1, np.int64)
        self.stack: Ints = np.zeros(depth, np.int64)
        self.out: Ints = np.empty((_MOST_FLIPS, 3), np.int64)
        self.addresses: Ints = np.array([
            *(a.ctypes.data for a in (self.state, self.rows, self.which, self.ts, self.mids, self.flags, self.values)), wide,
            *(a.ctypes.data for a in (self.dirty, self.seen, self.odd, self.numbers, self.stamps, self.stack, self.out)),
            _MOST_FLIPS, self.asked.ctypes.data,
        ], np.int64)  # fmt: skip
        """Where all that stands, as ``layout`` says."""

    def clear(self) -> None:
        """Make ready for events."""
        self.state[:] = 0
        if not self.clean:
            self.mids[:], self.flags[:], self.values[:] = UNSAID, 0, MISSING
        self.clean = False
