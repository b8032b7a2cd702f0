"""Gamma-Gamma: what a customer spends per purchase, from few purchases of theirs and many of others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from shoal.insight.models.btyd.likelihood import dot, maximise
from shoal.insight.models.btyd.refusals import USUAL, Needs, refuse_constant, refuse_unless

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shoal.insight.models.btyd.likelihood import Fit, Likelihood
    from shoal.insight.models.btyd.summary import Purchases

NAMES = ("p", "q", "gamma")
# The model takes spend and frequency to be independent; beyond this it says so.
CORRELATED = 0.3


@dataclass(frozen=True)
class GammaGamma:
    """Gamma-Gamma (Fader and Hardie 2013, note 025; Colombo and Jiang 1999, doi 10.1002/(SICI)1520-6653(199923)13:3).

    A purchase is gamma with shape ``p``; its rate differs between customers as gamma with shape ``q`` and rate ``gamma`` (in
    the currency of the amounts).
    """

    p: float
    q: float
    gamma: float
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "Gamma-Gamma"

    @classmethod
    def fitted(cls, purchases: Purchases, needs: Needs = USUAL, start: NDArray[np.float64] | None = None) -> Self:
        """Fit by maximum likelihood on the customers with repeat purchases above 0.

        Raises:
            Refused: no amounts, too few customers who bought again, all spend the same, or a spend so uneven that it
                has no mean.
        """
        orders, spend = _spending(purchases)
        kept = orders > 0
        needs.check(len(purchases), int(kept.sum()))
        refuse_constant(spend[kept], "mean spend")
        warnings = _correlation(orders[kept], spend[kept])
        pairs, weight = np.unique(np.stack([orders[kept], spend[kept]]), axis=1, return_counts=True)
        # Amounts in units of their mean, so that the search starts at the same place in every currency.
        scale = float(pairs[1] @ weight / weight.sum())
        starts: list[list[float]] = [[4.0, 4.0, 0.75], [1.5, 2.0, 0.7], [20.0, 20.0, 1.0], [0.7, 6.0, 7.0]]
        if start is not None:
            starts.insert(0, [start[0], start[1], start[2] / scale])
        objective = _objective(pairs[0], pairs[1] / scale, weight.astype(np.float64))
        fit = maximise(objective, NAMES, starts, n=int(kept.sum()), rows=pairs.shape[1], warnings=warnings)
        p, q, gamma = fit.values
        refuse_unless(
            q > 1,
            f"Spend is so uneven (q = {q:.2f}) that its mean isn't finite.",
            "Cap the largest amounts, or fit businesses apart from households.",
        )
        errors = {name: error * (scale if name == "gamma" else 1.0) for name, error in fit.errors.items()}
        fit = replace(
            fit,
            parameters={"p": float(p), "q": float(q), "gamma": float(gamma * scale)},
            errors=errors,
            log_likelihood=fit.log_likelihood - float(weight.sum()) * float(np.log(scale)),
        )
        return cls(float(p), float(q), float(gamma * scale), fit)

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters (p, q, gamma)."""
        p, q, gamma = values.tolist()
        return type(self)(p, q, gamma)

    def values(self) -> NDArray[np.float64]:
        """p, q, gamma."""
        return np.array([self.p, self.q, self.gamma])

    def log_likelihood(self, purchases: Purchases) -> float:
        """The log-likelihood of the mean spends of those who have one."""
        orders, spend = _spending(purchases)
        kept = orders > 0
        height, _ = _objective(orders[kept], spend[kept], np.ones(int(kept.sum())))(self.values())
        return height

    def mean(self) -> float:
        """Expected spend per purchase of a customer nothing is known about.

        Raises:
            Refused: q isn't above 1.
        """
        refuse_unless(self.q > 1, "With q at 1 or below spend has no mean.", "Cap the largest amounts.")
        return self.p * self.gamma / (self.q - 1)

    def expected(self, purchases: Purchases) -> NDArray[np.float64]:
        """Expected spend per purchase to come, given the customer's; those without a repeat purchase get the mean of all."""
        self.mean()
        orders, spend = _spending(purchases)
        return self.p * (self.gamma + orders * spend) / (self.p * orders + self.q - 1)

    def simulate(self, orders: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
        """Draw the mean spend of new customers with so many repeat purchases; 0 for those with none."""
        random = np.random.default_rng(seed)
        rate = np.maximum(random.gamma(self.q, 1 / self.gamma, len(orders)), 1e-300)
        sums = random.gamma(self.p * np.maximum(orders, 1.0)) / rate
        return np.where(orders > 0, sums / np.maximum(orders, 1.0), 0.0)


def _spending(purchases: Purchases) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    refuse_unless(purchases.spend is not None, "There are no amounts.", "Summarise the purchases with their amounts.")
    assert purchases.spend is not None
    assert purchases.spend_orders is not None
    return np.where(purchases.spend > 0, purchases.spend_orders, 0.0), purchases.spend


def _correlation(orders: NDArray[np.float64], spend: NDArray[np.float64]) -> tuple[str, ...]:
    if orders.min() == orders.max():
        return ("Everybody has the same number of repeat purchases: spend can't be compared with it.",)
    found = float(np.corrcoef(orders, spend)[0, 1])
    if abs(found) <= CORRELATED:
        return ()
    return (f"Spend and frequency go together (correlation {found:.2f}): the model takes them to be independent.",)


def _objective(orders: NDArray[np.float64], spend: NDArray[np.float64], weight: NDArray[np.float64]) -> Likelihood:
    size = float(weight.sum())
    logs, total = np.log(spend), orders * spend
    counted, codes = np.unique(orders, return_inverse=True)
    counts = np.bincount(codes, weights=weight)
    by_orders = np.bincount(codes, weights=weight * (logs + np.log(orders)))

    def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        from scipy.special import digamma, gammaln

        p, q, gamma = theta
        shape, whole = p * counted, np.log(gamma + total)
        height = counts @ (gammaln(shape + q) - gammaln(shape)) + size * (q * np.log(gamma) - gammaln(q))
        height += shape @ by_orders - dot(weight, logs) - dot(weight, (p * orders + q) * whole)
        both = digamma(shape + q)
        by_p = counts @ (counted * (both - digamma(shape))) + counted @ by_orders - dot(weight, orders * whole)
        by_q = counts @ both - size * digamma(q) + size * np.log(gamma) - dot(weight, whole)
        by_gamma = size * q / gamma - dot(weight, (p * orders + q) / (gamma + total))
        return float(height), np.array([by_p, by_q, by_gamma])

    return likelihood
