"""A source's rows with typed columns, lookups and derived columns: what the mapping is applied to.

The relation has, for each column, what expressions see under its name, and the physical form under a hidden one
(``__p0`` …); ``__used`` says whether ``where:`` takes the row, ``__origin`` where it came from.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.customers.bulk import EARLIEST, LATEST
from shoal.customers.load import convert
from shoal.customers.load.staging import FILE, ROW, Staged, name
from shoal.errors import ConfigError, StoreError, did_you_mean, nearest
from shoal.lang.schema import Kind
from shoal.sql.encode import LIMIT, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.customers.load.convert import Writing
    from shoal.customers.load.learn import Learned
    from shoal.sources.mapping import SourceSpec
    from shoal.sql.store import Store

ORIGIN, USED = "__origin", "__used"
LOOKED_UP = "__l"
_OFTEN = 3
"""Money in other currencies is looked up mapping by mapping; from this many on, files are decoded once into a table."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the mapping may name.

    Args:
        name: as in the file, or as derived.
        kind: its type.
        physical: the hidden column of its physical form.
        raw: the hidden column of the cell as it was read; None for derived and looked-up ones.
        sql_type: the database's type of the cell as it was read, or of the expression's value.
        declared: whether ``types:`` names its type.
        writing: how its texts are understood.
        empty: no cell holds anything, and nothing says what it would be: it brings no property or trait.
        complete: no cell is missing; as the file itself says.
        least: the smallest number or time (microseconds, as written), as the file itself says; None where it doesn't.
        most: the largest.
    """

    name: str
    kind: Kind
    physical: str
    sql_type: str
    writing: Writing
    raw: str | None = None
    declared: bool = False
    empty: bool = False
    complete: bool = False
    least: float | None = None
    most: float | None = None

    @property
    def id(self) -> str:
        """The expression of its value as an id."""
        if self.raw is not None:
            return convert.id_of(self.raw, self.sql_type)
        return f"nullif(trim({convert.physical_text(self.physical, self.kind)}), '')"

    @property
    def whole(self) -> str:
        """The cell where it is a whole number, which joins faster than its text; else the id."""
        return self.raw if self.raw is not None and convert.is_whole(self.sql_type) else self.id

    @property
    def double(self) -> str:
        """The expression of its number as floating point, as exact as it was written."""
        if self.raw is not None:
            return convert.double(self.raw, self.sql_type, self.writing)
        return f"CAST({name(self.name)} AS DOUBLE)"

    @property
    def beyond(self) -> str:
        """Whether its cell is a number too large to be kept."""
        if self.within(-LIMIT, LIMIT):
            return "false"
        if self.raw is not None:
            return convert.is_beyond(self.raw, self.sql_type, self.writing)
        return f"({self.physical} IS NULL AND {name(self.name)} IS NOT NULL)"

    def within(self, least: float, most: float) -> bool:
        """Whether the file itself says that all numbers or times lie within limits."""
        return self.least is not None and self.most is not None and least <= self.least <= self.most <= most

    @property
    def known(self) -> str:
        """Whether its cell holds anything."""
        cell = self.raw if self.raw is not None else name(self.name)
        return f"trim({cell}) <> ''" if self.raw is not None and self.sql_type == "VARCHAR" else f"{cell} IS NOT NULL"

    @property
    def typed(self) -> str:
        """An expression that has a value where its cell is of its type."""
        if self.kind is Kind.TEXT:
            return f"CASE WHEN {self.known} THEN 1 END"
        if self.raw and self.kind in (Kind.OBJECTS, Kind.TEXTS):
            return self.raw
        if self.raw and self.kind is Kind.NUMBER and convert.native_kind(self.sql_type) is Kind.NUMBER:
            # Cheaper than the conversion, and the same: a number of the file itself becomes one unless it is too large.
            return f"CASE WHEN abs({self.raw}) <= {LIMIT} THEN 1 END"
        return self.physical

    def as_kind(self, wanted: Kind) -> str:
        """The expression of its physical value as another type."""
        if wanted is Kind.TEXT and self.raw is not None and self.kind is not Kind.TEXT:
            return convert.text_of(self.raw, self.sql_type)
        return convert.coerced(self.physical, self.kind, wanted, self.writing)


@dataclass(slots=True)
class Rows:
    """The rows of a source, ready to be mapped.

    Args:
        staged: the rows as they were read.
        relation: the view or table.
        base: the same rows without what is looked up, and what is derived from that; cheaper to read.
        columns: the columns by name.
        base_columns: the names of those in ``base``.
        kept: the table that many mappings share, and the names of its columns; cheaper still. It has every row.
        orphans: for each lookup (by its place), the hidden columns that say whether there was a key and a match.
        hidden: for each column of customers, which rows belong to erased people; columns without such rows aren't there.
    """

    staged: Staged
    relation: str
    base: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    base_columns: frozenset[str] = frozenset()
    kept: tuple[str, frozenset[str]] = ("", frozenset())
    orphans: dict[str, tuple[str, str]] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> SourceSpec:
        """The source."""
        return self.staged.spec

    @property
    def looked_up(self) -> list[Column]:
        """The columns of other sources."""
        return [c for c in self.columns.values() if c.raw is None and c.physical.startswith(LOOKED_UP)]

    def cheapest(self, column: Column) -> str:
        """The relation that has a column and costs least to read."""
        if column.name in self.kept[1]:
            return self.kept[0]
        return self.base if column.name in self.base_columns else self.relation

    def in_base(self, store: Store, columns: Iterable[Column], expression: str | None = None) -> bool:
        """Whether ``base`` has all that some columns and an expression need."""
        if any(c.name not in self.base_columns for c in columns):
            return False
        return expression is None or fits(store, self.base, expression)

    def has(self, wanted: str) -> bool:
        """Whether there is such a column."""
        return self._of(wanted) is not None

    def find(self, wanted: str, place: str) -> Column:
        """A column that the mapping names.

        Raises:
            ConfigError: there is none of that name.
        """
        found = self._of(wanted)
        if found is None:
            raise ConfigError(
                f"The source {self.spec.name} has no column {wanted!r}.",
                place=place,
                fix=did_you_mean(nearest(wanted, self.columns)) or f"It has: {', '.join(list(self.columns)[:30])}.",
            )
        return self.columns[found]

    def sources_of(self, column: Column) -> list[Column]:
        """The columns of the files that a column is made of: itself, or those that its expression names."""
        if column.raw is not None:
            return [column]
        derive = {name.casefold(): text for name, text in self.spec.derive.items()}
        text = derive.get(column.name.casefold(), "")
        named = (c for c in self.columns.values() if c.name != column.name)
        return [inner for c in named if _names(text, c.name) for inner in self.sources_of(c)]

    def _of(self, wanted: str) -> str | None:
        if wanted in self.columns:
            return wanted
        return next((c for c in self.columns if c.casefold() == wanted.casefold()), None)

    def condition(self, store: Store, expression: str | None, place: str, owner: Column | None = None) -> str:
        """SQL that is true for the rows which an expression takes (all, for None) and false for the others.

        Args:
            store: the store.
            expression: of the mapping.
            place: of the mapping.
            owner: the column of the customer whose rows they are: those of erased people aren't taken.

        Raises:
            ConfigError: the expression can't be evaluated over these columns.
        """
        return either(self.meant(store, expression, place, owner))

    def meant(self, store: Store, expression: str | None, place: str, owner: Column | None = None) -> str:
        """The same, but NULL for some of the others: cheaper where that makes no difference."""
        used = USED
        if owner is not None and owner.name in self.hidden:
            used = f"({USED} AND NOT {self.hidden[owner.name]})"
        if expression is None:
            return used
        check_expression(store, self, self.relation, expression, place)
        return f"({used} AND {forgiving(store, self.relation, expression)})"


def _names(expression: str, column: str) -> bool:
    """Whether an expression seems to name a column."""
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", expression, re.IGNORECASE) is not None


def either(meant: str) -> str:
    """A condition that is false where ``meant`` is NULL."""
    return meant if meant == USED else f"coalesce({meant}, false)"


def typed(
    store: Store, staged: Staged, kinds: Mapping[str, Learned], how: Writing, declared: Iterable[str], relation: str
) -> Rows:
    """Give the columns of staged rows their types.

    Args:
        store: the store.
        staged: the rows as they were read; a table among them is dropped.
        kinds: the type and the order of dates of each column.
        how: how the source writes its values.
        declared: the columns whose types the mapping declares.
        relation: the name of the relation to make.
    """
    from dataclasses import replace

    rows, parts, shown = Rows(staged, relation), [], []
    named = {d.casefold() for d in declared}
    facts = _facts(store, staged)
    for index, (column, sql_type) in enumerate(staged.columns.items()):
        learned, physical, raw = kinds[column], f"__p{index}", f"__r{index}"
        fact = facts.get(column, _Facts())
        writing = replace(
            how,
            dates=learned.dates,
            span=fact.span if sql_type in ("TIMESTAMP", "DATE") else None,
            decimal=learned.decimal or how.decimal,
            thousands=how.thousands if learned.thousands is None else learned.thousands,
        )
        cell = _cell(name(column), sql_type, staged.spec)
        parts.append(f"{convert.physical(cell, sql_type, learned.kind, writing)} AS {physical}")
        if learned.kind is Kind.TEXT and sql_type == "VARCHAR":
            raw = physical
        else:
            parts.append(f"{cell} AS {raw}")
        # An untyped NULL fits into arithmetic as well as into text.
        shown.append(f"{'NULL' if learned.empty else convert.logical(physical, learned.kind)} AS {name(column)}")
        rows.columns[column] = Column(
            column, learned.kind, physical, sql_type, writing, raw, column.casefold() in named, learned.empty,
            fact.complete, fact.least, fact.most,
        )  # fmt: skip
    inner = f"SELECT {FILE}, {ROW}, {', '.join(parts)} FROM {staged.relation}"
    if staged.table or sum(e.currency is not None for e in staged.spec.events) >= _OFTEN:
        store.execute(f"CREATE OR REPLACE TEMP TABLE {relation}_typed AS {inner}")
        inner = f"FROM {relation}_typed"
    if staged.table:
        store.execute(f"DROP TABLE {staged.relation}")
    origin = f"(CAST({FILE} AS BIGINT) << 40) | {ROW} AS {ORIGIN}"
    _view(store, relation, f"SELECT *, {origin}, {', '.join(shown)} FROM ({inner})")
    return rows


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a Parquet file knows of a column by heart: whether it is complete, and the least and the greatest value."""

    complete: bool = False
    least: float | None = None
    most: float | None = None

    @property
    def span(self) -> tuple[int, int] | None:
        """The least and the greatest time, where all are within the calendar."""
        if self.least is None or self.most is None or not EARLIEST < self.least <= self.most < LATEST:
            return None
        return int(self.least), int(self.most)


