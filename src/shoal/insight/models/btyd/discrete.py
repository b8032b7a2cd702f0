"""BG/BB: customers who can buy once in each of a row of periods, as donors to a yearly appeal; and the same if nobody leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from shoal.insight.models.btyd.likelihood import maximise
from shoal.insight.models.btyd.refusals import USUAL, Needs, refuse_constant, refuse_unless

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.models.btyd.likelihood import Fit

NAMES = ("alpha", "beta", "gamma", "delta")
CELLS = 2_000_000
"""Ways to have left times histories that are looked at together, so that many histories of many occasions fit in memory."""


@dataclass(frozen=True)
class Occasions:
    """The history of customers who could buy at each of a row of occasions.

    Args:
        frequency: at how many occasions they bought (x), the acquisition not counted.
        recency: the last occasion at which they did (t_x), counted from 1; 0 for none.
        periods: how many occasions there were (n).
        weight: how many customers have this history; 1 by default.

    Raises:
        Refused: a history that can't be.
    """

    frequency: NDArray[np.float64]
    recency: NDArray[np.float64]
    periods: NDArray[np.float64]
    weight: NDArray[np.float64]

    def __init__(
        self, frequency: ArrayLike, recency: ArrayLike, periods: ArrayLike, weight: ArrayLike | None = None
    ) -> None:
        x, last, n = (np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in (frequency, recency, periods))
        many = np.ones(len(x)) if weight is None else np.atleast_1d(np.asarray(weight, dtype=np.float64))
        fix = "Give whole numbers with frequency ≤ recency ≤ periods, and recency 0 just where frequency is."
        refuse_unless(len(x) == len(last) == len(n) == len(many), "Columns have unequal numbers of rows.", fix)
        table = np.stack([x, last, n])
        refuse_unless(
            bool(np.all(np.isfinite(table)) and np.all(table == np.floor(table))), "Numbers aren't whole.", fix
        )
        sound = np.all(x >= 0) and np.all(x <= last) and np.all(last <= n) and np.all((x > 0) == (last > 0))
        refuse_unless(bool(sound), "A history can't be.", fix)
        refuse_unless(bool(np.all(np.isfinite(many)) and np.all(many >= 0)), "A weight is below 0.", fix)
        for name, column in (("frequency", x), ("recency", last), ("periods", n), ("weight", many)):
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.frequency)


@dataclass(frozen=True)
class BetaGeometricBetaBernoulli:
    """BG/BB (Fader, Hardie and Shang 2010, doi 10.1287/mksc.1100.0580).

    At each occasion a customer who is here buys with a probability that is beta(``alpha``, ``beta``) over customers, and
    before each one leaves with a probability that is beta(``gamma``, ``delta``).
    """

    alpha: float
    beta: float
    gamma: float
    delta: float
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "BG/BB"

    @classmethod
    def fitted(cls, occasions: Occasions, needs: Needs = USUAL) -> Self:
        """Fit by maximum likelihood.

        Raises:
            Refused: too few customers or buyers, or no differences between customers.
        """
        size = _sized(occasions, needs)
        refuse_constant(occasions.frequency[occasions.weight > 0], "number of purchases")
        rows, weight = _grouped(_table(occasions), occasions.weight)

        def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            each, slopes = _ways(theta, rows)
            return float(weight @ each), slopes @ weight

        starts = ([1.0, 1.0, 0.5, 3.0], [2.0, 2.0, 2.0, 10.0], [0.5, 0.5, 0.3, 1.0])
        fit = maximise(likelihood, NAMES, starts, n=int(size), rows=rows.shape[1])
        alpha, beta, gamma, delta = fit.parameters.values()
        return cls(alpha, beta, gamma, delta, fit)

    def values(self) -> NDArray[np.float64]:
        """alpha, beta, gamma, delta."""
        return np.array([self.alpha, self.beta, self.gamma, self.delta])

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters, in the order of ``values``."""
        alpha, beta, gamma, delta = (float(value) for value in values)
        return type(self)(alpha, beta, gamma, delta)

    def log_likelihood(self, occasions: Occasions) -> float:
        """The log-likelihood of these histories."""
        return float(occasions.weight @ _ways(self.values(), _table(occasions))[0])

    def alive(self, occasions: Occasions) -> NDArray[np.float64]:
        """P(the customer is here at the next occasion)."""
        return self._stays(occasions, 1)

    def active(self, occasions: Occasions, ahead: int) -> NDArray[np.float64]:
        """P(at least one purchase at the next ``ahead`` occasions)."""
        return 1 - self.counts(occasions, ahead)[:, 0]

    def expected(self, occasions: Occasions, ahead: int) -> NDArray[np.float64]:
        """Expected purchases at the next ``ahead`` occasions."""
        return self.worth(occasions, ahead, 0.0)

    def worth(self, occasions: Occasions, ahead: int, rate: float) -> NDArray[np.float64]:
        """The same, where a purchase k occasions ahead counts (1+rate)^-k.

        Raises:
            Refused: fewer than 0 occasions, or a rate below 0.
        """
        from scipy.special import betaln

        refuse_unless(ahead >= 0, "There must be occasions ahead.", "Take 0 or more.")
        refuse_unless(np.isfinite(rate) and rate >= 0, f"A discount of {rate} can't be.", "Take a rate of 0 or more.")
        stay = self.delta + occasions.periods
        lasts = np.zeros(len(occasions))
        for step in range(1, ahead + 1):
            lasts += np.exp(betaln(self.gamma, stay + step) - betaln(self.gamma, stay)) * (1 + rate) ** -step
        return np.asarray(self._buys(occasions) * self._stays(occasions, 0) * lasts)

    def new(self, periods: int) -> float:
        """Expected purchases of a new customer at the first ``periods`` occasions."""
        return float(self.expected(Occasions([0], [0], [0]), periods)[0])

    def counts(self, occasions: Occasions, ahead: int) -> NDArray[np.float64]:
        """P(m purchases at the next ``ahead`` occasions), a row a history, columns m = 0 … ``ahead``."""
        from scipy.special import betaln, gammaln

        refuse_unless(ahead >= 0, "There must be occasions ahead.", "Take 0 or more.")
        bought = self.alpha + occasions.frequency
        passed = self.beta + occasions.periods - occasions.frequency
        stay = self.delta + occasions.periods
        here = self._stays(occasions, 0)
        found = np.zeros((len(occasions), ahead + 1))
        for seen in range(ahead + 1):
            if seen == ahead:
                weight = np.exp(betaln(self.gamma, stay + ahead) - betaln(self.gamma, stay))
            else:
                weight = np.exp(betaln(self.gamma + 1, stay + seen) - betaln(self.gamma, stay))
            for number in range(seen + 1):
                ways = gammaln(seen + 1) - gammaln(number + 1) - gammaln(seen - number + 1)
                chance = np.exp(ways + betaln(bought + number, passed + seen - number) - betaln(bought, passed))
                found[:, number] += weight * chance
        found *= here[:, None]
        found[:, 0] += 1 - here
        return found

    def discounted(self, occasions: Occasions, rate: float) -> NDArray[np.float64]:
        """Discounted expected residual purchases (DERT, equation 14 of the paper), valued at the last occasion.

        Args:
            occasions: the histories.
            rate: discount of a period; a purchase k occasions ahead counts (1+rate)^-k.

        Raises:
            Refused: the rate isn't above 0.
        """
        from scipy.special import hyp2f1

        refuse_unless(np.isfinite(rate) and rate > 0, f"A discount of {rate} can't be.", "Take a rate above 0.")
        stay = self.delta + occasions.periods + 1
        series = hyp2f1(1.0, stay, self.gamma + stay, 1 / (1 + rate))
        return np.asarray(self._buys(occasions) * self._stays(occasions, 1) * series / (1 + rate))

    def _buys(self, occasions: Occasions) -> NDArray[np.float64]:
        return np.asarray((self.alpha + occasions.frequency) / (self.alpha + self.beta + occasions.periods))

    def _stays(self, occasions: Occasions, ahead: int) -> NDArray[np.float64]:
        """P(still here ``ahead`` occasions after the last one that was seen)."""
        from scipy.special import betaln

        x, _, n = rows = _table(occasions)
        bought = betaln(self.alpha + x, self.beta + n - x) - betaln(self.alpha, self.beta)
        stays = betaln(self.gamma, self.delta + n + ahead) - betaln(self.gamma, self.delta)
        return np.asarray(np.exp(bought + stays - _ways(self.values(), rows)[0]))


