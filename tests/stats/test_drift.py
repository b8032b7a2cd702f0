"""Drift: the index against the shared numbers, its null against simulation, bins, and calibration over time.

Without the sample-aware verdict a hundred rows of the same customers would be called drifted four times out of five.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.stats import drift
from shoal.stats.drift import NumberBins, Verdict, WordBins


@pytest.mark.parametrize(
    ("a", "b", "value"), [([50, 50], [60, 40], 0.0405465), ([25] * 4, [40, 30, 20, 10], 0.2282174)]
)
def test_the_index_is_the_published_one(a: list[int], b: list[int], value: float) -> None:
    assert drift.psi(a, b) == pytest.approx(value, abs=1e-7)


def test_the_oracles_of_the_data_folder_hold() -> None:
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    for case in json.loads((Path(folder) / "oracles" / "misc_expected.json").read_text())["psi"]:
        assert drift.psi(case["a"], case["b"]) == pytest.approx(case["psi"], abs=1e-4)


@pytest.mark.parametrize(("n", "mean", "watch"), [(100, 0.17, 0.80), (200, 0.087, 0.33), (500, 0.035, 0.002)])
def test_the_null_is_as_published_and_the_verdict_knows_it(n: int, mean: float, watch: float) -> None:
    """MODELS.md section 3 (half a row added to each bin): the rule of thumb cries wolf in 80 %, 33 % and .2 %."""
    samples = np.random.default_rng(7).multinomial(n, [0.1] * 10, (4000, 2))
    halves = np.array([drift.psi(a + 0.5, b + 0.5) for a, b in samples])
    assert halves.mean() == pytest.approx(mean, abs=0.003)
    assert (halves > 0.1).mean() == pytest.approx(watch, abs=0.025)
    found = [drift.compare(a, b) for a, b in samples]
    assert np.mean([f.psi for f in found]) == pytest.approx(found[0].by_chance, rel=0.08)
    assert np.mean([f.p_value < 0.05 for f in found]) == pytest.approx(0.05, abs=0.012)
    assert np.mean([f.verdict is not Verdict.STABLE for f in found]) <= 0.015


@pytest.mark.parametrize("df", [1, 2, 9, 40, 300])
def test_chi_squared_is_scipys(df: int) -> None:
    from scipy.stats import chi2

    for value in (0.01, 0.5, df / 2, df, 2 * df, 5 * df + 10):
        assert drift.chi_squared_tail(value, df) == pytest.approx(chi2.sf(value, df), rel=1e-9, abs=1e-300)


def test_a_large_sample_with_a_tiny_shift_is_slight_and_a_real_one_large() -> None:
    random = np.random.default_rng(3)
    bins = NumberBins.of(random.normal(0, 1, 100_000))
    assert bins.drift(random.normal(0, 1, 100_000)).verdict is Verdict.STABLE
    slight = bins.drift(random.normal(0.05, 1, 100_000))
    assert (slight.verdict, slight.p_value < 1e-6) == (Verdict.SLIGHT, True)
    assert bins.drift(random.normal(0.4, 1, 2000)).verdict is Verdict.MODERATE
    assert bins.drift(random.normal(1.5, 1, 2000)).verdict is Verdict.LARGE
    assert bins.drift(random.normal(1.5, 1, 20)).verdict is Verdict.TOO_FEW


def test_bins_come_from_the_reference_alone() -> None:
    bins = NumberBins.of(np.arange(100))
    assert bins.edges == tuple(range(10, 100, 10))
    assert bins.counts == (10,) * 10 + (0,)
    assert bins.count([1e9, -1e9, np.nan]).tolist() == [1, *[0] * 8, 1, 1]


def test_a_constant_column_that_moves_shows() -> None:
    """Down as well as up: with one bin neither would."""
    bins = NumberBins.of(np.full(500, 3.0))
    for now in (2.0, 4.0):
        assert bins.drift(np.full(500, now)).verdict is Verdict.LARGE
    assert bins.drift(np.full(500, 3.0)).verdict is Verdict.STABLE


def test_a_column_that_goes_missing_shows() -> None:
    values = np.random.default_rng(1).normal(size=1000)
    assert NumberBins.of(values).drift(np.where(np.arange(1000) % 2, values, np.nan)).verdict is Verdict.LARGE
    gone = NumberBins.of(np.full(100, np.nan))
    assert gone.drift(np.full(100, np.nan)).verdict is Verdict.STABLE
    assert gone.drift(values).verdict is Verdict.LARGE


def test_words_that_were_never_seen_are_others() -> None:
    bins = WordBins.of(["a"] * 60 + ["b"] * 30 + ["c"] * 5 + ["d"] * 5 + [None] * 10, most=3)
    assert (bins.levels, bins.counts) == (("a", "b", "c"), (60, 30, 5, 5, 10))
    assert bins.count(["a", "new", "d", None]).tolist() == [1, 0, 0, 2, 1]
    assert bins.drift(["new"] * 100).verdict is Verdict.LARGE


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5).map(float)), min_size=1, max_size=80), st.integers(2, 12))
def test_a_sample_does_not_drift_from_itself(values: list[float | None], bins: int) -> None:
    column = np.array([np.nan if v is None else v for v in values])
    made = NumberBins.of(column, bins)
    assert made.drift(column).psi == pytest.approx(0, abs=1e-12)
    assert sum(made.counts) == column.size
    assert list(made.edges) == sorted(set(made.edges))


def test_calibration_over_time_tells_the_month_that_went_wrong() -> None:
    random = np.random.default_rng(2)
    chance = random.beta(2, 5, 6000)
    periods = [f"2026-0{1 + i % 3}" for i in range(6000)]
    wrong = np.array([p == "2026-03" for p in periods])
    outcome = random.random(6000) < np.where(wrong, chance * 0.7, chance)
    found = drift.calibration_over_time(periods, outcome, chance)
    assert [(f.period, f.calibrated) for f in found] == [("2026-01", True), ("2026-02", True), ("2026-03", False)]
    assert found[2].ratio is not None
    assert found[2].ratio.high < 0.8
    assert found[0].ratio is not None
    assert found[0].ratio.low < 1 < found[0].ratio.high


def test_calibration_of_sure_chances() -> None:
    assert drift.calibration_over_time(["a"] * 3, [0, 0, 0], [0.0] * 3)[0].calibrated
    never = drift.calibration_over_time(["a"] * 3, [0, 0, 1], [0.0] * 3)[0]
    assert (never.ratio, never.z, never.calibrated) == (None, None, False)


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2, 3]), ([0, 0], [1, 2]), ([1, -1], [1, 1])])
def test_counts_that_say_nothing_are_refused(a: list[int], b: list[int]) -> None:
    with pytest.raises(ValueError, match="drift"):
        drift.psi(a, b)
