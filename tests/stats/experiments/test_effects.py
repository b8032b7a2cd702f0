"""Effects of arms against the control: GrowthBook's and Hillstrom's published figures, and laws of the moments behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.stats.experiments.adjusting import cuped, cuped_ratio, post_stratified
from shoal.stats.experiments.arms import Arm, Estimate, mean, ratio
from shoal.stats.experiments.bayes import Prior, belief
from shoal.stats.experiments.comparing import Alternative, can_be_relative, gap, welch
from shoal.stats.experiments.heterogeneity import homogeneity, shrunk
from shoal.stats.experiments.quantiles import quantile, ranks
from shoal.stats.experiments.sample_ratio import sample_ratio
from shoal.stats.experiments.sequential import always_valid


@pytest.fixture(scope="module")
def cases(test_data: Path) -> dict[str, list[dict[str, Any]]]:
    """GrowthBook's cases by the name of the method."""
    found: dict[str, list[dict[str, Any]]] = {}
    for case in json.loads((test_data / "oracles" / "gbstats_oracles.json").read_text()):
        found.setdefault(case["test"], []).append(case)
    return found


@pytest.fixture(scope="module")
def hillstrom(test_data: Path) -> dict[str, dict[str, float]]:
    """Counts and sums of the three arms."""
    found: dict[str, dict[str, float]] = json.loads((test_data / "oracles" / "hillstrom_aggregates.json").read_text())
    return found


def estimate(told: dict[str, Any]) -> Estimate:
    """The arm of a case."""
    if told["type"] == "proportion":
        return mean(Arm.of_share(told["sum"], told["n"]))
    return mean(Arm.of_sums(told["n"], [told["sum"]], [[told["sum_squares"]]]))


def test_growthbooks_cases(cases: dict[str, list[dict[str, Any]]]) -> None:
    """MODELS.md 7. Breaks when a variance, the delta method, the degrees of freedom or a prior is another."""
    checked = 0
    for name, group in cases.items():
        for case in group:
            if name == "srm_chi2":
                assert sample_ratio(case["observed"], case["weights"]).p == pytest.approx(case["p"], rel=1e-9)
                checked += 1
                continue
            found = gap(estimate(case["a"]), estimate(case["b"]), relative="absolute" not in name)
            if name.startswith("bayes"):
                prior = Prior(0.1, 0.1) if "prior" in name else None
                told = belief(found, prior)
                assert told.value == pytest.approx(case["expected"], abs=1e-5)
                assert (told.low, told.high) == pytest.approx(case["ci"], abs=1.1e-5)
                assert told.chance == pytest.approx(case["chance_to_win"], abs=1e-5)
                assert [told.risk_of_control, told.risk_of_treated] == pytest.approx(case["risk"], abs=1e-5)
            else:
                side: Alternative = "greater" if "greater" in name else "two-sided"
                effect = always_valid(found, 0.95, case["tuning"]) if "tuning" in case else welch(found, 0.95, side)
                assert effect.value == pytest.approx(case["expected"], abs=1e-5)
                low, high = case["ci"]
                assert effect.low == pytest.approx(low, abs=1e-5)
                assert effect.high == (np.inf if high is None else pytest.approx(high, abs=1e-5))
                assert effect.p == pytest.approx(case["p"], abs=1e-5)
            checked += 1
    assert checked == 13


@pytest.mark.parametrize(
    ("arm", "visit", "spend", "t"), [("Womens E-Mail", 0.04523, 0.4244, 3.256), ("Mens E-Mail", 0.07659, 0.7698, 5.300)]
)
def test_hillstroms_effects(
    hillstrom: dict[str, dict[str, float]], arm: str, visit: float, spend: float, t: float
) -> None:
    """MODELS.md 6. Breaks when sums are read wrongly, or an arm is compared with another than the control."""
    control, treated = hillstrom["No E-Mail"], hillstrom[arm]

    def share(one: dict[str, float]) -> Estimate:
        return mean(Arm.of_share(one["visit"], int(one["n"])))

    def money(one: dict[str, float]) -> Estimate:
        return mean(Arm.of_sums(int(one["n"]), [one["spend"]], [[one["spend_sq"]]]))

    assert gap(share(control), share(treated)).value == pytest.approx(visit, abs=5e-6)
    found = gap(money(control), money(treated))
    assert found.value == pytest.approx(spend, abs=5e-5)
    assert found.value / found.se == pytest.approx(t, abs=5e-4)
    if arm == "Womens E-Mail":
        assert found.df == pytest.approx(40_065, abs=1)
        assert welch(found).p == pytest.approx(0.00113, abs=5e-6)


