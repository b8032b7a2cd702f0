"""What held-out scores are worth: the order, its tenths, what treating by it pays, and whether any of it is of use."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.stats.uplift import DEFINITION, DRAWS, Trial, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.uplift.fit import Fit, Money, Sample
    from shoal.insight.uplift.learners import Bools, Floats
    from shoal.stats.uplift import Group, Ordered, Point

Code: TypeAlias = Literal["usable", "slight", "none"]
LEAST_GAIN = 0.1
"""An order that gets less than a tenth more than treating at random isn't worth a rule of whom to treat."""
SHARES = tuple(round(0.05 * i, 2) for i in range(1, 21))
TENTHS = 10
WIDER = 2**0.5
"""Each fold is judged by what the others taught, and teaches how they are judged: where nobody differs, what one fold gets by
chance the others get too, so that the area varies twice as much as from units alone. Intervals of it are wider by this; measured
in simulations without heterogeneity, it varied 1.40 to 1.59 times as far (see docs/uplift.md)."""
_SEED = 11


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom to treat, and what that was worth on units that had no say in it.

    Args:
        share: of all units, by the whole sample's held-out scores.
        treated: the share that was treated when it was judged: each fold by a threshold of others.
        threshold: treat whose effect is above it; None where that is nobody or everybody.
        value: per unit of all.
        asked: whether the share was asked for; else it is what gains most.
    """

    share: float
    treated: float
    threshold: float | None
    value: Value
    asked: bool


@dataclass(frozen=True, slots=True)
class Asleep:
    """Those who are better left alone: whose effect is foretold to be below 0.

    Args:
        n: how many.
        share: of all.
        effect: what the treatment did to them, as it was measured; None where an arm has too few of them.
    """

    n: int
    share: float
    effect: Interval | None

    @property
    def sure(self) -> bool:
        """Whether the treatment harmed them beyond chance."""
        return self.effect is not None and self.effect.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What uplift an arm shows against another, on units that the models didn't see.

    Args:
        arm: that is treated.
        control: that isn't.
        treated, untreated: units of each.
        effect: on all.
        kind: letter of the learner.
        kinds: that of each fold.
        tried: by letter, the Qini area on folds that had no say; empty where one was asked for.
        qini: the area, with an interval of ``confidence`` that holds for scores across folds.
        ordered: how good the order is in other figures; its intervals take the scores as given.
        confidence: 95 % for one arm, more for each of several.
        points: of the Qini curve.
        groups: the effect by tenth of the order.
        values: what treating each share pays, per unit of all.
        policy: whom to treat.
        asleep: who is better left alone.
        money: what it was reckoned with.
        notes: what to know.
    """

    arm: str
    control: str
    treated: int
    untreated: int
    effect: Interval
    kind: str
    kinds: tuple[str, ...]
    tried: dict[str, float]
    qini: Interval
    ordered: Ordered
    confidence: float
    points: tuple[Point, ...]
    groups: tuple[Group, ...]
    values: tuple[Value, ...]
    policy: Policy
    asleep: Asleep
    money: Money
    notes: tuple[str, ...] = field(default=())

    @property
    def n(self) -> int:
        """Units of both arms."""
        return self.treated + self.untreated

    @property
    def more(self) -> float:
        """How much more than at random the order gets, on average over all shares; infinite where random gets nothing."""
        random = self.treated / self.n * self.effect.value / 2
        return self.qini.value / random if random > 0 else float("inf")

    @property
    def code(self) -> Code:
        """``usable``: the order beats random beyond chance and by a tenth at least; ``slight``: by less; ``none``."""
        if self.qini.low <= 0:
            return "none"
        return "usable" if self.more >= LEAST_GAIN else "slight"

    @property
    def usable(self) -> bool:
        """Whether it is worth choosing whom to treat."""
        return self.code == "usable"

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        return {
            "arm": self.arm,
            "control": self.control,
            "treated": self.treated,
            "untreated": self.untreated,
            "effect": _ends(self.effect),
            "learner": self.kind,
            "learners_by_fold": list(self.kinds),
            "tried": dict(self.tried),
            "qini": _ends(self.qini) | {
                "confidence": self.confidence, "normalised": self.ordered.normalised,
                "more_than_random": self.more if isfinite(self.more) else None,
            },
            "auuc": self.ordered.auuc,
            "definition": DEFINITION,
            "curve": [one._asdict() for one in self.points],
            "tenths": [{"begin": g.begin, "end": g.end, "n": g.n, "effect": _ends(g.effect)} for g in self.groups],
            "values": [_value(one) for one in self.values],
            "policy": {
                "share": self.policy.share, "judged_share": self.policy.treated, "threshold": self.policy.threshold,
                "asked": self.policy.asked, **_value(self.policy.value),
            },
            "sleeping_dogs": {
                "n": self.asleep.n, "share": self.asleep.share, "sure": self.asleep.sure,
                "effect": None if self.asleep.effect is None else _ends(self.asleep.effect),
            },
            "worth": self.money.worth,
            "cost": self.money.cost,
            "verdict": self.code,
            "notes": list(self.notes),
        }  # fmt: skip


