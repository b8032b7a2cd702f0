"""Views for analysts in the schema ``data``: real names, decimals, dates and timestamps instead of the physical form.

``SELECT * FROM data."Order Completed"`` and ``SELECT * FROM data.customers`` work; the customers of a view are those of
the records: merges stand in ``data.merges`` and are not resolved. Times are UTC TIMESTAMPs; ``local_time`` is the
workspace's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.schema import Kind
from shoal.sql.registry import ACCOUNT, CUSTOMER, EventType, Property, Registry, Trait
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.sql.store import Store

SCHEMA = "data"

_EVENT = {
    "customer": "c.id",
    "at": "make_timestamp(e.ts)",
    "local_time": "make_timestamp(e.ts + CAST(e.offset_s AS BIGINT) * 1000000)",
    "message_id": "coalesce(e.message_id, printf('%016x', e.origin))",
    "received": "make_timestamp(e.received)",
}
_CUSTOMER = {"customer": "o.id", "first_seen": "make_timestamp(o.first_ts)"}
_FIXED = {
    "consents": "SELECT c.id AS customer, e.purpose, e.granted, make_timestamp(e.ts) AS at, make_timestamp(e.received) "
    "AS received FROM main.consents AS e JOIN main.customers AS c ON c.key = e.customer WHERE e.retired IS NULL",
    "merges": "SELECT k.id AS kept, g.id AS gone, make_timestamp(m.received) AS received, make_timestamp(m.undone) AS "
    "undone, m.because FROM main.merges AS m JOIN main.customers AS k ON k.key = m.kept "
    "JOIN main.customers AS g ON g.key = m.gone",
    "lists": "SELECT e.list, c.id AS customer, e.added, make_timestamp(e.ts) AS at FROM main.list_changes AS e "
    "JOIN main.customers AS c ON c.key = e.customer",
}


def create_views(store: Store, *, at: int) -> list[str]:
    """Make the views anew, after the registry has changed or time has passed.

    Args:
        store: the store, open for writing.
        at: the instant whose traits ``customers`` and ``accounts`` show.

    Returns:
        The names of the views, as they are to be quoted in SQL.
    """
    registry = Registry.load(store)
    views = {
        "customers": _people(registry, CUSTOMER, at),
        "accounts": _people(registry, ACCOUNT, at),
        **_FIXED,
    }
    taken = _Names(views)
    views |= {taken.free(event.name): _event_view(event) for event in registry.events.values()}
    with store.transaction():
        store.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        store.execute(f"CREATE SCHEMA {SCHEMA}")
        for name, query in views.items():
            store.execute(f"CREATE VIEW {SCHEMA}.{identifier(name)} AS {query}")
    return list(views)


def decoded(kind: Kind, column: str) -> str:
    """SQL of a column's value in everyday types."""
    match kind:
        case Kind.NUMBER:
            return f"CAST(CAST({column} AS DECIMAL(19, 0)) * CAST(0.000001 AS DECIMAL(6, 6)) AS DECIMAL(19, 6))"
        case Kind.DATE:
            return f"DATE '1970-01-01' + {column}"
        case Kind.INSTANT:
            return f"make_timestamp({column})"
        case Kind.POINT:
            latitude, longitude = f"degrees(asin(({column}).z / 1e9))", f"degrees(atan2(({column}).y, ({column}).x))"
            place = f"struct_pack(latitude := {latitude}, longitude := {longitude})"
            return f"CASE WHEN {column} IS NOT NULL THEN {place} END"
        case _:
            return column


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


class _Names:
    """Names of one relation: two that differ only in case get numbers, since SQL takes them for one."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in taken}

    def free(self, name: str) -> str:
        candidate, number = name, 1
        while candidate.casefold() in self._taken or not candidate:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate.casefold())
        return candidate


def _event_view(event: EventType) -> str:
    names = _Names(_EVENT)
    columns = dict(_EVENT)
    for prop in event.properties.values():
        columns[names.free(prop.name)] = _property(prop)
    return (
        f"SELECT {_listed(columns)} FROM main.{event.table} AS e JOIN main.customers AS c ON c.key = e.customer "
        "WHERE e.retired IS NULL"
    )


def _property(prop: Property) -> str:
    column = f"e.{prop.col}"
    if prop.kind is not Kind.OBJECTS:
        return decoded(prop.kind, column)
    if not prop.fields:
        return column
    names = _Names(())
    fields = ", ".join(
        f"{identifier(names.free(f.name))} := {decoded(f.kind, f'item.{f.col}')}" for f in prop.fields.values()
    )
    return f"list_transform({column}, lambda item: struct_pack({fields}))"


def _people(registry: Registry, scope: str, at: int) -> str:
    """The owners of traits with the latest value of each trait at an instant."""
    owners = "customers" if scope == CUSTOMER else "accounts"
    columns = dict(_CUSTOMER) if scope == CUSTOMER else {"account": "o.id"}
    names = _Names(columns)
    joins = []
    for trait in registry.traits.values():
        if trait.scope != scope or trait.unset:
            continue
        joins.append(f"LEFT JOIN ({_latest(trait, at)}) AS t{trait.id} ON t{trait.id}.owner = o.key")
        columns[names.free(trait.name)] = decoded(trait.kind, f"t{trait.id}.value")
    return f"SELECT {_listed(columns)} FROM main.{owners} AS o {' '.join(joins)}"


def _latest(trait: Trait, at: int) -> str:
    return (
        f"SELECT owner, value FROM main.{trait.table} WHERE retired IS NULL AND ts <= {at} "
        f"QUALIFY row_number() OVER (PARTITION BY owner ORDER BY ts DESC, {MESSAGE_ID} DESC) = 1"
    )


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{sql} AS {identifier(name)}" for name, sql in columns.items())
