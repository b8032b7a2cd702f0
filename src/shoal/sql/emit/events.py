"""Aggregates over events, ``did``, the days since an event, and ``any`` item of a list of objects."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.clock import DAY
from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.schema import Kind
from shoal.lang.tree import walk
from shoal.sql import terms as s
from shoal.sql.aggregates import GroupedTwice, MostFrequent, share
from shoal.sql.emit.registry import condition, emits_condition, emits_value
from shoal.sql.plan import refused
from shoal.sql.rows import ROW
from shoal.sql.scopes import InFilter, InItem
from shoal.sql.values import MICROS, Rational, Scalar, Value, stored

if TYPE_CHECKING:
    from shoal.sql.aggregates import Share
    from shoal.sql.plan import Plan
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql

_TIMES: dict[str, n.CompareOp] = {"at least": ">=", "at most": "<=", "exactly": "="}


# ---------------------------------------------------------------- values


@emits_value(n.Aggregate)
def aggregate(node: n.Aggregate, scope: Scope) -> Value:
    """An aggregate over the events in the window on which the property is known."""
    plan = scope.plan
    match node.fn:
        case "count":
            return _count(plan, node.events, node.window)
        case "active days":
            return _active_days(plan, node)
        case "distinct":
            return _distinct(plan, node)
        case "most frequent":
            return _most_frequent(plan, node)
        case "sum" | "avg":
            return _sum_or_average(plan, node)
    return _picked(plan, node)


def _count(plan: Plan, events: n.Events, window: n.Window | None) -> Rational:
    column = share(plan, events, window).measure("count", s.integer(1))
    return Rational(Fraction(1), s.coalesce(column, s.integer(0)))


def _sum_or_average(plan: Plan, node: n.Aggregate) -> Rational:
    taken = share(plan, node.events, node.window)
    amount = _property(taken, node)
    total = taken.measure("sum", amount)
    if node.fn == "sum":
        return Rational(MICROS, s.coalesce(total, s.integer(0)))
    return Rational(MICROS, total, s.call("nullif", taken.measure("count", amount), s.integer(0)))


def _property(taken: Share, node: n.Aggregate) -> Sql:
    assert node.of is not None
    return _sql(taken.rows.property(node.of))


def _picked(plan: Plan, node: n.Aggregate) -> Value:
    """``min``, ``max``, ``first``, ``last``: a value of the property itself."""
    assert node.of is not None
    taken = share(plan, node.events, node.window)
    found = taken.rows.property(node.of)
    if node.fn in ("min", "max"):
        column = taken.measure(node.fn, _sql(found))
    else:
        column = taken.measure("arg_min" if node.fn == "first" else "arg_max", _sql(found), taken.rows.order)
    return stored(found.kind, column, found.origin if isinstance(found, Scalar) else ())


def _active_days(plan: Plan, node: n.Aggregate) -> Rational:
    provider = plan.provider(
        ("days", node.events),
        lambda name: GroupedTwice(plan, name, node.events, lambda rows: s.floor_div(rows.local, DAY)),
    )
    assert isinstance(provider, GroupedTwice)
    return Rational(Fraction(1), s.coalesce(provider.distinct_in(node.window), s.integer(0)))


def _distinct(plan: Plan, node: n.Aggregate) -> Rational:
    of = node.of
    assert of is not None

    def make(name: str) -> GroupedTwice:
        return GroupedTwice(plan, name, node.events, lambda rows: _sql(rows.property(of)), many=many)

    many = _kind(plan, node.events, of) is Kind.TEXTS
    provider = plan.provider(("distinct", node.events, of), make)
    assert isinstance(provider, GroupedTwice)
    return Rational(Fraction(1), s.coalesce(provider.distinct_in(node.window), s.integer(0)))


def _most_frequent(plan: Plan, node: n.Aggregate) -> Value:
    assert node.of is not None
    of = node.of
    key = ("most frequent", node.events, of, node.window)
    provider = plan.provider(key, lambda name: MostFrequent(plan, name, node.events, of, node.window))
    found = grouped_property(plan, node.events, of)
    return stored(found.kind, provider.column("value"), found.origin if isinstance(found, Scalar) else ())


def grouped_property(plan: Plan, events: n.Events, name: str) -> Value:
    """A property's type and where its values come from, outside any query."""
    from shoal.sql.rows import EventRows

    return EventRows(plan, events).property(name)


