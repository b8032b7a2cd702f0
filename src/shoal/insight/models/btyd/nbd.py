"""NBD: customers who buy at their own rate and never leave, the model that the others become where nobody leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from shoal.insight.models.btyd.likelihood import dot
from shoal.insight.models.btyd.refusals import USUAL, Needs, refuse_unless
from shoal.insight.models.btyd.repeat import RepeatModel, ready
from shoal.insight.models.btyd.summary import Collapsed, Purchases, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shoal.insight.models.btyd.likelihood import Fit, Likelihood

NAMES = ("r", "alpha")


@dataclass(frozen=True)
class NegativeBinomial(RepeatModel):
    """NBD (Ehrenberg 1959, doi 10.2307/2985810): rates are gamma with shape ``r`` and rate ``alpha``, nobody leaves.

    When somebody bought last says nothing here, only how often and for how long they are known.
    """

    r: float
    alpha: float
    unit: Unit = "weeks"
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "NBD"

    @classmethod
    def fitted(cls, purchases: Purchases, needs: Needs = USUAL, start: NDArray[np.float64] | None = None) -> Self:
        """Fit by maximum likelihood; see :meth:`RepeatModel.fitted`."""
        rows = ready(purchases, needs)
        rate = dot(rows.weight, rows.frequency) / dot(rows.weight, rows.age)
        starts = [[shape, shape / rate] for shape in (0.5, 2.0, 0.1)]
        fit = cls._searched(rows, NAMES, starts, start)
        r, alpha = fit.parameters.values()
        return cls(r, alpha, purchases.unit, fit)

    @classmethod
    def pooled(cls, purchases: Purchases, needs: Needs) -> Self:
        """Each customer's own rate drawn to that of all, as one who is known for the mean time between two orders.

        Rates are taken to be exponential (``r`` = 1) about the rate of all: for a base too small to learn how customers
        differ.

        Raises:
            Refused: fewer customers, or fewer who bought again, than needed.
        """
        needs.check(len(purchases), int((purchases.frequency > 0).sum()))
        refuse_unless(bool((purchases.age > 0).any()), "No customer is older than a day.", "Take a later end.")
        return cls(1.0, float(purchases.age.sum() / purchases.frequency.sum()), purchases.unit)

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters (r, alpha)."""
        r, alpha = values.tolist()
        return type(self)(r, alpha, self.unit)

    def values(self) -> NDArray[np.float64]:
        """r, alpha."""
        return np.array([self.r, self.alpha])

    @classmethod
    def _objective(cls, rows: Collapsed) -> Likelihood:
        frequency, codes = np.unique(rows.frequency, return_inverse=True)
        counts = np.bincount(codes, weights=rows.weight)
        size = float(rows.weight.sum())

        def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            from scipy.special import digamma, gammaln

            r, alpha = theta
            power, known = rows.frequency + r, alpha + rows.age
            logs = np.log(known)
            height = counts @ gammaln(r + frequency) + size * (r * np.log(alpha) - gammaln(r))
            by_r = counts @ digamma(r + frequency) + size * (np.log(alpha) - digamma(r)) - dot(rows.weight, logs)
            by_alpha = size * r / alpha - dot(rows.weight, power / known)
            return float(height) - dot(rows.weight, power * logs), np.array([by_r, by_alpha])

        return likelihood

    def _log_likelihood(self, rows: Collapsed) -> NDArray[np.float64]:
        from scipy.special import gammaln

        power = self.r + rows.frequency
        bought = gammaln(power) - gammaln(self.r) + self.r * np.log(self.alpha)
        return np.asarray(bought - power * np.log(self.alpha + rows.age))

    def _alive(self, rows: Collapsed) -> NDArray[np.float64]:
        return np.ones(len(rows.age))

    def _expected(self, rows: Collapsed, horizon: float) -> NDArray[np.float64]:
        return np.asarray((self.r + rows.frequency) / (self.alpha + rows.age) * horizon)

    def _active(self, rows: Collapsed, horizon: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-np.expm1(-(self.r + rows.frequency) * np.log1p(horizon / (self.alpha + rows.age))))

    def _when(self, rows: Collapsed, horizon: float, share: float) -> NDArray[np.float64]:
        comes = share * self._active(rows, np.full(len(rows.age), horizon))
        return np.asarray((self.alpha + rows.age) * np.expm1(-np.log1p(-comes) / (self.r + rows.frequency)))

    def _counts(self, rows: Collapsed, horizon: float, most: int) -> NDArray[np.float64]:
        from scipy.special import gammaln

        power, start = (self.r + rows.frequency)[:, None], (self.alpha + rows.age)[:, None]
        number = np.arange(most + 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(number > 0, number * np.log(np.float64(horizon) / (start + horizon)), 0.0)
        logs = gammaln(power + number) - gammaln(power) - gammaln(number + 1) - power * np.log1p(horizon / start)
        return np.asarray(np.exp(logs + part))

    def new(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected repeat purchases of a new customer up to ``time``."""
        return np.asarray(self.r / self.alpha * np.asarray(time, dtype=np.float64))

    def simulate(self, age: NDArray[np.float64], seed: int) -> Purchases:
        """Draw a history for new customers of these ages."""
        random = np.random.default_rng(seed)
        known = np.asarray(age, dtype=np.float64)
        frequency = random.poisson(random.gamma(self.r, 1 / self.alpha, len(known)) * known).astype(np.float64)
        # The last of n uniform moments is the n-th root of one uniform.
        last = random.random(len(known)) ** (1 / np.maximum(frequency, 1.0))
        recency = np.where(frequency > 0, known * last, 0.0)
        frequency[recency == 0] = 0
        return Purchases(frequency, recency, known, self.unit)
