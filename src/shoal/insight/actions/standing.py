"""How customers stand at an instant, as arrays: the same at a cut in the past, so that what came after can be counted.

What is at stake is read off those who stood a horizon ago where others stand now: nothing is assumed of what an action
would do to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.insight.models.asof import MICRO
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

YEAR = 365
_RHYTHM = 2.0
"""Silent for more than so many of their own usual gaps: something is off."""
_BEST = 0.8
_DUE_FROM, _DUE_UNTIL = 0.8, 1.5
_PAIR, _SEVERAL = 2, 3


@dataclass(frozen=True, eq=False)
class Standing:
    """Customers at an instant, one value each, in the order of ``AsOf.customers``.

    Args:
        days: the horizon.
        order_days: local days with an order, ever.
        silent: days since the last one; NaN for who never ordered.
        gap: the mean of the days between orders; NaN for fewer than two.
        orders: days with an order in the horizon before the instant.
        spend: net, in the horizon before the instant.
        yearly: net spend of a year before it.
        basket: net spend by day with an order, ever; NaN for who never ordered.
        tenure: days since the first order; 0 for who never ordered.
        lasting: days within which four in five returns of everyone happen, the least that counts as silence.
    """

    days: int
    order_days: Floats
    silent: Floats
    gap: Floats
    orders: Floats
    spend: Floats
    yearly: Floats
    basket: Floats
    tenure: Floats
    lasting: float

    @property
    def active(self) -> Mask:
        """Who ordered in the horizon."""
        return self.orders > 0

    @property
    def lapsing(self) -> Mask:
        """Who came back once at least, and has been silent for twice their own usual gap, and for longer than most take."""
        bound = np.maximum(_RHYTHM * np.nan_to_num(self.gap, nan=np.inf), self.lasting)
        return np.asarray((self.order_days >= _PAIR) & (np.nan_to_num(self.silent, nan=-1.0) > bound))

    @property
    def best(self) -> Mask:
        """The fifth of the last year's buyers who spent most, those who are lapsing left out."""
        buyers = self.yearly > 0
        if not buyers.any():
            return buyers
        return np.asarray((self.yearly >= np.quantile(self.yearly[buyers], _BEST)) & buyers & ~self.lapsing)

    @property
    def due(self) -> Mask:
        """Whose next order is due by their own rhythm, of three orders or more, that is no longer than the horizon."""
        ratio = np.nan_to_num(self.silent / self.gap, nan=-1.0, posinf=-1.0)
        steady = (self.order_days >= _SEVERAL) & (np.nan_to_num(self.gap, nan=np.inf) <= self.days)
        return np.asarray(steady & (ratio >= _DUE_FROM) & (ratio <= _DUE_UNTIL))


@dataclass(frozen=True, eq=False)
class After:
    """What the customers of a ``Standing`` did in the days after it: days with an order, and net spend."""

    orders: Floats
    spend: Floats


def standing(known: AsOf, days: int) -> Standing:
    """How all customers stand at the instant of ``known``."""
    today = known.today
    table = known.arrow(
        "SELECT customer, count(*) AS n, min(day) AS first, max(day) AS last, "
        f"count(CASE WHEN day > {today - days:d} THEN 1 END) AS recent FROM (SELECT DISTINCT customer, day "
        f"FROM {known.sales.table} WHERE is_order) GROUP BY customer"
    )
    owners = np.asarray(table["customer"].to_numpy())
    n, first, last, recent = (
        np.asarray(table[name].to_numpy(), np.float64) for name in ("n", "first", "last", "recent")
    )
    gaps = np.where(n > 1, (last - first) / np.maximum(n - 1, 1), np.nan)
    money = known.arrow(
        f"SELECT customer, {_sum('true')} AS total, {_sum(f'day > {today - days:d}')} AS recent, "
        f"{_sum(f'day > {today - YEAR:d}')} AS yearly FROM {known.sales.table} GROUP BY customer"
    )
    payers = np.asarray(money["customer"].to_numpy())
    total, spend, yearly = (
        known.aligned(payers, np.asarray(money[name].to_numpy(), np.float64), 0.0)
        for name in ("total", "recent", "yearly")
    )
    order_days = known.aligned(owners, n, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        basket = np.where(order_days > 0, total / order_days, np.nan)
    return Standing(
        days, order_days, today - known.aligned(owners, last), known.aligned(owners, gaps),
        known.aligned(owners, recent, 0.0), spend, yearly, basket, known.aligned(owners, today - first, 0.0), _lasting(gaps),
    )  # fmt: skip


def _sum(test: str) -> str:
    return f"CAST(coalesce(sum(CASE WHEN {test} THEN revenue END), 0) AS DOUBLE) / {MICRO}"


def _lasting(gaps: Floats) -> float:
    """Four in five of those who came back have a usual gap of no more days than this."""
    known = gaps[np.isfinite(gaps)]
    return float(np.quantile(known, 0.8)) if known.size else 0.0


def after(known: AsOf, before: AsOf, days: int) -> After:
    """What those who existed at ``before`` did in the days after it, as far as ``known`` reaches."""
    until = min(known.at, before.at + days * DAY)
    table = known.arrow(
        f"SELECT customer, CAST(count(DISTINCT CASE WHEN is_order THEN day END) AS DOUBLE) AS n, {_sum('true')} AS spend "
        f"FROM {known.sales.table} WHERE ts > {before.at:d} AND ts <= {until:d} GROUP BY customer"
    )
    owners = np.asarray(table["customer"].to_numpy())
    orders, spend = (
        before.aligned(owners, np.asarray(table[name].to_numpy(), np.float64), 0.0) for name in ("n", "spend")
    )
    return After(orders, spend)


def trait(known: AsOf, name: str) -> npt.NDArray[Any] | None:
    """The values of a trait in force, one a customer: numbers and dates (days) as floats, texts as objects; or None."""
    found = known.registry.trait(name)
    if found is None or found.unset:
        return None
    table = known.arrow(known.trait(found))
    owners = np.asarray(table["owner"].to_numpy())
    if found.kind is Kind.NUMBER:
        return known.aligned(owners, np.asarray(table["value"].to_numpy(), np.float64) / MICRO)
    if found.kind is Kind.DATE:
        days = table["value"].cast("int32").to_numpy()
        return known.aligned(owners, np.asarray(days, np.float64))
    if found.kind is Kind.TEXT:
        return known.aligned(owners, np.asarray(table["value"].to_pylist(), dtype=object), None)
    return None
