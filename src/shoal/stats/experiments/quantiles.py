"""Quantiles of an arm: what half of the units, or nine in ten, stay below."""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused
from shoal.stats.experiments.arms import Estimate
from shoal.stats.intervals import CONFIDENCE, z_value

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ranks(NamedTuple):
    """The places, counted from 0, of the values that a quantile's figure and error are read from."""

    low: int
    middle: int
    high: int


def ranks(n: int, p: float, confidence: float = CONFIDENCE) -> Ranks:
    """Which order statistics to ask for: the quantile's own, and the ends of its interval (Woodruff 1952,
    doi:10.1080/01621459.1952.10483443), by the normal form of the binomial.

    Raises:
        Refused: the interval's ends would lie outside the sample.

    >>> ranks(1000, 0.5)
    Ranks(low=469, middle=499, high=531)
    """
    if not 0 < p < 1:
        raise Refused(f"A quantile lies between 0 and 1, not at {p:g}.")
    half = z_value(confidence) * sqrt(n * p * (1 - p))
    found = Ranks(floor(n * p - half), max(0, ceil(n * p) - 1), ceil(n * p + half))
    if found.low < 0 or found.high >= n:
        raise Refused(
            f"{n} units are too few for the quantile {p:g}.", fix="Wait for more, or take one nearer the median."
        )
    return found


def quantile(values: Sequence[float], n: int, confidence: float = CONFIDENCE) -> Estimate:
    """The estimate from the values at the places of ``ranks``: its variance is that of a normal interval as wide.

    Args:
        values: at the low, middle and high place.
        n: units of the arm.
        confidence: the same as for ``ranks``.
    """
    low, middle, high = values
    return Estimate(float(middle), ((float(high) - float(low)) / (2 * z_value(confidence))) ** 2, n)
