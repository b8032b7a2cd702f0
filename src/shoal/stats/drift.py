"""Whether a column, or the calibration of a score, has moved since a model was trained.

The population stability index (PSI) is Σ (b − a) · ln(b / a) over the shares of bins. Its rule of thumb (.1 watch, .25
act) knows no sample size: with ten bins and two samples of a hundred rows of the same customers it says "watch" four
times out of five. So the index stands here beside its mean under no change and a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, lgamma, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from shoal.stats.intervals import CONFIDENCE, Interval, wilson, z_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEAST_ROWS = 50
ALPHA = 0.01
WATCH, ACT = 0.1, 0.25
OTHER, MISSING = "other", "missing"


class Verdict(StrEnum):
    """What a drift check says."""

    TOO_FEW = "too few rows"
    STABLE = "stable"
    SLIGHT = "slight"
    MODERATE = "moderate"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column has moved.

    Args:
        psi: the index, with half a row added to each bin where a bin is empty in one of the samples.
        by_chance: its mean if nothing had changed, (k − 1)(1/n + 1/m).
        p_value: of Pearson's test that both samples come of one distribution.
        bins: bins that hold anything, k.
        n: rows of the reference.
        m: rows that are compared with it.
        verdict: ``TOO_FEW`` rows; ``STABLE`` where the test finds nothing; else by the index above what chance
            gives: ``SLIGHT`` under .1, ``MODERATE`` under .25, ``LARGE`` from there.
    """

    psi: float
    by_chance: float
    p_value: float
    bins: int
    n: int
    m: int
    verdict: Verdict

    @property
    def excess(self) -> float:
        """The index above its mean under no change, at least 0."""
        return max(0.0, self.psi - self.by_chance)


def psi(reference: ArrayLike, current: ArrayLike) -> float:
    """The population stability index of two rows of counts over the same bins; bins empty in both are left out.

    Half a row is added to every bin of both where a bin is empty in one of them, or the index would be infinite.

    Raises:
        ValueError: for counts of different lengths, negative counts, or a sample without rows.

    >>> round(psi([50, 50], [60, 40]), 4), round(psi([25, 25, 25, 25], [40, 30, 20, 10]), 4)
    (0.0405, 0.2282)
    """
    a, b = _filled(reference, current)
    if min(a.min(), b.min()) == 0:
        a, b = a + 0.5, b + 0.5
    first, second = a / a.sum(), b / b.sum()
    return float(np.sum((second - first) * np.log(second / first)))


def psi_by_chance(bins: int, n: int, m: int) -> float:
    """The mean of the index if nothing has changed, (k − 1)(1/n + 1/m) (Yurdakul and Naranjo 2020).

    >>> round(psi_by_chance(10, 200, 200), 4)
    0.09
    """
    return (bins - 1) * (1 / n + 1 / m)


def compare(reference: ArrayLike, current: ArrayLike, *, alpha: float = ALPHA, least: int = LEAST_ROWS) -> Drift:
    """Drift between two rows of counts over the same bins.

    The test is Pearson's for two samples, chi squared with k − 1 degrees of freedom: the index divided by 1/n + 1/m
    tends to the same distribution (Yurdakul and Naranjo 2020, J. Risk Model Validation 14(4); Potgieter et al.,
    arXiv 2307.11878), but only slowly where bins hold few rows.

    Args:
        reference: counts at training.
        current: counts now.
        alpha: how often a column that hasn't changed may be called changed; per column.
        least: the fewest rows in either sample for a verdict.

    Raises:
        ValueError: as ``psi``.
    """
    a, b = _filled(reference, current)
    n, m, k = int(a.sum()), int(b.sum()), int(a.size)
    value, chance = psi(a, b), psi_by_chance(k, n, m)
    expected = (a + b) / (n + m)
    chi2 = float((((a - n * expected) ** 2) / (n * expected) + ((b - m * expected) ** 2) / (m * expected)).sum())
    p_value = chi_squared_tail(chi2, k - 1) if k > 1 else 1.0
    verdict = _verdict(value - chance, p_value < alpha, min(n, m) < least)
    return Drift(value, chance, p_value, k, n, m, verdict)


