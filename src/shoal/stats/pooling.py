"""One figure of several that were measured apart, as of periods: with an interval that allows for their true differences."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE, Interval, z_value
from shoal.stats.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence


class Pooled(NamedTuple):
    """What several figures come to together.

    Args:
        value: their mean, each counted by its precision and by how much they differ.
        error: its standard error, were ``tau2`` known.
        tau2: the variance of the true figures.
        interval: of ``value``; see ``pooled``.
    """

    value: float
    error: float
    tau2: float
    interval: Interval


def pooled(values: Sequence[float], errors: Sequence[float], confidence: float = CONFIDENCE) -> Pooled:
    """Random effects: by DerSimonian & Laird (1986, doi:10.1016/0197-2456(86)90046-2).

    Of three figures and more the interval is that of Hartung & Knapp (2001, doi:10.1002/sim.791), which allows for how
    roughly few figures tell how much they differ, and never narrower than the plain one (Röver, Knapp & Friede 2015,
    doi:10.1186/s12874-015-0091-1). Two say next to nothing of it: there it is the plain one.

    Args:
        values: the figures.
        errors: the standard error of each.
        confidence: the two-sided level.

    Raises:
        Refused: there is none, or an error isn't above 0.
    """
    if not values or len(values) != len(errors) or min(errors) <= 0:
        raise Refused("Figures are pooled where there is one at least, each with an error above 0.")
    k, fixed = len(values), [1 / error**2 for error in errors]
    spread = sum(w * (v - _mean(values, fixed)) ** 2 for v, w in zip(values, fixed, strict=True))
    scale = sum(fixed) - sum(w**2 for w in fixed) / sum(fixed)
    tau2 = max(0.0, (spread - (k - 1)) / scale) if k > 1 else 0.0
    weights = [1 / (error**2 + tau2) for error in errors]
    value, error = _mean(values, weights), 1 / sqrt(sum(weights))
    half = z_value(confidence) * error
    if k > 2:
        rest = sum(w * (v - value) ** 2 for v, w in zip(values, weights, strict=True)) / (k - 1)
        half = max(half, t_quantile((1 + confidence) / 2, k - 1) * error * sqrt(rest))
    return Pooled(value, error, tau2, Interval(value, value - half, value + half))


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
