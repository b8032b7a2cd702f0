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


def key_of(store: Store, customer_id: str) -> int:
    """The key of a customer id; for a merged-away one that of the survivor.

    Raises:
        UnknownName: if there is no such customer.
    """
    rows = store.rows("SELECT key FROM customers WHERE id = ?", [customer_id])
    if not rows:
        near = store.rows("SELECT id FROM customers ORDER BY levenshtein(id, ?), id LIMIT 3", [customer_id])
        raise UnknownName("customer", customer_id, [i for (i,) in near])
    key = int(rows[0][0])
    return survivors(store).get(key, key)


def id_of(store: Store, key: int) -> str:
    """The id of a customer's key."""
    return str(store.rows("SELECT id FROM customers WHERE key = ?", [key])[0][0])
