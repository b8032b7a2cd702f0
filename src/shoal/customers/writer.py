"""The door for records: events, trait changes, consents, lists and merges as Python objects. All doors start here.

Records are taken in the order in which they were received, so that the first copy of a message stays and a type is
fixed by what came first. For files and tables use the bulk doors, which write whole relations.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from shoal.customers.bulk import (
    EARLIEST,
    LATEST,
    Rejection,
    WriteSummary,
    admit,
    insert_consents,
    insert_events,
    insert_trait,
    message_tables,
    objects_sql,
    write_consents,
    write_events,
    write_traits,
)
from shoal.customers.corrections import erase_customer, retire_files, retire_origins
from shoal.customers.physical import arrow_kind, arrow_type, encoded
from shoal.customers.values import beyond, kind_of, storable
from shoal.lang import calendar
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ConsentChange, Event, ListChange, Merge, TraitChange
from shoal.sql.layout import meta, set_meta
from shoal.sql.registry import CUSTOMER, EventType, Field, Registry, Trait
from shoal.sql.store import registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from shoal.lang.calendar import Zone
    from shoal.sql.store import Store

__all__ = [
    "Record",
    "Rejection",
    "WriteSummary",
    "erase_customer",
    "objects_sql",
    "retire_files",
    "retire_origins",
    "write_consents",
    "write_events",
    "write_records",
    "write_traits",
]

Record: TypeAlias = Event | TraitChange | ConsentChange | ListChange | Merge


def write_records(
    store: Store, records: Iterable[Record], *, zone: Zone | str, received: int, load: int = 0
) -> WriteSummary:
    """Write records, learning the types of what is new, in one transaction.

    Args:
        store: the store.
        records: any mix; a record's own ``received`` overrules the argument.
        zone: the workspace's time zone.
        received: when they became known.
        load: the load that brought them; 0 for the API.

    Returns:
        What became of them. A record is rejected if it bears a number beyond ± 10^12, no customer, or an instant
        outside the years 1800 to 2200.
    """
    rules = calendar.zone(zone) if isinstance(zone, str) else zone
    with store.transaction():
        return _Writing(store, rules, received, load).write(records)


@dataclass(slots=True)
class _Message:
    """The first record that came under a message id, and the traits under it."""

    origin: int
    head: Record
    traits: set[str]


@dataclass(slots=True)
class _Rows:
    """Rows of one table on their way: the columns by name."""

    columns: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, **values: object) -> None:
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)


class _Writing:
    """One call of ``write_records``."""

    def __init__(self, store: Store, zone: Zone, received: int, load: int) -> None:
        self._store = store
        self._zone = zone
        self._received = received
        self._load = load
        self._registry = Registry.load(store)
        self._line = int(meta(store)["api_line"])
        self._messages: dict[str, _Message] = {}
        self._consented: dict[tuple[str, str], int] = {}
        self._mistyped: dict[tuple[str, str, str], int] = {}
        self._written = 0
        self._duplicates = 0
        self._new = 0

    def write(self, records: Iterable[Record]) -> WriteSummary:
        good, rejections = self._sifted(records)
        kept = list(self._undoubled(good))
        self._admit_all(kept)
        by_shape: dict[type, list[tuple[Any, int]]] = {}
        for record, origin in kept:
            by_shape.setdefault(type(record), []).append((record, origin))
        self._events(by_shape.get(Event, []))
        self._traits(by_shape.get(TraitChange, []))
        self._consents(by_shape.get(ConsentChange, []))
        self._lists([record for record, _ in by_shape.get(ListChange, [])])
        self._merges([record for record, _ in by_shape.get(Merge, [])])
        self._note_mistyped()
        set_meta(self._store, "api_line", str(self._line))
        mistyped = sum(self._mistyped.values())
        return WriteSummary(self._written, self._duplicates, mistyped, len(rejections), rejections, self._new)

    # ------------------------------------------------------------ sifting

    def _sifted(self, records: Iterable[Record]) -> tuple[list[Record], tuple[Rejection, ...]]:
        """The records that can be stored, in the order of their receipt, and the others."""
        good: list[Record] = []
        rejections: list[Rejection] = []
        for record in records:
            reason = reason_against(record)
            if reason is None:
                good.append(record)
            else:
                rejections.append(Rejection(record, reason))
        return sorted(good, key=self._received_of), tuple(rejections)

    def _received_of(self, record: Record) -> int:
        return self._received if record.received is None else record.received

    def _undoubled(self, records: list[Record]) -> Iterator[tuple[Record, int]]:
        """The records whose message isn't known yet, each with its origin."""
        stored = self._stored_ids(records)
        stored_consents = self._stored_consents(records)
        for record in records:
            message = getattr(record, "message_id", None)
            if message is None:
                yield record, self._next_origin()
                continue
            if isinstance(record, ConsentChange):
                origin = self._new_consent(record, message, stored_consents)
            else:
                origin = None if message in stored else self._new_message(record, message)
            if origin is None:
                self._duplicates += 1
            else:
                yield record, origin

    def _next_origin(self) -> int:
        self._line += 1
        return self._line

    def _new_message(self, record: Record, message: str) -> int | None:
        """The origin of a message, None for a copy. One message may carry several traits of one owner."""
        known = self._messages.get(message)
        if known is None:
            traits = {record.name} if isinstance(record, TraitChange) else set()
            self._messages[message] = _Message(self._next_origin(), record, traits)
            return self._messages[message].origin
        head = known.head
        if not (isinstance(record, TraitChange) and isinstance(head, TraitChange)):
            return None
        if (record.scope, record.owner, record.ts) != (head.scope, head.owner, head.ts) or record.name in known.traits:
            return None
        known.traits.add(record.name)
        return known.origin

    def _new_consent(self, record: ConsentChange, message: str, stored: set[tuple[str, str]]) -> int | None:
        pair = message, record.purpose
        if pair in stored or pair in self._consented:
            return None
        self._consented[pair] = self._next_origin()
        return self._consented[pair]

    def _stored_ids(self, records: list[Record]) -> set[str]:
        wanted = {r.message_id for r in records if isinstance(r, Event | TraitChange) and r.message_id is not None}
        tables = message_tables(self._registry)
        if not wanted or not tables:
            return set()
        union = " UNION ALL ".join(f"SELECT message_id FROM {table} WHERE retired IS NULL" for table in tables)
        with self._relation({"id": sorted(wanted)}) as relation:
            rows = self._store.rows(f"SELECT DISTINCT id FROM {relation} SEMI JOIN ({union}) ON message_id = id")
        return {message for (message,) in rows}

    def _stored_consents(self, records: list[Record]) -> set[tuple[str, str]]:
        wanted = {r.message_id for r in records if isinstance(r, ConsentChange) and r.message_id is not None}
        if not wanted:
            return set()
        with self._relation({"id": sorted(wanted)}) as relation:
            rows = self._store.rows(
                f"SELECT message_id, purpose FROM consents SEMI JOIN {relation} ON id = message_id "
                "WHERE retired IS NULL"
            )
        return {(message, purpose) for message, purpose in rows}

    # ------------------------------------------------------------ writing

    def _admit_all(self, kept: list[tuple[Record, int]]) -> None:
        customers, accounts = _Rows(), _Rows()
        for record, _ in kept:
            for owner, ts, scope in _owners(record):
                rows = customers if scope == CUSTOMER else accounts
                rows.add(id=owner, ts=ts, received=self._received_of(record))
        for rows, scope in ((customers, CUSTOMER), (accounts, "account")):
            if rows.columns:
                with self._relation(rows.columns) as relation:
                    self._new += admit(self._store, relation, "id", "received", scope)

    def _events(self, kept: list[tuple[Event, int]]) -> None:
        by_name: dict[str, list[tuple[Event, int]]] = {}
        for record, origin in kept:
            by_name.setdefault(record.name, []).append((record, origin))
        for name, group in by_name.items():
            event = self._registry.ensure_event(name, self._learned(name, [record for record, _ in group]))
            self._write_events(event, group)

    def _learned(self, name: str, records: list[Event]) -> dict[str, PropertyType]:
        """The types that the records show, for what the registry doesn't know yet."""
        known = self._registry.events.get(name)
        kinds = {prop: column.kind for prop, column in known.properties.items()} if known else {}
        fields: dict[str, dict[str, Kind]] = {}
        for record in records:
            for prop, value in record.properties.items():
                kind = kinds.get(prop) or kind_of(value)
                if kind is None:
                    continue
                kinds[prop] = kind
                if kind is Kind.OBJECTS and kind_of(value) is Kind.OBJECTS:
                    _learn_fields(fields.setdefault(prop, {}), value)
        return {prop: PropertyType(kind, fields.get(prop, {})) for prop, kind in kinds.items()}

    def _write_events(self, event: EventType, group: list[tuple[Event, int]]) -> None:
        rows = _Rows()
        for record, origin in group:
            rows.add(customer_id=record.customer, **self._common(record, origin), offset_s=self._zone.offset(record.ts))
            for column in event.properties.values():
                key = "event", event.name, column.name
                value = self._encoded(key, column.kind, record.properties.get(column.name), column.fields)
                rows.add(**{column.col: value})
        types = {column.col: arrow_type(column) for column in event.properties.values()}
        with self._relation(rows.columns, types) as relation:
            self._written += insert_events(
                self._store, event, relation, {col: col for col in types},
                offset="offset_s", received="received", load=self._load,
            )  # fmt: skip

    def _encoded(self, key: tuple[str, str, str], kind: Kind, value: object, fields: Mapping[str, Field]) -> Any:
        found, mistyped = encoded(kind, fields, value)
        if mistyped:
            self._mistyped[key] = self._mistyped.get(key, 0) + mistyped
        return found

    def _note_mistyped(self) -> None:
        for (what, owner, name), many in self._mistyped.items():
            if what == "event":
                self._registry.count_mistyped(self._registry.events[owner], name, many)
            elif (trait := self._registry.trait(name, owner)) is not None:
                self._registry.count_mistyped_trait(trait, many)

    def _traits(self, kept: list[tuple[TraitChange, int]]) -> None:
        by_trait: dict[tuple[str, str], list[tuple[TraitChange, int]]] = {}
        for record, origin in kept:
            by_trait.setdefault((record.scope, record.name), []).append((record, origin))
        for (scope, name), group in by_trait.items():
            kinds = [kind_of(record.value) for record, _ in group]
            seen = next((kind for kind in kinds if kind is not None and kind is not Kind.OBJECTS), None)
            if seen is None:
                trait = self._registry.ensure_unset_trait(name, scope)
            else:
                trait = self._registry.ensure_trait(name, seen, scope)
            self._write_trait(trait, group)

    def _write_trait(self, trait: Trait, group: list[tuple[TraitChange, int]]) -> None:
        rows = _Rows()
        for record, origin in group:
            value = self._encoded(("trait", trait.scope, trait.name), trait.kind, record.value, {})
            rows.add(owner_id=record.owner, **self._common(record, origin), value=value)
        with self._relation(rows.columns, {"value": arrow_kind(trait.kind)}) as relation:
            self._written += insert_trait(
                self._store, trait, relation, value="value", received="received", load=self._load
            )

    def _common(self, record: Event | TraitChange | ConsentChange, origin: int) -> dict[str, Any]:
        return {
            "ts": record.ts,
            "message_id": record.message_id,
            "origin": origin,
            "received": self._received_of(record),
        }

    def _consents(self, kept: list[tuple[ConsentChange, int]]) -> None:
        rows = _Rows()
        for record, origin in kept:
            rows.add(
                customer_id=record.customer,
                **self._common(record, origin),
                purpose=record.purpose,
                granted=record.granted,
            )
        if kept:
            with self._relation(rows.columns) as relation:
                self._written += insert_consents(self._store, relation, received="received", load=self._load)

    def _lists(self, kept: list[ListChange]) -> None:
        rows = _Rows()
        for record in kept:
            received = self._received_of(record)
            rows.add(name=record.list, id=record.customer, added=record.added, ts=record.ts, received=received)
        if not kept:
            return
        with self._relation(rows.columns) as relation:
            self._store.execute(
                f"INSERT INTO lists SELECT name, min(received) FROM {relation} GROUP BY name ON CONFLICT DO NOTHING"
            )
            self._written += self._count(
                f"INSERT INTO list_changes SELECT r.name, c.key, r.added, r.ts, r.received FROM {relation} AS r "
                "JOIN customers AS c ON c.id = r.id"
            )

    def _merges(self, kept: list[Merge]) -> None:
        for record in kept:
            kept_key, gone_key = self._key(record.kept), self._key(record.gone)
            in_force = "kept = ? AND gone = ? AND undone IS NULL"
            there = self._count(f"SELECT count(*) FROM merges WHERE {in_force}", [kept_key, gone_key])
            if there and record.undone is None:
                self._duplicates += 1
                continue
            self._written += 1
            if there:
                self._store.execute(
                    f"UPDATE merges SET undone = ? WHERE {in_force}", [record.undone, kept_key, gone_key]
                )
            else:
                self._store.execute(
                    "INSERT INTO merges VALUES (?, ?, ?, ?, ?)",
                    [kept_key, gone_key, record.received, record.undone, record.because],
                )

    def _key(self, customer: str) -> int:
        return self._count("SELECT key FROM customers WHERE id = ?", [customer])

    def _count(self, sql: str, parameters: list[object] | None = None) -> int:
        return int(self._store.rows(sql, parameters)[0][0])

    @contextmanager
    def _relation(
        self, columns: Mapping[str, list[Any]], types: Mapping[str, pa.DataType] | None = None
    ) -> Iterator[str]:
        """The columns as a relation of the store, for a moment."""
        import pyarrow as pa

        fixed = {name: _plain_types()[name] for name in columns if name in _plain_types()} | dict(types or {})
        arrays = {name: pa.array(values, type=fixed[name]) for name, values in columns.items()}
        with registered(self._store, "incoming_records", pa.table(arrays)) as relation:
            yield relation


