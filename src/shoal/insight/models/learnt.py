"""What the kinds on the classifier share: rows at several cuts, a fit beside its baselines, and how both are judged."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.contest import Contest, Ranking
from shoal.insight.models.features import features, unchanged
from shoal.insight.models.learning import calibration as calibrations
from shoal.insight.models.learning import classifier as classifiers
from shoal.insight.models.learning.calibration import LEAST_FOR_CURVE, AsItIs, Isotonic
from shoal.insight.models.learning.classifier import LEAST_FOR_BASELINE, Classifier, Config, Learner, fit
from shoal.insight.models.learning.folds import Folds
from shoal.insight.models.learning.learners import Logistic, learnt_from_json
from shoal.insight.models.learning.table import Column, Numbers, Table, Words, ranks_of_keys
from shoal.insight.models.model import Measure
from shoal.stats import scoring
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.features import Plan
    from shoal.insight.models.learning.classifier import Reason
    from shoal.insight.models.learning.learners import Trees
    from shoal.insight.models.learning.table import Floats, Whole
    from shoal.insight.models.model import Settings
    from shoal.stats.intervals import Interval

MODEL = "model"
BASE_RATE = "base rate"
MOST_ROWS = 120_000
MOST_CUTS = 6
LEAST_THERE = 50
LEAST_JUDGED = 50
READ, SCORED = 500_000, 50_000
"""Rows that are read, and that are scored, at once: reading costs a pass over the events, scoring costs memory."""
_WARM_UP = 90
_SHARE_OF_STEP = 3
_SEED = 4
_TELLS_ALL = 0.95
_ROWS_TO_TELL = 5000
_MANY, _TREES, _FEW_TREES = 1500, 150, 75


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Rows to learn from.

    Args:
        table: what was known, one row a customer at a cut.
        outcome: what came, 0 or 1.
        cuts: the cut of each row.
        owners: the customer of each row.
    """

    table: Table
    outcome: Floats
    cuts: Whole
    owners: Whole

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def of(cls, table: Table, outcome: npt.NDArray[Any], cut: int, owners: npt.NDArray[Any]) -> Cases:
        """Rows of one cut."""
        y = outcome.astype(np.float64)
        return cls(table, y, np.full(len(table), cut, dtype=np.int64), owners.astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Cases]) -> Cases:
        """The rows of several cuts, each row's key with its ``@cut``; their tables have the same columns."""
        if len(parts) == 1:
            return parts[0]
        columns = [_joined([p.table.columns[i] for p in parts]) for i in range(len(parts[0].table.columns))]
        keys = [f"{key}@{cut}" for p in parts for key, cut in zip(p.table.keys, p.cuts.tolist(), strict=True)]
        table = Table.of(keys, columns)
        outcome, cuts, owners = (
            np.concatenate([getattr(p, name) for p in parts]) for name in ("outcome", "cuts", "owners")
        )
        return cls(table, outcome, cuts, owners)

    def folds(self, horizon: int) -> tuple[Folds, str]:
        """Who is tested when: later cuts by what earlier ones taught, or else customers by other customers.

        Args:
            horizon: microseconds from a cut until its outcome is known.

        Returns:
            The folds, and how they were made, in words.
        """
        cuts = np.unique(self.cuts)
        if cuts.size == 1 and min(self.outcome.sum(), (1 - self.outcome).sum()) >= 5:
            words = "customers by a model of other customers at the same instant, which says nothing of other times"
            return Folds.stratified(self.table, self.outcome, seed=_SEED), words
        for first in cuts.tolist():
            before, tested = self.cuts + horizon <= first, self.cuts >= first
            if self._suffices(before) and self._suffices(tested):
                return self._by_time(first, horizon), "each cut by a model of what was known before it"
        words = "customers by a model of other customers, since too little was known before each cut"
        return Folds.by_owner([str(o) for o in self.owners.tolist()], seed=_SEED), words

    def _suffices(self, rows: npt.NDArray[np.bool_]) -> bool:
        positives = int(self.outcome[rows].sum())
        return min(positives, int(rows.sum()) - positives) >= LEAST_FOR_BASELINE

    def _by_time(self, first: int, horizon: int) -> Folds:
        """Folds that test the cuts from ``first`` on; those before it only teach."""
        names = np.unique(self.cuts[self.cuts >= first])
        number = np.where(self.cuts < first, 0, 1 + np.searchsorted(names, self.cuts, "left"))
        return Folds(number.astype(np.int64), 1 + np.searchsorted(names, self.cuts + horizon, "left").astype(np.int64))


def _joined(parts: Sequence[Column]) -> Column:
    first = parts[0]
    if isinstance(first, Words):
        return Words(first.name, first.levels, np.concatenate([p.recoded(first.levels) for p in parts]))  # type: ignore[union-attr]
    return Numbers(first.name, np.concatenate([p.values for p in parts]))  # type: ignore[union-attr]


