"""One customer as people see them: traits with where they came from, consent, lists, and the timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant
from shoal.customers.identity import merged
from shoal.errors import UnknownName
from shoal.lang.schema import Kind
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sql import views
from shoal.sql.encode import quoted
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.subjects import in_force, survivors
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shoal.lang.schema import Schema
    from shoal.sql.registry import Trait
    from shoal.sql.store import Store

_EPOCH_DAY = date(1970, 1, 1)
_FILE_BITS = 40


@dataclass(frozen=True, slots=True)
class TraitValue:
    """A trait's value at an instant, since when, and where it came from: file and line, ``api`` or ``computed``."""

    name: str
    value: Any
    since: int
    origin: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of a customer, its properties by name."""

    event: str
    ts: int
    properties: dict[str, Any]
    origin: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one customer at an instant."""

    id: str
    at: int
    known_since: int | None
    traits: list[TraitValue]
    consents: dict[str, tuple[bool, int]]
    lists: list[str]
    merged_ids: list[str]
    timeline: list[TimelineEntry]


def decoded(kind: str, value: Any) -> Any:
    """The value that people know from the stored form: numbers as ``Decimal``, dates and instants as Python's."""
    if value is None:
        return None
    match kind:
        case Kind.NUMBER:
            return Decimal(value).scaleb(-6)
        case Kind.DATE:
            return _EPOCH_DAY + timedelta(days=value)
        case Kind.INSTANT:
            return from_instant(value)
    return value


def _decode_sql(column: str, kind: Kind) -> str:
    # Out of the house an instant must say that it is UTC.
    return f"make_timestamptz({column})" if kind is Kind.INSTANT else views.decoded(kind, column)


def group_of(store: Store, key: int) -> list[int]:
    """A customer's key and those of all who were merged into them."""
    return [key, *(gone for gone, kept in survivors(store).items() if kept == key)]


def rows_with_traits(
    store: Store, customers: str, traits: Sequence[str], schema: Schema, at: int, known_at: int | None = None
) -> str:
    """A query that gives ``customer_id`` and a column per trait for each key in ``customers``, ordered by id.

    Args:
        store: the workspace's store.
        customers: SQL that gives keys in a column ``customer``.
        traits: names of the customers' own traits.
        schema: the known traits, for the error.
        at: the instant that values are read at.
        known_at: only what had been received by then; None for all.

    Raises:
        UnknownName: for an unknown trait.
    """
    registry = Registry.load(store)
    columns, joins = ["k.id AS customer_id"], []
    for index, name in enumerate(traits):
        trait = registry.trait(name)
        if trait is None:
            raise UnknownName("trait", name, [t for t in schema.traits if not t.startswith(ACCOUNT_PREFIX)])
        columns.append(f"{_decode_sql(f't{index}.value', trait.kind)} AS {views.identifier(name)}")
        joins.append(
            f"LEFT JOIN ({current_values(store, trait, at, known_at)}) t{index} ON t{index}.owner = m.customer"
        )
    return (
        f"SELECT {', '.join(columns)} FROM ({customers}) m JOIN customers k ON k.key = m.customer "
        f"{' '.join(joins)} ORDER BY k.id"
    )


def current_values(
    store: Store, trait: Trait, at: int, known_at: int | None = None, *, among: str | None = None
) -> str:
    """A query that gives ``owner, value``: the value of a trait at an instant, merged customers as one.

    Read it before anything is merged anew: it names a temporary table of those who stand for others. ``among`` is a
    relation with the column ``owner``: only those are looked at.
    """
    rows = f"SELECT owner, value, {_order(store, trait)} AS nth FROM {trait.table} WHERE {in_force(known_at)} AND ts <= {at:d}"
    if trait.scope == CUSTOMER:
        rows = merged(store, rows, "owner")
    within = "" if among is None else f" WHERE owner IN (SELECT owner FROM {among})"
    return f"SELECT owner, arg_max_null(value, nth) AS value FROM ({rows}){within} GROUP BY owner"


def current_consents(store: Store, purpose: str, at: int, *, refusals_ahead: bool = False) -> str:
    """A query that gives ``customer, granted``: the newest word on a purpose at an instant.

    Of the ids that were merged into one customer a refusal wins.

    Args:
        store: the workspace's store.
        purpose: what consent is for.
        at: the instant.
        refusals_ahead: a refusal on record counts even if its time is later.
    """
    known = f"retired IS NULL AND (ts <= {at:d} OR NOT granted)" if refusals_ahead else _until(at)
    newest = (
        f"SELECT customer, granted FROM consents WHERE purpose = {quoted(purpose)} AND {known} "
        f"QUALIFY row_number() OVER (PARTITION BY customer ORDER BY ts DESC, {MESSAGE_ID} DESC) = 1"
    )
    return f"SELECT customer, bool_and(granted) AS granted FROM ({merged(store, newest)}) GROUP BY customer"


def _order(store: Store, trait: Trait) -> str:
    """The SQL of what orders changes: ts, then message id; where no row bears one, a number, which compares faster."""
    if store.rows(f"SELECT 1 FROM {trait.table} WHERE message_id IS NOT NULL LIMIT 1"):
        return f"row(ts, {MESSAGE_ID})"
    return "CAST(ts AS HUGEINT) * 9223372036854775808 + origin"