def _facts(store: Store, staged: Staged) -> dict[str, _Facts]:
    """What Parquet files say of their columns of numbers and times; it is read from their ends, not from the rows."""
    types = staged.columns
    ranged = [c for c, t in types.items() if convert.is_whole(t) or t in ("DOUBLE", "TIMESTAMP", "DATE")]
    keys = {c.casefold() for event in staged.spec.events for c in (event.customer, event.at)}
    counted = [c for c in ranged if c.casefold() in keys and types[c] != "DOUBLE"]
    complete, ends = set(counted), dict[str, list[float]]()
    for part in staged.parts:
        if counted:
            # A count of cells is known at once where none is missing; among other columns it would have them all read.
            total, *known = store.rows(
                f"SELECT count(*), {', '.join(f'count({name(c)})' for c in counted)} FROM ({part})"
            )[0]
            complete -= {c for c, many in zip(counted, known, strict=True) if many < total}
        if ranged:
            shown = ", ".join(_end(c, types[c], end) for c in ranged for end in ("min", "max"))
            values = store.rows(f"SELECT {shown} FROM ({part})")[0]
            for i, column in enumerate(ranged):
                ends.setdefault(column, []).extend(v for v in values[2 * i : 2 * i + 2] if v is not None)
    # The database takes NaN for the largest number, which says nothing of the others.
    sound = [c for c in ranged if ends.get(c) and not any(math.isnan(v) for v in ends[c])]
    return {c: _Facts(c in complete, min(ends[c]), max(ends[c])) for c in sound}


