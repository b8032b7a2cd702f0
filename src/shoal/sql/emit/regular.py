"""``did A at least n times in k of last m periods of W``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql import terms as s
from shoal.sql.aggregates import InPeriods
from shoal.sql.emit.registry import emits_condition

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.Regularly)
def regularly(node: n.Regularly, scope: Scope) -> Sql:
    """Enough periods hold enough events."""
    plan = scope.plan
    key = ("periods", node.events, node.times, node.of_last, node.length)
    provider = plan.provider(key, lambda name: InPeriods(plan, name, node))
    return s.compared(s.coalesce(provider.column("periods"), s.integer(0)), ">=", s.integer(node.periods))
