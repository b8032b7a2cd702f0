"""Regimes for the intervals of what something is worth: incremental sums, credit of channels, orders of an uplift model, what
it pays to treat the best; and of shares by those before. Fixed before any of them was run.
"""

from __future__ import annotations

from datetime import date
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from shoal.insight.attribution.credit import credits_of
from shoal.insight.attribution.paths import Paths
from shoal.insight.attribution.spread import ends_of, spread_of
from shoal.insight.metrics.incremental import Sides, incremental, incremental_conversions
from shoal.stats.expected import Series, outlook
from shoal.stats.experiments.arms import Arm
from shoal.stats.uplift import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Random = np.random.Generator

SIZES = (1_000, 10_000)
_CHANNELS = ("mail", "search", "social")
_FIRST = np.array([0.2, 0.5, 0.3])
_NEXT = np.array([[0.2, 0.3, 0.1], [0.2, 0.1, 0.1], [0.1, 0.3, 0.2]])
"""Where a path goes on from a channel; else it ends."""
_CONVERTS = np.array([0.30, 0.15, 0.05])
"""How often a path that ends after a channel ends in a conversion."""
_LONGEST = 12


def covers_conversions(rate: float, n: int, random: Random) -> bool:
    """Conversions beyond those of a holdout of a tenth, with a lift of a fifth."""
    held = n // 10
    hits, base = random.binomial(n, 1.2 * rate), random.binomial(held, rate)
    found = incremental_conversions((float(hits), n), (float(base), held), randomised=True)
    return bool(found.low <= 0.2 * rate * n <= found.high)


def covers_revenue(rate: float, sigma: float, n: int, random: Random) -> bool:
    """Revenue beyond that of a holdout of a tenth: few buy, and for very different amounts."""

    def spent(many: int, chance: float) -> Floats:
        return np.asarray((random.random(many) < chance) * random.lognormal(3, sigma, many))

    sides = Sides(Arm.of(spent(n, 1.2 * rate)), Arm.of(spent(n // 10, rate)), True)
    found = incremental(sides)
    return bool(found.low <= 0.2 * rate * n * float(np.exp(3 + sigma**2 / 2)) <= found.high)


def journeys(n: int, random: Random) -> Paths:
    """Paths of a chain of three channels, one a customer."""
    at = random.choice(3, n, p=_FIRST)
    going, rows, channels = np.arange(n), [np.arange(n)], [at]
    last = at.copy()
    for _ in range(_LONGEST - 1):
        drawn, ends = random.random(len(going)), np.cumsum(_NEXT[last[going]], axis=1)
        on = drawn < ends[:, -1]
        going, ends, drawn = going[on], ends[on], drawn[on]
        if not len(going):
            break
        last[going] = (drawn[:, None] >= ends).sum(axis=1)
        rows.append(going)
        channels.append(last[going])
    row, channel = np.concatenate(rows), np.concatenate(channels)
    order = np.argsort(row, kind="stable")
    begins = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=n))))
    converted = random.random(n) < _CONVERTS[last]
    value = np.where(converted, random.lognormal(3, 1, n), 0.0)
    return Paths(begins, channel[order], np.zeros(len(row)), converted, value, _CHANNELS)


@cache
def _true_credit(model: str) -> float:
    """Conversions that the first channel is credited with, a path."""
    many = 2_000_000
    return credits_of(journeys(many, np.random.default_rng(1)), model)[0].conversions / many


def covers_credit(model: str, n: int, random: Random) -> bool:
    """Conversions that a channel is credited with."""
    paths = journeys(n, random)
    spread = spread_of(paths, model, draws=300, seed=int(random.integers(1 << 30)))
    assert spread is not None
    found = ends_of(credits_of(paths, model)[0].conversions, spread.conversions[:, 0])
    return bool(found.low <= _true_credit(model) * n <= found.high)


def _trial(slope: float, n: int, random: Random) -> Trial:
    """A trial of a share, its effect rising with the score from −slope/2 to slope/2 beside an effect on all of .02."""
    score = random.random(n)
    treated = random.random(n) < 0.5
    effect = 0.02 + slope * (score - 0.5)
    outcome = random.random(n) < 0.1 + 0.1 * score + treated * effect
    return Trial(outcome.astype(np.float64), treated, score)


def covers_qini(slope: float, n: int, random: Random) -> bool:
    """The Qini area of scores that order by the effect."""
    trial = _trial(slope, n, random)
    found = trial.ordered(draws=200, seed=int(random.integers(1 << 30))).qini
    # Half are treated; the best k of 1 gain ½ ∫ (effect − mean) = ½ · slope · k (1 − k) / 2, and that over k is slope / 24.
    return bool(found.low <= slope / 24 <= found.high)


def covers_gain(n: int, random: Random) -> bool:
    """What it is worth to treat the best three tenths."""
    trial = _trial(0.15, n, random)
    found = trial.value(0.3).gain
    return bool(found.low <= 0.3 * (0.02 + 0.15 * 0.35) <= found.high)


def covers_order(n: int, random: Random) -> bool:
    """What it is worth more than to treat as many at random: 3/10 · 7/10 of what the best and the rest differ by."""
    trial = _trial(0.15, n, random)
    found = trial.value(0.3).over_random
    return bool(found.low <= 0.21 * 0.15 * 0.5 <= found.high)


def shares(many: int, wave: float) -> Callable[[Random], Series]:
    """A share of so many a day, by weekday, that wanders."""

    def draw(random: Random) -> Series:
        at = np.arange(91)
        week = np.where(at % 7 >= 5, 0.06, 0.0)
        true = np.clip(0.3 + week + np.cumsum(random.normal(0, wave, 91)), 0.02, 0.98)
        n = random.poisson(many, 91).astype(float) + 1
        return Series(date(2024, 1, 1), "day", "share", random.binomial(n.astype(int), true) / n, n)

    return draw


def _holds_share(draw: Callable[[Random], Series], random: Random) -> bool:
    return outlook(draw(random)).last.outside == 0


def worths() -> list[tuple[str, str, int, Callable[[Random], bool]]]:
    """Method, situation, units and one draw of each regime."""
    found: list[tuple[str, str, int, Callable[[Random], bool]]] = []
    for rate in (0.05, 0.005):
        told = f"{rate:.1%} convert, a tenth held out"
        found += [("Incremental conversions", told, n, partial(covers_conversions, rate, n)) for n in SIZES]
    for rate, sigma in ((0.2, 1.0), (0.05, 1.5)):
        told = f"revenue, {rate:.0%} buy, σ {sigma:g}, a tenth held out"
        found += [("Incremental revenue", told, n, partial(covers_revenue, rate, sigma, n)) for n in SIZES]
    for model in ("linear", "markov"):
        found += [(f"Credit, {model}", "three channels", n, partial(covers_credit, model, n)) for n in SIZES]
    for slope in (0.0, 0.15):
        told = "effects are equal" if not slope else "effects rise with the score"
        found += [("Qini", told, n, partial(covers_qini, slope, n)) for n in SIZES]
    for told, once in (("over nobody", covers_gain), ("over random", covers_order)):
        found += [("Value of a policy", f"the best 30 %, {told}", n, partial(once, n)) for n in SIZES]
    for many, wave in ((50, 0.0), (2_000, 0.0), (2_000, 0.01)):
        told = f"share of {many:,}{', wandering' if wave else ''}"
        found.append(("Newest period by those before", told, 91, partial(_holds_share, shares(many, wave))))
    return found
