"""Value and churn of customers who can buy once in a period: the BG/BB where orders are a matter of each year's appeal.

They are the kinds ``value`` and ``churn`` with ``family: bgbb``. Their horizon is a number of periods.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shoal.errors import Refused
from shoal.insight.models import buying, occasions
from shoal.insight.models.churn import LEAST_EARLIER, Churn, calibration, ranked, shares
from shoal.insight.models.churn import levels as of_chances
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Score, Settings
from shoal.insight.models.occasions import Came, Pace, Turns
from shoal.insight.models.spending import Spending, log_error
from shoal.insight.models.value import LEVEL, CustomerValue, check_cost, compared
from shoal.lang.schema import Kind
from shoal.stats.intervals import z_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.btyd import GammaGamma, Occasions, Purchases
    from shoal.insight.models.buying import Floats
    from shoal.insight.models.occasions import Process


def answered(process: Process, seen: Purchases, answer: Callable[[Process, Occasions], Floats]) -> Floats:
    """An answer of the process for each customer, worked out once for equal histories."""
    return answer(process, occasions.occasions(seen))[seen.collapsed.inverse]


def _evidence(known: AsOf, settings: Settings, seen: Purchases, label: str, more: tuple[str, ...] = ()) -> Evidence:
    pace = Pace.of(settings)
    first = known.first_order or known.at
    said = f"{label} over the next {pace.told()}; learnt from {known.dated(first)} to {known.dated(known.at)}."
    notes = (*occasions.notes(known, seen, pace), *more)
    return Evidence(said, first, known.at, buying.fingerprint(seen), len(seen), notes=notes)


def _nobody(known: AsOf, pace: Pace, *, margin: bool = False) -> Purchases | None:
    """The histories; None where nobody has any, as among the few that are scored after a load."""
    try:
        return occasions.histories(known, pace.period, margin=margin)
    except Refused:
        return None


# ------------------------------------------------------------ value


class ValueInPeriods(CustomerValue):
    """Periods with an order from the BG/BB, times what is spent in such a period from the Gamma-Gamma."""

    def __init__(
        self,
        settings: Settings,
        evidence: Evidence,
        process: Process,
        spending: Spending | None,
        laws: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(settings, evidence, cast("Any", process), spending, laws)
        self.turns, self.pace = process, Pace.of(settings)

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> ValueInPeriods:
        """Fit periods with an order, and the spend in them.

        Raises:
            Refused: no order, too few customers or repeat buyers, a margin without cost data, or a horizon not in periods.
        """
        pace, margin = Pace.of(settings), settings.options.get("of") == "margin"
        if margin:
            check_cost(known)
        seen = occasions.histories(known, pace.period, margin=margin)
        turns = Turns.fitted(known, seen, pace)
        process = turns.process
        with occasions.closing(known, pace.period) as closed:
            spending = Spending.fitted(seen, buying.money(closed, seen, margin=margin))
        what = "margin" if margin else "revenue"
        more = () if spending is None else spending.notes
        if pace.ahead > 1:
            more = (*more, f"How well it does is judged over {pace.told(1)}, not over {pace.told()}.")
        label = f"In which {pace.period}s {len(seen):,} customers will order, and the {what} that it brings,"
        unpaid = "No order has an amount above 0, so orders are foretold and value isn't."
        told = (turns.fallback, unpaid if spending is None else spending.fallback)
        evidence = _evidence(known, settings, seen, label, more)
        evidence = replace(evidence, fallback=" ".join(filter(None, told)))
        return cls(settings, evidence, process, spending, lambda: _laws(process, spending))

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """Value, and periods with an order; who came in the period that runs has none of them until it is over."""
        seen = _nobody(known, self.pace, margin=self._of_margin)
        if seen is None:
            return ()
        columns = [self._turns(seen)]
        if self.spending is not None:
            columns = [*self._worth(known, seen, self.spending), *columns]
        owners = seen.customers
        assert owners is not None
        return tuple(Score(name, Kind.NUMBER, says, owners, found, event_driven=True) for name, says, found in columns)

    def _turns(self, seen: Purchases) -> tuple[str, str, Floats]:
        name = f"{self._prefix}orders_expected_{self.pace.suffix}"
        says = f"Expected {self.pace.period}s with an order among the next {self.pace.told()} ({self.turns.name})."
        return name, says, self.expected(seen)

    def expected(self, seen: Purchases, ahead: int | None = None) -> Floats:
        """Expected periods with an order of each, within the horizon or so many periods."""
        periods = self.pace.ahead if ahead is None else ahead
        return answered(self.turns, seen, lambda process, rows: process.expected(rows, periods))

    def predicted(self, seen: Purchases) -> Floats:
        """Expected revenue or margin of each within the horizon, discounted if the settings say so.

        Raises:
            Refused: nothing was earned, so there is no value.
        """
        if self.spending is None:
            raise Refused("No order has an amount above 0, so there is no value to foretell.")
        rate = float((1 + self._discount) ** self.pace.years - 1)
        turns = answered(self.turns, seen, lambda process, rows: process.worth(rows, self.pace.ahead, rate))
        return np.asarray(turns * self.spending.each(seen))

    def _worth(self, known: AsOf, seen: Purchases, spending: Spending) -> list[tuple[str, str, Floats]]:
        name, what, over = self.settings.name, self._what, self.pace.told()
        historic, predicted = buying.money(known, seen, margin=self._of_margin), self.predicted(seen)
        half = self._spread(seen, spending)
        less = f", discounted by {self._discount:.0%} a year" if self._discount else ""
        sure = (
            f"of the expected value, {LEVEL:.0%}: how sure the mean of such customers is, not what chance does to one"
        )
        says = f"Expected {what.lower()} of the next {over}{less}: {self.turns.name} for orders, {self._spend_name} for spend."
        column = f"{name}_predicted_{self.pace.suffix}"
        return [
            (f"{name}_historic", f"{what} of all orders so far, less refunds.", historic),
            (column, says, predicted),
            (f"{column}_low", f"Lower end {sure}.", predicted * np.exp(-half)),
            (f"{column}_high", f"Upper end {sure}.", predicted * np.exp(half)),
            (
                f"{name}_total_{self.pace.suffix}",
                f"{what} so far and expected of the next {over}{less}.",
                historic + predicted,
            ),
        ]

    def _spread(self, seen: Purchases, spending: Spending) -> Floats:
        """Half of the interval's width on the scale of logarithms; NaN where nothing is known of the parameters."""
        rows = occasions.occasions(seen)
        law = self.laws["orders"]
        turns = log_error(cast("Any", self.turns), law, lambda process: process.expected(rows, self.pace.ahead))
        if turns is None:
            return np.full(len(seen), np.nan)
        paid = None
        if spending.model is not None:
            paid = log_error(spending.model, self.laws["spend"], lambda model: model.expected(seen))
        spread = spending.error if paid is None else paid
        return np.asarray(z_value(LEVEL) * np.hypot(turns[seen.collapsed.inverse], spread))

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The customer's own periods, and what follows from them."""
        seen = occasions.history_of(known, customer, self.pace.period, margin=self._of_margin)
        if seen is None:
            return (f"There is no order in a {self.pace.period} that is over, so nothing is foretold.",)
        turns, over = float(self.expected(seen)[0]), self.pace.told()
        said = f"{turns:,.2f} {self.pace.period}s with an order are expected among the next {over}"
        if self.spending is not None:
            each = float(self.spending.each(seen)[0])
            less = f", {float(self.predicted(seen)[0]):,.2f} after the discount" if self._discount else ""
            said = f"{said} at {each:,.2f} each: {turns * each:,.2f}{less}"
        chance = float(_active(self.turns, seen, self.pace.ahead)[0])
        return (
            *occasions.habit(seen, known, self.pace),
            f"{said}.",
            f"The chance of an order is {chance:.0%} within {over}.",
        )

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Periods with an order and money that came, against the model and against what needs none.

        Raises:
            Refused: there was no order before, or no period ended between.
        """
        came = Came.between(before, after, self.pace.period, margin=self._of_margin)
        seen, turns = came.seen, self.expected(came.seen, came.periods)
        each = np.ones(len(seen)) if self.spending is None else self.spending.each(seen)
        brought = came.orders if self.spending is None else came.money
        ranks = {"recency": seen.recency - seen.age, "frequency": seen.frequency}
        measures, contest = compared(seen, turns, each, came.orders, brought, self._plain(before, came), ranks)
        frames = {
            "deciles": buying.deciles(turns * each, brought),
            "frequency": occasions.frequencies(seen, turns, came.orders),
        }
        return Judged(len(seen), tuple(measures), frames, contest)

    def _plain(self, before: AsOf, came: Came) -> dict[str, Floats]:
        """The rate so far goes on, all bring the mean of that, and the periods before the cut come again."""
        seen = came.seen
        own = seen.frequency / np.maximum(seen.age, 1.0) * came.periods
        if self.spending is None:
            return {"same rate": own, "mean": np.full(len(own), own.mean())}
        assert seen.total is not None
        own = own * seen.total / (seen.frequency + 1)
        last = occasions.money_of_last(before, seen, came.periods, self.pace.period, margin=self._of_margin)
        return {"same rate": own, "mean": np.full(len(own), own.mean()), "last period": last}

    def state(self) -> dict[str, Any]:
        """The parameters and their law."""
        spending = None if self.spending is None else self.spending.document()
        return {"process": occasions.kept(self.turns), "spending": spending, "laws": self.laws}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> ValueInPeriods:
        """The model of ``state``."""
        spending = None if state["spending"] is None else Spending.of(state["spending"])
        return cls(settings, evidence, occasions.process_of(state["process"]), spending, lambda: dict(state["laws"]))


def _laws(process: Process, spending: Spending | None) -> dict[str, Any]:
    """The normal law of the logarithms of the parameters, JSON-ready."""
    model = None if spending is None else spending.model
    return {"orders": _law(process), "spend": None if model is None else _law(model)}


def _law(model: Process | GammaGamma) -> dict[str, Any] | None:
    if model.fit is None or model.fit.covariance is None:
        return None
    return {"covariance": model.fit.covariance.tolist()}


def _active(process: Process, seen: Purchases, ahead: int) -> Floats:
    return answered(process, seen, lambda one, rows: one.active(rows, ahead))


# ------------------------------------------------------------ churn


class ChurnInPeriods(Churn):
    """The chance of no order within the next periods."""

    def __init__(self, settings: Settings, evidence: Evidence, process: Process, usual: float) -> None:
        super().__init__(settings, evidence, cast("Any", process), usual)
        self.turns, self.pace = process, Pace.of(settings)

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> ChurnInPeriods:
        """Fit periods with an order.

        Raises:
            Refused: no order, too few customers or repeat buyers, or a horizon not in periods.
        """
        pace = Pace.of(settings)
        seen = occasions.histories(known, pace.period)
        turns = Turns.fitted(known, seen, pace)
        evidence = _evidence(known, settings, seen, f"Who of {len(seen):,} customers won't order")
        usual = float(1 - _active(turns.process, seen, pace.ahead).mean())
        return cls(settings, replace(evidence, fallback=turns.fallback), turns.process, usual)

    def chance(self, seen: Purchases, days: float | None = None) -> Floats:
        """P(no order within the horizon) of each history.

        Raises:
            Refused: of a number of days; this model counts in periods.
        """
        if days is not None:
            raise Refused(
                f"{days:g} days are no number of {self.pace.period}s.", fix="Ask chance_of for so many periods."
            )
        return self.chance_of(seen)

    def chance_of(self, seen: Purchases, ahead: int | None = None) -> Floats:
        """P(no order within the horizon, or within so many periods) of each history."""
        periods = self.pace.ahead if ahead is None else ahead
        return np.clip(1 - _active(self.turns, seen, periods), 0.0, 1.0)

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """The chance; who came in the period that runs has none until it is over."""
        seen = _nobody(known, self.pace)
        if seen is None:
            return ()
        owners, over = seen.customers, self.pace.told()
        assert owners is not None
        says = f"The chance of no order within {over} ({self.turns.name}), from the end of the last {self.pace.period}."
        name = f"{self.settings.name}_{self.pace.suffix}"
        return (Score(name, Kind.NUMBER, says, owners, self.chance_of(seen), event_driven=True),)

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The customer's own periods, and the chance beside that of all."""
        seen = occasions.history_of(known, customer, self.pace.period)
        if seen is None:
            return (f"There is no order in a {self.pace.period} that is over, so nothing is foretold.",)
        chance = float(self.chance_of(seen)[0])
        usual = f"over all customers it was {self.usual:.0%} at the fit"
        return (
            *occasions.habit(seen, known, self.pace),
            f"The chance of no order within {self.pace.told()} is {chance:.0%}; {usual}.",
        )

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Who bought nothing, against the model and against what needs none.

        Raises:
            Refused: there was no order before, or no period ended between.
        """
        came = Came.between(before, after, self.pace.period)
        seen, gone = came.seen, (came.orders == 0).astype(np.float64)
        turns = answered(self.turns, seen, lambda process, rows: process.expected(rows, came.periods))
        own = (1 - seen.frequency / np.maximum(seen.age, 1.0)) ** came.periods
        chances = {"model": self.chance_of(seen, came.periods), "same rate": own}
        measures = [m for who, one in chances.items() for m in (*ranked(who, one, gone), *of_chances(who, one, gone))]
        earlier = self._earlier(before, came)
        for who, rank in (("recency", _silence(seen)), ("frequency", -seen.frequency)):
            measures += ranked(who, rank, gone)
            if earlier is not None:
                then = _silence(earlier.seen) if who == "recency" else -earlier.seen.frequency
                chances[who] = shares(then, (earlier.orders == 0).astype(np.float64), rank)
                measures += of_chances(who, chances[who], gone)
        frames = {
            "calibration": calibration(chances["model"], gone),
            "deciles": buying.deciles(chances["model"], gone),
            "frequency": occasions.frequencies(seen, turns, came.orders),
        }
        assert seen.customers is not None
        contest = Contest.of_rows(seen.customers, {who: (gone - one) ** 2 for who, one in chances.items()})
        return Judged(len(seen), tuple(measures), frames, contest)

    def _earlier(self, before: AsOf, came: Came) -> Came | None:
        """What came as long before the cut; None where too few were there."""
        period = self.pace.period
        start = occasions.first_day(occasions.last_over(before, period) - came.periods + 1, period)
        with before.before(min(before.at, before.zone.starts(start) - 1)) as then:
            try:
                found = Came.between(then, before, period)
            except Refused:
                return None
        return found if len(found.seen) >= LEAST_EARLIER * len(came.seen) else None

    def state(self) -> dict[str, Any]:
        """The parameters, and the mean chance of all at the fit."""
        return {"process": occasions.kept(self.turns), "usual": self.usual}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> ChurnInPeriods:
        """The model of ``state``."""
        return cls(settings, evidence, occasions.process_of(state["process"]), state["usual"])


def _silence(seen: Purchases) -> Floats:
    """Periods since the last one with an order."""
    return seen.age - seen.recency
