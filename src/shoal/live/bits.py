"""Memberships as packed bits: for each 64 customers, a word for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_ONE = np.uint64(1)


class Bits:
    """A table of bits that grows in both directions."""

    def __init__(self) -> None:
        self.words: npt.NDArray[np.uint64] = np.zeros((0, 1), np.uint64)

    def ensure(self, rows: int, slots: int) -> None:
        """Make room."""
        have, wide = self.words.shape
        blocks = -(-rows // 64)
        if blocks <= have and slots <= wide:
            return
        tall = max(blocks, have if blocks <= have else have * 3 // 2)
        bigger = np.zeros((tall, max(slots, wide)), np.uint64)
        bigger[:have, :wide] = self.words
        self.words = bigger

    def get(self, row: int, slot: int) -> bool:
        """One bit; beyond the table there are none."""
        return row >> 6 < len(self.words) and bool(int(self.words[row >> 6, slot]) >> (row & 63) & 1)

    def put(self, row: int, slot: int, truth: bool) -> None:
        """Set one bit."""
        bit = np.uint64(1 << (row & 63))
        if truth:
            self.words[row >> 6, slot] |= bit
        else:
            self.words[row >> 6, slot] &= ~bit

    def gather(self, rows: npt.NDArray[np.int64], slot: int) -> npt.NDArray[np.bool_]:
        """The bits of some customers."""
        words = self.words[rows >> 6, slot]
        found: npt.NDArray[np.bool_] = (words >> (rows & 63).astype(np.uint64)) & _ONE != 0
        return found

    def flip(self, rows: npt.NDArray[np.int64], slot: int) -> None:
        """Turn the bits of some customers, each named once."""
        np.bitwise_xor.at(self.words[:, slot], rows >> 6, _ONE << (rows & 63).astype(np.uint64))

    def clear(self, slot: int) -> None:
        """Set a segment's bits to no."""
        self.words[:, slot] = 0

    def count(self, slot: int) -> int:
        """How many have it."""
        return int(np.bitwise_count(self.words[:, slot]).sum())

    def rows(self, slot: int) -> npt.NDArray[np.int64]:
        """Who has it."""
        blocks = np.flatnonzero(self.words[:, slot])
        found = np.unpackbits(self.words[blocks, slot].view(np.uint8), bitorder="little").reshape(-1, 64)
        which, place = np.nonzero(found)
        return blocks[which] * 64 + place

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.words.nbytes
