"""The product's public door: a world written into a real store, and its definitions evaluated by the SQL engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from shoal import shapes
from shoal.customers.writer import write_records
from shoal.lang.calendar import zone
from shoal.lang.document import decimal_text, from_document
from shoal.lang.nodes import MICRO
from shoal.lang.schema import Kind, PropertyType
from shoal.lang.show import flat
from shoal.sql.duck import DuckStore
from shoal.sql.layout import create
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from shoal.sql.explain import Explanation

from . import world as w
from .vocabulary import LISTS


class Evaluator:
    """The SQL engine over a store that holds a world, with the world's definitions.

    The product is imported when one is made: inside ``mutants.mutated`` that gives the broken modules.
    """

    def __init__(self, world: w.World, store: DuckStore) -> None:
        from shoal.lang.document import from_document
        from shoal.lang.nodes import Definition
        from shoal.lang.schema import Basis, Schema
        from shoal.sql.engine import SqlEngine
        from shoal.sql.registry import learned_schema

        self.world = world
        self.keys: dict[str, int] = dict(store.rows("SELECT id, key FROM customers"))
        self.definitions = {
            slug: Definition(slug, slug, from_document(s.where), always=s.always, never=s.never)  # type: ignore[arg-type]
            for slug, s in world.segments.items()
        }
        traits, events = learned_schema(store)
        self.schema = Schema(
            traits=traits,
            events=events,
            lists=frozenset(LISTS),
            segments=self.definitions,
            purposes={name: Basis(basis) for name, basis in world.purposes.items()},
            zone=world.zone,
        )
        self.engine = SqlEngine(store, self.schema)

    def members(self, slugs: Iterable[str], at: int, known_at: int | None = None) -> dict[str, set[str]]:
        """Who is in, of all these definitions evaluated together."""
        wanted = {slug: self.definitions[slug] for slug in slugs}
        found = self.engine.evaluate(wanted, at, known_at=known_at)
        try:
            columns = ", ".join(f'e."{found.columns[slug]}"' for slug in wanted)
            rows = self.engine.store.rows(
                f"SELECT c.id, {columns} FROM {found.table} e JOIN customers c ON key = customer"
            )
            return {slug: {row[0] for row in rows if row[i]} for i, slug in enumerate(wanted, start=1)}
        finally:
            found.close()

    def until(
        self, slugs: Iterable[str], customers: Iterable[str], at: int, known_at: int | None = None
    ) -> dict[tuple[str, str], int | None]:
        """Until when each membership of each customer holds."""
        wanted = {slug: self.definitions[slug] for slug in slugs}
        by_key = {self.keys[customer]: customer for customer in customers}
        found = self.engine.until(wanted, by_key, at, known_at=known_at)
        return {(slug, by_key[key]): until for slug, each in found.items() for key, until in each.items()}

    def why(self, slug: str, customer: str, at: int, known_at: int | None = None) -> Explanation:
        """Why a customer is in a segment or not."""
        return self.engine.why(self.definitions[slug], self.keys[customer], at, known_at=known_at)


class Product(Evaluator):
    """A world written into a store through the product's public door, and the engine over it."""

    def __init__(self, world: w.World, store: DuckStore) -> None:
        self.world = world
        self.store = store
        create(store, zone=world.zone, now=0)
        self._declare()
        records = [*map(_record, (*world.records, *world.consents, *world.lists, *world.merges))]
        summary = write_records(store, records, zone=zone(world.zone), received=0)
        assert summary.rejected == 0, summary
        self._insert_history()
        super().__init__(world, store)

    def _declare(self) -> None:
        """Declare every type, so that a property that no event bears is known too."""
        registry = Registry.load(self.store)
        for name, properties in self.world.events.items():
            types = {p: _type(kind) for p, kind in properties.items()}
            registry.ensure_event(name, types, declared=True)
        for name, kind in self.world.traits.items():
            scope = "account" if name.startswith("account.") else "customer"
            registry.ensure_trait(name.removeprefix("account."), Kind(kind), scope, declared=True)

    def _insert_history(self) -> None:
        """What the product itself writes as it publishes: memberships as they changed, and refreshed thresholds."""
        keys = dict(self.store.rows("SELECT id, key FROM customers"))
        for seq, p in enumerate(self.world.published):
            if p.customer in keys:
                row = [seq, p.segment, keys[p.customer], p.change, p.ts, p.received, "drawn"]
                self.store.execute("INSERT INTO membership_changes VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for t in self.world.thresholds:
            number = Fraction(t.number)
            side, rank = side_text(t.value), rank_text(t.rank)
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


def side_text(wire: Mapping[str, Any]) -> str:
    """The canonical text of a left side, as the table of thresholds names it."""
    return flat(from_document(wire))


def rank_text(rank: str) -> str:
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
