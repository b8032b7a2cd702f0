"""An outcome that is asked for in the segment language: the chance that a condition comes true within the horizon.

It is learnt at earlier instants: who was there and of whom it wasn't so yet, what was known of them then, and whether it
was so a horizon later. Where there is no history but one table of customers, some of whom have left (``at: now``), it is
learnt across customers at one instant; then the traits that the condition names are no features, since they are the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import DefinitionError, Refused
from shoal.insight.models import learnt as shared
from shoal.insight.models.features import Plan, Reader, features, frequency, recency
from shoal.insight.models.learnt import Cases, Learnt, Taught
from shoal.insight.models.model import Backtest, Evidence, Judged, Model, Period, Score
from shoal.lang.check import check
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.references import event_names, references
from shoal.lang.say import say
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.learning.table import Whole
    from shoal.insight.models.model import Settings
    from shoal.lang.nodes import Condition
    from shoal.lang.schema import Schema

    Mask = npt.NDArray[np.bool_]

PREDICT, FOR = "predict", "for"
NOW, KEEP = "now", "keep"
REASONS = 2


@dataclass(frozen=True)
class Asked:
    """What is foretold of whom, read from the settings.

    Args:
        conditions: the condition that is foretold, and the one that says of whom where there is one.
        traits: customers' traits that the condition names, also through segments.
        events: event types that it names.
        without: traits and events to leave out besides.
        now: whether it is learnt across customers at one instant.
        keep: whether those of whom it is so already are kept.
        horizon: days.
    """

    conditions: Mapping[str, Definition]
    traits: frozenset[str]
    events: frozenset[str]
    without: frozenset[str]
    now: bool
    keep: bool
    horizon: int

    @classmethod
    def of(cls, settings: Settings, schema: Schema) -> Asked:
        """Read and check.

        Raises:
            Refused: a condition isn't accepted, or names what isn't there.
        """
        options = settings.options
        conditions = {
            key: _read(settings.name, key, str(options[key]), schema) for key in (PREDICT, FOR) if options.get(key)
        }
        traits, events = named(conditions[PREDICT].where, schema)
        without = shared.without(settings)
        now, keep = options.get("at") == NOW, options.get("already") == KEEP
        return cls(conditions, traits, events, without, now, keep, settings.horizon)

    @property
    def left_out(self) -> frozenset[str]:
        """What may be no feature. The condition's own traits never are; at one instant, neither are its events."""
        return self.without | self.traits | (self.events if self.now else frozenset())

    def words(self, schema: Schema) -> str:
        """What is foretold, in one sentence."""
        what = say(self.conditions[PREDICT].where, schema)
        whom = "everybody"
        if FOR in self.conditions:
            whom = f"those of whom this holds: {say(self.conditions[FOR].where, schema)}"
        if self.now:
            return f"Whether this is so at the same instant as what is known of a customer: {what}; asked of {whom}."
        already = "kept" if self.keep else "left out"
        return (
            f"Whether {self.horizon} days later this is so: {what}; asked of {whom}; those of whom it is so already are "
            f"{already}."
        )


def _read(model: str, key: str, text: str, schema: Schema) -> Definition:
    try:
        where = parse(text)
        check(where, schema, text=text)
    except DefinitionError as error:
        raise Refused(f"`{key}` of the model {model}: {error.problem}", fix=error.fix) from error
    return Definition(key, key, where)


def named(condition: Condition, schema: Schema) -> tuple[frozenset[str], frozenset[str]]:
    """The traits and event types that a condition rests on, also through the segments that it names."""
    traits: set[str] = set()
    events: set[str] = set()
    waiting, seen = [condition], set[str]()
    while waiting:
        found = references(waiting.pop())
        traits |= found.traits
        for name in found.events:
            events.update(event_names(name, schema.events))
        new = [slug for slug in found.segments - seen if slug in schema.segments]
        seen.update(new)
        waiting += [schema.segments[slug].where for slug in new]
    return frozenset(traits), frozenset(events)


