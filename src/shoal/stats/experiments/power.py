"""How many units an experiment needs, and what effect so many can find; from the workspace's own figures."""

from __future__ import annotations

from math import asin, ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

POWER = 0.8
_normal = NormalDist()


class Size(NamedTuple):
    """How many units each arm needs, the control first."""

    arms: tuple[int, ...]

    @property
    def total(self) -> int:
        """Of all arms."""
        return sum(self.arms)


def reach(alpha: float = 1 - CONFIDENCE, power: float = POWER) -> float:
    """How many standard errors an effect must measure: 2.80 for 5 % and 80 %.

    Raises:
        Refused: either lies outside (0, 1).
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise Refused("α and power lie between 0 and 1.", fix="Common are 0.05 and 0.8.")
    return _normal.inv_cdf(1 - alpha / 2) + _normal.inv_cdf(power)


def needed(
    variances: Sequence[float],
    effect: float,
    *,
    weights: Sequence[float] | None = None,
    alpha: float = 1 - CONFIDENCE,
    power: float = POWER,
) -> Size:
    """Units for every treated arm to show an effect against the control, two-sided.

    Args:
        variances: of one unit in each arm, the control first; for shares p(1 − p) of before and after the effect.
        effect: in the metric's own unit.
        weights: of the arms; equal unless given.
        alpha: the level of one comparison, after what a correction takes of it.
        power: the chance to find an effect of this size.

    Raises:
        Refused: an effect of 0, fewer than two arms, or weights that aren't above 0.

    >>> needed([0.05 * 0.95, 0.0525 * 0.9475], 0.0025).arms
    (122121, 122121)
    """
    shares = _shares(len(variances), weights)
    if effect == 0:
        raise Refused("An effect of 0 can't be found.", fix="Say the least effect that would matter.")
    ask = (reach(alpha, power) / effect) ** 2
    total = max(ask * (variances[0] / shares[0] + v / s) for v, s in zip(variances[1:], shares[1:], strict=True))
    return Size(tuple(ceil(total * share) for share in shares))


def needed_for_shares(
    base: float, effect: float, *, alpha: float = 1 - CONFIDENCE, power: float = POWER, arcsine: bool = False
) -> Size:
    """Units of two equal arms for a share to go from ``base`` to ``base + effect``.

    Args:
        base: the control's share.
        effect: in points of the share.
        alpha: the level.
        power: the chance to find it.
        arcsine: by Cohen's h (1988), which is steadier for shares near 0 or 1.

    Raises:
        Refused: a share outside (0, 1), or no effect.
    """
    other = base + effect
    if not (0 < base < 1 and 0 < other < 1):
        raise Refused(f"A share goes from {base:g} to {other:g}: both must lie between 0 and 1.")
    if arcsine:
        if effect == 0:
            raise Refused("An effect of 0 can't be found.", fix="Say the least effect that would matter.")
        h = 2 * (asin(sqrt(other)) - asin(sqrt(base)))
        each = ceil(2 * (reach(alpha, power) / h) ** 2)
        return Size((each, each))
    return needed([base * (1 - base), other * (1 - other)], effect, alpha=alpha, power=power)


def detectable(
    variances: Sequence[float], sizes: Sequence[int], *, alpha: float = 1 - CONFIDENCE, power: float = POWER
) -> float:
    """The least effect that arms of these sizes find with that power, in the metric's unit; the control is first.

    Raises:
        Refused: an arm without units.
    """
    if min(sizes) < 1:
        raise Refused("An arm has no units.", fix="Leave it out, or wait.")
    worst = max(variances[0] / sizes[0] + v / n for v, n in zip(variances[1:], sizes[1:], strict=True))
    return reach(alpha, power) * sqrt(worst)


def _shares(arms: int, weights: Sequence[float] | None) -> list[float]:
    given = [1.0] * arms if weights is None else list(weights)
    if arms < 2 or len(given) != arms or min(given) <= 0:
        raise Refused("An experiment has two arms at least, each of a weight above 0.")
    return [w / sum(given) for w in given]
