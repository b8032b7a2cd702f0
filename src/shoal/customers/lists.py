"""Hand-kept lists of customers. They live in the store only; definitions bear just their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.identity import survivors
from shoal.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.sql.store import Store

_NOW_ON = (
    "SELECT customer FROM (SELECT customer, arg_max(added, (ts, received, rowid)) AS added FROM list_changes "
    "WHERE list = ? GROUP BY customer) WHERE added"
)


def sizes(store: Store) -> dict[str, int]:
    """How many customers are on each list."""
    return {name: len(_keys(store, name)) for (name,) in store.rows("SELECT name FROM lists ORDER BY name")}


def members(store: Store, name: str) -> list[str]:
    """The ids on a list, in order.

    Raises:
        UnknownName: if there is no such list.
    """
    _known(store, name)
    rows = store.rows(f"SELECT id FROM customers WHERE key IN ({_NOW_ON}) ORDER BY id", [name])
    return [i for (i,) in rows]


def change(store: Store, name: str, ids: Sequence[str], *, added: bool, now: int) -> int:
    """Put customers on a list or take them off; returns how many of them this changed.

    Args:
        store: the workspace's store.
        name: of the list; adding makes it where it is missing.
        ids: of the customers.
        added: on, or off.
        now: the clock's now.

    Raises:
        UnknownName: if a customer isn't known, or a list to take off from; nothing is changed then.
    """
    if not added:
        _known(store, name)
    keys = [_key(store, i) for i in dict.fromkeys(ids)]
    with store.transaction():
        if added and not store.rows("SELECT 1 FROM lists WHERE name = ?", [name]):
            store.execute("INSERT INTO lists VALUES (?, ?)", [name, now])
        there = _keys(store, name)
        changed = [key for key in keys if (key in there) != added]
        for key in changed:
            store.execute("INSERT INTO list_changes VALUES (?, ?, ?, ?, ?)", [name, key, added, now, now])
    return len(changed)


def _keys(store: Store, name: str) -> set[int]:
    merged = survivors(store)
    return {merged.get(key, key) for (key,) in store.rows(_NOW_ON, [name])}


def _key(store: Store, customer: str) -> int:
    rows = store.rows("SELECT key FROM customers WHERE id = ?", [customer])
    if not rows:
        raise UnknownName("customer", customer)
    key = int(rows[0][0])
    return survivors(store).get(key, key)


def _known(store: Store, name: str) -> None:
    names = [n for (n,) in store.rows("SELECT name FROM lists")]
    if name not in names:
        raise UnknownName("list", name, names)
