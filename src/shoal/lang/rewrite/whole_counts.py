"""Counts are whole and never below 0, so every bound on one has a single way to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.rewrite.fold_constants import LARGEST
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp, Condition

MIRRORED: dict[CompareOp, CompareOp] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WHOLE = frozenset({"count", "distinct", "active days"})


def whole_counts(condition: Condition) -> Condition:
    """``count(A) > 2`` becomes ``count(A) >= 3``, ``0 = count(A)`` becomes ``count(A) <= 0``."""
    return transform(condition, _whole)  # type: ignore[return-value]


def _whole(node: n.Node) -> n.Node:
    match node:
        case n.Compare(n.Aggregate(fn) as count, op, n.Number(micro)) if fn in _WHOLE:
            pass
        case n.Compare(n.Number(micro), mirrored, n.Aggregate(fn) as count) if fn in _WHOLE:
            op = MIRRORED[mirrored]
        case _:
            return node
    op, bound = _bound(op, micro)
    if abs(bound) > LARGEST:
        return node
    return n.Compare(count, op, n.Number(bound), note=node.note, span=node.span)


def _bound(op: CompareOp, micro: int) -> tuple[CompareOp, int]:
    floor, ceiling = micro // MICRO * MICRO, -(-micro // MICRO) * MICRO
    if op == ">":
        return ">=", floor + MICRO
    if op == "<":
        return "<=", ceiling - MICRO
    if op == ">=":
        return ">=", ceiling
    if op == "<=":
        return "<=", floor
    if micro == 0:
        return ("<=", 0) if op == "=" else (">=", MICRO)
    return op, micro
