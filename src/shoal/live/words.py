"""The distinct values of columns that aren't of integers, each with its number; lists of objects by those of their items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

ITEM = np.dtype(np.int32)


class Words:
    """Texts, lists of texts and points."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self._values)

    def number(self, value: Any) -> int:
        """The number of a value; a new one gets the next."""
        # What one column holds is of one type, so that two values that are written alike are the same.
        key = value if isinstance(value, str) else repr(value)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._values)
            self._values.append(value)
        return found

    def value(self, number: int) -> Any:
        """The value of a number."""
        return self._values[number]

    def values(self) -> list[Any]:
        """All, in the order of their numbers."""
        return list(self._values)


class Lists(Words):
    """Lists of objects. Most lists are borne once, as baskets are; but their items come again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.items = Words()
        """The distinct items, as dicts."""

    def number(self, value: Any) -> int:
        """The number of a list; a new one gets the next."""
        return self.of_items(np.fromiter(map(self.items.number, value), ITEM, len(value)).tobytes())

    def of_items(self, numbers: bytes) -> int:
        """The number of the list of some items, given by their numbers as 32-bit integers."""
        found = self._numbers.get(numbers)
        if found is None:
            found = self._numbers[numbers] = len(self._values)
            self._values.append(numbers)
        return found

    def value(self, number: int) -> tuple[Any, ...]:
        """The list of a number."""
        return tuple(map(self.items.value, np.frombuffer(self._values[number], ITEM).tolist()))

    def values(self) -> list[Any]:
        """All, in the order of their numbers."""
        return list(map(self.value, range(len(self))))

    def any_of(self, items: npt.NDArray[np.bool_], begin: int = 0) -> npt.NDArray[np.bool_]:
        """Which lists, of the numbers from ``begin`` on, have one of some items.

        Args:
            items: of each item whether it is one of them.
            begin: the first list.
        """
        inside, ends = self.packed(begin)
        hits = np.concatenate((np.zeros(1, np.int64), np.cumsum(items[inside])))
        found: npt.NDArray[np.bool_] = np.diff(hits[np.concatenate((np.zeros(1, np.int64), ends))]) > 0
        return found

    def packed(self, begin: int = 0) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The items of all lists from one on, one list after the other, and where each ends."""
        values = self._values[begin:]
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values))) // ITEM.itemsize
        return np.frombuffer(b"".join(values), ITEM), ends

    def fill(self, items: Iterable[Any], numbers: npt.NDArray[np.int32], ends: npt.NDArray[np.int64]) -> None:
        """Set all, from what ``items`` and ``packed`` gave."""
        for item in items:
            self.items.number(item)
        raw, begin = numbers.tobytes(), 0
        for end in (ends * ITEM.itemsize).tolist():
            self.of_items(raw[begin:end])
            begin = end
