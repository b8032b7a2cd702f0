"""Every tree written once more with the Python objects of ``shoal.lang.build``, by its public functions alone."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from shoal.clock import from_instant
from shoal.lang import build as b
from shoal.lang import nodes as n

_EPOCH = date(1970, 1, 1)
_OPS = {
    "=": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
}
_AGGREGATES = {
    "count": lambda of, events, within: b.count(events, within=within),
    "active days": lambda of, events, within: b.active_days(events, within=within),
    "sum": lambda of, events, within: b.total(of, events, within=within),
    "avg": lambda of, events, within: b.average(of, events, within=within),
    "min": lambda of, events, within: b.least(of, events, within=within),
    "max": lambda of, events, within: b.greatest(of, events, within=within),
    "first": lambda of, events, within: b.first_value(of, events, within=within),
    "last": lambda of, events, within: b.last_value(of, events, within=within),
    "most frequent": lambda of, events, within: b.most_frequent(of, events, within=within),
    "distinct": lambda of, events, within: b.distinct(of, events, within=within),
}
_MATCHES = {
    "contains": b.Value.contains,
    "starts with": b.Value.starts_with,
    "ends with": b.Value.ends_with,
    "matches": b.Value.matches,
    "contains any of": b.Value.contains_any_of,
    "contains all of": b.Value.contains_all_of,
}


def decimal(micro: int) -> Decimal:
    return Decimal(micro).scaleb(-6)


def plain(node: Any) -> Any:
    """The plain Python value of a literal."""
    match node:
        case n.Number(micro):
            return decimal(micro)
        case n.Text(value) | n.YesNo(value):
            return value
        case n.Date(days):
            return _EPOCH + timedelta(days=days)
        case n.Instant(micros):
            return from_instant(micros)
    raise AssertionError(node)


def duration(node: n.Duration) -> n.Duration:
    return b.duration(node.amount, node.unit + "s")


def window(node: Any) -> Any:
    match node:
        case None:
            return None
        case n.Last(length):
            return b.last(length.amount, length.unit)
        case n.BeforeLast(length, before):
            return b.before_last(duration(length), duration(before))
        case n.Since(start):
            return b.since(plain(start))
        case n.Period(start, end):
            return b.period(plain(start), plain(end))
        case n.This(unit):
            return b.this(unit)
        case n.LastCalendar(amount, unit):
            return b.last_calendar(amount, unit)
        case n.Next(length):
            return b.next_(length.amount, length.unit)
    raise AssertionError(node)


def events(node: n.Events) -> n.Events:
    where = None if node.where is None else condition(node.where)
    return b.events(node.name, where=where, newest=node.newest, of_account=node.of_account)


def value(node: Any) -> b.Value:
    match node:
        case n.Trait(name):
            return b.trait(name)
        case n.Property(name):
            return b.prop(name)
        case n.LocalTime(part):
            return b.local(part)
        case n.Aggregate(fn, of_events, of, within):
            return _AGGREGATES[fn](of, events(of_events), window(within))
        case n.DaysSinceEvent("first", of_events):
            return b.days_since_first(events(of_events))
        case n.DaysSinceEvent(_, of_events):
            return b.days_since_last(events(of_events))
        case n.DaysSince(trait):
            return b.days_since(trait.name)
        case n.DaysUntil(trait):
            return b.days_until(value(trait))
        case n.Bucket(salt):
            return b.bucket(salt)
        case n.Negative(inner):
            return -value(inner)
        case n.Arithmetic(left, op, right):
            return _OPS[op](value(left), value(right))
    return b.literal(plain(node))


def condition(node: Any) -> b.Condition:  # noqa: C901 - one case a kind
    match node:
        case n.And(parts):
            return b.all_of(*map(condition, parts))
        case n.Or(parts):
            return b.any_of(*map(condition, parts))
        case n.Not(part):
            return ~condition(part)
        case n.Compare(left, op, right):
            return _OPS[op](value(left), value(right))
        case n.Between(inner, low, high):
            return value(inner).between(value(low), value(high))
        case n.In(inner, options, negated):
            return (value(inner).not_in if negated else value(inner).is_in)(*map(plain, options))
        case n.Match(inner, op, operands, folded):
            return _MATCHES[op](value(inner), *map(plain, operands), ignoring_case=folded)
        case n.Known(inner, known):
            return value(inner).is_known() if known else value(inner).is_missing()
        case n.AnyItem(items, where):
            return b.any_item(items, condition(where))
        case n.When(trait, within):
            return value(trait).during(window(within))
        case n.Ranked(inner, "top", percent):
            return value(inner).in_top(decimal(percent))
        case n.Ranked(inner, _, percent):
            return value(inner).in_bottom(decimal(percent))
        case n.Percentile(inner, low, high):
            return value(inner).between_percentiles(decimal(low), decimal(high))
        case n.Anniversary(trait, days):
            return b.anniversary(trait.name, days=days)
        case n.Distance(trait, latitude, longitude, op, radius, unit):
            place = b.distance(trait.name, decimal(latitude), decimal(longitude))
            return _OPS[op](place, b.radius(decimal(radius), unit))
    return word(node)


def word(node: Any) -> b.Condition:  # noqa: C901 - one case a kind
    match node:
        case n.Did(of_events, times, within):
            counted = {} if times is None else {times.op.replace(" ", "_"): times.n}
            return b.did(events(of_events), within=window(within), **counted)
        case n.Sequence(first, steps, within):
            found = b.did(events(first), within=window(within))
            for step in steps:
                found = stepped(found, step)
            return found
        case n.NotAfter(of_events, before, within, whole):
            return b.did(events(of_events), within=window(whole)).not_after(events(before), within=duration(within))
        case n.DidFirst(of_events, within):
            return b.did_first(events(of_events), within=window(within))
        case n.Regularly(of_events, times, periods, of_last, length):
            return b.did_regularly(
                events(of_events), times=times, periods=periods, of_last=of_last, length=duration(length)
            )
        case n.Held(inner, length):
            return b.held(condition(inner), duration(length))
        case n.Changed(trait, before, after, within):
            old, new = (None if side is None else plain(side) for side in (before, after))
            return b.changed(trait.name, before=old, after=new, within=window(within))
        case n.MemberOf(segment):
            return b.member_of(segment)
        case n.ListedIn(name):
            return b.listed_in(name)
        case n.Entered(segment, within):
            return b.entered(segment, within=window(within))
        case n.Left(segment, within):
            return b.left(segment, within=window(within))
        case n.Consents(purpose):
            return b.consents_to(purpose)
    raise AssertionError(node)


def stepped(found: b.Did, step: n.Step) -> b.Did:
    within = None if step.within is None else duration(step.within)
    if step.absent:
        assert within is not None
        return found.then_not(events(step.events), within=within, same=step.same)
    without = None if step.without is None else events(step.without)
    return found.then(events(step.events), within=within, without=without, same=step.same)
