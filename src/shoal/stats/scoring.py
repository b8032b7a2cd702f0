"""How good scores of a yes-or-no outcome are: ranking, probability, and what a chosen share of customers would hold.

All take ``outcome`` (0 or 1, both of them present where ranking is asked) and ``score`` or ``chance`` of equal length.
Rows with equal scores count as one group everywhere, so that the order of rows never matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from shoal.stats.intervals import CONFIDENCE, Interval, wilson, z_value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEAST_IN_BIN = 20
_EDGE = 1e-15


def auc(outcome: ArrayLike, score: ArrayLike) -> float:
    """The chance that a positive scores above a negative, a tie counting one half (Mann-Whitney).

    Raises:
        ValueError: unless both outcomes occur, or for lengths that differ or scores that aren't finite.

    >>> auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), auc([1, 0], [0.5, 0.5])
    (0.75, 0.5)
    """
    won, _ = _placements(*_both(outcome, score))
    return float(won.mean())


def auc_interval(outcome: ArrayLike, score: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The AUC with DeLong's interval (DeLong 1988, doi 10.2307/2531595), on the logit scale to stay within [0, 1].

    Where the scores part the outcomes perfectly the variance is 0 and says nothing; then the open end is Wilson's for
    as many cases as the rarer outcome has.

    Raises:
        ValueError: as ``auc``.
    """
    won, lost = _placements(*_both(outcome, score))
    value = float(won.mean())
    if not 0 < value < 1:
        least = min(won.size, lost.size)
        return Interval(value, *wilson(value * least, least, confidence)[1:])
    spread = sqrt(_variance(won) / won.size + _variance(lost) / lost.size)
    half = z_value(confidence) * spread / (value * (1 - value))
    middle = log(value / (1 - value))
    return Interval(value, _logistic(middle - half), _logistic(middle + half))


