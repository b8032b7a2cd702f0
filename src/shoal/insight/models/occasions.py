"""Customers who can buy once in a period, as donors to a yearly appeal: their histories, counted in whole periods.

A period is one of the calendar. The one that runs isn't looked at until it is over, so that nothing is foretold from a part
of it; and a horizon is a number of periods, from the end of the last one that is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models import buying
from shoal.insight.models.asof import MICRO
from shoal.insight.models.btyd import BetaBernoulli, BetaGeometricBetaBernoulli, Occasions, summarise
from shoal.shapes import PERIOD_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.btyd import Purchases
    from shoal.insight.models.buying import Floats, Rows
    from shoal.insight.models.model import Settings

    Process = BetaGeometricBetaBernoulli | BetaBernoulli

FAMILY = "bgbb"
EPOCH = date(1970, 1, 1).toordinal()
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MONDAY = 3  # 1970-01-01 was a Thursday
_TOP = 7


def by_period(settings: Settings) -> bool:
    """Whether a model counts in periods."""
    return settings.options.get("family") == FAMILY


@dataclass(frozen=True)
class Pace:
    """A period and how many of them are looked ahead."""

    period: str
    ahead: int

    @classmethod
    def of(cls, settings: Settings) -> Pace:
        """What the settings say.

        Raises:
            Refused: they don't say it in periods.
        """
        period, ahead = settings.options.get("period"), settings.options.get("ahead")
        if period not in PERIOD_DAYS or not isinstance(ahead, int) or ahead < 1:
            raise Refused(
                f"The model {settings.name} counts in periods, and its horizon isn't a number of them.",
                fix="Write in shoal.yaml: family: bgbb, period: year, horizon: 1 year.",
            )
        return cls(str(period), ahead)

    @property
    def years(self) -> float:
        """How much of a year a period is."""
        return _MONTHS[self.period] / 12 if self.period in _MONTHS else 7 / 365.25

    @property
    def suffix(self) -> str:
        """For the names of traits, as ``2y``."""
        return f"{self.ahead}{self.period[0]}"

    def told(self, count: int | None = None) -> str:
        """A number of periods in words; the horizon by default.

        >>> Pace("year", 1).told(), Pace("year", 2).told(), Pace("month", 3).told(1)
        ('1 year', '2 years', '1 month')
        """
        number = self.ahead if count is None else count
        return f"{number:,} {self.period if number == 1 else self.period + 's'}"


# ------------------------------------------------------------ the calendar


def numbered(days: ArrayLike, period: str) -> NDArray[np.int64]:
    """The number of the period, counted from that of 1970-01-01, in which each day lies. Weeks begin on Monday.

    >>> numbered([0, 364, 365], "year").tolist(), numbered([3, 4], "week").tolist()
    ([0, 0, 1], [0, 1])
    """
    day = np.asarray(days, dtype=np.int64)
    if period == "week":
        return np.asarray((day + _MONDAY) // 7)
    return np.asarray(day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) // _MONTHS[period])


def first_day(number: int, period: str) -> int:
    """The first day of a period, in days since 1970."""
    if period == "week":
        return number * 7 - _MONDAY
    return int(np.datetime64(number * _MONTHS[period], "M").astype("datetime64[D]").astype(np.int64))


def named(number: int, period: str) -> str:
    """A period as people write it.

    >>> named(25, "year"), named(100, "quarter"), named(300, "month"), named(1, "week")
    ('1995', 'quarter 1 of 1995', '1995-01', 'the week of 1970-01-05')
    """
    start = date.fromordinal(EPOCH + first_day(number, period))
    match period:
        case "year":
            return str(start.year)
        case "quarter":
            return f"quarter {(start.month + 2) // 3} of {start.year}"
        case "month":
            return f"{start:%Y-%m}"
    return f"the week of {start}"


def last_over(known: AsOf, period: str) -> int:
    """The number of the last period whose days have all begun."""
    return int(numbered(known.today + 1, period)) - 1


def closing(known: AsOf, period: str) -> AsOf:
    """The store as of the end of the last period that is over; close it."""
    end = known.zone.starts(first_day(last_over(known, period) + 1, period)) - 1
    return known.before(min(known.at, end))


# ------------------------------------------------------------ histories


def histories(known: AsOf, period: str, *, margin: bool = False) -> Purchases:
    """Each customer's periods with an order, up to the last period that is over; who came later isn't in it.

    Raises:
        Refused: there is no order, or none in a period that is over.
    """
    who, day, amount = known.days_with_orders(margin=margin)
    if not who.size:
        raise Refused("There is no order yet.", fix="Load orders.")
    number, last = numbered(day, period), last_over(known, period)
    if number.min() > last:
        raise Refused(f"No {period} with an order is over yet.", fix="Wait for its end, or take a shorter period.")
    # A period whose refunds exceed its orders is a purchase without spend, not a refund.
    return summarise(who, number, np.maximum(amount, 0.0), end=last, unit="periods")


def occasions(seen: Purchases) -> Occasions:
    """The same for the BG/BB, equal histories as one; ``seen.collapsed.inverse`` leads back to customers."""
    rows = seen.collapsed
    return Occasions(rows.frequency, rows.recency, rows.age, rows.weight)


@dataclass(frozen=True)
class Turns:
    """The process of periods with an order.

    Args:
        process: fitted, or of few customers pooled.
        fallback: where it can't be seen how customers come and leave: why, and what stands in its place.
    """

    process: Process
    fallback: str = ""

    @classmethod
    def fitted(cls, known: AsOf, seen: Purchases, pace: Pace) -> Turns:
        """The BG/BB of these histories; where they don't bear it, each customer's own share of periods, and it says so.

        Raises:
            Refused: too few customers or buyers for either, or nobody ordered in the last period.
        """
        last, rows = last_over(known, pace.period), occasions(seen)
        buying.FEWEST.check(len(seen), int((seen.frequency > 0).sum()))
        if not np.any(seen.recency == seen.age):
            raise Refused(
                f"Nobody at all ordered in {named(last, pace.period)}: whether customers left or the data end, nothing says.",
                fix="Load newer orders, take a longer period, or for data of the past write clock: data-end in shoal.yaml.",
            )
        reasons: list[str] = []
        for kind in (BetaGeometricBetaBernoulli, BetaBernoulli):
            found, why = _tried(kind, rows)
            if found is not None:
                return cls(found, _stands_in(pace, reasons, "beta-Bernoulli") if reasons else "")
            reasons.append(why)
        pooled = BetaBernoulli.pooled(rows, buying.FEWEST)
        return cls(pooled, _stands_in(pace, reasons, "beta-Bernoulli with an alpha of 1"))


def _tried(kind: type[Process], rows: Occasions) -> tuple[Process | None, str]:
    """The process; or why it can't be fitted."""
    try:
        found = kind.fitted(rows)
    except Refused as refusal:
        return None, refusal.problem
    if found.fit is None or not found.fit.converged:
        return None, f"{kind.name}: {found.fit.reason if found.fit else ''}"
    return found, ""