def _verdict(excess: float, found: bool, too_few: bool) -> Verdict:
    if too_few:
        return Verdict.TOO_FEW
    if not found:
        return Verdict.STABLE
    return Verdict.LARGE if excess >= ACT else Verdict.MODERATE if excess >= WATCH else Verdict.SLIGHT


def _filled(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError("drift compares counts over the same bins")
    if not a.size or min(a.sum(), b.sum()) <= 0 or min(a.min(), b.min()) < 0:
        raise ValueError("drift needs rows in both samples, and counts of at least 0")
    held = (a + b) > 0
    return a[held], b[held]


@dataclass(frozen=True, slots=True)
class NumberBins:
    """Bins of a numeric column, cut at the quantiles of the reference alone; missing values have a bin of their own.

    Args:
        edges: ascending; a bin holds what is at least its lower edge and under its upper one, the outer two are open.
        counts: rows of the reference: one bin more than edges, then the missing.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, reference: ArrayLike, bins: int = 10) -> NumberBins:
        """Cut at most so many bins of about equal size; a value that many rows share isn't parted.

        Raises:
            ValueError: for fewer than two bins, or infinite values.
        """
        values = _numbers(reference)
        known = np.sort(values[~np.isnan(values)])
        if bins < 2:
            raise ValueError("drift needs at least two bins")
        if not known.size:
            return cls((), (0, int(values.size)))
        cuts = np.unique(known[np.minimum(np.arange(1, bins) * known.size // bins, known.size - 1)])
        # The commonest value may be the lowest, as zero orders: what falls below or rises above it must show.
        edges = np.unique(np.append(cuts, [known[0], np.nextafter(known[0], np.inf)])) if known[0] in cuts else cuts
        edges = edges if edges.size else np.array([known[0]])
        return cls(tuple(edges.tolist()), tuple(_in_edges(edges, values).tolist()))

    def count(self, values: ArrayLike) -> NDArray[np.int64]:
        """Rows in each bin, the missing last.

        Raises:
            ValueError: for infinite values.
        """
        return _in_edges(np.array(self.edges), _numbers(values))

    def drift(self, values: ArrayLike, *, alpha: float = ALPHA, least: int = LEAST_ROWS) -> Drift:
        """How far ``values`` have moved from the reference.

        Raises:
            ValueError: for no values, or infinite ones.
        """
        return compare(self.counts, self.count(values), alpha=alpha, least=least)


@dataclass(frozen=True, slots=True)
class WordBins:
    """Bins of a column of words: the reference's commonest, then all others (those never seen too), then the missing.

    Args:
        levels: the words, the commonest first.
        counts: rows of the reference, for the levels, all others, the missing.
    """

    levels: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, reference: Sequence[str | None], most: int = 20) -> WordBins:
        """Take the reference's ``most`` commonest words, equal ones by name."""
        words, n = np.unique(np.array([v for v in reference if v is not None], dtype=str), return_counts=True)
        order = np.lexsort((words, -n))[:most]
        levels = tuple(str(w) for w in words[order])
        return cls(levels, tuple(_in_levels(levels, reference).tolist()))

    def count(self, values: Sequence[str | None]) -> NDArray[np.int64]:
        """Rows of each level, of all others, and the missing."""
        return _in_levels(self.levels, values)

    def drift(self, values: Sequence[str | None], *, alpha: float = ALPHA, least: int = LEAST_ROWS) -> Drift:
        """How far ``values`` have moved from the reference.

        Raises:
            ValueError: for no values.
        """
        return compare(self.counts, self.count(values), alpha=alpha, least=least)


def _numbers(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if np.isinf(found).any():
        raise ValueError("drift can't place infinite values")
    return found


def _in_edges(edges: Floats, values: Floats) -> NDArray[np.int64]:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known, "right"), minlength=edges.size + 1)
    return np.append(counts, values.size - known.size).astype(np.int64)