def auc_difference(outcome: ArrayLike, a: ArrayLike, b: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """AUC of ``a`` less AUC of ``b`` on the same rows, with DeLong's paired interval (doi 10.2307/2531595).

    It speaks of other customers scored by the same two models, not of models trained on other data.

    Raises:
        ValueError: as ``auc``.
    """
    won_a, lost_a = _placements(*_both(outcome, a))
    won_b, lost_b = _placements(*_both(outcome, b))
    gap = float(won_a.mean() - won_b.mean())
    variance = _variance(won_a - won_b) / won_a.size + _variance(lost_a - lost_b) / lost_a.size
    half = z_value(confidence) * sqrt(variance)
    return Interval(gap, max(-1.0, gap - half), min(1.0, gap + half))


def average_precision(outcome: ArrayLike, score: ArrayLike) -> float:
    """The area under precision against recall, as steps without interpolation: Σ (recall gained) · precision.

    A score without any information gives about the base rate.

    Raises:
        ValueError: as ``auc``.

    >>> round(average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 4)
    0.8333
    """
    n, hits = _from_the_top(*_both(outcome, score))[1:]
    gained = np.diff(hits, prepend=0.0) / hits[-1]
    return float(gained @ (hits / n))


def brier(outcome: ArrayLike, chance: ArrayLike) -> float:
    """The mean squared error of the probabilities (Brier 1950): 0 is perfect.

    Raises:
        ValueError: for no rows, lengths that differ, outcomes other than 0 and 1, or chances outside [0, 1].

    >>> brier([1, 0], [0.5, 0.5])
    0.25
    """
    y, p = _chances(outcome, chance)
    return float(np.mean((y - p) ** 2))


def brier_skill(outcome: ArrayLike, chance: ArrayLike) -> float:
    """The share of the base rate's Brier score that the probabilities take away: 1 perfect, 0 no better, below 0 worse.

    Raises:
        ValueError: as ``brier``, and where all outcomes are equal.
    """
    y, p = _chances(outcome, chance)
    base = float(np.mean((y - y.mean()) ** 2))
    if base == 0:
        raise ValueError("skill needs both outcomes")
    return 1 - float(np.mean((y - p) ** 2)) / base


def log_loss(outcome: ArrayLike, chance: ArrayLike) -> float:
    """The mean of −ln(probability given to what happened), in nats; chances are kept 1e-15 away from 0 and 1.

    Raises:
        ValueError: as ``brier``.
    """
    return float(log_losses(outcome, chance).mean())


def log_losses(outcome: ArrayLike, chance: ArrayLike) -> Floats:
    """``log_loss`` row by row."""
    y, p = _chances(outcome, chance)
    p = np.clip(p, _EDGE, 1 - _EDGE)
    return -np.where(y == 1, np.log(p), np.log1p(-p))


def paired_difference(a: ArrayLike, b: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The mean of a − b over the same rows, with the normal interval of paired values.

    Raises:
        ValueError: for fewer than two rows, or lengths that differ.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.size < 2:
        raise ValueError("a paired difference needs two columns of equal length with at least two rows")
    gap = first - second
    mean, half = float(gap.mean()), z_value(confidence) * sqrt(_variance(gap) / gap.size)
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Bin:
    """One line of a reliability table.

    Args:
        low: the lower end of the chances in it.
        high: the upper end.
        n: rows in it.
        predicted: the mean chance.
        observed: the share of positives, with Wilson's interval.
    """

    low: float
    high: float
    n: int
    predicted: float
    observed: Interval


def reliability(
    outcome: ArrayLike, chance: ArrayLike, *, bins: int = 10, least: int = LEAST_IN_BIN, confidence: float = CONFIDENCE
) -> tuple[Bin, ...]:
    """What was predicted against what happened, in bins of equal width, ascending.

    A bin that has fewer than ``least`` rows is joined to the one above it (the topmost to the one below): the gap of a
    handful of rows is noise.

    Args:
        outcome: 0 or 1 a row.
        chance: the predicted probability.
        bins: how many bins of equal width over [0, 1].
        least: the fewest rows a bin may have.
        confidence: of the intervals.

    Raises:
        ValueError: as ``brier``, and for fewer than ``least`` rows in all.
    """
    y, p = _chances(outcome, chance)
    if bins < 1 or y.size < max(least, 1):
        raise ValueError(f"a reliability table needs at least {max(least, 1)} rows and one bin, not {y.size} rows")
    # The rounding keeps 0.3 · 10 = 3.0000000000000004 and 0.29 · 100 = 28.999999999999996 in the bins they name.
    at = np.minimum(np.floor(np.round(p * bins, 9)).astype(np.int64), bins - 1)
    n, hits = np.bincount(at, minlength=bins), np.bincount(at, weights=y, minlength=bins)
    total = np.bincount(at, weights=p, minlength=bins)
    return tuple(
        Bin(
            first / bins,
            after / bins,
            int(n[first:after].sum()),
            float(total[first:after].sum() / n[first:after].sum()),
            wilson(float(hits[first:after].sum()), float(n[first:after].sum()), confidence),
        )
        for first, after in _joined(n, least)
    )


def _joined(n: NDArray[np.int64], least: int) -> list[tuple[int, int]]:
    """Ranges of neighbouring bins that have at least ``least`` rows each; empty bins at the ends are left out."""
    groups: list[tuple[int, int]] = []
    start, held = 0, 0
    for i, count in enumerate(n.tolist()):
        if held == 0 and count == 0:
            start = i + 1
            continue
        held += count
        if held >= least:
            groups.append((start, i + 1))
            start, held = i + 1, 0
    if held:
        last = int(np.flatnonzero(n)[-1]) + 1
        groups[-1:] = [(groups[-1][0], last)]
    return groups


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error beside what chance alone would give.

    Args:
        value: Σ (rows in the bin / all rows) · |observed − predicted|.
        by_chance: its mean if the probabilities were exactly right, Σ (n/N) · √(2 p(1 − p) / (π n)): it is never 0.
        bins: how many bins it rests on.
    """

    value: float
    by_chance: float
    bins: int


def calibration_error(
    outcome: ArrayLike, chance: ArrayLike, *, bins: int = 10, least: int = LEAST_IN_BIN
) -> CalibrationError:
    """The expected calibration error (ECE; Naeini 2015, doi 10.1609/aaai.v29i1.9602) over ``reliability``'s bins.

    Raises:
        ValueError: as ``reliability``.
    """
    table = reliability(outcome, chance, bins=bins, least=least)
    n = sum(b.n for b in table)
    value = sum(b.n / n * abs(b.observed.value - b.predicted) for b in table)
    noise = sum(b.n / n * sqrt(2 * b.predicted * (1 - b.predicted) / (pi * b.n)) for b in table)
    return CalibrationError(value, noise, len(table))


@dataclass(frozen=True, slots=True)
class Tier:
    """One group of a lift table, counted from the highest score.

    Args:
        tier: 1 for the highest scores.
        n: rows in it.
        positives: positives in it; a fraction where equal scores lie across its edge.
        rate: positives / n.
        lift: ``rate`` over the base rate.
        gain: the share of all positives in this tier and those above.
        cumulative_lift: the same as a lift.
    """

    tier: int
    n: int
    positives: float
    rate: float
    lift: float
    gain: float
    cumulative_lift: float


def lift_table(outcome: ArrayLike, score: ArrayLike, tiers: int = 10) -> tuple[Tier, ...]:
    """Lift and cumulative gain by tiers of equal size (deciles), the highest scores first.

    Equal scores that lie across an edge are shared out by their mean, so a constant score has lift 1 everywhere.

    Raises:
        ValueError: as ``auc``, and for fewer rows than tiers.
    """
    y, s = _both(outcome, score)
    if not 1 <= tiers <= y.size:
        raise ValueError(f"{y.size} rows can't be parted into {tiers} tiers")
    edges = np.round(np.arange(tiers + 1) * y.size / tiers)
    held = _hits_within(y, s, edges)
    base, all_ = float(y.mean()), float(y.sum())
    table = []
    for i in range(tiers):
        n, hits = edges[i + 1] - edges[i], float(held[i + 1] - held[i])
        gain = float(held[i + 1]) / all_
        above = gain * y.size / float(edges[i + 1])
        table.append(Tier(i + 1, int(n), hits, hits / float(n), hits / float(n) / base, gain, above))
    return tuple(table)


def lift_at(outcome: ArrayLike, score: ArrayLike, share: float = 0.1) -> float:
    """How many times the base rate the top ``share`` of rows holds.

    Raises:
        ValueError: as ``auc``, and for a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and up to 1, not {share}")
    y, s = _both(outcome, score)
    top = max(1.0, float(np.round(share * y.size)))
    return float(_hits_within(y, s, np.array([top]))[0]) / top / float(y.mean())


def _hits_within(y: Floats, s: Floats, sizes: Floats) -> Floats:
    """The positives among so many of the highest scores."""
    _, n, hits = _from_the_top(y, s)
    found: Floats = np.interp(sizes, np.concatenate([[0.0], n]), np.concatenate([[0.0], hits]))
    return found


def _from_the_top(y: Floats, s: Floats) -> tuple[Floats, Floats, Floats]:
    """The distinct scores, descending, with the rows and the positives at or above each."""
    order = np.argsort(-s, kind="stable")
    sorted_score, sorted_hits = s[order], np.cumsum(y[order])
    last = np.append(np.flatnonzero(np.diff(sorted_score)), s.size - 1)
    return sorted_score[last], (last + 1).astype(np.float64), sorted_hits[last]


def _placements(y: Floats, s: Floats) -> tuple[Floats, Floats]:
    """For each positive the share of negatives it beats, for each negative the share of positives that beat it."""
    up, down = np.sort(s[y == 1]), np.sort(s[y == 0])
    won = (np.searchsorted(down, s[y == 1], "left") + np.searchsorted(down, s[y == 1], "right")) / (2 * down.size)
    lost = 1 - (np.searchsorted(up, s[y == 0], "left") + np.searchsorted(up, s[y == 0], "right")) / (2 * up.size)
    return won, lost


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if values.size > 1 else 0.25


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


def _both(outcome: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    y, s = _checked(outcome, score)
    if not 0 < y.sum() < y.size:
        raise ValueError("ranking needs both outcomes")
    return y, s


def _chances(outcome: ArrayLike, chance: ArrayLike) -> tuple[Floats, Floats]:
    y, p = _checked(outcome, chance)
    if p.min() < 0 or p.max() > 1:
        raise ValueError("a chance lies between 0 and 1")
    return y, p


def _checked(outcome: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(outcome, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or y.size == 0:
        raise ValueError("outcomes and scores must be of equal length, with at least one row")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("an outcome is 0 or 1")
    if not np.isfinite(s).all():
        raise ValueError("a score must be a finite number")
    return y, s