def _end(column: str, sql_type: str, end: str) -> str:
    value = f"{end}({name(column)})"
    return f"epoch_us(CAST({value} AS TIMESTAMP))" if sql_type in ("TIMESTAMP", "DATE") else value


def _cell(column: str, sql_type: str, spec: SourceSpec) -> str:
    """A cell; the source's texts for missing ones are applied where the reader hasn't."""
    if sql_type == "VARCHAR" and spec.format.missing:
        return f"CASE WHEN {column} NOT IN ({', '.join(map(quoted, spec.format.missing))}) THEN {column} END"
    return column


def _view(store: Store, relation: str, sql: str) -> None:
    store.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS {sql}")


def extend(store: Store, rows: Rows, chosen: str, joined: str = "") -> None:
    """One more layer over the relation."""
    step = f"{rows.relation}_"
    store.execute(f"CREATE OR REPLACE TEMP VIEW {step} AS SELECT {chosen} FROM {rows.relation} AS __rows {joined}")
    rows.relation = step


def forgiving(store: Store, relation: str, expression: str) -> str:
    """The expression so that a row on which it fails has no value; as it stands where that can't be (subqueries)."""
    # The line break ends a comment inside the expression.
    plain = f"({expression}\n)"
    return f"TRY({plain})" if fits(store, relation, f"TRY({plain})") else plain


