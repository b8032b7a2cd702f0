"""Quantiles, each with its definition: R type 7 for cut points, nearest rank for the language's percentiles."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile(ordered: Sequence[float], p: float) -> float:
    """The quantile of R's type 7: linear between the two nearest of n values, at position (n − 1)·p.

    Args:
        ordered: the values, ascending, at least one.
        p: the share of values below, 0 to 1.

    Raises:
        ValueError: for no values, or p outside [0, 1].

    >>> quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 10], 0.75)
    (2.5, 4.75)
    """
    _check(ordered, p)
    position = (len(ordered) - 1) * p
    below = floor(position)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (position - below)


def nearest_rank(ordered: Sequence[float], p: float) -> float:
    """The nearest-rank quantile: the max(1, ⌈n·p⌉)-th smallest, always one of the values.

    Raises:
        ValueError: for no values, or p outside [0, 1].

    >>> nearest_rank([15, 20, 35, 40, 50], 0.4), nearest_rank([15, 20, 35, 40, 50], 0)
    (20, 15)
    """
    _check(ordered, p)
    # The rounding keeps 10 × 0.7 = 7.000000000000001 at rank 7.
    return ordered[max(1, ceil(round(len(ordered) * p, 9))) - 1]


def weighted_quantile(pairs: Sequence[tuple[float, float]], p: float) -> float:
    """The smallest value at which the running weight reaches the share p of all weight.

    Args:
        pairs: (value, weight), ascending by value; weights are positive.
        p: the share, 0 to 1.

    Raises:
        ValueError: for no pairs, or p outside [0, 1].

    >>> weighted_quantile([(1, 1), (2, 1), (30, 2)], 0.5)
    2
    """
    _check(pairs, p)
    needed = p * sum(weight for _, weight in pairs) * (1 - 1e-12)
    running = 0.0
    for value, weight in pairs:
        running += weight
        if running >= needed:
            return value
    return pairs[-1][0]


def _check(values: Sequence[object], p: float) -> None:
    if not values:
        raise ValueError("a quantile needs at least one value")
    if not 0 <= p <= 1:
        raise ValueError(f"a quantile's share lies between 0 and 1, not {p}")