class Outcome(Model):
    """The chance that a condition comes true.

    Args:
        settings: what it was fitted with.
        evidence: what it rests on.
        plan: which columns it reads.
        learnt: the classifier with its baselines.
    """

    title = "an outcome that is asked for in the segment language"
    by = (
        "brier"  # The chances themselves are written, so they must be right; the order of customers alone isn't enough.
    )
    higher = False

    def __init__(self, settings: Settings, evidence: Evidence, plan: Plan, learnt: Learnt) -> None:
        super().__init__(settings, evidence)
        self.plan, self.learnt = plan, learnt

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Outcome:
        """Learn at earlier cuts, or across customers at one instant; see the base class."""
        found, _ = cls._taught(known, settings)
        return found

    @classmethod
    def _taught(cls, known: AsOf, settings: Settings) -> tuple[Outcome, Taught]:
        asked = Asked.of(settings, known.schema)
        cuts = [known.at] if asked.now else _cuts(known, asked)
        plan = Plan.of(known, asked.left_out, since=cuts[0])
        cases = Cases.joined([cases_of(known, asked, plan, cut, len(cuts)) for cut in cuts])
        horizon = 0 if asked.now else asked.horizon
        ranked = shared.alone(cases)
        baselines = _baselines(plan, ranked)
        taught = shared.teach(cases, settings, baselines, horizon)
        notes = [*taught.notes, *shared.tells_all(ranked), *_doubts(known, cuts[0], plan, asked)]
        evidence = Evidence(
            asked.words(known.schema),
            cuts[0],
            known.at,
            taught.learnt.classifier.training.fingerprint,
            int(np.unique(cases.owners).size),
            taught.measures,
            tuple(notes),
            taught.learnt.fallback,
        )
        return cls(settings, evidence, plan, taught.learnt), taught

    # ------------------------------------------------------------ scoring

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """The chance and its two strongest reasons, of whom it can still come true."""
        rows = _at_risk(known, Asked.of(self.settings, known.schema))
        chance = np.empty(rows.size)
        reasons: list[str | None] = []
        for here, table in shared.tables(known, self.plan, rows):
            chance[here] = self.learnt.chances(table)
            reasons += [shared.in_short(r) for r in self.learnt.classifier.explain(table, REASONS)]
        owners = known.customers[rows]
        name = _trait(self.settings)
        return (
            Score(name, Kind.NUMBER, self._says(), owners, chance),
            Score(f"{name}_reason", Kind.TEXT, f"What moves {name} most, against the average.", owners, reasons),
        )

    def _says(self) -> str:
        return f"The chance, 0 to 1. {self.evidence.label} {self.learnt.classifier.said}"

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """What moved the customer's chance, as odds against the average."""
        place, there = known.rows(np.array([customer], dtype=np.int32))
        if not there[0] or place[0] not in _at_risk(known, Asked.of(self.settings, known.schema)):
            return ("It isn't foretold of this customer: it is so already, or the model isn't for them.",)
        table = features(known, self.plan, place)
        return shared.in_full(self.learnt.classifier.explain(table)[0])

    # ------------------------------------------------------------ judging

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Against what came of those of whom it wasn't so yet."""
        asked = replace(Asked.of(self.settings, after.schema), now=False)
        rows, outcome = _labelled(before, after, asked)
        y = outcome.astype(np.float64)
        shared.hold_judgeable(y)
        whole = self.learnt.everywhere(table for _, table in shared.tables(before, self.plan, rows))
        measures = [m for who, told in whole.items() for m in shared.measures_of(who, y, told)]
        contest = shared.contest_of(before.customers[rows], y, whole, ranked=True)
        return Judged(int(y.size), tuple(measures), shared.frames_of(y, whole[shared.MODEL]), contest)

    @classmethod
    def backtest(cls, known: AsOf, settings: Settings, periods: int = 3) -> Backtest:
        """As the base class; at one instant there is no earlier cut, and the customers' folds stand for it."""
        if settings.options.get("at") != NOW:
            return super().backtest(known, settings, periods)
        model, taught = cls._taught(known, settings)
        if taught.trial is None:
            raise Refused(f"The model {settings.name} can't be tried out of fold. {model.evidence.fallback}")
        y, chances = taught.trial
        shared.hold_judgeable(y)
        measures = tuple(m for who, told in chances.items() for m in shared.measures_of(who, y, told))
        # At one instant each row is a customer of their own.
        leads = cls.leads(shared.contest_of(np.arange(y.size), y, chances, ranked=True))
        period = Period(known.at, known.at, int(y.size), measures, leads)
        frames = shared.frames_of(y, chances[shared.MODEL])
        return Backtest(model.evidence.label, (period,), cls.by, cls.higher, frames, model.evidence.notes[:1])

    # ------------------------------------------------------------ keeping

    def state(self) -> dict[str, Any]:
        """The plan, the classifier and its baselines."""
        return {"plan": self.plan.document(), "learnt": self.learnt.document()}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Outcome:
        """The model of ``state``."""
        return cls(settings, evidence, Plan.from_document(state["plan"]), Learnt.from_document(state["learnt"]))


