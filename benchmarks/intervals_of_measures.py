"""Regimes for the intervals of figures, beside those of experiments: ratios over customers, clustered shares, medians by ranks,
and what a series would be. Fixed before any of them was run.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from math import exp, sqrt
from typing import TYPE_CHECKING

import numpy as np

from shoal.stats.clustered import Sums, clustered_share
from shoal.stats.expected import Series, outlook
from shoal.stats.experiments.arms import Arm, ratio
from shoal.stats.experiments.quantiles import ranks
from shoal.stats.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Random = np.random.Generator

SIZES = (100, 1_000, 10_000)
_WEEK = np.array([1.0, 0.9, 0.95, 1.0, 1.2, 1.6, 1.4]) / 1.15
_MONDAY = date(2024, 1, 1)


def covers_ratio(again: float, sigma: float, n: int, random: Random) -> bool:
    """The average order value, where customers differ in both how often and for how much they buy."""
    orders = random.geometric(1 - again, n)
    usual = random.lognormal(4, sigma, n)
    spent = usual * orders * np.exp(random.normal(0, 0.5, n) / np.sqrt(orders))
    found = ratio(Arm.of(spent, orders))
    half = t_quantile(0.975, n - 1) * sqrt(found.variance)
    # Orders and size are drawn apart: the ratio of sums is the mean size, times that of the noise by the number of orders.
    many = np.arange(1, 400)
    weight = (1 - again) * again ** (many - 1) * many
    noise = float((weight * np.exp(0.125 / many)).sum() / weight.sum())
    true = exp(4 + sigma**2 / 2) * noise
    return bool(found.value - half <= true <= found.value + half)


def covers_clustered(alike: float, n: int, random: Random) -> bool:
    """The engagement rate: sessions of a customer are alike, and a few customers have most of them."""
    sessions = random.geometric(0.2, n)
    own = random.beta(0.65 / alike, 0.35 / alike, n)
    engaged = random.binomial(sessions, own)
    sums = Sums(
        n, int(sessions.sum()), int(engaged.sum()), int((sessions**2).sum()), int((sessions * engaged).sum()),
        int((engaged**2).sum()),
    )  # fmt: skip
    held = clustered_share(sums)
    return bool(held.low <= 0.65 <= held.high)


def covers_median(sigma: float, n: int, random: Random) -> bool:
    """The median of revenue by ranks."""
    values = np.sort(random.lognormal(4, sigma, n))
    places = ranks(n, 0.5)
    return bool(values[places.low] <= exp(4) <= values[places.high])


def _level(days: int, base: float, trend: float = 0.0) -> Floats:
    at = np.arange(days)
    return np.asarray(base * np.exp(trend * at) * _WEEK[at % 7])


def _counts(random: Random, mean: Floats) -> Floats:
    """Counts whose variance is three times their mean."""
    return np.asarray(random.poisson(random.gamma(mean / 2, 2)), dtype=np.float64)


def calm(random: Random) -> Series:
    """Four weeks of Poisson counts."""
    return Series(_MONDAY, "day", "count", random.poisson(_level(29, 200)).astype(float))


def few(random: Random) -> Series:
    """Four a day."""
    return Series(_MONDAY, "day", "count", random.poisson(_level(91, 4)).astype(float))


def growing(random: Random) -> Series:
    """Overdispersed, by weekday, with a trend."""
    return Series(_MONDAY, "day", "count", _counts(random, _level(121, 100, 0.005)))


def shifted(random: Random) -> Series:
    """The level rose by 60 % half way."""
    mean = _level(121, 200)
    mean[60:] *= 1.6
    return Series(_MONDAY, "day", "count", _counts(random, mean))


def money(random: Random) -> Series:
    """Revenue with a trend."""
    return Series(_MONDAY, "day", "sum", _level(121, 5_000, 0.002) * np.exp(0.12 * random.normal(size=121)))


def months(random: Random) -> Series:
    """Forty months with a season."""
    at = np.arange(40)
    values = 1_000 * np.exp(0.3 * np.sin(2 * np.pi * at / 12) + 0.01 * at + 0.06 * random.normal(size=40))
    return Series(date(2021, 1, 1), "month", "sum", values)


SERIES: tuple[tuple[str, Callable[[Random], Series], int], ...] = (
    ("Poisson, four weeks", calm, 29), ("four a day", few, 91), ("trend and weekday", growing, 121),
    ("level shift", shifted, 121), ("revenue", money, 121), ("months with a season", months, 40),
)  # fmt: skip


def holds_newest(draw: Callable[[Random], Series], random: Random) -> bool:
    """Whether the newest period lies in the interval of what it would be by those before."""
    return outlook(draw(random)).last.outside == 0


def measures() -> list[tuple[str, str, int, Callable[[Random], bool]]]:
    """Method, situation, units and one draw of each regime."""
    found: list[tuple[str, str, int, Callable[[Random], bool]]] = []
    for again, sigma in ((0.3, 0.5), (0.7, 1.0), (0.7, 1.5)):
        told = f"order value, {again:.0%} buy again, σ {sigma:g}"
        found += [("Figure: ratio over customers", told, n, partial(covers_ratio, again, sigma, n)) for n in SIZES]
    for alike in (0.2, 1.0, 5.0):
        told = f"sessions of a customer, alike by {alike / (1 + alike):.2f}"
        found += [("Figure: share in clusters", told, n, partial(covers_clustered, alike, n)) for n in SIZES]
    found += [("Figure: median by ranks", "revenue, σ 1.5", n, partial(covers_median, 1.5, n)) for n in SIZES]
    found += [("Newest period by those before", told, n, partial(holds_newest, draw)) for told, draw, n in SERIES]
    return found
