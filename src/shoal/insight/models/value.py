"""Customer value: what each customer has brought, and is expected to order and to spend over a named horizon."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models import buying
from shoal.insight.models.btyd.holdout import auc
from shoal.insight.models.buying import WEEK, Buying, Outcome
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score, Settings
from shoal.insight.models.occasions import Pace, by_period
from shoal.insight.models.spending import Spending, drawn, log_error
from shoal.insight.sales import NO_COST
from shoal.lang.schema import Kind
from shoal.shapes import PERIOD_DAYS
from shoal.stats.intervals import z_value
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.btyd import Purchases, RepeatModel
    from shoal.insight.models.buying import Floats
    from shoal.insight.models.in_periods import ValueInPeriods

SHORT = 90
YEAR = 365.25
LEVEL, NEXT_LEVEL = 0.9, 0.8
LIKELY = 0.5
"""A date of the next order is named where an order within the horizon is at least so likely."""


class CustomerValue(Model):
    """Orders from a process that is chosen by a holdout, times spend from the Gamma-Gamma."""

    title = "value, orders and spend to come, and the next order"
    event_driven = True
    by = "mae"
    higher = False

    def __init__(
        self,
        settings: Settings,
        evidence: Evidence,
        process: RepeatModel,
        spending: Spending | None,
        laws: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(settings, evidence)
        self.process, self.spending = process, spending
        self._find_laws = laws

    @cached_property
    def laws(self) -> dict[str, Any]:
        """Of the parameters; found when they are first asked for, as a backtest needs none."""
        return self._find_laws()

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> CustomerValue:
        """Fit the process of orders and the spend.

        Raises:
            Refused: no order, too few customers or repeat buyers, or a margin without cost data.
        """
        if by_period(settings):
            return _in_periods().fitted(known, settings)
        margin = _margin(settings)
        if margin:
            check_cost(known)
        seen = known.purchases(margin=margin)
        found = Buying.fitted(known, seen, settings.horizon, settings.options.get("process", "auto"))
        spending = Spending.fitted(seen, buying.money(known, seen, margin=margin))
        process = found.process
        evidence = _evidence(known, settings, seen, found, spending)
        return cls(settings, evidence, process, spending, lambda: drawn(process, spending, seen))

    # ------------------------------------------------------------ scores

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """Value, orders, spend and the date of the next order; customers without an order have none of them."""
        seen = known.purchases(margin=self._of_margin)
        columns = [*self._order_columns(seen), *self._dates(known, seen)]
        if self.spending is not None:
            columns = [*self._value_columns(known, seen, self.spending), *columns]
        owners = seen.customers
        assert owners is not None
        return tuple(Score(name, kind, says, owners, values, event_driven=True) for name, kind, says, values in columns)

    def _value_columns(self, known: AsOf, seen: Purchases, spending: Spending) -> list[_Column]:
        name, days, what = self.settings.name, self.settings.horizon, self._what
        historic = buying.money(known, seen, margin=self._of_margin)
        predicted = self.predicted(seen)
        half = self._half(seen, spending)
        sure = (
            f"of the expected value, {LEVEL:.0%}: how sure the mean of such customers is, not what chance does to one"
        )
        less = f", discounted by {self._discount:.0%} a year" if self._discount else ""
        short = min(SHORT, days)
        coming = self.process.expected(seen, short / WEEK) * spending.each(seen)
        return [
            (f"{name}_historic", Kind.NUMBER, f"{what} of all orders so far, less refunds.", historic),
            (
                f"{name}_predicted_{days}d",
                Kind.NUMBER,
                f"Expected {what.lower()} of the next {days} days{less}: {self.process.name} for orders, {self._spend_name} "
                "for spend.",
                predicted,
            ),
            (f"{name}_predicted_{days}d_low", Kind.NUMBER, f"Lower end {sure}.", predicted * np.exp(-half)),
            (f"{name}_predicted_{days}d_high", Kind.NUMBER, f"Upper end {sure}.", predicted * np.exp(half)),
            (
                f"{name}_total_{days}d",
                Kind.NUMBER,
                f"{what} so far and expected of the next {days} days{less}.",
                historic + predicted,
            ),
            (
                f"{self._prefix}spend_expected_{short}d",
                Kind.NUMBER,
                f"Expected {what.lower()} of the next {short} days.",
                coming,
            ),
        ]

    def _order_columns(self, seen: Purchases) -> list[_Column]:
        days = min(SHORT, self.settings.horizon)
        says = f"Expected days with an order among the next {days} days ({self.process.name})."
        return [(f"{self._prefix}orders_expected_{days}d", Kind.NUMBER, says, self.process.expected(seen, days / WEEK))]

    def _dates(self, known: AsOf, seen: Purchases) -> list[_Column]:
        days = self.settings.horizon
        dates = next_dates(self.process, seen, known.today, days)
        only = f"only where an order within {days} days is at least as likely as not"
        says = (
            f"The day before which the next order comes as likely as after, {only}.",
            f"The next order comes from here on ({NEXT_LEVEL:.0%} interval, given that one comes within {days} days).",
            f"The next order comes up to here ({NEXT_LEVEL:.0%} interval, given that one comes within {days} days).",
        )
        names = ("next_order_on", "next_order_from", "next_order_until")
        return [
            (self._prefix + name, Kind.DATE, told, column)
            for name, told, column in zip(names, says, dates, strict=True)
        ]

    def predicted(self, seen: Purchases) -> Floats:
        """Expected revenue or margin of each within the horizon, discounted if the settings say so.

        Raises:
            Refused: nothing was earned, so there is no value.
        """
        if self.spending is None:
            raise Refused("No order has an amount above 0, so there is no value to foretell.")
        ahead = self.settings.horizon / WEEK
        orders = self.process.discounted(seen, np.log1p(self._discount) / (YEAR / WEEK), ahead)
        return np.asarray(orders * self.spending.each(seen))

    def _half(self, seen: Purchases, spending: Spending) -> Floats:
        """Half of the interval's width on the scale of logarithms; NaN where nothing is known of the parameters."""
        ahead = self.settings.horizon / WEEK
        orders = log_error(self.process, self.laws["orders"], lambda process: process.expected(seen, ahead))
        if orders is None:
            return np.full(len(seen), np.nan)
        paid = None
        if spending.model is not None:
            paid = log_error(spending.model, self.laws["spend"], lambda model: model.expected(seen))
        spread = spending.error if paid is None else paid
        return np.asarray(z_value(LEVEL) * np.hypot(orders, spread))

    # ------------------------------------------------------------ reasons

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The customer's own numbers, and what follows from them."""
        seen = buying.history_of(known, customer, margin=self._of_margin)
        if seen is None:
            return ("There is no order yet, so nothing is foretold.",)
        days, ahead = self.settings.horizon, self.settings.horizon / WEEK
        orders = float(self.process.expected(seen, ahead)[0])
        chance = float(self.process.active(seen, ahead)[0])
        return (*habit(seen), *self._spend_reason(seen, orders), f"{_chance(chance)} within {days} days.")

    def _spend_reason(self, seen: Purchases, orders: float) -> tuple[str, ...]:
        days = self.settings.horizon
        if self.spending is None or seen.total is None:
            return (f"{orders:,.1f} orders are expected over the next {days} days.",)
        own, each = float(seen.total[0] / (seen.frequency[0] + 1)), float(self.spending.each(seen)[0])
        less = f", {float(self.predicted(seen)[0]):,.2f} after the discount" if self._discount else ""
        return (
            f"{orders:,.1f} orders are expected over the next {days} days at {each:,.2f} each: {orders * each:,.2f}{less}.",
            f"Orders so far brought {own:,.2f} each in {self._what.lower()}.",
        )

    # ------------------------------------------------------------ judging

    @classmethod
    def horizon_of(cls, settings: Settings) -> int:
        """It is judged over a quarter at most, or over one period: few histories have more to spare."""
        if by_period(settings):
            return PERIOD_DAYS[Pace.of(settings).period]
        return min(SHORT, settings.horizon)

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Orders and money that came, against the model and against what needs none.

        Raises:
            Refused: there was no order before.
        """
        outcome = Outcome.between(before, after, margin=self._of_margin)
        seen, ahead = outcome.before, outcome.days / WEEK
        orders = self.process.expected(seen, ahead)
        each = np.ones(len(seen)) if self.spending is None else self.spending.each(seen)
        came = outcome.orders if self.spending is None else outcome.money
        ranks = {"recency": -buying.silence(seen), "frequency": seen.frequency}
        baselines = self._baselines(before, outcome)
        measures, contest = compared(seen, orders, each, outcome.orders, came, baselines, ranks)
        frames = {
            "deciles": buying.deciles(orders * each, came),
            "frequency": buying.frequencies(self.process, outcome),
            "weeks": buying.weeks(self.process, outcome, after),
        }
        return Judged(len(seen), tuple(measures), frames, contest)

    def _baselines(self, before: AsOf, outcome: Outcome) -> dict[str, Floats]:
        """The rate so far goes on, all bring the mean of that, and the days before the cut come again."""
        seen = outcome.before
        own = seen.frequency * outcome.days / WEEK / np.maximum(seen.age, 1 / WEEK)
        if self.spending is None:
            return {"same rate": own, "mean": np.full(len(own), own.mean())}
        assert seen.total is not None
        money = own * seen.total / (seen.frequency + 1)
        last = buying.money_since(before, seen, outcome.days, margin=self._of_margin)
        return {"same rate": money, "mean": np.full(len(own), money.mean()), "last period": last}

    # ------------------------------------------------------------ keeping

    def state(self) -> dict[str, Any]:
        """The parameters and their law."""
        spending = None if self.spending is None else self.spending.document()
        return {"process": buying.kept(self.process), "spending": spending, "laws": self.laws}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> CustomerValue:
        """The model of ``state``."""
        if by_period(settings):
            return _in_periods().restored(settings, evidence, state)
        spending = None if state["spending"] is None else Spending.of(state["spending"])
        return cls(settings, evidence, buying.process_of(state["process"]), spending, lambda: dict(state["laws"]))

    @property
    def _of_margin(self) -> bool:
        return _margin(self.settings)

    @property
    def _prefix(self) -> str:
        """Before traits that don't bear the model's name anyhow: a workspace may have several models of value."""
        return "" if self.settings.name == "value" else f"{self.settings.name}_"

    @property
    def _what(self) -> str:
        return "Margin" if self._of_margin else "Revenue"

    @property
    def _spend_name(self) -> str:
        return "Gamma-Gamma" if self.spending is not None and self.spending.model is not None else "the mean of all"

    @property
    def _discount(self) -> float:
        return float(self.settings.options.get("discount", 0.0))


_Column = tuple[str, Kind, str, Any]


def next_dates(process: RepeatModel, seen: Purchases, today: int, days: int) -> tuple[Floats, Floats, Floats]:
    """The date of the next order, and the interval's ends; NaN where an order within so many days isn't likely."""
    found = tuple(np.full(len(seen), np.nan) for _ in range(3))
    sure = np.flatnonzero(process.active(seen, days / WEEK) >= LIKELY)
    if sure.size:
        ahead = process.next_order(seen.take(sure), days / WEEK, NEXT_LEVEL)
        for column, time in zip(found, (ahead.middle, ahead.low, ahead.high), strict=True):
            # Counted from the close of today, so that the next order is tomorrow's at the earliest.
            column[sure] = today + np.maximum(np.ceil(time * WEEK - 1e-6), 1)
    return found[0], found[1], found[2]


def habit(seen: Purchases) -> tuple[str, ...]:
    """How one customer buys, in a sentence."""
    said = buying.recent(float(seen.frequency[0]), float(buying.silence(seen)[0]), float(buying.gap(seen)[0]))
    days = int(seen.frequency[0]) + 1
    if days == 1:
        return (f"{said[0].upper()}{said[1:]}.",)
    known = buying.told_days(float(seen.age[0]) * WEEK)
    return (f"{said[0].upper()}{said[1:]}.", f"Ordered on {counted(days, 'day')} in the {known} since the first order.")


def _chance(chance: float) -> str:
    return f"The chance of an order is {chance:.0%}"


def _in_periods() -> type[ValueInPeriods]:
    from shoal.insight.models.in_periods import ValueInPeriods

    return ValueInPeriods


def _margin(settings: Settings) -> bool:
    return settings.options.get("of") == "margin"


def check_cost(known: AsOf) -> None:
    (row,) = known.arrow(f"SELECT count(cost) AS n FROM {known.sales.table} WHERE is_order").to_pylist()
    if not known.sales.has_cost or not row["n"]:
        raise Refused(
            f"There is {NO_COST}, so there is no margin to foretell.",
            fix="Name the cost of orders under revenue: cost: in shoal.yaml, or take of: revenue.",
        )


def _evidence(known: AsOf, settings: Settings, seen: Purchases, found: Buying, spending: Spending | None) -> Evidence:
    what = "margin" if _margin(settings) else "revenue"
    first = known.first_order or known.at
    label = (
        f"What {counted(len(seen), 'customer')} with an order will order, and the {what} that it brings, over {settings.horizon} "
        f"days from the day of scoring; learnt from {known.dated(first)} to {known.dated(known.at)}."
    )
    unpaid = "No order has an amount above 0, so orders are foretold and value isn't." if spending is None else ""
    fallback = " ".join(text for text in (found.fallback, unpaid or (spending.fallback if spending else "")) if text)
    notes = list(found.notes) + (list(spending.notes) if spending else [])
    if settings.horizon > SHORT:
        notes.append(f"How well it does is judged over {SHORT} days, not over {settings.horizon}.")
    if spending is not None and spending.share < 0.995:
        notes.append(
            f"Of an order's amount {spending.share:.1%} remain after refunds and free orders; that is taken in."
        )
    return Evidence(label, first, known.at, buying.fingerprint(seen), len(seen), notes=tuple(notes), fallback=fallback)


def compared(
    seen: Purchases,
    expected: Floats,
    each: Floats,
    orders: Floats,
    brought: Floats,
    plain: Mapping[str, Floats],
    ranks: Mapping[str, Floats],
) -> tuple[list[Measure], Contest]:
    """What was expected beside what came, for the model and for what needs none.

    Args:
        seen: histories at the cut.
        expected: orders, by the model.
        each: what an order brings, by the model; 1 where only orders are foretold.
        orders: that came.
        brought: by them; the orders themselves where only they are foretold.
        plain: what each plain rule says of ``brought``.
        ranks: plain orders of the customers, the best highest.
    """
    rivals = {"model": expected * each, **plain}
    measures = [
        *levels("model", rivals["model"], brought),
        buys("model", expected, orders),
        Measure("model", "orders mae", float(np.abs(expected - orders).mean()), n=len(seen)),
        Measure("model", "orders total error", off(expected, orders), n=len(seen)),
    ]
    for who, guess in plain.items():
        measures += [*levels(who, guess, brought), buys(who, guess, orders)]
    for who, rank in ranks.items():
        measures += [buys(who, rank, orders), top(who, rank, brought)]
    assert seen.customers is not None
    return measures, Contest.of_rows(seen.customers, {who: np.abs(guess - brought) for who, guess in rivals.items()})


def levels(who: str, guess: Floats, came: Floats) -> list[Measure]:
    n = len(guess)
    return [
        Measure(who, "mae", float(np.abs(guess - came).mean()), n=n),
        Measure(who, "rmse", float(np.sqrt(np.mean((guess - came) ** 2))), n=n),
        Measure(who, "total error", off(guess, came), n=n),
        top(who, guess, came),
    ]


def top(who: str, rank: Floats, came: Floats) -> Measure:
    """The share of what came that the tenth with the highest rank brought."""
    table = buying.deciles(rank, came)
    held = table[0]["gain"] if table else np.nan
    return Measure(who, "top tenth", float(held) if np.isfinite(held) else None, n=len(rank))


def buys(who: str, rank: Floats, orders: Floats) -> Measure:
    """How well a rank tells those who order at all from the others."""
    return Measure(who, "auc", auc(rank, orders > 0), n=len(rank))


def off(guess: Floats, came: Floats) -> float | None:
    """The sum that was foretold, over the sum that came, less 1."""
    return float(guess.sum() / came.sum() - 1) if came.sum() > 0 else None
