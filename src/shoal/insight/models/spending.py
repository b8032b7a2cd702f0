"""What a customer spends on a day with an order, and how sure a figure of fitted models is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.btyd import GammaGamma, Purchases, RepeatModel, bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 30
SEED = 2005
DRAWN_UP_TO = 5_000
"""Of more customers a normal law of the parameters says the same, and each draw would cost a fit."""
STEP = 0.01
TINY = 1e-300


@dataclass(frozen=True)
class Spending:
    """Expected revenue, or margin, of a day with an order.

    Args:
        model: of what customers spend; None where all are taken to spend the mean.
        mean: of all; used without a model.
        error: the relative standard error of ``mean``.
        share: what remains of an order's amount after later refunds and orders that cost nothing, over all customers.
        fallback: why there is no model, else empty.
        notes: what to know.
    """

    model: GammaGamma | None
    mean: float
    error: float
    share: float
    fallback: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def fitted(cls, seen: Purchases, net: Floats) -> Spending | None:
        """Fit on the repeat purchases with an amount above 0; None where nothing was earned.

        Args:
            seen: the histories.
            net: revenue or margin of each customer, less refunds.
        """
        assert seen.total is not None
        gross = float(seen.total.sum())
        if gross <= 0 or net.sum() <= 0:
            return None
        share = min(1.0, float(net.sum()) / gross) * _paid(seen)
        mean, error = _mean(seen)
        try:
            model = GammaGamma.fitted(seen)
        except Refused as refusal:
            return cls(None, mean, error, share, _unfit(refusal.problem, mean))
        assert model.fit is not None
        if not model.fit.converged:
            return cls(None, mean, error, share, _unfit(model.fit.reason, mean))
        return cls(model, mean, error, share, notes=model.fit.warnings)

    def each(self, seen: Purchases) -> Floats:
        """Expected amount of each customer's orders to come, a day with an order."""
        found = np.full(len(seen), self.mean) if self.model is None else self.model.expected(seen)
        return found * self.share

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        values = None if self.model is None else self.model.values().tolist()
        return {"values": values, "mean": self.mean, "error": self.error, "share": self.share}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Spending:
        """What ``document`` gave, through JSON."""
        values = document["values"]
        model = None if values is None else GammaGamma(*values)
        return cls(model, document["mean"], document["error"], document["share"])


def _unfit(problem: str, mean: float) -> str:
    return (
        f"There is no model of spend. {problem} So everybody is taken to spend the mean of all, {mean:,.2f} an order."
    )


def _paid(seen: Purchases) -> float:
    """The share of repeat orders that weren't free."""
    orders = float(seen.frequency.sum())
    return 1.0 if seen.spend_orders is None or orders == 0 else float(seen.spend_orders.sum()) / orders or 1.0


def _mean(seen: Purchases) -> tuple[float, float]:
    """Mean amount of a repeat order, or of any where there is none; and its relative standard error."""
    assert seen.spend is not None
    assert seen.spend_orders is not None
    assert seen.total is not None
    orders, sums = seen.spend_orders, seen.spend * seen.spend_orders
    if orders.sum() == 0:
        orders, sums = seen.frequency + 1, seen.total
    mean = float(sums.sum() / orders.sum())
    # Of a ratio of sums over customers (Cochran 1977, section 2.11).
    spread = float(np.sqrt(np.sum((sums - mean * orders) ** 2)) / orders.sum())
    return mean, spread / mean


# ------------------------------------------------------------ how sure


def drawn(process: RepeatModel, spending: Spending | None, seen: Purchases) -> dict[str, Any]:
    """Parameters that the same customers might have shown, JSON-ready: drawn by a parametric bootstrap, or as their law.

    Returns:
        ``orders`` and ``spend``, each None where nothing can be said, or with ``draws`` (rows of parameters) or
        ``covariance`` (of the logarithms of the parameters).
    """
    model = None if spending is None else spending.model
    if process.fit is None:
        return {"orders": None, "spend": None}
    if len(seen) <= DRAWN_UP_TO:
        found: list[tuple[list[float], list[float]]] = []

        def keep(orders: RepeatModel, paid: GammaGamma | None) -> Floats:
            found.append((orders.values().tolist(), [] if paid is None else paid.values().tolist()))
            return np.zeros(1)

        try:
            bootstrap(process, seen, keep, seed=SEED, spend=model, draws=DRAWS)
        except Refused:
            return _laws(process, model)
        # The last call is of the estimates themselves.
        orders, paid = zip(*found[:-1], strict=True)
        return {"orders": {"draws": list(orders)}, "spend": {"draws": list(paid)} if model else None}
    return _laws(process, model)


def _laws(process: RepeatModel, model: GammaGamma | None) -> dict[str, Any]:
    return {"orders": _law(process), "spend": None if model is None else _law(model)}


def _law(model: RepeatModel | GammaGamma) -> dict[str, Any] | None:
    if model.fit is None or model.fit.covariance is None:
        return None
    return {"covariance": model.fit.covariance.tolist()}


def log_error(
    model: RepeatModel | GammaGamma, law: Mapping[str, Any] | None, figure: Callable[[Any], Floats]
) -> Floats | None:
    """The standard deviation of the logarithm of each figure over the parameters; None where nothing is known of them.

    Args:
        model: the fitted one.
        law: of its parameters, of ``drawn``.
        figure: from a model to positive figures.
    """
    if law is None:
        return None
    values = model.values()
    if "draws" in law:
        return _scatter(model, np.asarray(law["draws"]), figure)
    slopes = []
    for place in range(len(values)):
        step = np.zeros_like(values)
        step[place] = STEP
        ends = (np.log(np.maximum(figure(model.with_values(values * np.exp(s * step))), TINY)) for s in (1, -1))
        up, down = ends
        slopes.append((up - down) / (2 * STEP))
    variance = np.einsum("in,ij,jn->n", slopes, np.asarray(law["covariance"]), slopes, optimize=True)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _scatter(model: RepeatModel | GammaGamma, draws: Floats, figure: Callable[[Any], Floats]) -> Floats:
    """About the estimate, as running sums: so many draws of a million figures needn't be held at once."""
    centre = np.log(np.maximum(figure(model), TINY))
    total = np.zeros_like(centre)
    for values in draws:
        total += (np.log(np.maximum(figure(model.with_values(values)), TINY)) - centre) ** 2
    found: Floats = np.sqrt(total / len(draws))
    return found
