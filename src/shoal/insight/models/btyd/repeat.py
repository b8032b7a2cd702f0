"""What every model of repeat purchases can tell: the parts that don't depend on how customers come to leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.insight.models.btyd.likelihood import dot, maximise
from shoal.insight.models.btyd.refusals import USUAL, Needs, refuse_constant, refuse_unless
from shoal.insight.models.btyd.summary import Collapsed, Purchases, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from shoal.insight.models.btyd.likelihood import Fit, Likelihood


@dataclass(frozen=True)
class NextOrder:
    """When the next order comes, given that one comes within the horizon.

    Attributes:
        probability: that one comes within the horizon at all.
        low: lower end of the interval, counted from the end of the observation, in the unit of the model.
        middle: the date before which it comes as likely as after.
        high: upper end.
        horizon: how far ahead was looked.
        level: how likely the date lies in the interval, given that an order comes.
    """

    probability: NDArray[np.float64]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    horizon: float
    level: float


class RepeatModel(ABC):
    """A fitted model of repeat purchases in continuous time.

    Each customer buys as a Poisson process until they leave unseen; rates and the readiness to leave differ between
    customers. All answers are per customer, in the order of the rows.
    """

    name: str
    unit: Unit
    fit: Fit | None

    @classmethod
    @abstractmethod
    def fitted(cls, purchases: Purchases, needs: Needs = USUAL, start: NDArray[np.float64] | None = None) -> Self:
        """Fit by maximum likelihood; ``start`` is where to begin, if something near is known.

        Raises:
            Refused: too few customers or repeat buyers, or no differences between customers.
        """

    @classmethod
    @abstractmethod
    def _objective(cls, rows: Collapsed) -> Likelihood: ...

    @classmethod
    def _searched(
        cls, rows: Collapsed, names: Sequence[str], starts: list[list[float]], start: NDArray[np.float64] | None
    ) -> Fit:
        """The maximum from some starts, ``start`` before them; of very many rows it begins where some of them have theirs."""
        begins = starts if start is None else [list(start), *starts]
        few = thinned(rows)
        if few is not None:
            near = maximise(cls._objective(few), names, begins, n=int(few.weight.sum()), rows=len(few.age))
            begins = [list(near.values), *begins]
        return maximise(cls._objective(rows), names, begins, n=int(rows.weight.sum()), rows=len(rows.age))

    @abstractmethod
    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same model with other parameters, in the order of ``fit.parameters``."""

    @abstractmethod
    def values(self) -> NDArray[np.float64]:
        """The parameters as a row."""

    @abstractmethod
    def simulate(self, age: NDArray[np.float64], seed: int) -> Purchases:
        """Draw a history for new customers of these ages."""

    @abstractmethod
    def new(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected repeat purchases of a new customer up to ``time`` after the first purchase."""

    @abstractmethod
    def _log_likelihood(self, rows: Collapsed) -> NDArray[np.float64]: ...

    @abstractmethod
    def _alive(self, rows: Collapsed) -> NDArray[np.float64]: ...

    @abstractmethod
    def _expected(self, rows: Collapsed, horizon: float) -> NDArray[np.float64]: ...

    @abstractmethod
    def _active(self, rows: Collapsed, horizon: NDArray[np.float64]) -> NDArray[np.float64]: ...

    @abstractmethod
    def _when(self, rows: Collapsed, horizon: float, share: float) -> NDArray[np.float64]:
        """When a share of the probability of an order within the horizon has passed."""

    @abstractmethod
    def _counts(self, rows: Collapsed, horizon: float, most: int) -> NDArray[np.float64]:
        """P(n purchases within the horizon), a row each, n = 0 … most."""

    def log_likelihood(self, purchases: Purchases) -> float:
        """The log-likelihood of these histories."""
        rows = self._rows(purchases)
        return float(dot(rows.weight, self._log_likelihood(rows)))

    def alive(self, purchases: Purchases) -> NDArray[np.float64]:
        """P(the customer hasn't left).

        In BG/NBD this is 1 for everybody who bought once, so it is no score of churn: take :meth:`active`.
        """
        return self._each(purchases, self._alive)

    def active(self, purchases: Purchases, horizon: float) -> NDArray[np.float64]:
        """P(at least one purchase within the horizon); one less this is the churn score for that horizon."""
        ahead = _horizon(horizon)
        return self._each(purchases, lambda rows: self._active(rows, np.full(len(rows.age), ahead)))

    def expected(self, purchases: Purchases, horizon: float) -> NDArray[np.float64]:
        """Expected purchases within the horizon, given the history."""
        ahead = _horizon(horizon)
        return self._each(purchases, lambda rows: self._expected(rows, ahead))

    def counts(self, purchases: Purchases, horizon: float, most: int = 20) -> NDArray[np.float64]:
        """P(n purchases within the horizon), a row a customer, columns n = 0 … ``most``."""
        refuse_unless(most >= 0, "The greatest number of purchases is below 0.", "Ask for 0 or more.")
        return self._each(purchases, lambda rows: self._counts(rows, _horizon(horizon), most))

    def next_order(self, purchases: Purchases, horizon: float, level: float = 0.8) -> NextOrder:
        """The date of the next order, with an interval.

        Raises:
            Refused: the horizon isn't above 0, or the level isn't between 0 and 1.
        """
        refuse_unless(0 < level < 1, f"A level of {level} isn't between 0 and 1.", "Write 0.8 for 80 %.")
        refuse_unless(_horizon(horizon) > 0, "A next order needs a time to come in.", "Take a horizon above 0.")
        low, middle, high = (
            self._each(purchases, lambda rows, share=share: self._when(rows, horizon, share))  # type: ignore[misc]
            for share in ((1 - level) / 2, 0.5, (1 + level) / 2)
        )
        return NextOrder(self.active(purchases, horizon), low, middle, high, horizon, level)

    def discounted(self, purchases: Purchases, rate: float, horizon: float | None = None) -> NDArray[np.float64]:
        """Expected purchases, each worth less the later it comes: a purchase at t counts e^(-rate·t).

        Without a horizon these are the discounted expected residual transactions (DERT; Fader, Hardie and Lee 2005,
        doi 10.1509/jmkr.2005.42.4.415).

        Args:
            purchases: the histories.
            rate: continuous rate of discount in a unit of time: ln(1.15)/52 is 15 % a year in weeks.
            horizon: how far to look; None is for ever.

        Raises:
            Refused: the rate is below 0, or 0 without a horizon.
        """
        refuse_unless(np.isfinite(rate) and rate >= 0, f"A discount of {rate} can't be.", "Take a rate of 0 or more.")
        if horizon is None:
            refuse_unless(rate > 0, "Without discount there is no value for ever.", "Give a rate or a horizon.")
        elif rate == 0:
            return self.expected(purchases, horizon)
        return self._each(purchases, lambda rows: self._discounted(rows, rate, horizon))

    def _discounted(self, rows: Collapsed, rate: float, horizon: float | None) -> NDArray[np.float64]:
        """∫ e^(-rate·t) dE(t), by parts, with nodes that lie closer at the beginning."""
        ahead = 36.0 / rate if horizon is None else _horizon(horizon)
        scale = max(float(self.values()[1]), ahead / 1e4)
        times, weights = log_nodes(scale, ahead, 48 if horizon is None else 12)
        total = np.exp(-rate * ahead) * self._expected(rows, ahead)
        for time, weight in zip(times, weights, strict=True):
            total = total + rate * weight * np.exp(-rate * time) * self._expected(rows, float(time))
        return np.asarray(total)

    def _rows(self, purchases: Purchases) -> Collapsed:
        refuse_unless(
            purchases.unit == self.unit,
            f"The model counts in {self.unit}, these histories in {purchases.unit}.",
            "Summarise the purchases in the unit of the model.",
        )
        return purchases.collapsed

    def _each(self, purchases: Purchases, answer: Callable[[Collapsed], NDArray[np.float64]]) -> NDArray[np.float64]:
        rows = self._rows(purchases)
        return answer(rows)[rows.inverse]


def _horizon(horizon: float) -> float:
    refuse_unless(np.isfinite(horizon) and horizon >= 0, f"A horizon of {horizon} can't be.", "Take one of 0 or more.")
    return float(horizon)


def log_nodes(scale: float, end: float, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes on 0 … ``end`` that lie closer at the beginning, and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(number)
    reach = np.log1p(end / scale)
    at = (nodes + 1) / 2 * reach
    return scale * np.expm1(at), weights / 2 * reach * scale * np.exp(at)


def ready(purchases: Purchases, needs: Needs) -> Collapsed:
    """The rows to fit on.

    Raises:
        Refused: too few customers or repeat buyers, or no differences between customers.
    """
    needs.check(len(purchases), int((purchases.frequency > 0).sum()))
    refuse_unless(bool((purchases.age > 0).any()), "No customer is older than a day.", "Take a later end.")
    refuse_constant(purchases.frequency, "number of repeat purchases")
    return purchases.collapsed


def thinned(rows: Collapsed, most: int = 20_000) -> Collapsed | None:
    """Every so-manieth row, to find a start on; None where there are few."""
    if len(rows.age) <= 2 * most:
        return None
    chosen = slice(None, None, len(rows.age) // most)
    empty = np.empty(0, dtype=np.int64)
    return Collapsed(rows.frequency[chosen], rows.recency[chosen], rows.age[chosen], rows.weight[chosen], empty)
