"""What is worked out once per distinct value outside the engine, and read by it as a table.

``matches`` and every ``ignoring case`` go through one library (RE2 through pyarrow); dates and local days through the
rules of time zones in ``lang.calendar``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.sql import terms as s

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from sqlglot import exp

    from shoal.sql.store import Store


class Lookups:
    """The tables that one question looks values up in."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._tables: dict[tuple[object, ...], str] = {}

    def matching(self, origin: tuple[exp.Query, ...], pattern: str, *, lists: bool = False) -> exp.Select:
        """A query of the values that match.

        Args:
            origin: queries of one column ``value`` that give all values.
            pattern: an RE2 pattern that is looked for anywhere.
            lists: the values are lists of text, which match where an element does.
        """
        union = " UNION ALL ".join(s.sql_of(q, self._store) for q in origin)
        name = self._table((union, pattern, lists), lambda: self._matches(union, pattern, lists))
        return s.select([s.column("value")], s.table(name))

    def converted(self, table: str, how: str, convert: Callable[[int], int]) -> str:
        """The name of a table (``value``, ``converted``) of all values in the column ``value`` of ``table``.

        Args:
            table: a table of dates or instants.
            how: names the conversion.
            convert: works out one value.
        """
        return self._table((table, how), lambda: self._converted(table, convert))

    def _converted(self, table: str, convert: Callable[[int], int]) -> pa.Table:
        import pyarrow as pa

        values = self._store.arrow(f"SELECT DISTINCT value FROM {table} WHERE value IS NOT NULL").column("value")
        found = [convert(value) for value in values.to_pylist()]
        return pa.table({"value": values, "converted": pa.array(found, pa.int64())})

    def _table(self, key: tuple[object, ...], make: Callable[[], pa.Table]) -> str:
        if key not in self._tables:
            name = f"{self._prefix}_v{len(self._tables)}"
            self._store.register(name, make())
            self._tables[key] = name
        return self._tables[key]

    def _matches(self, union: str, pattern: str, lists: bool) -> pa.Table:
        import pyarrow as pa

        if not union:
            empty = pa.list_(pa.string()) if lists else pa.string()
            return pa.table({"value": pa.array([], empty)})
        values = self._store.arrow(f"SELECT DISTINCT value FROM ({union}) v WHERE value IS NOT NULL")
        column = values.column("value").combine_chunks()
        return values.filter(_in_lists(column, pattern) if lists else _match(column, pattern))

    def close(self) -> None:
        """Forget the tables."""
        for name in self._tables.values():
            self._store.unregister(name)
        self._tables.clear()


def _match(values: pa.Array, pattern: str) -> pa.Array:
    import pyarrow.compute as pc

    return pc.match_substring_regex(values, pattern=pattern)


def _in_lists(values: pa.Array, pattern: str) -> pa.Array:
    import pyarrow as pa

    elements = _match(values.flatten(), pattern).to_pylist()
    found, at = [], 0
    for value in values:
        size = len(value.as_py())
        found.append(any(elements[at : at + size]))
        at += size
    return pa.array(found, pa.bool_())
