"""What every model is: settings in, a fit, scores as traits, reasons, a backtest, and a state that can be kept.

A model reads the store through ``AsOf`` alone, so what it may know ends at an instant. How it is called, by the workspace:

    model = Kind.fitted(known, settings)         # raises Refused where the data doesn't suffice
    model.scores(known)                          # traits to be written, as of the same instant or a later one
    model.reasons(known, customer)               # in plain words
    model.judged(before, after)                  # how well it foretells from one instant what is known at a later one
    Kind.backtest(known, settings)               # fits at earlier cuts, and judges by what came
    model.state(), Kind.restored(settings, evidence, state)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.contest import Lead
from shoal.stats.intervals import Interval, z_value
from shoal.stats.pooling import pooled
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.contest import Contest
    from shoal.lang.schema import Kind


@dataclass(frozen=True, slots=True)
class Settings:
    """A model as the workspace has it.

    Args:
        name: its name; traits and versions bear it.
        kind: a key of ``insight.models.kinds.KINDS``.
        horizon: days that it looks ahead.
        options: what else its kind takes, checked by ``config.models``.
    """

    name: str
    kind: str
    horizon: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def looks(self) -> str:
        """How far it looks ahead, in words.

        >>> Settings("churn", "churn", 90).looks
        '90 days'
        >>> Settings("churn", "churn", 366, {"period": "year", "ahead": 1}).looks
        '1 year'
        """
        many = self.options.get("ahead", self.horizon)
        one = self.options.get("period", "day")
        return f"{many:,} {one if many == 1 else f'{one}s'}"

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"kind": self.kind, "horizon": self.horizon, "options": dict(self.options)}


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of how well something foretold.

    Args:
        who: the model, or a baseline such as ``recency``.
        what: the measure, as ``auc``, ``brier``, ``mae``, ``total error``; lower case.
        value: None where it can't be had.
        low: the lower end of its interval, where there is one.
        high: the upper end.
        n: how many customers it rests on.
    """

    who: str
    what: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a fitted model rests on, and how well it did where it couldn't know the answer.

    Args:
        label: what is foretold, in one sentence: who, what, over which time.
        since: the first instant that it learnt from.
        until: the last one.
        fingerprint: of the data that it learnt from, in any order of rows.
        customers: how many.
        measures: of the model and of its baselines on what it hadn't seen.
        notes: what to know before relying on it.
        fallback: where the data didn't suffice for the model proper: why, and what stands in its place. Else empty.
        leads: how far the model was ahead of each baseline in the measure that decides, on the last trial.
    """

    label: str
    since: int
    until: int
    fingerprint: str
    customers: int
    measures: tuple[Measure, ...] = ()
    notes: tuple[str, ...] = ()
    fallback: str = ""
    leads: tuple[Lead, ...] = ()

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Evidence:
        """What ``document`` gave, through JSON."""
        measures = tuple(Measure(**one) for one in document["measures"])
        leads = tuple(Lead(**one) for one in document.get("leads", ()))
        return cls(**{**document, "measures": measures, "notes": tuple(document["notes"]), "leads": leads})


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A column of scores: a trait that is to be written.

    Args:
        name: the trait's name; a horizon stands in it, as ``churn_90d``.
        kind: NUMBER, DATE, TEXT, TEXTS or YESNO.
        says: what it is and how it comes about, in one sentence; kept with the trait.
        owners: keys of customers.
        values: one an owner: numbers (NaN: none), days since 1970 as numbers (NaN: none), or objects (None: none).
        event_driven: follows from the model's frozen parameters and the customer's own events, so that it is worked out
            anew when they buy; else it changes when models are run.
    """

    name: str
    kind: Kind
    says: str
    owners: npt.NDArray[Any]
    values: npt.NDArray[Any] | Sequence[Any]
    event_driven: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """How well a fitted model foretold.

    Args:
        customers: whose outcomes were looked at.
        measures: of the model first, then of its baselines.
        frames: rows for charts by name: ``calibration``, ``deciles``, ``frequency``, ``weeks``; see ``FRAMES``.
        contest: what the model and its baselines scored of each customer in the measure that decides.
    """

    customers: int
    measures: tuple[Measure, ...]
    frames: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    contest: Contest | None = None


