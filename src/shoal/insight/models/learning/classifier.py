"""A classifier of a yes-or-no outcome: churn within a horizon, an answer to a campaign, a purchase of a category.

It is fitted with folds that the caller gives, is calibrated where that helps, stands beside its baselines, says why it
scored a row so, and goes to bytes and back without changing a score. Where the data don't suffice it is the best plain
column, or the base rate, and says so.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from hashlib import sha256
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.learning import calibration as calibrations
from shoal.insight.models.learning.calibration import AsItIs
from shoal.insight.models.learning.encoding import Encoder
from shoal.insight.models.learning.learners import Logistic, Trees, learnt_from_json
from shoal.insight.models.learning.table import checked_outcome, fingerprint
from shoal.insight.models.learning.trials import Card, tried
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from shoal.insight.models.learning.calibration import Calibration
    from shoal.insight.models.learning.folds import Folds
    from shoal.insight.models.learning.table import Floats, Table
    from shoal.insight.models.learning.trials import Trial

LEAST_OF_EACH = 100
LEAST_FOR_BASELINE = 20
_FORMAT = "shoal classifier 1"


class Learner(StrEnum):
    """What learns from all columns."""

    TREES = "trees"
    LOGISTIC = "logistic"


class Kind(StrEnum):
    """What a fitted classifier is."""

    TREES = "boosted trees"
    LOGISTIC = "logistic regression"
    BASELINE = "baseline"
    BASE_RATE = "base rate"


@dataclass(frozen=True, slots=True)
class Config:
    """How to fit. There is no weight of rows or classes and no resampling: both would make the chances wrong.

    Args:
        learner: small boosted trees, or a logistic regression.
        trees: how many trees.
        leaves: leaves of each.
        rate: how much of each tree counts.
        calibrate: look whether a calibration helps.
        least: rows of either outcome below which nothing is learnt from all columns. The default is the fewest with
            which a model can be judged at all (Vergouwe 2005, doi 10.1016/j.jclinepi.2004.06.017).
        fallback: whether less data give a baseline or the base rate; otherwise they are refused.
        threads: processor threads of the trees; any number gives the same trees.

    Raises:
        Refused: for a learner that isn't known, or settings out of range.
    """

    learner: Learner = Learner.TREES
    trees: int = 150
    leaves: int = 8
    rate: float = 0.05
    calibrate: bool = True
    least: int = LEAST_OF_EACH
    fallback: bool = True
    threads: int = 1

    def __post_init__(self) -> None:
        if self.learner not in set(Learner):
            raise Refused(f"There is no learner {self.learner!r}.", fix=f"Use {' or '.join(Learner)}.")
        object.__setattr__(self, "learner", Learner(self.learner))
        if self.trees < 1 or self.leaves < 2 or not 0 < self.rate <= 1 or self.threads < 0:
            raise Refused("Trees need one round or more, two leaves or more, and a rate above 0 and up to 1.")
        if self.least < LEAST_FOR_BASELINE:
            raise Refused(f"The fewest rows of an outcome can't lie below {LEAST_FOR_BASELINE}.")


@dataclass(frozen=True, slots=True)
class Training:
    """What a classifier was fitted on.

    Args:
        fingerprint: of the rows and outcomes, in any order.
        folds: names the folds; of the rows in the order given.
        rows: how many.
        positives: of them.
        used: columns it rests on.
        dropped: columns it doesn't, each with its reason.
    """

    fingerprint: str
    folds: str
    rows: int
    positives: int
    used: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]

    @property
    def rate(self) -> Interval:
        """The share of positives, with Wilson's interval."""
        return wilson(self.positives, self.rows)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Training:
        """What ``dataclasses.asdict`` gave, through JSON."""
        dropped = tuple((name, reason) for name, reason in saved["dropped"])
        return cls(**{**saved, "used": tuple(saved["used"]), "dropped": dropped})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row's score lies above or below the average.

    Args:
        column: what it is about.
        value: of this row, or ``missing``.
        effect: what it adds to the log-odds before calibration.
    """

    column: str
    value: str
    effect: float

    @property
    def odds(self) -> float:
        """By how much it multiplies the odds."""
        return exp(self.effect)

    def sentence(self, label: str | None = None) -> str:
        """In words, as ``tenure is 1: the odds are 2.33 times the average's``.

        Args:
            label: how the column is called where the reader is.
        """
        return f"{label or self.column} is {self.value}: the odds are {self.odds:.2f} times the average's"


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier.

    Args:
        kind: what it is.
        said: the same in a sentence, with the reason where it is a fallback.
        learnt: what was learnt.
        calibration: how log-odds become chances.
        training: what it was fitted on.
        card: its figures out of fold; None for the base rate, and where the tested rows have one outcome.
    """

    kind: Kind
    said: str
    learnt: Trees | Logistic
    calibration: Calibration
    training: Training
    card: Card | None

    def score(self, table: Table) -> Floats:
        """The chance of each row; equal rows get equal chances, whatever rows stand beside them.

        Raises:
            UnknownName: for a column that it rests on and isn't there.
            Refused: for words where numbers were learnt, or the other way round.
        """
        return self.calibration.chances(self.learnt.log_odds(table))

    def explain(self, table: Table, most: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each row the columns that moved its score most, the strongest first; none where none did.

        Effects are SHAP values of the trees, or the terms of a logistic regression against their mean. They say what
        the score rests on, not what would change the customer's mind.

        Raises:
            UnknownName: for a column that it rests on and isn't there.
            Refused: for words where numbers were learnt, or the other way round.
        """
        effects, encoder = self.learnt.effects(table), self.learnt.encoder
        order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :most]
        return tuple(
            tuple(
                Reason(encoder.plans[i].name, encoder.shown(table, i, row), float(effects[row, i]))
                for i in order[row].tolist()
                if effects[row, i] != 0
            )
            for row in range(len(table))
        )

    def to_bytes(self) -> bytes:
        """As JSON, with LightGBM's own text for trees; nothing in it is run when it is read."""
        body = {
            "kind": self.kind.value,
            "said": self.said,
            "learnt": self.learnt.as_json(),
            "calibration": self.calibration.as_json(),
            "training": asdict(self.training),
            "card": None if self.card is None else asdict(self.card),
        }
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        return json.dumps({"format": _FORMAT, "check": _check(text), "body": text}).encode()

    @classmethod
    def from_bytes(cls, saved: bytes) -> Classifier:
        """What ``to_bytes`` gave; the scores are the same to the last bit.

        Raises:
            Refused: for anything else, another version, or bytes that were damaged.
        """
        body = _opened(saved)
        try:
            return cls(
                Kind(body["kind"]),
                body["said"],
                learnt_from_json(body["learnt"]),
                calibrations.from_json(body["calibration"]),
                Training.from_json(body["training"]),
                None if body["card"] is None else Card.from_json(body["card"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise Refused("The saved classifier lacks something.", fix="Fit the model again.") from error


@dataclass(frozen=True)
class Fitted:
    """A classifier with what it told of rows it hadn't seen.

    Args:
        model: fitted on all rows.
        trial: its scores out of fold; None for the base rate.
        baselines: the trials of the plain columns on the same folds, the best first.
    """

    model: Classifier
    trial: Trial | None
    baselines: tuple[Trial, ...]


def fit(
    table: Table, outcome: ArrayLike, folds: Folds, config: Config | None = None, *, baselines: Sequence[str] = ()
) -> Fitted:
    """Fit a classifier, try it out of fold, and try the baselines on the same folds.

    Args:
        table: what was known before the outcome.
        outcome: 0 or 1 a row.
        folds: who is tested when.
        config: how to fit.
        baselines: columns each of which alone is a baseline, as recency and frequency.

    Raises:
        Refused: for no rows, outcomes other than 0 and 1, folds of another length; and for too little data where
            the config allows no fallback.
        UnknownName: for a baseline that isn't a column.
    """
    how = config or Config()
    y = checked_outcome(outcome, len(table))
    if not y.size or len(folds) != y.size:
        raise Refused(f"A classifier needs rows, and a fold for each: {y.size} rows, {len(folds)} folds were given.")
    plain = _baselines(table, y, folds, baselines)
    lack = _lack(y, folds, how.least) or _bare(table)
    if lack is None:
        return _learnt(table, y, folds, how, plain)
    if not how.fallback:
        raise Refused(lack, fix="Take a longer window or a longer horizon, or allow a fallback.")
    return _fallback(table, y, folds, lack, plain)


def _learnt(table: Table, y: Floats, folds: Folds, how: Config, plain: tuple[Trial, ...]) -> Fitted:
    kind = Kind.TREES if how.learner is Learner.TREES else Kind.LOGISTIC
    learn = _learner(how)
    trial, calibration = tried(kind.value, learn, table, y, folds, calibrate=how.calibrate)
    said = f"A {kind.value} model" if kind is Kind.LOGISTIC else f"{how.trees} boosted trees of {how.leaves} leaves"
    said += f", calibration: {calibration.kind}."
    model = _classifier(kind, said, learn(table, y), calibration, table, y, folds, trial)
    return Fitted(model, trial, plain)


def _learner(how: Config) -> Callable[[Table, Floats], Trees | Logistic]:
    return Logistic.fit if how.learner is Learner.LOGISTIC else partial(_grown, how)


def _grown(how: Config, table: Table, y: Floats) -> Trees | Logistic:
    """Trees, or the base rate where the rows of a fold have no column worth keeping."""
    encoder = Encoder.of(table)
    if not encoder.plans:
        return Logistic.fit(table, y)
    return Trees.fit(table, y, encoder, trees=how.trees, leaves=how.leaves, rate=how.rate, threads=how.threads)


def _fallback(table: Table, y: Floats, folds: Folds, lack: str, plain: tuple[Trial, ...]) -> Fitted:
    """The best baseline that ranks better than chance where there are rows enough to say so, or the base rate."""
    enough = min(y.sum(), (1 - y).sum()) >= LEAST_FOR_BASELINE
    for trial in plain if enough else ():
        if trial.card().auc.low > 0.5:
            said = f"{lack} So this is the baseline {trial.name!r} alone."
            learnt = Logistic.fit(table.only([trial.name]), y)
            return Fitted(_classifier(Kind.BASELINE, said, learnt, AsItIs(), table, y, folds, trial), trial, plain)
    rate = wilson(float(y.sum()), y.size)
    said = f"{lack} So this is the base rate for everyone, {rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})."
    learnt = Logistic.fit(table.only([]), y)
    return Fitted(_classifier(Kind.BASE_RATE, said, learnt, AsItIs(), table, y, folds, None), None, plain)


def _classifier(
    kind: Kind,
    said: str,
    learnt: Trees | Logistic,
    calibration: Calibration,
    table: Table,
    y: Floats,
    folds: Folds,
    trial: Trial | None,
) -> Classifier:
    used = tuple(plan.name for plan in learnt.encoder.plans)
    training = Training(fingerprint(table, y), folds.mark(), len(table), int(y.sum()), used, learnt.encoder.dropped)
    return Classifier(kind, said, learnt, calibration, training, trial.card() if trial else None)


def _baselines(table: Table, y: Floats, folds: Folds, names: Sequence[str]) -> tuple[Trial, ...]:
    """The trials of single columns that can be judged, the least Brier score first."""
    found = []
    for name in dict.fromkeys(names):
        trial, _ = tried(name, Logistic.fit, table.only([name]), y, folds, calibrate=False)
        if 0 < trial.outcome.sum() < trial.outcome.size and trial.outcome.size >= LEAST_FOR_BASELINE:
            found.append((trial.card().brier, name, trial))
    return tuple(trial for _, _, trial in sorted(found, key=lambda f: f[:2]))


def _lack(y: Floats, folds: Folds, least: int) -> str | None:
    """Why a model can't be learnt from all columns, or None."""
    for value, word in ((1.0, "positives"), (0.0, "negatives")):
        n = int((y == value).sum())
        if n < least:
            return f"There are {n} {word} among {y.size:,} rows; a model needs {least} or more."
        for seen, _ in folds.splits():
            if (n := int((y[seen] == value).sum())) < LEAST_FOR_BASELINE:
                return f"A fold has {n} {word} to learn from; it needs {LEAST_FOR_BASELINE} or more."
    tested = [y[unseen] for _, unseen in folds.splits()]
    if not tested or min((np.concatenate(tested) == value).sum() for value in (0.0, 1.0)) < LEAST_FOR_BASELINE:
        return f"The tested folds have fewer than {LEAST_FOR_BASELINE} rows of an outcome."
    return None


def _bare(table: Table) -> str | None:
    encoder = Encoder.of(table)
    return None if encoder.plans else f"No column is left to learn from. {encoder.reasons()}"


def _check(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _opened(saved: bytes) -> dict[str, Any]:
    fix = "Fit the model again."
    try:
        outer = json.loads(saved)
        known = outer["format"] == _FORMAT
        text = outer["body"]
        whole = known and _check(text) == outer["check"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused("These bytes are no saved classifier.", fix=fix) from error
    if not whole:
        problem = "The saved classifier is damaged." if known else "The classifier was saved by another version."
        raise Refused(problem, fix=fix)
    body: dict[str, Any] = json.loads(text)
    return body
