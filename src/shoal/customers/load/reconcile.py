"""What a changed file means for what is stored: rows that stayed stay, changed ones are replaced, vanished ones retired.

Rows are compared by their whole content, repeated ones by how many there are, so that a row that moved to another line is
still the same. A message id that is in force from another file of the source is corrected by the newest statement: a row
that is new or changed. An unchanged row of a file that is read again is no new statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.corrections import recompute_first_ts
from shoal.customers.load.staging import name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shoal.sql.registry import Registry
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class Target:
    """A table of the store, with the columns that make up a row's content.

    Args:
        table: its name.
        owner: the column of the owner's key; None where rows have none.
        owners: the table of owners.
        columns: the other columns of the content.
    """

    table: str
    owner: str | None
    owners: str
    columns: tuple[str, ...]

    @property
    def content(self) -> tuple[str, ...]:
        """The columns that two equal rows share; the owner by id."""
        return (*(("owner_id",) if self.owner else ()), *self.columns)

    def rows(self, condition: str) -> str:
        """SQL of stored rows: ``rid``, ``origin`` and the content."""
        inner = f"SELECT t.rowid AS rid, t.origin, {', '.join(f't.{c}' for c in self.columns)}"
        if self.owner is None:
            return f"{inner} FROM {self.table} AS t WHERE {condition}"
        return (
            f"{inner}, o.id AS owner_id FROM {self.table} AS t JOIN {self.owners} AS o ON o.key = t.{self.owner} "
            f"WHERE {condition}"
        )


def event_target(store: Store, table: str) -> Target:
    """The target for an event's table."""
    columns = [str(row[0]) for row in store.rows(f"DESCRIBE {table}")]
    properties = [c for c in columns if c[0] == "p" and c[1:].isdigit()]
    return Target(table, "customer", "customers", ("ts", "message_id", *properties))


def trait_target(table: str, scope: str) -> Target:
    """The target for a trait's table."""
    return Target(table, "owner", "accounts" if scope == "account" else "customers", ("ts", "value"))


CONSENTS = Target("consents", "customer", "customers", ("purpose", "granted", "ts"))
SPEND = Target("spend", None, "", ("source", "day", "amount", "channel", "campaign", "impressions", "clicks"))


def of_files(numbers: Iterable[int], column: str = "origin") -> str:
    """The condition that a row came from one of these files."""
    # A range for each file, so that the engine can skip whole blocks.
    ranges = [f"{column} BETWEEN {no << 40} AND {((no + 1) << 40) - 1}" for no in sorted(set(numbers))]
    return f"({' OR '.join(ranges)})" if ranges else "false"


def keep_unchanged(
    store: Store, target: Target, fresh: str, numbers: Sequence[int], *, now: int, keep: bool, stay: str = ""
) -> int:
    """Compare fresh rows with those in force from earlier versions of their files.

    Rows of equal content are taken out of ``fresh``; the other stored ones are retired.

    Args:
        store: the store.
        target: the table.
        fresh: a table with ``origin``, the content, and what else belongs to the rows.
        numbers: the earlier versions of the files.
        now: the time of retirement.
        keep: leave rows that vanished; only those whose message id comes again are retired.
        stay: a condition of stored rows that stay all the same, since fresh ones in their place can't be used.

    Returns:
        How many rows were retired.
    """
    if not numbers:
        return 0
    marks = _marks(target.content)
    old = target.rows(f"t.retired IS NULL AND {of_files(numbers, 't.origin')}")
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE load_same AS SELECT o.rid AS old, f.rid AS fresh FROM ({_numbered(old, marks)}) "
        f"AS o JOIN ({_numbered(f'SELECT rowid AS rid, * FROM {fresh}', marks)}) AS f USING (m1, m2, nth)"
    )
    again = ""
    if keep:
        again = (
            f" AND message_id IN (SELECT message_id FROM {fresh})" if "message_id" in target.columns else " AND false"
        )
    if stay:
        again += f" AND NOT coalesce({stay}, false)"
    retired = _count(
        store,
        f"UPDATE {target.table} SET retired = {now} WHERE retired IS NULL AND {of_files(numbers)} "
        f"AND rowid NOT IN (SELECT old FROM load_same){again}",
    )
    store.execute(f"DELETE FROM {fresh} WHERE rowid IN (SELECT fresh FROM load_same)")
    return retired


