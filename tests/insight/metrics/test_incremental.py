"""What a campaign brought beyond what would have come anyway: the KPI test vector, laws, and refusals."""

from __future__ import annotations

import csv
from collections import defaultdict
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.insight.metrics.incremental import (
    Sides,
    cost_per_incremental,
    incremental,
    incremental_conversions,
    of_effect,
    returned,
)
from shoal.stats.experiments.arms import Arm, mean
from shoal.stats.experiments.comparing import gap, welch
from shoal.stats.intervals import Interval

SPEND, ORDER_VALUE, MARGIN = 50_000.0, 80.0, 0.4


def _buyers(hits: int, n: int, worth: float = ORDER_VALUE) -> Arm:
    return Arm.of_sums(n, [hits * worth], [[hits * worth**2]])


def test_the_test_vector_comes_out_exactly() -> None:
    """Breaks when incremental figures aren't those of the definitions: the published vector of the KPIs."""
    conversions = incremental_conversions((1_200, 100_000), (900, 100_000), randomised=True)
    revenue = incremental(Sides(_buyers(1_200, 100_000), _buyers(900, 100_000), randomised=True))
    found = returned(revenue, MARGIN, SPEND)
    assert conversions.value == 300
    assert revenue.value == 24_000
    assert found.iroas.value == 0.48
    assert found.profit is not None
    assert found.roi is not None
    assert found.profit.value == -40_400
    assert found.roi.value == -0.808
    assert cost_per_incremental(conversions, SPEND).value == pytest.approx(166.666667)


def test_the_vectors_interval_is_welchs_and_newcombes() -> None:
    """Breaks when an interval forgets the holdout's own error: by hand, 300 ± 1.96 × √(10⁵ × (0.012 × 0.988 + 0.009 × 0.991))."""
    error = (1e5 * 0.012 * 0.988 + 1e5 * 0.009 * 0.991) ** 0.5
    conversions = incremental_conversions((1_200, 100_000), (900, 100_000), randomised=True)
    revenue = incremental(Sides(_buyers(1_200, 100_000), _buyers(900, 100_000), randomised=True))
    for found, unit in ((conversions, 1.0), (revenue, ORDER_VALUE)):
        assert found.low / unit == pytest.approx(300 - 1.96 * error, abs=1)
        assert found.high / unit == pytest.approx(300 + 1.96 * error, abs=1)


@given(st.integers(0, 500), st.integers(500, 4_000), st.integers(0, 500), st.integers(500, 4_000), st.integers(1, 4))
def test_a_larger_holdout_of_the_same_rate_changes_no_value_and_narrows_the_interval(
    hits: int, n: int, held: int, m: int, times: int
) -> None:
    """Breaks when the holdout's size gets into the value, as it does where counts are subtracted without a share."""
    small = incremental_conversions((hits, n), (held, m), randomised=True)
    large = incremental_conversions((hits, n), (times * held, times * m), randomised=True)
    assert large.value == pytest.approx(small.value)
    assert large.high - large.low <= (small.high - small.low) * (1 + 1e-9)
    assert small.low <= small.value <= small.high


