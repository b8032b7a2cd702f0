"""Definitions made ready: equal leaves once, segments after those that they refer to, and what touches which."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.errors import UnknownName
from shoal.lang import nodes as n
from shoal.lang.references import ACCOUNT, in_order, is_wildcard, plain_event_name, references
from shoal.lang.tree import walk
from shoal.live.state import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LOGIC = (n.And, n.Or, n.Not, n.MemberOf)


@dataclass(frozen=True, slots=True)
class Touch:
    """What a change is of: ``event`` and its name, ``trait``, ``list``, ``consent``, ``published`` or ``threshold``."""

    kind: str
    name: str


@dataclass(slots=True)
class Plan:
    """The definitions of a workspace, in the order in which they are evaluated.

    Args:
        definitions: by slug, each after all that it refers to.
        leaves: distinct conditions without and, or, not and member of.
    """

    definitions: dict[str, n.Definition]
    leaves: dict[n.Node, int] = field(default_factory=dict)
    dependents: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The segments that refer to each segment."""
    everything: frozenset[str] = frozenset()
    """All segments."""
    shared: frozenset[str] = frozenset()
    """The segments that ask of the customer's account, which others touch."""
    _touched: dict[Touch, frozenset[str]] = field(default_factory=dict)
    _wildcards: dict[str, frozenset[str]] = field(default_factory=dict)

    def touched_by(self, touch: Touch) -> frozenset[str]:
        """The segments whose answer a change may touch directly."""
        found = self._touched.get(touch, frozenset())
        if touch.kind == "event" and self._wildcards:
            for beginning, slugs in self._wildcards.items():
                if touch.name.startswith(beginning):
                    found |= slugs
        return found


def made_ready(definitions: Mapping[str, n.Definition]) -> Plan:
    """The plan of definitions that were checked.

    Raises:
        UnknownName: a segment refers to one that isn't there.
        DefinitionError: segments refer to each other in a circle.
    """
    for definition in definitions.values():
        for slug in _segments_in(definition):
            if slug not in definitions:
                raise UnknownName("segment", slug, definitions)
    order = in_order(definitions.values())
    plan = Plan({slug: definitions[slug] for slug in order})
    touched: dict[Touch, set[str]] = defaultdict(set)
    wildcards: dict[str, set[str]] = defaultdict(set)
    shared = set()
    for slug, definition in plan.definitions.items():
        for leaf in leaves_of(definition):
            plan.leaves.setdefault(leaf, len(plan.leaves))
        for other in _segments_in(definition):
            plan.dependents[other].append(slug)
        for touch in _touches(definition):
            touched[touch].add(slug)
        for name in references(definition).events:
            if is_wildcard(name):
                wildcards[plain_event_name(name)].add(slug)
        if references(definition).account:
            shared.add(slug)
    plan.everything = frozenset(plan.definitions)
    plan.shared = frozenset(shared)
    plan._touched = {touch: frozenset(slugs) for touch, slugs in touched.items()}
    plan._wildcards = {beginning: frozenset(slugs) for beginning, slugs in wildcards.items()}
    return plan


def leaves_of(definition: n.Definition) -> Iterator[n.Node]:
    """The conditions of a definition below its logic, those of its lists among them."""
    yield from _leaves(definition.where)
    yield from (n.ListedIn(name) for name in (definition.always, definition.never) if name is not None)


def _leaves(node: n.Node) -> Iterator[n.Node]:
    match node:
        case n.And(parts) | n.Or(parts):
            for part in parts:
                yield from _leaves(part)
        case n.Not(part):
            yield from _leaves(part)
        case n.MemberOf():
            pass
        case _:
            yield node


def _segments_in(definition: n.Definition) -> frozenset[str]:
    return references(definition).segments


def _touches(definition: n.Definition) -> Iterable[Touch]:
    named = references(definition)
    yield from (Touch("event", plain_event_name(name)) for name in named.events if not is_wildcard(name))
    yield from (Touch("trait", name) for name in named.traits)
    yield from (Touch("list", name) for name in named.lists)
    yield from (Touch("consent", at.purpose) for at in walk(definition.where) if isinstance(at, n.Consents))
    if named.account or any(name.startswith(ACCOUNT) for name in named.traits):
        yield Touch("trait", ACCOUNT_ID)
    if any(isinstance(at, n.Ranked | n.Percentile) for at in walk(definition.where)):
        yield Touch("threshold", "")
