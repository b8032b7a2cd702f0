"""The ids of customers in one block of bytes, with a hash index over them: some twenty bytes each instead of two hundred."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from shoal.live.columns import grown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

_EMPTY = -1
_LEAST = 1 << 10
_BLANK = b"\xff"
"""Stands where a text was erased; it occurs in no UTF-8."""


def _crc_table() -> npt.NDArray[np.uint32]:
    found = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        found = np.where(found & 1, (found >> 1) ^ np.uint32(0xEDB88320), found >> 1).astype(np.uint32)
    return found


_CRC = _crc_table()


class Ids:
    """A list of distinct texts that also finds the place of each."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self._ends: npt.NDArray[np.int64] = np.zeros(16, np.int64)
        self._count = 0
        self._slots: npt.NDArray[np.int32] = np.full(_LEAST, _EMPTY, np.int32)
        self._hashes: npt.NDArray[np.uint32] = np.zeros(16, np.uint32)
        self._fill([text.encode() for text in texts])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(self._count))

    def __getitem__(self, row: int) -> str:
        raw = self._raw(row)
        return "" if raw.startswith(_BLANK) else raw.decode()

    def texts(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The texts at some places."""
        ends = self._ends[rows].tolist()
        begins = np.where(rows > 0, self._ends[rows - 1], 0).tolist()
        raw = self._bytes
        try:
            return [raw[begin:end].decode() for begin, end in zip(begins, ends, strict=True)]
        except UnicodeDecodeError:
            return [self[row] for row in rows.tolist()]

    def _raw(self, row: int) -> bytes:
        begin = int(self._ends[row - 1]) if row else 0
        return bytes(self._bytes[begin : int(self._ends[row])])

    def _fill(self, raw: Sequence[bytes]) -> None:
        if not raw:
            return
        self._bytes = bytearray(b"".join(raw))
        self._ends = np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw)))
        self._count = len(raw)
        self._index()

    def _index(self) -> None:
        """Hash all ids anew: each round places those that find their slot free, the rest look one slot further."""
        size = _LEAST
        while size < self._count * 3 // 2:
            size *= 2
        self._slots = np.full(size, _EMPTY, np.int32)
        rows = np.arange(self._count, dtype=np.int32)
        self._hashes = self._worked_out()
        slots = self._hashes.astype(np.int64) & (size - 1)
        while len(rows):
            free = self._slots[slots] == _EMPTY
            self._slots[slots[free]] = rows[free]
            waiting = self._slots[slots] != rows
            rows, slots = rows[waiting], (slots[waiting] + 1) & (size - 1)

    def hashes(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """The CRC-32 of the texts at some places, as they were when they were added."""
        return self._hashes[rows]

    def _worked_out(self) -> npt.NDArray[np.uint32]:
        """The CRC-32 of each text, side by side: a byte of all of one length at a time."""
        ends = self._ends[: self._count]
        begins = np.concatenate((ends[:0], [0], ends[:-1]))[: self._count]
        lengths, raw = ends - begins, np.frombuffer(self._bytes, np.uint8)
        found = np.full(self._count, 0xFFFFFFFF, np.uint32)
        # Sixteen bits are sorted by their digits.
        short = np.minimum(lengths, 0xFFFF).astype(np.uint16)
        order = np.argsort(short if len(short) and int(short.max()) < 0xFFFF else lengths, kind="stable")
        longest = int(lengths.max()) if self._count else 0
        firsts = np.searchsorted(lengths[order], np.arange(1, longest + 1))
        at, crc = begins[order], found[order]
        for place, first in enumerate(firsts.tolist()):
            part = crc[first:]
            crc[first:] = (part >> np.uint32(8)) ^ _CRC[(part ^ raw[at[first:] + place]) & np.uint32(0xFF)]
        found[order] = crc ^ np.uint32(0xFFFFFFFF)
        return found

    def find(self, text: str) -> int:
        """The place of a text, −1 where it isn't there."""
        raw = text.encode()
        slots, mask = self._slots, len(self._slots) - 1
        slot = crc32(raw) & mask
        while (row := int(slots[slot])) != _EMPTY:
            if self._raw(row) == raw:
                return row
            slot = (slot + 1) & mask
        return -1

    def add(self, text: str) -> int:
        """Append a text that isn't there yet; returns its place."""
        row = self._count
        self._bytes += text.encode()
        self._ends = grown(self._ends, row + 1)
        self._ends[row] = len(self._bytes)
        self._hashes = grown(self._hashes, row + 1)
        self._hashes[row] = crc32(text.encode())
        self._count += 1
        if self._count * 3 // 2 > len(self._slots):
            self._index()
        else:
            mask = len(self._slots) - 1
            slot = crc32(text.encode()) & mask
            while self._slots[slot] != _EMPTY:
                slot = (slot + 1) & mask
            self._slots[slot] = row
        return row

    def blank(self, row: int) -> str:
        """Overwrite a text; its place stays, empty. Returns what stood there."""
        old = self[row]
        begin = int(self._ends[row - 1]) if row else 0
        size = int(self._ends[row]) - begin
        self._bytes[begin : begin + size] = _BLANK * size
        self._hashes[row] = crc32(_BLANK * size)
        return old

    @classmethod
    def of_bytes(cls, raw: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> Ids:
        """The distinct texts that stand in one block of bytes, and where each ends."""
        found = cls()
        found._bytes, found._ends, found._count = bytearray(raw.tobytes()), ends.astype(np.int64), len(ends)
        found._index()
        return found

    def alike(self, raw: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> int:
        """How many texts, from the first on, are those of a block of bytes."""
        many = min(len(ends), self._count)
        others = np.flatnonzero(self._ends[:many] != ends[:many])
        many = int(others[0]) if len(others) else many
        size = int(ends[many - 1]) if many else 0
        others = np.flatnonzero(np.frombuffer(bytes(self._bytes[:size]), np.uint8) != raw[:size])
        return int(np.searchsorted(ends, others[0], "right")) if len(others) else many

    # ------------------------------------------------------------ as arrays

    def arrays(self, copy: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The ids as arrays, copied."""
        raw = np.frombuffer(self._bytes, np.uint8)
        return {"bytes": copy(raw), "ends": copy(self._ends[: self._count]), "slots": copy(self._slots)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Ids:
        """The ids of ``arrays``."""
        found = cls()
        found._bytes = bytearray(arrays["bytes"].tobytes())
        found._ends = arrays["ends"].astype(np.int64)
        found._count = len(found._ends)
        found._slots = arrays["slots"].astype(np.int32)
        found._hashes = found._worked_out()
        return found

    @staticmethod
    def packed(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Texts as one array of bytes, and where each ends."""
        raw = [text.encode() for text in texts]
        ends = np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw)))
        return np.frombuffer(b"".join(raw), np.uint8), ends

    @staticmethod
    def unpacked(raw: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> list[str]:
        """The texts of ``packed``."""
        whole, places = raw.tobytes(), [0, *ends.tolist()]
        return [whole[begin:end].decode() for begin, end in itertools.pairwise(places)]

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        return len(self._bytes) + self._ends.nbytes + self._slots.nbytes + self._hashes.nbytes
