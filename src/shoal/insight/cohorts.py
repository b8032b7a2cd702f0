"""Cohort retention: of those who came in one period, how many are back in each period after."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.errors import Refused
from shoal.insight.sales import period_of
from shoal.lang.nodes import Events
from shoal.lang.schema import Kind
from shoal.stats.intervals import wilson

if TYPE_CHECKING:
    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.insight.sales import Sales
    from shoal.lang.nodes import CalendarUnit
    from shoal.sql.registry import Trait

Mode: TypeAlias = Literal["on", "on or after"]

DEFINITIONS: dict[Mode, str] = {
    "on": "Customers of the cohort active in that month, divided by the cohort's size.",
    "on or after": "Customers of the cohort active in that month or any later one, divided by the cohort's size.",
}
MOST_COHORTS = 400
"""So many cohorts at most: days of more than a year are no longer read."""
_STEPS = {"day": "1 DAY", "week": "7 DAY", "month": "1 MONTH", "quarter": "3 MONTH", "year": "1 YEAR"}
_numbers = itertools.count(1)


def definition(mode: Mode, grain: str) -> str:
    """What a rate is, in words.

    >>> definition("on", "week")
    "Customers of the cohort active in that week, divided by the cohort's size."
    """
    said = DEFINITIONS[mode].replace("month", grain)
    if mode == "on":
        return said
    return f"{said} It still rises when somebody comes back later, so the newest {grain}s are low."


@dataclass(frozen=True, slots=True)
class Asked:
    """What cohorts are asked for.

    Args:
        born: what makes a customer one of a cohort: the first event of this, or the date of a trait.
        active: what counts as being back.
        grain: the length of a period.
        mode: ``on``: active in period k; ``on or after``: in period k or later. They are two KPIs.
        start: the first local date of the first cohort, in days since 1970; None: from the first on.
        ages: the most periods that a cohort is followed; None: up to the instant.
        among: a relation with the column ``customer``: only these; None for all.
    """

    born: Events | Trait
    active: Events
    grain: CalendarUnit = "month"
    mode: Mode = "on"
    start: int | None = None
    ages: int | None = None
    among: str | None = None


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Cohorts, and how many of each were back.

    Args:
        found: columns cohort (first date of its period), age (periods since), month (first date of the period at that age),
            size, active, rate, low, high (95 %, Wilson), finished: whether that period is over. One that isn't is marked.
        grain: the length of a period.
        mode: what being back means.
    """

    found: pa.Table
    grain: CalendarUnit
    mode: Mode

    @property
    def definition(self) -> str:
        """What a rate is, in words."""
        return definition(self.mode, self.grain)

    def pooled(self) -> list[dict[str, Any]]:
        """All cohorts together by age, those whose period of that age is over.

        Returns:
            age, cohorts (how many), size, active, rate, low, high.
        """
        told: dict[int, list[int]] = {}
        for row in self.found.to_pylist():
            if row["finished"]:
                sums = told.setdefault(row["age"], [0, 0, 0])
                for at, value in enumerate((1, row["size"], row["active"])):
                    sums[at] += value
        rows = []
        for age, (cohorts, size, active) in sorted(told.items()):
            rate, low, high = wilson(active, size)
            rows.append(
                {"age": age, "cohorts": cohorts, "size": size, "active": active, "rate": rate, "low": low, "high": high}
            )
        return rows


def cohorts(known: AsOf, asked: Asked) -> Cohorts:
    """The retention of cohorts of any origin by any activity.

    A customer belongs to the period of the first event that makes one of the cohort, or of the date that their trait bears at
    the instant. A cell of the period that the instant lies in is unfinished: its rate will still grow, so it is marked. Periods
    that haven't begun have no cell.

    Args:
        known: the door to the store.
        asked: who belongs to which cohort, and what counts as being back.

    Raises:
        Refused: a trait that is no date, nobody in any cohort, or too many cohorts.
        Unsupported: SQL can't evaluate a filter.
    """
    with ExitStack() as stack:
        (active,) = stack.enter_context(known.days([asked.active]))
        name = f"cohorts_{next(_numbers)}"
        born = stack.enter_context(known.temporary(name, _born(known, asked, stack)))
        many = int(known.arrow(f"SELECT count(DISTINCT period) AS n FROM {born}")["n"][0].as_py())
        if not many:
            raise Refused("Nobody is in any cohort.", fix="Take an earlier start, or what more customers have done.")
        if many > MOST_COHORTS:
            raise Refused(
                f"These are {many} cohorts, more than {MOST_COHORTS}.", fix="Take longer periods, or a later start."
            )
        told = f"SELECT k AS customer, {period_of(asked.grain)} AS period FROM {active}"
        days = known.zone.day(known.at - 1), known.today
        rows = known.arrow(
            _triangle(f"SELECT * FROM {born}", told, asked.grain, asked.mode, days, asked.ages)
        ).to_pylist()
    return Cohorts(_table([tuple(row.values()) for row in rows]), asked.grain, asked.mode)


