"""Conditions: one rule a class of node, found in ``RULES``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.lang import nodes as n
from shoal.lang.check.behaviour import (
    did_faults,
    first_faults,
    not_after_faults,
    regular_faults,
    sequence_faults,
)
from shoal.lang.check.comparing import between_faults, compare_faults, in_faults, known_faults, match_faults
from shoal.lang.check.names import consent_faults, list_faults, recorded_faults, segment_faults
from shoal.lang.check.traits import (
    anniversary_faults,
    changed_faults,
    distance_faults,
    held_faults,
    percentile_faults,
    ranked_faults,
    when_faults,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lang.check.scope import Faults, Scope
    from shoal.lang.nodes import Condition


def condition_faults(node: Condition, scope: Scope) -> Faults:
    """Faults of a condition that stands outside a filter, and of all below it."""
    yield from RULES[type(node)](node, scope)


def _parts_faults(node: n.And | n.Or, scope: Scope) -> Faults:
    if len(node.parts) < 2:
        yield scope.fault(node, f'"{node.kind}" joins two conditions or more.')
    for part in node.parts:
        yield from condition_faults(part, scope)


def _not_faults(node: n.Not, scope: Scope) -> Faults:
    yield from condition_faults(node.part, scope)


def _any_faults(node: n.AnyItem, scope: Scope) -> Faults:
    problem = '"any" looks into a list in an event, so it stands in a filter.'
    yield scope.fault(node, problem, f'Write did "…" where any {node.items} ( … ).')


RULES: dict[type[n.Node], Callable[[Any, Scope], Faults]] = {
    n.And: _parts_faults,
    n.Or: _parts_faults,
    n.Not: _not_faults,
    n.Compare: compare_faults,
    n.Between: between_faults,
    n.In: in_faults,
    n.Match: match_faults,
    n.Known: known_faults,
    n.AnyItem: _any_faults,
    n.When: when_faults,
    n.Anniversary: anniversary_faults,
    n.Distance: distance_faults,
    n.Did: did_faults,
    n.Sequence: sequence_faults,
    n.NotAfter: not_after_faults,
    n.DidFirst: first_faults,
    n.Regularly: regular_faults,
    n.Held: held_faults,
    n.Changed: changed_faults,
    n.Ranked: ranked_faults,
    n.Percentile: percentile_faults,
    n.MemberOf: segment_faults,
    n.Entered: recorded_faults,
    n.Left: recorded_faults,
    n.ListedIn: list_faults,
    n.Consents: consent_faults,
}
"""The rule of every class of condition."""