def _stands_in(pace: Pace, reasons: Sequence[str], name: str) -> str:
    why = "; ".join(reason.rstrip(".") for reason in dict.fromkeys(reasons))
    return (
        f"It can't be seen in these orders how customers come and leave by the {pace.period} ({why}). So orders are foretold "
        f"by the share of {pace.period}s in which each customer ordered, drawn to that of all ({name}): nobody is taken to "
        "have left, however long ago the last order is."
    )


def notes(known: AsOf, seen: Purchases, pace: Pace) -> tuple[str, ...]:
    """What to know: the period that runs, and whether customers buy more than once in one."""
    last = last_over(known, pace.period)
    found = []
    if known.today >= first_day(last + 1, pace.period) or seen.later:
        found.append(
            f"{named(last + 1, pace.period)} isn't over, so that its orders aren't looked at; who came in it has no score yet."
        )
    _, day, _ = known.days_with_orders()
    orders = int((numbered(day, pace.period) <= last).sum())
    active = int(seen.frequency.sum()) + len(seen)
    if orders > _OFTEN * active:
        found.append(
            f"Customers order on {orders / active:.1f} days in a {pace.period} in which they order at all: they don't buy "
            "once in a period, so models without family: bgbb fit them better."
        )
    return tuple(one[:1].upper() + one[1:] for one in found)


