"""The columns that a source's files don't hold themselves: derived, looked up, places on earth; and which rows are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.load import convert
from shoal.customers.load.rows import LOOKED_UP, USED, Column, Rows, check_expression, extend, fits, forgiving
from shoal.customers.load.staging import name
from shoal.errors import ConfigError, SourceError
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.sources.mapping import Lookup
    from shoal.sql.store import Store


def complete(store: Store, rows: Rows, references: Mapping[str, Rows]) -> None:
    """Add the derived and looked-up columns, and ``__used``.

    What can be derived from the file's own columns comes first, then the lookups, then the rest.

    Raises:
        ConfigError: an expression or a name can't be used.
        SourceError: the key of a lookup isn't unique.
    """
    waiting = _derive_possible(store, rows, dict(rows.spec.derive))
    _locate(store, rows)
    where = rows.spec.where
    ready = where is None or fits(store, rows.relation, where)
    if ready:
        _add_used(store, rows)
        rows.base, rows.base_columns = rows.relation, frozenset(rows.columns)
    for lookup in rows.spec.lookup:
        if not all(rows.has(here) for here in lookup.on):
            waiting = _derive_possible(store, rows, waiting)
        _look_up(store, rows, lookup, references[lookup.source])
    for column, expression in waiting.items():
        _derive(store, rows, column, expression)
    _locate(store, rows, all_=True)
    if not ready:
        _add_used(store, rows)
    if not rows.base:
        rows.base, rows.base_columns = rows.relation, frozenset(rows.columns)


def _derive_possible(store: Store, rows: Rows, wanted: dict[str, str]) -> dict[str, str]:
    """Derive columns as long as the relation has what they need; the others are given back."""
    waiting = {}
    for column, expression in wanted.items():
        if fits(store, rows.relation, expression):
            _derive(store, rows, column, expression)
        else:
            waiting[column] = expression
    return waiting


def _add_used(store: Store, rows: Rows) -> None:
    where = "true"
    if rows.spec.where is not None:
        check_expression(store, rows, rows.relation, rows.spec.where, f"{rows.spec.place}.where")
        where = f"coalesce({forgiving(store, rows.relation, rows.spec.where)}, false)"
    extend(store, rows, f"*, {where} AS {USED}")


def _derive(store: Store, rows: Rows, column: str, expression: str) -> None:
    place = f"{rows.spec.place}.derive.{column}"
    sql_type = check_expression(store, rows, rows.relation, expression, place)
    old = next((c for c in rows.columns if c.casefold() == column.casefold()), None)
    value = forgiving(store, rows.relation, expression)
    extend(store, rows, f"* REPLACE ({value} AS {name(old)})" if old else f"*, {value} AS {name(column)}")
    kind = convert.native_kind(sql_type) or Kind.TEXT
    physical = f"__d{len(rows.relation)}"
    extend(store, rows, f"*, {convert.from_logical(name(old or column), sql_type, kind)} AS {physical}")
    writing = next(iter(rows.columns.values())).writing
    rows.columns[old or column] = Column(old or column, kind, physical, sql_type, writing)


def _locate(store: Store, rows: Rows, *, all_: bool = False) -> None:
    """Add the places on earth whose latitude and longitude are there; with ``all_`` they must be.

    Raises:
        ConfigError: one of the columns isn't there, or holds no numbers.
    """
    for point, (latitude, longitude, place) in rows.spec.points.items():
        if point in rows.columns or not (all_ or (rows.has(latitude) and rows.has(longitude))):
            continue
        pair = [rows.find(column, place) for column in (latitude, longitude)]
        for column in pair:
            if column.kind is not Kind.NUMBER:
                raise ConfigError(f"The column {column.name!r} holds {column.kind.value}, not degrees.", place=place)
        known = " AND ".join(f"({column.known})" for column in pair)
        physical = f"__g{len(rows.relation)}"
        value = convert.place(*(column.double for column in pair))
        extend(store, rows, f"*, CASE WHEN {known} THEN true END AS {name(point)}, {value} AS {physical}")
        rows.columns[point] = Column(point, Kind.POINT, physical, "BOOLEAN", pair[0].writing)


def _look_up(store: Store, rows: Rows, lookup: Lookup, other: Rows) -> None:
    keys = [other.find(there, f"{lookup.place}.on") for there in lookup.on.values()]
    taken = {new: other.find(there, f"{lookup.place}.take") for new, there in lookup.take.items()}
    for new in taken:
        if rows.has(new):
            raise ConfigError(
                f"There is a column {new!r} already.",
                place=f"{lookup.place}.take",
                fix=f"Write take: {{other_name: {new}}}.",
            )
    index = len(rows.relation)
    table = f"{rows.relation}_lookup"
    _lookup_table(store, other, keys, list(taken.values()), table, lookup)
    here = [rows.find(column, f"{lookup.place}.on").id for column in lookup.on]
    on = " AND ".join(f"__l.k{i} = {sql}" for i, sql in enumerate(here))
    columns = "".join(
        f", __l.v{i} AS {LOOKED_UP}{index}_{i}, {convert.logical(f'__l.v{i}', c.kind)} AS {name(new)}"
        for i, (new, c) in enumerate(taken.items())
    )
    asked, met = f"__asked{index}", f"__met{index}"
    flags = f", ({' AND '.join(f'{sql} IS NOT NULL' for sql in here)}) AS {asked}, __l.k0 IS NOT NULL AS {met}"
    extend(store, rows, f"__rows.*{columns}{flags}", f"LEFT JOIN {table} AS __l ON {on}")
    rows.orphans[lookup.place] = asked, met
    for i, (new, column) in enumerate(taken.items()):
        rows.columns[new] = Column(new, column.kind, f"{LOOKED_UP}{index}_{i}", column.sql_type, column.writing)


def _lookup_table(
    store: Store, other: Rows, keys: list[Column], taken: list[Column], table: str, lookup: Lookup
) -> None:
    """The other source's rows by their key, which must be unique; rows repeated exactly count once."""
    key = ", ".join(f"{c.id} AS k{i}" for i, c in enumerate(keys))
    values = ", ".join(f"{c.physical} AS v{i}" for i, c in enumerate(taken))
    names = ", ".join(f"k{i}" for i in range(len(keys)))
    known = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(keys)))
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT DISTINCT * FROM (SELECT {key}, {values} "
        f"FROM {other.relation} WHERE {USED}) WHERE {known}"
    )
    double = store.rows(f"SELECT {names} FROM {table} GROUP BY {names} HAVING count(*) > 1 ORDER BY ALL LIMIT 1")
    if double:
        shown = ", ".join(str(v) for v in double[0])
        raise SourceError(
            f"The source {other.spec.name} has several different rows with the key {shown}, so a lookup can't choose.",
            place=lookup.place,
            fix="Look up by a key that is unique there, or keep one row of each key with where:.",
        )
