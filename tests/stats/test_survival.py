"""Survival curves against a published table and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.stats.survival import kaplan_meier, log_rank

# Remission in weeks under 6-MP (Freireich 1963), the textbook example; 0 is censored.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_the_textbook_curve() -> None:
    """Shares, numbers at risk, and the interval on the scale of ln(−ln S)."""
    curve = kaplan_meier(WEEKS, ENDED)
    assert curve.times == (6, 7, 10, 13, 16, 22, 23)
    assert curve.at_risk == (21, 17, 15, 12, 11, 7, 6)
    assert curve.left == (3, 1, 1, 1, 1, 1, 1)
    assert curve.share == pytest.approx((0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482), abs=5e-5)
    assert curve.at(6) == pytest.approx((0.8571, 0.6197, 0.9516), abs=5e-5)
    assert curve.at(10) == pytest.approx((0.7529, 0.5032, 0.8894), abs=5e-5)
    assert curve.at(30) == pytest.approx((0.4482, 0.1881, 0.6801), abs=5e-5)
    assert curve.median() == 23


def test_without_censoring_it_is_the_plain_share() -> None:
    curve = kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1])
    assert curve.share == pytest.approx((0.75, 0.5, 0.25, 0))
    assert (curve.low[-1], curve.high[-1]) == (0, curve.high[-2])


@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_it_falls_stays_inside_and_ignores_order(rows: list[tuple[int, bool]], random: object) -> None:
    curve = kaplan_meier([t for t, _ in rows], [float(d) for _, d in rows])
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert curve == kaplan_meier([t for t, _ in rows], [float(d) for _, d in rows])
    assert list(curve.share) == sorted(curve.share, reverse=True)
    for low, share, high in zip(curve.low, curve.share, curve.high, strict=True):
        assert 0 <= low <= share <= high <= 1


def test_what_nobody_was_followed_for_is_not_told() -> None:
    curve = kaplan_meier(WEEKS, ENDED)
    with pytest.raises(Refused, match="Nobody was followed for 36; the longest is 35"):
        curve.at(36)
    before = curve.at(0)
    assert (before.value, before.high) == (1, 1)
    assert 0.8 < before.low < 0.9


@pytest.mark.parametrize(
    ("time", "left"), [([], []), ([-1.0], [1]), ([float("nan")], [0]), ([1.0], [2]), ([1.0, 2.0], [1])]
)
def test_bad_input_is_refused(time: list[float], left: list[float]) -> None:
    with pytest.raises(Refused):
        kaplan_meier(time, left)


# The placebo arm of the same trial: all relapsed.
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TRIAL = (WEEKS + PLACEBO, ENDED + [1] * 21, [0] * 21 + [1] * 21)


def test_the_textbook_comparison() -> None:
    """Breaks when the log-rank test isn't the published one (Freireich 1963; chi squared 16.79, expected 19.25 and 10.75)."""
    found = log_rank(*TRIAL)
    assert found.chi2 == pytest.approx(16.79, abs=5e-3)
    assert found.df == 1
    assert found.left == (9, 21)
    assert found.expected == pytest.approx((19.25, 10.75), abs=5e-3)
    assert found.p == pytest.approx(4.17e-5, rel=5e-3)


def test_the_order_and_the_numbers_of_groups_say_nothing() -> None:
    """Breaks when the result hangs on which group comes first, or on the order of rows."""
    random = np.random.default_rng(4)
    time, group = random.integers(0, 20, 400), random.integers(0, 4, 400)
    left = (random.random(400) < 0.6).astype(float)
    first = log_rank(time, left, group)
    order = random.permutation(400)
    other = log_rank(time[order], left[order], np.array([2, 0, 3, 1])[group[order]])
    assert other.chi2 == pytest.approx(first.chi2)
    assert other.df == 3
    assert sum(first.left) == pytest.approx(sum(first.expected))


def test_groups_of_one_law_differ_no_more_often_than_chance() -> None:
    """Breaks when the variance is wrong: of 400 draws of one law about 5 % may lie beyond the 5 % limit."""
    random = np.random.default_rng(7)
    found = []
    for _ in range(400):
        time, end = random.exponential(10, 120), random.uniform(0, 25, 120)
        found.append(log_rank(np.minimum(time, end), (time <= end).astype(float), np.arange(120) % 3).p)
    assert 0.025 < np.mean(np.array(found) < 0.05) < 0.08


def test_two_equal_groups_do_not_differ() -> None:
    found = log_rank(WEEKS * 2, ENDED * 2, [0] * 21 + [1] * 21)
    assert found.chi2 == pytest.approx(0, abs=1e-12)
    assert found.p == 1


@pytest.mark.parametrize(
    ("time", "left", "group"),
    [([1, 2], [1, 1], [0, 0]), ([1, 2], [0, 0], [0, 1]), ([1, 2, 3], [1, 1, 1], [0, 2, 2]), ([1, 2], [1, 1], [0, -1])],
)
def test_what_can_not_be_compared_is_refused(time: list[float], left: list[float], group: list[int]) -> None:
    """Breaks when one group, or groups of whom nobody left, come out as alike."""
    with pytest.raises(Refused):
        log_rank(time, left, group)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80))
def test_without_censoring_it_is_one_less_the_shares_that_left(times: list[int]) -> None:
    """Breaks when the curve isn't 1 − the empirical distribution where everybody was seen to leave."""
    curve = kaplan_meier(times, [1.0] * len(times))
    for time in range(max(times) + 1):
        assert curve.at(time).value == pytest.approx(np.mean(np.array(times) > time))
