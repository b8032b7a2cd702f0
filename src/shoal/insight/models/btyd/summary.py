"""What a purchase model sees of a customer: how often they came back, when last, for how long they are known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shoal.insight.models.btyd.refusals import refuse_unless

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Unit = Literal["days", "weeks", "periods"]
DAYS: dict[Unit, float] = {"days": 1.0, "weeks": 7.0, "periods": 1.0}
"""Days in a unit. Periods are occasions to buy, counted instead of days; no model of continuous time takes them."""


@dataclass(frozen=True)
class Purchases:
    """The purchase history of each customer, one row each.

    Args:
        frequency: days with a purchase after the first one (x).
        recency: from the first purchase to the last one (t_x), in ``unit``; 0 where frequency is 0.
        age: from the first purchase to the end of the observation (T), in ``unit``.
        unit: the unit of time of ``recency`` and ``age``, and of each horizon that is asked for.
        spend: mean amount of a repeat purchase day with an amount above 0; 0 where there is none.
        spend_orders: how many such days there are; by default ``frequency`` where ``spend`` is above 0.
        total: all amounts of the past, the first purchase too.
        customers: who, in the order of the rows.
        refunds: rows of the log that were left out because their amount was below 0.
        later: rows of the log that were left out because they come after the end.

    Raises:
        Refused: columns of unequal length, or a history that can't be.
    """

    frequency: NDArray[np.float64]
    recency: NDArray[np.float64]
    age: NDArray[np.float64]
    unit: Unit = "weeks"
    spend: NDArray[np.float64] | None = None
    spend_orders: NDArray[np.float64] | None = None
    total: NDArray[np.float64] | None = None
    customers: NDArray[Any] | None = None
    refunds: int = 0
    later: int = 0

    def __post_init__(self) -> None:
        for name in ("frequency", "recency", "age", "spend", "spend_orders", "total"):
            column = getattr(self, name)
            if column is not None:
                object.__setattr__(self, name, _column(column, name, len(np.atleast_1d(self.frequency))))
        refuse_unless(self.unit in DAYS, f"{self.unit!r} isn't a unit of time.", "Write days, weeks or periods.")
        refuse_unless(
            bool(np.all(self.frequency == np.floor(self.frequency))),
            "A frequency is a number of purchases, so it must be whole.",
            "Count the days with a purchase after the first one.",
        )
        refuse_unless(
            bool(np.all(self.recency <= self.age) and np.all((self.frequency > 0) == (self.recency > 0))),
            "A recency must lie between the first purchase and the end, and be 0 just where there was no repeat purchase.",
            "Measure it from the first purchase to the last one, in the unit of the age.",
        )
        if self.spend is not None and self.spend_orders is None:
            object.__setattr__(self, "spend_orders", np.where(self.spend > 0, self.frequency, 0.0))

    def __len__(self) -> int:
        return len(self.frequency)

    @cached_property
    def collapsed(self) -> Collapsed:
        """Equal histories as one; found once, as every answer needs it."""
        return collapse(self)

    def take(self, rows: NDArray[Any]) -> Purchases:
        """The customers at these rows (positions, or a mask)."""
        columns = ("frequency", "recency", "age", "spend", "spend_orders", "total", "customers")
        chosen = {name: getattr(self, name)[rows] for name in columns if getattr(self, name) is not None}
        return replace(self, **chosen)


def _column(values: ArrayLike, name: str, length: int) -> NDArray[np.float64]:
    column = np.atleast_1d(np.asarray(values, dtype=np.float64))
    refuse_unless(len(column) == length, f"{name} has {len(column)} rows, not {length}.", "Give each customer a row.")
    refuse_unless(
        bool(np.all(np.isfinite(column)) and np.all(column >= 0)),
        f"{name} has missing or negative values.",
        "Leave customers without a purchase out, and refunds out of the amounts.",
    )
    return column


@dataclass(frozen=True)
class Collapsed:
    """Equal rows as one: their number is the weight, and ``inverse`` leads back to the customers."""

    frequency: NDArray[np.float64]
    recency: NDArray[np.float64]
    age: NDArray[np.float64]
    weight: NDArray[np.float64] = field(repr=False)
    inverse: NDArray[np.int64] = field(repr=False)


def collapse(purchases: Purchases) -> Collapsed:
    """Equal histories as one row with their number; the order is that of the values, whatever that of the customers."""
    code = np.zeros(len(purchases), dtype=np.int64)
    reach = 1
    for column in (purchases.frequency, purchases.recency, purchases.age):
        levels, place = np.unique(column, return_inverse=True)
        if reach * len(levels) >= 2**62:
            packed, code = np.unique(code, return_inverse=True)
            reach = len(packed)
        code = code * len(levels) + place
        reach *= len(levels)
    _, first, inverse, weight = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    return Collapsed(
        purchases.frequency[first],
        purchases.recency[first],
        purchases.age[first],
        weight.astype(np.float64),
        inverse.astype(np.int64),
    )


def summarise(
    customer: ArrayLike, day: ArrayLike, amount: ArrayLike | None = None, *, end: int, unit: Unit = "weeks"
) -> Purchases:
    """The history of each customer as it was known at the close of day ``end``.

    Rows of one day are one purchase. Rows with an amount below 0 are refunds: no purchase, and not in the spend. A day
    whose amounts are 0 is a purchase, but not in the spend. The first purchase isn't in the spend either (Fader and
    Hardie, note 025: the Gamma-Gamma is about repeat purchases). Rows after ``end`` are left out and counted.

    Args:
        customer: who, one row a purchase.
        day: which day, as a whole number (as days since 1970).
        amount: how much; without it there is no spend.
        end: the last day of the observation.
        unit: the unit of the result.

    Raises:
        Refused: no purchases are left, days aren't whole numbers, or amounts are missing.
    """
    who, when = np.asarray(customer), np.asarray(day)
    fix = "Give each purchase a customer, a day as a whole number, and an amount."
    refuse_unless(len(who) == len(when), "Customers and days have unequal numbers of rows.", fix)
    refuse_unless(bool(np.all(when == np.floor(when))), "Days must be whole numbers.", fix)
    paid = np.zeros(len(who)) if amount is None else np.asarray(amount, dtype=np.float64)
    refuse_unless(len(paid) == len(who) and bool(np.all(np.isfinite(paid))), "Amounts are missing.", fix)
    later, refunds = when > end, paid < 0
    kept = ~later & ~refunds
    refuse_unless(bool(kept.any()), f"There is no purchase up to day {end}.", "Take a later end of the observation.")
    names, index = np.unique(who[kept], return_inverse=True)
    days = when[kept].astype(np.int64)
    start = int(days.min())
    span = end - start + 1
    visits, place = np.unique(index.astype(np.int64) * span + (days - start), return_inverse=True)
    sums = np.bincount(place, weights=paid[kept])
    owner, since = visits // span, visits % span
    opening = np.flatnonzero(np.diff(owner, prepend=-1))
    frequency = np.diff(opening, append=len(visits)) - 1.0
    first, last = since[opening], since[np.append(opening[1:], len(visits)) - 1]
    per = DAYS[unit]
    told: dict[str, Any] = {}
    if amount is not None:
        sound = sums > 0
        sound[opening] = False
        orders = np.bincount(owner[sound], minlength=len(names)).astype(np.float64)
        spent = np.bincount(owner[sound], weights=sums[sound], minlength=len(names))
        told = {
            "spend": spent / np.maximum(orders, 1.0),
            "spend_orders": orders,
            "total": np.bincount(owner, weights=sums, minlength=len(names)),
        }
    return Purchases(
        frequency,
        (last - first) / per,
        (end - start - first) / per,
        unit,
        customers=names,
        refunds=int((refunds & ~later).sum()),
        later=int(later.sum()),
        **told,
    )
