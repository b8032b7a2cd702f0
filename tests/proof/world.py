"""What a workspace holds, as plain records, and how it looks at one state of knowledge. Nothing here is of the product.

Values are plain Python: ``str``, ``int``/``float``/``Decimal``, ``bool``, ``date``, aware ``datetime``, a list of
``str``, a list of ``dict``, a pair (latitude, longitude); None is missing. Instants are microseconds since 1970 UTC.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from .wire import Node, decode, millionths, moment


@dataclass(frozen=True)
class Event:
    """Something that a customer did."""

    customer: str
    name: str
    ts: int
    properties: Mapping[str, Any]
    message_id: str
    received: int


@dataclass(frozen=True)
class TraitChange:
    """A trait of a customer (or of an account) took a value; None clears it."""

    owner: str
    name: str
    value: Any
    ts: int
    message_id: str
    received: int
    scope: str = "customer"


@dataclass(frozen=True)
class ConsentChange:
    """A customer granted or withdrew consent for a purpose."""

    customer: str
    purpose: str
    granted: bool
    ts: int
    message_id: str
    received: int


@dataclass(frozen=True)
class ListChange:
    """A customer was put on a list, or taken off it."""

    list: str
    customer: str
    added: bool
    ts: int
    received: int


@dataclass(frozen=True)
class Merge:
    """``gone`` joins ``kept``; ``undone`` is when that was taken back."""

    kept: str
    gone: str
    received: int
    undone: int | None = None


@dataclass(frozen=True)
class Threshold:
    """The refreshed threshold of a left side (in wire form) at a rank: ``top 10``, ``bottom 5``, ``percentile 20``."""

    value: Mapping[str, Any]
    rank: str
    number: Fraction
    ts: int
    received: int

    @property
    def low_end(self) -> bool:
        """Whether a small number makes the condition true of many: ``top``, and the lower percentile of two."""
        end, q = self.rank.split(" ")
        return end == "top" or (end == "percentile" and Fraction(q) < 50)

    @cached_property
    def side(self) -> Node:
        """The decoded left side."""
        return decode(self.value)


@dataclass(frozen=True)
class Published:
    """A recorded change of membership: ``entered`` or ``left``."""

    segment: str
    customer: str
    change: str
    ts: int
    received: int


@dataclass(frozen=True)
class Segment:
    """A definition: its condition in wire form and the names of its lists."""

    where: Mapping[str, Any]
    always: str | None = None
    never: str | None = None

    @cached_property
    def condition(self) -> Node:
        """The decoded condition."""
        return decode(self.where)


@dataclass(frozen=True)
class World:
    """Everything a workspace holds.

    ``records`` are events and trait changes in the order in which they were acknowledged. ``traits`` and ``events`` are
    the declared kinds; the kind of a list of objects is the mapping of its fields' kinds.
    """

    zone: str = "UTC"
    traits: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    records: tuple[Event | TraitChange, ...] = ()
    consents: tuple[ConsentChange, ...] = ()
    lists: tuple[ListChange, ...] = ()
    merges: tuple[Merge, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    published: tuple[Published, ...] = ()
    purposes: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, Segment] = field(default_factory=dict)

    def as_known(self, known_at: int | None = None) -> Knowledge:
        """What is known of it, sorted out once: a world doesn't change."""
        if known_at not in self._known:
            self._known[known_at] = Knowledge(self, known_at)
        return self._known[known_at]

    @cached_property
    def _known(self) -> dict[int | None, Knowledge]:
        return {}


def point(latitude: float, longitude: float) -> tuple[int, int, int]:
    """A place as its unit vector × 10⁹ in three integers."""
    lat, lon = math.radians(latitude), math.radians(longitude)
    x, y, z = math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)
    return round(x * 10**9), round(y * 10**9), round(z * 10**9)


