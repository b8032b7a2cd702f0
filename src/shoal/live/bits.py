"""Memberships as packed bits: a row for each customer, a bit for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


class Bits:
    """A table of bits that grows in both directions."""

    def __init__(self) -> None:
        self.words: npt.NDArray[np.uint64] = np.zeros((0, 1), np.uint64)

    def ensure(self, rows: int, slots: int) -> None:
        """Make room."""
        have, wide = self.words.shape
        need = max(1, -(-slots // 64))
        if rows <= have and need <= wide:
            return
        bigger = np.zeros((max(rows, have if rows <= have else have * 3 // 2), max(need, wide)), np.uint64)
        bigger[:have, :wide] = self.words
        self.words = bigger

    def get(self, row: int, slot: int) -> bool:
        """One bit; beyond the table there are none."""
        return row < len(self.words) and bool(int(self.words[row, slot >> 6]) >> (slot & 63) & 1)

    def put(self, row: int, slot: int, truth: bool) -> None:
        """Set one bit."""
        bit = np.uint64(1 << (slot & 63))
        if truth:
            self.words[row, slot >> 6] |= bit
        else:
            self.words[row, slot >> 6] &= ~bit

    def clear(self, slot: int) -> None:
        """Set a segment's bits to no."""
        self.words[:, slot >> 6] &= ~np.uint64(1 << (slot & 63))

    def column(self, slot: int) -> npt.NDArray[np.bool_]:
        """A segment's bits, by row."""
        found = (self.words[:, slot >> 6] >> np.uint64(slot & 63)) & np.uint64(1)
        return found.astype(np.bool_)
