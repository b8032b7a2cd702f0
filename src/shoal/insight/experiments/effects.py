"""From arms to effects: the estimate that suits the metric, the interval that suits the plan, and the corrections."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.insight.experiments.results import Comparison, Figure, Measured
from shoal.stats.bootstrap import Tally
from shoal.stats.bootstrap import difference as bootstrapped
from shoal.stats.experiments.adjusting import cuped, cuped_ratio, post_stratified
from shoal.stats.experiments.arms import Arm, Estimate, mean, ratio
from shoal.stats.experiments.comparing import can_be_relative, gap
from shoal.stats.intervals import wilson, z_value
from shoal.stats.multiple import benjamini_hochberg, holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.experiments.plans import Rule
    from shoal.insight.experiments.results import Role
    from shoal.insight.experiments.sums import Cells
    from shoal.insight.metrics.definition import Metric
    from shoal.stats.intervals import Interval

_WORTH = 0.0005
"""CUPED that lowers the variance by less than a twentieth of a per cent is left out: it would only be one more thing to read."""


class Estimates(NamedTuple):
    """The figure of each arm.

    Args:
        plain: as measured.
        used: what is compared: the same, or adjusted.
        method: in words.
        reduction: of the variance of differences; None without an adjustment.
    """

    plain: list[Estimate]
    used: list[Estimate]
    method: str
    reduction: float | None = None


def estimates(metric: Metric, arms: Sequence[Arm]) -> Estimates:
    """The figures of a metric, with CUPED where there is a past that tells something.

    Args:
        metric: what is measured; no quantile.
        arms: columns as ``sums.Reading.read`` has them.

    Raises:
        Refused: a ratio's divisor never happened in an arm.
    """
    if metric.how == "ratio":
        plain = [ratio(arm) for arm in arms]
        past = len(arms[0].means) == 4
        adjusted = cuped_ratio(arms) if past else None
        method = "ratio of sums, its variance by the delta method"
    else:
        plain = [_share(arm) if metric.how == "share" else mean(arm) for arm in arms]
        past = len(arms[0].means) == 2
        adjusted = cuped(arms) if past else None
        method = {"share": "share of customers", "sum": "mean per customer"}.get(metric.how, "mean")
    if adjusted is None or adjusted.reduction < _WORTH:
        return Estimates(plain, plain, method, None if adjusted is None else max(adjusted.reduction, 0.0))
    told = f"{method}, adjusted by the same before the exposure (CUPED)"
    return Estimates(plain, adjusted.arms, told, adjusted.reduction)


def _share(arm: Arm) -> Estimate:
    return mean(Arm.of_share(min(max(float(arm.means[0]), 0.0), 1.0) * arm.n, arm.n))


def stratified(metric: Metric, strata: Sequence[Mapping[str, Arm]], name: str) -> Estimates:
    """The figures as they would be if every arm had the strata's shares of all customers.

    Args:
        metric: a sum, mean or share.
        strata: of each arm, by stratum.
        name: what customers are divided by.

    Raises:
        Refused: an arm lacks a stratum.
    """
    first = [{stratum: arm.column(0) for stratum, arm in parts.items()} for parts in strata]
    found = post_stratified(first)
    whole = []
    for parts in first:
        arms = list(parts.values())
        together = arms[0]
        for one in arms[1:]:
            together = together + one
        whole.append(mean(together))
    return Estimates(whole, found.arms, f"post-stratified by {name}", found.reduction)


def compared(metric: Metric, arms: Sequence[str], found: Estimates, rule: Rule) -> list[Comparison]:
    """Each arm against the first one; not yet corrected.

    Args:
        metric: what is measured.
        arms: names, the control first.
        found: their figures.
        rule: of the plan.

    Raises:
        Refused: neither arm varies.
    """
    control = found.used[0]
    return [_against(control, other, name, rule) for name, other in zip(arms[1:], found.used[1:], strict=True)]


def _against(control: Estimate, other: Estimate, name: str, rule: Rule) -> Comparison:
    between = gap(control, other)
    absolute = rule.effect(between, control.value)
    relative = None
    if can_be_relative(control):
        try:
            shares = gap(control, other, relative=True)
            relative = rule.effect(shares)
        except Refused:
            relative = None
    if rule.method == "bayesian":
        belief = rule.belief(between if relative is None else shares, control.value)
        sure = belief.chance >= rule.confidence or belief.chance <= rule.alpha
        return Comparison(name, absolute, relative, None, None, rule.alpha, sure, belief.chance, belief.risk_of_treated)
    return Comparison(name, absolute, relative, absolute.p, absolute.p, rule.level, absolute.p <= rule.level)


def figures(metric: Metric, arms: Sequence[str], found: Estimates) -> tuple[Figure, ...]:
    """What each arm has, with its own interval of 95 %: Wilson's of a share, a normal one otherwise."""
    rows = []
    for name, plain, used in zip(arms, found.plain, found.used, strict=True):
        half = z_value() * sqrt(plain.variance)
        low, high = plain.value - half, plain.value + half
        if metric.how == "share":
            _, low, high = wilson(plain.value * plain.n, plain.n)
        rows.append(Figure(name, plain.n, plain.value, low, high, used.value))
    return tuple(rows)


