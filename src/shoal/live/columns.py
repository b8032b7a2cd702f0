"""Typed columns of the resident state: integers in as few bytes as they need, texts and lists by the number of their word."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shoal.lang.schema import Kind
from shoal.live.values import Day, Micro, Moment
from shoal.live.words import Lists, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

MISSING = -(2**63)
"""Stands for a missing value among integers; no stored number, date or instant reaches it."""
_TYPES: dict[Kind, Callable[[int], Any]] = {
    Kind.NUMBER: Micro,
    Kind.DATE: Day,
    Kind.INSTANT: Moment,
    Kind.YESNO: bool,
}
_UNITS = (1_000_000, 10_000, 1_000, 1)
"""What numbers and instants are divided by, where all of a base's can be."""
_STEP = 1 << 13
"""An array grows by so many items at most at once, so that nobody waits for it."""
_NARROW: tuple[Any, ...] = (np.int8, np.int32, np.int64)
_LEAST = {np.dtype(kind): int(np.iinfo(kind).min) for kind in _NARROW}


BLOCK = 1 << 16


_used: dict[int, tuple[weakref.ref[Any], int]] = {}
"""Of memory that was reserved for an array that grows: itself, and the length of the array that stands in it. What isn't used
yet costs addresses alone."""


def _reserved(items: int, kind: Any) -> npt.NDArray[Any]:
    memory = np.empty(items, kind)
    number = id(memory)
    _used[number] = weakref.ref(memory, lambda gone: _used.pop(number, None)), 0
    return memory


def grown(array: npt.NDArray[Any], size: int, fill: int = 0, reserve: int = 0) -> npt.NDArray[Any]:
    """The array with room for ``size`` items at least.

    It grows in place where it stands in memory that was reserved for it. Otherwise it is copied into new memory with room to
    grow, which for a large array takes as long as a thousand events.

    Args:
        array: is given up for the one that is returned; they may share memory.
        size: items wanted.
        fill: what stands in the new ones.
        reserve: items for which memory is reserved at least, where it has to be.
    """
    many = len(array)
    if size <= many:
        return array
    wanted = max(size, many + min(max(many // 2, 16), _STEP))
    memory = cast("npt.NDArray[Any]", array.base)
    known = _used.get(id(memory))
    if known is None or known[0]() is not memory or known[1] != many or len(memory) < wanted:
        memory = _reserved(max(wanted, many * 4, reserve), array.dtype)
        memory[:many] = array
    bigger: npt.NDArray[Any] = memory[:wanted]
    bigger[many:] = fill
    _used[id(memory)] = _used[id(memory)][0], wanted
    return bigger


def narrowed(values: npt.NDArray[np.int64], units: Sequence[int] = _UNITS) -> tuple[npt.NDArray[Any], int]:
    """The integers divided by the greatest unit that divides all, in the narrowest type; and that unit.

    ``MISSING`` becomes the least number of the type.
    """
    low, high, some_missing = _bounds(values)
    if high < low:
        return np.full(len(values), np.iinfo(np.int8).min, np.int8), 1
    for unit in units:
        # What can't be divided is mostly seen at once, in the first block.
        kind = next(t for t in _NARROW if np.iinfo(t).min < low // unit and -(-high // unit) <= np.iinfo(t).max)
        found = _divided(values, unit, kind, some_missing)
        if found is not None:
            return found, unit
    raise AssertionError("1 divides everything")


def _bounds(values: npt.NDArray[np.int64]) -> tuple[int, int, bool]:
    """The least and the greatest that aren't missing (1, 0 where all are), and whether some are missing."""
    low, high, some_missing = MISSING, MISSING, False
    for block in blocks(values):
        if (least := int(block.min())) == MISSING:
            some_missing, block = True, block[block != MISSING]
            if not len(block):
                continue
            least = int(block.min())
        low = least if low == MISSING else min(low, least)
        high = max(high, int(block.max()))
    return (1, 0, some_missing) if low == MISSING else (low, high, some_missing)


def _divided(values: npt.NDArray[np.int64], unit: int, kind: Any, some_missing: bool) -> npt.NDArray[Any] | None:
    """The integers divided by a unit; None where it doesn't divide all."""
    found = np.empty(len(values), kind)
    for begin, block in zip(range(0, len(values), BLOCK), blocks(values), strict=True):
        parts = block // unit
        exact = parts * unit == block
        if some_missing:
            missing = block == MISSING
            exact |= missing
            parts[missing] = np.iinfo(kind).min
        if not exact.all():
            return None
        found[begin : begin + BLOCK] = parts
    return found


def blocks(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """An array in pieces that stay in the cache."""
    return (values[begin : begin + BLOCK] for begin in range(0, len(values), BLOCK))


class Column:
    """The values of one property or trait, in the order of the table's base and of its tail.

    In the arrays the least number of the type stands for missing, of words −1.

    Args:
        kind: its type; texts, lists and points are kept once and by number.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.words = None if kind in _TYPES else Lists() if kind is Kind.OBJECTS else Words()
        self.missing = MISSING if self.words is None else -1
        """What stands for missing in the tail."""
        self.unit = 1
        """What the base's integers are to be multiplied by."""
        self.sign: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        """1 where a number below 0 ever stood here."""
        self.base: npt.NDArray[Any] = np.empty(0, np.int32)
        self.tail: npt.NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def base_missing(self) -> int:
        """What stands for missing in the base."""
        return -1 if self.words is not None else _LEAST[self.base.dtype]

    def encode(self, value: Any) -> int:
        """A value (see ``live.values``) as it stands in the tail."""
        if value is None:
            return self.missing
        if self.words is not None:
            return self.words.number(value)
        found = int(value)
        if found < 0:
            self.sign[0] = 1
        return found

    def decode(self, stored: int) -> Any:
        """The value of what stands in the tail."""
        if stored == self.missing:
            return None
        return _TYPES[self.kind](int(stored)) if self.words is None else self.words.value(stored)

    def fill(self, values: Sequence[Any] | npt.NDArray[Any]) -> None:
        """Set the base: an array of int64 as it would stand in the tail, or values one by one."""
        if not isinstance(values, np.ndarray):
            values = np.fromiter(map(self.encode, values), np.int64, len(values))
        if self.words is not None:
            kind = np.int8 if len(self.words) < 127 else np.int32
            self.base, self.unit = values.astype(kind), 1
            return
        self.base, self.unit = narrowed(values.astype(np.int64, copy=False))
        if any(((b < 0) & (b != self.base_missing)).any() for b in blocks(self.base)):
            self.sign[0] = 1

    def blank(self, size: int) -> None:
        """Set the base to missing."""
        self.fill(np.full(size, self.missing, np.int64))

    def stored(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """What would stand in the tail for entries: ``at`` ≥ 0 in the base, −1 − i in the tail."""
        found = np.empty(len(at), np.int64)
        late = at < 0
        found[late] = self.tail[-1 - at[late]]
        base = self.base[at[~late]].astype(np.int64)
        found[~late] = np.where(base == self.base_missing, self.missing, base * self.unit)
        return found

    def put(self, index: int, value: Any) -> None:
        """Set a value of the tail."""
        self.tail[index] = self.encode(value)

    def at(self, ref: int) -> Any:
        """The value of an entry: ``ref`` ≥ 0 in the base, −1 − i in the tail."""
        if ref < 0:
            return self.decode(int(self.tail[-1 - ref]))
        found = int(self.base[ref])
        if found == self.base_missing:
            return None
        return self.decode(found * self.unit)
