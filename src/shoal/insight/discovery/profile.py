"""What makes a segment different: its columns beside those of everyone else."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from shoal.insight.discovery.prepare import CLIP, Plan, standardise
from shoal.stats.effects import lift
from shoal.stats.intervals import CONFIDENCE, Interval, z_value

if TYPE_CHECKING:
    from shoal.insight.discovery.prepare import NumberPlan
    from shoal.insight.discovery.table import Floats, Ints, Table


@dataclass(frozen=True, slots=True)
class Trait:
    """One way in which a segment differs from the other customers.

    The interval is of the difference, not of its discovery: the columns made the segments, so that some difference is
    certain. Held-out outcomes are in ``outcomes``.

    Args:
        column: the original column.
        level: of a categorical column, else None.
        kind: ``difference``: in standard deviations, on the prepared scale (Hedges & Olkin 1985); ``lift``: the share of
            the segment over the share of the others.
        effect: what traits are sorted by: the difference, or Cohen's h of the two shares.
        value: difference or lift with its interval; None where nobody else has the level, so that no lift exists.
        segment: median (original unit) or share in the segment; None where no value is known.
        others: the same of all other customers.
        known: members with a known value.
    """

    column: str
    level: str | None
    kind: Literal["difference", "lift"]
    effect: float
    value: Interval | None
    segment: float | None
    others: float | None
    known: int


def profiles(table: Table, plan: Plan, labels: Ints, k: int) -> list[tuple[Trait, ...]]:
    """For each of k groups its traits, the greatest effect first; columns in which nothing can be compared are left out."""
    found: list[list[Trait]] = [[] for _ in range(k)]
    for number in plan.numbers:
        _numbers(number, np.asarray(table.numbers[number.column], dtype=np.float64), labels, found)
    for category in plan.categories:
        column = table.categories[category.column]
        known = column.codes >= 0
        sizes = np.bincount(labels[known], minlength=k)
        place = {level: i for i, level in enumerate(column.levels)}
        for level in category.levels:
            hits = np.bincount(labels[column.codes == place.get(level, -2)], minlength=k)
            _level(category.column, level, hits, sizes, found)
    return [tuple(sorted(traits, key=lambda t: (-abs(t.effect), t.column, t.level or ""))) for traits in found]


def _numbers(plan: NumberPlan, values: Floats, labels: Ints, found: list[list[Trait]]) -> None:
    curved = np.clip(standardise(plan, values), -CLIP, CLIP)
    known = ~np.isnan(curved)
    curved, raw, mine = curved[known], values[known], labels[known]
    k = len(found)
    counts = np.bincount(mine, minlength=k).astype(float)
    sums, squares = np.bincount(mine, curved, minlength=k), np.bincount(mine, curved**2, minlength=k)
    for i in range(k):
        inside, outside = counts[i], counts.sum() - counts[i]
        if inside < 2 or outside < 2:
            continue
        means = sums[i] / inside, (sums.sum() - sums[i]) / outside
        within = squares[i] - inside * means[0] ** 2 + (squares.sum() - squares[i]) - outside * means[1] ** 2
        pooled = sqrt(max(within / (inside + outside - 2), 1e-12))
        d = float(means[0] - means[1]) / pooled
        half = z_value(CONFIDENCE) * sqrt(1 / inside + 1 / outside + d * d / (2 * (inside + outside)))
        member = mine == i
        medians = float(np.median(raw[member])), float(np.median(raw[~member]))
        interval = Interval(d, d - half, d + half)
        found[i].append(Trait(plan.column, None, "difference", d, interval, *medians, int(inside)))


def _level(column: str, level: str, hits: Ints, sizes: Ints, found: list[list[Trait]]) -> None:
    for i in range(len(found)):
        a = float(hits[i]), float(sizes[i])
        b = float(hits.sum() - hits[i]), float(sizes.sum() - sizes[i])
        if a[1] == 0 or b[1] == 0:
            continue
        share, other = a[0] / a[1], b[0] / b[1]
        h = 2 * asin(sqrt(share)) - 2 * asin(sqrt(other))
        times = lift(a, b) if b[0] > 0 else None
        found[i].append(Trait(column, level, "lift", h, times, share, other, int(a[1])))
