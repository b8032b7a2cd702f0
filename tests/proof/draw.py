"""Random worlds: histories with everything that goes wrong in life, definitions over the whole language, and instants.

One seed gives one ``Batch``. Most definitions are a single leaf, so that no other part hides what a leaf says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from random import Random
from typing import Any

from .aim import Aim, edges
from .bounds import WRITTEN, bounds_by_name, ends, nodes_in
from .draw_conditions import HISTORIC, Conditions
from .vocabulary import (
    ACCOUNTS,
    DURATIONS,
    EVENT_WEIGHTS,
    EVENTS,
    LISTS,
    PURPOSES,
    TRAITS,
    ZONES,
    Setting,
    Wire,
    duration,
    micros,
)
from .wire import EPOCH, MICROSECOND, decode
from .world import ConsentChange, Event, ListChange, Merge, Published, Segment, Threshold, TraitChange, World
from .zones import DAY, HOUR

CUSTOMERS = tuple(f"c{i:02d}" for i in range(12))
EVENTFUL = CUSTOMERS[:10]
"""The other two have traits at most."""


@dataclass(frozen=True)
class Batch:
    """A world with its definitions, and the questions: pairs of (t, known at)."""

    seed: int
    world: World
    questions: tuple[tuple[int, int | None], ...]

    @cached_property
    def edges(self) -> tuple[tuple[str, int], ...]:
        """Single definitions at the very instants at which somebody enters or leaves them."""
        return tuple(edges(self.seed, self.world, self.questions))


def batch(seed: int, definitions: int = 52, questions: int = 6) -> Batch:
    """The batch of a seed."""
    r = Random(seed)
    setting = Setting(*ZONES[seed % len(ZONES)])
    segments = draw_segments(r, setting, definitions)
    world = draw_world(r, setting, segments)
    asked = list(draw_questions(r, setting, world, questions))
    return Batch(seed, Aim(r, world, asked).world_aimed(), tuple(asked))


def draw_segments(r: Random, setting: Setting, many: int) -> dict[str, Segment]:
    """Definitions by slug; a later one may name an earlier one."""
    conditions = Conditions(r, setting)
    leaves = conditions.leaves()
    r.shuffle(leaves)
    segments: dict[str, Segment] = {}
    for i in range(many):
        where = leaves[i]() if i < len(leaves) and r.random() < 0.85 else conditions.tree()
        always, never = (r.choice(LISTS) if r.random() < 0.08 else None for _ in range(2))
        segments[f"s{i:02d}"] = Segment(where, always, never)
        conditions.segments.append(f"s{i:02d}")
    return segments


def draw_world(r: Random, setting: Setting, segments: dict[str, Segment]) -> World:
    """A workspace's whole content."""
    bounds = bounds_by_name([segment.where for segment in segments.values()], setting.zone)
    history = History(r, setting, bounds)
    records = [*history.event_records(), *history.trait_records()]
    records.sort(key=lambda record: record.received)
    return World(
        zone=setting.zone,
        traits=TRAITS,
        events=EVENTS,
        records=tuple(history.with_duplicates(records)),
        consents=tuple(history.consents()),
        lists=tuple(history.lists()),
        merges=tuple(history.merges()),
        thresholds=tuple(history.thresholds(segments)),
        published=tuple(history.published(HISTORIC)),
        purposes=PURPOSES,
        segments=segments,
    )


def draw_questions(r: Random, setting: Setting, world: World, many: int) -> Iterator[tuple[int, int | None]]:
    """Instants at the edges of windows over what happened (± 1 µs), and anywhere."""
    others = (
        world.records,
        world.records,
        world.consents,
        world.lists,
        world.merges,
        world.thresholds,
        world.published,
    )
    pools = [[x.received for x in pool] for pool in others]
    pools.append([merge.undone for merge in world.merges if merge.undone is not None])
    for i in range(many):
        at = r.randrange(setting.start + DAY, setting.end + 2 * DAY) if i % 4 == 3 else aimed(r, world)
        learned = r.choice(r.choice(pools) or [at]) + r.choice((-1, 0, 0, 1))
        yield at, r.choice((at, learned, learned)) if i % 3 == 2 else None


def aimed(r: Random, world: World) -> int:
    """An instant at which a record of one definition stands at the edge of one of its windows, or a microsecond off.

    Now and then it is the written end of a window itself.
    """
    wire = r.choice(list(world.segments.values())).where
    written = [end for node in nodes_in(wire) if node["node"] in WRITTEN for end in ends(node, world.zone)]
    if written and r.random() < 0.5:
        return r.choice(written) + r.choice((-1, 0, 0, 1))
    names = set(names_in(wire))
    instants = [x.ts for x in world.records if x.name in names or f"account.{x.name}" in names]
    instants = instants or [x.ts for x in world.records] or [0]
    ahead = r.choice([*edges_in(wire), *edges_in(wire), 0])
    return r.choice(instants) + ahead + r.choice((-1, 0, 0, 1))