# ---------------------------------------------------------------- cuts and rows


def cuts(known: AsOf, horizon: int, *, most: int = MOST_CUTS) -> list[int]:
    """The cuts to learn at: a horizon apart where the history bears three, else nearer; the earliest first.

    The last one lies a horizon before the end, so that its outcome is known.

    Args:
        known: the store as of the end.
        horizon: days.
        most: how many cuts.

    Raises:
        Refused: fewer than 50 customers were there long enough before a horizon ago.
    """
    found = _spaced(known, horizon, horizon, most)
    if not found:
        days = horizon + _warm(horizon)
        raise Refused(
            f"Customers known {days} days ago: {_there(known, known.at - days * DAY):,}. A model needs {LEAST_THERE} or "
            f"more, with {_warm(horizon)} days of history and {horizon} days in which what is foretold could come.",
            fix="Take a shorter horizon, or wait for a longer history.",
        )
    if len(found) < _SHARE_OF_STEP:
        nearer = _spaced(known, horizon, max(1, -(-horizon // _SHARE_OF_STEP)), most)
        # Cuts that are all nearer than a horizon can't be tried in the order of time; then one of them is enough.
        found = nearer if nearer[0] + horizon * DAY <= nearer[-1] else found
    return found


def _spaced(known: AsOf, horizon: int, step: int, most: int) -> list[int]:
    found = []
    for back in range(most):
        cut = known.at - (horizon + back * step) * DAY
        if _there(known, cut - _warm(horizon) * DAY) < LEAST_THERE:
            break
        found.append(cut)
    return found[::-1]


def _warm(horizon: int) -> int:
    """The days of history that a cut needs before it: what was known sooner says next to nothing."""
    return min(horizon, _WARM_UP)


def _there(known: AsOf, at: int) -> int:
    with known.before(at) as before:
        return int(before.customers.size)


def drawn(keys: npt.NDArray[Any], rows: Whole, most: int) -> Whole:
    """At most so many of the rows, drawn by the customers' keys and nothing else."""
    if rows.size <= most:
        return rows
    rank = ranks_of_keys([str(k) for k in keys[rows].tolist()], _SEED)
    return rows[rank < most]


def tables(known: AsOf, plan: Plan, rows: Whole) -> Iterator[tuple[slice, Table]]:
    """What is known of the rows, in parts: where each lies in them, and its table."""
    for first in range(0, rows.size, READ):
        whole = features(known, plan, rows[first : first + READ])
        for begin in range(0, len(whole), SCORED):
            end = min(begin + SCORED, len(whole))
            yield slice(first + begin, first + end), whole.take(np.arange(begin, end))


# ---------------------------------------------------------------- a fit and its baselines


@dataclass(frozen=True)
class Plain:
    """A baseline: one column alone, as chances that rise or fall with it however the data say.

    Args:
        learnt: a logistic regression on the column, or on none.
        calibration: bends it to what came.
    """

    learnt: Logistic | Trees
    calibration: calibrations.Calibration

    @classmethod
    def of(cls, table: Table, outcome: Floats, column: str | None) -> Plain:
        """Fit it; a stepwise curve is added where there are rows enough for one."""
        learnt = Logistic.fit(table.only([column] if column else []), outcome)
        odds = learnt.log_odds(table)
        curved = column is not None and outcome.size >= LEAST_FOR_CURVE and 0 < outcome.sum() < outcome.size
        return cls(learnt, Isotonic.fit(odds, outcome) if curved else AsItIs())

    def chances(self, table: Table) -> Floats:
        """The chance of each row."""
        return self.calibration.chances(self.learnt.log_odds(table))

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"learnt": self.learnt.as_json(), "calibration": self.calibration.as_json()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Plain:
        """What ``document`` gave."""
        return cls(learnt_from_json(document["learnt"]), calibrations.from_json(document["calibration"]))


@dataclass(frozen=True)
class Learnt:
    """A classifier with the baselines that were fitted on the same rows.

    Args:
        classifier: what scores.
        plain: the baselines by name; the base rate is one of them.
    """

    classifier: Classifier
    plain: Mapping[str, Plain]

    def chances(self, table: Table) -> Floats:
        """The chance of each row."""
        return self.classifier.score(table)

    def everyone(self, table: Table) -> dict[str, Floats]:
        """The chances of the model, and then of each baseline."""
        return {MODEL: self.chances(table), **{who: plain.chances(table) for who, plain in self.plain.items()}}

    def everywhere(self, parts: Iterable[Table]) -> dict[str, Floats]:
        """As ``everyone``, of a table that comes in parts."""
        found: dict[str, list[Floats]] = {}
        for table in parts:
            for who, told in self.everyone(table).items():
                found.setdefault(who, []).append(told)
        return {who: np.concatenate(told) for who, told in found.items()}

    @property
    def fallback(self) -> str:
        """Why it is no model proper, or empty."""
        simpler = self.classifier.kind in (classifiers.Kind.BASELINE, classifiers.Kind.BASE_RATE)
        return self.classifier.said if simpler else ""

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        saved = b64encode(self.classifier.to_bytes()).decode()
        return {"classifier": saved, "plain": {who: plain.document() for who, plain in self.plain.items()}}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Learnt:
        """What ``document`` gave, through JSON; the scores are the same to the last bit."""
        plain = {who: Plain.from_document(one) for who, one in document["plain"].items()}
        return cls(Classifier.from_bytes(b64decode(document["classifier"])), plain)


@dataclass(frozen=True)
class Taught:
    """A fit with what it showed.

    Args:
        learnt: the model with its baselines.
        measures: out of fold.
        notes: what to know of it.
        trial: the outcomes and chances out of fold; None for the base rate.
    """

    learnt: Learnt
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]
    trial: tuple[Floats, Mapping[str, Floats]] | None


def teach(cases: Cases, settings: Settings, baselines: Mapping[str, str], horizon: int) -> Taught:
    """Fit a classifier and its baselines, out of fold first.

    Args:
        cases: the rows.
        settings: ``learner`` among the options.
        baselines: the column behind each baseline, by the baseline's name.
        horizon: days from a cut until its outcome is known; 0 for a model of one instant.

    Raises:
        Refused: there are no rows, or one outcome only.
    """
    y = cases.outcome
    if not y.size:
        raise Refused(
            "At no earlier instant was a customer there of whom it could have come true, so there is nothing to learn.",
            fix="Take another outcome, or wait for a longer history.",
        )
    if not 0 < y.sum() < y.size:
        which = "nobody" if not y.sum() else "everybody"
        raise Refused(
            f"Among {counted(y.size, 'customer')} at "
            f"{counted(np.unique(cases.cuts).size, 'instant')} it came true of {which}, so there is "
            "nothing to learn.",
            fix="Take another outcome, a longer horizon, or wait for a longer history.",
        )
    folds, words = cases.folds(horizon * DAY)
    found = fit(cases.table, y, folds, _config(settings, y), baselines=list(baselines.values()))
    plain = {who: Plain.of(cases.table, y, column) for who, column in baselines.items()}
    learnt = Learnt(found.model, {**plain, BASE_RATE: Plain.of(cases.table, y, None)})
    names = {column: who for who, column in baselines.items()}
    told = {} if found.trial is None else {MODEL: found.trial.chance}
    told |= {names[t.name]: t.chance for t in found.baselines}
    if found.trial is not None:
        told[BASE_RATE] = np.full(found.trial.outcome.size, found.trial.outcome.mean())
    trial = None if found.trial is None else (found.trial.outcome, told)
    measures = () if trial is None else tuple(_out_of_fold(*trial))
    notes = [f"Out of fold means: {words}.", f"It learnt from {y.size:,} rows, {int(y.sum()):,} of them positive."]
    return Taught(learnt, measures, (*notes, *_dropped(found.model)), trial)


def _config(settings: Settings, outcome: Floats) -> Config:
    """How to fit: few cases bear few trees, or what is learnt of one cut doesn't hold at the next."""
    few = min(outcome.sum(), (1 - outcome).sum()) < _MANY
    learner = Learner(settings.options.get("learner") or Learner.TREES)
    return Config(learner, trees=_FEW_TREES if few else _TREES)


def _dropped(model: Classifier) -> list[str]:
    """The columns that aren't used, with the reasons."""
    if not model.training.dropped:
        return []
    said = "; ".join(f"{name}: {reason}" for name, reason in model.training.dropped)
    return [f"Left out were {said}."]


def alone(cases: Cases) -> dict[str, float]:
    """How well each column ranks by itself (AUC, on rows that it was fitted on), the best first; a sample suffices."""
    places = np.arange(len(cases))
    rows = drawn(places, places, _ROWS_TO_TELL)
    table, y = cases.table.take(rows), cases.outcome[rows]
    if not 0 < y.sum() < y.size:
        return {}
    found = {c.name: scoring.auc(y, Plain.of(table, y, c.name).chances(table)) for c in table.columns}
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def tells_all(ranked: Mapping[str, float]) -> list[str]:
    """A warning of columns that nearly tell the outcome by themselves: they may have been written after it."""
    found = [name for name, value in ranked.items() if value >= _TELLS_ALL]
    if not found:
        return []
    return [
        f"{', '.join(found)} nearly tells the outcome alone. If it is written after the outcome, the model only reads "
        "the answer: leave it out with `without`."
    ]


def without(settings: Settings) -> frozenset[str]:
    """The traits and events that the settings leave out."""
    return frozenset(settings.options.get("without") or ())


def undated(known: AsOf, since: int, plan: Plan) -> list[str]:
    """A warning of traits that nobody got or changed since the first cut: they may know what came later."""
    with known.before(since) as first:
        still = unchanged(known, first, plan)
    if not still:
        return []
    return [
        f"Nobody's value of {', '.join(still)} has changed since {known.dated(since)}. If a file without dates says it, it may "
        "know what came later; leave it out with `without` then."
    ]


# ---------------------------------------------------------------- judging


def measures_of(who: str, outcome: Floats, chance: Floats) -> Iterator[Measure]:
    """The figures of some chances: Brier score, its skill, AUC, calibration error and lift of the top tenth."""
    n = int(outcome.size)
    ranked = scoring.auc_interval(outcome, chance)
    wrong = _mean((outcome - chance) ** 2)
    yield Measure(who, "brier", wrong.value, wrong.low, wrong.high, n)
    yield Measure(who, "brier skill", scoring.brier_skill(outcome, chance), n=n)
    yield Measure(who, "auc", ranked.value, ranked.low, ranked.high, n)
    yield Measure(who, "ece", scoring.calibration_error(outcome, chance).value, n=n)
    yield Measure(who, "lift@10%", scoring.lift_at(outcome, chance), n=n)


def _mean(values: Floats) -> Interval:
    return scoring.paired_difference(values, np.zeros(values.size))


def _out_of_fold(outcome: Floats, chances: Mapping[str, Floats]) -> Iterator[Measure]:
    if outcome.size < LEAST_JUDGED or not 0 < outcome.sum() < outcome.size:
        return
    for who, chance in chances.items():
        for m in measures_of(who, outcome, chance):
            yield Measure(m.who, f"{m.what} out of fold", m.value, m.low, m.high, m.n)


def contest_of(
    owners: npt.NDArray[Any], outcome: Floats, chances: Mapping[str, Floats], *, ranked: bool = False
) -> Contest:
    """The squared errors of the model and its baselines, by customer; they are what Brier's score is the mean of.

    Args:
        owners: the customer of each row, of whom there may be several.
        outcome: what came.
        chances: by contender, the model first.
        ranked: each row is a customer of their own, so that their order can be judged too.
    """
    ranking = Ranking(outcome, chances) if ranked else None
    return Contest.of_rows(owners, {who: (outcome - chance) ** 2 for who, chance in chances.items()}, ranking)


def hold_judgeable(outcome: Floats) -> None:
    """Refuse to judge by too few rows or by one outcome.

    Raises:
        Refused: with the numbers.
    """
    if outcome.size < LEAST_JUDGED or not 0 < outcome.sum() < outcome.size:
        raise Refused(
            f"Of {counted(outcome.size, 'customer')} it came true of {int(outcome.sum()):,}: nothing can be judged by that.",
            fix="Take another horizon, or wait for a longer history.",
        )


def frames_of(outcome: Floats, chance: Floats) -> dict[str, list[dict[str, Any]]]:
    """Rows for charts of calibration and of deciles; see ``model.FRAMES``."""
    bins = scoring.reliability(outcome, chance)
    calibration = [
        {"foretold": b.predicted, "came": b.observed.value, "low": b.observed.low, "high": b.observed.high, "n": b.n}
        for b in bins
    ]
    means = _means_by_tier(chance)
    deciles = [
        {"decile": t.tier, "n": t.n, "foretold": means[t.tier - 1], "came": t.rate, "lift": t.lift, "gain": t.gain}
        for t in scoring.lift_table(outcome, chance)
    ]
    return {"calibration": calibration, "deciles": deciles}


def _means_by_tier(chance: Floats) -> list[float]:
    ordered = np.sort(chance)[::-1]
    edges = np.round(np.arange(11) * chance.size / 10).astype(np.int64)
    return [float(ordered[a:b].mean()) for a, b in pairwise(edges)]


# ---------------------------------------------------------------- words


def in_short(reasons: Sequence[Reason]) -> str | None:
    """The reasons as one text; None where nothing moved the score."""
    said = [f"{r.column}: {_shown(r.value)} ({'raises' if r.effect > 0 else 'lowers'} it)" for r in reasons]
    return "; ".join(said) or None


def in_full(reasons: Sequence[Reason]) -> tuple[str, ...]:
    """The reasons with what each does to the odds, the weightiest first."""
    return tuple(f"{r.column}: {_shown(r.value)} (the odds are {r.odds:.2f} times the average's)" for r in reasons)


def _shown(value: str) -> str:
    return "not known" if value == "missing" else value