def _in_levels(levels: tuple[str, ...], values: Sequence[str | None]) -> NDArray[np.int64]:
    place: dict[str | None, int] = {level: i for i, level in enumerate(levels)}
    place[None] = len(levels) + 1
    at = np.array([place.get(value, len(levels)) for value in values], dtype=np.int64)
    return np.bincount(at, minlength=len(levels) + 2).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Period:
    """What a score promised in a period against what came.

    Args:
        period: its name, as ``2026-03``.
        n: rows.
        expected: the sum of the chances.
        observed: positives that came.
        ratio: observed / expected with Wilson's interval of the observed; None where nothing was expected.
        z: (observed − expected) in standard deviations of what the chances themselves allow (Spiegelhalter 1986);
            None where they allow none.
        calibrated: whether z lies within the confidence asked for; where the chances are all 0 or 1, whether they
            were right.
    """

    period: str
    n: int
    expected: float
    observed: int
    ratio: Interval | None
    z: float | None
    calibrated: bool


def calibration_over_time(
    periods: Sequence[str], outcome: ArrayLike, chance: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Period, ...]:
    """Observed against expected positives in each period, in the periods' order by name.

    Args:
        periods: the period of each row.
        outcome: 0 or 1.
        chance: the probability that was told before.
        confidence: of the interval and of ``calibrated``.

    Raises:
        ValueError: for no rows, lengths that differ, outcomes other than 0 and 1, or chances outside [0, 1].
    """
    y, p = np.asarray(outcome, dtype=np.float64), np.asarray(chance, dtype=np.float64)
    if y.ndim != 1 or not y.size or y.shape != p.shape or y.size != len(periods):
        raise ValueError("periods, outcomes and chances must be of equal length, with at least one row")
    if not np.isin(y, (0.0, 1.0)).all() or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("an outcome is 0 or 1, and a chance lies between them")
    names, at = np.unique(np.array(periods, dtype=str), return_inverse=True)
    return tuple(_period(str(name), y[at == i], p[at == i], confidence) for i, name in enumerate(names))


def _period(name: str, y: Floats, p: Floats, confidence: float) -> Period:
    n, expected, observed = y.size, float(p.sum()), int(y.sum())
    share = wilson(observed, n, confidence)
    ratio = Interval(observed / expected, share.low * n / expected, share.high * n / expected) if expected else None
    spread = sqrt(float((p * (1 - p)).sum()))
    z = (observed - expected) / spread if spread else None
    right = abs(z) <= z_value(confidence) if z is not None else bool((y == p).all())
    return Period(name, n, expected, observed, ratio, z, right)


def chi_squared_tail(value: float, df: float) -> float:
    """P(chi squared ≥ value) with ``df`` degrees of freedom (Numerical Recipes, 6.2).

    Raises:
        ValueError: for df ≤ 0.

    >>> round(chi_squared_tail(3.841459, 1), 6)
    0.05
    """
    if df <= 0:
        raise ValueError("chi squared needs positive degrees of freedom")
    a, x = df / 2, value / 2
    if x <= 0:
        return 1.0
    front = exp(a * log(x) - x - lgamma(a))
    return 1 - front * _series(a, x) if x < a + 1 else front * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    while term > total * 1e-16:
        a += 1
        term *= x / a
        total += term
    return total


def _fraction(a: float, x: float) -> float:
    """The continued fraction of the upper tail by Lentz's method."""
    b = x + 1 - a
    c, d = 1e300, 1 / b
    h = d
    for i in range(1, 10_000):
        b += 2
        step = -i * (i - a)
        d = 1 / (step * d + b)
        c = b + step / c
        h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return h
