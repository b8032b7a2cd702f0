"""Whether customers still look as they did at the fit: one check a column, with thresholds that know how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.stats.drift import ALPHA, Drift, NumberBins, Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from shoal.insight.discovery.table import Categories, Ints, Table

SEGMENTS = "micro-segments"
MANY = 0.25
"""The share of columns that must have moved moderately, where none has moved much, for a proposal to refit."""
_MOST_LEVELS = 20
_MOVED = {Verdict.MODERATE, Verdict.LARGE}


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a column has moved since the fit.

    Args:
        column: a feature, or ``micro-segments`` for their sizes.
        psi: the population stability index.
        by_chance: its mean if nothing had changed.
        verdict: stable, slight, moderate, large, or too few rows.
    """

    column: str
    psi: float
    by_chance: float
    verdict: str

    @classmethod
    def of(cls, column: str, drift: Drift) -> Shift:
        """From a comparison."""
        return cls(column, drift.psi, drift.by_chance, drift.verdict.value)


def references(table: Table, places: Ints, k: int, without: Collection[str] = ()) -> dict[str, Any]:
    """The distributions at the fit, as counts in bins; JSON-ready.

    Args:
        table: the customers.
        places: the segment of each.
        k: how many segments.
        without: columns that move by the passing of time alone, of which nothing follows.
    """
    numbers = {}
    for name, values in table.numbers.items():
        if name in without:
            continue
        bins = NumberBins.of(_finite(values))
        numbers[name] = {"edges": list(bins.edges), "counts": list(bins.counts)}
    words = {}
    for name, column in table.categories.items():
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
        order = np.lexsort((np.arange(len(counts)), -counts))[:_MOST_LEVELS]
        levels = [column.levels[i] for i in order]
        words[name] = {"levels": levels, "counts": _in_levels(column, levels)}
    return {"numbers": numbers, "words": words, SEGMENTS: np.bincount(places, minlength=k).tolist()}


def shifts(reference: Mapping[str, Any], table: Table, places: Ints) -> list[Shift]:
    """How far each column, and the sizes of segments, have moved; the farthest first.

    The level of the test is shared by all columns, so that many columns don't find something where nothing is.
    """
    alpha = ALPHA / max(len(reference["numbers"]) + len(reference["words"]) + 1, 1)
    found = []
    for name, held in reference["numbers"].items():
        bins = NumberBins(tuple(held["edges"]), tuple(held["counts"]))
        found.append(Shift.of(name, bins.drift(_finite(table.numbers[name]), alpha=alpha)))
    for name, held in reference["words"].items():
        now = _in_levels(table.categories[name], held["levels"])
        found.append(Shift.of(name, compare(held["counts"], now, alpha=alpha)))
    sizes = np.bincount(places, minlength=len(reference[SEGMENTS]))
    found.append(Shift.of(SEGMENTS, compare(reference[SEGMENTS], sizes, alpha=alpha)))
    return sorted(found, key=lambda s: (s.by_chance - s.psi, s.column))


def reasons(found: Sequence[Shift]) -> list[str]:
    """Why a refit should be thought of; empty where there is no reason."""
    large = [s for s in found if s.verdict == Verdict.LARGE.value]
    moved = [s for s in found if s.verdict in {v.value for v in _MOVED}]
    if not large and len(moved) < max(2, MANY * len(found)):
        return []
    return [f"{s.column}: PSI {s.psi:.2f}, {s.by_chance:.2f} by chance; a {s.verdict} change." for s in moved]


def _finite(values: Any) -> np.typing.NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64).copy()
    found[~np.isfinite(found)] = np.nan
    return found


def _in_levels(column: Categories, levels: Sequence[str]) -> list[int]:
    place = {level: i for i, level in enumerate(levels)}
    target = np.array([place.get(level, len(levels)) for level in column.levels] + [len(levels) + 1], dtype=np.int64)
    counted: list[int] = np.bincount(target[column.codes], minlength=len(levels) + 2).tolist()
    return counted
