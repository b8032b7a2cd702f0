"""A pilot as its file says it: for which segments, by which KPIs it is judged, who is held out, when it ends, what it costs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.insight.experiments.definition import AtStart, Experiment, Plan
from shoal.lang import nodes as n

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from shoal.insight.experiments.definition import Amount
    from shoal.lang.nodes import Condition

PILOT, HELD_OUT = "pilot", "holdout"
"""The arms of a pilot that draws its own holdout."""
PREFIX = "pilot-"
"""Before a pilot's slug, the slug of the experiment that it is drawn by where it names none."""
FROM_DATA: Literal["data"] = "data"

Margin: TypeAlias = float | Literal["data"] | None


@dataclass(frozen=True, slots=True)
class Goal:
    """What a KPI is to reach.

    Args:
        metric: its slug.
        gain: how much better than the holdout it is to be, as a share or in the metric's own unit; None: better at all.
        reach: the figure that those who were drawn to get it are to reach; the holdout must be beaten as well.
    """

    metric: str
    gain: Amount | None = None
    reach: float | None = None

    @property
    def text(self) -> str:
        """In words."""
        if self.reach is not None:
            return f"reach {self.reach:g}, and beat the holdout"
        return f"{self.gain.text} better than the holdout" if self.gain else "better than the holdout"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a pilot costs.

    Args:
        contact: for each customer who was drawn to get it.
        fixed: whatever their number.
    """

    contact: float = 0.0
    fixed: float = 0.0

    def of(self, contacts: int, *, fixed: bool = True) -> float:
        """For so many customers."""
        return self.contact * contacts + (self.fixed if fixed else 0.0)


@dataclass(frozen=True)
class Pilot:
    """A pilot.

    Args:
        slug: the file's name.
        name: for people.
        owner: who answers for it.
        goals: its KPIs, each with what it is to reach.
        ends: the last day.
        segments: its scope, by slug: of a pilot with a holdout of its own whoever is in one of them takes part, and results
            are told for each.
        experiment: the slug of the experiment that it rests on; empty where it draws a holdout of its own.
        arm: of that experiment, which got it; empty where there is only one beside the control.
        held_out: the share of its customers who are held out; 0 where an experiment says it.
        cost: what it costs.
        margin: the share of revenue that is margin, ``data`` for revenue less cost, None where no margin is known.
        why: what it is for.
    """

    slug: str
    name: str
    owner: str
    goals: tuple[Goal, ...]
    ends: date
    segments: tuple[str, ...] = ()
    experiment: str = ""
    arm: str = ""
    held_out: float = 0.0
    cost: Cost = Cost()
    margin: Margin = None
    why: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The slugs of its KPIs, each once."""
        return tuple(dict.fromkeys(goal.metric for goal in self.goals))

    @property
    def rests_on(self) -> str:
        """The slug of the experiment that says who is in which arm."""
        return self.experiment or PREFIX + self.slug

    def own_experiment(self) -> Experiment:
        """The experiment of a pilot that draws its own holdout: everybody of its segments at the start, in two arms."""
        return Experiment(
            slug=self.rests_on,
            name=self.name,
            arms={HELD_OUT: self.held_out, PILOT: 1 - self.held_out},
            primary=self.metrics[0],
            secondary=self.metrics[1:],
            population=population(self.segments),
            why=self.why,
            owner=self.owner,
            plan=Plan("fixed"),
            exposure=AtStart(),
        )

    @cached_property
    def meaning(self) -> dict[str, Any]:
        """What was promised, key by key, JSON-ready: what may not change once it has begun."""
        return {
            "experiment": self.experiment or None,
            "arm": self.arm or None,
            "holdout": self.held_out or None,
            "segments": list(self.segments),
            "kpis": [[goal.metric, goal.text] for goal in self.goals],
            "end": self.ends.isoformat(),
            "cost": [self.cost.contact, self.cost.fixed],
            "margin": self.margin,
        }

    @cached_property
    def version(self) -> str:
        """A short hash of what was promised."""
        return hashlib.sha256(json.dumps(self.meaning, sort_keys=True).encode()).hexdigest()[:12]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "slug": self.slug, "name": self.name, "owner": self.owner, "why": self.why, "version": self.version,
            "rests_on": self.rests_on, **self.meaning,
            "kpis": [{"metric": g.metric, "target": g.text} for g in self.goals],
            "cost": {"contact": self.cost.contact, "fixed": self.cost.fixed},
        }  # fmt: skip


def population(segments: Sequence[str]) -> Condition | None:
    """Whoever is in one of some segments; None, which is everybody, without any."""
    members: list[Condition] = [n.MemberOf(slug) for slug in segments]
    if not members:
        return None
    return members[0] if len(members) == 1 else n.Or(tuple(members))
