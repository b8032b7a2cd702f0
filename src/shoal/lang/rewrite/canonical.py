"""One text for all ways to write a question, and whether two questions are nearly the same."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.document import to_document
from shoal.lang.rewrite.passes import rewrite
from shoal.lang.rewrite.whole_counts import MIRRORED
from shoal.lang.tree import transform, without_notes

if TYPE_CHECKING:
    from shoal.lang.nodes import Condition

CLOSE = 10
"""Two amounts are close that differ by less than a tenth of the larger one."""
_EXACT_OPS = ("=", "!=")


def canonical(condition: Condition) -> str:
    """The same text for questions that differ only in order, spelling or comments.

    Equal texts mean equal answers; different texts may still mean equal answers.
    """
    return _text(_ordered(condition))


def similar(one: Condition, other: Condition) -> bool:
    """Whether two definitions are the same, or differ only by amounts and windows that are close to each other.

    What is compared with ``=`` or ``in`` must be equal, since 4 and 5 may be codes.
    """
    return _alike(_ordered(one), _ordered(other), exact=False)


def _ordered(condition: Condition) -> n.Node:
    return transform(without_notes(rewrite(condition)), _in_order)


def _in_order(node: n.Node) -> n.Node:
    match node:
        case n.And(parts) | n.Or(parts):
            return dataclasses.replace(node, parts=tuple(sorted(parts, key=_sort_key)))
        case n.In(value, (option,), negated):
            return n.Compare(value, "!=" if negated else "=", option)
        case n.In(_, options):
            return dataclasses.replace(node, options=tuple(sorted(set(options), key=_text)))
        case n.Compare(left, op, right) if _side(left) > _side(right):
            return n.Compare(right, MIRRORED[op], left)
        case n.Step(same=keys) if keys:
            return dataclasses.replace(node, same=tuple(sorted(set(keys))))
    return node


def _side(value: n.Node) -> tuple[bool, str]:
    """Literals stand on the right."""
    return isinstance(value, n.Number | n.Text | n.YesNo | n.Date | n.Instant), _text(value)


def _text(node: n.Node) -> str:
    return json.dumps(to_document(node), sort_keys=True, ensure_ascii=False)


def _sort_key(node: n.Node) -> tuple[str, str]:
    """By the question, then by its amounts, so that close questions come in the same order."""
    return _text(transform(node, _without_amount)), _text(node)


def _without_amount(node: n.Node) -> n.Node:
    match node:
        case n.Number():
            return n.Number(0)
        case n.Duration():
            return n.Duration(1, "day")
        case n.Date() | n.Instant():
            return n.Date(0)
    return node


def _alike(one: object, other: object, *, exact: bool) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, n.Duration) and isinstance(other, n.Duration):
        return _close(one.micros, other.micros)
    if isinstance(one, n.Node):
        exact = exact or isinstance(one, n.In) or (isinstance(one, n.Compare) and one.op in _EXACT_OPS)
        names = [spec.name for spec in dataclasses.fields(one)]
        return all(_alike(getattr(one, name), getattr(other, name), exact=exact) for name in names)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_alike(a, b, exact=exact) for a, b in zip(one, other, strict=True))
    if type(one) is int and isinstance(other, int) and not exact:
        return _close(one, other)
    return one == other


def _close(one: int, other: int) -> bool:
    return one == other or abs(one - other) * CLOSE < max(abs(one), abs(other))
