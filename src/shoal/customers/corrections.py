"""Taking back what was stored: corrected files, retired rows, erased customers.

A correction keeps both times: the old row bears ``retired``, the new one its own ``received``, so ``as known at`` still
finds what was known. Only erasure removes rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.sql.encode import quoted
from shoal.sql.layout import set_meta
from shoal.sql.registry import CUSTOMER, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.sql.store import Store

ERASED_KEY = "erased_key"
"""In ``meta``: the highest key of an erased customer, so that no later customer gets it."""

_BY_CUSTOMER = ("consents", "list_changes", "membership_changes")


def retire_files(store: Store, files: Iterable[int], *, received: int) -> int:
    """Retire all rows in force that came from files.

    Args:
        store: the store.
        files: the numbers in ``files``.
        received: when it became known that they no longer hold.

    Returns:
        How many rows were retired.
    """
    numbers = sorted(set(files))
    if not numbers:
        return 0
    registry = Registry.load(store)
    with store.transaction():
        retired = 0
        for table in [*_person_tables(registry), "consents", "spend"]:
            rows = f"{_from_files(numbers)} AND retired IS NULL"
            _note_touched(store, registry, table, rows)
            retired += _changed(store, f"UPDATE {table} SET retired = {received} WHERE {rows}")
        _recompute_touched(store, registry)
    return retired


def retire_origins(store: Store, file_no: int, *, received: int) -> int:
    """Retire all rows in force that came from one file; see ``retire_files``."""
    return retire_files(store, [file_no], received=received)


def erase_customer(store: Store, customer_id: str) -> dict[str, int]:
    """Remove a customer and every row that belongs to them, for good; both sides of merges with others included.

    The bytes leave the file when it is rewritten: ``backup.compact`` does that.

    Returns:
        How many rows were removed from each table; empty if there is no such customer.
    """
    found = store.rows("SELECT key FROM customers WHERE id = ?", [customer_id])
    if not found:
        return {}
    key = int(found[0][0])
    removed: dict[str, int] = {}
    with store.transaction():
        registry = Registry.load(store)
        conditions = {
            table: f"{_holder(table)} = {key}"
            for table in [*_person_tables(registry, CUSTOMER), *_BY_CUSTOMER]
        }  # fmt: skip
        conditions["merges"] = f"kept = {key} OR gone = {key}"
        conditions["customers"] = f"key = {key}"
        for table, condition in conditions.items():
            removed[table] = _changed(store, f"DELETE FROM {table} WHERE {condition}")
        before = store.rows(f"SELECT value FROM meta WHERE key = {quoted(ERASED_KEY)}")
        set_meta(store, ERASED_KEY, str(max(key, int(before[0][0]) if before else 0)))
    return {table: many for table, many in removed.items() if many}


def recompute_first_ts(store: Store, keys: str) -> None:
    """Work out anew from when customers exist.

    Args:
        store: the store.
        keys: SQL of a relation with a column ``customer`` of keys.
    """
    union = " UNION ALL ".join(
        f"SELECT {_holder(table)} AS customer, ts FROM {table} WHERE retired IS NULL"
        for table in _person_tables(Registry.load(store), CUSTOMER)
    )
    firsts = f"SELECT customer, min(ts) AS ts FROM ({union}) SEMI JOIN {keys} USING (customer) GROUP BY customer"
    dated = f"SELECT k.customer, f.ts FROM (SELECT DISTINCT customer FROM {keys}) AS k LEFT JOIN ({firsts}) AS f "
    store.execute(
        f"UPDATE customers SET first_ts = d.ts FROM ({dated} ON f.customer = k.customer) AS d WHERE key = d.customer"
    )


def _note_touched(store: Store, registry: Registry, table: str, condition: str) -> None:
    """Remember whose rows are about to go, where they say from when a customer exists."""
    store.execute("CREATE TEMP TABLE IF NOT EXISTS touched (customer INTEGER)")
    if table in _person_tables(registry, CUSTOMER):
        store.execute(f"INSERT INTO temp.touched SELECT DISTINCT {_holder(table)} FROM {table} WHERE {condition}")


def _recompute_touched(store: Store, registry: Registry) -> None:
    if store.rows("SELECT 1 FROM temp.touched LIMIT 1"):
        recompute_first_ts(store, "temp.touched")
    store.execute("DROP TABLE temp.touched")


def _person_tables(registry: Registry, scope: str | None = None) -> list[str]:
    """The tables of events and of traits (of one scope, or of both)."""
    traits = [t.table for t in registry.traits.values() if scope in (None, t.scope)]
    return [e.table for e in registry.events.values()] + traits


def _holder(table: str) -> str:
    return "owner" if table.startswith("trait_") else "customer"


def _from_files(numbers: list[int]) -> str:
    # A range for each file, and not origin >> 40: ranges let the engine skip whole blocks.
    ranges = " OR ".join(f"(origin >= {no << 40} AND origin < {(no + 1) << 40})" for no in numbers)
    return f"({ranges or 'false'})"


def _changed(store: Store, sql: str) -> int:
    """How many rows an UPDATE or a DELETE changed."""
    return int(store.rows(sql)[0][0])
