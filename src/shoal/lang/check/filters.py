"""Filters: what stands after ``where`` and inside ``any p ( … )``, all of it about one event or one item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.check.comparing import between_faults, compare_faults, in_faults, known_faults, match_faults
from shoal.lang.check.scope import an, only, property_faults
from shoal.lang.check.values import is_literal
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.lang.check.scope import Faults, Scope
    from shoal.lang.nodes import Condition, Value


def filter_faults(node: Condition, scope: Scope) -> Faults:
    """Faults of a filter and all its parts."""
    match node:
        case n.And(parts) | n.Or(parts):
            for part in parts:
                yield from filter_faults(part, scope)
        case n.Not(part):
            yield from filter_faults(part, scope)
        case n.AnyItem():
            yield from _any_faults(node, scope)
        case n.Compare() | n.Between() | n.In() | n.Match() | n.Known():
            yield from _comparison_faults(node, scope)
        case _:
            problem = f'A filter speaks of one event, so "{node.kind}" can\'t stand in it.'
            yield scope.fault(node, problem, "Join it to the filter's event with and, outside.")


def _comparison_faults(node: n.Compare | n.Between | n.In | n.Match | n.Known, scope: Scope) -> Faults:
    misplaced = list(_place_faults(node, scope))
    yield from misplaced
    if misplaced:
        return
    match node:
        case n.Compare():
            yield from compare_faults(node, scope)
        case n.Between():
            yield from between_faults(node, scope)
        case n.In():
            yield from in_faults(node, scope)
        case n.Match():
            yield from match_faults(node, scope)
        case n.Known():
            yield from known_faults(node, scope)


def _place_faults(node: n.Compare | n.Between | n.In | n.Match | n.Known, scope: Scope) -> Faults:
    """The left side is a property or the local time; right sides are literals or traits."""
    left = node.left if isinstance(node, n.Compare) else node.value
    if not isinstance(left, n.Property | n.LocalTime):
        problem = "The left side of a filter is a property of the event, or hour, weekday or date."
        yield scope.fault(left, problem, "Write where price > 50, or where city = trait home_city.")
    rights: tuple[Value, ...] = ()
    if isinstance(node, n.Compare):
        rights = (node.right,)
    elif isinstance(node, n.Between):
        rights = (node.low, node.high)
    for right in rights:
        if not is_literal(right) and not isinstance(right, n.Trait):
            problem = "The right side of a filter is a literal or a trait."
            yield scope.fault(right, problem, "Write where price > 50, or where city = trait home_city.")


def _any_faults(node: n.AnyItem, scope: Scope) -> Faults:
    if scope.items is not None:
        fix = "Use one any for each list, side by side."
        yield scope.fault(node, 'An "any" can\'t stand inside another: items hold single values.', fix)
        return
    yield from property_faults(node, node.items, scope)
    kind = only(scope.properties(node.items))
    if kind is Kind.OBJECTS:
        yield from filter_faults(node.where, scope.in_items(node.items))
    elif kind is not None:
        problem = f'"any" looks into a list of objects, and "{node.items}" is {an(kind)}.'
        fix = f'Write {node.items} contains "…".' if kind is Kind.TEXTS else f"Compare {node.items} directly."
        yield scope.fault(node, problem, fix)
