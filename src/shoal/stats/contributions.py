"""What a change of a figure between two periods is made of, and which part is more than chance.

A figure is a sum over units, or the ratio of two sums (a mean and a share are ratios whose lower sum counts units). Units are
customers: what one of them does in both periods hangs together, so errors are worked out over units and not over rows.

A sum's change is split by groups into what each group's own sum changed by. The change of a ratio is split into what its
groups' own ratios changed by, each at its mean weight (rate), and what their weights changed by, each by how far the group's
ratio is from the whole's (mix): with w a group's share of the lower sum and v its ratio,

    Δ = Σ w̄ Δv + Σ Δw (v̄ − V̄),    where a bar is the mean of both periods,

which adds up exactly (a Kitagawa decomposition, 1955, doi:10.1080/01621459.1955.10501299).

A group is a cause where it changed otherwise than the rest did. For a sum that is what it changed by beyond the rest's own
rate of change, with the score test's variance; for a ratio the difference of the changes of both ratios, and of the weight
the change of it. Each is held against t with as many degrees of freedom as the units that carry it are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.stats.student import t_cdf, t_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

LEAST = 20
"""With fewer units that had anything to do with it, nothing is said of a group."""
LEAST_WORTH = 8.0
"""Where so few units carry a group's change, its error can't be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """What units had in two periods.

    Args:
        before: one a unit: what it adds to the (upper) sum in the earlier period; 0 for nothing.
        after: in the later one.
        before_per: what it adds to the lower sum of a ratio in the earlier period; None where the figure is a sum.
        after_per: in the later one.
    """

    before: Floats
    after: Floats
    before_per: Floats | None = None
    after_per: Floats | None = None

    @property
    def is_ratio(self) -> bool:
        """Whether the figure is a ratio, and not a sum."""
        return self.before_per is not None

    def figures(self) -> tuple[float, float]:
        """The figure of both periods; NaN where a ratio has nothing below."""
        if self.before_per is None or self.after_per is None:
            return float(self.before.sum()), float(self.after.sum())
        return _over(self.before.sum(), self.before_per.sum()), _over(self.after.sum(), self.after_per.sum())


class Effect(NamedTuple):
    """One part of a group's contribution.

    Args:
        kind: ``sum``, ``rate`` or ``mix``.
        amount: what of the change it is.
        otherwise: what it would have been, had the group changed as the rest did.
        error: the standard error of ``amount`` less ``otherwise``; None where it can't be told.
        p: two-sided, of a difference as large by chance; None where it can't be told.
    """

    kind: str
    amount: float
    otherwise: float
    error: float | None
    p: float | None

    @property
    def beyond(self) -> float:
        """What of it the rest's change doesn't explain."""
        return self.amount - self.otherwise


class Part(NamedTuple):
    """What a group is of a change.

    Args:
        group: its number.
        before: its own figure in the earlier period (NaN: none).
        after: in the later one.
        units: how many had anything to do with it.
        effects: what its contribution is made of; they sum to ``amount``.
    """

    group: int
    before: float
    after: float
    units: int
    effects: tuple[Effect, ...]

    @property
    def amount(self) -> float:
        """Its contribution: over all groups they sum to the change."""
        return sum(effect.amount for effect in self.effects)


def change(both: Both, confidence: float = CONFIDENCE) -> Interval:
    """The change of the whole, with its interval; NaN ends where fewer than two units had anything to do with it."""
    before, after = both.figures()
    told = _influence(both, np.ones(len(both.before), dtype=bool))
    units = int((told != 0).sum())
    if units < 2:
        return Interval(after - before, float("nan"), float("nan"))
    half = t_quantile((1 + confidence) / 2, units - 1) * sqrt(float((told**2).sum()))
    return Interval(after - before, after - before - half, after - before + half)


def contributions(both: Both, groups: Codes, many: int) -> list[Part]:
    """The parts of a change by group.

    Args:
        both: what units had.
        groups: of each unit, its group's number from 0.
        many: how many groups there are.
    """
    return _ratios(both, groups, many) if both.is_ratio else _sums(both, groups, many)


def summed(before: list[Both], whole: Both) -> list[Part]:
    """The parts of a change of a sum whose groups aren't of units but of what they did: a unit may have several.

    Args:
        before: of each group what units had of it, over the same units.
        whole: the sum over all groups.
    """
    return [_sum_part(number, one, whole) for number, one in enumerate(before)]


# ------------------------------------------------------------ sums


def _sums(both: Both, groups: Codes, many: int) -> list[Part]:
    parts = []
    for number in range(many):
        inside = groups == number
        one = Both(np.where(inside, both.before, 0.0), np.where(inside, both.after, 0.0))
        parts.append(_sum_part(number, one, both))
    return parts


def _sum_part(number: int, one: Both, whole: Both) -> Part:
    before, after = one.figures()
    all_before, all_after = whole.figures()
    units = int(((one.before != 0) | (one.after != 0)).sum())
    amount = after - before
    if all_before == 0 or all_before == before:
        return Part(number, before, after, units, (Effect("sum", amount, amount if all_before else 0.0, None, None),))
    rest = (all_after - after) / (all_before - before)
    otherwise = before * (rest - 1)
    # Under the hypothesis that all change by one factor: what each unit has beyond it, in the group and in all.
    factor, weight = all_after / all_before, before / all_before
    told = (one.after - factor * one.before) - weight * (whole.after - factor * whole.before)
    beyond = after - factor * before
    error = sqrt(float((told**2).sum()))
    p = _p(beyond, error, told, units, _others(one, whole))
    # The score is what lies beyond the change of all; the same test says what lies beyond that of the rest.
    scale = (amount - otherwise) / beyond if beyond else 1.0
    return Part(
        number, before, after, units, (Effect("sum", amount, otherwise, None if p is None else error * abs(scale), p),)
    )


