"""The product's public door: a world written into a real store, and its definitions evaluated by the SQL engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from shoal import shapes
from shoal.customers.writer import write_records
from shoal.lang.calendar import zone
from shoal.lang.document import decimal_text, from_document
from shoal.lang.nodes import MICRO, Definition
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.lang.show import flat
from shoal.sql.duck import DuckStore
from shoal.sql.engine import SqlEngine
from shoal.sql.layout import create
from shoal.sql.registry import Registry, learned_schema

from . import world as w
from .vocabulary import LISTS


def definition_of(slug: str, segment: w.Segment) -> Definition:
    """The product's definition of a segment in wire form."""
    condition: Any = from_document(segment.where)
    return Definition(slug=slug, name=slug, where=condition, always=segment.always, never=segment.never)


class Product:
    """A world in a store, and the engine over it."""

    def __init__(self, world: w.World, store: DuckStore) -> None:
        self.world = world
        self.store = store
        create(store, zone=world.zone, now=0)
        self._declare()
        records = [*map(_record, (*world.records, *world.consents, *world.lists, *world.merges))]
        summary = write_records(store, records, zone=zone(world.zone), received=0)
        assert summary.rejected == 0, summary
        self._insert_history()
        self.definitions = {slug: definition_of(slug, s) for slug, s in world.segments.items()}
        self.schema = self._schema()
        self.engine = SqlEngine(store, self.schema)

    def members(self, slugs: Iterable[str], at: int, known_at: int | None = None) -> dict[str, set[str]]:
        """Who is in, of all these definitions evaluated together."""
        wanted = {slug: self.definitions[slug] for slug in slugs}
        found = self.engine.evaluate(wanted, at, known_at=known_at)
        try:
            return {slug: set(found.members(slug)["id"].to_pylist()) for slug in wanted}
        finally:
            found.close()

    def _declare(self) -> None:
        """Declare every type, so that a property that no event bears is known too."""
        registry = Registry.load(self.store)
        for name, properties in self.world.events.items():
            types = {p: _type(kind) for p, kind in properties.items()}
            registry.ensure_event(name, types, declared=True)
        for name, kind in self.world.traits.items():
            scope = "account" if name.startswith("account.") else "customer"
            registry.ensure_trait(name.removeprefix("account."), Kind(kind), scope, declared=True)

    def _schema(self) -> Schema:
        traits, events = learned_schema(self.store)
        return Schema(
            traits=traits,
            events=events,
            lists=frozenset(LISTS),
            segments=self.definitions,
            purposes={name: Basis(basis) for name, basis in self.world.purposes.items()},
            zone=self.world.zone,
        )

    def _insert_history(self) -> None:
        """What the product itself writes as it publishes: memberships as they changed, and refreshed thresholds."""
        keys = dict(self.store.rows("SELECT id, key FROM customers"))
        for seq, p in enumerate(self.world.published):
            if p.customer in keys:
                row = [seq, p.segment, keys[p.customer], p.change, p.ts, p.received, "drawn"]
                self.store.execute("INSERT INTO membership_changes VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for t in self.world.thresholds:
            number = Fraction(t.number)
            side, rank = flat(from_document(t.value)), _rank(t.rank)
            row = [side, rank, number.numerator, number.denominator, 1, t.ts, t.received]
            self.store.execute("INSERT INTO thresholds VALUES (?, ?, ?, ?, ?, ?, ?)", row)


@contextmanager
def product(world: w.World) -> Iterator[Product]:
    """A world in a store of its own, in memory."""
    store = DuckStore.open(":memory:", memory="1GB", threads=1)
    try:
        yield Product(world, store)
    finally:
        store.close()


def _rank(rank: str) -> str:
    """A rank as the table of thresholds names it, the percent in decimal digits."""
    end, q = rank.split(" ")
    return f"{end} {decimal_text(int(Fraction(q) * MICRO))}"


def _type(kind: Any) -> PropertyType:
    if isinstance(kind, Mapping):
        return PropertyType(Kind.OBJECTS, {name: Kind(k) for name, k in kind.items()})
    return PropertyType(Kind(kind))


def _record(record: Any) -> Any:
    match record:
        case w.Event(customer, name, ts, properties, message_id, received):
            values = {p: _value(v) for p, v in properties.items()}
            return shapes.Event(customer, name, ts, values, message_id, received)
        case w.TraitChange(owner, name, value, ts, message_id, received, scope):
            return shapes.TraitChange(owner, name, _value(value), ts, message_id, received, scope)
        case w.ConsentChange(customer, purpose, granted, ts, message_id, received):
            return shapes.ConsentChange(customer, purpose, granted, ts, message_id, received)
        case w.ListChange(name, customer, added, ts, received):
            return shapes.ListChange(name, customer, added, ts, received)
    assert isinstance(record, w.Merge)
    return shapes.Merge(record.kept, record.gone, record.received, "drawn", record.undone)


def _value(value: Any) -> Any:
    return shapes.Point(*value) if isinstance(value, tuple) else value
