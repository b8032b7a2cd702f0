"""How large the integers of a comparison can become, so that nothing overflows when it runs.

Every number of the language is an exact rational. It is held here as ``factor × N / V``: ``factor`` a constant fraction
in lowest terms, ``N`` and ``V`` integers that depend on the customer, with ``|N| ≤ num`` and ``1 ≤ |V| ≤ den``. So a
stored number is 10⁻⁶ × its millionths, an average 10⁻⁶ × its sum in millionths / its count, the days since an event
1 / 86,400,000,000 × microseconds. To compare ``x`` and ``y``, both factors are divided by their greatest common
divisor, which leaves integers ``a`` and ``b``; then ``a·N(x)·V(y)`` is held against ``b·N(y)·V(x)``. Both must fit
38 digits, as must every sum on the way.

What is assumed of the data: see the constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO, UNIT_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.nodes import Value

DIGITS = 38
LIMIT = 10**DIGITS
STORED = 10**18
"""A stored number in millionths: ± 10¹² is the bound at the door."""
COUNT = 10**9
"""Events of one customer or account, and elements in their lists."""
SUM = STORED * COUNT
SPAN = 10**18
"""Microseconds between two instants of the years 1 to 9999: 3.2 × 10¹⁷."""
LOCAL_DAYS = 10**7
DAY = UNIT_MICROSECONDS["day"]


@dataclass(frozen=True, slots=True)
class Bound:
    """``factor × N / V`` with ``|N| ≤ num`` and ``1 ≤ |V| ≤ den``."""

    factor: Fraction
    num: int
    den: int = 1

    @property
    def fits(self) -> bool:
        """Whether numerator and denominator stay within 38 digits, the constant factor included."""
        return bool(self.num * abs(self.factor.numerator) < LIMIT and self.den * self.factor.denominator < LIMIT)


_STORED = Bound(Fraction(1, MICRO), STORED)
_DAYS = Bound(Fraction(1, DAY), SPAN)
_AGGREGATES = {
    "count": Bound(Fraction(1), COUNT),
    "distinct": Bound(Fraction(1), COUNT),
    "active days": Bound(Fraction(1), LOCAL_DAYS),
    "sum": Bound(Fraction(1, MICRO), SUM),
    "avg": Bound(Fraction(1, MICRO), SUM, COUNT),
}


def bound_of(value: Value) -> Bound:
    """The bound of a numeric value, worked out from its parts."""
    match value:
        case n.Number(micro):
            return Bound(Fraction(micro, MICRO), 1)
        case n.Aggregate():
            return _AGGREGATES.get(value.fn, _STORED)
        case n.DaysSince() | n.DaysUntil() | n.DaysSinceEvent():
            return _DAYS
        case n.Bucket():
            return Bound(Fraction(1, MICRO), MICRO)
        case n.Negative(inner):
            return bound_of(inner)
        case n.Arithmetic(left, op, right):
            return _combined(bound_of(left), op, bound_of(right))
    return _STORED


def scales(left: Fraction, right: Fraction) -> tuple[Fraction, int, int]:
    """The greatest common divisor of two fractions, and each divided by it.

    >>> scales(Fraction(1, 1_000_000), Fraction(1, 2))
    (Fraction(1, 1000000), 1, 500000)
    """
    common = Fraction(gcd(left.numerator, right.numerator), lcm(left.denominator, right.denominator))
    if not common:
        return Fraction(1), 0, 0
    return common, int(left / common), int(right / common)


def cross(left: Bound, right: Bound) -> int:
    """The largest integer that comparing the two can meet."""
    _, a, b = scales(left.factor, right.factor)
    return max(abs(a) * left.num * right.den, abs(b) * right.num * left.den)


def parts(value: Value) -> Iterator[Value]:
    """The value and all operands below it."""
    yield value
    if isinstance(value, n.Negative):
        yield from parts(value.value)
    elif isinstance(value, n.Arithmetic):
        yield from parts(value.left)
        yield from parts(value.right)


def _combined(left: Bound, op: str, right: Bound) -> Bound:
    if op == "*":
        return Bound(left.factor * right.factor, left.num * right.num, left.den * right.den)
    if op == "/":
        if not right.factor:  # ÷ 0 is missing: no number comes of it
            return Bound(Fraction(0), 1)
        return Bound(left.factor / right.factor, left.num * right.den, left.den * right.num)
    common, a, b = scales(left.factor, right.factor)
    return Bound(common, abs(a) * left.num * right.den + abs(b) * right.num * left.den, left.den * right.den)