@dataclass(frozen=True)
class BetaBernoulli:
    """Beta-Bernoulli: what the BG/BB becomes where nobody leaves.

    At each occasion a customer buys with a probability that is beta(``alpha``, ``beta``) over customers. When somebody bought
    last says nothing here, only at how many occasions they did.
    """

    alpha: float
    beta: float
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "beta-Bernoulli"

    @classmethod
    def fitted(cls, occasions: Occasions, needs: Needs = USUAL) -> Self:
        """Fit by maximum likelihood.

        Raises:
            Refused: too few customers or buyers, or no differences between customers.
        """
        size = _sized(occasions, needs)
        refuse_constant(occasions.frequency[occasions.weight > 0], "number of purchases")
        rows, weight = _grouped(np.stack([occasions.frequency, occasions.periods]), occasions.weight)

        def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            each, slopes = _bought(theta, rows)
            return float(weight @ each), slopes @ weight

        fit = maximise(likelihood, NAMES[:2], ([1.0, 1.0], [2.0, 4.0], [0.5, 0.5]), n=int(size), rows=rows.shape[1])
        alpha, beta = fit.parameters.values()
        return cls(alpha, beta, fit)

    @classmethod
    def pooled(cls, occasions: Occasions, needs: Needs) -> Self:
        """Each customer's own share of occasions with a purchase, drawn to that of all, as if one purchase more were known.

        Shares are taken to be beta(1, ·) about that of all, half an occasion added to either side of it: for a base too
        small to learn how customers differ.

        Raises:
            Refused: fewer customers, or fewer who bought again, than needed.
        """
        _sized(occasions, needs)
        bought, had = (float(occasions.weight @ column) for column in (occasions.frequency, occasions.periods))
        share = (bought + 0.5) / (had + 1)
        return cls(1.0, 1 / share - 1)

    def values(self) -> NDArray[np.float64]:
        """alpha, beta."""
        return np.array([self.alpha, self.beta])

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters, in the order of ``values``."""
        alpha, beta = (float(value) for value in values)
        return type(self)(alpha, beta)

    def log_likelihood(self, occasions: Occasions) -> float:
        """The log-likelihood of these histories."""
        rows = np.stack([occasions.frequency, occasions.periods])
        return float(occasions.weight @ _bought(self.values(), rows)[0])

    def active(self, occasions: Occasions, ahead: int) -> NDArray[np.float64]:
        """P(at least one purchase at the next ``ahead`` occasions)."""
        from scipy.special import betaln

        bought, passed = self.alpha + occasions.frequency, self.beta + occasions.periods - occasions.frequency
        return np.asarray(-np.expm1(betaln(bought, passed + ahead) - betaln(bought, passed)))

    def expected(self, occasions: Occasions, ahead: int) -> NDArray[np.float64]:
        """Expected purchases at the next ``ahead`` occasions."""
        return self.worth(occasions, ahead, 0.0)

    def worth(self, occasions: Occasions, ahead: int, rate: float) -> NDArray[np.float64]:
        """The same, where a purchase k occasions ahead counts (1+rate)^-k."""
        share = (self.alpha + occasions.frequency) / (self.alpha + self.beta + occasions.periods)
        return np.asarray(share * sum((1 + rate) ** -step for step in range(1, ahead + 1)))


def _bought(theta: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The log-likelihood of each row of the beta-Bernoulli, and its derivatives."""
    from scipy.special import betaln, digamma

    (alpha, beta), (x, n) = theta, rows
    both = digamma(alpha + beta + n) - digamma(alpha + beta)
    slopes = [digamma(alpha + x) - digamma(alpha) - both, digamma(beta + n - x) - digamma(beta) - both]
    return betaln(alpha + x, beta + n - x) - betaln(alpha, beta), np.stack(slopes)


