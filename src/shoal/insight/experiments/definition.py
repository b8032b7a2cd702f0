"""An experiment as its file says it: what is asked, of whom, in which arms, by what it is judged, and when that is over."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.insight.experiments.assignment import Assignment, Holdout, Slot
from shoal.lang.document import to_document
from shoal.stats.experiments.power import POWER
from shoal.stats.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shoal.lang.nodes import Condition

Kind: TypeAlias = Literal["fixed", "group sequential", "always valid", "bayesian"]
KINDS: tuple[Kind, ...] = ("fixed", "group sequential", "always valid", "bayesian")

EVENT = "Experiment Viewed"
EXPERIMENT_PROPERTIES = ("experiment_id", "experiment_name")
"""Which experiment an ``Experiment Viewed`` is of, as the specification of Segment has it."""
ARM_PROPERTIES = ("variation_id", "variation_name")
"""Which arm it showed."""
HARMLESS = ("name", "why", "owner")
"""Keys whose change alters nothing of what was asked: they may be edited at any time."""
LOOKS = 5


@dataclass(frozen=True, slots=True)
class Amount:
    """A size of an effect.

    Args:
        value: above 0.
        relative: as a share of the control's figure; else in the metric's own unit.
    """

    value: float
    relative: bool

    @property
    def text(self) -> str:
        """As it is written in a file.

        >>> Amount(0.05, True).text, Amount(0.5, False).text
        ('5%', '0.5')
        """
        return f"{100 * self.value:.10g}%" if self.relative else f"{self.value:.10g}"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that mustn't get worse.

    Args:
        metric: its slug.
        tolerated: how much worse may be borne; None is nothing at all.
    """

    metric: str
    tolerated: Amount | None = None


@dataclass(frozen=True, slots=True)
class Belief:
    """A normal belief about the relative effect before the data, for a Bayesian plan.

    Args:
        mean: of the effect, as a share of the control's figure.
        spread: its standard deviation.
    """

    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Plan:
    """When the experiment is over, and how often it may be looked at.

    Args:
        kind: ``fixed`` is one look at the end, ``group sequential`` some planned ones, ``always valid`` any number,
            ``bayesian`` gives chances in the place of tests.
        looks: how many planned ones, evenly over the days.
        days: how long it takes in customers and is looked at; None is open.
        alpha: how often an experiment without an effect may be called one.
        power: the chance to find the least effect.
        prior: of a Bayesian plan, about the relative effect; None is a flat one.
    """

    kind: Kind = "fixed"
    looks: int = 1
    days: int | None = None
    alpha: float = round(1 - CONFIDENCE, 10)
    power: float = POWER
    prior: Belief | None = None


@dataclass(frozen=True, slots=True)
class Viewed:
    """Exposures are an event: whoever has one was exposed, from the first on.

    Args:
        event: its name.
        arm: the properties that may say the arm; the first that says a known one counts.
        only: by property, the values that make an event one of this experiment; an event of any of them is. Empty: all are.
        elsewhere: whether others drew the arms, so that they aren't held against this workspace's own assignment.
        values: what stands in the data for an arm, where that isn't its name.
    """

    event: str = EVENT
    arm: tuple[str, ...] = ARM_PROPERTIES
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    elsewhere: bool = False
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AtStart:
    """Everybody of the population takes part from the start on, in the arm that they are assigned: intent to treat."""

    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class InFile:
    """It ran elsewhere: a CSV or Parquet file says who was in which arm, and since when.

    Args:
        path: as it is written, within the workspace.
        customer: the column of the customers' ids.
        arm: the column of the arms.
        at: the column of the instants; local ones where they bear no zone.
        values: what stands in the data for an arm, where that isn't its name.
        root: the workspace's folder; no part of what the definition means.
    """

    path: str
    customer: str = "customer"
    arm: str = "arm"
    at: str = "at"
    values: tuple[tuple[str, str], ...] = ()
    root: Path | None = field(default=None, compare=False)
    elsewhere: bool = True


@dataclass(frozen=True, slots=True)
class InTrait:
    """It ran elsewhere: a trait says the arm, and since when.

    Args:
        trait: its name.
        values: what stands in the data for an arm, where that isn't its name.
    """

    trait: str
    values: tuple[tuple[str, str], ...] = ()
    elsewhere: bool = True


Exposure: TypeAlias = Viewed | AtStart | InFile | InTrait


