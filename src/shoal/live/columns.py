"""Typed columns of the resident state: growable arrays of integers, texts and lists by the number of their word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.lang.schema import Kind
from shoal.live.values import Day, Micro, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

MISSING = -(2**63)
"""Stands for a missing value among integers; no stored number, date or instant reaches it."""
_TYPES: dict[Kind, Callable[[int], Any]] = {
    Kind.NUMBER: Micro,
    Kind.DATE: Day,
    Kind.INSTANT: Moment,
    Kind.YESNO: bool,
}


def grown(array: npt.NDArray[Any], size: int, fill: int = 0) -> npt.NDArray[Any]:
    """The array with room for ``size`` items at least, half as much again as it had where it must grow."""
    if size <= len(array):
        return array
    bigger = np.full(max(size, len(array) * 3 // 2, 16), fill, dtype=array.dtype)
    bigger[: len(array)] = array
    return bigger


class Words:
    """The distinct values of a column that isn't of integers, each with its number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """The number of a value; a new one gets the next."""
        key = value if isinstance(value, str) else _frozen(value)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.values)
            self.values.append(value)
        return found

    def known(self, value: Any) -> int:
        """The number of a value, −1 where no row ever bore it."""
        return self._numbers.get(value if isinstance(value, str) else _frozen(value), -1)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((k, _frozen(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(_frozen(v) for v in value)
    # 1, True and 1.0 would be one key.
    return (type(value).__name__, value)


class Column:
    """The values of one property or trait, in the order of the table's base and of its tail.

    Args:
        kind: its type; texts, lists and points are kept once and by number.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.words = None if kind in _TYPES else Words()
        self.missing = MISSING if self.words is None else -1
        dtype: Any = np.int64 if self.words is None else np.int32
        self.base: npt.NDArray[Any] = np.empty(0, dtype)
        self.tail: npt.NDArray[Any] = np.empty(0, dtype)

    def encode(self, value: Any) -> int:
        """A value (see ``live.values``) as it stands in the arrays."""
        if value is None:
            return self.missing
        return int(value) if self.words is None else self.words.number(value)

    def decode(self, stored: int) -> Any:
        """The value of what stands in the arrays."""
        if stored == self.missing:
            return None
        return _TYPES[self.kind](int(stored)) if self.words is None else self.words.values[stored]

    def fill(self, values: Sequence[Any] | npt.NDArray[Any]) -> None:
        """Set the base: an array as it stands in the arrays, or values one by one."""
        if isinstance(values, np.ndarray):
            self.base = values.astype(self.base.dtype, copy=False)
        else:
            self.base = np.fromiter(map(self.encode, values), self.base.dtype, len(values))

    def put(self, index: int, value: Any) -> None:
        """Set a value of the tail."""
        self.tail = grown(self.tail, index + 1, self.missing)
        self.tail[index] = self.encode(value)

    def at(self, ref: int) -> Any:
        """The value of a row: ``ref`` ≥ 0 in the base, −1 − i in the tail."""
        return self.decode(self.base[ref] if ref >= 0 else self.tail[-1 - ref])
