"""Survival curves against a published table and laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.insight.models.learning.survival import kaplan_meier

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
