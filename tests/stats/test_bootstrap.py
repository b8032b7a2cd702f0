"""Paired bootstrap intervals: as wide as the textbook's, right as often as they say, and blind to the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.stats.bootstrap import MOST_UNITS, Tally, difference
from shoal.stats.scoring import paired_difference


def pair(n: int, gap: float, seed: int) -> tuple[Tally, Tally]:
    random = np.random.default_rng(seed)
    shared = random.normal(size=n)
    return Tally.of(shared + gap + random.normal(size=n) / 2), Tally.of(shared + random.normal(size=n) / 2)


@pytest.mark.parametrize("n", [200, MOST_UNITS + 1, 60_000])
def test_of_plain_means_it_is_the_paired_interval(n: int) -> None:
    """Breaks when pairs are torn apart, or grouping many units narrows or widens the interval."""
    a, b = pair(n, 0.2, 1)
    found, known = difference(a, b), paired_difference(a.sums.ravel(), b.sums.ravel())
    assert found.value == pytest.approx(known.value)
    assert found.high - found.low == pytest.approx(known.high - known.low, rel=0.08)
    assert (found.low + found.high) / 2 == pytest.approx(known.value, abs=(known.high - known.low) / 10)


def test_where_there_is_no_difference_it_is_said_to_be_one_in_a_twentieth() -> None:
    """Breaks when intervals are too narrow: of 400 worlds without a difference about 20 may seem to have one."""
    told = 0
    for seed in range(400):
        found = difference(*pair(120, 0.0, seed), draws=400)
        told += not found.low <= 0 <= found.high
    assert 8 <= told <= 38  # 20 ± 4.4, and a percentile interval of 120 units errs a little on the narrow side.


def test_rows_of_one_customer_count_together() -> None:
    """Breaks when rows are drawn and not customers: ten equal rows each say no more than one."""
    random = np.random.default_rng(2)
    value = random.normal(0.1, 1, 100)
    once = difference(Tally.of(value), Tally.of(np.zeros(100)))
    unit = np.repeat(np.arange(100), 10)
    ten = difference(Tally.by(unit, np.repeat(value, 10), 100), Tally.by(unit, np.zeros(1000), 100))
    assert ten.value == pytest.approx(once.value)
    assert ten.high - ten.low == pytest.approx(once.high - once.low, rel=0.05)


def test_a_figure_is_the_mean_over_parts_of_what_was_counted() -> None:
    """Breaks when a customer without anything of a part counts in it, or parts are weighed by their rows."""
    sums, counts = np.array([[1.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 0.0], [1.0, 6.0]])
    assert Tally(sums, counts).figure == pytest.approx((1 / 2 + 3 / 6) / 2)
    by = Tally.by(np.array([0, 0, 2]), np.array([1.0, np.nan, 3.0]), 3)
    assert by.figure == pytest.approx(2)
    assert by.counts.ravel().tolist() == [1, 0, 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 90))
def test_the_order_of_customers_changes_nothing(seed: int, n: int) -> None:
    """Breaks when draws hang on where a customer stands."""
    a, b = pair(n, 0.1, seed)
    order = np.random.default_rng(seed).permutation(n)
    again = difference(Tally.of(a.sums[order, 0]), Tally.of(b.sums[order, 0]), draws=200)
    assert again == pytest.approx(difference(a, b, draws=200))


def test_a_handful_has_no_interval_and_what_cant_be_paired_is_refused() -> None:
    """Breaks when nineteen customers are made to say something, or two lists of customers are compared as one."""
    few = difference(*pair(19, 5.0, 0))
    assert np.isnan(few.low)
    assert np.isnan(few.high)
    with pytest.raises(ValueError, match="same units"):
        difference(Tally.of(np.ones(30)), Tally.of(np.ones(31)))