def _trait(settings: Settings) -> str:
    """The trait's name: with the horizon, or with ``now`` where there is none."""
    return f"{settings.name}_now" if settings.options.get("at") == NOW else f"{settings.name}_{settings.horizon}d"


def _baselines(plan: Plan, ranked: Mapping[str, float]) -> dict[str, str]:
    """Recency and frequency; where customers do nothing that is recorded, the trait that tells most by itself."""
    if plan.orders or plan.events:
        return {"recency": recency(plan), "frequency": frequency(plan)}
    return {f"{name} alone": name for name in list(ranked)[:1]}


def _cuts(known: AsOf, asked: Asked) -> list[int]:
    try:
        return shared.cuts(known, asked.horizon)
    except Refused as refusal:
        fix = "Take a shorter horizon, or wait for a longer history. Where one file says who has left already: at: now."
        raise Refused(refusal.problem, fix=fix) from refusal


# ---------------------------------------------------------------- who, and what came


def _population(known: AsOf, asked: Asked) -> tuple[Mask, Mask]:
    """Of ``known.customers``, whom the model is for, and of whom it is so."""
    held = known.holds(asked.conditions)
    return held.get(FOR, np.ones(len(known.customers), dtype=bool)), held[PREDICT]


def _at_risk(known: AsOf, asked: Asked) -> Whole:
    """The places of those who are scored."""
    chosen, so = _population(known, asked)
    return np.flatnonzero(chosen if asked.keep and not asked.now else chosen & ~so)


def _labelled(before: AsOf, after: AsOf, asked: Asked) -> tuple[Whole, Mask]:
    """The places in ``before.customers`` of those who are learnt from or judged, and whether it came true of each."""
    if asked.now:
        chosen, so = _population(before, asked)
        rows = np.flatnonzero(chosen & _told(before, asked))
        return rows, so[rows]
    rows = _at_risk(before, asked)
    came = after.holds({PREDICT: asked.conditions[PREDICT]})[PREDICT]
    place, there = after.rows(before.customers[rows])
    return rows[there], came[place[there]]


def _told(known: AsOf, asked: Asked) -> Mask:
    """Of whom the traits of the condition are known: of others nobody knows whether it is so."""
    told = np.ones(len(known.customers), dtype=bool)
    for name in sorted(asked.traits):
        trait = known.registry.trait(name)
        if trait is None:
            continue
        table = known.arrow(f"SELECT owner AS customer, 1 AS there FROM ({known.trait(trait)}) WHERE value IS NOT NULL")
        told &= Reader(known, np.arange(len(known.customers))).values(table, "there", 0.0) > 0
    return told


def cases_of(known: AsOf, asked: Asked, plan: Plan, cut: int, cuts: int) -> Cases:
    """The rows of one cut.

    Args:
        known: the store as of the end.
        asked: what is foretold of whom.
        plan: which columns.
        cut: the instant.
        cuts: how many cuts share the rows that are learnt from at most.
    """
    after_at = cut if asked.now else cut + asked.horizon * DAY
    with known.before(after_at) as after, known.before(cut) as before:
        rows, outcome = _labelled(before, after, asked)
        keys = before.customers[rows]
        kept = shared.drawn(keys, np.arange(rows.size), shared.MOST_ROWS // cuts)
        return Cases.of(features(before, plan, rows[kept]), outcome[kept], cut, keys[kept])


def _doubts(known: AsOf, since: int, plan: Plan, asked: Asked) -> list[str]:
    """What the reader should know of where the columns come from."""
    notes = []
    if asked.traits:
        notes.append(f"No feature are the traits of the condition itself: {', '.join(sorted(asked.traits))}.")
    if asked.now:
        notes.append(
            "It is learnt at one instant: what is known of those of whom it is so may have been written after it came "
            "about. It says who looks like them, and not when."
        )
        return notes
    return [*notes, *shared.undated(known, since, plan)]
