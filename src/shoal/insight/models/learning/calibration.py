"""Chances that come true: log-odds are put right by a sigmoid or an isotonic curve, only where that is seen to help.

Both are fitted on scores that a row got from a model which hadn't seen it. Which is taken, if any, is decided on folds
that the curve hadn't seen either. (The models behind two folds' scores share rows, as in any cross-fitting.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.insight.models.learning.folds import learnable
from shoal.insight.models.learning.learners import chances, newton
from shoal.stats.scoring import log_losses, paired_difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.insight.models.learning.table import Floats, Whole

LEAST_FOR_CURVE = 1000
_AWAY = 1e-6


@dataclass(frozen=True, slots=True)
class AsItIs:
    """The log-odds as they are."""

    kind = "none"

    def chances(self, log_odds: Floats) -> Floats:
        """Probabilities."""
        return chances(log_odds)

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        return {"kind": self.kind}


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Platt's sigmoid: 1 / (1 + exp(−(shift + slope · log-odds))) (Platt 1999), with his targets away from 0 and 1."""

    shift: float
    slope: float
    kind = "sigmoid"

    @classmethod
    def fit(cls, log_odds: Floats, outcome: Floats) -> Sigmoid:
        """From scores of rows that the model hadn't seen; the rows' order doesn't matter."""
        order = np.lexsort((outcome, log_odds))
        x, y = log_odds[order], outcome[order]
        up, down = y.sum(), y.size - y.sum()
        targets = np.where(y == 1, (up + 1) / (up + 2), 1 / (down + 2))
        centre, spread = float(x.mean()), float(x.std()) or 1.0
        start = float(np.log((up + 1) / (down + 1)))
        shift, slope = newton(((x - centre) / spread)[:, None], targets, start, 0.0).tolist()
        return cls(shift - slope * centre / spread, slope / spread)

    def chances(self, log_odds: Floats) -> Floats:
        """Probabilities."""
        return chances(self.shift + self.slope * log_odds)

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        return {"kind": self.kind, "shift": self.shift, "slope": self.slope}


@dataclass(frozen=True, slots=True)
class Isotonic:
    """The rising steps nearest to the outcomes (Zadrozny and Elkan 2002, doi 10.1145/775047.775151), joined by lines.

    A step whose rows all had one outcome is moved off 0 and 1 by half a case: a handful of rows prove no certainty.
    """

    at: tuple[float, ...]
    chance: tuple[float, ...]
    kind = "isotonic"

    @classmethod
    def fit(cls, log_odds: Floats, outcome: Floats) -> Isotonic:
        """From scores of rows that the model hadn't seen; the rows' order doesn't matter."""
        from scipy.optimize import isotonic_regression

        scores, place, n = np.unique(log_odds, return_inverse=True, return_counts=True)
        found = isotonic_regression(np.bincount(place, weights=outcome) / n, weights=n)
        first, last = found.blocks[:-1], found.blocks[1:] - 1
        size = np.add.reduceat(n, first).astype(np.float64)
        level = np.clip(found.x[first], 0.5 / (size + 1), (size + 0.5) / (size + 1))
        level = np.clip(np.maximum.accumulate(level), _AWAY, 1 - _AWAY)
        at, both = np.column_stack([scores[first], scores[last]]).ravel(), np.repeat(level, 2)
        keep = np.append(True, np.diff(at) > 0)
        return cls(tuple(at[keep].tolist()), tuple(both[keep].tolist()))

    def chances(self, log_odds: Floats) -> Floats:
        """Probabilities."""
        return np.interp(log_odds, self.at, self.chance).astype(np.float64)

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        return {"kind": self.kind, "at": list(self.at), "chance": list(self.chance)}


Calibration = AsItIs | Sigmoid | Isotonic


def from_json(saved: dict[str, Any]) -> Calibration:
    """What ``as_json`` gave."""
    if saved["kind"] == Sigmoid.kind:
        return Sigmoid(saved["shift"], saved["slope"])
    if saved["kind"] == Isotonic.kind:
        return Isotonic(tuple(saved["at"]), tuple(saved["chance"]))
    return AsItIs()


def chosen(log_odds: Floats, outcome: Floats, fold: Whole, known: Whole | None = None) -> tuple[Calibration, Floats]:
    """The calibration that helps, and the chances that each row has from a curve which hadn't seen it.

    A curve is taken where its log loss on unseen folds lies below that of the plain log-odds by more than chance
    explains (95 %), the one with the lower loss where both do.

    Args:
        log_odds: from models that hadn't seen the row.
        outcome: 0 or 1.
        fold: the fold of each row.
        known: the first fold by which each outcome was known, where folds follow time: a curve is then fitted on what
            was known alone.
    """
    plain = AsItIs().chances(log_odds)
    best: tuple[float, Calibration, Floats] = (0.0, AsItIs(), plain)
    for fit, least in ((Sigmoid.fit, 0), (Isotonic.fit, LEAST_FOR_CURVE)):
        if outcome.size < least or not 0 < outcome.sum() < outcome.size:
            continue
        tried = _crossed(fit, log_odds, outcome, fold, known)
        gain = paired_difference(log_losses(outcome, tried), log_losses(outcome, plain))
        if gain.high < 0 and gain.value < best[0]:
            best = (gain.value, fit(log_odds, outcome), tried)
    return best[1:]


def _crossed(
    fit: Callable[[Floats, Floats], Calibration], log_odds: Floats, outcome: Floats, fold: Whole, known: Whole | None
) -> Floats:
    found = AsItIs().chances(log_odds)
    for k in np.unique(fold).tolist():
        seen, tested = learnable(fold, known, k), fold == k
        if 0 < outcome[seen].sum() < seen.sum():
            found[tested] = fit(log_odds[seen], outcome[seen]).chances(log_odds[tested])
    return found
