"""How surely one way to foretell is ahead of another: the bootstrap of a difference, paired over units.

A unit is what was drawn from the world, as a customer. Each has a sum and a count of one or more parts, and the figure of a
whole is the mean over parts of Σ sums / Σ counts: a mean error, a rate of hits, or a mean of such means. Units are drawn anew
with all that they have (Efron & Tibshirani 1993, chapter 8), so that what a customer's rows share is in the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.stats.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

DRAWS = 2_000
MOST_UNITS = 2_000
"""Above this many, units are dealt to as many groups at random, and groups are drawn: all units count, and a million cost
no more draws. The error of an interval's width by that is about 1 / √(2 · 2,000), 1.6 %."""
LEAST_UNITS = 20
"""With fewer units the interval of a percentile bootstrap is too narrow to be said."""
_AT_ONCE = 250


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What one contender scored of each unit.

    Args:
        sums: units × parts: of errors, or of hits.
        counts: units × parts: of what was summed; 0 where a unit has nothing of a part.
    """

    sums: Floats
    counts: Floats

    @classmethod
    def of(cls, values: npt.NDArray[np.generic]) -> Tally:
        """One value a unit."""
        column = np.asarray(values, dtype=np.float64)[:, None]
        return cls(column, np.ones_like(column))

    @classmethod
    def by(cls, unit: npt.NDArray[np.int64], values: npt.NDArray[np.generic], units: int) -> Tally:
        """One value a row, of which a unit may have several or none.

        Args:
            unit: of each row.
            values: one a row; those that are NaN don't count.
            units: how many there are.
        """
        told = ~np.isnan(np.asarray(values, dtype=np.float64))
        sums = np.bincount(unit[told], weights=np.asarray(values, dtype=np.float64)[told], minlength=units)
        counts = np.bincount(unit[told], minlength=units).astype(np.float64)
        return cls(sums.astype(np.float64)[:, None], counts[:, None])

    @property
    def figure(self) -> float:
        """The mean over parts; NaN where nothing was counted."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.mean(self.sums.sum(axis=0) / self.counts.sum(axis=0)))


def difference(a: Tally, b: Tally, *, confidence: float = CONFIDENCE, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The figure of ``a`` less that of ``b`` over the same units, with the percentile interval of the bootstrap.

    The same units give the same interval in whatever order they stand.

    Args:
        a: of each unit.
        b: of the same units, with as many parts.
        confidence: of the interval.
        draws: how often units are drawn anew.
        seed: of the draws.

    Returns:
        The difference and its ends; the ends are NaN with fewer than 20 units that were counted of either.

    Raises:
        ValueError: for units or parts that differ.

    >>> even = Tally.of(np.tile([0.0, 1.0], 50))
    >>> tuple(round(x, 2) for x in difference(even, Tally.of(np.zeros(100))))
    (0.5, 0.4, 0.6)
    """
    if a.sums.shape != b.sums.shape:
        raise ValueError("a paired difference needs the same units and parts of both")
    gap = a.figure - b.figure
    counted = int(((a.counts > 0) | (b.counts > 0)).any(axis=1).sum())
    if counted < LEAST_UNITS or np.isnan(gap):
        return Interval(gap, np.nan, np.nan)
    random = np.random.default_rng(seed)
    columns = _grouped(np.hstack([a.sums, b.sums, a.counts, b.counts]), random)
    found = np.concatenate([
        _gaps(columns, random, min(_AT_ONCE, draws - start)) for start in range(0, draws, _AT_ONCE)
    ])  # fmt: skip
    low, high = np.nanquantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(gap, float(low), float(high))


def _grouped(columns: Floats, random: np.random.Generator) -> Floats:
    """The rows in an order that their values decide, and where there are many the sums of groups of them, dealt at random."""
    ordered = columns[np.lexsort(columns.T)]
    if len(ordered) <= MOST_UNITS:
        return ordered
    group = random.permutation(len(ordered)) % MOST_UNITS
    return np.column_stack([np.bincount(group, weights=column, minlength=MOST_UNITS) for column in ordered.T])


def _gaps(columns: Floats, random: np.random.Generator, draws: int) -> Floats:
    """The difference in each of so many draws."""
    sums, counts = np.split(times_drawn(len(columns), draws, random) @ columns, 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mine, other = np.split(sums / counts, 2, axis=1)
    return np.asarray((mine - other).mean(axis=1))


def times_drawn(units: int, draws: int, random: np.random.Generator) -> Floats:
    """How often each unit comes where as many are drawn anew as there are: draws × units."""
    drawn = random.integers(0, units, (draws, units)) + np.arange(draws)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def totals_drawn(columns: Floats, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """The sums of columns over units that are drawn anew, from which a figure of sums has its interval.

    Args:
        columns: units × columns: what each unit, or group of units, adds.
        draws: how often units are drawn anew.
        seed: of the draws.

    Returns:
        draws × columns.

    >>> totals_drawn(np.ones((50, 1)), draws=3).ravel().tolist()
    [50.0, 50.0, 50.0]
    """
    random = np.random.default_rng(seed)
    return np.concatenate([
        times_drawn(len(columns), min(_AT_ONCE, draws - start), random) @ columns for start in range(0, draws, _AT_ONCE)
    ])  # fmt: skip


def dealt(units: int, *, most: int = MOST_UNITS, seed: int = 0) -> npt.NDArray[np.int64]:
    """The group of each unit, where units are dealt to at most so many groups at random; see ``MOST_UNITS``."""
    if units <= most:
        return np.arange(units)
    return np.asarray(np.random.default_rng(seed).permutation(units) % most)
