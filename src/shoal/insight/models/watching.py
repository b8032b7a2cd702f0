"""Drift: whether scores still spread over customers as they did when the model was fitted.

What a model says of the base follows from what it is told of it, so that a base that has changed shows in the scores.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.lang.schema import Kind
from shoal.stats.drift import NumberBins, Verdict, WordBins

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.insight.models.model import Score
    from shoal.stats.drift import Drift

_ALARMS = (Verdict.MODERATE, Verdict.LARGE)


@dataclass(frozen=True, slots=True)
class Drifted:
    """A column of scores against the same column at the fit.

    Args:
        trait: its name.
        drift: the index with what chance gives, the test, and the verdict.
    """

    trait: str
    drift: Drift

    @property
    def alarming(self) -> bool:
        """Whether a new fit should be considered."""
        return self.drift.verdict in _ALARMS

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"trait": self.trait, **asdict(self.drift)}


def references(columns: Iterable[Score]) -> dict[str, Any]:
    """The distributions of the columns, JSON-ready; those of dates and of reasons are left out: they move with time."""
    found: dict[str, Any] = {}
    for column in columns:
        bins = _bins(column)
        if bins is not None:
            found[column.name] = asdict(bins)
    return found


def _bins(column: Score) -> NumberBins | WordBins | None:
    if not len(column.owners) or column.name.endswith("_reason"):
        return None
    if column.kind is Kind.NUMBER:
        return NumberBins.of(np.asarray(column.values, dtype=np.float64))
    if column.kind is Kind.TEXT:
        return WordBins.of(list(column.values))
    return None


def drifted(reference: Mapping[str, Any], columns: Iterable[Score]) -> list[Drifted]:
    """How far each column has moved from its reference; columns without one, or without rows, are left out."""
    found = []
    for column in columns:
        known = reference.get(column.name)
        if known is None or not len(column.owners):
            continue
        if "edges" in known:
            numbers = NumberBins(tuple(known["edges"]), tuple(known["counts"]))
            drift = numbers.drift(np.asarray(column.values, dtype=np.float64))
        else:
            drift = WordBins(tuple(known["levels"]), tuple(known["counts"])).drift(list(column.values))
        found.append(Drifted(column.name, drift))
    return found
