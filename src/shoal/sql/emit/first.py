"""``did first A in W``: the earliest matching event falls in the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql import terms as s
from shoal.sql.aggregates import share
from shoal.sql.emit.registry import emits_condition
from shoal.sql.rows import ROW

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.DidFirst)
def did_first(node: n.DidFirst, scope: Scope) -> Sql:
    """The earliest of all matching events up to the instant, held against the window."""
    earliest = share(scope.plan, node.events, None).measure("min", s.column("ts", ROW))
    low, high = scope.plan.frame.bounds(node.window, scope.subject)
    return s.within(earliest, low, high)
