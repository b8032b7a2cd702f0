"""Identity in the store: changes written in bulk. ``reading.read`` builds the graph from what was written.

The tables are ``identifiers`` and ``identity_changes`` (see ``sql/tables.py``) and ``merges``, which the door for records
writes: ``merges_of`` gives the records for it. Write both in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.customers.bulk import admit
from shoal.customers.identity.changes import Conflict, Ignored, Linked, Merged, Repointed, Separated, SetAside
from shoal.shapes import Merge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.customers.identity.changes import Change
    from shoal.sql.store import Store

PERSONAL = {"identifiers": ("customer",), "identity_changes": ("customer", "other")}
"""The tables that hold persons, and the columns with their keys."""

_WORDS: dict[type, str] = {
    Linked: "linked", Repointed: "repointed", SetAside: "set aside", Merged: "merged", Separated: "separated",
    Conflict: "conflict",
}  # fmt: skip


def merges_of(changes: Iterable[Change]) -> list[Merge]:
    """The merges and unmerges among changes as records, for the store's door and the live engine."""
    found = []
    for change in changes:
        if isinstance(change, Merged):
            found.append(Merge(change.kept, change.gone, change.received, change.because))
        elif isinstance(change, Separated):
            found.append(Merge(change.kept, change.gone, change.received, change.because, undone=change.received))
    return found


def write(store: Store, changes: Iterable[Change]) -> int:
    """Write changes in the order in which they came; customers who are new get their keys.

    Ignored values are not written: ``Identities.ignored`` counts them.

    Returns:
        How many changes were written.
    """
    kept = [change for change in changes if not isinstance(change, Ignored)]
    if not kept:
        return 0
    with store.transaction():
        keys = _keys(store, kept)
        ((first,),) = store.rows("SELECT coalesce(max(seq), 0) + 1 FROM identity_changes")
        _write_log(store, kept, keys, first)
        _write_identifiers(store, kept, keys, first)
    return len(kept)


def _keys(store: Store, changes: list[Any]) -> dict[str, int]:
    """The key of each customer whom changes name."""
    received: dict[str, int] = {}
    for change in changes:
        for customer in _customers(change):
            received[customer] = min(change.received, received.get(customer, change.received))
    columns: dict[str, list[Any]] = {
        "id": list(received),
        "ts": [None] * len(received),
        "received": list(received.values()),
    }
    with _Relation(store, columns) as name:
        admit(store, name, "id", "received", dated=False)
        return dict(store.rows(f"SELECT id, key FROM customers SEMI JOIN {name} USING (id)"))


def _customers(change: Any) -> tuple[str, ...]:
    first, second = _pair(change)
    return tuple(customer for customer in (first, second) if customer is not None)


def _pair(change: Any) -> tuple[str | None, str | None]:
    """Whom a change is about, and the second customer in it."""
    match change:
        case Merged() | Separated():
            return change.kept, change.gone
        case Repointed():
            return change.customer, change.before
        case SetAside():
            return None, change.before
        case Conflict():
            return change.customer, change.other
    return change.customer, None


def _write_log(store: Store, changes: list[Any], keys: dict[str, int], first: int) -> None:
    rows: dict[str, list[Any]] = {name: [] for name in _LOG}
    for seq, change in enumerate(changes, first):
        one, other = _pair(change)
        said = (
            seq, _WORDS[type(change)], None if one is None else keys[one], None if other is None else keys[other],
            getattr(change, "kind", None), getattr(change, "value", None), change.because, change.ts, change.received,
        )  # fmt: skip
        for column, value in zip(rows.values(), said, strict=True):
            column.append(value)
    with _Relation(store, rows) as name:
        store.execute(f"INSERT INTO identity_changes SELECT {', '.join(_LOG)} FROM {name}")


_LOG = ("seq", "what", "customer", "other", "kind", "value", "because", "ts", "received")
_BORNE = ("kind", "value", "customer", "linked", "received", "retired", "founding", "seq")


def _write_identifiers(store: Store, changes: list[Any], keys: dict[str, int], first: int) -> None:
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    moved: dict[tuple[str, str], int] = {}
    for seq, change in enumerate(changes, first):
        if not isinstance(change, Linked | Repointed | SetAside):
            continue
        value = change.kind, change.value
        row = {
            "kind": change.kind, "value": change.value,
            "customer": None if isinstance(change, SetAside) else keys[change.customer],
            "linked": change.ts, "received": change.received, "retired": None,
            "founding": isinstance(change, Linked) and change.founding, "seq": seq,
        }  # fmt: skip
        if value in rows:
            rows[value][-1]["retired"] = change.received
        elif not isinstance(change, Linked):
            moved[value] = change.received
        rows.setdefault(value, []).append(row)
    _retire(store, moved)
    flat = [row for of_one in rows.values() for row in of_one]
    with _Relation(store, {column: [row[column] for row in flat] for column in _BORNE}) as name:
        store.execute(f"INSERT INTO identifiers SELECT {', '.join(_BORNE)} FROM {name}")


def _retire(store: Store, moved: dict[tuple[str, str], int]) -> None:
    """End the rows in force of values that belong to another customer from now on."""
    if not moved:
        return
    columns: dict[str, list[Any]] = {
        "kind": [k for k, _ in moved],
        "value": [v for _, v in moved],
        "retired": list(moved.values()),
    }
    with _Relation(store, columns) as name:
        store.execute(
            f"UPDATE identifiers SET retired = m.retired FROM {name} AS m "
            "WHERE identifiers.kind = m.kind AND identifiers.value = m.value AND identifiers.retired IS NULL"
        )


class _Relation:
    """Columns as a relation of the store, for a moment."""

    def __init__(self, store: Store, columns: dict[str, list[Any]]) -> None:
        self._store = store
        self._columns = columns

    def __enter__(self) -> str:
        import pyarrow as pa

        types = {
            **dict.fromkeys(("id", "what", "kind", "value", "because"), pa.string()),
            **dict.fromkeys(("customer", "other"), pa.int32()),
            "founding": pa.bool_(),
        }
        arrays = {name: pa.array(column, types.get(name, pa.int64())) for name, column in self._columns.items()}
        self._store.register("incoming_identity", pa.table(arrays))
        return "incoming_identity"

    def __exit__(self, *_: object) -> None:
        self._store.unregister("incoming_identity")


def erase(store: Store, customers: Iterable[str]) -> int:
    """Remove all rows that name customers; call it before the customers themselves are erased.

    Args:
        store: the store.
        customers: ids, those merged into each other included, as ``Forgotten.customers`` has them.

    Returns:
        How many rows were removed.
    """
    keys = [
        k for (k,) in store.rows("SELECT key FROM customers WHERE id IN (SELECT unnest(?::VARCHAR[]))", [[*customers]])
    ]
    removed = 0
    with store.transaction():
        for table, columns in PERSONAL.items():
            named = " OR ".join(f"{column} IN (SELECT unnest(?::INTEGER[]))" for column in columns)
            removed += store.rows(f"DELETE FROM {table} WHERE {named}", [keys] * len(columns))[0][0]
    return removed
