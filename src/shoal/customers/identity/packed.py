"""Millions of short texts in little memory, found by kind and text: packed bytes under an open-addressing table.

A dict of texts would take three times as much. A row is a number that never changes and is never reused while the
process lives; rows are not removed, only blanked.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

BLANK = 255
"""The kind of a row whose text was removed."""

_FIRST_SLOTS = 1 << 10
_MOST_NEAR = 1 << 16
_SPREAD = 0x9E3779B1
_LOW = 0xFFFFFFFF


class PackedTexts:
    """Rows of (kind, text), each pair once. A kind is a number from 0 to 254."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._starts = array("Q", [0])
        self._kinds = array("B")
        self._tags = array("I")
        self._slots = array("i", [-1]) * _FIRST_SLOTS
        self._mask = _FIRST_SLOTS - 1
        self._forget_near()

    @classmethod
    def of(cls, raw: npt.NDArray[np.uint8], ends: npt.NDArray[np.uint64], kinds: npt.NDArray[np.uint8]) -> PackedTexts:
        """The texts of ``columns``. Their places are worked out anew: they differ from process to process."""
        import numpy as np

        found = cls()
        found._bytes += raw.tobytes()
        found._starts.frombytes(ends.astype(np.uint64).tobytes())
        found._kinds.frombytes(kinds.astype(np.uint8).tobytes())
        hashes = np.fromiter(map(hash, found._texts()), np.int64, len(kinds))
        tags = ((hashes ^ (kinds.astype(np.int64) * _SPREAD)) & _LOW).astype(np.uint32)
        blank = np.flatnonzero(kinds == BLANK)
        tags[blank] = blank
        found._tags.frombytes(tags.tobytes())
        found._slots = array("i")
        found.reserve(0)
        return found

    def columns(self, copy: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """All texts in UTF-8, where each ends, and their kinds: copies."""
        import numpy as np

        return {
            "bytes": copy(np.frombuffer(self._bytes, np.uint8)),
            "ends": copy(np.frombuffer(self._starts, np.uint64)[1:]),
            "kinds": copy(np.frombuffer(self._kinds, np.uint8)),
        }

    def _texts(self) -> Iterator[str]:
        """All texts; the blanked ones are of zeros."""
        raw, starts = bytes(self._bytes), self._starts.tolist()
        if raw.isascii():
            return map(raw.decode().__getitem__, map(slice, starts, starts[1:]))
        return (raw[begin:end].decode() for begin, end in pairwise(starts))

    def __len__(self) -> int:
        return len(self._kinds)

    def find(self, kind: int, text: str) -> int:
        """The row of a text; -1 where there is none."""
        row = self._near[kind].get(text)
        return self._find(kind, text) if row is None else row

    def _find(self, kind: int, text: str) -> int:
        tag = (hash(text) ^ kind * _SPREAD) & _LOW
        slots, tags, mask = self._slots, self._tags, self._mask
        at = tag & mask
        while (row := slots[at]) >= 0:
            if tags[row] == tag and self._kinds[row] == kind and self._is(row, text):
                self._remember(kind, text, row)
                return row
            at = (at + 1) & mask
        return -1

    def _remember(self, kind: int, text: str, row: int) -> None:
        """Keep what was found at hand: whoever is active calls again soon."""
        if self._remembered >= _MOST_NEAR:
            self._forget_near()
        self._near[kind][text] = row
        self._remembered += 1

    def _forget_near(self) -> None:
        self._near: list[dict[str, int]] = [{} for _ in range(BLANK + 1)]
        self._remembered = 0

    def _is(self, row: int, text: str) -> bool:
        try:
            return self._bytes[self._starts[row] : self._starts[row + 1]] == text.encode()
        except UnicodeEncodeError:
            return False

    def add(self, kind: int, text: str) -> int:
        """The row of a text that isn't there yet.

        Raises:
            UnicodeEncodeError: for a text with lone surrogates.
        """
        if 3 * len(self) >= 2 * len(self._slots):
            self._grow(len(self._slots) * 2)
        self._bytes += text.encode()
        row = len(self)
        tag = (hash(text) ^ kind * _SPREAD) & _LOW
        self._starts.append(len(self._bytes))
        self._kinds.append(kind)
        self._tags.append(tag)
        self._put(row, tag)
        return row

    def _put(self, row: int, tag: int) -> None:
        slots, mask = self._slots, self._mask
        at = tag & mask
        while slots[at] >= 0:
            at = (at + 1) & mask
        slots[at] = row

    def add_many(self, kinds: Sequence[int], texts: Sequence[str]) -> int:
        """Add texts that aren't there yet, many at once; the first of their rows is returned."""
        import numpy as np

        first = len(self)
        encoded = [text.encode() for text in texts]
        begin = len(self._bytes)
        self._bytes += b"".join(encoded)
        ends = np.cumsum(np.fromiter(map(len, encoded), np.uint64, len(encoded))) + np.uint64(begin)
        self._starts.frombytes(ends.astype(np.uint64).tobytes())
        codes = np.asarray(kinds, np.uint8)
        hashes = np.fromiter(map(hash, texts), np.int64, len(encoded))
        tags = ((hashes ^ (codes.astype(np.int64) * _SPREAD)) & _LOW).astype(np.uint32)
        self._kinds.frombytes(codes.tobytes())
        self._tags.frombytes(tags.tobytes())
        self.reserve(0)
        self._place(np.arange(first, len(self), dtype=np.int32))
        return first

    def reserve(self, more: int) -> None:
        """Make room for so many more rows, so that they come without a pause."""
        slots = max(len(self._slots), _FIRST_SLOTS)
        while 3 * (len(self) + more) >= 2 * slots:
            slots *= 2
        if slots != len(self._slots):
            self._grow(slots)

    def text(self, row: int) -> str:
        """The text of a row."""
        return self._bytes[self._starts[row] : self._starts[row + 1]].decode()

    def kind(self, row: int) -> int:
        """The kind of a row; ``BLANK`` for a blanked one."""
        return self._kinds[row]

    def blank(self, rows: Iterable[int]) -> None:
        """Remove the texts of rows from memory; the rows are found no more."""
        self._forget_near()
        for row in rows:
            begin, end = self._starts[row], self._starts[row + 1]
            self._bytes[begin:end] = bytes(end - begin)
            self._kinds[row] = BLANK
            self._tags[row] = row & _LOW

    def _grow(self, slots: int) -> None:
        """A new table of ``slots`` places (a power of two)."""
        import numpy as np

        self._slots = array("i", [-1]) * slots
        self._mask = slots - 1
        kinds = np.frombuffer(self._kinds, np.uint8)
        self._place(np.flatnonzero(kinds != BLANK).astype(np.int32))

    def _place(self, rows: npt.NDArray[np.int32]) -> None:
        """Put rows into the table."""
        import numpy as np

        table = np.frombuffer(self._slots, np.int32)
        at = (np.frombuffer(self._tags, np.uint32)[rows] & np.uint32(self._mask)).astype(np.int64)
        while len(rows):
            free = table[at] < 0
            # Of several rows for one place the last one written has it; the others go on to the next place.
            table[at[free]] = rows[free]
            left = table[at] != rows
            rows, at = rows[left], (at[left] + 1) & self._mask
