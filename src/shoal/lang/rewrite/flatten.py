"""And within and, or within or: one level says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from shoal.lang.nodes import Condition


def flatten(condition: Condition) -> Condition:
    """``(a and b) and c`` becomes ``a and b and c``."""
    return transform(condition, _flat)  # type: ignore[return-value]


def _flat(node: n.Node) -> n.Node:
    if not isinstance(node, n.And | n.Or) or not any(type(part) is type(node) for part in node.parts):
        return node
    parts: list[Condition] = []
    for part in node.parts:
        parts.extend(part.parts if isinstance(part, n.And | n.Or) and type(part) is type(node) else (part,))
    return type(node)(tuple(parts), note=node.note, span=node.span)
