"""What is left of a definition above its leaves: and, or, not, and the membership of other segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.errors import UnknownName
from shoal.lang import nodes as n
from shoal.lang.references import in_order
from shoal.lang.tree import walk
from shoal.sql import terms as s
from shoal.sql.emit import condition
from shoal.sql.emit.events import counted
from shoal.sql.emit.member import on_list
from shoal.sql.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import Schema
    from shoal.sql.plan import Plan
    from shoal.sql.terms import Sql


@dataclass(frozen=True)
class Segment:
    """A segment over columns: its condition, and the leaves of its lists."""

    slug: str
    where: Sql
    always: str | None
    never: str | None
    needs: frozenset[str]

    @property
    def truth(self) -> Sql:
        """(where or always) and not never."""
        found = self.where
        if self.always is not None:
            found = s.any_of([found, s.column(self.always)])
        return found if self.never is None else s.all_of([found, s.not_(s.column(self.never))])


def with_dependencies(definitions: Mapping[str, n.Definition], schema: Schema) -> dict[str, n.Definition]:
    """The definitions and all that they are members of, each after what it needs.

    Raises:
        UnknownName: if a segment is named that isn't there.
        DefinitionError: if segments refer to each other in a circle.
    """
    known = {**schema.segments, **definitions}
    found: dict[str, n.Definition] = {}
    waiting = list(definitions)
    while waiting:
        slug = waiting.pop()
        if slug in found:
            continue
        if slug not in known:
            raise UnknownName("segment", slug, known)
        found[slug] = known[slug]
        waiting += members_named(known[slug].where)
    order = in_order(_only_members(d) for d in found.values())
    return {slug: found[slug] for slug in order}


def members_named(condition_: n.Node) -> list[str]:
    """The slugs after ``member of``."""
    return [at.segment for at in walk(condition_) if isinstance(at, n.MemberOf)]


def _only_members(definition: n.Definition) -> n.Definition:
    """The definition with only what orders it: ``entered`` and ``left`` read recorded history."""
    slugs = sorted(set(members_named(definition.where)))
    members = tuple(n.MemberOf(slug) for slug in slugs) or (n.Known(n.Number(0)),)
    return n.Definition(definition.slug, definition.name, n.Or((*members, n.Known(n.Number(0)))))


def segment(plan: Plan, definition: n.Definition) -> Segment:
    """The definition over the plan's leaves."""
    lists = [
        None if name is None else plan.leaf(n.ListedIn(name), on_list(plan, name))
        for name in (definition.always, definition.never)
    ]
    needs = frozenset(members_named(definition.where))
    plan.segments.setdefault(definition.slug, f"s{len(plan.segments)}")
    return Segment(definition.slug, tree(plan, definition.where), lists[0], lists[1], needs)


def tree(plan: Plan, node: n.Node) -> Sql:
    """A condition over the columns of leaves (``l0`` …) and of other segments (``s0`` …); never NULL."""
    match node:
        case n.And(parts):
            return s.all_of([tree(plan, part) for part in parts])
        case n.Or(parts):
            return s.any_of([tree(plan, part) for part in parts])
        case n.Not(part):
            return exp.Not(this=s.wrapped(tree(plan, part)))
        case n.MemberOf(slug):
            return s.column(plan.segments[slug])
    return s.column(leaf(plan, node))


def leaf(plan: Plan, node: n.Node) -> str:
    """The column of a leaf; equal nodes are emitted once."""
    if isinstance(node, n.Did):
        node = counted(node)
    known = plan.leaves.get(node)
    return plan.leaf(node, condition(node, Scope(plan))) if known is None else known[0]
