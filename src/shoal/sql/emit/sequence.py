"""Sequences of events, and ``did A not after B``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql import terms as s
from shoal.sql.chains import Chain, NotAfter
from shoal.sql.emit.registry import emits_condition

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.Sequence)
def sequence(node: n.Sequence, scope: Scope) -> Sql:
    """Some chain of events holds."""
    plan = scope.plan
    return s.settled(plan.provider(node, lambda name: Chain(plan, name, node)).column("hit"))


@emits_condition(n.NotAfter)
def not_after(node: n.NotAfter, scope: Scope) -> Sql:
    """Some A stands without a B before it."""
    plan = scope.plan
    return s.settled(plan.provider(node, lambda name: NotAfter(plan, name, node)).column("hit"))
