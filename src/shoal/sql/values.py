"""Values as SQL: exact rationals, and everything that isn't a number. A NULL in them is a missing value.

A number is ``factor × num / den``: ``factor`` a constant fraction, ``num`` and ``den`` integers that depend on the
customer (``den`` always positive). Two numbers are compared by cross-multiplication after their factors are divided by
their greatest common divisor, so the integers stay as small as ``lang.check.bounds`` promises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, gcd, lcm
from typing import TYPE_CHECKING, TypeAlias

from shoal.errors import Unsupported
from shoal.lang.nodes import MICRO
from shoal.lang.schema import Kind
from shoal.sql import terms as s

if TYPE_CHECKING:
    from sqlglot import exp

    from shoal.lang.calendar import Zone
    from shoal.sql.terms import Sql

FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
MICROS = Fraction(1, MICRO)


@dataclass(frozen=True)
class Rational:
    """``factor × num / den``; without ``num``, the constant ``factor``."""

    factor: Fraction
    num: Sql | None = None
    den: Sql | None = None

    @property
    def kind(self) -> Kind:
        """Always a number."""
        return Kind.NUMBER

    @property
    def known(self) -> Sql:
        """Whether there is a value."""
        return s.all_of(s.is_known(part) for part in (self.num, self.den) if part is not None)


@dataclass(frozen=True)
class Scalar:
    """A value that is no number.

    Args:
        kind: its type.
        sql: its expression.
        literal: the Python value, where it is a literal.
        origin: queries of one column ``value`` that together give every value it can have; for matching texts.
    """

    kind: Kind
    sql: Sql
    literal: int | str | bool | None = None
    origin: tuple[exp.Query, ...] = ()

    @property
    def known(self) -> Sql:
        """Whether there is a value."""
        return s.is_known(self.sql)


Value: TypeAlias = Rational | Scalar
MISSING_NUMBER = Rational(Fraction(1), s.null("HUGEINT"))


def stored(kind: Kind, sql: Sql, origin: tuple[exp.Query, ...] = ()) -> Value:
    """The value of a column of the store: numbers are in millionths there."""
    return Rational(MICROS, sql) if kind is Kind.NUMBER else Scalar(kind, sql, origin=origin)


# ---------------------------------------------------------------- arithmetic


def negative(value: Rational) -> Rational:
    """``−value``."""
    return replace(value, factor=-value.factor)


def combined(left: Rational, op: str, right: Rational) -> Rational:
    """``left op right``, exact; missing where a side is, and where the divisor is 0."""
    match op:
        case "*":
            return Rational(left.factor * right.factor, _times(left.num, right.num), _times(left.den, right.den))
        case "/":
            return _quotient(left, right)
        case "-":
            return _sum(left, negative(right))
    return _sum(left, right)


def _quotient(left: Rational, right: Rational) -> Rational:
    if right.factor == 0:
        return MISSING_NUMBER
    factor = left.factor / right.factor
    if right.num is None:
        return Rational(factor, left.num, left.den)
    sign = s.huge(s.call("sign", right.num))
    size = s.call("nullif", s.huge(s.call("abs", right.num)), s.integer(0))
    return Rational(factor, _times(_times(left.num, right.den), sign), _times(left.den, size))


def _sum(left: Rational, right: Rational) -> Rational:
    if left.num is None and right.num is None:
        return Rational(left.factor + right.factor)
    common, a, b = _scaled(left.factor, right.factor)
    num = s.joined("+", _term(a, left.num, right.den), _term(b, right.num, left.den))
    return Rational(common, num, _times(left.den, right.den))


def _scaled(left: Fraction, right: Fraction) -> tuple[Fraction, int, int]:
    """A common factor of two fractions, and what is left of each."""
    common = Fraction(gcd(left.numerator, right.numerator), lcm(left.denominator, right.denominator))
    return (common, int(left / common), int(right / common)) if common else (Fraction(1), 0, 0)


def _times(left: Sql | None, right: Sql | None) -> Sql | None:
    if left is None or right is None:
        return left if right is None else right
    return s.joined("*", s.huge(left), s.huge(right))


def _term(scale: int, num: Sql | None, den: Sql | None) -> Sql:
    product = _times(num, den)
    if product is None:
        return s.huge(s.integer(scale))
    return s.huge(product) if scale == 1 else s.joined("*", s.huge(product), s.integer(scale))


# ---------------------------------------------------------------- comparing


def compare(left: Value, op: str, right: Value, zone: Zone) -> Sql:
    """``left op right``; NULL, which is false, where a side is missing."""
    if isinstance(left, Rational) and isinstance(right, Rational):
        return _compare_numbers(left, op, right)
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        if left.kind is Kind.INSTANT and right.kind is Kind.DATE:
            return _against_day(left.sql, op, right, zone)
        if left.kind is Kind.DATE and right.kind is Kind.INSTANT:
            return _against_day(right.sql, FLIPPED[op], left, zone)
        if left.kind is right.kind:
            return s.compared(left.sql, op, right.sql)
    raise Unsupported(f"A {left.kind} doesn't compare with a {right.kind}.", fix="Compare values of one type.")


def _against_day(instant: Sql, op: str, day: Scalar, zone: Zone) -> Sql:
    """An instant against a written date speaks of that whole day."""
    if not isinstance(day.literal, int):
        raise Unsupported("An instant compares with a written date only.", fix="Write the date out.")
    begins, ends = s.integer(zone.starts(day.literal)), s.integer(zone.starts(day.literal + 1))
    match op:
        case "=":
            return s.within(instant, begins, ends)
        case "!=":
            return s.any_of([s.compared(instant, "<", begins), s.compared(instant, ">=", ends)])
        case "<" | ">=":
            return s.compared(instant, op, begins)
        case "<=":
            return s.compared(instant, "<", ends)
    return s.compared(instant, ">=", ends)


def _compare_numbers(left: Rational, op: str, right: Rational) -> Sql:
    if left.num is None and right.num is not None:
        return _compare_numbers(right, FLIPPED[op], left)
    if left.num is None:
        return _constant(left.factor, op, right.factor)
    if right.num is None and left.den is None and left.factor:
        return _against_constant(left.num, op, right.factor / left.factor, flip=left.factor < 0)
    _, a, b = _scaled(left.factor, right.factor)
    if a == b == 1 and left.den is None and right.den is None and right.num is not None:
        return s.compared(left.num, op, right.num)
    return s.compared(_term(a, left.num, right.den), op, _term(b, right.num, left.den))


def _constant(left: Fraction, op: str, right: Fraction) -> Sql:
    truth = {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return s.true() if truth[op] else s.false()


def _against_constant(num: Sql, op: str, limit: Fraction, *, flip: bool) -> Sql:
    """An integer against a fraction: the fraction is rounded to the integer that divides the same way."""
    op = FLIPPED[op] if flip else op
    whole = floor(limit)
    if limit == whole:
        return s.compared(num, op, s.integer(whole))
    if op in ("<", "<="):
        return s.compared(num, "<=", s.integer(whole))
    if op in (">", ">="):
        return s.compared(num, ">", s.integer(whole))
    # No integer equals the fraction, but a missing one still makes ``!=`` false.
    return s.is_known(num) if op == "!=" else s.false()
