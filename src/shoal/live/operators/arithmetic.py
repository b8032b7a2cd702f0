"""Numbers and what is reckoned with them, as curves over time (see ``live.curve``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.curve import Curve, minus, next_sign_change, plus, sign, times
from shoal.live.registry import value, values
from shoal.live.values import FAR, Micro, Valued

if TYPE_CHECKING:
    from shoal.live.scope import Scope


def curve(found: object) -> Curve | None:
    """A number as a curve; None for what is no number."""
    if isinstance(found, Micro):
        return Curve((int(found),))
    return found if isinstance(found, Curve) else None


@values(n.Number)
def number(node: n.Number, s: Scope) -> Valued:
    """A literal."""
    return Valued(Micro(node.micro))


@values(n.Negative)
def negative(node: n.Negative, s: Scope) -> Valued:
    """−x; missing where x is."""
    found, until = value(node.value, s)
    one = curve(found)
    return Valued(None if one is None else Curve(minus(one.num), one.den), until)


@values(n.Arithmetic)
def arithmetic(node: n.Arithmetic, s: Scope) -> Valued:
    """``left op right``, exact; missing where a side is, and by division by 0."""
    (left, until), (right, certain) = value(node.left, s), value(node.right, s)
    until = min(until, certain)
    one, two = curve(left), curve(right)
    if one is None or two is None:
        return Valued(None, until)
    if node.op == "*":
        return Valued(Curve(times(one.num, two.num), times(one.den, two.den)), until)
    if node.op == "/":
        return _quotient(one, two, s.t, until)
    num = two.num if node.op == "+" else minus(two.num)
    if one.den == two.den:
        return Valued(Curve(plus(one.num, num), one.den), until)
    return Valued(Curve(plus(times(one.num, two.den), times(num, one.den)), times(one.den, two.den)), until)


def _quotient(one: Curve, two: Curve, t: int, until: int) -> Valued:
    until = min(until, next_sign_change(two.num, t))
    if sign(two.num, t) == 0:
        return Valued(None, until)
    return Valued(Curve(times(one.num, two.den), times(one.den, two.num)), until)


def order(left: Curve, right: Curve, t: int) -> tuple[int, int]:
    """−1, 0 or 1 as left is less than, equal to or more than right; and until when that is certain."""
    gap = plus(times(left.num, right.den), minus(times(right.num, left.den)))
    if len(gap) == 1 and left.steady and right.steady:
        below = left.den[0] * right.den[0]
        return ((gap[0] > 0) - (gap[0] < 0)) * (1 if below > 0 else -1), FAR
    parts = (gap, left.den, right.den)
    found = 1
    for part in parts:
        found *= sign(part, t)
    return found, min(next_sign_change(part, t) for part in parts)
