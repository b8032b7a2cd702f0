"""Places on earth in integers, so that every engine compares distances alike.

A place is its unit vector × 10⁹. A distance below R is a squared chord below floor((2·10⁹·sin(R / 2r))²), with the mean
earth radius r = 6,371.0088 km; half around the earth and beyond is the whole earth.

>>> unit_vector(0, 90_000_000)
(0, 1000000000, 0)
>>> chord_limit(30_000_000_000, "km")
4000000000000000000
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

from shoal.lang.nodes import MICRO

SCALE = 10**9
DIAMETER = Fraction("12742017.6")
"""Of the earth, in metres."""
METRES = {"m": Fraction(1), "km": Fraction(1000), "mi": Fraction("1609.344")}
_DIGITS = 60
_QUARTER_TURN = Decimal("1.57079632679489661923132169163975144209858469968755291048747")


def unit_vector(latitude: int, longitude: int) -> tuple[int, int, int]:
    """The unit vector × 10⁹ of a place given in millionths of a degree, each part rounded half to even."""
    phi, lam = math.radians(latitude / MICRO), math.radians(longitude / MICRO)
    parts = math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)
    x, y, z = (round(part * SCALE) for part in parts)
    return x, y, z


@lru_cache(maxsize=1_000)
def chord_limit(radius: int, unit: str) -> int:
    """The squared chord that stands for a radius, in millionths of ``unit`` (``m``, ``km`` or ``mi``)."""
    angle = Fraction(radius, MICRO) * METRES[unit] / DIAMETER
    with localcontext() as context:
        context.prec = _DIGITS
        x = Decimal(angle.numerator) / Decimal(angle.denominator)
        if x >= _QUARTER_TURN:
            return 4 * SCALE**2
        return int((2 * SCALE * _sine(x)) ** 2)


def metres_between(vector: tuple[int, int, int], latitude: int, longitude: int) -> float:
    """How far a place is from another, in metres, for people to read; comparisons use ``chord_limit``."""
    there = unit_vector(latitude, longitude)
    chord = math.sqrt(sum((a - b) ** 2 for a, b in zip(vector, there, strict=True)))
    return float(DIAMETER) * math.asin(min(1.0, chord / (2 * SCALE)))


def _sine(x: Decimal) -> Decimal:
    """The Taylor series of the sine, to the digits of the context."""
    total, term, k = Decimal(0), x, 1
    while abs(term) > Decimal(10) ** -(_DIGITS - 5):
        total += term
        term *= -x * x / ((k + 1) * (k + 2))
        k += 2
    return total