def test_hillstroms_arms_are_as_large_as_planned(hillstrom: dict[str, dict[str, float]]) -> None:
    """Breaks when the check of sizes counts another number of arms."""
    found = sample_ratio([int(one["n"]) for one in hillstrom.values()], [1, 1, 1])
    assert found.p == pytest.approx(0.904, abs=5e-4)
    assert not found.fails
    assert found.surprise < 1


def test_hillstroms_segments_respond_differently() -> None:
    """MODELS.md 9: the visits' lift by what was bought before. Breaks when Q weighs by another power of the error."""
    found = homogeneity([0.0111, 0.0740, 0.0711], [0.0044, 0.0049, 0.0126])
    assert found.df == 2
    assert found.q == pytest.approx(97.35, rel=0.02)  # from figures rounded to four places
    assert found.i2 > 0.95
    pulled = shrunk([0.0111, 0.0740, 0.0711], [0.0044, 0.0049, 0.0126])
    assert 0.0111 < pulled[0].value < 0.02
    assert 0.06 < pulled[2].value < 0.0711


def test_equal_effects_are_one() -> None:
    """Breaks when shrinkage leaves the noise of segments that don't differ in their figures."""
    random = np.random.default_rng(3)
    errors = random.uniform(0.01, 0.03, 100)
    effects = 0.045 + random.normal(0, errors)
    best = int(effects.argmax())
    pulled = shrunk(effects, errors)
    assert effects[best] > 0.09
    assert pulled[best].value < 0.06
    assert homogeneity(effects, errors).p > 0.01


# --------------------------------------------------------------------------- moments

columns = st.integers(2, 30).flatmap(lambda n: st.tuples(*[st.lists(st.floats(-1e3, 1e3), min_size=n, max_size=n)] * 2))


@given(columns, columns)
def test_arms_add_up(first: tuple[list[float], list[float]], second: tuple[list[float], list[float]]) -> None:
    """Breaks when joining two days of an arm isn't the arm of both days."""
    both = Arm.of(*first) + Arm.of(*second)
    whole = Arm.of(first[0] + second[0], first[1] + second[1])
    assert both.n == whole.n
    assert np.allclose(both.means, whole.means, atol=1e-6)
    assert np.allclose(both.covariance, whole.covariance, rtol=1e-6, atol=1e-6)


@given(columns)
def test_sums_are_values(values: tuple[list[float], list[float]]) -> None:
    """Breaks when sums from the store give other moments than the rows."""
    data = np.array(values)
    found = Arm.of_sums(len(values[0]), data.sum(axis=1), data @ data.T)
    whole = Arm.of(*values)
    assert np.allclose(found.means, whole.means)
    assert np.allclose(found.covariance, whole.covariance, rtol=1e-5, atol=1e-4)


def test_a_ratios_error_is_that_of_units() -> None:
    """Breaks when rows of a unit count as independent: sessions of a customer are alike, and the interval is too narrow."""
    random = np.random.default_rng(5)
    errors, naive, found = [], [], []
    for _ in range(400):
        sessions = random.poisson(4, 500) + 1
        rate = random.beta(1, 4, 500)
        hits = random.binomial(sessions, rate)
        told = ratio(Arm.of(hits, sessions))
        found.append(told.value)
        errors.append(told.variance)
        naive.append(told.value * (1 - told.value) / sessions.sum())
    spread = np.var(found)
    assert np.mean(errors) == pytest.approx(spread, rel=0.2)
    assert np.mean(naive) < 0.7 * spread


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.7, 0.9])
def test_cuped_takes_off_what_the_past_explains(rho: float) -> None:
    """MODELS.md 7: the variance falls by ρ². Breaks when θ is of another sign, of one arm, or of the treatment's effect."""
    random = np.random.default_rng(11)
    past = random.normal(size=(2, 60_000))
    now = rho * past + np.sqrt(1 - rho**2) * random.normal(size=past.shape)
    now[1] += 1.0
    found = cuped([Arm.of(now[i], past[i]) for i in range(2)])
    assert found.reduction == pytest.approx(rho**2, abs=0.01)
    assert gap(*found.arms).value == pytest.approx(1.0, abs=0.02)


