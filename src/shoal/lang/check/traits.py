"""What is asked of traits over time, of places and of ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.check.comparing import between_faults, compare_faults, in_faults, known_faults, match_faults
from shoal.lang.check.scope import SCALARS, an
from shoal.lang.check.values import is_literal, kind_of, moment_faults, trait_faults, value_faults
from shoal.lang.check.windows import duration_faults, window_faults
from shoal.lang.nodes import MICRO
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.lang.check.scope import Faults, Scope

_METRES = {"m": 1, "km": 1_000, "mi": 1_609.344}
HALF_WAY_ROUND = 20_015_000
"""Metres to the other side of the earth: no distance is longer."""


def when_faults(node: n.When, scope: Scope) -> Faults:
    """A window over a date or instant trait, ahead as well."""
    yield from moment_faults(node.trait, scope)
    yield from window_faults(node.window, scope, ahead=True)


def anniversary_faults(node: n.Anniversary, scope: Scope) -> Faults:
    """``in next N days`` with 1 ≤ N ≤ 366."""
    yield from moment_faults(node.trait, scope)
    if not 1 <= node.days <= 366:
        yield scope.fault(node, "An anniversary is looked for in the next 1 to 366 days.")


def distance_faults(node: n.Distance, scope: Scope) -> Faults:
    """A geo point, a place on earth, and a radius that fits it."""
    yield from trait_faults(node.trait, scope)
    kind = kind_of(node.trait, scope)
    if kind is not None and kind is not Kind.POINT:
        problem = f'"{node.trait.name}" is {an(kind)}, and distance needs a geo point.'
        yield scope.fault(node.trait, problem, "Map a latitude and a longitude to a geo point in shoal.yaml.")
    if abs(node.latitude) > 90 * MICRO:
        yield scope.fault(node, "A latitude goes from -90 to 90.", "Write the latitude first, then the longitude.")
    if abs(node.longitude) > 180 * MICRO:
        yield scope.fault(node, "A longitude goes from -180 to 180.")
    if not 0 < node.radius * _METRES[node.unit] <= HALF_WAY_ROUND * MICRO:
        yield scope.fault(node, "A distance is more than 0 and at most 20,015 km, half way round the earth.")


def held_faults(node: n.Held, scope: Scope) -> Faults:
    """One comparison of one trait with literals, for a time."""
    inner = node.condition
    if not _about_one_trait(inner):
        problem = '"held" takes one comparison of one trait with literals.'
        yield scope.fault(inner, problem, 'Write held status = "onboarding" for 7 days.')
    elif isinstance(inner, n.Compare):
        yield from compare_faults(inner, scope)
    elif isinstance(inner, n.Between):
        yield from between_faults(inner, scope)
    elif isinstance(inner, n.In):
        yield from in_faults(inner, scope)
    elif isinstance(inner, n.Match):
        yield from match_faults(inner, scope)
    else:
        yield from known_faults(inner, scope)
    yield from duration_faults(node.length, scope)


def changed_faults(node: n.Changed, scope: Scope) -> Faults:
    """The literals after ``from`` and ``to`` are of the trait's own type."""
    yield from trait_faults(node.trait, scope)
    kind = kind_of(node.trait, scope)
    for literal in (node.before, node.after):
        if literal is None or kind is None:
            continue
        yield from value_faults(literal, scope)
        given = kind_of(literal, scope)
        if kind not in SCALARS:
            problem = f'"{node.trait.name}" is {an(kind)}, which has no single value to change from or to.'
            yield scope.fault(literal, problem, "Leave out from and to.")
        elif given is not None and given is not kind:
            yield scope.fault(literal, f'"{node.trait.name}" is {an(kind)}, and this is {an(given)}.')
    if node.window is not None:
        yield from window_faults(node.window, scope)


def ranked_faults(node: n.Ranked, scope: Scope) -> Faults:
    """``in top q%`` of a number, 0 < q ≤ 100."""
    yield from _rank_value_faults(node.value, scope)
    if not 0 < node.percent <= 100 * MICRO:
        yield scope.fault(node, f"The {node.end} share is more than 0% and at most 100%.")


def percentile_faults(node: n.Percentile, scope: Scope) -> Faults:
    """``between percentile a and b``, 0 ≤ a ≤ b ≤ 100."""
    yield from _rank_value_faults(node.value, scope)
    if not 0 <= node.low <= node.high <= 100 * MICRO:
        yield scope.fault(node, "Percentiles go from 0 to 100, the lower one first.")


def _rank_value_faults(value: n.Trait | n.Aggregate, scope: Scope) -> Faults:
    yield from value_faults(value, scope)
    kind = kind_of(value, scope)
    if kind not in (None, Kind.NUMBER):
        yield scope.fault(value, f"Customers are ranked by a number, and this is {an(kind)}.")


def _about_one_trait(inner: n.Compare | n.Between | n.In | n.Match | n.Known) -> bool:
    match inner:
        case n.Compare(left, _, right):
            return isinstance(left, n.Trait) and is_literal(right)
        case n.Between(value, low, high):
            return isinstance(value, n.Trait) and is_literal(low) and is_literal(high)
        case n.In() | n.Match() | n.Known():
            return isinstance(inner.value, n.Trait)
    return False