def fits(store: Store, relation: str, expression: str) -> bool:
    """Whether an expression can be evaluated over a relation."""
    try:
        store.rows(f"DESCRIBE SELECT (\n{expression}\n) FROM {relation}")
    except StoreError:
        return False
    return True


def check_expression(store: Store, rows: Rows, relation: str, expression: str, place: str) -> str:
    """The database's type of an expression over the rows.

    Raises:
        ConfigError: it can't be evaluated; ``place`` says where it stands.
        SourceError: it uses a column that is gone.
    """
    _check_single(expression, place)
    try:
        return str(store.rows(f"DESCRIBE SELECT (\n{expression}\n) FROM {relation}")[0][1])
    except StoreError as error:
        unknown = re.search(r'Referenced column "?(.+?)"? (?:not found|was not found)', error.problem)
        if unknown:
            rows.find(unknown[1], place)
        said = re.sub(r"^The database refused a statement: ", "", error.problem)
        raise ConfigError(
            f"The expression {expression!r} can't be evaluated: {said}",
            place=place,
            fix='Write DuckDB SQL over the columns, names with blanks in double quotes, as "Order ID".',
        ) from error


def _check_single(expression: str, place: str) -> None:
    """Refuse what is more than one expression, so that a mapping can't run statements."""
    outside = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*", "", expression)
    depth = 0
    for sign in outside:
        depth += (sign == "(") - (sign == ")")
        if sign == ";" or depth < 0:
            raise ConfigError(
                f"{expression!r} is more than one expression.",
                place=place,
                fix="Write one expression, without semicolons and with all parentheses closed.",
            )
