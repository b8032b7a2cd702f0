"""Churn without a contract: the chance that a customer buys nothing within a named horizon.

It is 1 − P(at least one order), never 1 − P(alive): under the BG/NBD whoever bought once is alive for sure, so that the
second would rank them as the most loyal (Fader, Hardie and Lee 2008, brucehardie.com/notes/021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.insight.models import buying
from shoal.insight.models.btyd import Purchases, split
from shoal.insight.models.buying import WEEK, Buying, Outcome
from shoal.insight.models.contest import Contest, Ranking
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score, Settings
from shoal.insight.models.occasions import by_period
from shoal.insight.models.value import habit
from shoal.lang.schema import Kind
from shoal.stats import scoring
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.btyd import RepeatModel
    from shoal.insight.models.buying import Floats, Rows
    from shoal.insight.models.in_periods import ChurnInPeriods

LEAST_EARLIER = 0.5
"""Shares of an earlier period stand as a baseline where at least so many of today's customers were there already."""
SHARES = 20
WORTH_SAYING = 0.01


class Churn(Model):
    """The chance of no order within the horizon, from a process that is chosen by a holdout."""

    title = "who will buy nothing more"
    event_driven = True
    by = "brier"
    higher = False

    def __init__(self, settings: Settings, evidence: Evidence, process: RepeatModel, usual: float) -> None:
        super().__init__(settings, evidence)
        self.process, self.usual = process, usual

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Churn:
        """Fit the process of orders.

        Raises:
            Refused: no order, or too few customers or repeat buyers.
        """
        if by_period(settings):
            return _in_periods().fitted(known, settings)
        seen = known.purchases()
        found = Buying.fitted(known, seen, settings.horizon, settings.options.get("process", "auto"))
        first = known.first_order or known.at
        label = (
            f"Who of {counted(len(seen), 'customer')} with an order won't order within {settings.horizon} days from the day of "
            f"scoring; learnt from {known.dated(first)} to {known.dated(known.at)}."
        )
        evidence = Evidence(
            label,
            first,
            known.at,
            buying.fingerprint(seen),
            len(seen),
            notes=found.notes,
            fallback=found.fallback,
        )
        usual = float(1 - found.process.active(seen, settings.horizon / WEEK).mean())
        return cls(settings, evidence, found.process, usual)

    def chance(self, seen: Purchases, days: float | None = None) -> Floats:
        """P(no order within the horizon, or within so many days) of each history."""
        ahead = self.settings.horizon if days is None else days
        return np.clip(1 - self.process.active(seen, ahead / WEEK), 0.0, 1.0)

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """The chance, and in a few words when the customer ordered last against their habit; only who ever ordered."""
        seen, days = known.purchases(), self.settings.horizon
        name = f"{self.settings.name}_{days}d"
        owners = seen.customers
        assert owners is not None
        says = f"The chance of no order within {days} days ({self.process.name}); none for who never ordered."
        why = "When the last order was, against the time that usually lies between two of the same customer."
        return (
            Score(name, Kind.NUMBER, says, owners, self.chance(seen), event_driven=True),
            Score(f"{name}_reason", Kind.TEXT, why, owners, told(seen, known.today), event_driven=True),
        )

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The customer's habit, the chance beside that of all, and what it would be if they had ordered today."""
        seen = buying.history_of(known, customer)
        if seen is None:
            return ("There is no order yet, so nothing is foretold.",)
        chance, days = float(self.chance(seen)[0]), self.settings.horizon
        usual = f"; over all customers it was {self.usual:.0%} at the fit"
        fresh = float(self.chance(_today(seen))[0])
        which = "last" if seen.frequency[0] else "first"
        had = f"Had the {which} order been today, it would be {fresh:.0%}."
        return (
            *habit(seen),
            f"The chance of no order within {days} days is {chance:.0%}{usual}.",
            *((had,) if abs(fresh - chance) >= WORTH_SAYING else ()),
        )

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Who bought nothing, against the model and against what needs none.

        Raises:
            Refused: there was no order before.
        """
        outcome = Outcome.between(before, after)
        seen, gone = outcome.before, (outcome.orders == 0).astype(np.float64)
        chance = self.chance(seen, outcome.days)
        rate = np.exp(-seen.frequency * outcome.days / WEEK / np.maximum(seen.age, 1 / WEEK))
        chances = {"model": chance, "same rate": rate}
        measures = [m for who, one in chances.items() for m in (*ranked(who, one, gone), *levels(who, one, gone))]
        earlier = _earlier(before, outcome.days, len(seen))
        for who, column in (("recency", buying.silence), ("frequency", _often)):
            rank = column(seen) if who == "recency" else -column(seen)
            measures += ranked(who, rank, gone)
            if earlier is not None:
                chances[who] = shares(column(earlier[0]), earlier[1], column(seen))
                measures += levels(who, chances[who], gone)
        if earlier is not None:
            chances["share before"] = np.full(len(gone), earlier[1].mean())
            measures += levels("share before", chances["share before"], gone)
        assert seen.customers is not None
        ranks = {"model": chance, "same rate": rate, "recency": buying.silence(seen), "frequency": -_often(seen)}
        errors = {who: (gone - one) ** 2 for who, one in chances.items()}
        contest = Contest.of_rows(seen.customers, errors, Ranking(gone, ranks))
        return Judged(len(seen), tuple(measures), self._frames(outcome, chance, gone, after), contest)

    def _frames(self, outcome: Outcome, chance: Floats, gone: Floats, after: AsOf) -> Mapping[str, Rows]:
        return {
            "calibration": calibration(chance, gone),
            "deciles": buying.deciles(chance, gone),
            "frequency": buying.frequencies(self.process, outcome),
            "weeks": buying.weeks(self.process, outcome, after),
        }

    def state(self) -> dict[str, Any]:
        """The parameters, and the mean chance of all at the fit."""
        return {"process": buying.kept(self.process), "usual": self.usual}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Churn:
        """The model of ``state``."""
        if by_period(settings):
            return _in_periods().restored(settings, evidence, state)
        return cls(settings, evidence, buying.process_of(state["process"]), state["usual"])


def told(seen: Purchases, today: int) -> list[str]:
    """Of each customer in words when they ordered last, by date, against their own habit.

    A date stays as it is until they order again, so that the words of nobody change by the passing of a day. Equal
    histories are worded once.
    """
    rows = seen.collapsed
    one = Purchases(rows.frequency, rows.recency, rows.age, seen.unit)
    last = today - np.rint(buying.silence(one)).astype(np.int64)
    columns = (rows.frequency.tolist(), last.tolist(), buying.gap(one).tolist())
    words = np.array([buying.last_order(*row) for row in zip(*columns, strict=True)], dtype=object)
    found: list[str] = words[rows.inverse].tolist()
    return found


def _in_periods() -> type[ChurnInPeriods]:
    from shoal.insight.models.in_periods import ChurnInPeriods

    return ChurnInPeriods


def _today(seen: Purchases) -> Purchases:
    """As if the last order had been today; who ordered once would be a new customer."""
    known = np.where(seen.frequency > 0, seen.age, 0.0)
    return Purchases(seen.frequency, known, known, seen.unit)


def _often(seen: Purchases) -> Floats:
    return seen.frequency


# ------------------------------------------------------------ measures and baselines


def _earlier(before: AsOf, days: float, now: int) -> tuple[Purchases, Floats] | None:
    """The histories as long ago as the outcome lies ahead, and who bought nothing since; None where too few were there."""
    who, day, _ = before.days_with_orders()
    cut = before.today - max(1, round(days))
    # Of a history that was shorter then than what is foretold, silence says little.
    if cut - day.min() < days:
        return None
    held = split(who, day, cut=cut, end=before.today)
    if len(held.before) < LEAST_EARLIER * now:
        return None
    return held.before, (held.orders == 0).astype(np.float64)


def shares(then: Floats, gone: Floats, now: Floats) -> Floats:
    """For each value of now the share of those of then with about the same value who bought nothing.

    In twentieths of then; equal values are never parted. Half a customer is added to either side of each.
    """
    # Observed values, so that nowhere between two of them is a share of nobody.
    edges = np.unique(np.quantile(then, np.arange(1, SHARES) / SHARES, method="inverted_cdf"))
    edges = edges[edges < then.max()]
    place = np.searchsorted(edges, then)
    size = np.bincount(place, minlength=len(edges) + 1)
    share = (np.bincount(place, weights=gone, minlength=len(edges) + 1) + 0.5) / (size + 1)
    return np.asarray(share[np.searchsorted(edges, now)])


def ranked(who: str, rank: Floats, gone: Floats) -> list[Measure]:
    if not 0 < gone.sum() < gone.size:
        return [Measure(who, "auc", None, n=gone.size)]
    return [Measure(who, "auc", *scoring.auc_interval(gone, rank), n=gone.size)]


def levels(who: str, chance: Floats, gone: Floats) -> list[Measure]:
    n = gone.size
    both = 0 < gone.sum() < n
    skill = scoring.brier_skill(gone, chance) if both else None
    ece = scoring.calibration_error(gone, chance) if n >= scoring.LEAST_IN_BIN else None
    off = float(chance.sum() / gone.sum() - 1) if gone.sum() else None
    return [
        Measure(who, "brier", scoring.brier(gone, chance), n=n),
        Measure(who, "brier skill", skill, n=n),
        Measure(who, "log loss", scoring.log_loss(gone, chance), n=n),
        Measure(who, "ece", ece.value if ece else None, n=n),
        Measure(who, "ece by chance", ece.by_chance if ece else None, n=n),
        Measure(who, "total error", off, n=n),
    ]


def calibration(chance: Floats, gone: Floats) -> Rows:
    if gone.size < scoring.LEAST_IN_BIN:
        return []
    table = scoring.reliability(gone, chance)
    return [
        {"foretold": b.predicted, "came": b.observed.value, "low": b.observed.low, "high": b.observed.high, "n": b.n}
        for b in table
    ]