def _ends(one: Interval) -> dict[str, float]:
    return {"value": one.value, "low": one.low, "high": one.high}


def _value(one: Value) -> dict[str, Any]:
    return {
        "treated": one.share, "gain": _ends(one.gain), "over_all": _ends(one.over_all),
        "over_random": _ends(one.over_random),
    }  # fmt: skip


def judge(
    sample: Sample, found: Fit, money: Money, *, arm: str, control: str, arms: int = 1, draws: int = DRAWS,
    notes: Sequence[str] = (),
) -> Found:  # fmt: skip
    """Judge what was learnt.

    Args:
        sample: the units.
        found: what was learnt of them.
        money: what treating costs and what it is for.
        arm: the name of the treated arm.
        control: of the untreated one.
        arms: how many are looked at: the order's interval is wider for each of several.
        draws: of bootstraps.
        notes: what to know.
    """
    crossed, confidence = found.crossed, 1 - (1 - CONFIDENCE) / arms
    trial = Trial(sample.outcome, sample.treated, crossed.place)
    share = float(crossed.treat.mean())
    ordered = trial.ordered(confidence=confidence, draws=draws, seed=_SEED)
    points = trial.points(confidence=confidence, draws=draws, seed=_SEED)
    policy = Policy(
        found.share, share, found.threshold if np.isfinite(found.threshold) else None,
        value_of(sample.outcome, sample.treated, crossed.treat, money), money.share is not None,
    )  # fmt: skip
    return Found(
        arm=arm,
        control=control,
        treated=int(sample.treated.sum()),
        untreated=int((~sample.treated).sum()),
        effect=trial.value(1.0).gain,
        kind=found.kind,
        kinds=crossed.kinds,
        tried=dict(crossed.tried),
        qini=_wider(ordered.qini),
        ordered=ordered,
        confidence=confidence,
        points=tuple(one._replace(low=_far(one.gained, one.low), high=_far(one.gained, one.high)) for one in points),
        groups=tuple(trial.groups(TENTHS)),
        values=tuple(trial.value(one, worth=money.worth, cost=money.cost) for one in SHARES),
        policy=policy,
        asleep=_asleep(sample, crossed.effect < 0),
        money=money,
        notes=tuple(notes),
    )


def _wider(one: Interval) -> Interval:
    return Interval(one.value, _far(one.value, one.low), _far(one.value, one.high))


def _far(middle: float, end: float) -> float:
    return middle + (end - middle) * WIDER


def value_of(outcome: Floats, treated: Bools, treat: Bools, money: Money) -> Value:
    """What treating some units is worth, per unit of all."""
    share = float(treat.mean())
    if share:
        return Trial(outcome, treated, treat).value(share, worth=money.worth, cost=money.cost)
    every = Trial(outcome, treated, treat).value(1.0, worth=money.worth, cost=money.cost).gain
    nothing = Interval(0.0, 0.0, 0.0)
    return Value(0.0, nothing, Interval(-every.value, -every.high, -every.low), nothing)


def _asleep(sample: Sample, below: Bools) -> Asleep:
    n, effect = int(below.sum()), None
    if n:
        try:
            effect = Trial(sample.outcome[below], sample.treated[below], np.zeros(n)).value(1.0).gain
        except Refused:
            effect = None
    return Asleep(n, n / len(sample), effect)
