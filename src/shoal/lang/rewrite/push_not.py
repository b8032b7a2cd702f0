"""``not`` moves inwards where that is exact: over and/or (De Morgan), and into what can't be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.missing import never_missing
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp, Condition

OPPOSITE: dict[CompareOp, CompareOp] = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def push_not(condition: Condition) -> Condition:
    """``not (a and b)`` becomes ``not a or not b``, ``not count(A) >= 3`` becomes ``count(A) < 3``.

    ``not age <= 30`` stays: it holds where the age is missing, and ``age > 30`` doesn't.
    """
    return transform(condition, lambda node: _negated(node.part) if isinstance(node, n.Not) else node)  # type: ignore[return-value]


def _negated(part: Condition) -> Condition:
    match part:
        case n.And(parts):
            return n.Or(tuple(map(_negated, parts)), note=part.note, span=part.span)
        case n.Or(parts):
            return n.And(tuple(map(_negated, parts)), note=part.note, span=part.span)
        case n.Not(inner):
            return inner
        case n.Known(value, known):
            return n.Known(value, not known, note=part.note, span=part.span)
        case n.Compare(left, op, right) if never_missing(left) and never_missing(right):
            return n.Compare(left, OPPOSITE[op], right, note=part.note, span=part.span)
        case n.In(value, options, negated) if never_missing(value):
            return n.In(value, options, not negated, note=part.note, span=part.span)
    return n.Not(part, span=part.span)