FRAMES: Mapping[str, tuple[str, ...]] = {
    "calibration": ("foretold", "came", "low", "high", "n"),
    "deciles": ("decile", "n", "foretold", "came", "lift", "gain"),
    "frequency": ("frequency", "customers", "foretold", "came"),
    "weeks": ("week", "foretold", "came", "foretold_sum", "came_sum"),
}
"""The columns of each frame for charts.

``calibration``: mean chance of a bin, share that came with its interval. ``deciles``: from the highest scores (1) down;
``foretold`` and ``came`` are means, ``lift`` is against the mean of all, ``gain`` the share of all that came in this
decile and those above. ``frequency``: orders in the holdout by repeat orders before. ``weeks``: repeat orders of all.
"""


@dataclass(frozen=True, slots=True)
class Period:
    """One cut of a backtest: fitted on what was known at ``cut``, judged by what came until ``until``."""

    cut: int
    until: int
    customers: int
    measures: tuple[Measure, ...]
    leads: tuple[Lead, ...] = ()


@dataclass(frozen=True, slots=True)
class Backtest:
    """How a model would have done at earlier dates.

    Args:
        label: what is foretold.
        periods: the cuts, in the order of time.
        by: the measure that decides between the model and its baselines.
        higher: whether more of it is better.
        frames: rows for charts by name, of the last period; see ``FRAMES``.
        notes: what to know, as why a period is missing.
    """

    label: str
    periods: tuple[Period, ...]
    by: str
    higher: bool
    frames: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        together = {who: found._asdict() for who in self.who()[1:] if (found := self.pooled(who)) is not None}
        return asdict(self) | {"pooled": together, "verdict": self.verdict()}

    def mean(self, who: str, what: str) -> float | None:
        """A measure's mean over the periods that have it."""
        found = [
            m.value for p in self.periods for m in p.measures if (m.who, m.what) == (who, what) and m.value is not None
        ]
        return sum(found) / len(found) if found else None

    def who(self) -> list[str]:
        """The model first, then its baselines, in the order in which they were measured."""
        return list(dict.fromkeys(m.who for p in self.periods for m in p.measures))

    def verdict(self) -> str:
        """Whether the model is worth more than its baselines, in a sentence that doesn't overstate.

        The best baseline is the one that the model is least ahead of, in the mean over periods. What is "beyond chance" in
        a period has an interval of the difference, over customers, that excludes 0; beside that count stands what the
        periods say together.
        """
        model, *others = self.who() or ["model"]
        told = {who: pairs for who in others if (pairs := self._pairs(model, who))}
        if not told:
            return "There is nothing to compare the model with."
        gains = {who: sum(self._gain(*pair) for pair in pairs) / len(pairs) for who, pairs in told.items()}
        best = min(gains, key=lambda who: gains[who])
        pairs = told[best]
        mine, other = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        won = sum(self._gain(*pair) > 0 for pair in pairs)
        said = f"{self.by} {mine:.3g} against {other:.3g} of {best} over {_times(len(pairs), 'period')}"
        if won == 0:
            return f"The model did no better than {best}: {said}.{self._together(best)} Rely on {best} for this."
        where = "in each period" if won == len(pairs) else f"in {won} of them only"
        return (
            f"The model did better than its best baseline {where}, {self._surely(best)}: {said}.{self._together(best)}"
        )

    def _surely(self, rival: str) -> str:
        """In how many periods the model was ahead of a baseline beyond chance, in words."""
        leads = self._known(rival)
        if not leads:
            return "how surely isn't known"
        sure = sum(lead.sure for lead in leads)
        if sure == len(leads):
            return "beyond chance"
        return f"beyond chance in {sure or 'none'} of {len(leads)}"

    def _known(self, rival: str) -> list[Lead]:
        """How far the model was ahead of a baseline, of the periods in which that has an interval."""
        mine = (lead for p in self.periods for lead in p.leads if (lead.rival, lead.what) == (rival, self.by))
        return [lead for lead in mine if lead.low is not None and lead.high is not None and lead.low < lead.high]

    def pooled(self, rival: str) -> Interval | None:
        """How far the model is ahead of a baseline in the measure that decides, over all periods (``stats.pooling``).

        Above 0 it is better. None where fewer than two periods have an interval of their own.
        """
        leads = self._known(rival)
        if len(leads) < _FEWEST_POOLED:
            return None
        width = 2 * z_value()
        errors = [(lead.high - lead.low) / width for lead in leads if lead.low is not None and lead.high is not None]
        return pooled([lead.value for lead in leads], errors).interval

    def _together(self, rival: str) -> str:
        """What the periods say together, in a sentence after others; empty where they can't be pooled."""
        found = self.pooled(rival)
        if found is None:
            return ""
        chance = "" if found.excludes(0) else ", which chance alone could make"
        if found.value < 0:
            found, where = Interval(-found.value, -found.high, -found.low), "behind"
        else:
            where = "ahead"
        ends = f"95 % interval {found.low:.3g} to {found.high:.3g}".replace("-", "−")
        return f" Over all periods together it is {found.value:.3g} {where} ({ends}){chance}."

    def _pairs(self, model: str, rival: str) -> list[tuple[float, float]]:
        """The deciding measure of both, of the periods that have it of both."""
        found = []
        for period in self.periods:
            values = {m.who: m.value for m in period.measures if m.what == self.by}
            mine, other = values.get(model), values.get(rival)
            if mine is not None and other is not None:
                found.append((mine, other))
        return found

    def _gain(self, mine: float, other: float) -> float:
        return mine - other if self.higher else other - mine


