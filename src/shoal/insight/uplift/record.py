"""What is kept of a trial of uplift beside the model that it taught: its figures, to be told again without learning anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shoal.insight.uplift.fit import Money
from shoal.insight.uplift.judging import Asleep, Found, Policy
from shoal.stats.intervals import Interval
from shoal.stats.uplift import Group, Ordered, Point, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.metrics.definition import Better, Unit

FRAME = "uplift"
"""Under this name it stands among the frames of a version."""


class Outcome(Protocol):
    """What must be known of a metric to tell of it; a metric is one."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def unit(self) -> Unit:
        """Of its figures."""

    @property
    def better(self) -> Better:
        """Which way is better."""


@dataclass(frozen=True, slots=True)
class Told:
    """A metric as it was called when a model was learnt: its file may have been changed since.

    Args:
        name: for people.
        unit: of its figures.
        better: which way is better.
    """

    name: str
    unit: Unit
    better: Better


@dataclass(frozen=True, slots=True)
class Record:
    """What an experiment showed of an arm.

    Args:
        experiment: its name.
        metric: the outcome.
        found: what was found.
    """

    experiment: str
    metric: Outcome
    found: Found

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        one = self.metric
        return {
            "experiment": self.experiment,
            "metric": {"name": one.name, "unit": one.unit, "better": one.better},
            "chance": self.found.ordered.chance,
            "found": self.found.document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Record:
        """What ``document`` gave, through JSON."""
        found = _found(document["found"], document["chance"])
        return cls(document["experiment"], Told(**document["metric"]), found)


def _found(told: Mapping[str, Any], chance: float) -> Found:
    qini, policy, dogs = told["qini"], told["policy"], told["sleeping_dogs"]
    n = told["treated"] + told["untreated"]
    money = Money(told["worth"], told["cost"], policy["share"] if policy["asked"] else None)
    return Found(
        arm=told["arm"],
        control=told["control"],
        treated=told["treated"],
        untreated=told["untreated"],
        effect=_ends(told["effect"]),
        kind=told["learner"],
        kinds=tuple(told["learners_by_fold"]),
        tried=dict(told["tried"]),
        qini=_ends(qini),
        ordered=Ordered(_ends(qini), told["auuc"], qini["normalised"], chance, n),
        confidence=qini["confidence"],
        points=tuple(Point(**one) for one in told["curve"]),
        groups=tuple(Group(g["begin"], g["end"], _ends(g["effect"]), g["n"]) for g in told["tenths"]),
        values=tuple(_value(one) for one in told["values"]),
        policy=Policy(policy["share"], policy["judged_share"], policy["threshold"], _value(policy), policy["asked"]),
        asleep=Asleep(dogs["n"], dogs["share"], None if dogs["effect"] is None else _ends(dogs["effect"])),
        money=money,
        notes=tuple(told["notes"]),
    )


def _ends(told: Mapping[str, float]) -> Interval:
    return Interval(told["value"], told["low"], told["high"])


def _value(told: Mapping[str, Any]) -> Value:
    return Value(told["treated"], *(_ends(told[key]) for key in ("gain", "over_all", "over_random")))
