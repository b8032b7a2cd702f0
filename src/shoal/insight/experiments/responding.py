"""Which segments respond differently, and is it real? Asked in the order that chance requires.

First whether effects differ at all (Cochran's Q, corrected for how many divisions are looked at); then by how much, with chance
taken off; then whether what one half of the customers finds by itself, the other half shows too. A half must find it alone: if it
were chosen by all customers, both halves would agree on whatever chance did. The best of many segments looks good by chance
alone, so a segment's own p-value is never shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.insight.experiments.effects import estimates
from shoal.insight.experiments.telling import chance, difference
from shoal.stats.experiments.comparing import gap
from shoal.stats.experiments.heterogeneity import homogeneity, shrunk
from shoal.stats.intervals import Interval, z_value
from shoal.stats.multiple import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.experiments.sums import Cells
    from shoal.insight.metrics.definition import Metric, Unit

    Floats = npt.NDArray[np.float64]

Finding: TypeAlias = Literal["differs", "not confirmed", "no difference shown", "too few"]
LEAST = 30
"""A group with fewer customers in an arm is left out."""
LEVEL = 0.05
HALF = "CAST((CAST(e.who AS BIGINT) * 2654435761) % 4294967296 >= 2147483648 AS INTEGER)"
"""The SQL of which half a customer is in: by their key, so that it is the same each time, and has nothing to do with arms."""


@dataclass(frozen=True, slots=True)
class Group:
    """A segment's effect.

    Args:
        name: of the group.
        n: customers in the control and in the arm.
        effect: as measured, in the metric's unit, with its interval of 95 % taken alone.
        drawn: with chance taken off.
    """

    name: str
    n: tuple[int, int]
    effect: Interval
    drawn: Interval


@dataclass(frozen=True, slots=True)
class Dimension:
    """Whether the groups of a division respond differently to an arm.

    Args:
        dimension: by what customers are divided, as it was at the start.
        arm: which is held against the control.
        metric: the slug.
        unit: of the effects.
        finding: ``differs`` only where the homogeneity test says so and the other half confirms it.
        groups: the largest effect first, as drawn.
        overall: the effect of all groups together.
        q, df, p: Cochran's test that all have one effect.
        corrected: ``p``, for all divisions and arms that were looked at.
        i2: the share of the variance of effects that isn't chance.
        held_out: of what one half of the customers found by itself, the one-sided p-value in the other half, doubled where
            either half might have been the first; None where neither half found anything.
        left_out: groups that were too small.
        usable: whether a group has so little of the effect that leaving it out is worth a thought; only where effects differ.
        says: in words.
    """

    dimension: str
    arm: str
    metric: str
    unit: Unit
    finding: Finding
    groups: tuple[Group, ...]
    overall: float
    q: float
    df: int
    p: float
    corrected: float
    i2: float
    held_out: float | None
    left_out: tuple[str, ...]
    usable: bool = False
    says: str = ""

    def rows(self) -> list[dict[str, object]]:
        """What a chart of segment effects is drawn of; the first row is all together."""
        whole: dict[str, object] = {
            "segment": None, "n": sum(sum(one.n) for one in self.groups), "value": self.overall, "low": None, "high": None,
            "shrunk": None, "shrunk_low": None, "shrunk_high": None,
        }  # fmt: skip
        return [whole] + [
            {
                "segment": one.name, "n": sum(one.n), "value": one.effect.value, "low": one.effect.low,
                "high": one.effect.high, "shrunk": one.drawn.value, "shrunk_low": one.drawn.low,
                "shrunk_high": one.drawn.high,
            }
            for one in self.groups
        ]  # fmt: skip


def responding(
    metric: Metric, arms: Sequence[str], by: Mapping[str, tuple[Sequence[str], Cells]]
) -> tuple[Dimension, ...]:
    """Whether effects differ, for each division and arm.

    Args:
        metric: what is measured.
        arms: names, the control first.
        by: by division, the names of its groups and sums by arm, group and half.
    """
    found = [
        _asked(metric, arms, place, name, labels, cells)
        for name, (labels, cells) in by.items()
        for place in range(1, len(arms))
    ]
    asked = [(one, halves) for one, halves in found if one.finding != "too few"]
    corrected = holm([one.p for one, _ in asked]).tolist() if asked else []
    held = _held_out([halves for _, halves in asked])
    judged = iter([_judged(one, p, out) for (one, _), p, out in zip(asked, corrected, held, strict=True)])
    told = [one if one.finding == "too few" else next(judged) for one, _ in found]
    return tuple(replace(one, says=_says(metric, one, len(asked))) for one in told)


def _asked(
    metric: Metric, arms: Sequence[str], place: int, name: str, labels: Sequence[str], cells: Cells
) -> tuple[Dimension, _Halves]:
    """The division as all customers show it, and by halves."""
    codes = np.unique(cells.groups[:, 0]).tolist()
    effects = {code: one for code in codes if (one := _effect(metric, cells, code, place)) is not None}
    left_out = tuple(labels[code] for code in codes if code not in effects)
    bare = Dimension(
        name, arms[place], metric.slug, metric.unit, "too few", (), 0.0, 0.0, 0, 1.0, 1.0, 0.0, None, left_out
    )
    if len(effects) < 2:
        return bare, ()
    values, errors = [one[0] for one in effects.values()], [one[1] for one in effects.values()]
    tested = homogeneity(values, errors)
    z = z_value()
    groups = [
        Group(labels[code], n, Interval(value, value - z * se, value + z * se), drawn)
        for (code, (value, se, n)), drawn in zip(effects.items(), shrunk(values, errors), strict=True)
    ]
    whole = replace(
        bare,
        finding="no difference shown",
        groups=tuple(sorted(groups, key=lambda one: -one.drawn.value)),
        overall=tested.mean,
        q=tested.q,
        df=tested.df,
        p=tested.p,
        i2=tested.i2,
    )
    return whole, _halves(metric, cells, list(effects), place)


def _effect(
    metric: Metric, cells: Cells, code: int, place: int, half: int | None = None, least: int = LEAST
) -> tuple[float, float, tuple[int, int]] | None:
    """The effect in a group with its error and sizes; None where the group is too small or doesn't vary."""
    which = cells.groups[:, 0] == code
    if half is not None:
        which = which & (cells.groups[:, 1] == half)
    sides = [which & (cells.arm == arm) for arm in (0, place)]
    sizes = [int(cells.n[side].sum()) for side in sides]
    if min(sizes) < least:
        return None
    try:
        control, treated = estimates(metric, [cells.of(side) for side in sides]).used
        between = gap(control, treated)
    except Refused:
        return None
    return between.value, between.se, (sizes[0], sizes[1])


