"""Records for the resident engine: their values in the form that it holds, and each by the method that takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.customers.values import MistypedError, encode, millionths, point
from shoal.lang.schema import Kind
from shoal.live.batches import Events
from shoal.live.values import Day, Micro, Moment
from shoal.shapes import ACCOUNT_PREFIX, ConsentChange, Event, ListChange, Point, TraitChange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from shoal.customers.rows import EventRows
    from shoal.lang.schema import PropertyType
    from shoal.live.engine import Engine
    from shoal.live.table import Table

OF_KIND: dict[Kind, Callable[[Any], Any]] = {
    Kind.NUMBER: Micro,
    Kind.DATE: Day,
    Kind.INSTANT: Moment,
    Kind.TEXTS: tuple,
    Kind.TEXT: str,
    Kind.YESNO: bool,
}
"""What makes the resident form of a stored value."""


def feed(
    engine: Engine,
    record: Event | TraitChange | ConsentChange | ListChange,
    traits: Mapping[str, Kind],
    events: Mapping[str, Mapping[str, PropertyType]],
) -> None:
    """Hand a record to the engine; a value that isn't of its type is missing."""
    match record:
        case Event(customer, name, ts, properties, message_id):
            kinds = events[name]
            table = engine.state.events.get(name)
            values = {
                p: resident(v, kinds[p].kind, held(table, p, kinds[p])) for p, v in properties.items() if p in kinds
            }
            engine.add_event(customer, name, ts, message_id or "", values)
        case TraitChange(owner, name, value, ts, message_id):
            full = ACCOUNT_PREFIX + name if record.scope == "account" else name
            found = resident(value, traits[full]) if full in traits else None
            engine.add_trait(owner, full, found, ts, message_id or "")
        case ConsentChange(customer, purpose, granted, ts, message_id):
            engine.add_consent(customer, purpose, granted, ts, message_id or "")
        case ListChange(name, customer, added, ts):
            engine.add_listed(name, customer, added, ts)


def together(engine: Engine, rows: Mapping[str, EventRows], types: Mapping[str, Mapping[str, PropertyType]]) -> Events:
    """Events by name as columns for ``Engine.apply_events``: the properties that the engine holds."""
    rows_of = engine.state.people.rows
    customers: list[npt.NDArray[np.int64]] = []
    names: list[str] = []
    ts: list[int] = []
    mids: list[str] = []
    values: dict[str, list[Any]] = {}
    many = sum(map(len, rows.values()))
    for name, group in rows.items():
        begin, end = len(ts), len(ts) + len(group.customers)
        customers.append(rows_of(group.customers))
        names += [name] * (end - begin)
        ts += group.ts
        mids += group.messages
        bearers = group.properties
        table = engine.state.event_table(name)
        for prop in table.columns:
            column = values.get(prop)
            if column is None:
                column = values[prop] = [None] * many
            known = types[name].get(prop)
            if known is not None:
                given = [bearer.get(prop) for bearer in bearers]
                column[begin:end] = _column(given, known.kind, held(table, prop, known))
    return Events(np.concatenate(customers), names, ts, mids, values)


def held(table: Table | None, prop: str, known: PropertyType) -> Mapping[str, Kind]:
    """The fields of a list of objects that a table holds; of a table that isn't there yet all."""
    some = None if table is None else table.fields.get(prop)
    return known.fields if some is None else {name: kind for name, kind in known.fields.items() if name in some}


def _column(values: list[Any], kind: Kind, fields: Mapping[str, Kind]) -> list[Any]:
    if kind is Kind.NUMBER:
        try:
            return [None if v is None else millionths(v) for v in values]
        except (MistypedError, OverflowError):
            pass
    return [None if v is None else resident(v, kind, fields) for v in values]


def resident(value: Any, kind: Kind, fields: Mapping[str, Kind] | None = None) -> Any:
    """A plain value as the engine holds it (see ``live.values``), None where it is missing or of another type."""
    if value is None:
        return None
    if kind is Kind.OBJECTS:
        if not isinstance(value, list | tuple) or not all(hasattr(item, "items") for item in value):
            return None
        return tuple({name: resident(item.get(name), k) for name, k in (fields or {}).items()} for item in value)
    try:
        if kind is Kind.POINT:
            return point(*value) if isinstance(value, Point) else None
        found = encode(value, kind)
    except (MistypedError, OverflowError):
        return None
    return OF_KIND[kind](found)
