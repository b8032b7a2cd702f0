"""Looking at an experiment more than once: published bounds, and error rates that hold whenever it is stopped."""

from __future__ import annotations

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.stats.experiments.bayes import chance_of_better_share
from shoal.stats.experiments.comparing import Gap
from shoal.stats.experiments.power import Size, detectable, needed, needed_for_shares
from shoal.stats.experiments.sample_ratio import sample_ratio
from shoal.stats.experiments.sequential import (
    always_valid,
    at_look,
    classic,
    crossing,
    inflation,
    mixture_ratio,
    spent,
)


@pytest.mark.parametrize(("looks", "bound"), [(2, 2.1783), (3, 2.2895), (4, 2.3613), (5, 2.4132)])
def test_pococks_bounds(looks: int, bound: float) -> None:
    """Jennison & Turnbull's table. Breaks when the integration over what is inside the bounds is off."""
    assert classic(looks, 0.05, "pocock").bounds == pytest.approx([bound] * looks, abs=5e-5)


def test_obrien_and_flemings_bounds() -> None:
    """The same. Breaks when bounds fall by another power of time."""
    assert classic(5, 0.05).bounds == pytest.approx([4.5617, 3.2256, 2.6337, 2.2809, 2.0401], abs=5e-5)


@pytest.mark.parametrize(
    ("looks", "rate"),
    [(1, 0.05), (2, 0.083), (3, 0.107), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320), (100, 0.374)],
)
def test_what_peeking_costs(looks: int, rate: float) -> None:
    """Armitage, McPherson & Rowe 1969. Breaks when a look's chance counts paths that were stopped before."""
    times = [(i + 1) / looks for i in range(looks)]
    assert sum(crossing(times, [1.959964] * looks)) == pytest.approx(rate, abs=6e-4)


def test_spending_holds_alpha_at_any_times() -> None:
    """Breaks when α spent at looks that weren't planned evenly doesn't add up, or an earlier look is paid twice."""
    for kind in ("obrien-fleming", "pocock"):
        plan = spent([0.13, 0.5, 0.55, 1.0], 0.05, kind)
        assert sum(crossing(plan.times, plan.bounds)) == pytest.approx(0.05, abs=1e-6)
        # What was decided at the first looks hangs on no later one.
        assert spent([0.13, 0.5], 0.05, kind).bounds == pytest.approx(plan.bounds[:2])


def test_a_plan_with_looks_needs_more_units() -> None:
    """Jennison & Turnbull's inflation factors for 5 looks, 5 %, 80 %: 1.228 (Pocock) and 1.028 (O'Brien-Fleming)."""
    assert inflation(classic(5, 0.05, "pocock"), 0.8) == pytest.approx(1.229, abs=2e-3)
    assert inflation(classic(5, 0.05), 0.8) == pytest.approx(1.028, abs=2e-3)


def test_nothing_is_found_by_watching() -> None:
    """MODELS.md 7: watched always, a plain test of nothing finds something in half of all experiments; ours in 5 % at most.

    Breaks when an always-valid interval holds at one size only, or is so wide that it finds nothing ever.
    """
    random = np.random.default_rng(21)
    runs, n = 400, 4_000
    sizes = np.arange(50, n + 1, 10)
    naive = watched = mixture = found = 0
    for _ in range(runs):
        walk = np.cumsum(random.normal(size=n))[sizes - 1] / sizes
        se = 1 / np.sqrt(sizes)
        naive += bool((np.abs(walk / se) > 1.96).any())
        mixture += any(mixture_ratio(d, s * s, 0.01) > 20 for d, s in zip(walk, se, strict=True))
        told = [
            always_valid(_gap(d, s, k), tuning=2_000) for d, s, k in zip(walk[::10], se[::10], sizes[::10], strict=True)
        ]
        watched += any(one.excludes() for one in told)
        last = always_valid(_gap(walk[-1] + 0.1, se[-1], n), tuning=2_000)
        found += last.excludes()
    assert naive / runs > 0.35
    # Three Monte-Carlo errors above 5 %.
    assert watched / runs < 0.083
    assert mixture / runs < 0.083
    assert found / runs > 0.95


