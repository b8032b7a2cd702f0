"""Do segments differ on what they weren't made from? Those that don't are proposed for merging.

Groups always differ on the columns that made them. What counts is an outcome held out: spend of the weeks after, an answer,
a click. No difference found isn't no difference: the proposal says what would have been seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused
from shoal.stats.multiple import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.discovery.table import Floats, Ints

_LEAST = 10  # members with a known outcome below which a segment isn't tested


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two segments on one outcome.

    Args:
        a, b: ids of the segments.
        outcome: the held-out column.
        difference: mean of a less mean of b, in the outcome's unit.
        p: of Welch's test (1947, doi 10.1093/biomet/34.1-2.28); None where a segment has too few known values.
        adjusted: p after Holm's correction (1979) over all comparisons.
        detectable: the difference that would be found four times in five at an uncorrected 5 %.
    """

    a: str
    b: str
    outcome: str
    difference: float
    p: float | None
    adjusted: float
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Merge:
    """Segments that no outcome tells apart, with the reason in words."""

    segments: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Distinctness:
    """What outcomes say.

    Args:
        comparisons: of each pair on each outcome.
        distinct: segments that differ, on some outcome, from every other that could be compared.
        merges: segments that no outcome tells apart, though they could be compared.
        untested: segments with too few known values for any comparison; nothing is said of them.
    """

    comparisons: tuple[Comparison, ...]
    distinct: tuple[str, ...]
    merges: tuple[Merge, ...]
    untested: tuple[str, ...] = ()


def compare(labels: Ints, segments: Sequence[str], outcomes: Mapping[str, Floats], alpha: float = 0.05) -> Distinctness:
    """Hold each pair of segments against each other on each outcome.

    Args:
        labels: places in ``segments``, one for each customer.
        segments: ids.
        outcomes: columns that took no part in making the segments; NaN is missing. Yes and no are 1 and 0.
        alpha: of the family of all comparisons.

    Raises:
        Refused: if an outcome has another length than ``labels``.
    """
    found: list[Comparison] = []
    for name in sorted(outcomes):
        values = np.asarray(outcomes[name], dtype=np.float64)
        if len(values) != len(labels):
            raise Refused(
                f"Outcome {name!r} has {len(values)} rows for {len(labels)} customers.",
                fix="Give each outcome a value, or a missing one, for every customer.",
            )
        found += _on_one(name, values, labels, segments)
    found = _corrected(found)
    apart = {(c.a, c.b) for c in found if c.adjusted <= alpha}
    tested = {(c.a, c.b) for c in found if c.p is not None}
    # A pair that couldn't be compared is neither told apart nor alike.
    same = tested - apart
    looked = {segment for pair in tested for segment in pair}
    distinct = tuple(s for s in segments if s in looked and not any(s in pair for pair in same))
    untested = tuple(s for s in segments if s not in looked)
    return Distinctness(tuple(found), distinct, tuple(_merges(segments, same, found)), untested)


def _on_one(name: str, values: Floats, labels: Ints, segments: Sequence[str]) -> list[Comparison]:
    known = np.isfinite(values)
    groups = [values[known & (labels == i)] for i in range(len(segments))]
    figures = [(len(g), float(g.mean()), float(g.var(ddof=1))) if len(g) >= _LEAST else None for g in groups]
    out = []
    for i, j in combinations(range(len(segments)), 2):
        a, b = figures[i], figures[j]
        if a is None or b is None:
            out.append(Comparison(segments[i], segments[j], name, 0.0, None, 1.0, None))
            continue
        p, error = _welch(a, b)
        # z of 97.5 % plus z of 80 %.
        out.append(Comparison(segments[i], segments[j], name, a[1] - b[1], p, p, 2.802 * error))
    return out


def _welch(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[float, float]:
    from scipy.stats import t

    parts = (a[2] / a[0], b[2] / b[0])
    error = float(np.sqrt(sum(parts)))
    if error == 0:
        return (1.0 if a[1] == b[1] else 0.0), 0.0
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (a[0] - 1) + parts[1] ** 2 / (b[0] - 1))
    return float(2 * t.sf(abs(a[1] - b[1]) / error, freedom)), error


def _corrected(found: list[Comparison]) -> list[Comparison]:
    tested = {at: c.p for at, c in enumerate(found) if c.p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
    return [replace(c, adjusted=adjusted.get(at, 1.0)) for at, c in enumerate(found)]


def _merges(segments: Sequence[str], same: set[tuple[str, str]], found: list[Comparison]) -> list[Merge]:
    """Groups in which no pair is told apart: each segment joins the first group that it fits as a whole."""
    groups: list[list[str]] = []
    for segment in segments:
        home = next((g for g in groups if all((other, segment) in same for other in g)), None)
        if home is None:
            groups.append([segment])
        else:
            home.append(segment)
    return [Merge(tuple(g), _reason(g, found)) for g in groups if len(g) > 1]


def _reason(group: list[str], found: list[Comparison]) -> str:
    inside = [c for c in found if c.a in group and c.b in group]
    untested = sum(c.p is None for c in inside)
    limits: dict[str, float] = {}
    for c in inside:
        if c.detectable is not None:
            limits[c.outcome] = max(limits.get(c.outcome, 0.0), c.detectable)
    said = "; ".join(f"{name}: a difference of {_neat(limit)} would have been seen" for name, limit in limits.items())
    few = f"; {untested} comparisons had too few known values" if untested else ""
    return f"No held-out outcome tells them apart ({said or 'none could be tested'}{few})."


def _neat(value: float) -> str:
    """Two digits that count, and no power of ten."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