class _Half(NamedTuple):
    """What a half of the customers finds by itself, and whether the other half shows the same order."""

    p: float
    confirmed: float


_Halves: TypeAlias = tuple[_Half, ...]


def _halves(metric: Metric, cells: Cells, codes: Sequence[int], place: int) -> _Halves:
    """Each half as the one that finds; none where groups are too small to be halved."""
    pairs = [[_effect(metric, cells, code, place, half, LEAST // 2) for half in (0, 1)] for code in codes]
    both = [(first, second) for first, second in pairs if first is not None and second is not None]
    if len(both) < 2:
        return ()
    sides = [(np.array([one[i][0] for one in both]), np.array([one[i][1] for one in both])) for i in (0, 1)]
    return tuple(_Half(homogeneity(*sides[first]).p, _confirmed(sides[first], sides[1 - first])) for first in (0, 1))


def _confirmed(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> float:
    """How surely the second half ranks groups as the first half did.

    The first half's effects, drawn together, less their mean are weights; the second half's effects under these weights are 0
    on average where effects don't differ, or differ otherwise.
    """
    precision = 1 / second[1] ** 2
    drawn = np.array([one.value for one in shrunk(*first)])
    weights = precision * (drawn - float(precision @ drawn / precision.sum()))
    spread = sqrt(float((weights**2) @ second[1] ** 2))
    if spread == 0:
        return 1.0
    z = float(weights @ second[0]) / spread
    return 0.5 * (1 - erf(z / sqrt(2)))


def _held_out(asked: Sequence[_Halves]) -> list[float | None]:
    """Of each division, what the other half says of what a half found; each half corrects for all divisions by itself."""
    found: list[float | None] = [None] * len(asked)
    halved = [place for place, halves in enumerate(asked) if halves]
    for side in (0, 1):
        if not halved:
            break
        corrected = holm([asked[place][side].p for place in halved]).tolist()
        for place, p in zip(halved, corrected, strict=True):
            if p < LEVEL:
                told = min(1.0, 2 * asked[place][side].confirmed)
                found[place] = told if found[place] is None else min(told, found[place] or 0.0)
    return found


def _judged(one: Dimension, corrected: float, held_out: float | None) -> Dimension:
    confirmed = held_out is not None and held_out < LEVEL
    finding: Finding = "no difference shown" if corrected >= LEVEL else "differs" if confirmed else "not confirmed"
    usable = finding == "differs" and bool(_behind(one))
    return replace(one, corrected=corrected, finding=finding, held_out=held_out, usable=usable)


def _behind(one: Dimension) -> list[Group]:
    """Groups whose effect is surely less than half of that of all, with chance taken off."""
    sign = 1 if one.overall >= 0 else -1
    return [g for g in one.groups if max(sign * g.drawn.low, sign * g.drawn.high) < sign * one.overall / 2]


def _says(metric: Metric, one: Dimension, looked_at: int) -> str:
    if one.finding == "too few":
        return f"{one.dimension}, {one.arm}: fewer than two groups have {LEAST} customers in each arm."
    tested = f"Cochran's Q {one.q:.2f} on {one.df} df, p {_p(one.corrected)}"
    tested += f" after Holm's correction for {looked_at}" if looked_at > 1 else ""
    best, least = one.groups[0], one.groups[-1]
    ends = (
        f"from {difference(least.drawn.value, metric.unit)} ({least.name}) to {difference(best.drawn.value, metric.unit)} "
        f"({best.name}), with chance taken off"
    )
    if one.finding == "no difference shown":
        return (
            f"{one.dimension}, {one.arm}: nothing says that groups respond differently ({tested}). The differences that one sees "
            "are what chance makes; act on the effect of all."
        )
    if one.finding == "not confirmed":
        why = "no half of the customers finds it by itself"
        if one.held_out is not None:
            why = f"what one half of the customers finds, the other half doesn't confirm (p {_p(one.held_out)})"
        seem = f"{one.dimension}, {one.arm}: groups seem to respond differently ({tested}), {ends}"
        return f"{seem}; but {why}. Don't act on it yet."
    return (
        f"{one.dimension}, {one.arm}: groups respond differently ({tested}), {ends}. What one half of the customers finds, the "
        f"other half confirms (p {_p(one.held_out)}). {_use(one)}"
    )


def _use(one: Dimension) -> str:
    if not one.usable:
        return "Every group has at least half of the effect of all, so that it hardly matters for whom to choose."
    names = ", ".join(group.name for group in _behind(one))
    return f"Worth using: the effect on {names} is less than half of that of all."


def _p(p: float | None) -> str:
    text = chance(p)
    return text if text.startswith("<") else f"= {text}"
