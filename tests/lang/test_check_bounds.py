"""Exact arithmetic fits its digits: what the check lets through can't overflow, and it lets through what fits.

Breaks when a bound is worked out too small (an engine would overflow on large data) or far too large (harmless
definitions would be refused).
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop_schema import SHOP

from shoal.lang import nodes as n
from shoal.lang.check import faults
from shoal.lang.check.bounds import LIMIT, MICRO, STORED, Bound, bound_of, cross, scales
from shoal.lang.parse import parse

SUM = 'sum(revenue of "Order Completed")'
AVG = 'avg(revenue of "Order Completed")'
COUNT = 'count("Order Completed")'
SINCE = 'days since last "Order Completed"'


@pytest.mark.parametrize(
    "text",
    [
        f"{SUM} < 0.5 * {SUM}",
        f"{SUM} / {COUNT} > 2 * {AVG}",
        f"{AVG} - 3.000001 * clv > {COUNT}",
        f"{SINCE} + days since signed_up > 1000000000000",
        "clv * age > 1000000000000",
        f"{SUM} / {SUM} > 0.000001",
    ],
)
def test_what_fits_is_let_through(text: str) -> None:
    assert faults(parse(text), SHOP) == []


@pytest.mark.parametrize(
    "text",
    [
        "clv * age * nps > 1",
        f"{SUM} * clv > 1",
        f"{SUM} / {SUM} > {SUM} / {SUM}",
        f"{AVG} > 0.123457 * {AVG}",
        f"{AVG} + {AVG} > {AVG}",
        "clv * age * nps is known",
        f"1 < {SUM} * clv",
        f"{SUM} * clv between 1 and 2",
    ],
)
def test_what_needs_more_than_38_digits_is_refused(text: str) -> None:
    found = faults(parse(text), SHOP)
    assert found
    assert {f.problem for f in found} == {"Worked out exactly, this can need more than 38 digits."}


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (f"{SUM} * {COUNT} > 1", False),
        (f"{SINCE} * {COUNT} > 1", False),
        (f"{COUNT} / {SINCE} > 1", False),
        (f"{SUM} / {COUNT} > 1", True),
        (f"{SUM} * age > 1 and age < 3", None),
        (f"2 * {SINCE} / clv > 1", True),
    ],
)
def test_a_product_has_at_most_one_factor_that_changes_with_time(text: str, allowed: bool | None) -> None:
    rule = "A product or quotient has at most one factor that changes with time."
    found = [f.problem for f in faults(parse(text), SHOP)]
    assert (rule in found) is (allowed is False)


def values() -> st.SearchStrategy[n.Value]:
    """Numbers worked out of literals and traits, with factors of all sizes."""
    leaves = st.one_of(
        st.builds(n.Number, st.integers(-STORED, STORED)),
        st.builds(n.Number, st.integers(-20, 20)),
        st.sampled_from([n.Trait("age"), n.Trait("clv"), n.Bucket("x")]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(n.Negative, inner), st.builds(n.Arithmetic, inner, st.sampled_from("+-*/"), inner)
        ),
        max_leaves=5,
    )


def worked_out(value: n.Value, data: dict[n.Value, int]) -> tuple[Fraction, int, int] | None:
    """The way an engine goes: a constant factor and two integers, built as the bounds say; None is missing."""
    match value:
        case n.Number(micro):
            return Fraction(micro, MICRO), 1, 1
        case n.Trait() | n.Bucket():
            return Fraction(1, MICRO), data[value], 1
        case n.Negative(inner):
            part = worked_out(inner, data)
            return part and (part[0], -part[1], part[2])
        case n.Arithmetic(left, op, right):
            one, two = worked_out(left, data), worked_out(right, data)
            return None if one is None or two is None else combined(one, op, two)
    raise AssertionError(value)


def combined(
    one: tuple[Fraction, int, int], op: str, two: tuple[Fraction, int, int]
) -> tuple[Fraction, int, int] | None:
    (f, a, b), (g, c, d) = one, two
    if op == "*":
        return f * g, a * c, b * d
    if op == "/":
        return (f / g, a * d, b * c) if g and c else None
    common, x, y = scales(f, g)
    return common, (x * a * d + y * c * b if op == "+" else x * a * d - y * c * b), b * d


TRAITS = st.integers(-STORED, STORED) | st.sampled_from([STORED, -STORED, 0, 1])


@given(values(), values(), TRAITS, TRAITS, st.integers(0, MICRO - 1))
def test_no_data_goes_beyond_the_bound(left: n.Value, right: n.Value, age: int, clv: int, share: int) -> None:
    """The integers that a comparison meets stay within what was worked out without the data, and compare rightly."""
    data: dict[n.Value, int] = {n.Trait("age"): age, n.Trait("clv"): clv, n.Bucket("x"): share}
    one, two = worked_out(left, data), worked_out(right, data)
    if one is None or two is None:
        return
    (f, a, b), (g, c, d) = one, two
    for value, (factor, num, den) in ((left, one), (right, two)):
        bound = bound_of(value)
        assert factor in (bound.factor, -bound.factor)
        assert abs(num) <= bound.num
        assert 1 <= abs(den) <= bound.den
    _, x, y = scales(f, g)
    largest = cross(bound_of(left), bound_of(right))
    assert max(abs(x * a * d), abs(y * c * b)) <= largest
    same = x * a * d * (1 if b * d > 0 else -1) == y * c * b * (1 if b * d > 0 else -1)
    assert same is (f * Fraction(a, b) == g * Fraction(c, d))


def test_the_factor_takes_part_in_what_fits() -> None:
    assert Bound(Fraction(1), LIMIT - 1).fits
    assert not Bound(Fraction(2), LIMIT // 2).fits
    assert not Bound(Fraction(1, 2), 1, LIMIT // 2).fits
