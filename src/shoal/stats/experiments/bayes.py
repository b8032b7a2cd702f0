"""Beliefs about an effect after the data: the chance that an arm is better, what a wrong choice would cost, an interval.

These are no licence to stop whenever they look good: a chance to win that is watched until it is high enough finds winners
among equals as a watched p-value does.
"""

from __future__ import annotations

from math import exp, inf, lgamma, pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.stats.intervals import CONFIDENCE

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.stats.experiments.comparing import Gap

_GRID = 20_001
_SPREAD = 12
_normal = NormalDist()


class Prior(NamedTuple):
    """A normal belief about the effect before the data, in the effect's form (absolute or relative)."""

    mean: float = 0.0
    variance: float = inf


class Belief(NamedTuple):
    """The belief after the data.

    Args:
        value: the mean of the effect.
        low, high: ends of the credible interval.
        chance: that the treated arm is better.
        risk_of_control: the mean loss of keeping the control, in the effect's form.
        risk_of_treated: the mean loss of choosing the treated arm.
    """

    value: float
    low: float
    high: float
    chance: float
    risk_of_control: float
    risk_of_treated: float


def belief(found: Gap, prior: Prior | None = None, confidence: float = CONFIDENCE) -> Belief:
    """From a difference that is near enough normal; a flat prior unless one is given.

    >>> from shoal.stats.experiments.arms import Arm, mean
    >>> from shoal.stats.experiments.comparing import gap
    >>> told = belief(gap(mean(Arm.of_share(49, 100)), mean(Arm.of_share(51, 100)), relative=True))
    >>> round(told.chance, 5), round(told.risk_of_control, 4), round(told.risk_of_treated, 5)
    (0.60918, 0.0814, 0.04058)
    """
    centre, spread = found.value, found.se
    if prior is not None and prior.variance < inf:
        weight, other = 1 / found.se**2, 1 / prior.variance
        centre = (weight * found.value + other * prior.mean) / (weight + other)
        spread = sqrt(1 / (weight + other))
    half = _normal.inv_cdf((1 + confidence) / 2) * spread
    t = centre / spread
    density = exp(-t * t / 2) / sqrt(2 * pi)
    better = _normal.cdf(t)
    return Belief(
        centre, centre - half, centre + half, better,
        centre * better + spread * density, -centre * (1 - better) + spread * density,
    )  # fmt: skip


def chance_of_better_share(
    control: tuple[int, int], treated: tuple[int, int], prior: tuple[float, float] = (1.0, 1.0)
) -> float:
    """The chance that the treated share is the higher, exactly, for few hits as well.

    Args:
        control: hits and units.
        treated: hits and units.
        prior: the parameters of the Beta distribution of both before the data.

    >>> (
    ...     round(chance_of_better_share((49, 100), (51, 100)), 5),
    ...     round(chance_of_better_share((120, 1000), (150, 1000)), 5),
    ... )
    (0.61077, 0.97507)
    """
    betas = [(hits + prior[0], n - hits + prior[1]) for hits, n in (control, treated)]
    ends = [_support(*one) for one in betas]
    x = np.linspace(max(min(e[0] for e in ends), 1e-12), min(max(e[1] for e in ends), 1 - 1e-12), _GRID)
    below, density = (_density(x, *one) for one in betas)
    step = x[1] - x[0]
    reached = np.concatenate([[0.0], np.cumsum((below[1:] + below[:-1]) / 2) * step])
    total = float((density[1:] + density[:-1]).sum() / 2 * step)
    product = reached / reached[-1] * density
    return float((product[1:] + product[:-1]).sum() / 2 * step) / total


def _support(a: float, b: float) -> tuple[float, float]:
    centre, spread = a / (a + b), sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
    return max(0.0, centre - _SPREAD * spread), min(1.0, centre + _SPREAD * spread)


def _density(x: npt.NDArray[np.float64], a: float, b: float) -> npt.NDArray[np.float64]:
    size = lgamma(a + b) - lgamma(a) - lgamma(b)
    return np.asarray(np.exp(size + (a - 1) * np.log(x) + (b - 1) * np.log1p(-x)))
