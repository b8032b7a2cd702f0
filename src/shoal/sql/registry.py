"""Which event types, properties and traits there are, and in which tables and columns they stand.

A type is fixed at first sight and changed only by declaration; changing one converts the stored values (``retype``).
A ``Registry`` is read from the store and kept up by its own methods: after a transaction was rolled back, load it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shoal.errors import StoreError
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sql.retype import Retyping, retype
from shoal.sql.tables import EVENT_COLUMNS, PHYSICAL, TRAIT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.sql.store import Store

CUSTOMER, ACCOUNT = "customer", "account"
_UNSET = "no value yet"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the objects of a property."""

    name: str
    kind: Kind
    col: str


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an event type: its type, and the physical column that holds it."""

    name: str
    kind: Kind
    col: str
    declared: bool = False
    fields: Mapping[str, Field] = field(default_factory=dict)

    @property
    def type(self) -> PropertyType:
        """The type in the language's words."""
        return PropertyType(self.kind, {f.name: f.kind for f in self.fields.values()})


@dataclass(frozen=True, slots=True)
class EventType:
    """An event type: its table and its properties by name.

    ``derived`` names the temporary table, of the same layout, of an event that was worked out from others; it has no number.
    """

    id: int
    name: str
    properties: Mapping[str, Property] = field(default_factory=dict)
    derived: str | None = None

    @property
    def table(self) -> str:
        """The name of its table."""
        return self.derived or f"event_{self.id}"


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait: its table and its type. ``score`` marks what models and computations write.

    ``unset`` marks a trait that was only ever cleared: its changes count, its type isn't fixed, and no schema shows it.
    """

    id: int
    name: str
    scope: str
    kind: Kind
    declared: bool = False
    score: bool = False
    unset: bool = False

    @property
    def table(self) -> str:
        """The name of its table."""
        return f"trait_{self.id}"


class Registry:
    """Event types by name and traits by (scope, name), as they stand in one store."""

    def __init__(self, store: Store, events: dict[str, EventType], traits: dict[tuple[str, str], Trait]) -> None:
        self._store = store
        self._events = events
        self._traits = traits

    @classmethod
    def load(cls, store: Store) -> Registry:
        """Read the registry of a store."""
        return cls(store, _load_events(store), _load_traits(store))

    def beside(self, derived: Mapping[str, EventType]) -> Registry:
        """The same, and events that were worked out; one that the store has of the same name stays what it is."""
        return Registry(self._store, {**derived, **self._events}, self._traits) if derived else self

    @property
    def events(self) -> Mapping[str, EventType]:
        """The event types by name."""
        return self._events

    @property
    def traits(self) -> Mapping[tuple[str, str], Trait]:
        """The traits by scope (``customer`` or ``account``) and name."""
        return self._traits

    def trait(self, name: str, scope: str = CUSTOMER) -> Trait | None:
        """A trait, or None where it isn't known."""
        return self._traits.get((scope, name))

    def ensure_event(
        self, name: str, properties: Mapping[str, PropertyType] | None = None, *, declared: bool = False
    ) -> EventType:
        """Make sure that an event type and its properties have their table and columns.

        Args:
            name: the event's name.
            properties: the types seen or declared. Where a property has another type already, that one stays, unless
                ``declared``; then what is stored is converted, and what can't be becomes missing and is counted.
            declared: the types come from the user, not from the data.
        """
        event = self._events.get(name) or self._new_event(name)
        for prop, wanted in (properties or {}).items():
            event = self._ensure_property(event, prop, wanted, declared)
        self._events[name] = event
        return event

    def ensure_trait(
        self, name: str, kind: Kind, scope: str = CUSTOMER, *, score: bool = False, declared: bool = False
    ) -> Trait:
        """Make sure that a trait has its table; the rules of types are those of ``ensure_event``.

        Raises:
            StoreError: the type is a list of objects, which only events have.
        """
        if kind is Kind.OBJECTS:
            raise StoreError(f"The trait {name!r} can't be a list of objects.", fix="Write such lists with events.")
        trait = self._traits.get((scope, name)) or self._new_trait(Trait(0, name, scope, kind, declared, score))
        if (declared or trait.unset) and trait.kind is not kind:
            lost = retype(self._store, Retyping(trait.table, "value", "value_new", trait.kind, kind, PHYSICAL[kind]))
            self._store.execute(f"ALTER TABLE {trait.table} RENAME COLUMN value_new TO value")
            self.count_mistyped_trait(trait, lost)
            trait = replace(trait, kind=kind)
        return self._put(replace(trait, declared=trait.declared or declared, score=trait.score or score, unset=False))

    def ensure_unset_trait(self, name: str, scope: str = CUSTOMER) -> Trait:
        """Make sure of the table of a trait of which only clearings are known; its type stays open."""
        known = self._traits.get((scope, name))
        return known or self._put(replace(self._new_trait(Trait(0, name, scope, Kind.TEXT)), unset=True))

    def _put(self, trait: Trait) -> Trait:
        if trait != self._traits[trait.scope, trait.name]:
            self._store.execute(
                "UPDATE traits SET kind = ?, declared = ?, score = ?, note = ? WHERE id = ?",
                [trait.kind.value, trait.declared, trait.score, _UNSET if trait.unset else None, trait.id],
            )
            self._traits[trait.scope, trait.name] = trait
        return trait

    def count_mistyped(self, event: EventType, name: str, many: int) -> None:
        """Count values of a property that weren't of its type and are missing therefore."""
        if many:
            self._store.execute(
                "UPDATE properties SET mistyped = mistyped + ? WHERE event_type = ? AND name = ?",
                [many, event.id, name],
            )

    def count_mistyped_trait(self, trait: Trait, many: int) -> None:
        """Count values of a trait that weren't of its type and are missing therefore."""
        if many:
            self._store.execute("UPDATE traits SET mistyped = mistyped + ? WHERE id = ?", [many, trait.id])

    def _new_event(self, name: str) -> EventType:
        event = EventType(_next_id(e.id for e in self._events.values()), name)
        self._store.execute("INSERT INTO event_types VALUES (?, ?)", [event.id, name])
        self._store.execute(f"CREATE TABLE {event.table} ({EVENT_COLUMNS})")
        return event

    def _new_trait(self, trait: Trait) -> Trait:
        trait = replace(trait, id=_next_id(t.id for t in self._traits.values()))
        self._store.execute(
            "INSERT INTO traits (id, name, scope, kind, declared, score) VALUES (?, ?, ?, ?, ?, ?)",
            [trait.id, trait.name, trait.scope, trait.kind.value, trait.declared, trait.score],
        )
        self._store.execute(f"CREATE TABLE {trait.table} ({TRAIT_COLUMNS}, value {PHYSICAL[trait.kind]})")
        self._traits[trait.scope, trait.name] = trait
        return trait

    def _ensure_property(self, event: EventType, name: str, wanted: PropertyType, declared: bool) -> EventType:
        known = event.properties.get(name)
        if known is None:
            known = self._new_property(event, name, wanted, declared)
        elif declared and known.kind is not wanted.kind:
            known = self._retyped(event, known, wanted)
        if declared and not known.declared:
            known = replace(known, declared=True)
            self._store.execute(
                "UPDATE properties SET declared = true WHERE event_type = ? AND name = ?", [event.id, name]
            )
        if known.kind is Kind.OBJECTS:
            known = self._with_fields(event, known, wanted.fields)
        return replace(event, properties={**event.properties, name: known})

    def _new_property(self, event: EventType, name: str, wanted: PropertyType, declared: bool) -> Property:
        column = Property(name, wanted.kind, _next_column(event), declared, _numbered(wanted.fields))
        self._store.execute(
            "INSERT INTO properties (event_type, name, kind, col, declared) VALUES (?, ?, ?, ?, ?)",
            [event.id, name, column.kind.value, column.col, declared],
        )
        self._store.execute(f"ALTER TABLE {event.table} ADD COLUMN {column.col} {_physical(column)}")
        self._note_fields(event, column, column.fields.values())
        return column

    def _retyped(self, event: EventType, known: Property, wanted: PropertyType) -> Property:
        column = Property(known.name, wanted.kind, _next_column(event), True, _numbered(wanted.fields))
        change = Retyping(event.table, known.col, column.col, known.kind, column.kind, _physical(column))
        lost = retype(self._store, change)
        self._store.execute("DELETE FROM item_fields WHERE event_type = ? AND property = ?", [event.id, known.name])
        self._store.execute(
            "UPDATE properties SET kind = ?, col = ?, declared = true, mistyped = mistyped + ? "
            "WHERE event_type = ? AND name = ?",
            [column.kind.value, column.col, lost, event.id, known.name],
        )
        self._note_fields(event, column, column.fields.values())
        return column

    def _with_fields(self, event: EventType, known: Property, wanted: Mapping[str, Kind]) -> Property:
        added = _numbered({name: kind for name, kind in wanted.items() if name not in known.fields}, len(known.fields))
        for item in added.values():
            self._store.execute(
                f"ALTER TABLE {event.table} ADD COLUMN {known.col}.element.{item.col} {PHYSICAL[item.kind]}"
            )
        self._note_fields(event, known, added.values())
        return replace(known, fields={**known.fields, **added})

    def _note_fields(self, event: EventType, column: Property, fields: Iterable[Field]) -> None:
        for item in fields:
            self._store.execute(
                "INSERT INTO item_fields VALUES (?, ?, ?, ?, ?)",
                [event.id, column.name, item.name, item.kind.value, item.col],
            )


