"""Scores out of fold: how a model does on rows it hadn't seen, and whether another one does better on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.learning.calibration import AsItIs, chosen
from shoal.insight.models.learning.table import checked_outcome
from shoal.stats import scoring
from shoal.stats.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.insight.models.learning.calibration import Calibration
    from shoal.insight.models.learning.folds import Folds
    from shoal.insight.models.learning.learners import Learnt
    from shoal.insight.models.learning.table import Floats, Table, Whole


@dataclass(frozen=True, slots=True)
class Card:
    """The figures of a trial; the definitions are those of ``shoal.stats.scoring``.

    Args:
        rows: rows that were tested.
        positives: of them.
        auc: with DeLong's interval.
        average_precision: to be read beside the base rate.
        brier: the mean squared error.
        brier_skill: against the base rate.
        log_loss: in nats.
        calibration_error: of ten bins.
        calibration_error_by_chance: what exact chances would have.
        lift: of the top tenth.
    """

    rows: int
    positives: int
    auc: Interval
    average_precision: float
    brier: float
    brier_skill: float
    log_loss: float
    calibration_error: float
    calibration_error_by_chance: float
    lift: float

    @property
    def base_rate(self) -> float:
        """Positives / rows."""
        return self.positives / self.rows

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Card:
        """What ``dataclasses.asdict`` gave, through JSON."""
        return cls(**{**saved, "auc": Interval(*saved["auc"])})


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a model told of rows that it hadn't seen.

    Args:
        name: of the model, or of the column behind a baseline.
        rows: the places of the tested rows in the table, ascending.
        keys: their keys.
        outcome: what came.
        chance: what was told.
        fold: the fold of each.
        folds: names the folds.
    """

    name: str
    rows: Whole
    keys: tuple[str, ...]
    outcome: Floats
    chance: Floats
    fold: Whole
    folds: str

    def card(self, confidence: float = CONFIDENCE) -> Card:
        """The figures.

        Raises:
            Refused: where the tested rows have one outcome only, or are too few.
        """
        y, p = self.outcome, self.chance
        if not 0 < y.sum() < y.size or y.size < scoring.LEAST_IN_BIN:
            raise Refused(f"{y.size} tested rows with {int(y.sum())} positives can't be judged.")
        ece = scoring.calibration_error(y, p)
        return Card(
            rows=int(y.size),
            positives=int(y.sum()),
            auc=scoring.auc_interval(y, p, confidence),
            average_precision=scoring.average_precision(y, p),
            brier=scoring.brier(y, p),
            brier_skill=scoring.brier_skill(y, p),
            log_loss=scoring.log_loss(y, p),
            calibration_error=ece.value,
            calibration_error_by_chance=ece.by_chance,
            lift=scoring.lift_at(y, p),
        )


def tried(
    name: str,
    learn: Callable[[Table, Floats], Learnt],
    table: Table,
    outcome: Floats,
    folds: Folds,
    *,
    calibrate: bool,
) -> tuple[Trial, Calibration]:
    """Learn on each fold's learning rows and tell the chances of its tested rows; then see whether calibration helps.

    Raises:
        Refused: for folds of another length, and what ``learn`` raises.
    """
    y = checked_outcome(outcome, len(table))
    if len(folds) != len(table):
        raise Refused(f"The folds are of {len(folds)} rows, the table has {len(table)}.")
    log_odds, tested = np.zeros(len(table)), np.zeros(len(table), dtype=bool)
    for seen, unseen in folds.splits():
        log_odds[unseen] = learn(table.take(seen), y[seen]).log_odds(table.take(unseen))
        tested[unseen] = True
    rows = np.flatnonzero(tested)
    calibration: Calibration = AsItIs()
    chance = calibration.chances(log_odds[rows])
    if calibrate:
        known = None if folds.known is None else folds.known[rows]
        calibration, chance = chosen(log_odds[rows], y[rows], folds.number[rows], known)
    keys = tuple(table.keys[i] for i in rows.tolist())
    return Trial(name, rows, keys, y[rows], chance, folds.number[rows], folds.mark()), calibration


class Verdict(StrEnum):
    """Which of two models does better on rows neither had seen."""

    CHALLENGER = "the challenger is better"
    CHAMPION = "the champion is better"
    TIE = "no difference that chance doesn't explain"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger less champion on the same rows.

    The intervals speak of other customers, not of models that were trained on other data; so a difference within them
    is a tie, and one just outside is no proof.

    Args:
        champion: its name.
        challenger: its name.
        auc: above 0 the challenger ranks better.
        brier: below 0 the challenger's chances are better.
        log_loss: the same in nats.
        verdict: by the Brier score, unless the ranking became worse.
    """

    champion: str
    challenger: str
    auc: Interval
    brier: Interval
    log_loss: Interval
    verdict: Verdict


def compare(champion: Trial, challenger: Trial, confidence: float = CONFIDENCE) -> Comparison:
    """Compare two trials of the same rows in the same folds.

    Raises:
        Refused: for other rows, outcomes or folds, or where the rows have one outcome only.
    """
    same = champion.folds == challenger.folds and champion.keys == challenger.keys
    if not same or not np.array_equal(champion.outcome, challenger.outcome):
        raise Refused(
            f"{champion.name!r} and {challenger.name!r} weren't tested on the same rows, outcomes and folds.",
            fix="Try both with one table and the same folds.",
        )
    y, a, b = champion.outcome, challenger.chance, champion.chance
    if not 0 < y.sum() < y.size:
        raise Refused("The tested rows have one outcome only.")
    auc = scoring.auc_difference(y, a, b, confidence)
    brier = scoring.paired_difference((y - a) ** 2, (y - b) ** 2, confidence)
    loss = scoring.paired_difference(scoring.log_losses(y, a), scoring.log_losses(y, b), confidence)
    return Comparison(champion.name, challenger.name, auc, brier, loss, _verdict(auc, brier))


def _verdict(auc: Interval, brier: Interval) -> Verdict:
    if brier.high < 0 and auc.high >= 0:
        return Verdict.CHALLENGER
    if brier.low > 0 or auc.high < 0:
        return Verdict.CHAMPION
    return Verdict.TIE
