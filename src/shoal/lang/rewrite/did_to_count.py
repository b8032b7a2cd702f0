"""``did A at least n times`` is the count of A compared with n, so that both share one column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp, Condition

_OPS: dict[str, CompareOp] = {"at least": ">=", "at most": "<=", "exactly": "="}


def did_to_count(condition: Condition) -> Condition:
    """Every ``did A [n times] [window]`` becomes ``count(A [window]) >= n`` and the like."""
    return transform(condition, _counted)  # type: ignore[return-value]


def _counted(node: n.Node) -> n.Node:
    if not isinstance(node, n.Did):
        return node
    op = ">=" if node.times is None else _OPS[node.times.op]
    times = 1 if node.times is None else node.times.n
    count = n.Aggregate("count", node.events, None, node.window, span=node.span)
    return n.Compare(count, op, n.Number(times * MICRO), note=node.note, span=node.span)
