"""Who is one customer: merges that are in force, resolved to the survivor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import UnknownName
from shoal.sql.subjects import merged_table, survivors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.sql.store import Store


def standing_for(store: Store) -> str | None:
    """A table (gone, kept) of merged-away customers and who stands for them; None where there is none."""
    return merged_table(store, "standing_for", None)


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
    return keys_of(store, [str(customer_id)])[0]


def keys_of(store: Store, ids: Sequence[str]) -> list[int]:
    """The keys of customer ids, each once; for a merged-away one that of the survivor.

    Raises:
        UnknownName: for the first that there is no such customer of.
    """
    rows = store.rows("SELECT id, key FROM customers WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(ids)])
    found: dict[str, int] = dict(rows)
    unknown = next((i for i in ids if i not in found), None)
    if unknown is not None:
        near = store.rows("SELECT id FROM customers ORDER BY levenshtein(id, ?), id LIMIT 3", [unknown])
        raise UnknownName("customer", unknown, [i for (i,) in near])
    standing = survivors(store)
    return list(dict.fromkeys(standing.get(found[i], found[i]) for i in ids))


def id_of(store: Store, key: int) -> str:
    """The id of a customer's key."""
    return str(store.rows("SELECT id FROM customers WHERE key = ?", [key])[0][0])
