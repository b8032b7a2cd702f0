"""Effects of single customers from a randomised treatment, by meta-learners over any scikit-learn model.

Künzel, Sekhon, Bickel & Yu 2019 (doi:10.1073/pnas.1804597116) for S, T and X; Kennedy 2023 (arXiv:2004.14497) for DR.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shoal.errors import Refused, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    """Small boosted trees, which take missing values as they are."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model: Fits = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=100, random_state=0
    )
    return model


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
    def effects(self, x: Floats) -> Floats:
        """What the treatment does to each of other units, in the outcome's unit."""

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

    def effects(self, x: Floats) -> Floats:
        with_it, without = (_told(self._model, np.column_stack([x, np.full(len(x), t)])) for t in (1.0, 0.0))
        return with_it - without


class TLearner(Learner):
    """A model for each arm."""

    title = "T-learner"

    def fit(self, x: Floats, treated: Bools, outcome: Floats, propensity: Floats) -> TLearner:
        self._one, self._other = (self._fitted(x[arm], outcome[arm]) for arm in (treated, ~treated))
        return self

    def effects(self, x: Floats) -> Floats:
        return _told(self._one, x) - _told(self._other, x)


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

    def effects(self, x: Floats) -> Floats:
        weight = self._share if self._weight is None else np.clip(_told(self._weight, x), 0.0, 1.0)
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

    def effects(self, x: Floats) -> Floats:
        return _told(self._model, x)


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
    random = np.random.default_rng(seed)
    part = np.empty(len(treated), np.int64)
    for arm, name in ((treated, "treated"), (~treated, "untreated")):
        n = int(arm.sum())
        if n * (many - 1) // many < LEAST:
            need = -(-LEAST * many // (many - 1))
            raise Refused(
                f"{n} {name} units are too few to learn who responds.", fix=f"It takes {need} of each arm at least."
            )
        part[arm] = random.permutation(np.arange(n) % many)
    for i in range(many):
        yield np.flatnonzero(part != i), np.flatnonzero(part == i)


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
