"""Arithmetic of literals is worked out, where the result is exact in millionths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.tree import transform

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T", bound=n.Node)

LARGEST = 10**12 * MICRO


def fold_constants(condition: T) -> T:
    """``60 * 2.5`` becomes ``150``; ``1 / 3`` stays, since no number of millionths is a third.

    >>> fold_constants(n.Arithmetic(n.Number(60_000_000), "*", n.Number(2_500_000))).micro
    150000000
    """
    return transform(condition, _fold)  # type: ignore[return-value]


def _fold(node: n.Node) -> n.Node:
    match node:
        case n.Negative(n.Number(micro)):
            return n.Number(-micro, note=node.note, span=node.span)
        case n.Arithmetic(n.Number(left), op, n.Number(right)):
            result = _worked_out(left, op, right)
            if result is not None and abs(result) <= LARGEST:
                return n.Number(result, note=node.note, span=node.span)
    return node


def _worked_out(left: int, op: str, right: int) -> int | None:
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    above, below = (left * right, MICRO) if op == "*" else (left * MICRO, right)
    return above // below if below and above % below == 0 else None
