"""Equal parts of an and or an or are asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from shoal.lang.nodes import Condition


def dedupe(condition: Condition) -> Condition:
    """``a and b and a`` becomes ``a and b``, ``a or a`` becomes ``a``."""
    return transform(condition, _once)  # type: ignore[return-value]


def _once(node: n.Node) -> n.Node:
    if not isinstance(node, n.And | n.Or):
        return node
    parts = tuple(dict.fromkeys(node.parts))
    if len(parts) == len(node.parts):
        return node
    return parts[0] if len(parts) == 1 else type(node)(parts, note=node.note, span=node.span)
