"""Dates and instants of a customer: in a window, days since and until, and anniversaries."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.lang import nodes as n
from shoal.lang.schema import Kind
from shoal.sql import terms as s
from shoal.sql.emit.registry import emits_condition, emits_value
from shoal.sql.plan import refused
from shoal.sql.traits import converted, trait_kind
from shoal.sql.values import Rational

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


def as_instant(trait: n.Trait, scope: Scope) -> Sql:
    """A date or instant trait as an instant: a date is its first instant in the workspace's zone."""
    kind = trait_kind(scope.plan, trait.name)
    if kind is Kind.INSTANT:
        return _sql(trait, scope)
    if kind is Kind.DATE:
        return converted(scope.plan, trait.name, "starts", scope.plan.frame.zone.starts)
    raise refused(f"the time of {trait.name!r}, which is a {kind}", "Use a date or an instant.")


def as_day(trait: n.Trait, scope: Scope) -> Sql:
    """A date or instant trait as a local date."""
    kind = trait_kind(scope.plan, trait.name)
    if kind is Kind.DATE:
        return _sql(trait, scope)
    if kind is Kind.INSTANT:
        return converted(scope.plan, trait.name, "day", scope.plan.frame.zone.day)
    raise refused(f"the date of {trait.name!r}, which is a {kind}", "Use a date or an instant.")


def _sql(trait: n.Trait, scope: Scope) -> Sql:
    found = scope.trait(trait)
    if isinstance(found, Rational):
        raise refused(f"the time of {trait.name!r}", "Use a date or an instant.")
    return found.sql


@emits_condition(n.When)
def in_window(node: n.When, scope: Scope) -> Sql:
    """The trait's instant falls in the window."""
    low, high = scope.plan.frame.bounds(node.window, scope.subject)
    return s.within(as_instant(node.trait, scope), low, high)


@emits_value(n.DaysSince)
def days_since(node: n.DaysSince, scope: Scope) -> Rational:
    """(t − value) in days."""
    return Rational(Fraction(1, DAY), s.joined("-", scope.plan.frame.t(scope.subject), as_instant(node.trait, scope)))


@emits_value(n.DaysUntil)
def days_until(node: n.DaysUntil, scope: Scope) -> Rational:
    """(value − t) in days."""
    return Rational(Fraction(1, DAY), s.joined("-", as_instant(node.trait, scope), scope.plan.frame.t(scope.subject)))


@emits_condition(n.Anniversary)
def anniversary(node: n.Anniversary, scope: Scope) -> Sql:
    """The date falls again on one of the dates that begin with today, in no year before its own."""
    day = s.joined("+", s.cast(s.text("1970-01-01"), "DATE"), s.cast(as_day(node.trait, scope), "INTEGER"))
    year = s.call("year", day)
    of_year = s.joined("+", s.joined("*", s.call("month", day), s.integer(100)), s.call("day", day))
    return s.any_of(
        s.all_of(
            [
                s.compared(year, "<=", in_year),
                s.compared(of_year, ">=", first),
                s.compared(of_year, "<=", last),
            ]
        )
        for in_year, first, last in scope.plan.frame.yearly(node, scope.subject)
    )
