"""Comparisons, lists of options, text matching, known and missing; and the values that stand by themselves."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.clock import DAY, HOUR
from shoal.lang import nodes as n
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.matching import pattern_of
from shoal.lang.nodes import MICRO
from shoal.lang.schema import Kind
from shoal.sql import terms as s
from shoal.sql.emit.registry import emits_condition, emits_value, value
from shoal.sql.plan import refused
from shoal.sql.values import Rational, Scalar, compare

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql
    from shoal.sql.values import Value


# ---------------------------------------------------------------- values


@emits_value(n.Number)
def number(node: n.Number, scope: Scope) -> Rational:
    """A constant."""
    return Rational(Fraction(node.micro, MICRO))


@emits_value(n.Text, n.YesNo, n.Date, n.Instant)
def literal(node: n.Text | n.YesNo | n.Date | n.Instant, scope: Scope) -> Scalar:
    """A literal that is no number."""
    match node:
        case n.Text(text):
            return Scalar(Kind.TEXT, s.text(text), text)
        case n.YesNo(yes):
            return Scalar(Kind.YESNO, s.true() if yes else s.false(), yes)
        case n.Date(days):
            return Scalar(Kind.DATE, s.integer(days), days)
    return Scalar(Kind.INSTANT, s.integer(node.micros), node.micros)


@emits_value(n.Trait)
def trait(node: n.Trait, scope: Scope) -> Value:
    """A trait, as the scope has it."""
    return scope.trait(node)


@emits_value(n.Property)
def event_property(node: n.Property, scope: Scope) -> Value:
    """A property of the event or a field of the item."""
    return scope.property(node.name)


@emits_value(n.LocalTime)
def local_time(node: n.LocalTime, scope: Scope) -> Value:
    """The event's local hour, weekday or date, from the offset stored with it."""
    local = scope.rows().local
    if node.part == "hour":
        return Rational(Fraction(1), s.joined("//", s.floor_mod(local, DAY), s.integer(HOUR)))
    day = s.floor_div(local, DAY)
    if node.part == "date":
        return Scalar(Kind.DATE, day)
    # Days are counted from 1970-01-01, a Thursday; weeks begin on Monday.
    number_ = s.floor_mod(s.joined("+", day, s.integer(3)), 7)
    pairs = [(s.compared(number_, "=", s.integer(i)), s.text(name)) for i, name in enumerate(WEEKDAYS)]
    origin = tuple(s.select([s.named(s.text(name), "value")], s.sub(_one_row(), "o")) for name in WEEKDAYS)
    return Scalar(Kind.TEXT, s.cases(pairs), origin=origin)


def _one_row() -> exp.Select:
    return exp.Select(expressions=[s.named(s.integer(1), "one")])


# ---------------------------------------------------------------- conditions


@emits_condition(n.Compare)
def comparison(node: n.Compare, scope: Scope) -> Sql:
    """``left op right``."""
    from shoal.sql.emit.events import at_least

    quick = at_least(node, scope)
    if quick is not None:
        return quick
    return compare(value(node.left, scope), node.op, value(node.right, scope), scope.plan.frame.zone)


@emits_condition(n.Between)
def between(node: n.Between, scope: Scope) -> Sql:
    """``value between low and high``, both ends in."""
    found, zone = value(node.value, scope), scope.plan.frame.zone
    low = compare(found, ">=", value(node.low, scope), zone)
    return s.all_of([low, compare(found, "<=", value(node.high, scope), zone)])


@emits_condition(n.In)
def in_options(node: n.In, scope: Scope) -> Sql:
    """``value in (…)``; both forms are false where the value is missing."""
    found = value(node.value, scope)
    options = [value(option, scope) for option in node.options]
    if isinstance(found, Scalar) and found.kind in (Kind.TEXT, Kind.DATE, Kind.YESNO):
        chosen = s.one_of(found.sql, [o.sql for o in options if isinstance(o, Scalar)])
    else:
        chosen = s.any_of([compare(found, "=", o, scope.plan.frame.zone) for o in options])
    return s.all_of([found.known, s.not_(chosen)]) if node.negated else chosen


@emits_condition(n.Known)
def known(node: n.Known, scope: Scope) -> Sql:
    """``value is known`` or ``is missing``."""
    found = value(node.value, scope).known
    return found if node.known else s.not_(found)


@emits_condition(n.Match)
def match(node: n.Match, scope: Scope) -> Sql:
    """``contains`` and its kin: natively by code point, or through the table of matching values."""
    found = value(node.value, scope)
    if not isinstance(found, Scalar) or found.kind not in (Kind.TEXT, Kind.TEXTS):
        raise refused(f'"{node.op}" of a {found.kind}', "Use it with text or a list of text.")
    operands = [operand.value for operand in node.operands]
    if node.op == "matches" or node.ignoring_case:
        each = [_looked_up(found, node, operand, scope) for operand in operands]
        return s.all_of(each) if node.op == "contains all of" else s.any_of(each)
    if found.kind is Kind.TEXTS:
        return _in_list(found.sql, node.op, operands)
    name = {"contains": "contains", "starts with": "starts_with", "ends with": "suffix"}[node.op]
    return s.call(name, found.sql, s.text(operands[0]))


def _in_list(items: Sql, op: n.MatchOp, operands: list[str]) -> Sql:
    if op == "contains":
        return s.call("list_contains", items, s.text(operands[0]))
    name = "list_has_any" if op == "contains any of" else "list_has_all"
    return s.call(name, items, exp.Array(expressions=[s.text(operand) for operand in operands]))


def _looked_up(found: Scalar, node: n.Match, operand: str, scope: Scope) -> Sql:
    lists = found.kind is Kind.TEXTS
    pattern = pattern_of(node.op, operand, ignoring_case=node.ignoring_case, whole=lists)
    return s.among(found.sql, scope.plan.lookups.matching(found.origin, pattern, lists=lists))
