"""Survival curves: who is still here after how long, and whether groups differ in it; those still here count as long as known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused
from shoal.stats.drift import chi_squared_tail
from shoal.stats.intervals import CONFIDENCE, Interval, wilson, z_value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Survival:
    """A Kaplan-Meier curve: the share still here, a step at each time at which someone left.

    Args:
        times: at which someone left, ascending, in the unit that was given.
        at_risk: customers still followed just before each.
        left: who left at each.
        share: the share still here after each.
        low: the lower end of its interval.
        high: the upper end.
        rows: customers in all.
        followed: the longest time anyone was followed; beyond it the curve says nothing.
        confidence: of the intervals.
    """

    times: tuple[float, ...]
    at_risk: tuple[int, ...]
    left: tuple[int, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    rows: int
    followed: float
    confidence: float

    def at(self, time: float) -> Interval:
        """The share still here after ``time``; before anyone has left, 1 with Wilson's lower end of those at risk.

        Raises:
            Refused: for a time before the start, or beyond the longest that anyone was followed.
        """
        if not 0 <= time <= self.followed:
            raise Refused(
                f"Nobody was followed for {time:g}; the longest is {self.followed:g}.",
                fix="A constant rate of leaving must not be drawn on from here: those who stay longest leave least.",
            )
        i = int(np.searchsorted(self.times, time, "right")) - 1
        if i < 0:
            return wilson(self.rows, self.rows, self.confidence)
        return Interval(self.share[i], self.low[i], self.high[i])

    def median(self) -> float | None:
        """The time after which half have left; None where more than half are still here."""
        below = [t for t, s in zip(self.times, self.share, strict=True) if s <= 0.5]
        return below[0] if below else None


def kaplan_meier(time: ArrayLike, left: ArrayLike, confidence: float = CONFIDENCE) -> Survival:
    """Kaplan and Meier's curve (1958, doi 10.1080/01621459.1958.10501452) with Greenwood's variance.

    The interval is taken on the scale of ln(−ln S), so it stays within 0 and 1. Once nobody is left the upper end stays
    where it was last known. Who is censored at a time is still at risk at it.

    Args:
        time: how long each customer was followed, at least 0.
        left: 1 where that ended with leaving, 0 where the customer was still here.
        confidence: of the intervals, at each time for itself.

    Raises:
        Refused: for no customers, negative or unknown times, or anything but 0 and 1 in ``left``.
    """
    t, d = _checked(time, left)
    times, at = np.unique(t, return_inverse=True)
    gone, all_ = np.bincount(at, weights=d), np.bincount(at)
    at_risk = t.size - np.concatenate([[0], np.cumsum(all_)[:-1]])
    steps = gone > 0
    n, lost = at_risk[steps].astype(np.float64), gone[steps]
    share = np.cumprod(1 - lost / n)
    low, high = _greenwood(n, lost, share, z_value(confidence))
    return Survival(
        tuple(times[steps].tolist()),
        tuple(at_risk[steps].tolist()),
        tuple(int(v) for v in lost),
        tuple(share.tolist()),
        low,
        high,
        int(t.size),
        float(t.max()),
        confidence,
    )


def _checked(time: ArrayLike, left: ArrayLike) -> tuple[Floats, Floats]:
    t, d = np.asarray(time, dtype=np.float64), np.asarray(left, dtype=np.float64)
    if t.ndim != 1 or t.shape != d.shape or not t.size or not np.isfinite(t).all() or t.min() < 0:
        raise Refused("A survival curve needs a time of at least 0 for each customer, and one customer or more.")
    if not np.isin(d, (0.0, 1.0)).all():
        raise Refused("Whether a customer left must be 0 or 1.")
    return t, d


def _greenwood(n: np.ndarray, lost: np.ndarray, share: np.ndarray, z: float) -> tuple[tuple[float, ...], ...]:
    lows, highs, total, last = [], [], 0.0, 1.0
    for still, gone, s in zip(n.tolist(), lost.tolist(), share.tolist(), strict=True):
        if s <= 0:
            lows.append(0.0)
            highs.append(last)
            continue
        total += gone / (still * (still - gone))
        half = z * np.sqrt(total) / abs(np.log(s))
        lows.append(float(s ** np.exp(half)))
        last = float(s ** np.exp(-half))
        highs.append(last)
    return tuple(lows), tuple(highs)


@dataclass(frozen=True, slots=True)
class LogRank:
    """Whether groups leave at different rates.

    Args:
        chi2: the statistic.
        df: its degrees of freedom, the number of groups less 1.
        p: how often chance alone would give at least so much, if no group differed.
        left: who left, by group.
        expected: who would have left of each, if all left at the rate of all.
    """

    chi2: float
    df: int
    p: float
    left: tuple[int, ...]
    expected: tuple[float, ...]


def log_rank(time: ArrayLike, left: ArrayLike, group: ArrayLike) -> LogRank:
    """The log-rank test of two or more groups (Mantel 1966; Peto and Peto 1972, doi 10.2307/2344317).

    Args:
        time: how long each customer was followed, at least 0.
        left: 1 where that ended with leaving, 0 where the customer was still here.
        group: of each customer, a whole number from 0; each group has a customer.

    Raises:
        Refused: as of ``kaplan_meier``; fewer than two groups; or nobody left while two groups were still followed.
    """
    t, d = _checked(time, left)
    g = np.asarray(group, dtype=np.int64)
    groups = int(g.max()) + 1
    if g.shape != t.shape or g.min() < 0 or np.unique(g).size < max(groups, 2):
        raise Refused("A test between groups needs two or more, each with a customer.")
    at_risk, lost = _by_group(t, d, g, groups)
    n, gone = at_risk.sum(axis=1), lost.sum(axis=1)
    rate = gone / n
    expected = rate @ at_risk
    # The variance of a draw without replacement at each time; with one customer left there is none.
    weight = rate * (n - gone) / np.maximum(n - 1, 1)
    shares = at_risk / n[:, None]
    spread = np.diag(weight @ at_risk) - np.einsum("t,ti,tj->ij", weight, at_risk, shares)
    gap = lost.sum(axis=0) - expected
    known = np.flatnonzero(np.diag(spread) > 1e-12 * max(1.0, float(gone.sum())))
    if known.size < 2:
        raise Refused("Nobody left while two of the groups were still followed, so they can't be compared.")
    inner = known[:-1]
    chi2 = float(gap[inner] @ np.linalg.solve(spread[np.ix_(inner, inner)], gap[inner]))
    df = int(inner.size)
    counts = tuple(int(v) for v in lost.sum(axis=0))
    return LogRank(chi2, df, min(1.0, max(0.0, chi_squared_tail(chi2, df))), counts, tuple(expected.tolist()))


def _by_group(t: Floats, d: Floats, g: NDArray[np.int64], groups: int) -> tuple[Floats, Floats]:
    """Who was at risk and who left at each time at which someone did: a row a time, a column a group."""
    times = np.unique(t[d == 1])
    at_risk, lost = np.zeros((times.size, groups)), np.zeros((times.size, groups))
    for one in range(groups):
        mine = np.sort(t[g == one])
        at_risk[:, one] = mine.size - np.searchsorted(mine, times, "left")
        lost[:, one] = np.bincount(np.searchsorted(times, t[(g == one) & (d == 1)]), minlength=times.size)
    return at_risk, lost
