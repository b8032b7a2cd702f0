"""What learns: small boosted trees, and a logistic regression. Each gives log-odds and what each column adds to them.

Neither knows weights of rows or of classes: they would make the chances wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.learning.encoding import Encoder, canonical_order

if TYPE_CHECKING:
    from shoal.insight.models.learning.table import Floats, Table

RIDGE = 1.0
_STEPS = 100
_CLOSE = 1e-10


class Learnt(Protocol):
    """A fitted learner."""

    @property
    def encoder(self) -> Encoder:
        """The columns that are kept."""
        ...

    def log_odds(self, table: Table) -> Floats:
        """The log-odds of each row."""
        ...

    def effects(self, table: Table) -> Floats:
        """What each kept column adds to a row's log-odds, beside what the average row has."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        ...


@dataclass(frozen=True)
class Trees:
    """Boosted trees of LightGBM (Ke 2017), kept as the library's text.

    Args:
        encoder: the columns.
        text: the model, as LightGBM writes it.
    """

    encoder: Encoder
    text: str

    @classmethod
    def fit(
        cls, table: Table, outcome: Floats, encoder: Encoder, *, trees: int, leaves: int, rate: float, threads: int
    ) -> Trees:
        """Learn from the columns that the encoder keeps; the same rows in another order give the same trees.

        Raises:
            Refused: where LightGBM isn't installed, or the encoder keeps no column.
        """
        lightgbm = _lightgbm()
        if not encoder.plans:
            raise Refused("No column is left to learn from.", fix=encoder.reasons())
        codes = encoder.codes(table)
        order = canonical_order(codes, outcome)
        settings = {
            "objective": "binary", "num_leaves": leaves, "learning_rate": rate, "min_data_in_leaf": 20,
            "num_threads": threads, "deterministic": True, "force_row_wise": True, "seed": 0, "verbosity": -1,
        }  # fmt: skip
        words = [i for i, plan in enumerate(encoder.plans) if plan.levels is not None]
        data = lightgbm.Dataset(codes[order], outcome[order], categorical_feature=words, params=settings)
        return cls(encoder, str(lightgbm.train(settings, data, trees).model_to_string()))

    @cached_property
    def _booster(self) -> Any:
        return _lightgbm().Booster(model_str=self.text)

    def log_odds(self, table: Table) -> Floats:
        """The log-odds of each row."""
        codes = self.encoder.codes(table)
        if not len(table):
            return np.empty(0)
        return np.asarray(self._booster.predict(codes, raw_score=True, num_threads=1), dtype=np.float64)

    def effects(self, table: Table) -> Floats:
        """SHAP values of the trees (Lundberg 2020, doi 10.1038/s42256-019-0138-9)."""
        codes = self.encoder.codes(table)
        if not len(table):
            return np.empty((0, codes.shape[1]))
        found = self._booster.predict(codes, pred_contrib=True, num_threads=1)
        return np.asarray(found, dtype=np.float64)[:, :-1]

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        return {"learner": "trees", "encoder": self.encoder.as_json(), "text": self.text}


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on standardised numbers and one column a word, with a ridge.

    With one column it is a baseline, and with none the base rate.

    Args:
        encoder: the columns.
        intercept: the log-odds where all terms are 0.
        weights: one a term.
        means: the mean of each term in training, from which effects are counted.
    """

    encoder: Encoder
    intercept: float
    weights: tuple[float, ...] = field(repr=False)
    means: tuple[float, ...] = field(repr=False)

    @classmethod
    def fit(cls, table: Table, outcome: Floats) -> Logistic:
        """The penalised maximum of the likelihood, by Newton's steps; half a case is added to a constant outcome.

        Raises:
            Refused: for no rows.
        """
        if not len(table):
            raise Refused("There are no rows to learn from.")
        encoder = Encoder.of(table)
        terms, _ = encoder.terms(table)
        order = canonical_order(encoder.codes(table), outcome)
        terms, y = terms[order], outcome[order]
        share = (y.sum() + 0.5) / (y.size + 1) if y.min() == y.max() else y.mean()
        intercept = float(np.log(share / (1 - share)))
        if y.min() == y.max() or not terms.shape[1]:
            return cls(encoder, intercept, (0.0,) * terms.shape[1], tuple(terms.mean(axis=0).tolist()))
        found = newton(terms, y, intercept, RIDGE)
        return cls(encoder, float(found[0]), tuple(found[1:].tolist()), tuple(terms.mean(axis=0).tolist()))

    def log_odds(self, table: Table) -> Floats:
        """The log-odds of each row."""
        terms, _ = self.encoder.terms(table)
        total = np.full(len(table), self.intercept)
        for i, weight in enumerate(self.weights):  # term by term: equal rows must be equal to the last bit
            total += weight * terms[:, i]
        return total

    def effects(self, table: Table) -> Floats:
        """The terms of each column against their mean in training."""
        terms, owners = self.encoder.terms(table)
        found = np.zeros((len(table), len(self.encoder.plans)))
        for i, owner in enumerate(owners.tolist()):
            found[:, owner] += self.weights[i] * (terms[:, i] - self.means[i])
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain values to be saved."""
        return {
            "learner": "logistic",
            "encoder": self.encoder.as_json(),
            "intercept": self.intercept,
            "weights": list(self.weights),
            "means": list(self.means),
        }


def learnt_from_json(saved: dict[str, Any]) -> Trees | Logistic:
    """What ``as_json`` gave.

    Raises:
        Refused: for a learner that isn't known.
    """
    encoder = Encoder.from_json(saved["encoder"])
    if saved["learner"] == "trees":
        return Trees(encoder, str(saved["text"]))
    if saved["learner"] == "logistic":
        return Logistic(encoder, float(saved["intercept"]), tuple(saved["weights"]), tuple(saved["means"]))
    raise Refused(f"There is no learner {saved['learner']!r}.")


def chances(log_odds: Floats) -> Floats:
    """Log-odds as probabilities, without overflow."""
    found: Floats = np.exp(-np.logaddexp(0.0, -log_odds))
    return found


def newton(terms: Floats, y: Floats, intercept: float, penalty: float) -> Floats:
    """Intercept and weights of the least log loss plus ``penalty``/2 · Σ weights²; the intercept isn't penalised.

    Args:
        terms: one column a weight.
        y: the outcome, 0 … 1.
        intercept: where to begin.
        penalty: at least 0.
    """
    x = np.column_stack([np.ones(y.size), terms])
    ridge = np.full(x.shape[1], penalty)
    ridge[0] = 0.0
    weights = np.zeros(x.shape[1])
    weights[0] = intercept
    loss = _loss(x, y, weights, ridge)
    for _ in range(_STEPS):
        p = chances(x @ weights)
        slope = x.T @ (p - y) + ridge * weights
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge + 1e-12)
        step = np.linalg.solve(curve, slope)
        while (new := _loss(x, y, weights - step, ridge)) > loss and np.abs(step).max() > _CLOSE:
            step = step / 2
        if new > loss:
            break
        weights, loss = weights - step, new
        if np.abs(step).max() <= _CLOSE:
            break
    return weights


def _loss(x: Floats, y: Floats, weights: Floats, ridge: Floats) -> float:
    z = x @ weights
    return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * ridge @ (weights * weights))


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise Refused("Boosted trees need LightGBM.", fix="Install the extra: pip install 'shoal[models]'.") from error
    return lightgbm
