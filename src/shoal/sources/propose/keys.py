"""Keys and joins: which columns tell rows apart, which values of one table are found in another, what depends on what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from shoal.lang.schema import Kind
from shoal.sources.propose.meaning import words

if TYPE_CHECKING:
    from shoal.sources.propose.look import Look

_ENOUGH = 0.9
_MOST_ROWS = 5_000_000
_MOST_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class Join:
    """Values of a column that are keys of another table."""

    column: str
    parent: Look
    key: str


@dataclass(slots=True)
class Keys:
    """Answers about keys, over whole tables where a sample can't tell; each is worked out once."""

    looks: list[Look]
    _unique: dict[tuple[str, str], bool] = field(default_factory=dict)
    _values: dict[tuple[str, str], pa.Array] = field(default_factory=dict)
    _joins: dict[str, list[Join]] = field(default_factory=dict)

    def unique(self, look: Look, column: str) -> bool:
        """Whether a column is known in every row and never twice the same."""
        spot = (look.name, column)
        if spot not in self._unique:
            guess = look.columns[column]
            in_sample = guess.missing == 0 and guess.distinct == 1 and look.sample.num_rows > 0
            self._unique[spot] = in_sample and self._unique_everywhere(look, column)
        return self._unique[spot]

    def _unique_everywhere(self, look: Look, column: str) -> bool:
        if look.rows is None or look.rows > _MOST_ROWS:
            return False
        if look.rows == look.sample.num_rows:
            return True
        return len(self._all_values(look, column)) == look.rows

    def _all_values(self, look: Look, column: str) -> pa.Array:
        """The distinct values of a column over all rows, as texts."""
        spot = (look.name, column)
        if spot not in self._values:
            parts = []
            for reading in look.readings():
                position = [c.name for c in reading.columns].index(column)
                parts += [pc.unique(_texts(batch.column(position))) for batch in reading.batches()]
            self._values[spot] = pc.unique(pa.chunked_array(parts, pa.string())) if parts else pa.array([], pa.string())
        return self._values[spot]

    def share_found(self, look: Look, column: str, parent: Look, key: str) -> float:
        """The share of a column's distinct values that are keys of another table; 0 where it has none."""
        values = pc.unique(_texts(look.known(column))).slice(0, _MOST_VALUES)
        if len(values) == 0:
            return 0.0
        found = pc.is_in(values, self._all_values(parent, key))
        return float(pc.sum(found).as_py() or 0) / len(values)

    def joins(self, look: Look) -> list[Join]:
        """The columns of a table that hold keys of others, by name and by value."""
        if look.name not in self._joins:
            found = []
            for column, guess in look.columns.items():
                if guess.kind not in (Kind.NUMBER, Kind.TEXT) or guess.looks == "free text":
                    continue
                join = self._join(look, column)
                if join is not None:
                    found.append(join)
            self._joins[look.name] = found
        return self._joins[look.name]

    def _join(self, look: Look, column: str) -> Join | None:
        for parent in self.looks:
            if parent is look:
                continue
            for key in parent.columns:
                if not _named_alike(column, parent, key) or not self.unique(parent, key):
                    continue
                if self.share_found(look, column, parent, key) >= _ENOUGH:
                    return Join(column, parent, key)
        return None

    def depends(self, look: Look, column: str, on: str) -> float:
        """The share of the groups of several rows (equal in ``on``) in which a column has one value, if any at all.

        1 where there is no such group.
        """
        if on == column or _is_nested(look, column):
            return 1.0
        both = look.sample.select([on, column]).drop_null()
        if both.num_rows == 0:
            return 1.0
        groups = both.group_by(on).aggregate([(column, "count"), (column, "count_distinct")])
        several = groups.filter(pc.greater(groups.column(f"{column}_count"), 1))
        if several.num_rows == 0:
            return 1.0
        alike: int = pc.sum(pc.equal(several.column(f"{column}_count_distinct"), 1)).as_py()
        return float(alike / several.num_rows)

    def patchy(self, look: Look, column: str, on: str) -> bool:
        """Whether a column is known in some rows of a group (equal in ``on``) and missing in others."""
        if column == on or not look.columns[column].missing or _is_nested(look, column):
            return False
        groups = look.sample.select([on, column]).group_by(on).aggregate([(column, "count"), ([], "count_all")])
        known = groups.column(f"{column}_count")
        return bool(pc.any(pc.and_(pc.greater(known, 0), pc.less(known, groups.column("count_all")))).as_py())

    def repeats(self, look: Look) -> float:
        """The share of the sample's rows that are exact copies of earlier ones."""
        names = [n for n in look.columns if not _is_nested(look, n)]
        total = look.sample.num_rows
        return 1 - look.sample.group_by(names).aggregate([]).num_rows / total if total and names else 0.0


def _is_nested(look: Look, column: str) -> bool:
    return bool(pa.types.is_nested(look.sample.schema.field(column).type))


def _texts(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Known values as ids are compared: as text, whole numbers without decimals, no blanks around."""
    column = column.drop_null()
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(column, pc.trunc(column))).as_py()
        column = column.cast(pa.int64(), safe=False) if whole else column
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return pa.array([], pa.string())
    return pc.utf8_trim_whitespace(column.cast(pa.string()))


def _named_alike(column: str, parent: Look, key: str) -> bool:
    """Whether a column's name says that it holds the key of a table."""
    here, there = words(column), words(key)
    if here == there:
        return there not in ("id", "name", "type", "date", "status", "description")
    table = words(parent.name).removesuffix("s").removesuffix("ie")
    return there in ("id", "key", "code", "uuid") and here.startswith(table) and here.endswith(there)
