"""Which values can't be missing. There ``not`` and the opposite comparison are the same; elsewhere they aren't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n

if TYPE_CHECKING:
    from shoal.lang.nodes import Value

_OVER_NOTHING_ZERO = frozenset({"count", "sum", "distinct", "active days"})


def never_missing(value: Value) -> bool:
    """Whether a value is known for every customer whatever the data.

    Literals, ``bucket``, local time in a filter, the aggregates that give 0 over no event, and arithmetic of these that
    doesn't divide by what may be 0.
    """
    match value:
        case n.Number() | n.Text() | n.YesNo() | n.Date() | n.Instant() | n.LocalTime() | n.Bucket():
            return True
        case n.Aggregate():
            return value.fn in _OVER_NOTHING_ZERO
        case n.Negative(inner):
            return never_missing(inner)
        case n.Arithmetic(left, "/", n.Number(micro)):
            return micro != 0 and never_missing(left)
        case n.Arithmetic(left, op, right):
            return op != "/" and never_missing(left) and never_missing(right)
    return False
