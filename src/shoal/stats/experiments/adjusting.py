"""Less variance from what was known before: CUPED and post-stratification, and by how much they did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.stats.experiments.arms import Arm, Estimate, linearised, mean, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Adjusted(NamedTuple):
    """Estimates of the arms after an adjustment.

    Args:
        arms: one each, in the order given.
        reduction: by how much the variance of a difference fell, as a share: 0 is not at all.
        theta: what the covariate counts, for CUPED.
    """

    arms: list[Estimate]
    reduction: float
    theta: float = 0.0


def cuped(arms: Sequence[Arm]) -> Adjusted:
    """Means less θ times how far the covariate is from its mean (Deng, Xu, Kohavi & Walker 2013, doi:10.1145/2433396.2433413).

    θ is one for all arms, from their pooled covariance, and the covariate's mean is that of all units: so the adjustment can't
    bring in a difference. Whoever has no past has the mean of it, and takes part as before.

    Args:
        arms: with two columns, the value and its covariate from before the start.
    """
    theta, centre = _theta(arms)
    plain = [mean(arm) for arm in arms]
    found = [_cuped(arm, theta, centre) for arm in arms]
    return Adjusted(found, _reduction(plain, found), theta)


def _theta(arms: Sequence[Arm]) -> tuple[float, float]:
    """From the covariance within arms: an effect of the treatment mustn't count as covariance."""
    within = sum(((arm.n - 1) * arm.covariance for arm in arms), np.zeros((2, 2)))
    n = sum(arm.n for arm in arms)
    centre = sum(arm.n * float(arm.means[1]) for arm in arms) / n
    spread = float(within[1, 1])
    return (float(within[0, 1]) / spread if spread > 0 else 0.0), centre


def _cuped(arm: Arm, theta: float, centre: float) -> Estimate:
    turn = np.array([1.0, -theta])
    value = float(arm.means[0]) - theta * (float(arm.means[1]) - centre)
    return Estimate(value, float(turn @ arm.covariance @ turn) / arm.n, arm.n)


def cuped_ratio(arms: Sequence[Arm]) -> Adjusted:
    """The same for a ratio: it is a straight line near the pooled ratio, and so is the ratio before.

    Args:
        arms: with four columns: value and per, and both before the start. Pasts in which nothing was counted adjust nothing.
    """
    plain = [ratio(arm) for arm in arms]
    whole = arms[0]
    for arm in arms[1:]:
        whole = whole + arm
    if whole.means[3] == 0:
        return Adjusted(plain, 0.0)
    before = float(whole.means[2] / whole.means[3])
    lines = []
    for arm, figure in zip(arms, plain, strict=True):
        line = linearised(arm, figure.value)
        turn = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -before]])
        pair = Arm(line.n, turn @ line.means, turn @ line.covariance @ turn.T)
        scale = np.array([1 / float(arm.means[1]), 1 / float(whole.means[3])])
        lines.append(Arm(pair.n, pair.means * scale, pair.covariance * np.outer(scale, scale)))
    theta, centre = _theta(lines)
    moved = [_cuped(line, theta, centre) for line in lines]
    found = [Estimate(p.value + m.value, m.variance, p.n) for p, m in zip(plain, moved, strict=True)]
    return Adjusted(found, _reduction(plain, found), theta)


def post_stratified(arms: Sequence[Mapping[str, Arm]]) -> Adjusted:
    """Means as they would be if every arm had the strata's shares of all units (Miratrix, Sekhon & Yu 2013,
    doi:10.1111/j.1467-9868.2012.01048.x).

    Args:
        arms: of each, its part in every stratum, by name; strata are of what was known before the start.

    Raises:
        Refused: an arm lacks a stratum that others have, so that nothing stands for it.
    """
    names = sorted({name for strata in arms for name in strata})
    total = sum(strata[name].n for strata in arms for name in strata)
    shares = {name: sum(strata[name].n for strata in arms if name in strata) / total for name in names}
    plain, found = [], []
    for place, strata in enumerate(arms):
        if lacking := [name for name in names if name not in strata]:
            raise Refused(
                f"Arm {place + 1} has fewer than two units in {', '.join(lacking)}.", fix="Join small strata into one."
            )
        whole: Arm | None = None
        value = variance = 0.0
        for name in names:
            part = strata[name]
            whole = part if whole is None else whole + part
            value += shares[name] * float(part.means[0])
            variance += shares[name] ** 2 * float(part.covariance[0, 0]) / part.n
        assert whole is not None
        plain.append(mean(whole.column(0)))
        found.append(Estimate(value, variance, whole.n))
    return Adjusted(found, _reduction(plain, found))


def _reduction(plain: Sequence[Estimate], found: Sequence[Estimate]) -> float:
    before = sum(one.variance for one in plain)
    return 1 - sum(one.variance for one in found) / before if before > 0 else 0.0