_FEWEST_POOLED = 2


def _times(count: int, one: str) -> str:
    return f"{count} {one if count == 1 else one + 's'}"


class Model(ABC):
    """A fitted model.

    Args:
        settings: what it was fitted with.
        evidence: what it rests on.
    """

    title: ClassVar[str]
    """What it foretells, for lists."""
    event_driven: ClassVar[bool] = False
    """Whether some of its scores follow the customer's own events between two fits."""
    by: ClassVar[str]
    """The measure that decides between the model and its baselines, and between two versions of it."""
    higher: ClassVar[bool]
    """Whether more of that measure is better."""

    def __init__(self, settings: Settings, evidence: Evidence) -> None:
        self.settings, self.evidence = settings, evidence

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.name!r}, {counted(self.evidence.customers, 'customer')})"

    @classmethod
    @abstractmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Model:
        """Fit on what was known.

        Raises:
            Refused: the data doesn't suffice, with what is missing, and there is no simpler way.
        """

    @abstractmethod
    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """The scores of all customers as of ``known``, which may be later than the fit."""

    @abstractmethod
    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """What a customer's scores rest on, in plain words, the weightiest first.

        Args:
            known: the store as of the instant of the scores.
            customer: the customer's key.
        """

    @abstractmethod
    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """How well the model, with what was known at ``before``, foretells what was known at ``after``.

        Args:
            before: what it may know; not earlier than its fit.
            after: a horizon later.

        Raises:
            Refused: there is nothing to judge by, as where nobody was there.
        """

    @classmethod
    def backtest(cls, known: AsOf, settings: Settings, periods: int = 3) -> Backtest:
        """Fit at earlier cuts, a horizon apart and the last one a horizon before the end, and judge by what came.

        Args:
            known: the store as of the end.
            settings: as for a fit.
            periods: how many cuts at most.

        Raises:
            Refused: the history is too short for one cut; it says why.
        """
        found: list[Period] = []
        frames: Mapping[str, Sequence[Mapping[str, Any]]] = {}
        notes: list[str] = []
        label = ""
        step = cls.horizon_of(settings) * DAY
        for back in range(periods, 0, -1):
            cut, until = known.at - back * step, known.at - (back - 1) * step
            with known.before(cut) as before, known.before(until) as after:
                try:
                    model = cls.fitted(before, settings)
                    judged = model.judged(before, after)
                except Refused as refusal:
                    notes.append(f"{known.dated(cut)} is left out: {refusal.problem}")
                    continue
            label, frames = model.evidence.label, judged.frames
            found.append(Period(cut, until, judged.customers, judged.measures, cls.leads(judged.contest)))
        if not found:
            raise Refused(
                f"The model {settings.name} can't be tried on earlier data. {' '.join(notes)}",
                fix="Take a shorter horizon, or wait for a longer history.",
            )
        return Backtest(label, tuple(found), cls.by, cls.higher, frames, tuple(notes))

    @classmethod
    def leads(cls, contest: Contest | None) -> tuple[Lead, ...]:
        """How far the model is ahead of each baseline in the measure that decides."""
        return () if contest is None else contest.leads(cls.by, higher=cls.higher)

    @classmethod
    def horizon_of(cls, settings: Settings) -> int:
        """Days between a cut and its judgement; a kind that is judged over another time says so."""
        return settings.horizon

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What ``restored`` needs, JSON-ready. No customer's data stands in it."""

    @classmethod
    @abstractmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Model:
        """The model of ``state``, through JSON."""
