"""Events on their way from the live server to the store, as columns: by name, without an object for each.

Whoever fills them has checked them already: customers and instants can be stored, each message comes once, and the types
of all properties are known.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.customers.bulk import admitted, insert_events
from shoal.customers.physical import column_of
from shoal.sql.encode import offset_case
from shoal.sql.layout import meta, set_meta
from shoal.sql.registry import Registry
from shoal.sql.store import registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from shoal.customers.tracking import Call
    from shoal.lang.calendar import Zone
    from shoal.lang.schema import PropertyType
    from shoal.shapes import Event
    from shoal.sql.registry import EventType
    from shoal.sql.store import Store

PIECE = 2_048
"""So many values are converted, or objects freed, at a time."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The properties of an event that bears none."""


class EventRows:
    """Events of one name: of each the customer, and the call or record that bears the rest."""

    __slots__ = ("bearers", "customers")

    def __init__(self) -> None:
        self.customers: list[str] = []
        self.bearers: list[Call | Event] = []

    @property
    def ts(self) -> list[int]:
        """When each happened."""
        return [bearer.ts for bearer in self.bearers]

    @property
    def messages(self) -> list[str]:
        """The message id of each; empty where there is none."""
        return [bearer.message_id or "" for bearer in self.bearers]

    @property
    def received(self) -> list[int]:
        """When each was received."""
        return [bearer.received or 0 for bearer in self.bearers]

    @property
    def properties(self) -> list[Mapping[str, Any]]:
        """The properties of each."""
        return [bearer.properties or NOTHING for bearer in self.bearers]

    def extend(self, more: EventRows) -> None:
        """Add the events of others."""
        self.customers += more.customers
        self.bearers += more.bearers

    def let_go(self) -> None:
        """Forget all of them, in pieces: freeing tens of thousands of objects at once holds Python's lock for 10 ms."""
        while self.bearers:
            del self.bearers[-PIECE:]
            del self.customers[-PIECE:]

    def __len__(self) -> int:
        return len(self.customers)


def write_rows(
    store: Store,
    rows: Mapping[str, EventRows],
    types: Mapping[str, Mapping[str, PropertyType]],
    *,
    zone: Zone,
) -> None:
    """Write events, in one transaction.

    Args:
        store: the store.
        rows: the events by name.
        types: of the properties of each name.
        zone: the workspace's time zone.
    """
    if not rows:
        return
    with store.transaction():
        registry = Registry.load(store)
        keys = _keys(store, rows)
        line, begin = int(meta(store)["api_line"]), 0
        for name, group in rows.items():
            event = registry.ensure_event(name, types[name])
            _insert(store, registry, event, group, keys[begin : begin + len(group)], line + 1, zone)
            begin += len(group)
            line += len(group)
        set_meta(store, "api_line", str(line))


def _keys(store: Store, rows: Mapping[str, EventRows]) -> pa.Array:
    """The key of each event's customer, in order; who is new gets one."""
    import pyarrow as pa

    groups = rows.values()
    every = {
        "place": pa.array(np.arange(sum(map(len, groups)))),
        "customer_id": _joined((group.customers for group in groups), pa.string()),
        "ts": _joined((group.ts for group in groups), pa.int64()),
        "received": _joined((group.received for group in groups), pa.int64()),
    }
    with (
        registered(store, "incoming_rows", pa.table(every)) as relation,
        admitted(store, relation, "customer_id", "received"),
    ):
        keys = store.arrow(
            f"SELECT a.key AS key_ FROM {relation} AS i JOIN temp.arrivals AS a ON a.id = i.customer_id "
            "ORDER BY i.place"
        )["key_"]
    return keys.combine_chunks()


def _joined(lists: Iterable[Sequence[Any]], kind: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    return pa.chunked_array([piece for each in lists for piece in _pieces(each, kind).chunks], kind)


def _pieces(values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
    """Values as an Arrow array in pieces: making one holds Python's lock, and calls wait for as long as it takes."""
    import pyarrow as pa

    return pa.chunked_array([pa.array(values[i : i + PIECE], kind) for i in range(0, len(values), PIECE)], kind)


def _insert(
    store: Store, registry: Registry, event: EventType, group: EventRows, keys: pa.Array, line: int, zone: Zone
) -> None:
    import pyarrow as pa

    ts, properties = group.ts, group.properties
    columns = {
        "key_": keys,
        "ts": _pieces(ts, pa.int64()),
        "message_id": _pieces(group.messages, pa.string()),
        "origin": pa.array(np.arange(line, line + len(group))),
        "received": _pieces(group.received, pa.int64()),
    }
    values = {}
    for name, column in event.properties.items():
        given = [bearer.get(name) for bearer in properties]
        found = [column_of(column, given[i : i + PIECE]) for i in range(0, len(given), PIECE)]
        registry.count_mistyped(event, name, sum(mistyped for _, mistyped in found))
        columns[column.col] = pa.chunked_array([piece for piece, _ in found])
        values[column.col] = column.col
    with registered(store, "incoming_rows", pa.table(columns)) as relation:
        insert_events(
            store, event, relation, values, received="received", load=0, keys=None,
            offset=offset_case(zone, "ts", min(ts), max(ts)),
        )  # fmt: skip