def names_in(wire: Any) -> Iterator[str]:
    """Every name of an event or a trait in a wire form."""
    if isinstance(wire, list):
        for part in wire:
            yield from names_in(part)
    elif isinstance(wire, dict):
        if "name" in wire:
            yield wire["name"]
        yield from names_in([v for v in wire.values() if isinstance(v, dict | list)])


def edges_in(wire: Any) -> Iterator[int]:
    """How far behind t the edges of the windows in a wire form lie."""
    if isinstance(wire, list):
        for part in wire:
            yield from edges_in(part)
    elif isinstance(wire, dict):
        if wire["node"] == "duration":
            yield micros(wire)
        if wire["node"] == "before last":
            yield micros(wire["length"]) + micros(wire["before"])
        if wire["node"] == "regularly":
            yield from (i * micros(wire["length"]) for i in range(1, wire["of_last"] + 1))
        yield from edges_in([v for v in wire.values() if isinstance(v, dict | list)])


class History:
    """Draws what a workspace holds."""

    def __init__(self, r: Random, setting: Setting, bounds: dict[str, list[int]]) -> None:
        self.r = r
        self.setting = setting
        self.bounds = bounds
        self.used: list[int] = []
        self.own: list[int] = []
        self.ids: set[str] = set()

    def ts(self, name: str = "") -> int:
        """An instant: a mark that others share, one used before, or a window's length (± 1 µs) away from one.

        What happens under a name that windows with written ends are about often happens right at such an end.
        """
        way = self.r.random()
        near = self.own if self.own and self.r.random() < 0.7 else self.used
        if name in self.bounds and self.r.random() < 0.3:
            ts = self.r.choice(self.bounds[name]) + self.r.choice((-1, 0, 0, 1))
        elif way < 0.25 or not near:
            ts = self.r.choice(self.setting.anchors)
        elif way < 0.45:
            ts = self.r.choice(self.setting.marks)
        elif way < 0.6:
            ts = self.r.choice(near)
        elif way < 0.9:
            step = micros(duration(*self.r.choice(DURATIONS)))
            ts = self.r.choice(near) + self.r.choice((-1, 1)) * step + self.r.choice((-1, 0, 0, 0, 1))
        else:
            ts = self.r.randrange(self.setting.start, self.setting.end)
        ts = max(ts, self.setting.start - DAY)
        self.used.append(ts)
        self.own.append(ts)
        return ts

    def received(self, ts: int) -> int:
        """When it became known: mostly at once, at times late, at times before it happens."""
        return ts + self.r.choices((0, HOUR, 4 * DAY, 15 * DAY, -3 * DAY), (10, 4, 3, 2, 1))[0]

    def message_id(self) -> str:
        """An id that says nothing of the order in which it came."""
        while True:
            made = f"{self.r.randrange(16**4):04x}"
            if made not in self.ids:
                self.ids.add(made)
                return made

    def event_records(self) -> Iterator[Event]:
        """What the customers did."""
        for customer in EVENTFUL:
            self.own = []
            for _ in range(self.r.choice((0, 6, 14, 20, 28))):
                name = self.r.choices(list(EVENT_WEIGHTS), list(EVENT_WEIGHTS.values()))[0]
                ts = self.ts(name)
                for _ in range(self.r.choices((1, 2, 3), (8, 2, 1))[0]):
                    yield Event(customer, name, ts, self.properties(name), self.message_id(), self.received(ts))

    def properties(self, name: str) -> dict[str, Any]:
        """Some properties: absent, null, empty and, now and then, of another type."""
        return {p: self.property(p, kind) for p, kind in EVENTS[name].items() if self.r.random() < 0.85}

    def property(self, name: str, kind: Any) -> Any:
        """One value of a property."""
        if isinstance(kind, dict):
            if self.r.random() < 0.15:
                return None
            return [self.item(kind) for _ in range(self.r.choice((0, 1, 2, 2)))]
        return self.r.choice(self.setting.values(name, kind))

    def item(self, fields: dict[str, str]) -> dict[str, Any]:
        """One item of a list of objects."""
        return {f: self.r.choice(self.setting.values(f, kind)) for f, kind in fields.items() if self.r.random() < 0.9}

    def trait_records(self) -> Iterator[TraitChange]:
        """How the traits of customers and accounts changed; those of accounts often as somebody came or left."""
        moves: list[int] = []
        for customer in CUSTOMERS:
            self.own = []
            for name in (n for n in TRAITS if not n.startswith("account.")):
                for _ in range(self.r.choice((0, 1, 1, 2, 4))):
                    change = self.change(customer, name, TRAITS[name], "customer")
                    moves += [change.ts] if name == "account_id" else []
                    yield change
        for account in ACCOUNTS:
            self.own = list(moves)
            for name in (n for n in TRAITS if n.startswith("account.")):
                for _ in range(self.r.choice((0, 1, 2, 3))):
                    yield self.change(account, name, TRAITS[name], "account")

    def change(self, owner: str, name: str, kind: str, scope: str) -> TraitChange:
        """One change of a trait."""
        ts = self.ts(name)
        value = self.r.choice(self.setting.values(name, kind))
        if kind == "instant" and name in self.bounds and self.r.random() < 0.3:
            value = EPOCH + (self.r.choice(self.bounds[name]) + self.r.choice((-1, 0, 0, 1))) * MICROSECOND
        plain = name.removeprefix("account.")
        return TraitChange(owner, plain, value, ts, self.message_id(), self.received(ts), scope)

    def with_duplicates(self, records: list[Event | TraitChange]) -> list[Event | TraitChange]:
        """Some messages come again, as they were or with another content; they are known by their id."""
        again = []
        for record in self.r.sample(records, min(4, len(records))):
            copy = replace(record, received=record.received + self.r.choice((0, DAY)))
            if self.r.random() < 0.6:
                copy = replace(copy, ts=self.ts())
            again.append(copy)
        found: list[Event | TraitChange] = list(records)
        for copy in again:
            place = next((i for i, x in enumerate(found) if x.received > copy.received), len(found))
            found.insert(place, copy)
        return found

    def consents(self) -> Iterator[ConsentChange]:
        """Who granted and who withdrew."""
        for customer in CUSTOMERS:
            for purpose in PURPOSES:
                for _ in range(self.r.choice((0, 1, 1, 2))):
                    ts = self.ts()
                    granted = self.r.random() < 0.6
                    yield ConsentChange(customer, purpose, granted, ts, self.message_id(), self.received(ts))

    def lists(self) -> Iterator[ListChange]:
        """Who was put on a list, and taken off again; a list's own instants don't repeat for a customer."""
        for customer in CUSTOMERS:
            for name in LISTS:
                stamps = sorted({self.ts() for _ in range(self.r.choice((0, 1, 1, 2)))})
                for i, ts in enumerate(stamps):
                    yield ListChange(name, customer, i % 2 == 0, ts, self.received(ts))

    def merges(self) -> Iterator[Merge]:
        """Customers who turned out to be one, and some who didn't after all; nobody joins two at a time."""
        pool = list(CUSTOMERS)
        self.r.shuffle(pool)
        for _ in range(self.r.choice((0, 1, 2, 3))):
            gone, kept = pool.pop(), self.r.choice(pool)
            received = self.r.choice(self.setting.marks)
            undone = received + self.r.choice((6 * HOUR, 3 * DAY)) if self.r.random() < 0.4 else None
            yield Merge(kept, gone, received, undone)

    def thresholds(self, segments: dict[str, Segment]) -> Iterator[Threshold]:
        """The refreshes of every threshold that a definition reads; some have none yet."""
        ranks = {}
        for segment in segments.values():
            for value, rank in ranks_in(segment.where):
                ranks[repr(value), rank] = value, rank
        for value, rank in ranks.values():
            times = (1, 2, 3) if rank.startswith("percentile") else (0, 1, 2, 2, 2, 3)
            for ts in sorted({min(self.ts(), self.ts()) for _ in range(self.r.choice(times))}):
                drawn = Threshold(value, rank, Fraction(0), ts, self.received(ts))
                numbers = ("-3", "0", "1", "2") if drawn.low_end else ("5", "10", "20/3", "30")
                yield replace(drawn, number=Fraction(self.r.choice(numbers)))

    def published(self, slugs: tuple[str, ...]) -> Iterator[Published]:
        """The recorded history of some segments."""
        for slug in slugs:
            for customer in CUSTOMERS:
                stamps = sorted({self.ts(slug) for _ in range(self.r.choice((0, 1, 2, 3)))})
                for i, ts in enumerate(stamps):
                    yield Published(slug, customer, ("entered", "left")[i % 2], ts, self.received(ts))


def ranks_in(wire: Any) -> Iterator[tuple[Wire, str]]:
    """Every threshold that a wire form reads."""
    if isinstance(wire, list):
        for part in wire:
            yield from ranks_in(part)
    elif isinstance(wire, dict):
        if wire["node"] == "ranked":
            yield wire["value"], f"{wire['end']} {decode(wire).percent}"
        if wire["node"] == "percentile":
            found = decode(wire)
            yield wire["value"], f"percentile {found.low}"
            yield wire["value"], f"percentile {found.high}"
        yield from ranks_in([v for v in wire.values() if isinstance(v, dict | list)])
