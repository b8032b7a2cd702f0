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
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

LEAST = 20
"""With fewer units that had anything to do with it, nothing is said of a group."""
_NOTHING = 1e-9
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

    @property
    def below(self) -> tuple[Floats, Floats]:
        """What each unit adds to the lower sum of a ratio in both periods; nothing for a sum."""
        none = np.zeros(len(self.before))
        return (
            none if self.before_per is None else self.before_per,
            none if self.after_per is None else self.after_per,
        )

    @property
    def units(self) -> int:
        """How many units had anything to do with it; what is left of a subtraction by rounding is nothing."""
        return int((np.abs([self.before, self.after, *self.below]).max(axis=0) > _NOTHING).sum())

    def figures(self) -> tuple[float, float]:
        """The figure of both periods; NaN where a ratio has nothing below."""
        if not self.is_ratio:
            return float(self.before.sum()), float(self.after.sum())
        return _over(self.before.sum(), self.below[0].sum()), _over(self.after.sum(), self.below[1].sum())

    def masked(self, inside: npt.NDArray[np.bool_]) -> Both:
        """The same for some units; all others have nothing."""
        return self._each(lambda values: np.where(inside, values, 0.0))

    def without(self, other: Both) -> Both:
        """What is left when a group is taken off."""
        if not self.is_ratio:
            return Both(self.before - other.before, self.after - other.after)
        (first, last), (one, two) = self.below, other.below
        return Both(self.before - other.before, self.after - other.after, first - one, last - two)

    def _each(self, change: Callable[[Floats], Floats]) -> Both:
        per = (None, None) if not self.is_ratio else (change(self.below[0]), change(self.below[1]))
        return Both(change(self.before), change(self.after), *per)


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
    told = _influence(both)
    units = int((told != 0).sum())
    if units < 2:
        return Interval(after - before, float("nan"), float("nan"))
    half = t_quantile((1 + confidence) / 2, units - 1) * sqrt(float((told**2).sum()))
    return Interval(after - before, after - before - half, after - before + half)


def by_unit(both: Both, groups: Codes, many: int) -> list[Both]:
    """What each of some groups of units had.

    Args:
        both: what units had.
        groups: of each unit, its group's number from 0.
        many: how many groups there are.
    """
    return [both.masked(groups == number) for number in range(many)]


def contributions(whole: Both, groups: Sequence[Both]) -> list[Part]:
    """The parts of a change by group.

    Args:
        whole: what units had.
        groups: what they had of each group, over the same units; they sum to the whole. A group may be of units
            (``by_unit``), or of what they did, so that one unit has something of several.
    """
    if whole.is_ratio:
        return _ratios(whole, groups)
    return [_sum_part(number, one, whole) for number, one in enumerate(groups)]


def peeled(whole: Both, groups: Sequence[Both], level: float = 0.05) -> list[Part]:
    """The same, where what one group did isn't held against the others.

    A group that fell by half makes all others look as if they had risen against the rest. So the group that stands out most
    is taken off, and the others are held against what is left, as long as one stands out. A p-value only grows by that.

    Args:
        whole: see ``contributions``.
        groups: see ``contributions``.
        level: as long as a p-value is below.
    """
    parts = contributions(whole, groups)
    left, rest = list(range(len(groups))), whole
    stage = parts
    while len(left) > 2:
        strongest = min(range(len(left)), key=lambda i: _least(stage[i]))
        if _least(stage[strongest]) >= level:
            break
        rest = rest.without(groups[left.pop(strongest)])
        if rest.is_ratio and not all(float(one.sum()) for one in rest.below):
            break
        stage = contributions(rest, [groups[g] for g in left])
        for g, told in zip(left, stage, strict=True):
            parts[g] = _at_least(parts[g], told)
    return parts


def _least(part: Part) -> float:
    return min((effect.p for effect in part.effects if effect.p is not None), default=1.0)


def _at_least(part: Part, told: Part) -> Part:
    """A part with the p-values of another where they are larger; of a sum with what it is held against, too."""
    effects = []
    for mine, other in zip(part.effects, told.effects, strict=True):
        if mine.p is None or other.p is None:
            effects.append(mine)
        elif mine.kind == "sum":
            effects.append(other._replace(p=max(mine.p, other.p)))
        else:
            effects.append(mine._replace(p=max(mine.p, other.p)))
    return part._replace(effects=tuple(effects))


