"""Who is one customer: merges that are in force, resolved to the survivor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import UnknownName

if TYPE_CHECKING:
    from shoal.sql.store import Store


def survivors(store: Store, known_at: int | None = None) -> dict[int, int]:
    """For each merged-away customer key, the key that stands for them; chains are resolved.

    Args:
        store: the workspace's store.
        known_at: the graph as it was known at an instant; None is today's.
    """
    pairs = store.rows(
        "SELECT gone, kept FROM merges WHERE CASE WHEN ? IS NULL THEN undone IS NULL "
        "ELSE received <= ? AND (undone IS NULL OR undone > ?) END",
        [known_at, known_at, known_at],
    )
    direct = dict(pairs)
    return {gone: _end(direct, gone) for gone in direct}


def _end(direct: dict[int, int], key: int) -> int:
    seen = {key}
    while key in direct and direct[key] not in seen:
        key = direct[key]
        seen.add(key)
    return key


def standing_for(store: Store) -> str | None:
    """A temporary table (gone, kept) of merged-away customers and who stands for them; None where there is none."""
    import pyarrow as pa

    found = survivors(store)
    if not found:
        return None
    store.register(
        "standing_rows", pa.table({"gone": pa.array(found, pa.int32()), "kept": pa.array(found.values(), pa.int32())})
    )
    store.execute("CREATE OR REPLACE TEMP TABLE standing_for AS SELECT gone, kept FROM standing_rows")
    store.unregister("standing_rows")
    return "standing_for"


def merged(store: Store, body: str, column: str = "customer") -> str:
    """The rows of a query with every merged-away customer replaced by the one who stands for them.

    Args:
        store: the workspace's store.
        body: the query.
        column: its column that holds keys of customers.
    """
    standing = standing_for(store)
    if standing is None:
        return body
    return (
        f"SELECT coalesce(s.kept, b.{column}) AS {column}, b.* EXCLUDE ({column}) FROM ({body}) b "
        f"LEFT JOIN {standing} AS s ON s.gone = b.{column}"
    )


def key_of(store: Store, customer_id: str | int) -> int:
    """The key of a customer id; for a merged-away one that of the survivor. A number is taken as its digits.

    Raises:
        UnknownName: if there is no such customer.
    """
    customer_id = str(customer_id)
    rows = store.rows("SELECT key FROM customers WHERE id = ?", [customer_id])
    if not rows:
        near = store.rows("SELECT id FROM customers ORDER BY levenshtein(id, ?), id LIMIT 3", [customer_id])
        raise UnknownName("customer", customer_id, [i for (i,) in near])
    key = int(rows[0][0])
    return survivors(store).get(key, key)


def id_of(store: Store, key: int) -> str:
    """The id of a customer's key."""
    return str(store.rows("SELECT id FROM customers WHERE key = ?", [key])[0][0])
