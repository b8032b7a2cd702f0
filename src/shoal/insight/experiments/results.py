"""What the analysis of an experiment found, JSON-ready."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.clock import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.experiments.over_time import OverTime
    from shoal.insight.experiments.responding import Dimension
    from shoal.insight.experiments.sampling import SampleCheck
    from shoal.insight.metrics.definition import Better, Unit
    from shoal.stats.experiments.comparing import Effect
    from shoal.stats.intervals import Interval

Role: TypeAlias = Literal["primary", "secondary", "guardrail"]
Kind: TypeAlias = Literal[
    "blocked", "undecided", "better", "worse", "different", "no difference shown", "harm", "compared"
]


@dataclass(frozen=True, slots=True)
class Figure:
    """What an arm has of a metric.

    Args:
        arm: its name.
        n: customers who count for it.
        value: the figure, as it was measured; a sum's is per customer.
        low, high: the ends of its own interval of 95 %.
        adjusted: the figure after CUPED or post-stratification; the same without.
    """

    arm: str
    n: int
    value: float
    low: float
    high: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against the control.

    Args:
        arm: its name.
        absolute: the effect in the metric's unit (of a share, as a fraction).
        relative: as a share of the control's figure; None where that is too near to 0.
        p: by the plan's method; None where it has none.
        corrected: for how many were looked at.
        level: what ``corrected`` is held against.
        sure: whether chance doesn't explain it, by the plan.
        chance: that the arm's figure is the higher; for a Bayesian plan.
        risk: what choosing the arm would cost on average if it were worse, in the form of ``relative`` where that is there;
            for a Bayesian plan.
    """

    arm: str
    absolute: Effect
    relative: Effect | None
    p: float | None
    corrected: float | None
    level: float
    sure: bool
    chance: float | None = None
    risk: float | None = None

    @property
    def effect(self) -> Effect:
        """The form that is read first: relative where it may be trusted."""
        return self.relative or self.absolute


@dataclass(frozen=True, slots=True)
class Uncut:
    """A money metric without its cap, and whether the bootstrap agrees with the interval.

    Args:
        cap: what larger values count as.
        quantile: of all arms together that the cap is.
        capped: for how many customers it does.
        effects: of each treated arm, absolute, with nothing cut.
        bootstrap: of each treated arm, the percentile interval of what was measured, with its cap.
        doubted: of each treated arm, whether the interval of the same without an adjustment holds 0 too, so that the
            bootstrap tells nothing against it.
    """

    cap: float | None
    quantile: float | None
    capped: int
    effects: tuple[Effect, ...]
    bootstrap: tuple[Interval, ...]
    doubted: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of an experiment.

    Args:
        metric: its slug.
        name: for people.
        unit: of its figures.
        better: which way is better.
        role: in the experiment.
        method: how it was estimated, in words.
        figures: of the arms, the control first.
        comparisons: of the other arms.
        correction: in words.
        reduction: by how much CUPED or post-stratification lowered the variance of differences; None without.
        uncut: of money.
        tolerated: of a guardrail, how much worse may be borne, in words.
        borne: the same as a number.
        relative: whether that is a share of the control's figure.
        notes: what should be known.
        refused: why there is no figure.
    """

    metric: str
    name: str
    unit: Unit
    better: Better
    role: Role
    method: str = ""
    figures: tuple[Figure, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    correction: str = ""
    reduction: float | None = None
    uncut: Uncut | None = None
    tolerated: str = ""
    borne: float = 0.0
    relative: bool = True
    notes: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class ArmVerdict:
    """What is said of an arm.

    Args:
        arm: its name.
        kind: of the verdict.
        says: the sentence.
    """

    arm: str
    kind: Kind
    says: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision banner.

    Args:
        kind: of the whole: the first of blocked, compared, harm, undecided, worse, better, different, no difference shown
            that any arm has.
        headline: one sentence.
        arms: of each treated arm.
        sentences: what else must be known to read it.
    """

    kind: Kind
    headline: str
    arms: tuple[ArmVerdict, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """All of it as one text."""
        return " ".join([self.headline, *(one.says for one in self.arms), *self.sentences])


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an experiment as of an instant.

    Args:
        experiment: its slug.
        name: for people.
        at: the instant.
        began: the instant of the start.
        randomised: whether chance drew the arms; without that nothing is called an effect.
        n: customers of each arm.
        verdict: the banner.
        sample: whether arms are as large as they were to be.
        metrics: the primary one first.
        plan: what intervals and p-values are.
        progress: how far it is.
        dimensions: whether segments respond differently, for each that was asked for.
        over_time: the primary metric over time.
        notes: what should be known of the data.
    """

    experiment: str
    name: str
    at: int
    began: int
    randomised: bool
    n: dict[str, int]
    verdict: Verdict
    sample: SampleCheck
    metrics: tuple[Measured, ...]
    plan: str
    progress: str
    dimensions: tuple[Dimension, ...] = ()
    over_time: OverTime | None = None
    notes: tuple[str, ...] = field(default=())

    def metric(self, slug: str) -> Measured:
        """One of its metrics.

        Raises:
            UnknownName: it has no such metric.
        """
        from shoal.errors import UnknownName

        for one in self.metrics:
            if one.metric == slug:
                return one
        raise UnknownName("metric of this experiment", slug, [one.metric for one in self.metrics])

    def rows(self) -> list[dict[str, Any]]:
        """Every comparison as a row: what a forest of effects is drawn of."""
        return [
            {
                "metric": m.metric, "name": m.name, "unit": m.unit, "role": m.role, "arm": c.arm,
                "value": c.absolute.value, "low": c.absolute.low, "high": c.absolute.high,
                "relative": c.relative and c.relative.value, "relative_low": c.relative and c.relative.low,
                "relative_high": c.relative and c.relative.high, "p": c.p, "corrected": c.corrected, "sure": c.sure,
            }
            for m in self.metrics for c in m.comparisons
        ]  # fmt: skip

    def document(self) -> dict[str, Any]:
        """JSON-ready, all of it."""
        return {**plain(self), "at": iso(self.at), "began": iso(self.began)}


def plain(value: Any) -> Any:
    """Dataclasses and tuples as JSON has them; a number that isn't finite is None.

    >>> plain({"a": (1, float("inf"))})
    {'a': [1, None]}
    """
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, list | tuple):
        return _listed(value)
    return value


def _listed(values: Sequence[Any]) -> list[Any]:
    return [plain(one) for one in values]
