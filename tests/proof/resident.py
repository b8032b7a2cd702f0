"""The resident engine, holding a world: all at once, or record by record as it is received."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shoal.customers.values import MistypedError, encode
from shoal.lang.document import from_document
from shoal.lang.nodes import Definition
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.live.engine import Engine
from shoal.live.values import Day, Micro, Moment

from . import world as w
from .product import rank_text, side_text
from .vocabulary import LISTS

_INTEGERS: dict[Kind, Any] = {Kind.NUMBER: Micro, Kind.DATE: Day, Kind.INSTANT: Moment}


def schema_of(world: w.World) -> Schema:
    """What the world declares."""
    definitions = definitions_of(world)
    return Schema(
        traits={name: Kind(kind) for name, kind in world.traits.items()},
        events={name: {p: _type(kind) for p, kind in properties.items()} for name, properties in world.events.items()},
        lists=frozenset(LISTS),
        segments=definitions,
        purposes={name: Basis(basis) for name, basis in world.purposes.items()},
        zone=world.zone,
    )


def definitions_of(world: w.World) -> dict[str, Definition]:
    """The world's definitions, as the product reads them."""
    return {
        slug: Definition(slug, slug, from_document(s.where), always=s.always, never=s.never)  # type: ignore[arg-type]
        for slug, s in world.segments.items()
    }


def _type(kind: Any) -> PropertyType:
    if isinstance(kind, dict):
        return PropertyType(Kind.OBJECTS, {name: Kind(k) for name, k in kind.items()})
    return PropertyType(Kind(kind))


def resident(world: w.World, now: int) -> Engine:
    """An engine that stands at an instant and holds all of a world."""
    engine = Engine(schema_of(world), definitions_of(world), now, recording=False)
    seen: set[str] = set()
    for record in world.records:
        if record.message_id not in seen:
            seen.add(record.message_id)
            take(engine, record)
    for other in (*world.consents, *world.lists, *world.merges, *world.thresholds, *world.published):
        take(engine, other)
    engine.build()
    return engine


def take(engine: Engine, record: Any) -> None:
    """Hand a record to an engine."""
    schema = engine.schema
    match record:
        case w.Event(customer, name, ts, properties, message_id):
            kinds = schema.events[name]
            values = {p: resident_value(v, kinds[p].kind, kinds[p].fields) for p, v in properties.items()}
            engine.add_event(customer, name, ts, message_id, values)
        case w.TraitChange(owner, name, value, ts, message_id, _, scope):
            full = name if scope == "customer" else f"account.{name}"
            engine.add_trait(owner, full, resident_value(value, schema.traits[full]), ts, message_id)
        case w.ConsentChange(customer, purpose, granted, ts, message_id):
            engine.add_consent(customer, purpose, granted, ts, message_id)
        case w.ListChange(name, customer, added, ts):
            engine.add_listed(name, customer, added, ts)
        case w.Merge(kept, gone, _, undone):
            if undone is None:
                engine.merge(kept, gone)
        case w.Threshold(value, rank, number, ts):
            engine.refresh(side_text(value), rank_text(rank), ts, number)
        case w.Published(segment, customer, change, ts):
            engine.add_published(segment, customer, change, ts)


def resident_value(value: Any, kind: Kind, fields: Any = None) -> Any:
    """A plain value as the resident state holds it; one of another type is missing."""
    if value is None:
        return None
    if kind is Kind.OBJECTS:
        if not isinstance(value, list):
            return None
        return tuple({name: resident_value(item.get(name), k) for name, k in fields.items()} for item in value)
    if kind is Kind.POINT:
        from shoal.customers.values import point

        return point(*value) if isinstance(value, tuple) else None
    try:
        found = encode(value, kind)
    except MistypedError:
        return None
    if kind is Kind.TEXTS:
        assert isinstance(found, list)
        return tuple(found)
    return _INTEGERS.get(kind, lambda x: x)(found)


def members(engine: Engine, slugs: Iterable[str]) -> dict[str, set[str]]:
    """Who is in."""
    return {slug: set(engine.members(slug)) for slug in slugs}
