"""Leaving out of a load what belongs to people who were erased. A store without tombstones pays nothing for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.load.rows import USED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.customers.load.rows import Rows
    from shoal.customers.privacy.tombstones import Tombstones
    from shoal.sources.mapping import SourceSpec
    from shoal.sql.store import Store


def customer_columns(spec: SourceSpec) -> frozenset[str]:
    """The columns of a source that hold ids of customers."""
    return frozenset(_customer_columns(spec))


def _customer_columns(spec: SourceSpec) -> Iterator[str]:
    yield from (event.customer for event in spec.events)
    yield from (trait.owner for trait in spec.traits if trait.scope == "customer")
    yield from (consent.customer for consent in spec.consent)


def hide(store: Store, rows: Rows, tombstones: Tombstones) -> int:
    """Hide the rows of erased people from the mappings that would make something theirs of them.

    Args:
        store: the store.
        rows: a source's rows, with all columns.
        tombstones: of the store.

    Returns:
        How many rows that is.
    """
    conditions: list[str] = []
    for wanted in sorted({name.casefold() for name in customer_columns(rows.spec)}):
        if not rows.has(wanted):
            continue
        column = rows.find(wanted, rows.spec.place)
        ids = store.rows(f"SELECT DISTINCT {column.id} AS id FROM {rows.cheapest(column)} WHERE {column.id} NOT NULL")
        covered = [one for (one,) in ids if tombstones.covers(one)]
        if covered:
            table = f"{rows.relation}_erased{len(conditions)}"
            store.execute(f"CREATE OR REPLACE TEMP TABLE {table} (id VARCHAR)")
            store.execute(f"INSERT INTO {table} SELECT unnest(?::VARCHAR[])", [covered])
            conditions.append(f"coalesce({column.id} IN (SELECT id FROM {table}), false)")
            rows.hidden[column.name] = conditions[-1]
    if not conditions:
        return 0
    said = " OR ".join(conditions)
    return int(store.rows(f"SELECT count(*) FROM {rows.relation} WHERE {USED} AND ({said})")[0][0])


def clean_quarantine(store: Store, tombstones: Tombstones) -> None:
    """Take the rows that name erased people out of those that this load puts aside."""
    faulty = store.rows("SELECT rowid, content FROM load_quarantined")
    named = [row for row, content in faulty if tombstones.mentioned(content)]
    if named:
        store.execute("DELETE FROM load_quarantined WHERE rowid IN (SELECT unnest(?::BIGINT[]))", [named])