def _born(known: AsOf, asked: Asked, stack: ExitStack) -> str:
    """A query of ``customer``, each once, and ``period``: that of their first event, or of their date."""
    if isinstance(asked.born, Events):
        (table,) = stack.enter_context(known.days([asked.born]))
        births = f"SELECT k AS customer, min(day) AS day FROM {table} GROUP BY k"
    else:
        births = _dated(known, asked.born)
    since = "" if asked.start is None else f" AND day >= {asked.start}"
    within = f" AND customer IN (SELECT customer FROM {asked.among})" if asked.among else ""
    return (
        f"SELECT customer, {period_of(asked.grain)} AS period FROM ({births}) b "
        f"WHERE day <= {known.zone.day(known.at - 1)}{since}{within}"
    )


def _dated(known: AsOf, trait: Trait) -> str:
    """A query of ``customer`` and ``day``: the local date that a trait bears at the instant."""
    rows = f"SELECT owner AS customer, value FROM ({known.trait(trait)}) t WHERE value IS NOT NULL"
    if trait.kind is Kind.DATE:
        return f"SELECT customer, value AS day FROM ({rows}) r"
    if trait.kind is not Kind.INSTANT:
        raise Refused(
            f"{trait.name} is {trait.kind.value}, and a cohort begins on a date.",
            fix="Take a trait with a date or an instant, or an event.",
        )
    return f"SELECT customer, c.day FROM ({rows}) r ASOF JOIN calendar c ON r.value >= c.starts"


def retention(sales: Sales, *, mode: Mode = "on", any_line: bool = False) -> pa.Table:
    """The retention triangle by months of the first order, or of the first line at all.

    Args:
        sales: the orders and refunds.
        mode: ``on``: active in month k; ``on or after``: in month k or later. They are two KPIs.
        any_line: count refunds and cancellations as activity too; by default only orders.

    Returns:
        As ``Cohorts.found``.
    """
    month, active = period_of("month"), "true" if any_line else "is_order"
    born = f"SELECT customer, min({month}) AS period FROM {sales.table} WHERE {active} GROUP BY customer"
    told = f"SELECT customer, {month} AS period FROM {sales.table} WHERE {active}"
    return _table(sales.store.rows(_triangle(born, told, "month", mode, (sales.reached, sales.today))))


def _triangle(
    born: str, active: str, grain: CalendarUnit, mode: Mode, days: tuple[int, int], ages: int | None = None
) -> str:
    """The cells by cohort and age.

    Args:
        born: a query of customer, each once, and period, the first date of theirs.
        active: a query of customer and period, one a time that they were back.
        grain: the length of a period.
        mode: what being back means.
        days: the last local date with time in it, and the date of the instant.
        ages: the most periods that are followed.
    """
    last, now = (period_of(grain, str(day)) for day in days)
    meets = "m.period = g.period" if mode == "on" else "m.last >= g.period"
    source = f"SELECT DISTINCT customer, period FROM ({active}) a"
    if mode == "on or after":
        source = f"SELECT customer, max(period) AS last FROM ({active}) a GROUP BY customer"
    step = f"INTERVAL {_STEPS[grain]}"
    until = f"{last}::TIMESTAMP" if ages is None else f"least({last}::TIMESTAMP, cohort + {ages} * {step})"
    return (
        f"WITH f AS (SELECT customer, period AS cohort FROM ({born}) b), "
        "s AS (SELECT cohort, count(*) AS size FROM f GROUP BY cohort), "
        f"m AS (SELECT f.cohort, a.* FROM ({source}) a JOIN f ON f.customer = a.customer), "
        f"g AS (SELECT cohort, size, CAST(unnest(generate_series(cohort::TIMESTAMP, {until}, {step})) AS DATE) AS period FROM s) "
        f"SELECT g.cohort, date_diff('{grain}', g.cohort, g.period) AS age, g.period, g.size, "
        f"count(m.customer) AS active, g.period < {now} AS finished "
        f"FROM g LEFT JOIN m ON m.cohort = g.cohort AND {meets} GROUP BY ALL ORDER BY 1, 2"
    )


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    """Cells with their rates; an unfinished one bears what there is so far."""
    import pyarrow as pa

    names = ("cohort", "age", "month", "size", "active", "rate", "low", "high", "finished")
    types = (pa.date32(), pa.int64(), pa.date32(), pa.int64(), pa.int64(), *[pa.float64()] * 3, pa.bool_())
    told = [(*row[:5], *wilson(row[4], row[3]), row[5]) for row in rows]
    columns = zip(*told, strict=True) if told else [()] * len(names)
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})
