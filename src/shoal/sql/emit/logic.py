"""``and``, ``or``, ``not``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql import terms as s
from shoal.sql.emit.registry import condition, emits_condition

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.And)
def conjunction(node: n.And, scope: Scope) -> Sql:
    """All parts hold."""
    return s.all_of([condition(part, scope) for part in node.parts])


@emits_condition(n.Or)
def disjunction(node: n.Or, scope: Scope) -> Sql:
    """At least one part holds."""
    return s.any_of([condition(part, scope) for part in node.parts])


@emits_condition(n.Not)
def negation(node: n.Not, scope: Scope) -> Sql:
    """The part doesn't hold; where it is NULL it doesn't."""
    return s.not_(condition(node.part, scope))
