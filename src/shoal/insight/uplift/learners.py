"""Effects of single customers from a randomised treatment, by meta-learners over any scikit-learn model.

Künzel, Sekhon, Bickel & Yu 2019 (doi:10.1073/pnas.1804597116) for S, T and X; Kennedy 2023 (arXiv:2004.14497) for DR.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from shoal.errors import Refused, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    Make = Callable[[], "Fits"]

LEAST = 100
"""With fewer units in an arm of a part nothing is learnt."""
FOLDS = 5
LEAST_PROPENSITY = 0.01
"""Chances of treatment are held away from 0 and 1 by so much: a unit's weight stays below a hundred."""


class Fits(Protocol):
    """What is asked of a model: scikit-learn's regressors and classifiers have it."""

    def fit(self, x: Any, y: Any) -> Any:
        """Learn."""


def trees() -> Fits:
    """Small boosted trees of LightGBM, which take missing values as they are, and can be kept as text.

    Raises:
        Refused: LightGBM isn't installed.
    """
    try:
        from lightgbm import LGBMRegressor
    except ImportError as error:
        raise Refused("Boosted trees need LightGBM.", fix="Install the extra: pip install 'shoal[models]'.") from error
    model: Fits = LGBMRegressor(
        n_estimators=60, learning_rate=0.05, num_leaves=8, min_child_samples=100, random_state=0, n_jobs=1,
        deterministic=True, force_row_wise=True, verbosity=-1,
    )  # fmt: skip
    return model


class Part(NamedTuple):
    """A fitted model whose answers are a part of an effect.

    Args:
        weight: what they are taken times.
        model: the model.
        treated: what stands in the column of the treatment, after the features; None where the model has no such column.
    """

    weight: float
    model: Any
    treated: float | None = None

    def told(self, x: Floats) -> Floats:
        """Its part of each unit's effect."""
        return self.weight * _told(self.model, self.seen(x))

    def seen(self, x: Floats) -> Floats:
        """What the model is given."""
        return x if self.treated is None else np.column_stack([x, np.full(len(x), self.treated)])


class Learner(ABC):
    """Learns what a treatment does to whom.

    Args:
        make: makes the model that it is built on, a new one at each call.
    """

    title: str

    def __init__(self, make: Make = trees) -> None:
        self._make = make

    @abstractmethod
    def fit(self, x: Floats, treated: Bools, outcome: Floats, propensity: Floats) -> Learner:
        """Learn.

        Args:
            x: units × features.
            treated: of each unit.
            outcome: of each unit.
            propensity: the chance of each to be treated.
        """

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """The models whose answers add up to an effect.

        Raises:
            Refused: the effect is no sum of answers.
        """

    def effects(self, x: Floats) -> Floats:
        """What the treatment does to each of other units, in the outcome's unit."""
        return np.asarray(sum(part.told(x) for part in self.parts()), dtype=np.float64)

    def _fitted(self, x: Floats, y: Floats) -> Fits:
        model = self._make()
        model.fit(x, y)
        return model


class SLearner(Learner):
    """One model with the treatment among its features; where the model leaves it out all effects are 0."""

    title = "S-learner"

    def fit(self, x: Floats, treated: Bools, outcome: Floats, propensity: Floats) -> SLearner:
        self._model = self._fitted(np.column_stack([x, treated]), outcome)
        return self

    def parts(self) -> Sequence[Part]:
        return Part(1.0, self._model, 1.0), Part(-1.0, self._model, 0.0)


class TLearner(Learner):
    """A model for each arm."""

    title = "T-learner"

    def fit(self, x: Floats, treated: Bools, outcome: Floats, propensity: Floats) -> TLearner:
        self._one, self._other = (self._fitted(x[arm], outcome[arm]) for arm in (treated, ~treated))
        return self

    def parts(self) -> Sequence[Part]:
        return Part(1.0, self._one), Part(-1.0, self._other)


class XLearner(Learner):
    """Each arm's outcomes less what the other arm's model expects, learnt anew, and weighed by the chance of treatment."""

    title = "X-learner"

    def fit(self, x: Floats, treated: Bools, outcome: Floats, propensity: Floats) -> XLearner:
        arms = TLearner(self._make).fit(x, treated, outcome, propensity)
        gained = outcome[treated] - _told(arms._other, x[treated])
        missed = _told(arms._one, x[~treated]) - outcome[~treated]
        self._gained, self._missed = _regressed(x[treated], gained), _regressed(x[~treated], missed)
        # Arms of unequal size: whoever is seldom treated is judged by the models that saw many like them.
        self._weight = None if np.ptp(propensity) == 0 else _regressed(x, propensity)
        self._share = float(propensity.mean())
        return self

    def parts(self) -> Sequence[Part]:
        if self._weight is not None:
            raise Refused(
                "Where the chance of treatment differs between units, an X-learner's effect is no sum of models.",
                fix="Take a T- or DR-learner.",
            )
        return Part(self._share, self._missed), Part(1 - self._share, self._gained)

    def effects(self, x: Floats) -> Floats:
        if self._weight is None:
            return super().effects(x)
        weight = np.clip(_told(self._weight, x), 0.0, 1.0)
        return weight * _told(self._missed, x) + (1 - weight) * _told(self._gained, x)


