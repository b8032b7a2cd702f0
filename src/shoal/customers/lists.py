"""Hand-kept lists of customers. They live in the store only; definitions bear just their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.identity import keys_of
from shoal.errors import UnknownName
from shoal.sql.subjects import survivors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.sql.store import Store

_NOW_ON = (
    "SELECT customer FROM (SELECT customer, arg_max(added, (ts, received, rowid)) AS added FROM list_changes "
    "WHERE list = ? GROUP BY customer) WHERE added"
)


def sizes(store: Store) -> dict[str, int]:
    """How many customers are on each list."""
    return {name: len(_on(store, name)) for (name,) in store.rows("SELECT name FROM lists ORDER BY name")}


def members(store: Store, name: str) -> list[str]:
    """The ids on a list, in order; for a merged-away one that of the survivor.

    Raises:
        UnknownName: if there is no such list.
    """
    _known(store, name)
    keys = list(_on(store, name))
    rows = store.rows("SELECT id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[])) ORDER BY id", [keys])
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
    keys = keys_of(store, ids)
    with store.transaction():
        if added and not store.rows("SELECT 1 FROM lists WHERE name = ?", [name]):
            store.execute("INSERT INTO lists VALUES (?, ?)", [name, now])
        there = _on(store, name)
        changed = [key for key in keys if (key in there) != added]
        # Whoever was put on under an id that was merged away must be taken off under that one.
        written = changed if added else [raw for key in changed for raw in there[key]]
        store.execute(
            "INSERT INTO list_changes SELECT ?, unnest(?::INTEGER[]), ?, ?, ?", [name, written, added, now, now]
        )
    return len(changed)


def pending(store: Store, name: str, ids: Sequence[str], *, added: bool) -> list[str] | None:
    """Whom ``change`` would change, by id; None where a list bears ids that were merged away, which have to go with it.

    Raises:
        UnknownName: as ``change`` does.
    """
    if not added:
        _known(store, name)
    keys, there = keys_of(store, ids), _on(store, name)
    changed = [key for key in keys if (key in there) != added]
    if not added and any(there[key] != [key] for key in changed):
        return None
    rows = store.rows("SELECT id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[])) ORDER BY key", [changed])
    return [one for (one,) in rows]


def _on(store: Store, name: str) -> dict[int, list[int]]:
    """The customers on a list, each with the keys that were put on it: their own, and those merged into it."""
    standing = survivors(store)
    found: dict[int, list[int]] = {}
    for (key,) in store.rows(_NOW_ON, [name]):
        found.setdefault(standing.get(key, key), []).append(key)
    return found


def _known(store: Store, name: str) -> None:
    names = [n for (n,) in store.rows("SELECT name FROM lists")]
    if name not in names:
        raise UnknownName("list", name, names)
