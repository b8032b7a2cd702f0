"""One customer judged at one instant: leaves once each, segments in order, and until when all of it is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shoal.live.operators  # noqa: F401  registers the operators
from shoal.lang import nodes as n
from shoal.live.operators.logic import decided
from shoal.live.registry import answer
from shoal.live.scope import Scope
from shoal.live.values import Answer, opposite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.calendar import Zone
    from shoal.live.plan import Plan
    from shoal.live.state import State


class Judge:
    """Answers of one customer at one instant.

    Args:
        plan: the definitions.
        state: what is known.
        zone: the workspace's time zone.
        row: a customer who stands for themselves.
        t: the instant.
    """

    def __init__(self, plan: Plan, state: State, zone: Zone, row: int, t: int) -> None:
        self.plan, self.t = plan, t
        self.scope = Scope(state, row, t, zone)
        self.first = state.people.exists_from(row)
        self._leaves: dict[int, Answer] = {}
        self._segments: dict[str, Answer] = {}

    def segment(self, slug: str) -> Answer:
        """Whether the customer is in: (where or always) and not never, from their first instant on."""
        found = self._segments.get(slug)
        if found is None:
            found = self._segments[slug] = self._segment(self.plan.definitions[slug])
        return found

    def _segment(self, definition: n.Definition) -> Answer:
        if self.first > self.t:
            return Answer(False, self.first)
        found = self.condition(definition.where)
        if definition.always is not None:
            found = decided((found, self.condition(n.ListedIn(definition.always))), by=True)
        if definition.never is not None:
            found = decided((found, opposite(self.condition(n.ListedIn(definition.never)))), by=False)
        return found

    def condition(self, node: n.Node) -> Answer:
        """The answer to a condition of a definition."""
        match node:
            case n.And(parts):
                return decided(self._parts(parts), by=False)
            case n.Or(parts):
                return decided(self._parts(parts), by=True)
            case n.Not(part):
                return opposite(self.condition(part))
            case n.MemberOf(slug):
                return self.segment(slug)
        index = self.plan.leaves.get(node)
        if index is None:
            return answer(node, self.scope)
        found = self._leaves.get(index)
        if found is None:
            found = self._leaves[index] = answer(node, self.scope)
        return found

    def _parts(self, parts: tuple[n.Condition, ...]) -> Iterator[Answer]:
        return (self.condition(part) for part in parts)

    def forget(self, slugs: list[str]) -> None:
        """Judge again what refers to segments whose published history has grown just now."""
        for node, index in self.plan.leaves.items():
            if isinstance(node, n.Entered | n.Left) and node.segment in slugs:
                self._leaves.pop(index, None)