def learned_schema(store: Store) -> tuple[dict[str, Kind], dict[str, dict[str, PropertyType]]]:
    """The traits (those of accounts with their prefix) and the events' properties, as ``lang.Schema`` wants them."""
    registry = Registry.load(store)
    traits = {
        (ACCOUNT_PREFIX + name if scope == ACCOUNT else name): trait.kind
        for (scope, name), trait in registry.traits.items()
        if not trait.unset
    }
    events = {
        name: {prop: column.type for prop, column in event.properties.items()}
        for name, event in registry.events.items()
    }
    return traits, events


def scores(store: Store) -> frozenset[str]:
    """The names of the traits that models and computations write."""
    return frozenset(
        ACCOUNT_PREFIX + t.name if t.scope == ACCOUNT else t.name
        for t in Registry.load(store).traits.values()
        if t.score
    )


def _load_events(store: Store) -> dict[str, EventType]:
    fields: dict[tuple[int, str], dict[str, Field]] = {}
    for event, prop, name, kind, col in store.rows(
        "SELECT event_type, property, name, kind, col FROM item_fields ORDER BY length(col), col"
    ):
        fields.setdefault((event, prop), {})[name] = Field(name, Kind(kind), col)
    properties: dict[int, dict[str, Property]] = {}
    for event, name, kind, col, declared in store.rows(
        "SELECT event_type, name, kind, col, declared FROM properties ORDER BY length(col), col"
    ):
        column = Property(name, Kind(kind), col, declared, fields.get((event, name), {}))
        properties.setdefault(event, {})[name] = column
    return {
        name: EventType(id_, name, properties.get(id_, {}))
        for id_, name in store.rows("SELECT id, name FROM event_types ORDER BY id")
    }


def _load_traits(store: Store) -> dict[tuple[str, str], Trait]:
    rows = store.rows("SELECT id, name, scope, kind, declared, score, note FROM traits ORDER BY id")
    return {
        (scope, name): Trait(id_, name, scope, Kind(kind), declared, score, note == _UNSET)
        for id_, name, scope, kind, declared, score, note in rows
    }


def _physical(column: Property) -> str:
    if column.kind is not Kind.OBJECTS:
        return PHYSICAL[column.kind]
    # DuckDB has no struct without a field: where none is known yet, f0 stands in and stays NULL.
    fields = [f"{f.col} {PHYSICAL[f.kind]}" for f in column.fields.values()] or ["f0 BOOLEAN"]
    return f"STRUCT({', '.join(fields)})[]"


def _numbered(fields: Mapping[str, Kind], after: int = 0) -> dict[str, Field]:
    return {name: Field(name, kind, f"f{i}") for i, (name, kind) in enumerate(fields.items(), after + 1)}


def _next_id(taken: Iterable[int]) -> int:
    return max(taken, default=0) + 1


def _next_column(event: EventType) -> str:
    return f"p{_next_id(int(p.col[1:]) for p in event.properties.values())}"
