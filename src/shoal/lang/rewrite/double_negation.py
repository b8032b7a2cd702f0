"""``not not a`` is ``a``: logic has two values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from shoal.lang.nodes import Condition


def double_negation(condition: Condition) -> Condition:
    """Two ``not`` in a row cancel out."""
    return transform(condition, _cancelled)  # type: ignore[return-value]


def _cancelled(node: n.Node) -> n.Node:
    match node:
        case n.Not(n.Not(part)):
            return part
    return node