def _others(one: Both, whole: Both) -> int:
    return int(((whole.before != one.before) | (whole.after != one.after)).sum())


# ------------------------------------------------------------ ratios


def _ratios(both: Both, groups: Codes, many: int) -> list[Part]:
    assert both.before_per is not None
    assert both.after_per is not None
    tops = [np.bincount(groups, weights=x, minlength=many) for x in (both.before, both.after)]
    belows = [np.bincount(groups, weights=x, minlength=many) for x in (both.before_per, both.after_per)]
    whole = np.array(both.figures())
    weights = [below / below.sum() for below in belows]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = [top / below for top, below in zip(tops, belows, strict=True)]
    # A group that wasn't there in a period had no ratio: all that it brings or takes is mix.
    own = [np.where(belows[i] == 0, own[1 - i], own[i]) for i in (0, 1)]
    own = [np.nan_to_num(one, nan=float(whole.mean())) for one in own]
    rate = (weights[0] + weights[1]) / 2 * (own[1] - own[0])
    mix = (weights[1] - weights[0]) * ((own[0] + own[1]) / 2 - whole.mean())
    parts = []
    for g in range(many):
        inside = groups == g
        had = inside & ((both.before_per != 0) | (both.after_per != 0) | (both.before != 0) | (both.after != 0))
        both_there = belows[0][g] > 0 and belows[1][g] > 0
        effects = (
            _rate(both, inside, float(rate[g]), float(weights[0][g] + weights[1][g]) / 2, both_there),
            _mix(both, inside, float(mix[g]), float(weights[1][g] - weights[0][g])),
        )
        shown = [float(own[i][g]) if belows[i][g] else float("nan") for i in (0, 1)]
        parts.append(Part(g, shown[0], shown[1], int(had.sum()), effects))
    return parts


def _rate(both: Both, inside: npt.NDArray[np.bool_], amount: float, weight: float, there: bool) -> Effect:
    """The group's own ratio, held against what that of the rest did."""
    rest = _moved(both, ~inside)
    if not there or np.isnan(rest) or not weight:
        return Effect("rate", amount, 0.0, None, None)
    mine, theirs = _influence(both, inside), _influence(both, ~inside)
    error = sqrt(float((mine**2).sum() + (theirs**2).sum()))
    beyond = _moved(both, inside) - rest
    p = _p(beyond, error, np.concatenate([mine, theirs]), int((mine != 0).sum()), int((theirs != 0).sum()))
    return Effect("rate", amount, weight * rest, None if p is None else weight * error, p)


def _mix(both: Both, inside: npt.NDArray[np.bool_], amount: float, moved: float) -> Effect:
    """The group's weight, which would have stayed as it was."""
    assert both.before_per is not None
    assert both.after_per is not None
    told = np.zeros(len(inside))
    for sign, per in ((-1.0, both.before_per), (1.0, both.after_per)):
        total = per.sum()
        told += sign * (inside - float(per[inside].sum() / total)) * per / total
    error = sqrt(float((told**2).sum()))
    there = (both.before_per != 0) | (both.after_per != 0)
    p = _p(moved, error, told, int((there & inside).sum()), int((there & ~inside).sum()))
    scale = abs(amount / moved) if moved else 0.0
    return Effect("mix", amount, 0.0, None if p is None else error * scale, p)


def _moved(both: Both, inside: npt.NDArray[np.bool_]) -> float:
    assert both.before_per is not None
    assert both.after_per is not None
    first = _over(both.before[inside].sum(), both.before_per[inside].sum())
    return _over(both.after[inside].sum(), both.after_per[inside].sum()) - first


def _influence(both: Both, inside: npt.NDArray[np.bool_]) -> Floats:
    """How much each unit moves the change of a figure over some units: the linear part of the delta method.

    Of a sum the units are as many as chance brought: each counts with all that it has.
    """
    told = np.zeros(len(both.before))
    if both.before_per is None or both.after_per is None:
        told[inside] = (both.after - both.before)[inside]
        return told
    for sign, top, per in ((-1.0, both.before, both.before_per), (1.0, both.after, both.after_per)):
        below = per[inside].sum()
        if below:
            told[inside] += sign * (top[inside] - top[inside].sum() / below * per[inside]) / below
    return told


def _p(beyond: float, error: float, told: Floats, units: int, others: int) -> float | None:
    """Two-sided; None where too few units carry it for their spread to say anything."""
    if min(units, others) < LEAST or error <= 0 or not np.isfinite(beyond):
        return None
    # Satterthwaite: the units that a sum of squares is worth, where a few carry most of it.
    worth = float((told**2).sum() ** 2 / (told**4).sum())
    if worth < LEAST_WORTH:
        return None
    return min(1.0, 2 * t_cdf(-abs(beyond) / error, worth))


def _over(top: Any, below: Any) -> float:
    return float(top) / float(below) if below else float("nan")