def _gap(value: float, se: float, n: int) -> Gap:
    return Gap(float(value), float(se), float("inf"), int(n), relative=False)


def test_the_interval_and_the_p_value_agree() -> None:
    """Breaks when one of the two is of another method: 0 leaves the interval as p falls to the level."""
    plan = classic(5, 0.05)
    for z in np.linspace(0.5, 5, 40):
        found = _gap(z * 0.1, 0.1, 3_000)
        watched = always_valid(found)
        assert watched.excludes() == (watched.p < 0.05)
        third = at_look(found, plan, 2)
        assert third.excludes() == (third.p < plan.levels[2])


def test_sizes_by_the_books() -> None:
    """MODELS.md 7: 5 % to 5.25 % at 80 %. Breaks when a variance is that of one arm, or a side is lost."""
    assert needed_for_shares(0.05, 0.0025) == Size((122_121, 122_121))
    assert needed_for_shares(0.05, 0.0025, arcsine=True).arms[0] == pytest.approx(122_107, abs=1)
    rule = 16 * 0.05 * 0.95 / 0.0025**2
    assert rule == pytest.approx(121_600)
    size = needed([4.0, 4.0, 4.0], 0.1, weights=[2, 1, 1])
    assert detectable([4.0, 4.0, 4.0], size.arms) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(Refused, match="between 0 and 1"):
        needed_for_shares(0.98, 0.05)
    with pytest.raises(Refused, match="effect of 0"):
        needed([1.0, 1.0], 0.0)
    with pytest.raises(Refused, match="weight"):
        needed([1.0, 1.0], 0.1, weights=[1, 0])


def test_the_exact_chance() -> None:
    """MODELS.md 7, and scipy's integral for few hits. Breaks when the grid misses where the mass is."""
    from scipy.integrate import quad
    from scipy.stats import beta

    assert chance_of_better_share((49, 100), (51, 100)) == pytest.approx(0.61077, abs=5e-6)
    assert chance_of_better_share((120, 1000), (150, 1000)) == pytest.approx(0.97507, abs=5e-6)
    for control, treated in [((0, 30), (2, 25)), ((3, 1_000_000), (5, 900_000)), ((7, 7), (6, 7))]:
        a, b = beta(1 + control[0], 1 + control[1] - control[0]), beta(1 + treated[0], 1 + treated[1] - treated[0])
        top = min(1.0, b.mean() + 40 * b.std())
        told, _ = quad(lambda x, a=a, b=b: b.pdf(x) * a.cdf(x), 0, top, limit=400)
        assert chance_of_better_share(control, treated) == pytest.approx(told, abs=2e-5)


def test_a_bad_split_is_seen_while_it_grows() -> None:
    """Breaks when the watched check cries on a fair split, or stays silent on 50.8 against 49.2 %."""
    random = np.random.default_rng(22)
    cries = 0
    for _ in range(200):
        heads = np.cumsum(random.binomial(500, 0.5, 200))
        sizes = 500 * np.arange(1, 201)
        cries += any(
            sample_ratio([int(h), int(n - h)], [1, 1]).surprise > 100 for h, n in zip(heads, sizes, strict=True)
        )
    assert cries / 200 <= 0.01 + 0.02
    assert sample_ratio([50_800, 49_200], [1, 1]).surprise > 100


def test_plans_that_cannot_be() -> None:
    """Breaks when looks that go back in time, or beyond the end, give bounds."""
    for times in ([], [0.0, 1.0], [0.5, 0.5], [0.5, 1.2]):
        with pytest.raises(Refused, match="rise"):
            spent(times)
    with pytest.raises(Refused, match="always-valid"):
        classic(0)
