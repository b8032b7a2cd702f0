"""Whether a pilot kept its promises: met, not met, or it can't be said, each with the figures that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.insight.experiments.telling import difference, figure, percent, span
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.experiments.results import Comparison, Figure, Measured
    from shoal.insight.pilots.definition import Goal
    from shoal.insight.pilots.state import Baseline

Kind: TypeAlias = Literal["met", "not met", "can't be said"]
OPEN: Kind = "can't be said"


@dataclass(frozen=True, slots=True)
class Judged:
    """A KPI of a pilot.

    Args:
        goal: what it was to reach.
        measured: what it came to in both arms.
        baseline: what it was before the start; None where it wasn't recorded.
        kind: whether the goal is met.
        says: why, with the interval.
    """

    goal: Goal
    measured: Measured
    baseline: Baseline | None
    kind: Kind
    says: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The pilot's.

    Args:
        kind: met where every goal is, not met where any isn't, else it can't be said.
        says: one sentence.
    """

    kind: Kind
    says: str


def judge(goal: Goal, measured: Measured, baseline: Baseline | None, *, waiting: str = "") -> Judged:
    """One KPI against its goal.

    Met is only what the whole interval meets, and not met what all of it misses: so that neither is said by chance.

    Args:
        goal: what it was to reach.
        measured: the KPI with one comparison, of the pilot's arm with the holdout.
        baseline: what it was before.
        waiting: why there is no verdict yet; empty where there may be one.
    """
    if measured.refused is not None or not measured.comparisons:
        return Judged(goal, measured, baseline, OPEN, f"{measured.name}: {measured.refused or 'nothing was measured.'}")
    told = measured.comparisons[0]
    kind, why = _reached(goal, measured, told) if goal.reach is not None else _gained(goal, measured, told)
    if waiting:
        kind, why = OPEN, waiting
    return Judged(goal, measured, baseline, kind, f"{_stood(measured, told, baseline)} {why}")


def _stood(measured: Measured, told: Comparison, baseline: Baseline | None) -> str:
    """The figures: before, held out, and with the pilot."""
    held, mine = measured.figures[0], next(one for one in measured.figures if one.arm == told.arm)
    before = (
        ""
        if baseline is None or baseline.value is None
        else f", {figure(baseline.value, measured.unit)} before the start"
    )
    relative = f", {percent(told.relative.value)} ({span(told.relative, measured.unit)})" if told.relative else ""
    # Adjusted by what was known before, it isn't the one figure less the other.
    adjusted = any(one.adjusted != one.value for one in (held, mine))
    apart = "Adjusted by what was known before, they differ by" if adjusted else "They differ by"
    return (
        f"{measured.name}: {figure(mine.value, measured.unit)}, {figure(held.value, measured.unit)} in the holdout{before}. "
        f"{apart} {difference(told.absolute.value, measured.unit)} ({span(told.absolute, measured.unit)}){relative}."
    )


def _turned(measured: Measured, low: float, high: float) -> tuple[float, float]:
    """The ends of an interval so that more is better."""
    return (low, high) if measured.better == "higher" else (-high, -low)


def _gained(goal: Goal, measured: Measured, told: Comparison) -> tuple[Kind, str]:
    effect = told.relative if goal.gain is not None and goal.gain.relative else told.absolute
    if effect is None:
        return OPEN, "The holdout's figure is too near to 0 for a gain in per cent."
    low, high = _turned(measured, effect.low, effect.high)
    if goal.gain is None:
        return _at_all(low, high)
    wanted = goal.gain.text if goal.gain.relative else difference(goal.gain.value, measured.unit).lstrip("+")
    if low >= goal.gain.value:
        return "met", f"The gain of {wanted} that was promised is met: all of the interval lies beyond it."
    if high < goal.gain.value:
        return "not met", f"The gain of {wanted} that was promised isn't met: all of the interval lies below it."
    better = " That it is better at all is beyond chance." if low > 0 else ""
    return OPEN, f"Whether the gain of {wanted} is met can't be said: the interval holds it.{better}"


def _at_all(low: float, high: float) -> tuple[Kind, str]:
    if low > 0:
        return "met", "Better than the holdout, beyond chance."
    if high <= 0:
        return "not met", "Not better than the holdout: all of the interval says so."
    return OPEN, "Whether it is better than the holdout can't be said: the interval holds 0."


def _reached(goal: Goal, measured: Measured, told: Comparison) -> tuple[Kind, str]:
    wanted = goal.reach if goal.reach is not None else inf
    mine = next(one for one in measured.figures if one.arm == told.arm)
    (low, high), (aim, _) = _turned(measured, mine.low, mine.high), _turned(measured, wanted, wanted)
    better, worse = _turned(measured, told.absolute.low, told.absolute.high)
    shown = figure(wanted, measured.unit)
    if high < aim:
        return "not met", f"The {shown} that were promised aren't reached ({_ends(mine, measured)})."
    if worse <= 0:
        return "not met", "Not better than the holdout, so that the pilot has no part in what was reached."
    if low >= aim and better > 0:
        return (
            "met",
            f"The {shown} that were promised are reached ({_ends(mine, measured)}), and the holdout is beaten.",
        )
    if low >= aim:
        return (
            OPEN,
            f"The {shown} are reached, and whether by the pilot can't be said: the holdout may have come as far.",
        )
    return OPEN, f"Whether the {shown} are reached can't be said ({_ends(mine, measured)})."


def _ends(mine: Figure, measured: Measured) -> str:
    return f"{figure(mine.low, measured.unit)} to {figure(mine.high, measured.unit)}"


def verdict(judged: Sequence[Judged], waiting: str = "") -> Verdict:
    """The whole: every goal must be met, so that no correction for their number is needed (an intersection of tests).

    Args:
        judged: the KPIs.
        waiting: why there is no verdict yet; empty where there may be one.
    """
    many = len(judged)
    if waiting:
        return Verdict(OPEN, f"No verdict yet. {waiting}")
    missed = [one.measured.name for one in judged if one.kind == "not met"]
    met = sum(one.kind == "met" for one in judged)
    if missed:
        return Verdict("not met", f"Not met: {', '.join(missed)}; {met} of {counted(many, 'goal')} met.")
    if met == many:
        return Verdict("met", f"Met: {counted(many, 'goal')} of {many}, each with its whole interval.")
    left = [one.measured.name for one in judged if one.kind == OPEN]
    return Verdict(OPEN, f"It can't be said: {met} of {counted(many, 'goal')} met, open is {', '.join(left)}.")
