"""The instants at which a leaf of a definition may change for one customer, found from what is recorded of them.

More than needed does no harm: the leaf is asked at each of them. One too few would be a wrong answer.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.calendar import Zone, unit_start
from shoal.lang.schema import Kind
from shoal.lang.tree import walk
from shoal.sql.emit.history import held_trait
from shoal.sql.thresholds import ranks_of, recorded, value_text
from shoal.sql.traits import trait_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.sql.facts import Facts
    from shoal.sql.plan import Plan

_EPOCH = date(1970, 1, 1)
_YEARS_AHEAD = 10
"""Within so many years every anniversary in a window of at most 366 dates has come and gone, leap years included."""


class Candidates:
    """The instants of the leaves of one customer.

    Args:
        plan: the store and its schema.
        facts: what is recorded.
        who: the surviving customer.
        at: the instant from which on changes are looked for.
    """

    def __init__(self, plan: Plan, facts: Facts, who: int, at: int) -> None:
        self._plan = plan
        self._facts = facts
        self._who = who
        self._at = at
        self._zone: Zone = plan.frame.zone

    def of(self, leaf: n.Node) -> set[int]:
        """The instants after ``at`` at which the leaf may change, crossings of values that grow with time apart."""
        found: set[int] = set()
        for node in walk(leaf):
            found.update(self._of_node(node))
        return {instant for instant in found if instant > self._at}

    def _of_node(self, node: n.Node) -> Iterator[int]:
        match node:
            case n.Trait(name):
                yield from self._trait(name)
            case n.Events():
                yield from self._account(node)
            case n.Aggregate(events=events, window=window) | n.Did(events=events, window=window):
                yield from self._in_window(events, window)
            case n.DaysSinceEvent(events=events):
                yield from self._events(events)
            case n.DidFirst(events, window) | n.NotAfter(events=events, window=window):
                yield from self._in_window(events, window)
            case n.Sequence():
                yield from self._sequence(node)
            case n.Regularly(events, _, _, of_last, length):
                yield from (ts + i * length.micros for ts in self._events(events) for i in range(of_last + 1))
            case _:
                yield from self._of_customer(node)

    def _of_customer(self, node: n.Node) -> Iterator[int]:
        match node:
            case n.When(trait, window):
                for instant in self._instants(trait.name):
                    yield from self._edges(window, instant)
            case n.Held(length=length):
                yield from (ts + length.micros for ts in self._trait(held_trait(node)))
            case n.Changed(trait=trait, window=window):
                for ts in self._trait(trait.name):
                    yield from self._edges(window, ts)
            case n.Anniversary(trait, days):
                yield from self._anniversaries(trait.name, days)
            case n.Ranked() | n.Percentile():
                known_at = self._plan.frame.known_at
                for rank in ranks_of(node):
                    yield from (t.ts for t in recorded(self._plan.store, value_text(node.value), rank, known_at))
            case _:
                yield from self._of_membership(node)

    def _of_membership(self, node: n.Node) -> Iterator[int]:
        match node:
            case n.ListedIn(name):
                yield from self._facts.listed(name).get(self._who, ())
            case n.Consents(purpose):
                yield from self._facts.consents(purpose).get(self._who, ())
            case n.Entered(segment, window) | n.Left(segment, window):
                change = "entered" if isinstance(node, n.Entered) else "left"
                for ts in self._facts.published(segment, change).get(self._who, ()):
                    yield from self._edges(window, ts)

    # ------------------------------------------------------------ records

    def _events(self, events: n.Events) -> list[int]:
        return self._facts.events(events).get(self._who, [])

    def _account(self, events: n.Events) -> list[int]:
        return self._facts.moves().get(self._who, []) if events.of_account else []

    def _trait(self, name: str) -> list[int]:
        return [ts for ts, _ in self._facts.trait(name).get(self._who, [])]

    def _in_window(self, events: n.Events, window: n.Window | None) -> Iterator[int]:
        for ts in self._events(events):
            yield ts
            yield from self._edges(window, ts)

    def _sequence(self, node: n.Sequence) -> Iterator[int]:
        yield from self._in_window(node.first, node.window)
        before = node.first
        for step in node.steps:
            yield from self._events(step.events)
            if step.absent and step.within is not None:
                yield from (ts + step.within.micros for ts in self._events(before))
            before = step.events

    # ------------------------------------------------------------ time

    def _edges(self, window: n.Window | None, ts: int) -> Iterator[int]:
        """When something at ``ts`` enters or leaves a window."""
        match window:
            case n.Last(length):
                yield from (ts, ts + length.micros)
            case n.BeforeLast(length, before):
                yield from (ts + before.micros, ts + before.micros + length.micros)
            case n.Next(length):
                yield from (ts - length.micros, ts)
            case n.This(unit):
                yield from (ts, *self._unit_starts(ts, unit, 1))
            case n.LastCalendar(amount, unit):
                yield from self._unit_starts(ts, unit, 1)
                yield from self._unit_starts(ts, unit, amount + 1)
            case _:
                yield ts

    def _unit_starts(self, ts: int, unit: n.CalendarUnit, ahead: int) -> Iterator[int]:
        """The start of the unit so many after that of ``ts``, and its neighbours for zones that skipped a date."""
        day = self._zone.day(ts)
        for more in (-1, 0, 1):
            yield self._zone.starts(unit_start(day, unit, -(ahead + more)))

    def _instants(self, name: str) -> Iterator[int]:
        """The values of a date or instant trait, as instants."""
        dated = trait_kind(self._plan, name) is Kind.DATE
        for _, value in self._facts.trait(name).get(self._who, []):
            if value is not None:
                yield self._zone.starts(value) if dated else value

    def _anniversaries(self, name: str, days: int) -> Iterator[int]:
        """When a date comes into the window of the next dates, and when it is over."""
        dated = trait_kind(self._plan, name) is Kind.DATE
        changes = self._facts.trait(name).get(self._who, [])
        begins = {self._at, *(ts for ts, _ in changes if ts > self._at)}
        for _, value in changes:
            if value is None:
                continue
            own = _EPOCH + timedelta(days=value if dated else self._zone.day(value))
            years = {own.year, own.year + 1}
            for instant in begins:
                today = _EPOCH + timedelta(days=self._zone.day(instant))
                years |= set(range(today.year - 1, today.year + _YEARS_AHEAD))
            for year in years:
                if own.year <= year < date.max.year:
                    again = (_falls_in(own, year) - _EPOCH).days
                    yield from (self._zone.starts(again - days + 1), self._zone.starts(again + 1))


def _falls_in(day: date, year: int) -> date:
    """The anniversary in a year: in a common one 29 February is the 28th."""
    if (day.month, day.day) == (2, 29):
        return date(year, 3, 1) - timedelta(days=1)
    return day.replace(year=year)
