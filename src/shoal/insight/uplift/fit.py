"""Learning whom a treatment moves, so that nothing is judged by units that had a say in it.

Units lie in five folds. For each fold a learner is chosen, and how many to treat, by the two folds beside it, whose scores
come from models that saw neither those nor the fold itself; what is chosen is fitted on the other four and scores the fold.
So the scores that are judged owe nothing to the outcomes that judge them: not their model, not its kind, not the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.uplift.learners import LEARNERS, dealt, learner, trees
from shoal.stats.uplift import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.uplift.learners import Bools, Floats, Learner, Make

    Whole = npt.NDArray[np.int64]

FOLDS = 5
LEAST_OF_ARM = 500
"""With fewer units in an arm nobody is told apart: an effect of a tenth of a standard deviation would drown even in all."""
SHARES = (*(round(0.05 * i, 2) for i in range(2, 19)), 1.0)
"""The shares among which the one to treat is chosen: too small a part says too little of its effect."""
_SEED = 6


@dataclass(frozen=True, slots=True)
class Money:
    """What an outcome is worth and a treatment costs.

    Args:
        worth: of one of the outcome, or of a whole unit of it.
        cost: of treating one unit.
        share: treat so many, the best first; None is as many as pay.
    """

    worth: float = 1.0
    cost: float = 0.0
    share: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Units of two arms, in an order that their rows' order has no say in.

    Args:
        x: units × features, NaN where a value is missing.
        treated: of each unit.
        outcome: of each; more is better.
        propensity: the chance to be treated, the same for all.
    """

    x: Floats
    treated: Bools
    outcome: Floats
    propensity: float

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.treated) == len(self.outcome):
            raise Refused("Features, treatment and outcome aren't of the same units.")
        for arm, name in ((self.treated, "treated"), (~self.treated, "untreated")):
            if (n := int(arm.sum())) < LEAST_OF_ARM:
                raise Refused(
                    f"{n:,} {name} customers are too few to learn who responds.",
                    fix=f"It takes {LEAST_OF_ARM} of each arm at least, and more where effects are small.",
                )
        if not np.ptp(self.outcome):
            raise Refused(
                f"The outcome is {self.outcome[0]:g} for everybody, so there is nothing to learn.",
                fix="Take another metric, or wait for more to happen.",
            )

    def __len__(self) -> int:
        return len(self.outcome)

    def taught(self, made: Learner, rows: Whole) -> Learner:
        """A learner, fitted on some of the units."""
        chance = np.full(len(rows), self.propensity)
        return made.fit(self.x[rows], self.treated[rows], self.outcome[rows], chance)

    def judged_by(self, score: Floats, rows: Whole) -> Trial:
        """Some of the units with scores of theirs."""
        return Trial(self.outcome[rows], self.treated[rows], score)


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """Scores of units by models that didn't see them.

    Args:
        effect: of each unit, in the outcome's unit.
        place: of each in the order of its fold, 0 for the least and 1 for the best; units of one effect share a place.
            Effects of different models don't compare to the last digit, and places do.
        treat: whom the policy treats.
        kinds: by fold, the learner that was chosen.
        tried: by learner, its mean Qini area on folds that had no say in it; empty where only one was asked for.
        shares: by fold, the share that was chosen to be treated.
    """

    effect: Floats
    place: Floats
    treat: Bools
    kinds: tuple[str, ...]
    tried: Mapping[str, float]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What was learnt.

    Args:
        learner: fitted on all units.
        kind: its letter.
        crossed: scores of the same units by models that didn't see them.
        share: whom to treat, as a share of all units.
        threshold: treat whose effect is above it; minus infinity is everybody, infinity nobody.
    """

    learner: Learner
    kind: str
    crossed: Crossed
    share: float
    threshold: float


def fit(
    sample: Sample, money: Money, kinds: Sequence[str] = tuple(LEARNERS), make: Make = trees, step: Any = None
) -> Fit:
    """Learn, with held-out scores to judge it by.

    Args:
        sample: the units.
        money: what treating costs and what it is for.
        kinds: letters of the learners to choose among.
        make: makes the model that they are built on.
        step: is called with (done, total).

    Raises:
        UnknownName: there is no such learner.
    """
    makers = {kind: _maker(kind, make) for kind in kinds}
    part = dealt(sample.treated, FOLDS, _SEED)
    beside = _beside(sample, makers, part, step)
    tried = {kind: float(np.mean([_area(sample, *one) for one in beside[kind]])) for kind in kinds}
    crossed = _crossed(sample, money, makers, part, beside, tried if len(kinds) > 1 else {}, step)
    kind = _best(tried)
    every = np.arange(len(sample))
    share = best_share(sample.judged_by(crossed.place, every), money)
    return Fit(sample.taught(makers[kind](), every), kind, crossed, share, _threshold(crossed.effect, share))


def _maker(kind: str, make: Make) -> Callable[[], Learner]:
    learner(kind, make)
    return lambda: learner(kind, make)


def _beside(
    sample: Sample, makers: Mapping[str, Callable[[], Learner]], part: Whole, step: Any
) -> dict[str, list[tuple[Whole, Floats]]]:
    """By learner, for each fold: the units of the two folds beside it, and their scores by models that saw none of the three.

    A model that saw neither of two neighbours serves both: each is judged for the other.
    """
    found: dict[str, list[list[tuple[Whole, Floats]]]] = {kind: [[] for _ in range(FOLDS)] for kind in makers}
    for one in range(FOLDS):
        other = (one + 1) % FOLDS
        inside = np.flatnonzero((part != one) & (part != other))
        for kind, made in makers.items():
            taught = sample.taught(made(), inside)
            for fold, told in ((one, other), (other, one)):
                rows = np.flatnonzero(part == told)
                found[kind][fold].append((rows, taught.effects(sample.x[rows])))
        if step is not None:
            step(one + 1, 2 * FOLDS)
    return {kind: [_joined(pieces) for pieces in folds] for kind, folds in found.items()}


def _joined(pieces: Sequence[tuple[Whole, Floats]]) -> tuple[Whole, Floats]:
    """Units of two folds, each with its place in the order of its own, beside the effect: place first, effect second."""
    rows = np.concatenate([rows for rows, _ in pieces])
    scores = np.column_stack([
        np.concatenate([places(told) for _, told in pieces]), np.concatenate([told for _, told in pieces])
    ])  # fmt: skip
    return rows, scores


def _area(sample: Sample, rows: Whole, scores: Floats) -> float:
    return sample.judged_by(scores[:, 0], rows).qini_curve().above_random / len(rows) ** 2


def _best(areas: Mapping[str, float]) -> str:
    """The learner with the largest area; the first one where several have it."""
    return max(areas, key=lambda kind: areas[kind])


def _crossed(
    sample: Sample, money: Money, makers: Mapping[str, Callable[[], Learner]], part: Whole,
    beside: Mapping[str, list[tuple[Whole, Floats]]], tried: Mapping[str, float], step: Any,
) -> Crossed:  # fmt: skip
    effect, place = np.empty(len(sample)), np.empty(len(sample))
    treat = np.zeros(len(sample), dtype=bool)
    kinds, shares = [], []
    for fold in range(FOLDS):
        kind = _best({name: _area(sample, *beside[name][fold]) for name in makers})
        rows, scores = beside[kind][fold]
        share = best_share(sample.judged_by(scores[:, 0], rows), money)
        held, inside = np.flatnonzero(part == fold), np.flatnonzero(part != fold)
        effect[held] = sample.taught(makers[kind](), inside).effects(sample.x[held])
        place[held] = places(effect[held])
        treat[held] = effect[held] > _threshold(scores[:, 1], share)
        kinds.append(kind)
        shares.append(share)
        if step is not None:
            step(FOLDS + fold + 1, 2 * FOLDS)
    return Crossed(effect, place, treat, tuple(kinds), tried, tuple(shares))


def places(effect: Floats) -> Floats:
    """Each unit's place in the order, between 0 and 1; units of one effect share the middle of theirs.

    >>> places(np.array([3.0, 1.0, 1.0, 5.0])).tolist()
    [0.625, 0.25, 0.25, 0.875]
    """
    _, which, many = np.unique(effect, return_inverse=True, return_counts=True)
    ends = np.cumsum(many)
    middle = (ends - many / 2) / len(effect)
    return np.asarray(middle[which], dtype=np.float64)


def best_share(trial: Trial, money: Money) -> float:
    """The share of units to treat, the best scored: what was asked for, or else what gains most; 0 is nobody."""
    if money.share is not None:
        return money.share
    gains = dict(gains_of(trial, money))
    best = max(gains, key=lambda share: gains[share])
    return best if gains[best] > 0 else 0.0


def gains_of(trial: Trial, money: Money) -> Iterator[tuple[float, float]]:
    """What treating each of some shares gains, where both arms are in it."""
    for share in SHARES:
        try:
            yield share, trial.value(share, worth=money.worth, cost=money.cost).gain.value
        except Refused:
            continue


def _threshold(effect: Floats, share: float) -> float:
    """The effect above which a share of the units lies, as near as ties let it."""
    if share >= 1:
        return -np.inf
    if share <= 0:
        return np.inf
    ordered = np.sort(effect)[::-1]
    last = ordered[max(1, round(share * len(ordered))) - 1]
    below = ordered[ordered < last]
    # Units of one effect aren't told apart: all of them are in.
    return float((last + below[0]) / 2) if below.size else -np.inf