def _until(at: int) -> str:
    return f"retired IS NULL AND ts <= {at:d}"


def profile(store: Store, key: int, at: int, *, newest: int = 20) -> Profile:
    """All that is known of a customer at an instant.

    Args:
        store: the workspace's store.
        key: of the surviving customer.
        at: the instant.
        newest: how many events of the timeline to give, newest first.
    """
    keys = group_of(store, key)
    inside = ", ".join(map(str, keys))
    ids = dict(store.rows(f"SELECT key, id FROM customers WHERE key IN ({inside})"))
    (since,) = store.rows(f"SELECT min(first_ts) FROM customers WHERE key IN ({inside})")[0]
    origins = _Origins(store)
    return Profile(
        id=ids[key],
        at=at,
        known_since=since,
        traits=list(_traits(store, inside, at, origins)),
        consents=_consents(store, inside, at),
        lists=_lists(store, inside, at),
        merged_ids=[ids[k] for k in keys[1:]],
        timeline=_timeline(store, inside, at, newest, origins),
    )


class _Origins:
    """Names where a row came from: the file and line, or the API."""

    def __init__(self, store: Store) -> None:
        self._files = dict(store.rows("SELECT no, path FROM files"))

    def name(self, origin: int) -> str:
        number, line = origin >> _FILE_BITS, origin & ((1 << _FILE_BITS) - 1)
        return f"{self._files.get(number, 'file')}:{line}" if number else "api"


def _traits(store: Store, inside: str, at: int, origins: _Origins) -> Iterable[TraitValue]:
    known = [t for t in Registry.load(store).traits.values() if t.scope == CUSTOMER]
    for trait in sorted(known, key=lambda t: t.name):
        rows = store.rows(
            f"SELECT value, ts, origin FROM {trait.table} WHERE owner IN ({inside}) AND {_until(at)} "
            f"ORDER BY ts DESC, {MESSAGE_ID} DESC LIMIT 1"
        )
        for value, ts, origin in rows:
            if value is not None:
                source = "computed" if trait.score else origins.name(origin)
                yield TraitValue(trait.name, decoded(trait.kind, value), ts, source)


def _consents(store: Store, inside: str, at: int) -> dict[str, tuple[bool, int]]:
    rows = store.rows(
        f"SELECT purpose, bool_and(granted), max(ts) FROM (SELECT * FROM consents WHERE customer IN ({inside}) "
        f"AND retired IS NULL AND ts <= {at} QUALIFY row_number() OVER (PARTITION BY customer, purpose "
        f"ORDER BY ts DESC, {MESSAGE_ID} DESC) = 1) GROUP BY purpose ORDER BY purpose"
    )
    return {purpose: (granted, ts) for purpose, granted, ts in rows}


def _lists(store: Store, inside: str, at: int) -> list[str]:
    rows = store.rows(
        f"SELECT DISTINCT list FROM (SELECT list, added FROM list_changes WHERE customer IN ({inside}) AND ts <= {at} "
        "QUALIFY row_number() OVER (PARTITION BY customer, list ORDER BY ts DESC, received DESC) = 1) "
        "WHERE added ORDER BY list"
    )
    return [name for (name,) in rows]


def _timeline(store: Store, inside: str, at: int, newest: int, origins: _Origins) -> list[TimelineEntry]:
    heads = []
    for number, name in store.rows("SELECT id, name FROM event_types"):
        rows = store.rows(
            f"SELECT ts, origin FROM event_{number} WHERE customer IN ({inside}) AND retired IS NULL AND ts <= {at} "
            f"ORDER BY ts DESC LIMIT {newest}"
        )
        heads += [(ts, name, number, origin) for ts, origin in rows]
    heads.sort(reverse=True)
    return [_entry(store, *head, inside, origins) for head in heads[:newest]]


def _entry(store: Store, ts: int, name: str, number: int, origin: int, inside: str, origins: _Origins) -> TimelineEntry:
    columns = store.rows("SELECT name, kind, col FROM properties WHERE event_type = ? ORDER BY name", [number])
    plain = [(n, kind, col) for n, kind, col in columns if kind != Kind.OBJECTS]
    lists = [(n, col) for n, kind, col in columns if kind == Kind.OBJECTS]
    wanted = [col for _, _, col in plain] + [f"len({col})" for _, col in lists]
    if not wanted:
        return TimelineEntry(name, ts, {}, origins.name(origin))
    row = store.rows(
        f"SELECT {', '.join(wanted)} FROM event_{number} WHERE customer IN ({inside}) AND ts = ? AND origin = ? LIMIT 1",
        [ts, origin],
    )[0]
    values = {n: decoded(kind, v) for (n, kind, _), v in zip(plain, row, strict=False) if v is not None}
    values |= {
        n: f"{count} item{'' if count == 1 else 's'}"
        for (n, _), count in zip(lists, row[len(plain) :], strict=True)
        if count
    }
    return TimelineEntry(name, ts, values, origins.name(origin))