@dataclass(frozen=True)
class Experiment:
    """An experiment.

    Args:
        slug: the file's name; the salt of its assignment too.
        name: for people.
        arms: the share of each; the control is the first. They add up to 1.
        primary: the metric that decides, by slug.
        population: who may take part; None is everybody.
        hypothesis: what is expected, and why.
        why: what it is for.
        owner: who answers for it.
        secondary: metrics that are looked at too.
        guardrails: metrics that mustn't get worse.
        effect: the least effect on the primary metric that would matter.
        plan: when it is over.
        window: for so many microseconds after the exposure metrics are counted; None is up to the end.
        layer: experiments of one layer share nobody; None is a layer of its own.
        share: of the layer.
        holdouts: who is kept out of it, by name, beside those of the workspace.
        exposure: what says who was exposed.
        randomised: whether chance drew the arms; without that groups are compared, and nothing is called an effect.
    """

    slug: str
    name: str
    arms: Mapping[str, float]
    primary: str
    population: Condition | None = None
    hypothesis: str = ""
    why: str = ""
    owner: str = ""
    secondary: tuple[str, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    effect: Amount | None = None
    plan: Plan = field(default_factory=Plan)
    window: int | None = None
    layer: str | None = None
    share: float = 1.0
    holdouts: tuple[Holdout, ...] = ()
    exposure: Exposure = field(default_factory=Viewed)
    randomised: bool = True

    @property
    def control(self) -> str:
        """The arm that the others are held against."""
        return next(iter(self.arms))

    @property
    def metrics(self) -> tuple[str, ...]:
        """All its metrics, the primary one first, each once."""
        every = (self.primary, *self.secondary, *(one.metric for one in self.guardrails))
        return tuple(dict.fromkeys(every))

    @property
    def elsewhere(self) -> bool:
        """Whether others drew the arms, and no part of it is run from here."""
        return self.exposure.elsewhere

    def assignment(self, slot: Slot | None = None, everywhere: Sequence[Holdout] = ()) -> Assignment:
        """Who is in which arm.

        Args:
            slot: its part of the layer, which is fixed when it starts.
            everywhere: the workspace's holdouts.
        """
        names = {one.name for one in everywhere}
        kept = [*everywhere, *(one for one in self.holdouts if one.name not in names)]
        return Assignment(self.slug, self.arms, slot, tuple(kept))

    @cached_property
    def meaning(self) -> dict[str, Any]:
        """What was asked, key by key, JSON-ready: what may not change once it runs."""
        return {
            "population": None if self.population is None else to_document(self.population),
            "arms": [[name, weight] for name, weight in self.arms.items()],
            "primary": self.primary,
            "secondary": list(self.secondary),
            "guardrails": [[one.metric, one.tolerated and one.tolerated.text] for one in self.guardrails],
            "minimum_effect": self.effect and self.effect.text,
            "plan": _plan(self.plan),
            "window": self.window,
            "layer": self.layer,
            "share": self.share,
            "holdouts": {one.name: one.share for one in self.holdouts},
            "exposure": _exposure(self.exposure),
            "hypothesis": self.hypothesis,
            **({} if self.randomised else {"randomised": False}),
        }

    @cached_property
    def version(self) -> str:
        """A short hash of what was asked."""
        return hashlib.sha256(json.dumps(self.meaning, sort_keys=True).encode()).hexdigest()[:12]

    def document(self) -> dict[str, Any]:
        """JSON-ready, all of it."""
        return {
            "slug": self.slug, "name": self.name, "why": self.why, "owner": self.owner, "version": self.version,
            "control": self.control, **self.meaning,
        }  # fmt: skip


def _plan(plan: Plan) -> dict[str, Any]:
    prior = plan.prior and [plan.prior.mean, plan.prior.spread]
    return {
        "kind": plan.kind, "looks": plan.looks, "days": plan.days, "alpha": plan.alpha, "power": plan.power,
        "prior": prior,
    }  # fmt: skip


def _exposure(exposure: Exposure) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": type(exposure).__name__, "elsewhere": exposure.elsewhere}
    if isinstance(exposure, Viewed):
        only = {name: list(values) for name, values in exposure.only}
        said |= {"event": exposure.event, "arm": list(exposure.arm), "only": only}
    elif isinstance(exposure, InFile):
        said |= {"path": exposure.path, "columns": [exposure.customer, exposure.arm, exposure.at]}
    elif isinstance(exposure, InTrait):
        said |= {"trait": exposure.trait}
    return said if isinstance(exposure, AtStart) else said | {"values": dict(exposure.values)}