def typed(value: Any, kind: Any) -> Any:
    """The value in its declared type, or None: a value of another type is missing, nothing is coerced."""
    if value is None:
        return None
    if isinstance(kind, Mapping):
        if not isinstance(value, list):
            return None
        return tuple({name: typed(item.get(name), k) for name, k in kind.items()} for item in value)
    if kind == "text":
        return value if isinstance(value, str) else None
    if kind == "yes/no":
        return value if isinstance(value, bool) else None
    if kind == "number":
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return millionths(Fraction(value)) if number else None
    if kind == "date":
        return value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else None
    if kind == "instant":
        return moment(value) if isinstance(value, dt.datetime) else None
    if kind == "list of text":
        return tuple(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else None
    assert kind == "geo point"
    return point(*value) if isinstance(value, tuple) else None


def order(record: Event | TraitChange | ConsentChange) -> tuple[int, str]:
    """Events, and trait changes, stand in the order of ts, then message id."""
    return record.ts, record.message_id


class Knowledge:
    """A world as it is known: today (``known_at`` None), or what had been received by ``known_at``."""

    def __init__(self, world: World, known_at: int | None = None) -> None:
        self.world = world
        self.known_at = known_at

    def received(self, record: Any) -> bool:
        """Whether this had been received."""
        return self.known_at is None or record.received <= self.known_at

    @cached_property
    def records(self) -> list[Event | TraitChange]:
        """Of equal message ids the copy first acknowledged stays; values of another type are missing."""
        kept: dict[str, Event | TraitChange] = {}
        for record in self.world.records:
            kept.setdefault(record.message_id, record)
        return [self._typed(r) for r in kept.values() if self.received(r)]

    def _typed(self, r: Event | TraitChange) -> Event | TraitChange:
        if isinstance(r, Event):
            kinds = self.world.events[r.name]
            values = {p: typed(v, kinds[p]) for p, v in r.properties.items()}
            return Event(r.customer, r.name, r.ts, values, r.message_id, r.received)
        name = r.name if r.scope == "customer" else f"account.{r.name}"
        value = typed(r.value, self.world.traits[name])
        return TraitChange(r.owner, r.name, value, r.ts, r.message_id, r.received, r.scope)

    @cached_property
    def joined(self) -> dict[str, str]:
        """For each id that is gone, the id that it joined: the merges in force."""
        known = [m for m in self.world.merges if self.received(m)]
        if self.known_at is None:
            return {m.gone: m.kept for m in known if m.undone is None}
        return {m.gone: m.kept for m in known if m.undone is None or m.undone > self.known_at}

    def survivor(self, customer: str) -> str:
        """The id that stands for a customer."""
        while customer in self.joined:
            customer = self.joined[customer]
        return customer

    @cached_property
    def ids(self) -> dict[str, set[str]]:
        """For each surviving id, all the ids that it stands for."""
        w = self.world
        mentioned = {r.customer if isinstance(r, Event) else r.owner for r in self.records if _of_customer(r)}
        mentioned |= {c.customer for c in (*w.consents, *w.lists, *w.published)}
        mentioned |= {i for m in w.merges for i in (m.kept, m.gone)}
        groups: dict[str, set[str]] = {}
        for one in mentioned:
            groups.setdefault(self.survivor(one), set()).add(one)
        return groups

    @cached_property
    def _events(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for r in self.records:
            if isinstance(r, Event):
                found.setdefault(self.survivor(r.customer), []).append(r)
        return {customer: sorted(events, key=order) for customer, events in found.items()}

    @cached_property
    def _changes(self) -> dict[tuple[str, str, str], list[TraitChange]]:
        found: dict[tuple[str, str, str], list[TraitChange]] = {}
        for r in self.records:
            if isinstance(r, TraitChange):
                owner = self.survivor(r.owner) if r.scope == "customer" else r.owner
                found.setdefault((r.scope, owner, r.name), []).append(r)
        return {key: sorted(changes, key=order) for key, changes in found.items()}

    def events(self, customer: str) -> list[Event]:
        """A customer's events, those of all their ids, in order."""
        return self._events.get(customer, [])

    def changes(self, scope: str, owner: str, name: str) -> list[TraitChange]:
        """The changes of a trait, in order."""
        return self._changes.get((scope, owner, name), [])

    def exists_from(self, customer: str) -> int | None:
        """The earliest ts of the customer's events and trait changes."""
        own = [e.ts for e in self.events(customer)]
        own += [
            c.ts
            for (scope, owner, _), cs in self._changes.items()
            if (scope, owner) == ("customer", customer)
            for c in cs
        ]
        return min(own, default=None)

    @cached_property
    def customers(self) -> dict[str, int]:
        """Every customer who ever exists, with the instant from which they do."""
        found = {c: self.exists_from(c) for c in self.ids}
        return {c: ts for c, ts in sorted(found.items()) if ts is not None}

    def trait(self, customer: str, name: str, at: int) -> Any:
        """The value of a trait after all changes of ts ≤ ``at``; missing before the first."""
        scope, owner, plain = "customer", customer, name
        if name.startswith("account."):
            account = self.account(customer, at)
            if account is None:
                return None
            scope, owner, plain = "account", account, name.removeprefix("account.")
        done = [c for c in self.changes(scope, owner, plain) if c.ts <= at]
        return done[-1].value if done else None

    def trait_instants(self, customer: str, name: str) -> set[int]:
        """Every instant at which the value of a trait might change."""
        if not name.startswith("account."):
            return {c.ts for c in self.changes("customer", customer, name)}
        own = self.changes("customer", customer, "account_id")
        plain = name.removeprefix("account.")
        theirs = [c for a in own if a.value is not None for c in self.changes("account", a.value, plain)]
        return {c.ts for c in own} | {c.ts for c in theirs}

    def account(self, customer: str, at: int) -> str | None:
        """The account that a customer belongs to at an instant."""
        found = self.trait(customer, "account_id", at)
        assert found is None or isinstance(found, str)
        return found

    def account_events(self, customer: str, at: int) -> list[Event]:
        """The events of all customers of the account."""
        account = self.account(customer, at)
        if account is None:
            return []
        colleagues = [c for c in self.customers if self.account(c, at) == account]
        return sorted((e for c in colleagues for e in self.events(c)), key=order)

    def listed(self, customer: str, name: str, at: int) -> bool:
        """Whether any of the customer's ids is on a list."""
        return any(self._listed(one, name, at) for one in self.ids[customer])

    def _listed(self, one: str, name: str, at: int) -> bool:
        done = [c for c in self.world.lists if (c.list, c.customer) == (name, one) and c.ts <= at and self.received(c)]
        return max(done, key=lambda c: c.ts).added if done else False

    def consents(self, customer: str, purpose: str, at: int) -> bool:
        """Whether the customer consents: a withdrawal by any id wins; for unknown, the purpose's basis speaks."""
        states = {self._granted(one, purpose, at) for one in self.ids[customer]}
        if False in states:
            return False
        return True in states or self.world.purposes[purpose] == "legitimate-interest"

    def _granted(self, one: str, purpose: str, at: int) -> bool | None:
        w = self.world
        done = [c for c in w.consents if (c.customer, c.purpose) == (one, purpose) and c.ts <= at and self.received(c)]
        return max(done, key=order).granted if done else None

    def published(self, customer: str, segment: str, change: str) -> list[int]:
        """The instants at which any of the customer's ids entered or left a segment, as it was published."""
        ids = self.ids[customer]
        return [
            p.ts
            for p in self.world.published
            if p.customer in ids and (p.segment, p.change) == (segment, change) and self.received(p)
        ]

    def threshold(self, value: Node, rank: str, at: int) -> Fraction | None:
        """The threshold of the last refresh, None before the first."""
        done = [
            t for t in self.world.thresholds if t.rank == rank and t.ts <= at and self.received(t) and t.side == value
        ]
        return max(done, key=lambda t: t.ts).number if done else None


def _of_customer(record: Event | TraitChange) -> bool:
    return isinstance(record, Event) or record.scope == "customer"
