"""The table a model learns from: one row a customer at a cut, columns of numbers and of words, either may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

NO_WORD = -1


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A numeric column; NaN is missing.

    Args:
        name: the column's name.
        values: finite or NaN, one a row.
    """

    name: str
    values: Floats

    @classmethod
    def of(cls, name: str, values: ArrayLike) -> Numbers:
        """From any numbers.

        Raises:
            Refused: for infinite values, or not one dimension.
        """
        found = np.array(values, dtype=np.float64)
        if found.ndim != 1 or np.isinf(found).any():
            raise Refused(
                f"The column {name!r} has infinite values or more than one dimension.",
                fix="Give one finite number a row, or NaN where it isn't known.",
            )
        return cls(name, found)

    def __len__(self) -> int:
        return int(self.values.size)

    def take(self, rows: Whole) -> Numbers:
        """The same column with these rows only."""
        return Numbers(self.name, self.values[rows])

    def hashes(self) -> Hashes:
        """A number for each row, equal for equal values."""
        plain = np.where(np.isnan(self.values), np.nan, self.values + 0.0)  # one NaN, and no negative zero
        return mixed(plain.view(np.uint64))


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of words, kept as codes into its distinct words; −1 is missing.

    Args:
        name: the column's name.
        levels: the distinct words, ascending.
        codes: the place of each row's word in ``levels``.
    """

    name: str
    levels: tuple[str, ...]
    codes: Whole

    @classmethod
    def of(cls, name: str, values: Sequence[str | None]) -> Words:
        """From words; None is missing."""
        levels = sorted({v for v in values if v is not None})
        place: dict[str | None, int] = {level: i for i, level in enumerate(levels)}
        place[None] = NO_WORD
        return cls(name, tuple(levels), np.array([place[v] for v in values], dtype=np.int64))

    def __len__(self) -> int:
        return int(self.codes.size)

    def take(self, rows: Whole) -> Words:
        """The same column with these rows only."""
        return Words(self.name, self.levels, self.codes[rows])

    def recoded(self, levels: Sequence[str]) -> Whole:
        """The codes of another list of words; a word that isn't in it is missing."""
        place = {level: i for i, level in enumerate(levels)}
        return np.array([*(place.get(level, NO_WORD) for level in self.levels), NO_WORD], dtype=np.int64)[self.codes]

    def hashes(self) -> Hashes:
        """A number for each row, equal for equal words."""
        each = [int.from_bytes(blake2b(w.encode(), digest_size=8).digest(), "little") for w in self.levels]
        return np.array([*each, 0], dtype=np.uint64)[self.codes]


Column = Numbers | Words


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows with a key each.

    A key names what a row stands for: a customer, or a customer at a cut. It may occur once only, so rows that were
    copied or drawn again to balance the outcomes can't enter, nor lie in two folds at once.

    Args:
        keys: one a row, all different.
        columns: in the order of their names, so that the order in which they were given means nothing.
    """

    keys: tuple[str, ...]
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, keys: Iterable[str], columns: Iterable[Column]) -> Table:
        """Check and put together.

        Raises:
            Refused: for a key that occurs twice, columns of unequal length or of the same name.
        """
        rows, ordered = tuple(keys), tuple(sorted(columns, key=lambda c: c.name))
        if len(set(rows)) != len(rows):
            raise Refused(
                f"{len(rows) - len(set(rows)):,} rows have a key that another row has too.",
                fix="Give each customer (at each cut) once; rows must not be repeated to balance the outcomes.",
            )
        names = [c.name for c in ordered]
        if len(set(names)) != len(names):
            raise Refused("Two columns have the same name.", fix="Name each column once.")
        for column in ordered:
            if len(column) != len(rows):
                raise Refused(f"The column {column.name!r} has {len(column)} rows, the keys are {len(rows)}.")
        return cls(rows, ordered)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, ascending."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            UnknownName: where there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownName("column", name, self.names)

    def take(self, rows: Whole) -> Table:
        """The same table with these rows only."""
        return Table(tuple(self.keys[i] for i in rows.tolist()), tuple(c.take(rows) for c in self.columns))

    def only(self, names: Iterable[str]) -> Table:
        """The same table with these columns only.

        Raises:
            UnknownName: for a column that isn't there.
        """
        return Table.of(self.keys, [self.column(name) for name in names])


def fingerprint(table: Table, outcome: Floats) -> str:
    """Names the training data: the same for the same rows and outcomes in any order, 16 hexadecimal digits."""
    hashes = mixed(outcome.view(np.uint64))
    for column in table.columns:
        hashes = mixed(hashes ^ column.hashes())
    words = "\0".join(f"{type(c).__name__} {c.name}" for c in table.columns)
    return sha256(words.encode() + b"\0\0" + np.sort(hashes).tobytes()).hexdigest()[:16]


def ranks_of_keys(keys: Sequence[str], seed: int) -> Whole:
    """Each key's place in an order that only the keys and the seed decide."""
    salt = seed.to_bytes(8, "little", signed=True)
    hashed = np.array([blake2b(k.encode(), digest_size=8, key=salt).digest() for k in keys], dtype="S8")
    order = np.argsort(hashed.view(">u8"), kind="stable")
    places = np.empty(len(keys), dtype=np.int64)
    places[order] = np.arange(len(keys))
    return places


def checked_outcome(outcome: ArrayLike, rows: int) -> Floats:
    """The outcome as zeros and ones.

    Raises:
        Refused: for another length, or anything but 0 and 1.
    """
    found = np.array(outcome, dtype=np.float64)
    if found.shape != (rows,) or not np.isin(found, (0.0, 1.0)).all():
        raise Refused("The outcome must be 0 or 1 for each row.", fix="Leave out rows whose outcome isn't known yet.")
    return found


def mixed(bits: Hashes) -> Hashes:
    """A bijection that scatters bits (the end of splitmix64)."""
    x: Hashes = bits + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Hashes = x ^ (x >> np.uint64(31))
    return found
