"""Whether segments respond differently: first whether they differ at all, then by how much when chance is taken off.

Of a hundred random segments the best looks three times as good as the truth; on new data it is as all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.stats.drift import chi_squared_tail
from shoal.stats.intervals import CONFIDENCE, Interval, z_value

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


class Heterogeneity(NamedTuple):
    """What the effects of several groups say together.

    Args:
        q: Cochran's Q.
        df: its degrees of freedom.
        p: of effects that differ as much where all are one.
        i2: the share of their variance that isn't chance (Higgins & Thompson 2002, doi:10.1002/sim.1186).
        tau2: the variance of the true effects (DerSimonian & Laird 1986, doi:10.1016/0197-2456(86)90046-2).
        mean: their mean, each counted by its precision.
    """

    q: float
    df: int
    p: float
    i2: float
    tau2: float
    mean: float


def homogeneity(values: npt.ArrayLike, errors: npt.ArrayLike) -> Heterogeneity:
    """Cochran's Q (1954, doi:10.2307/3001666) of effects of groups that share no unit.

    Args:
        values: of each group.
        errors: the standard error of each.

    Raises:
        Refused: fewer than two groups, or an error that isn't above 0.

    >>> told = homogeneity([0.0111, 0.0740, 0.0711], [0.0044, 0.0049, 0.0126])
    >>> told.df, round(told.p, 6)
    (2, 0.0)
    """
    effects, se = _checked(values, errors)
    weights = 1 / se**2
    mean = float(weights @ effects / weights.sum())
    q, df = float(weights @ (effects - mean) ** 2), len(effects) - 1
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return Heterogeneity(
        q, df, chi_squared_tail(q, df), max(0.0, (q - df) / q) if q > 0 else 0.0, max(0.0, (q - df) / scale), mean
    )


def shrunk(values: npt.ArrayLike, errors: npt.ArrayLike, confidence: float = CONFIDENCE) -> list[Interval]:
    """Each effect drawn towards the mean of all, by as much as chance moved it (empirical Bayes).

    By Morris (1983, doi:10.1080/01621459.1983.10477920), whose intervals allow for what isn't known of the mean and of how
    much effects differ: without that they hold 85 of 100 truths where they promise 95. Where effects don't differ beyond
    chance all are near the mean. Fewer than four groups are drawn as four would be.

    Raises:
        Refused: as ``homogeneity``.
    """
    effects, se = _checked(values, errors)
    v, a, k = se**2, homogeneity(values, errors).tau2, len(effects)
    weights = 1 / (v + a)
    mean = float(weights @ effects / weights.sum())
    free = max(k - 3, 1)
    drawn = free / (free + 2) * v / (v + a)
    centre = (1 - drawn) * effects + drawn * mean
    typical = float(weights @ v / weights.sum())
    unsure = 2 / free * drawn**2 * (typical + a) * weights
    spread = np.sqrt(v * (1 - (1 - weights / weights.sum()) * drawn) + unsure * (effects - mean) ** 2)
    half = z_value(confidence) * spread
    return [
        Interval(*one) for one in zip(centre.tolist(), (centre - half).tolist(), (centre + half).tolist(), strict=True)
    ]


def _checked(values: npt.ArrayLike, errors: npt.ArrayLike) -> tuple[Floats, Floats]:
    effects, se = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if len(effects) < 2 or len(effects) != len(se):
        raise Refused("Groups can differ where there are two at least, each with its effect and error.")
    if not (np.isfinite(effects).all() and np.isfinite(se).all() and (se > 0).all()):
        raise Refused("The error of a group's effect isn't above 0.", fix="Leave out groups in which nobody varies.")
    return effects, se
