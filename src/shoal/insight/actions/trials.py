"""The effect of a campaign whose receivers were drawn by lot: the only thing here that may be called a gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, from_instant, iso
from shoal.customers.identity import merged
from shoal.errors import Refused
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.stats.intervals import Interval, Moments, mean_difference
from shoal.wording import counted, dated, noun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.insight.models.asof import AsOf
    from shoal.shapes import Trial
    from shoal.sql.store import Store

LEAST_ARM = 100


@dataclass(frozen=True, slots=True)
class Effect:
    """What a trial measured.

    Args:
        trial: its name.
        action: what was done.
        days: for so many days spend was counted.
        since: the instant of the first who took part.
        treated: customers who got it.
        control: customers who didn't.
        both: customers of two arms, who are left out.
        each: what a customer spent more for it, with Welch's interval.
    """

    trial: str
    action: str
    days: int
    since: int
    treated: int
    control: int
    both: int
    each: Interval

    @property
    def sure(self) -> bool:
        """Whether chance doesn't explain it."""
        return self.each.excludes(0)

    @property
    def says(self) -> str:
        """The finding in words."""
        left = f"; {self.both:,} of both arms {noun(self.both, 'is', 'are')} left out" if self.both else ""
        return (
            f"Measured in {self.trial!r} of {dated(from_instant(self.since))}, drawn by lot ({self.treated:,} against "
            f"{counted(self.control, 'customer')}{left}): {self.each.value:+,.2f} a customer in {self.days} days "
            f"({self.each.low:+,.2f} to {self.each.high:+,.2f}), of all who took part."
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "trial": self.trial, "action": self.action, "days": self.days, "since": iso(self.since),
            "treated": self.treated, "control": self.control, "in_both": self.both, "each": self.each._asdict(),
            "sure": self.sure, "says": self.says,
        }  # fmt: skip


def effect(store: Store, known: AsOf, trial: Trial) -> Effect:
    """The difference in net spend after the campaign, between those who were drawn to get it and those who weren't.

    A customer counts from the first time that they took part, and only once the days are over.

    Raises:
        Refused: the event or its property isn't there, or an arm has fewer than a hundred customers.
    """
    event = known.events.get(trial.event)
    columns = {} if event is None else {n: p for n, p in event.properties.items() if p.kind is Kind.TEXT}
    missing = [name for name in (trial.arm, *trial.only) if name not in columns]
    if event is None or missing:
        what = f'an event "{trial.event}"' if event is None else f'a text {missing[0]!r} of "{trial.event}"'
        raise Refused(f"The trial {trial.name!r} needs {what}, and there is none.")
    arm = columns[trial.arm].col
    only = "".join(f" AND {columns[name].col} = {quoted(v)}" for name, v in trial.only.items())
    treated = f"{arm} IN ({_listed(trial.treated)})" if trial.treated else f"{arm} NOT IN ({_listed(trial.control)})"
    sides = f"CASE WHEN {arm} IN ({_listed(trial.control)}) THEN 0 WHEN {treated} THEN 1 END"
    until = known.at - trial.days * DAY
    rows = merged(
        store,
        f"SELECT customer, ts, {sides} AS side FROM {event.table} WHERE retired IS NULL AND ts <= {until:d} "
        f"AND {arm} IS NOT NULL{only}",
    )
    took = (
        f"SELECT customer, min(ts) AS ts, min(side) AS side, min(side) <> max(side) AS both_arms FROM ({rows}) "
        "WHERE side IS NOT NULL GROUP BY customer"
    )
    spent = (
        f"SELECT t.side, t.both_arms, t.ts, coalesce(CAST(sum(s.revenue) AS DOUBLE) / 1e6, 0) AS spend FROM ({took}) t "
        f"LEFT JOIN {known.sales.table} s ON s.customer = t.customer AND s.ts > t.ts AND s.ts <= t.ts + {trial.days * DAY:d} "
        "GROUP BY t.customer, t.side, t.both_arms, t.ts"
    )
    return _effect(trial, _figures(known, spent))


def _figures(known: AsOf, spent: str) -> dict[tuple[int, bool], tuple[int, float, float, int]]:
    table = known.arrow(
        "SELECT side, both_arms, count(*) AS n, avg(spend) AS mean, coalesce(var_samp(spend), 0) AS variance, "
        f"min(ts) AS since FROM ({spent}) GROUP BY side, both_arms"
    )
    return {
        (int(r["side"]), bool(r["both_arms"])): (r["n"], r["mean"], r["variance"], r["since"])
        for r in table.to_pylist()
    }


def _effect(trial: Trial, found: dict[tuple[int, bool], tuple[int, float, float, int]]) -> Effect:
    nobody = (0, 0.0, 0.0, 0)
    mine, theirs = found.get((1, False), nobody), found.get((0, False), nobody)
    if min(mine[0], theirs[0]) < LEAST_ARM:
        raise Refused(
            f"The trial {trial.name!r} has {counted(mine[0], 'customer')} who got it and {theirs[0]:,} who didn't, with "
            f"{trial.days} days behind them; it takes {LEAST_ARM} of each."
        )
    gap = mean_difference(Moments(*mine[:3]), Moments(*theirs[:3]))
    both = sum(row[0] for (_, twice), row in found.items() if twice)
    return Effect(trial.name, trial.action, trial.days, min(mine[3], theirs[3]), mine[0], theirs[0], both, gap)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(quoted(value) for value in values)
