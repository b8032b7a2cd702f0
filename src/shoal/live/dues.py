"""When each customer is due: the next instant at which time alone may change a membership, with the least of each block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shoal.live.columns import grown
from shoal.live.values import FAR

if TYPE_CHECKING:
    import numpy.typing as npt

_BLOCK = 10


class Dues:
    """An instant for each customer."""

    def __init__(self) -> None:
        self.at: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.least: npt.NDArray[np.int64] = np.empty(0, np.int64)
        """The least of each 1,024 customers."""

    def ensure(self, rows: int) -> None:
        """Make room; who is new isn't due."""
        self.at = grown(self.at, rows, FAR)
        self.least = grown(self.least, (len(self.at) >> _BLOCK) + 1, FAR)

    def next(self) -> int:
        """The least of all; FAR where nobody is due."""
        return int(np.minimum.reduce(self.least)) if len(self.least) else FAR

    def by(self, t: int) -> npt.NDArray[np.int64]:
        """Who is due at ``t`` or before."""
        blocks = np.flatnonzero(self.least <= t)
        if not len(blocks):
            return blocks
        if len(blocks) == 1:
            first = int(blocks[0]) << _BLOCK
            return first + np.flatnonzero(self.at[first : first + (1 << _BLOCK)] <= t)
        if len(blocks) > len(self.least) // 2:
            return np.flatnonzero(self.at <= t)
        size = len(self.at)
        rows = np.concatenate([np.arange(b << _BLOCK, min((b + 1) << _BLOCK, size)) for b in blocks.tolist()])
        found: npt.NDArray[np.int64] = rows[self.at[rows] <= t]
        return found

    def put(self, rows: npt.NDArray[np.int64], at: npt.NDArray[np.int64] | int) -> None:
        """Set the instants of some customers."""
        self.at[rows] = at
        self.refresh(rows)

    def refresh(self, rows: npt.NDArray[np.int64]) -> None:
        """Work out anew the least of the blocks of some customers."""
        if len(rows) > len(self.at) // 4:
            size = len(self.at)
            starts = np.arange(0, size, 1 << _BLOCK)
            self.least[: len(starts)] = np.minimum.reduceat(self.at, starts)
            return
        for block in set((rows >> _BLOCK).tolist()):
            self.least[block] = self.at[block << _BLOCK : (block + 1) << _BLOCK].min()

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.at.nbytes + self.least.nbytes