def unsaid(target: Target, fresh: str, spared: str) -> str:
    """The condition of stored rows whose owners are spared, and of which no fresh row says anything.

    Args:
        target: the table.
        fresh: the fresh rows.
        spared: SQL of the keys of owners; empty for none.
    """
    if not spared or target.owner is None:
        return ""
    same = [column for column in target.columns if column in ("ts", "purpose")]
    said = f"SELECT o.key, {', '.join(f'f.{c}' for c in same)} FROM {target.owners} AS o JOIN {fresh} AS f ON f.owner_id = o.id"
    return f"({target.owner} IN ({spared}) AND ({target.owner}, {', '.join(same)}) NOT IN ({said}))"


def correct_others(
    store: Store,
    target: Target,
    fresh: str,
    numbers: Sequence[int],
    others: Sequence[int],
    tables: Iterable[str],
    now: int,
) -> int:
    """Let fresh rows replace those of the same message id from other files of the source.

    Fresh rows that say the same as what is in force, or that were replaced before and didn't change since, are taken
    out.

    Returns:
        How many rows were retired.
    """
    if not others:
        return 0
    marks = _marks(target.content)
    in_force = target.rows(f"t.retired IS NULL AND {of_files(others, 't.origin')}")
    equal = f"SELECT m1, m2 FROM ({_marked(in_force, marks)})"
    replaced = target.rows(f"t.retired IS NOT NULL AND t.retired < {now} AND {of_files(numbers, 't.origin')}")
    stale = (
        f"SELECT r.m1, r.m2 FROM ({_marked(replaced, marks)}) AS r JOIN {target.table} AS e "
        f"ON e.message_id = r.message_id AND e.retired IS NULL AND {of_files(others, 'e.origin')}"
    )
    said = _marked(f"SELECT rowid AS rid, * FROM {fresh}", marks)
    store.execute(
        f"DELETE FROM {fresh} WHERE message_id IS NOT NULL AND rowid IN (SELECT f.rid FROM ({said}) AS f "
        f"SEMI JOIN ({equal} UNION ALL {stale}) USING (m1, m2))"
    )
    return sum(
        _count(
            store,
            f"UPDATE {table} SET retired = {now} WHERE retired IS NULL AND {of_files(others)} "
            f"AND message_id IN (SELECT message_id FROM {fresh})",
        )
        for table in tables
    )


def newest_only(store: Store, fresh: str) -> int:
    """Of fresh rows with one message id keep that of the newest file, and of a file's the first.

    Returns:
        How many were taken out.
    """
    return _count(
        store,
        f"DELETE FROM {fresh} WHERE rowid IN (SELECT rowid FROM {fresh} WHERE message_id IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY origin >> 40 DESC, origin) > 1)",
    )


def retire_all(store: Store, table: str, numbers: Sequence[int], now: int, condition: str = "true") -> int:
    """Retire what a table holds from files."""
    if not numbers:
        return 0
    return _count(
        store, f"UPDATE {table} SET retired = {now} WHERE retired IS NULL AND {of_files(numbers)} AND {condition}"
    )


def refresh_first_seen(store: Store, registry: Registry, now: int) -> None:
    """Work out anew since when the customers exist whose rows were retired in this load."""
    tables = [(e.table, "customer") for e in registry.events.values()]
    tables += [(t.table, "owner") for t in registry.traits.values() if t.scope == "customer"]
    if not tables:
        return
    touched = " UNION ".join(f"SELECT {owner} AS customer FROM {t} WHERE retired = {now}" for t, owner in tables)
    store.execute(f"CREATE OR REPLACE TEMP TABLE load_touched AS {touched}")
    if store.rows("SELECT 1 FROM load_touched LIMIT 1"):
        recompute_first_ts(store, "load_touched")


def _marks(content: Sequence[str]) -> str:
    """Two independent 64-bit hashes of a row's content."""
    listed = ", ".join(name(c) for c in content)
    turned = ", ".join(name(c) for c in reversed(content))
    return f"hash({listed}) AS m1, hash('again', {turned}) AS m2"


def _marked(rows: str, marks: str) -> str:
    return f"SELECT *, {marks} FROM ({rows})"


def _numbered(rows: str, marks: str) -> str:
    return f"SELECT rid, m1, m2, row_number() OVER (PARTITION BY m1, m2 ORDER BY origin) AS nth FROM ({_marked(rows, marks)})"


def _count(store: Store, sql: str) -> int:
    return int(store.rows(sql)[0][0])
