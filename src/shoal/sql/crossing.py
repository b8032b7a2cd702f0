"""When two sides of a comparison change places as time passes, to the microsecond.

Between two recorded changes each side is a quotient of polynomials of the time that has passed: ``days since`` grows by one
a day, all else stands still. The sides can change places only where their difference, or a divisor, passes zero.

>>> half = Moving.of(Fraction(1, 2))
>>> days = Moving((Fraction(0), Fraction(1, 10)))
>>> sorted(changes(days, half, 100))
[4, 5, 6]
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Polynomial: TypeAlias = tuple[Fraction, ...]
"""Coefficients, the constant first."""
ONE: Polynomial = (Fraction(1),)


@dataclass(frozen=True)
class Moving:
    """A value that depends on the microseconds that have passed: ``num / den``."""

    num: Polynomial
    den: Polynomial = ONE

    @classmethod
    def of(cls, value: Fraction, slope: Fraction = Fraction(0)) -> Moving:
        """A value that grows by ``slope`` a microsecond."""
        return cls((value, slope) if slope else (value,))


def negative(value: Moving) -> Moving:
    """``−value``."""
    return Moving(tuple(-c for c in value.num), value.den)


def combined(left: Moving, op: str, right: Moving) -> Moving | None:
    """``left op right``; None where it is divided by a constant 0."""
    match op:
        case "*":
            return Moving(_times(left.num, right.num), _times(left.den, right.den))
        case "/":
            if not any(right.num):
                return None
            return Moving(_times(left.num, right.den), _times(left.den, right.num))
        case "-":
            right = negative(right)
    num = _plus(_times(left.num, right.den), _times(right.num, left.den))
    return Moving(num, _times(left.den, right.den))


def changes(left: Moving, right: Moving, span: int) -> set[int]:
    """The microseconds from 0 to ``span`` around which the sides may change places, or a divisor pass zero."""
    difference = combined(left, "-", right)
    assert difference is not None
    return {at for polynomial in (difference.num, difference.den) for at in sign_changes(polynomial, span)}


def sign_changes(polynomial: Polynomial, span: int) -> set[int]:
    """The whole numbers in [0, span] around each change of the sign: the last before, the first after, and the next.

    Between two neighbouring extremes a polynomial goes one way only, so the change is found there by halving; the
    extremes are where the derivative changes its sign.
    """
    while polynomial and not polynomial[-1]:
        polynomial = polynomial[:-1]
    if len(polynomial) <= 1:
        return set()
    found: set[int] = set()
    extremes = sign_changes(_derivative(polynomial), span)
    for low, high in pairwise(sorted({0, span, *extremes})):
        found.update(_halved(lambda at: _sign(polynomial, at), low, high))
    return {at for at in found if 0 <= at <= span}


def _halved(sign: Callable[[int], int], low: int, high: int) -> Iterator[int]:
    before = sign(low)
    if sign(high) == before:
        return
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sign(middle) == before else (low, middle)
    yield from (low, high, high + 1)


def _sign(polynomial: Polynomial, at: int) -> int:
    value = Fraction(0)
    for coefficient in reversed(polynomial):
        value = value * at + coefficient
    return (value > 0) - (value < 0)


def _derivative(polynomial: Polynomial) -> Polynomial:
    return tuple(c * power for power, c in enumerate(polynomial))[1:]


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    result = [Fraction(0)] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            result[i + j] += a * b
    return tuple(result)


def _plus(left: Polynomial, right: Polynomial) -> Polynomial:
    size = max(len(left), len(right))
    return tuple((left[i] if i < len(left) else 0) + (right[i] if i < len(right) else Fraction(0)) for i in range(size))