def _sized(occasions: Occasions, needs: Needs) -> float:
    """How many customers there are.

    Raises:
        Refused: fewer, or fewer who bought again, than needed.
    """
    size, buyers = float(occasions.weight.sum()), float(occasions.weight[occasions.frequency > 0].sum())
    needs.check(int(size), int(buyers))
    return size


def _grouped(
    table: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Equal columns as one, with the sum of their weights."""
    rows, place = np.unique(table, axis=1, return_inverse=True)
    return rows, np.bincount(place.ravel(), weights=weight).astype(np.float64)


def _table(occasions: Occasions) -> NDArray[np.float64]:
    return np.stack([occasions.frequency, occasions.recency, occasions.periods])


def _ways(theta: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The log-likelihood of each row and its derivatives, of so many rows at once as fit in memory."""
    _, last, n = rows
    size = max(1, CELLS // (int((n - last).max(initial=0)) + 1))
    parts = [_some_ways(theta, rows[:, at : at + size]) for at in range(0, max(rows.shape[1], 1), size)]
    return np.concatenate([each for each, _ in parts]), np.concatenate([slopes for _, slopes in parts], axis=1)


def _some_ways(
    theta: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The log-likelihood of each row and its derivatives: the sum over all occasions after which a customer may have left."""
    from scipy.special import betaln, digamma

    alpha, beta, gamma, delta = theta
    x, last, n = rows
    most = int((n - last).max(initial=0))
    # One line a way: left after the occasion ``last + step``, or (line 0) still here at the end.
    step = np.arange(-1, most)[:, None]
    here = step < 0
    seen = np.where(here, n, last + step)
    leaves = np.where(here, 0.0, 1.0)
    possible = here | (seen < n)
    logs = betaln(alpha + x, beta + seen - x) + betaln(gamma + leaves, delta + seen)
    logs = np.where(possible, logs, -np.inf)
    top = logs.max(axis=0)
    shares = np.exp(logs - top)
    area = shares.sum(axis=0)
    shares /= area
    each = top + np.log(area) - betaln(alpha, beta) - betaln(gamma, delta)
    both, left = digamma(alpha + beta + seen), digamma(gamma + delta + seen + leaves)
    slopes = np.stack(
        [
            digamma(alpha + x) - (shares * both).sum(axis=0) - digamma(alpha) + digamma(alpha + beta),
            (shares * (digamma(beta + seen - x) - both)).sum(axis=0) - digamma(beta) + digamma(alpha + beta),
            (shares * (digamma(gamma + leaves) - left)).sum(axis=0) - digamma(gamma) + digamma(gamma + delta),
            (shares * (digamma(delta + seen) - left)).sum(axis=0) - digamma(delta) + digamma(gamma + delta),
        ]
    )
    return each, slopes
