"""Exact arithmetic: ``+ − * /`` and the minus before a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql.emit.registry import emits_value, number
from shoal.sql.values import combined, negative

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.values import Rational


@emits_value(n.Negative)
def minus(node: n.Negative, scope: Scope) -> Rational:
    """``-x``."""
    return negative(number(node.value, scope))


@emits_value(n.Arithmetic)
def arithmetic(node: n.Arithmetic, scope: Scope) -> Rational:
    """``left op right``; ÷ 0 is missing."""
    return combined(number(node.left, scope), node.op, number(node.right, scope))
