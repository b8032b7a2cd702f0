"""What is counted, summed and looked for over events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.lang import nodes as n
from shoal.live.curve import Curve
from shoal.live.operators.window import instant_of, span, turn
from shoal.live.registry import answers, value, values
from shoal.live.scope import following, pool
from shoal.live.values import Answer, Micro, Valued

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.live.scope import Scope
    from shoal.live.table import Entry


def in_window(events: n.Events, window: n.Window | None, s: Scope) -> tuple[list[Entry], int]:
    """The events that match and stand in the window, and until when they are the same."""
    found, until = pool(events, s)
    begin, end, certain = span(window, found, s)
    return found[begin:end], min(until, certain)


@values(n.Aggregate)
def aggregate(node: n.Aggregate, s: Scope) -> Valued:
    """A figure over the events on which the property is known."""
    events, until = in_window(node.events, node.window, s)
    if node.fn == "count":
        return Valued(Micro(len(events) * n.MICRO), until)
    if node.fn == "active days":
        return Valued(Micro(len({s.zone.day(e.ts) for e in events}) * n.MICRO), until)
    assert node.of is not None
    known = [(e, found) for e in events if (found := e.get(node.of)) is not None]
    return Valued(_FIGURES[node.fn](known), until)


Known = list[tuple["Entry", Any]]


def _sum(known: Known) -> Micro:
    return Micro(sum(amount for _, amount in known))


def _avg(known: Known) -> Curve | None:
    return Curve((sum(int(amount) for _, amount in known),), (len(known) * n.MICRO,)) if known else None


def _distinct(known: Known) -> Micro:
    elements = {e for _, found in known for e in (found if isinstance(found, tuple) else (found,))}
    return Micro(len(elements) * n.MICRO)


def _most_frequent(known: Known) -> Any:
    """Ties go to the value that was seen latest, then to the greatest."""
    times: dict[Any, int] = {}
    latest: dict[Any, int] = {}
    for event, found in known:
        times[found] = times.get(found, 0) + 1
        latest[found] = max(latest.get(found, event.ts), event.ts)
    return max(times, key=lambda found: (times[found], latest[found], found), default=None)


_FIGURES: dict[str, Callable[[Known], Any]] = {
    "sum": _sum,
    "avg": _avg,
    "min": lambda known: min((found for _, found in known), default=None),
    "max": lambda known: max((found for _, found in known), default=None),
    "first": lambda known: known[0][1] if known else None,
    "last": lambda known: known[-1][1] if known else None,
    "most frequent": _most_frequent,
    "distinct": _distinct,
}


@values(n.DaysSinceEvent)
def days_since_event(node: n.DaysSinceEvent, s: Scope) -> Valued:
    """(t − ts) in days of the first or last event that matches."""
    found, until = pool(node.events, s)
    past = [e for e in found if e.ts <= s.t]
    until = min(until, following(found, s.t))
    if not past:
        return Valued(None, until)
    return Valued(Curve((-past[0 if node.which == "first" else -1].ts, 1), (DAY,)), until)


@values(n.DaysSince)
def days_since(node: n.DaysSince, s: Scope) -> Valued:
    """(t − value) in days of a date or instant trait."""
    found, until = value(node.trait, s)
    return Valued(None if found is None else Curve((-instant_of(found, s), 1), (DAY,)), until)


@values(n.DaysUntil)
def days_until(node: n.DaysUntil, s: Scope) -> Valued:
    """(value − t) in days of a date or instant trait."""
    found, until = value(node.trait, s)
    return Valued(None if found is None else Curve((instant_of(found, s), -1), (DAY,)), until)


@answers(n.Did)
def did(node: n.Did, s: Scope) -> Answer:
    """At least, at most or exactly so many events in the window."""
    found, until = pool(node.events, s)
    begin, end, certain = span(node.window, found, s)
    count, until = end - begin, min(until, certain)
    if node.times is not None and node.times.op != "at least":
        truth = count <= node.times.n if node.times.op == "at most" else count == node.times.n
        return Answer(truth, until)
    wanted = 1 if node.times is None else node.times.n
    if count < wanted or wanted == 0:
        return Answer(count >= wanted, until)
    # The newest so many decide; that an older one goes changes nothing. But with the newest few picked, all may change.
    last = turn(node.window, found[end - wanted].ts, s.t, s.zone)
    return Answer(True, last if node.events.newest is None and not _moving(node.events) else min(until, last))


def _moving(events: n.Events) -> bool:
    """Whether the events that match may change without an event: by the account, or a trait in the filter."""
    from shoal.lang.tree import walk

    return events.of_account or (events.where is not None and any(isinstance(a, n.Trait) for a in walk(events.where)))