class DRLearner(Learner):
    """A regression on doubly robust effects, whose parts come from the other half of the units."""

    title = "DR-learner"

    def fit(self, x: Floats, treated: Bools, outcome: Floats, propensity: Floats) -> DRLearner:
        pseudo = np.empty(len(x))
        for inside, held in folds(treated, 2, seed=0):
            arms = TLearner(self._make).fit(x[inside], treated[inside], outcome[inside], propensity[inside])
            one, other = _told(arms._one, x[held]), _told(arms._other, x[held])
            w, y, e = treated[held], outcome[held], propensity[held]
            pseudo[held] = one - other + np.where(w, (y - one) / e, -(y - other) / (1 - e))
        self._model = _regressed(x, pseudo)
        return self

    def parts(self) -> Sequence[Part]:
        return (Part(1.0, self._model),)


LEARNERS: Mapping[str, type[Learner]] = {"s": SLearner, "t": TLearner, "x": XLearner, "dr": DRLearner}


def learner(name: str, make: Make = trees) -> Learner:
    """A learner by its letter: ``s``, ``t``, ``x`` or ``dr``.

    Raises:
        UnknownName: none of these.
    """
    kind = LEARNERS.get(name)
    if kind is None:
        raise UnknownName("learner", name, LEARNERS)
    return kind(make)


def held_out(
    made: Callable[[], Learner],
    x: npt.ArrayLike,
    treated: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    propensity: npt.ArrayLike | None = None,
    many: int = FOLDS,
    seed: int = 0,
) -> Floats:
    """The effect of each unit by a learner that didn't see it: what may be judged by ``stats.uplift``.

    Args:
        made: makes a learner, a new one for each fold.
        x: units × features; missing values where the model takes them.
        treated: of each unit, at random.
        outcome: of each unit.
        propensity: the chance of each to be treated; the share of the treated unless given.
        many: folds, with as many of both arms in each.
        seed: of the folds.

    Raises:
        Refused: too few units of an arm, or lengths that differ.
    """
    data, w = np.asarray(x, dtype=np.float64), np.asarray(treated).astype(bool)
    y, e = np.asarray(outcome, dtype=np.float64), _propensity(w, propensity)
    if not len(data) == len(w) == len(y) == len(e):
        raise Refused("Features, treatment and outcome aren't of the same units.")
    found = np.empty(len(y))
    for inside, held in folds(w, many, seed):
        found[held] = made().fit(data[inside], w[inside], y[inside], e[inside]).effects(data[held])
    return found


def _propensity(treated: Bools, given: npt.ArrayLike | None) -> Floats:
    if given is None:
        return np.full(len(treated), treated.mean() if len(treated) else 0.5)
    return np.clip(np.asarray(given, dtype=np.float64), LEAST_PROPENSITY, 1 - LEAST_PROPENSITY)


def folds(treated: Bools, many: int, seed: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Parts of the units, with as many of both arms in each: of each what lies outside it, and itself.

    Raises:
        Refused: fewer than 100 units of an arm would be left to learn from.
    """
    for arm, name in ((treated, "treated"), (~treated, "untreated")):
        n = int(arm.sum())
        if n * (many - 1) // many < LEAST:
            need = -(-LEAST * many // (many - 1))
            raise Refused(
                f"{n} {name} units are too few to learn who responds.", fix=f"It takes {need} of each arm at least."
            )
    part = dealt(treated, many, seed)
    for i in range(many):
        yield np.flatnonzero(part != i), np.flatnonzero(part == i)


def dealt(treated: Bools, many: int, seed: int) -> npt.NDArray[np.int64]:
    """The part of each unit, from 0, with as many of both arms in each; the order of the units decides with the seed."""
    random = np.random.default_rng(seed)
    part = np.empty(len(treated), np.int64)
    for arm in (treated, ~treated):
        part[arm] = random.permutation(np.arange(int(arm.sum())) % many)
    return part


def _regressed(x: Floats, y: Floats) -> Fits:
    """Effects are numbers, so trees learn them whatever model the outcome took."""
    model = trees()
    model.fit(x, y)
    return model


def _told(model: Any, x: Floats) -> Floats:
    """What a model says: a classifier's chance, or a regressor's number."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x)[:, 1], dtype=np.float64)
    return np.asarray(model.predict(x), dtype=np.float64)