_OFTEN = 1.5


# ------------------------------------------------------------ what came


@dataclass(frozen=True)
class Came:
    """What customers who were there before did in the periods between two instants.

    Args:
        seen: their histories at the first instant.
        orders: further periods with an order.
        money: revenue or margin, less refunds; in the currency.
        periods: between the instants.
    """

    seen: Purchases
    orders: Floats
    money: Floats
    periods: int

    @classmethod
    def between(cls, before: AsOf, after: AsOf, period: str, *, margin: bool = False) -> Came:
        """Compare the store at both instants.

        Raises:
            Refused: there was no order before, or no period ended between.
        """
        steps = last_over(after, period) - last_over(before, period)
        if steps < 1:
            raise Refused(f"No {period} ended between the cut and its judgement.", fix="Judge at a later instant.")
        seen, later = (histories(known, period, margin=margin) for known in (before, after))
        with closing(before, period) as start, closing(after, period) as end:
            earned = buying.money(end, seen, margin=margin) - buying.money(start, seen, margin=margin)
        assert seen.customers is not None
        assert later.customers is not None
        place = np.searchsorted(later.customers, seen.customers)
        return cls(seen, later.frequency[place] - seen.frequency, earned, steps)


def money_of_last(known: AsOf, seen: Purchases, periods: int, period: str, *, margin: bool = False) -> Floats:
    """Revenue or margin of each over the last periods that are over, less refunds."""
    start = first_day(last_over(known, period) - periods + 1, period)
    with closing(known, period) as end, known.before(min(known.at, known.zone.starts(start) - 1)) as earlier:
        return buying.money(end, seen, margin=margin) - buying.money(earlier, seen, margin=margin)


def frequencies(seen: Purchases, expected: Floats, came: Floats) -> Rows:
    """The frame ``frequency``: periods with an order to come by those before; the last row is of 7 and more."""
    group = np.minimum(seen.frequency, _TOP).astype(np.int64)
    size, said, held = (np.bincount(group, weights=column) for column in (np.ones(len(seen)), expected, came))
    return [
        {"frequency": number, "customers": int(size[number]), "foretold": float(said[number] / size[number]),
         "came": float(held[number] / size[number])}
        for number in np.flatnonzero(size).tolist()
    ]  # fmt: skip


def history_of(known: AsOf, customer: int, period: str, *, margin: bool = False) -> Purchases | None:
    """One customer's history; None where they have none in a period that is over."""
    what = "revenue - cost" if margin else "revenue"
    table = known.arrow(
        f"SELECT day, CAST(coalesce(sum({what}), 0) AS DOUBLE) / {MICRO} AS amount FROM {known.sales.table} "
        f"WHERE customer = {customer:d} GROUP BY day HAVING bool_or(is_order) ORDER BY day"
    )
    number, last = numbered(table["day"].to_numpy(), period), last_over(known, period)
    if not number.size or number.min() > last:
        return None
    amount = np.maximum(np.asarray(table["amount"].to_numpy(), dtype=np.float64), 0.0)
    return summarise(np.full(number.size, customer), number, amount, end=last, unit="periods")


def habit(seen: Purchases, known: AsOf, pace: Pace) -> tuple[str, ...]:
    """How one customer buys, in sentences."""
    last, n = last_over(known, pace.period), int(seen.age[0])
    when = named(last - n + int(seen.recency[0]), pace.period)
    first = named(last - n, pace.period)
    if seen.frequency[0] == 0:
        return (f"The only {pace.period} with an order is the first one, {first}.",)
    times = int(seen.frequency[0])
    return (
        f"The last order was in {when}.",
        f"Ordered in {times:,} of the {pace.told(n)} since the first one, {first}.",
    )


# ------------------------------------------------------------ keeping


def kept(process: Process) -> dict[str, Any]:
    """A process, JSON-ready."""
    return {"name": process.name, "values": process.values().tolist()}


def process_of(document: Mapping[str, Any]) -> Process:
    """The process of ``kept``."""
    kind = BetaBernoulli if document["name"] == BetaBernoulli.name else BetaGeometricBetaBernoulli
    return kind(*document["values"])
