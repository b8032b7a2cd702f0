"""What discovery reads: one row per customer, columns of numbers and of categories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Floats: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Names: TypeAlias = npt.NDArray[np.generic]  # ids of customers or of segments: text or whole numbers


@dataclass(frozen=True, slots=True)
class Categories:
    """A categorical column: ``codes[i]`` is the place of row i's value in ``levels``, −1 where it is missing."""

    codes: npt.NDArray[np.int32]
    levels: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[object]) -> Categories:
        """From values; None is missing. Levels are in the order of their text, so that rows may come in any order."""
        texts = [None if v is None else str(v) for v in values]
        levels = tuple(sorted({t for t in texts if t is not None}))
        place = {level: i for i, level in enumerate(levels)}
        codes = np.fromiter((-1 if t is None else place[t] for t in texts), dtype=np.int32, count=len(texts))
        return cls(codes, levels)

    def take(self, rows: Ints) -> Categories:
        """The same column for some rows."""
        return Categories(self.codes[rows], self.levels)


@dataclass(frozen=True, slots=True)
class Table:
    """Customers with their columns.

    Args:
        ids: who the rows are, each once; they also fix the order of rows, so that the order given can't matter.
        numbers: columns of numbers; NaN (and an infinity) is missing.
        categories: columns of categories.

    Raises:
        Refused: if a column's length isn't that of ``ids``, an id stands twice, or a name stands in both kinds.
    """

    ids: Names
    numbers: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)
    categories: Mapping[str, Categories] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {n: len(v) for n, v in self.numbers.items()} | {n: len(c.codes) for n, c in self.categories.items()}
        for name, length in lengths.items():
            if length != len(self.ids):
                raise Refused(
                    f"Column {name!r} has {length} rows for {len(self.ids)} customers.",
                    fix="Give each column a value, or a missing one, for every customer.",
                )
        if twice := set(self.numbers) & set(self.categories):
            raise Refused(f"{sorted(twice)[0]!r} is both a number and a category.", fix="Leave one of the two out.")

    @property
    def size(self) -> int:
        """How many customers."""
        return len(self.ids)

    def take(self, rows: Ints) -> Table:
        """Some of the rows, in the order asked for."""
        return Table(
            self.ids[rows],
            {name: values[rows] for name, values in self.numbers.items()},
            {name: column.take(rows) for name, column in self.categories.items()},
        )

    def order(self) -> Ints:
        """The rows in the order of their ids.

        Raises:
            Refused: if an id stands twice.
        """
        rows = np.argsort(self.ids, kind="stable")
        ordered = self.ids[rows]
        if len(ordered) > 1 and bool(np.any(ordered[1:] == ordered[:-1])):
            raise Refused("A customer stands in two rows.", fix="Give one row per customer.")
        return rows.astype(np.int64)