# ------------------------------------------------------------ sums


def _sum_part(number: int, one: Both, whole: Both) -> Part:
    before, after = one.figures()
    all_before, all_after = whole.figures()
    units, amount = one.units, after - before
    if all_before in (0, before):
        return Part(number, before, after, units, (Effect("sum", amount, amount if all_before else 0.0, None, None),))
    rest = (all_after - after) / (all_before - before)
    otherwise = before * (rest - 1)
    # Under the hypothesis that all change by one factor: what each unit has beyond it, in the group and in all.
    factor, weight = all_after / all_before, before / all_before
    told = (one.after - factor * one.before) - weight * (whole.after - factor * whole.before)
    beyond = after - factor * before
    error = sqrt(float((told**2).sum()))
    p = _p(beyond, error, told, units, whole.without(one).units)
    # The score is what lies beyond the change of all; the same test says what lies beyond that of the rest.
    scale = (amount - otherwise) / beyond if beyond else 1.0
    return Part(
        number, before, after, units, (Effect("sum", amount, otherwise, None if p is None else error * abs(scale), p),)
    )


# ------------------------------------------------------------ ratios


def _ratios(whole: Both, groups: Sequence[Both]) -> list[Part]:
    weights = np.array([[one.below[i].sum() / whole.below[i].sum() for one in groups] for i in (0, 1)])
    own = np.array([one.figures() for one in groups]).T
    level = float(np.mean(whole.figures()))
    # A group that wasn't there in a period had no ratio: all that it brings or takes is mix.
    known = np.where(np.isnan(own), own[::-1], own)
    known = np.where(np.isnan(known), level, known)
    rate = weights.mean(axis=0) * (known[1] - known[0])
    mix = (weights[1] - weights[0]) * (known.mean(axis=0) - level)
    parts = []
    for g, one in enumerate(groups):
        rest = whole.without(one)
        effects = (
            _rate(one, rest, float(rate[g]), float(weights[:, g].mean())),
            _mix(one, whole, rest, float(mix[g]), float(weights[1, g] - weights[0, g])),
        )
        parts.append(Part(g, float(own[0, g]), float(own[1, g]), one.units, effects))
    return parts


def _rate(one: Both, rest: Both, amount: float, weight: float) -> Effect:
    """The group's own ratio, held against what that of the rest did."""
    moved = _moved(rest)
    beyond = _moved(one) - moved
    if np.isnan(beyond) or not weight:
        return Effect("rate", amount, 0.0, None, None)
    told = _influence(one) - _influence(rest)
    error = sqrt(float((told**2).sum()))
    p = _p(beyond, error, told, one.units, rest.units)
    return Effect("rate", amount, weight * moved, None if p is None else weight * error, p)


def _mix(one: Both, whole: Both, rest: Both, amount: float, moved: float) -> Effect:
    """The group's weight, which would have stayed as it was."""
    told = np.zeros(len(whole.before))
    for sign, mine, per in zip((-1.0, 1.0), one.below, whole.below, strict=True):
        total = float(per.sum())
        told += sign * (mine - float(mine.sum()) / total * per) / total
    error = sqrt(float((told**2).sum()))
    p = _p(moved, error, told, one.units, rest.units)
    scale = abs(amount / moved) if moved else 0.0
    return Effect("mix", amount, 0.0, None if p is None else error * scale, p)


def _moved(both: Both) -> float:
    before, after = both.figures()
    return after - before


def _influence(both: Both) -> Floats:
    """How much each unit moves the change of a figure: the linear part of the delta method.

    Of a sum the units are as many as chance brought: each counts with all that it has.
    """
    if not both.is_ratio:
        return both.after - both.before
    told = np.zeros(len(both.before))
    for sign, top, per in zip((-1.0, 1.0), (both.before, both.after), both.below, strict=True):
        below = float(per.sum())
        if below:
            told += sign * (top - float(top.sum()) / below * per) / below
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
