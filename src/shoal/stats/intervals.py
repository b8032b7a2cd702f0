"""Intervals for shares, differences, means and the net promoter score."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from shoal.stats.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with the ends of its interval."""

    value: float
    low: float
    high: float

    def excludes(self, point: float) -> bool:
        """Whether ``point`` lies outside."""
        return point < self.low or point > self.high


class Moments(NamedTuple):
    """What an interval of a mean needs of a sample: its size, mean and variance (n − 1 in the denominator).

    The size is a fraction where it stands for what a clustered sample is worth.
    """

    n: float
    mean: float
    variance: float

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> Moments:
        """From the sum of values and the sum of their squares."""
        mean = total / n if n else 0.0
        spread = max(squares - n * mean * mean, 0.0)
        return cls(n, mean, spread / (n - 1) if n > 1 else 0.0)


@lru_cache(maxsize=64)
def z_value(confidence: float = CONFIDENCE) -> float:
    """The two-sided normal quantile: 1.96 for 95 %."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(hits: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); for n = 0 the whole of [0, 1].

    Raises:
        ValueError: unless 0 ≤ hits ≤ n.

    >>> [round(v, 4) for v in wilson(9, 10)]
    [0.9, 0.5958, 0.9821]
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is not a share")
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    z2 = z_value(confidence) ** 2
    share = hits / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * share * (1 - share) / n + z2 * z2 / (4 * n * n)) / (1 + z2 / n)
    # At 0 and n the formula gives 0 and 1 up to rounding: say so exactly.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    return Interval(share, low, 1.0 if hits == n else min(1.0, centre + half))


def share_difference(a: tuple[float, float], b: tuple[float, float], confidence: float = CONFIDENCE) -> Interval:
    """The difference of two independent shares with Newcombe's hybrid score interval (Newcombe 1998, method 10).

    Args:
        a: (hits, n) of the first group.
        b: (hits, n) of the second.
        confidence: the two-sided level.
    """
    first, second = wilson(*a, confidence), wilson(*b, confidence)
    gap = first.value - second.value
    below = sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    above = sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Interval(gap, max(-1.0, gap - below), min(1.0, gap + above))


def net_promoter(promoters: int, passives: int, detractors: int, confidence: float = CONFIDENCE) -> Interval:
    """The net promoter score (−100 … +100) with the adjusted Wald interval (Rocks 2016).

    Three answers are added, three quarters of one to promoters and to detractors, so that 20 of 20 promoters isn't
    "100 ± 0". ``value`` is the plain score; the interval's middle is the adjusted one, so it needn't be the same.

    Raises:
        ValueError: where nobody answered.
    """
    centre, variance = _adjusted(promoters, passives, detractors)
    half = z_value(confidence) * sqrt(variance)
    value = 100 * (promoters - detractors) / (promoters + passives + detractors)
    return Interval(value, max(-100.0, centre - half), min(100.0, centre + half))


def _adjusted(promoters: int, passives: int, detractors: int) -> tuple[float, float]:
    """The score with three answers added, and the variance of it."""
    n = promoters + passives + detractors
    if n <= 0 or min(promoters, passives, detractors) < 0:
        raise ValueError("a net promoter score needs answers")
    up, down = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)
    return 100 * (up - down), 1e4 * (up + down - (up - down) ** 2) / (n + 3)


def net_promoter_difference(
    a: tuple[int, int, int], b: tuple[int, int, int], confidence: float = CONFIDENCE
) -> tuple[Interval, float]:
    """The difference of two net promoter scores, a − b, of different people, and its two-sided p-value.

    Three answers are added to each as in ``net_promoter``. Two scores whose intervals overlap may well differ, and two
    of ± 11 differ by ± 15: neither can be read off the other.

    Args:
        a: (promoters, passives, detractors) of the first group.
        b: the same of the second.
        confidence: the two-sided level.

    Raises:
        ValueError: where nobody answered.
    """
    (first, va), (second, vb) = _adjusted(*a), _adjusted(*b)
    gap, error = first - second, sqrt(va + vb)
    half = z_value(confidence) * error
    value = net_promoter(*a).value - net_promoter(*b).value
    return Interval(value, max(-200.0, gap - half), min(200.0, gap + half)), 2 * NormalDist().cdf(-abs(gap) / error)


def mean_interval(sample: Moments, confidence: float = CONFIDENCE) -> Interval:
    """Student's interval of a mean; infinitely wide for fewer than two values.

    Raises:
        ValueError: for an empty sample.
    """
    if sample.n < 1:
        raise ValueError("a mean needs at least one value")
    if sample.n == 1:
        return Interval(sample.mean, float("-inf"), float("inf"))
    half = t_quantile((1 + confidence) / 2, sample.n - 1) * sqrt(sample.variance / sample.n)
    return Interval(sample.mean, sample.mean - half, sample.mean + half)


def mean_difference(a: Moments, b: Moments, confidence: float = CONFIDENCE) -> Interval:
    """The difference of two means, a − b, with Welch's interval; infinitely wide where a group has one value.

    Raises:
        ValueError: for an empty group.
    """
    if min(a.n, b.n) < 1:
        raise ValueError("a difference of means needs values in both groups")
    gap = a.mean - b.mean
    if min(a.n, b.n) < 2:
        return Interval(gap, float("-inf"), float("inf"))
    va, vb = a.variance / a.n, b.variance / b.n
    if va + vb == 0:
        return Interval(gap, gap, gap)
    df = (va + vb) ** 2 / (va * va / (a.n - 1) + vb * vb / (b.n - 1))
    half = t_quantile((1 + confidence) / 2, df) * sqrt(va + vb)
    return Interval(gap, gap - half, gap + half)


def bootstrap_mean(
    values: Sequence[float], confidence: float = CONFIDENCE, *, draws: int = 2000, seed: int = 0
) -> Interval:
    """The percentile bootstrap interval of a mean, for skewed money where Student's is too hopeful.

    Args:
        values: the sample, at least one value.
        confidence: the two-sided level.
        draws: how many resamples.
        seed: makes it repeatable.

    Raises:
        ValueError: for an empty sample.
    """
    import numpy as np

    sample = np.asarray(values, dtype=float)
    if not sample.size:
        raise ValueError("a mean needs at least one value")
    random = np.random.default_rng(seed)
    means = np.array([random.choice(sample, sample.size).mean() for _ in range(draws)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(sample.mean()), float(low), float(high))
