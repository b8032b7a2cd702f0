"""The quality card of a micro-segment: the criteria of the textbooks, each with a number and a gate.

Substantial, distinct, stable, responsive and actionable (Wedel and Kamakura 2000; Dibb and Simkin 2010). What can't be
known of the data is said to be unknown, never taken for met.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from shoal.insight.discovery.personas import percent
from shoal.insight.discovery.record import Criterion, Figure
from shoal.insight.discovery.stability import STABLE
from shoal.stats.experiments.heterogeneity import homogeneity
from shoal.stats.intervals import CONFIDENCE, Interval, z_value
from shoal.wording import counted

if TYPE_CHECKING:
    from shoal.insight.discovery.discover import Segment
    from shoal.insight.discovery.observing import Observed
    from shoal.insight.discovery.outcomes import Distinctness
    from shoal.insight.discovery.record import Rule
    from shoal.insight.discovery.table import Bools, Floats, Ints

LEAST_MEMBERS, LEAST_SHARE = 50, 0.01
LEAST_REACHABLE = 0.5
SHORT, TRUE = 3, 0.9
_POWER_AND_LEVEL = 2.802  # z of 80 % power plus z of a two-sided 5 %


# ---------------------------------------------------------------- responses


@dataclass(frozen=True, slots=True)
class Responses:
    """What a randomised campaign changed, segment by segment.

    Args:
        name: the campaign's.
        lifts: for each segment the difference of outcome shares, treated less control; None where an arm is empty.
        sizes: for each segment, customers in both arms.
        q: Cochran's Q over the segments (1954): how much more the lifts differ than chance lets them.
        freedom: its degrees of freedom.
        p: the chance of such a Q if all segments responded alike.
    """

    name: str
    lifts: tuple[Interval | None, ...]
    sizes: tuple[int, ...]
    q: float
    freedom: int
    p: float


def responses(name: str, treated: Bools, control: Bools, outcome: Bools, places: Ints, k: int) -> Responses:
    """The lift of each of k segments, and whether segments differ in it.

    Args:
        name: the campaign's.
        treated: who was drawn to be treated.
        control: who was drawn not to be.
        outcome: who did what was hoped for.
        places: each customer's segment, 0 … k − 1, from before the campaign.
        k: how many segments.
    """
    found: list[Interval | None] = []
    sizes, values, errors = [], [], []
    for i in range(k):
        arms = [outcome[(places == i) & arm].astype(np.float64) for arm in (treated, control)]
        sizes.append(sum(len(arm) for arm in arms))
        if min(len(arm) for arm in arms) < 2:
            found.append(None)
            continue
        value = float(arms[0].mean() - arms[1].mean())
        error = sqrt(sum(_variance(arm) / len(arm) for arm in arms))
        half = z_value(CONFIDENCE) * error
        found.append(Interval(value, value - half, value + half))
        values.append(value)
        errors.append(error)
    if len(values) < 2:
        return Responses(name, tuple(found), tuple(sizes), 0.0, 0, 1.0)
    told = homogeneity(values, errors)
    return Responses(name, tuple(found), tuple(sizes), told.q, told.df, told.p)


def _variance(arm: Floats) -> float:
    """Of an outcome that all or none had, that of half a case more and less: no share is certain."""
    hits = float(arm.sum())
    share = (hits + 0.5) / (len(arm) + 1) if hits in (0.0, float(len(arm))) else hits / len(arm)
    return share * (1 - share)


# ---------------------------------------------------------------- the card


@dataclass(frozen=True, slots=True)
class Later:
    """What was seen of the time that was held out.

    Args:
        days: its length.
        distinctness: of the segments on its outcomes.
        means: by outcome, the mean of each segment.
        explained: by outcome, the share of its variance that lies between segments (eta squared).
        stayed: for each segment, the share of those who would have been in it before, and are in it now; NaN for none.
        bought: for each segment the share that bought; NaN where the data has no orders.
    """

    days: int
    distinctness: Distinctness
    means: dict[str, Floats]
    explained: dict[str, float]
    stayed: Floats
    bought: Floats


def card(
    segment: Segment,
    at: int,
    rule: Rule,
    seen: Observed,
    later: Later | None,
    responded: Responses | None,
    purpose: str | None,
) -> tuple[Criterion, ...]:
    """The five criteria of one segment.

    Args:
        segment: what was found.
        at: its place among the segments.
        rule: the segment in the language.
        seen: what it did.
        later: what it did in the time that was held out; None where there was none.
        responded: to a randomised campaign; None where there was none.
        purpose: whose reachable share counts; None where the workspace has none.
    """
    return (
        _substantial(segment, at, seen, later),
        _distinct(segment, later),
        _stable(segment, at, later),
        _responsive(at, responded),
        _actionable(rule, seen, purpose),
    )


def _substantial(segment: Segment, at: int, seen: Observed, later: Later | None) -> Criterion:
    base = 0.5 if later is None or not np.isfinite(later.bought[at]) else float(later.bought[at])
    seen_from = _POWER_AND_LEVEL * sqrt(4 * max(base * (1 - base), 0.01) / segment.size)
    money = "" if seen.revenue_share is None else f", {percent(seen.revenue_share, 1)} of revenue"
    text = (
        f"{counted(segment.size, 'customer')}, {percent(segment.share, 1)}{money}; a test on half of them would see a change of "
        f"{100 * seen_from:.0f} points or more."
    )
    met = segment.size >= LEAST_MEMBERS and segment.share >= LEAST_SHARE
    figure = Figure("smallest change that a test would see", "share", seen_from, n=segment.size)
    return Criterion("substantial", met, text, figure)


def _distinct(segment: Segment, later: Later | None) -> Criterion:
    if later is None:
        text = "Not known: the data has no later time that could be held out."
        return Criterion("distinct", None, text, Figure("held-out outcomes", "unknown"))
    if segment.id in later.distinctness.untested:
        text = f"Not known: too few were of its kind {later.days} days earlier to compare what they did since."
        return Criterion("distinct", None, text, Figure("held-out outcomes", "unknown"))
    met = segment.id in later.distinctness.distinct
    alike = sorted(
        {s for m in later.distinctness.merges if segment.id in m.segments for s in m.segments} - {segment.id}
    )
    text = (
        f"What it did in the {later.days} days after differs from every other segment."
        if met
        else f"What it did in the {later.days} days after isn't told apart from "
        f"{'that of ' + ', '.join(alike) if alike else 'some other segment'}."
    )
    return Criterion("distinct", met, text, Figure("held-out outcomes", "difference", n=segment.size))


def _stable(segment: Segment, at: int, later: Later | None) -> Criterion:
    text = f"In other samples it comes back with a mean Jaccard of {segment.jaccard:.2f} ({segment.band})"
    stayed = None if later is None or not np.isfinite(later.stayed[at]) else float(later.stayed[at])
    if stayed is not None and later is not None:
        text += f"; {percent(stayed)} of those who would have been in it {later.days} days earlier are in it now"
    figure = Figure("bootstrap Jaccard", "share", segment.jaccard, stayed, n=segment.size)
    return Criterion("stable", segment.jaccard >= STABLE, f"{text}.", figure)


def _responsive(at: int, responded: Responses | None) -> Criterion:
    if responded is None:
        return Criterion("responsive", None, "Not known: no randomised campaign.", Figure("campaign", "unknown"))
    lift = responded.lifts[at]
    if lift is None:
        text = f"Not known: {responded.name} had fewer than two of them in one of its arms."
        return Criterion("responsive", None, text, Figure(responded.name, "unknown", n=responded.sizes[at]))
    text = (
        f"{responded.name} changed the share that ordered by {100 * lift.value:+.1f} points ({100 * lift.low:+.1f} to "
        f"{100 * lift.high:+.1f}); over all segments, Q {responded.q:.1f} with {responded.freedom} degrees of freedom "
        f"(p {responded.p:.2g})."
    )
    # A lift of one segment means little where all may have responded alike.
    met = bool(responded.p < 1 - CONFIDENCE and lift.excludes(0.0))
    figure = Figure(responded.name, "difference", None, None, lift.value, lift.low, lift.high, responded.sizes[at])
    return Criterion("responsive", met, text, figure)


def _actionable(rule: Rule, seen: Observed, purpose: str | None) -> Criterion:
    way = next((w for w in seen.ways if w.by == "purpose" and w.name == purpose), None)
    many = "1 condition" if rule.conditions == 1 else f"{rule.conditions} conditions"
    said = f"its rule has {many} and a fidelity of {rule.fidelity:.2f}"
    plain = rule.conditions <= SHORT and rule.fidelity >= TRUE
    if way is None:
        text = f"Not known: shoal.yaml names no default purpose that asks for consent; {said}."
        return Criterion("actionable", None, text, Figure("rule", "fidelity", rule.fidelity))
    text = f"{percent(way.share)} may be reached for {way.name}; {said}."
    met = way.share >= LEAST_REACHABLE and plain
    return Criterion("actionable", met, text, Figure(way.name, "share", way.share, way.others, n=way.customers))