def _owners(record: Record) -> list[tuple[str, int | None, str]]:
    """The owners that a record names, with the instant from which they exist (None where it says nothing of that)."""
    match record:
        case Event():
            return [(record.customer, record.ts, CUSTOMER)]
        case TraitChange():
            return [(record.owner, record.ts, record.scope)]
        case ConsentChange() | ListChange():
            return [(record.customer, None, CUSTOMER)]
        case Merge():
            return [(record.kept, None, CUSTOMER), (record.gone, None, CUSTOMER)]


def reason_against(record: Record) -> str | None:
    """Why a record can't be stored (see ``write_records``), or None."""
    for owner, _, _ in _owners(record):
        if not owner:
            return "no customer is named"
        if not storable(owner):
            return "the customer's id is not valid Unicode"
    if isinstance(record, Merge):
        return "a customer can't be merged with themselves" if record.kept == record.gone else None
    if not EARLIEST <= record.ts < LATEST:
        return "the instant is outside the years 1800 to 2200"
    return _reason_against_values(record)


def _reason_against_values(record: Record) -> str | None:
    values: Iterable[object] = ()
    if isinstance(record, Event):
        values = record.properties.values()
    elif isinstance(record, TraitChange):
        values = (record.value,)
    return next((reason for value in values if (reason := beyond(value)) is not None), None)


def _learn_fields(fields: dict[str, Kind], items: Any) -> None:
    for item in items:
        if not hasattr(item, "items"):
            continue
        for name, value in item.items():
            kind = kind_of(value)
            if kind is not None and kind is not Kind.OBJECTS:
                fields.setdefault(name, kind)


@cache
def _plain_types() -> dict[str, pa.DataType]:
    """The Arrow types of the columns that every relation of records may have."""
    import pyarrow as pa

    texts = ("id", "customer_id", "owner_id", "message_id", "purpose", "name")
    numbers = ("ts", "origin", "received")
    return {
        **dict.fromkeys(texts, pa.string()),
        **dict.fromkeys(numbers, pa.int64()),
        **dict.fromkeys(("granted", "added"), pa.bool_()),
        "offset_s": pa.int32(),
    }
