"""Who is asked about: the customers that exist, merged ones as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.sql.registry import Registry
    from shoal.sql.store import Store


def survivors(store: Store, known_at: int | None = None) -> dict[int, int]:
    """For each merged-away customer the one who stands for them, chains resolved.

    Args:
        store: the workspace's store.
        known_at: the merges in force at that instant; None for those of today.
    """
    if known_at is None:
        rows = store.rows("SELECT gone, kept FROM merges WHERE undone IS NULL ORDER BY received")
    else:
        rows = store.rows(
            "SELECT gone, kept FROM merges WHERE received <= ? AND (undone IS NULL OR undone > ?) ORDER BY received",
            [known_at, known_at],
        )
    direct = dict(rows)
    return {gone: _last(direct, gone) for gone in direct}


def _last(direct: dict[int, int], key: int) -> int:
    seen = {key}
    while key in direct and direct[key] not in seen:
        key = direct[key]
        seen.add(key)
    return key


def merged_table(store: Store, name: str, known_at: int | None) -> str | None:
    """Make the table (``gone``, ``kept``) of merged-away customers; None where there is none."""
    found = survivors(store, known_at)
    if not found:
        return None
    import pyarrow as pa

    store.register(name, pa.table({"gone": pa.array(found, pa.int32()), "kept": pa.array(found.values(), pa.int32())}))
    return name


def in_force(known_at: int | None) -> str:
    """The SQL of the rows that count: those of today, or those that had been received by an instant and stood then."""
    if known_at is None:
        return "retired IS NULL"
    return f"received <= {known_at:d} AND (retired IS NULL OR retired > {known_at:d})"


def existing(registry: Registry, merged: str | None, known_at: int | None) -> str:
    """A query of ``k`` (the surviving customers) and ``first_ts``, from which instant on they exist."""
    source = "SELECT key AS owner, first_ts FROM customers" if known_at is None else _first_known(registry, known_at)
    if merged is None and known_at is None:
        return "SELECT key AS k, first_ts FROM customers"
    if merged is None:
        return f"SELECT owner AS k, min(first_ts) AS first_ts FROM ({source}) f GROUP BY owner"
    return (
        f"SELECT coalesce(g.kept, f.owner) AS k, min(f.first_ts) AS first_ts "
        f"FROM ({source}) f LEFT JOIN {merged} g ON g.gone = f.owner GROUP BY coalesce(g.kept, f.owner)"
    )


def _first_known(registry: Registry, known_at: int) -> str:
    """The earliest ts of each customer among the rows that were known."""
    known = in_force(known_at)
    # An event that was worked out says nothing that those behind it don't.
    tables = [(event.table, "customer") for event in registry.events.values() if event.derived is None]
    tables += [(trait.table, "owner") for trait in registry.traits.values() if trait.scope == "customer"]
    if not tables:
        return "SELECT key AS owner, first_ts FROM customers WHERE false"
    return " UNION ALL ".join(
        f"SELECT {owner} AS owner, min(ts) AS first_ts FROM {table} WHERE {known} GROUP BY {owner}"
        for table, owner in tables
    )