@pytest.mark.parametrize(("n", "m"), [(4_000, 1_000), (1_000, 4_000)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n: int, m: int) -> None:
    """Breaks when the interval is too narrow for sides of unequal size: 600 drawn campaigns of a known effect."""
    random, truth, held = np.random.default_rng(7), n * (0.06 - 0.05) * 30.0, 0
    for _ in range(600):
        exposed, holdout = random.binomial(n, 0.06), random.binomial(m, 0.05)
        found = incremental(Sides(_buyers(exposed, n, 30.0), _buyers(holdout, m, 30.0), randomised=True))
        held += found.low <= truth <= found.high
    assert 0.925 <= held / 600 <= 0.975


def test_an_effect_from_elsewhere_adds_up_to_the_same() -> None:
    """Breaks when an effect per customer isn't multiplied by the exposed: pilots hand over effects with CUPED."""
    exposed, holdout = _buyers(120, 5_000), _buyers(40, 2_000)
    effect = welch(gap(mean(holdout), mean(exposed)))
    assert of_effect(effect, 5_000, randomised=True) == pytest.approx(incremental(Sides(exposed, holdout, True)))
    relative = welch(gap(mean(holdout), mean(exposed), relative=True))
    with pytest.raises(Refused, match="relative effect"):
        of_effect(relative, 5_000, randomised=True)


def test_of_a_real_randomised_campaign(real_data: Path) -> None:
    """Breaks when a real campaign comes out otherwise than its published counts: Hillstrom's two mailings, 64,000 customers.

    Visits, conversions and spend of each arm as the source's facts say; the effects per customer .0452, .0766 (visits) and .4244,
    .7698 (spend). The mailings' cost isn't in the data: 0.5 a piece is made up.
    """
    arms: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    with (real_data / "hillstrom" / "hillstrom.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            arms[row["segment"]].append((int(row["visit"]), int(row["conversion"]), float(row["spend"])))
    held = np.array(arms["No E-Mail"])
    for arm, buyers, visits, spend in (
        ("Mens E-Mail", 267, 0.0765896, 0.7698272),
        ("Womens E-Mail", 189, 0.0452331, 0.4244122),
    ):
        got = np.array(arms[arm])
        n = len(got)
        conversions = incremental_conversions((got[:, 1].sum(), n), (held[:, 1].sum(), len(held)), randomised=True)
        assert conversions.value == pytest.approx(buyers - n * 122 / 21_306)
        assert conversions.low > 0
        seen = incremental_conversions((got[:, 0].sum(), n), (held[:, 0].sum(), len(held)), randomised=True)
        assert seen.value / n == pytest.approx(visits, abs=1e-6)
        revenue = incremental(Sides(Arm.of(got[:, 2]), Arm.of(held[:, 2]), randomised=True))
        assert revenue.value / n == pytest.approx(spend, abs=1e-6)
        found = returned(revenue, 0.4, 0.5 * n)
        assert found.iroas.value == pytest.approx(spend / 0.5)
        assert found.roi is not None
        assert found.roi.value == pytest.approx((0.4 * spend - 0.5) / 0.5)
        # 40 % of 42 or 77 cents a customer is less than the 50 that it cost.
        assert found.roi.low < 0


@pytest.mark.parametrize("sides", [(None, True), (_buyers(900, 100_000), False)])
def test_without_a_randomised_holdout_nothing_is_said(sides: tuple[Arm | None, bool]) -> None:
    """Breaks when an observational difference is passed off as incremental."""
    holdout, randomised = sides
    with pytest.raises(Refused, match=r"held out|Chance") as refused:
        incremental(Sides(_buyers(1_200, 100_000), holdout, randomised))
    assert "at random" in str(refused.value)
    with pytest.raises(Refused):
        incremental_conversions((1_200, 100_000), (900, 100_000) if holdout else None, randomised=randomised)


def test_counts_that_cant_be_and_no_spend_are_refused() -> None:
    """Breaks when a wrong count or a missing spend comes out as a figure or as infinity."""
    with pytest.raises(Refused, match="converts once"):
        incremental_conversions((11, 10), (1, 10), randomised=True)
    with pytest.raises(Refused, match="Nothing was spent"):
        returned(Interval(1, 0, 2), None, 0.0)
    with pytest.raises(Refused, match="share of revenue"):
        returned(Interval(1, 0, 2), 40.0, 10.0)
    with pytest.raises(Refused, match="no more often"):
        cost_per_incremental(Interval(-3, -9, 3), 10.0)
    assert cost_per_incremental(Interval(5, -1, 11), 10.0).high == inf


def test_without_a_margin_there_is_no_roi() -> None:
    """Breaks when revenue stands in for margin."""
    found = returned(Interval(24_000, 18_000, 30_000), None, SPEND)
    assert (found.profit, found.roi) == (None, None)