def test_cuped_of_a_ratio() -> None:
    """Breaks when a ratio's past adjusts it by another scale: the effect must stay, its error fall."""
    random = np.random.default_rng(12)

    def arm(lift: float) -> Arm:
        taste = random.beta(2, 6, 20_000)
        before, now = random.poisson(20, 20_000) + 1, random.poisson(20, 20_000) + 1
        return Arm.of(random.binomial(now, taste * lift), now, random.binomial(before, taste), before)

    arms = [arm(1.0), arm(1.1)]
    found = cuped_ratio(arms)
    plain = gap(ratio(arms[0]), ratio(arms[1]), relative=True)
    better = gap(*found.arms, relative=True)
    assert better.value == pytest.approx(0.1, abs=0.02)
    assert (better.se / plain.se) ** 2 == pytest.approx(1 - found.reduction, abs=0.03)
    assert found.reduction > 0.4


def test_strata_take_off_what_lies_between_them() -> None:
    """Breaks when an arm's own shares weigh its strata, or a stratum that an arm lacks is passed over."""
    random = np.random.default_rng(13)
    arms = []
    for lift, heavy in ((0.0, 300), (0.5, 700)):
        arms.append(
            {
                "light": Arm.of(random.normal(0 + lift, 1, 1000 - heavy)),
                "heavy": Arm.of(random.normal(10 + lift, 1, heavy)),
            }
        )
    found = post_stratified(arms)
    assert gap(*found.arms).value == pytest.approx(0.5, abs=0.15)
    assert found.reduction > 0.9
    with pytest.raises(Refused, match="heavy"):
        post_stratified([arms[0], {"light": arms[1]["light"]}])


def test_a_median_covers() -> None:
    """Breaks when the ranks of a quantile's interval are off: 95 of 100 intervals of a skewed metric hold its median."""
    random = np.random.default_rng(14)
    inside = 0
    for _ in range(500):
        values = np.sort(random.lognormal(0, 1.5, 400))
        places = ranks(400, 0.5)
        told = quantile(values[list(places)].tolist(), 400)
        inside += abs(told.value - 1.0) <= 1.96 * np.sqrt(told.variance)
    assert inside / 500 == pytest.approx(0.95, abs=0.035)


def test_what_cannot_be_compared_is_refused() -> None:
    """Breaks when a figure comes out of one unit, of nothing that varies, or of a share of nothing."""
    with pytest.raises(Refused, match="1 unit has no variance"):
        Arm.of([3.0])
    with pytest.raises(Refused, match="missing or infinite"):
        Arm.of([1.0, np.nan])
    with pytest.raises(Refused, match="no variance"):
        gap(mean(Arm.of([1, 1, 1])), mean(Arm.of([1, 1, 1])))
    with pytest.raises(Refused, match="relative"):
        gap(mean(Arm.of([0, 0, 0])), mean(Arm.of([1, 2, 3])), relative=True)
    with pytest.raises(Refused, match="no error"):
        gap(mean(Arm.of([1, 2, 3])), mean(Arm.of([0, 0, 0])), relative=True)
    with pytest.raises(Refused, match="never happened"):
        ratio(Arm.of([0, 0, 0], [0, 0, 0]))
    with pytest.raises(Refused, match="too few"):
        ranks(20, 0.99)
    with pytest.raises(Refused, match="above 0"):
        sample_ratio([5, 5], [1, 0])
    assert not can_be_relative(mean(Arm.of([-1.0, 1.1, 0.0, 0.1])))
    assert can_be_relative(mean(Arm.of([5.0, 5.1, 4.9, 5.2])))
