"""Intervals, quantiles and effect sizes against published numbers.

A slip in a formula would show as a wrong figure on every page.
"""

from __future__ import annotations

import json
import os
import statistics
from math import inf, sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.stats import effects, intervals, quantiles, student
from shoal.stats.intervals import Moments


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(85, 100, 0.767164, 0.90694), (9, 10, 0.59585, 0.982124)],
)
def test_wilson_gives_the_published_interval(hits: int, n: int, low: float, high: float) -> None:
    """The oracle of MODELS.md: CSAT 85/100 and 9/10."""
    assert intervals.wilson(hits, n)[1:] == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(
    ("answers", "value", "centre", "half"),
    [((50, 30, 20), 30, 29.1262, 15.0751), ((10, 5, 5), 25, 21.7391, 33.4553), ((20, 0, 0), 100, 86.9565, 17.2732)],
)
def test_net_promoter_score_uses_the_adjusted_wald_interval(
    answers: tuple[int, int, int], value: float, centre: float, half: float
) -> None:
    """Rocks 2016; the plain Wald interval of 20/0/0 would be 100 ± 0."""
    found = intervals.net_promoter(*answers)
    assert found.value == value
    assert found.low == pytest.approx(centre - half, abs=1e-3)
    assert found.high == pytest.approx(min(100, centre + half), abs=1e-3)


def test_the_oracles_of_the_data_folder_hold() -> None:
    """The same cases as the shared file, so that the file and this test can't drift apart."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    oracle = json.loads((Path(folder) / "oracles" / "misc_expected.json").read_text())
    for case in oracle["wilson"]:
        assert intervals.wilson(case["x"], case["n"])[1:] == pytest.approx(tuple(case["ci"]), abs=1e-5)
    for case in oracle["nps"]:
        found = intervals.net_promoter(case["p"], case["n"], case["d"])
        assert found.low == pytest.approx(case["adj_wald"][0] - case["adj_wald"][1], abs=1e-3)


@pytest.mark.parametrize(
    ("p", "df", "t"),
    [(0.975, 1, 12.70620), (0.975, 10, 2.228139), (0.95, 5, 2.015048), (0.995, 120, 2.617421), (0.975, 1e9, 1.959964)],
)
def test_t_quantiles_are_those_of_the_tables(p: float, df: float, t: float) -> None:
    assert student.t_quantile(p, df) == pytest.approx(t, abs=1e-5)
    assert student.t_quantile(1 - p, df) == pytest.approx(-t, abs=1e-5)


def test_welch_difference_reproduces_growthbook() -> None:
    """GrowthBook's own test case: sums, squares and sizes below give .29 (.04538, .53462)."""
    a, b = Moments.of_sums(3407, 1396.87, 52377.9767), Moments.of_sums(3461, 2422.7, 134698.29)
    assert intervals.mean_difference(b, a) == pytest.approx((0.29, 0.04538, 0.53462), abs=1e-5)


def test_newcombe_reproduces_his_example() -> None:
    """Newcombe 1998, table II, case (a) 56/70 − 48/80 by method 10: 0.2000 (0.0524, 0.3339)."""
    assert intervals.share_difference((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_mean_interval_and_its_limits() -> None:
    sample = [4.0, 6.0, 8.0]
    found = intervals.mean_interval(Moments(3, 6.0, statistics.variance(sample)))
    assert found == pytest.approx((6, 6 - 4.302653 * 2 / sqrt(3), 6 + 4.302653 * 2 / sqrt(3)), abs=1e-5)
    assert intervals.mean_interval(Moments(1, 6.0, 0.0)) == (6.0, -inf, inf)
    with pytest.raises(ValueError, match="at least one value"):
        intervals.mean_interval(Moments(0, 0.0, 0.0))


def test_bootstrap_is_repeatable_and_near_student_for_calm_data() -> None:
    values = [float(v % 17) for v in range(400)]
    first, again = intervals.bootstrap_mean(values, seed=7), intervals.bootstrap_mean(values, seed=7)
    plain = intervals.mean_interval(Moments(400, statistics.mean(values), statistics.variance(values)))
    assert first == again
    assert first == pytest.approx(plain, abs=0.06)


def test_type_7_quintiles_are_those_of_r() -> None:
    """``quantile(c(1, 4, 9, 16, 25, 36, 49), seq(.2, .8, .2))`` in R; Python's inclusive method is the same type."""
    values = [1.0, 4, 9, 16, 25, 36, 49]
    found = [quantiles.quantile(values, p / 5) for p in range(1, 5)]
    assert found == pytest.approx(statistics.quantiles(values, n=5, method="inclusive"))
    assert found == pytest.approx([5.0, 11.8, 21.4, 33.8])


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40), st.integers(0, 100))
def test_nearest_rank_is_the_language_s_percentile(values: list[int], percent: int) -> None:
    """Percentile p is the max(1, ⌈np/100⌉)-th smallest, worked out here in whole numbers."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    assert quantiles.nearest_rank(ordered, percent / 100) == ordered[rank - 1]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 99))
def test_weighted_quantile_with_equal_weights_is_the_nearest_rank(values: list[int], percent: int) -> None:
    pairs = [(float(v), 1.0) for v in sorted(values)]
    expected = quantiles.nearest_rank(sorted(values), percent / 100)
    assert quantiles.weighted_quantile(pairs, percent / 100) == expected


def test_cramers_v_of_a_known_table() -> None:
    """A 2 × 2 table's V is |phi|: (30·40 − 20·10) / sqrt(50·50·40·60) = .408248."""
    assert effects.cramers_v([[30, 20], [10, 40]]) == pytest.approx(0.408248, abs=1e-6)
    assert effects.cramers_v([[30, 20, 0], [10, 40, 0], [0, 0, 0]]) == pytest.approx(0.408248, abs=1e-6)
    assert effects.cramers_v([[30, 20]]) == 0
    assert effects.cramers_v([[6, 4], [4, 6]], corrected=True) == 0


@given(st.lists(st.lists(st.floats(-100, 100), min_size=2, max_size=6), min_size=2, max_size=4))
def test_eta_squared_is_the_share_of_variance_between(groups: list[list[float]]) -> None:
    moments = [Moments(len(g), statistics.mean(g), statistics.variance(g)) for g in groups]
    pooled = [v for g in groups for v in g]
    grand = statistics.mean(pooled)
    total = sum((v - grand) ** 2 for v in pooled)
    between = sum(len(g) * (statistics.mean(g) - grand) ** 2 for g in groups)
    if total > 1e-3:
        assert effects.eta_squared(moments) == pytest.approx(between / total, abs=1e-6)


def test_lift_with_its_log_interval() -> None:
    """Risk ratio 20/100 against 10/100: 2.00 (0.99, 4.05), as any epidemiology text."""
    assert effects.lift((20, 100), (10, 100)) == pytest.approx((2.0, 0.9866, 4.0545), abs=1e-3)
    assert effects.lift((0, 50), (5, 50)).low == 0
    assert effects.lift((5, 50), (0, 50)).high == inf