def measured(metric: Metric, role: Role, arms: Sequence[str], found: Estimates, rule: Rule) -> Measured:
    """A metric with its figures and comparisons, or with the reason why it has none."""
    bare = Measured(metric.slug, metric.name, metric.unit, metric.better, role, found.method)
    try:
        told = tuple(compared(metric, arms, found, rule))
    except Refused as refusal:
        return replace(bare, figures=figures(metric, arms, found), refused=str(refusal))
    notes = _notes(metric, told)
    shown = figures(metric, arms, found)
    return replace(bare, figures=shown, comparisons=told, reduction=found.reduction, notes=notes)


def _notes(metric: Metric, told: Sequence[Comparison]) -> tuple[str, ...]:
    if all(one.relative is not None for one in told):
        return ()
    return (f"{metric.name}: the control's figure is too near to 0 for a relative effect.",)


# --------------------------------------------------------------------------- corrections


def with_corrections(metrics: Sequence[Measured], rule: Rule) -> list[Measured]:
    """Corrected for how many were looked at: primary metrics × arms by Holm, secondary ones by Benjamini and Hochberg.

    A group sequential plan has the correction of the primary metric in its bounds; what is believed isn't corrected; guardrails
    aren't either, since a missed harm costs more than a false alarm.
    """
    if rule.method == "bayesian":
        return list(metrics)
    found = {id(one): one for one in metrics}
    in_bounds = rule.method == "group sequential"
    for role, correct, name in (
        ("primary", None if in_bounds else holm, "Holm over the primary metric's arms"),
        ("secondary", benjamini_hochberg, "Benjamini–Hochberg over secondary metrics and arms"),
    ):
        mine = [one for one in metrics if one.role == role and one.comparisons]
        every = [c.p for one in mine for c in one.comparisons if c.p is not None]
        if not every:
            continue
        if correct is None:
            name, p = "Bonferroni over arms, in the bounds", every
        else:
            p = correct(every).tolist()
        told = iter(p)
        for one in mine:
            rows = tuple(
                replace(c, corrected=(value := float(next(told))), sure=value <= c.level) for c in one.comparisons
            )
            found[id(one)] = replace(one, comparisons=rows, correction=name if len(every) > 1 else "")
    return [found[id(one)] for one in metrics]


# --------------------------------------------------------------------------- the bootstrap's word


def bootstrap(cells: Cells, arms: int) -> tuple[Interval, ...]:
    """The difference of means of each arm and the first, drawn anew: whether the normal interval may be trusted for skewed money.

    Args:
        cells: sums by arm and group, of which each group is dealt customers at random, or is one customer.
        arms: how many.
    """
    value = cells.sums[:, 0] + cells.n * cells.centre[0]
    found = []
    for arm in range(1, arms):
        mine = (cells.arm == arm) | (cells.arm == 0)
        treated = (cells.arm[mine] == arm).astype(np.float64)
        sums, counts = value[mine], cells.n[mine].astype(np.float64)
        a = Tally((sums * treated)[:, None], (counts * treated)[:, None])
        b = Tally((sums * (1 - treated))[:, None], (counts * (1 - treated))[:, None])
        found.append(bootstrapped(a, b))
    return tuple(found)
