"""Numbers that may grow with time itself: quotients of two polynomials of the instant t, with whole coefficients.

``days since`` is (t − ts) / a day, and arithmetic makes sums, products and quotients of such. Whole coefficients keep
every comparison exact, and the instant at which two of them change places is found by halving.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from shoal.lang.nodes import MICRO
from shoal.live.values import FAR

Poly: TypeAlias = tuple[int, ...]
"""Coefficients, the constant one first."""


class Curve(NamedTuple):
    """num(t) / den(t)."""

    num: Poly
    den: Poly = (MICRO,)

    @property
    def steady(self) -> bool:
        """Whether time doesn't take part."""
        return len(self.num) == 1 and len(self.den) == 1


def plus(p: Poly, q: Poly) -> Poly:
    """p + q."""
    if len(p) == 1 and len(q) == 1:
        return (p[0] + q[0],)
    if len(p) < len(q):
        p, q = q, p
    return tuple(a + (q[i] if i < len(q) else 0) for i, a in enumerate(p))


def times(p: Poly, q: Poly) -> Poly:
    """p · q."""
    if len(p) == 1 and len(q) == 1:
        return (p[0] * q[0],)
    found = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            found[i + j] += a * b
    return tuple(found)


def minus(p: Poly) -> Poly:
    """−p."""
    return tuple(-a for a in p)


def at(p: Poly, t: int) -> int:
    """p(t)."""
    found = 0
    for a in reversed(p):
        found = found * t + a
    return found


def sign(p: Poly, t: int) -> int:
    """−1, 0 or 1: the sign of p(t)."""
    found = at(p, t)
    return (found > 0) - (found < 0)


def next_sign_change(p: Poly, t: int) -> int:
    """The first whole u > t at which the sign of p differs from that at t; FAR where there is none.

    >>> next_sign_change((-10, 1), 3), next_sign_change((-10, 1), 10), next_sign_change((5,), 0)
    (10, 11, 4611686018427387904)
    """
    while len(p) > 1 and p[-1] == 0:
        p = p[:-1]
    if len(p) == 1:
        return FAR
    now, slope = sign(p, t), tuple(i * a for i, a in enumerate(p))[1:]
    while t < FAR:
        # Between two changes of its slope's sign p goes one way.
        bend = next_sign_change(slope, t)
        last = bend - 1
        if sign(p, last) != now:
            return _first_other(p, t, last, now)
        if bend >= FAR:
            return FAR
        if sign(p, bend) != now:
            return bend
        t = bend
    return FAR


def _first_other(p: Poly, low: int, high: int, now: int) -> int:
    """The first u in (low, high] whose sign isn't ``now``, p going one way; it is at ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        if sign(p, middle) == now:
            low = middle
        else:
            high = middle
    return high