def _kind(plan: Plan, events: n.Events, name: str) -> Kind:
    return grouped_property(plan, events, name).kind


def _sql(value: Value) -> Sql:
    found = value.num if isinstance(value, Rational) else value.sql
    assert found is not None
    return found


@emits_value(n.DaysSinceEvent)
def days_since_event(node: n.DaysSinceEvent, scope: Scope) -> Rational:
    """(t − ts) of the first or last matching event."""
    ts = share(scope.plan, node.events, None).measure("min" if node.which == "first" else "max", s.column("ts", ROW))
    return Rational(Fraction(1, DAY), s.joined("-", scope.plan.frame.t(scope.subject), ts))


# ---------------------------------------------------------------- conditions


@emits_condition(n.Did)
def did(node: n.Did, scope: Scope) -> Sql:
    """``did A at least n times``: the same as a comparison of the count."""
    return condition(counted(node), scope)


def counted(node: n.Did) -> n.Compare:
    """The comparison of a count that says the same."""
    times = node.times or n.Times("at least", 1)
    count = n.Aggregate("count", node.events, window=node.window)
    return n.Compare(count, _TIMES[times.op], n.Number(times.n * MICRO))


def at_least(node: n.Compare, scope: Scope) -> Sql | None:
    """``count(…) >= 1`` by the newest matching event alone, where the window ends now; None for other comparisons.

    One number answers for every window: the newest event is in the window, or none is.
    """
    count, limit = node.left, node.right
    if not (isinstance(count, n.Aggregate) and count.fn == "count" and isinstance(limit, n.Number)):
        return None
    if not isinstance(count.window, n.Last | n.Since | n.This | None):
        return None
    some = {">=": 0 < limit.micro <= MICRO, ">": 0 <= limit.micro < MICRO}.get(node.op, False)
    none = {"<": 0 < limit.micro <= MICRO, "<=": 0 <= limit.micro < MICRO, "=": limit.micro == 0}.get(node.op, False)
    if not some and not none:
        return None
    plan = scope.plan
    low, _ = plan.frame.bounds(count.window, scope.subject)
    newest = share(plan, count.events, count.window, whole=True).measure("max", s.column("ts", ROW))
    found = s.is_known(newest) if low is None else s.compared(newest, ">=", low)
    return found if some else s.not_(found)


@emits_condition(n.AnyItem)
def any_item(node: n.AnyItem, scope: Scope) -> Sql:
    """All inside holds for the same item."""
    if not isinstance(scope, InFilter):
        raise refused("any item outside a filter", "Ask it in a filter.")
    items = scope.property(node.items)
    if not isinstance(items, Scalar) or items.kind is not Kind.OBJECTS:
        raise refused(f"any item of {node.items!r}, which is no list of objects", "Use a list of objects.")
    item = exp.to_identifier("o")
    if any(isinstance(at, n.Match) for at in walk(node.where)):
        return _exists(node, scope, items)
    inside = InItem(scope.plan, scope.events, node.items, exp.Column(this=item))
    found = exp.Lambda(this=s.settled(condition(node.where, inside)), expressions=[item])
    return s.compared(s.call("len", s.call("list_filter", items.sql, found)), ">", s.integer(0))


def _exists(node: n.AnyItem, scope: InFilter, items: Scalar) -> Sql:
    """Texts are looked up in a table, which a function over a list can't do."""
    inside = InItem(scope.plan, scope.events, node.items, s.column("o", "x"))
    found = condition(node.where, inside)
    each = exp.Select(expressions=[s.named(s.call("unnest", items.sql), "o")])
    return exp.Exists(this=s.select([s.integer(1)], s.sub(each, "x"), found))
