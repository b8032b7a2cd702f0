"""What customers are worth over a named horizon: expected orders times expected spend, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.btyd.refusals import Needs, refuse_unless

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shoal.insight.models.btyd.repeat import RepeatModel
    from shoal.insight.models.btyd.spend import GammaGamma
    from shoal.insight.models.btyd.summary import Purchases, Unit

# Up to here an interval comes from histories that are drawn and fitted anew; beyond, from the law of large numbers.
REFITTED = 50_000
FREE = Needs(1, 1)


@dataclass(frozen=True)
class Value:
    """What each customer is worth, in the order of the rows.

    Attributes:
        orders: expected purchases within the horizon, discounted if there is a discount.
        spend: expected spend per purchase, in the currency of the amounts.
        predicted: orders x spend x margin.
        historic: all purchases of the past x margin; None where the summary has no totals.
        total: historic + predicted; None where there is no historic value.
        horizon: how far was looked, in ``unit``; None is for ever.
        unit: the unit of the horizon.
        margin: share of the spend that counts; 1 is revenue.
        rate: continuous rate of discount in a unit of time.
        warnings: what to know before relying on it.
    """

    orders: NDArray[np.float64]
    spend: NDArray[np.float64]
    predicted: NDArray[np.float64]
    historic: NDArray[np.float64] | None
    total: NDArray[np.float64] | None
    horizon: float | None
    unit: Unit
    margin: float
    rate: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bootstrap:
    """An interval for each figure, from parameters that the same customers might have shown.

    Attributes:
        estimate: the figures at the estimates.
        low: lower ends.
        high: upper ends.
        level: how often such an interval holds the true figure, if the model is right.
        draws: how many sets of parameters it rests on.
        failed: draws that were left out because their fit found no maximum.
        method: how they were drawn, in words.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    draws: int
    failed: int
    method: str


def value(
    orders: RepeatModel,
    spend: GammaGamma,
    purchases: Purchases,
    *,
    horizon: float | None,
    margin: float = 1.0,
    rate: float = 0.0,
) -> Value:
    """The value of each customer over a horizon.

    Args:
        orders: the model of repeat purchases.
        spend: the model of spend.
        purchases: the histories, with their spend.
        horizon: how far to look, in the unit of the histories; None is for ever and needs a discount.
        margin: share of the spend that counts.
        rate: continuous rate of discount in a unit of time: ln(1.15)/52 is 15 % a year in weeks.

    Raises:
        Refused: a margin, rate or horizon that can't be, or histories without spend.
    """
    refuse_unless(np.isfinite(margin) and 0 < margin <= 1, f"A margin of {margin} can't be.", "Write 0.3 for 30 %.")
    ahead = orders.discounted(purchases, rate, horizon)
    each = spend.expected(purchases)
    predicted = ahead * each * margin
    historic = None if purchases.total is None else purchases.total * margin
    fits = [fit for fit in (orders.fit, spend.fit) if fit is not None]
    warnings = [warning for fit in fits for warning in fit.warnings]
    warnings += [fit.reason for fit in fits if not fit.converged]
    return Value(
        ahead,
        each,
        predicted,
        historic,
        None if historic is None else historic + predicted,
        horizon,
        purchases.unit,
        margin,
        rate,
        tuple(warnings),
    )


def bootstrap(
    orders: RepeatModel,
    purchases: Purchases,
    figure: Callable[[RepeatModel, GammaGamma | None], NDArray[np.float64]],
    *,
    seed: int,
    spend: GammaGamma | None = None,
    draws: int = 50,
    level: float = 0.9,
) -> Bootstrap:
    """A parametric bootstrap interval of any figures that come from the models.

    Histories of as many customers, as old as these, are drawn from the fitted model and fitted anew; the figures of the
    models so found are the spread. Of many customers (more than 50,000) the parameters are drawn from their normal law
    instead: its error is far below the interval there, and a fit of each draw would take minutes.

    It tells how sure the parameters are, not what chance does to a single customer: for that ask ``counts``.

    Args:
        orders: the fitted model of repeat purchases.
        purchases: the histories it was fitted on.
        figure: from the models to figures; the value of a segment, or the expected orders of each customer.
        seed: of the draws.
        spend: the fitted model of spend, if the figures need it.
        draws: how many.
        level: of the intervals.

    Raises:
        Refused: fewer than 20 draws, a level that isn't between 0 and 1, a model without a fit that converged, or
            most draws couldn't be fitted.
    """
    refuse_unless(draws >= 20, f"{draws} draws are too few for an interval.", "Take 20 or more.")
    refuse_unless(0 < level < 1, f"A level of {level} isn't between 0 and 1.", "Write 0.9 for 90 %.")
    for model in (orders, spend):
        sound = model is None or (model.fit is not None and model.fit.converged)
        refuse_unless(sound, "An interval needs a model whose fit converged.", "See the reason in its fit.")
    random = np.random.default_rng(seed)
    refit = len(purchases) <= REFITTED
    draw = _refitted if refit else _drawn
    found = []
    for _ in range(draws):
        models = draw(orders, spend, purchases, random)
        if models is not None:
            found.append(np.atleast_1d(figure(*models)))
    refuse_unless(
        2 * len(found) >= draws,
        f"Only {len(found)} of {draws} drawn histories could be fitted, so there is no interval.",
        "Take more customers, or a simpler model.",
    )
    low, high = np.quantile(np.array(found), [(1 - level) / 2, (1 + level) / 2], axis=0)
    method = "histories drawn and fitted anew" if refit else "parameters drawn from their normal law"
    estimate = np.atleast_1d(figure(orders, spend))
    return Bootstrap(estimate, low, high, level, len(found), draws - len(found), method)


def _refitted(
    orders: RepeatModel, spend: GammaGamma | None, purchases: Purchases, random: np.random.Generator
) -> tuple[RepeatModel, GammaGamma | None] | None:
    from dataclasses import replace

    one, two = (int(number) for number in random.integers(0, 2**62, 2))
    # The order of the customers must not matter, so ages are sorted before histories are drawn for them.
    drawn = orders.simulate(np.sort(purchases.age), one)
    try:
        again = type(orders).fitted(drawn, FREE, orders.values())
        if spend is None:
            return (again, None) if _sound(again) else None
        assert purchases.spend_orders is not None
        counts = np.sort(purchases.spend_orders)
        drawn = replace(drawn, spend=spend.simulate(counts, two), spend_orders=counts)
        paid = type(spend).fitted(drawn, FREE, spend.values())
    except Refused:
        return None
    return (again, paid) if _sound(again) and _sound(paid) else None


def _sound(model: RepeatModel | GammaGamma) -> bool:
    return model.fit is not None and model.fit.converged


def _drawn(
    orders: RepeatModel, spend: GammaGamma | None, purchases: Purchases, random: np.random.Generator
) -> tuple[RepeatModel, GammaGamma | None]:
    del purchases
    return orders.with_values(_near(orders, random)), None if spend is None else spend.with_values(_near(spend, random))


def _near(model: Any, random: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(np.exp(random.multivariate_normal(np.log(model.values()), model.fit.covariance)))
