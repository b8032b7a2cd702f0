"""KPIs over time, and how concentrated revenue is: each figure with n, an interval and its definition in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from shoal.insight.sales import NO_COST, period_of
from shoal.stats.intervals import Interval, Moments, mean_interval, wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from shoal.insight.sales import Sales

_ACTIVE = "active customers"
Grain: TypeAlias = Literal["day", "week", "month", "quarter", "year"]


class Figure(NamedTuple):
    """A KPI's value with its interval, where it is an estimate, and the number behind it."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, estimate: Interval, n: int) -> Figure:
        """An estimate with its interval; an infinite end is left open."""
        ends = [None if abs(end) == float("inf") else end for end in (estimate.low, estimate.high)]
        return cls(estimate.value, n, *ends)


@dataclass(frozen=True, slots=True)
class Kpi:
    """A KPI: its name, unit (``money``, ``count``, ``share``), which way is better, and its definition in words.

    ``n_is`` says what ``n`` counts.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"]
    n_is: str
    definition: str


@dataclass(frozen=True, slots=True)
class _Period:
    """What one period's rows say, money in millionths."""

    revenue: int
    margin: int | None
    orders: int
    active: int
    repeating: int
    new: int
    per_order: Moments
    churn_base: int | None
    churned: int | None


def catalogue(sales: Sales, silence: int) -> list[Kpi]:
    """The KPIs that ``kpis`` gives, with the definitions that hold in this workspace.

    Args:
        sales: gives the revenue rule.
        silence: the days of silence after which a customer counts as gone.
    """
    order = f'"{sales.rule.orders}"'
    bearing = ", ".join(f'{prop} of "{event}"' for event, prop in sales.rule.events.items())
    inside = "; ".join(f"{what}: {how}" for what, how in sales.rule.includes.items())
    inside = f" {inside[0].upper()}{inside[1:]}." if inside else ""
    return [
        Kpi("revenue", "money", "higher", "orders", f"The sum of {bearing}; refunds are negative.{inside}"),
        Kpi("margin", "money", "higher", "orders", f"Revenue less cost, where cost is known; else {NO_COST}."),
        Kpi("orders", "count", "higher", "orders", f"How many {order}."),
        Kpi("active customers", "count", "higher", _ACTIVE, f"Customers with at least one {order} in the period."),
        Kpi("new customers", "count", "higher", _ACTIVE, f"Customers whose first {order} falls in the period."),
        Kpi(
            "average order value", "money", "higher", "orders",
            f"The revenue of {order} divided by their number; refunds aren't in it.{inside}",
        ),
        Kpi(
            "repeat purchase rate", "share", "higher", _ACTIVE,
            "Customers with two orders or more in the period, divided by those with at least one in the same period.",
        ),
        Kpi(
            f"churn, silent for {silence} days", "share", "lower", "customers at stake",
            f"At the period's end: of the customers who ordered in the {silence} days before the last {silence} days, "
            "those who didn't order in the last.",
        ),
    ]  # fmt: skip


_FIGURES: tuple[Callable[[_Period], Figure], ...] = (
    lambda p: Figure(p.revenue / 1e6, p.orders),
    lambda p: Figure(None if p.margin is None else p.margin / 1e6, p.orders),
    lambda p: Figure(p.orders, p.orders),
    lambda p: Figure(p.active, p.active),
    lambda p: Figure(p.new, p.active),
    lambda p: Figure.of(mean_interval(p.per_order), p.orders) if p.orders else Figure(None, 0),
    lambda p: Figure.of(wilson(p.repeating, p.active), p.active) if p.active else Figure(None, 0),
    lambda p: Figure.of(wilson(p.churned or 0, p.churn_base), p.churn_base) if p.churn_base else Figure(None, 0),
)


def kpis(sales: Sales, silence: int, *, grain: Grain = "month") -> pa.Table:
    """Every KPI for every period from the first line to now.

    Args:
        sales: the orders and refunds.
        silence: the days of silence after which a customer counts as gone: ``lifecycle.Cycle.lapse``.
        grain: the length of a period; weeks begin on Monday.

    Returns:
        Columns: kpi, period (its first date), value (NULL where nothing can be said), low, high (95 %; NULL where it
        is a count), n, n_is, unit, better, definition, finished (false for the period that the data ends in). Churn is
        NULL until the data reaches back twice the silence.
    """
    rows = sales.store.rows(_periods(sales, silence, grain))
    known = catalogue(sales, silence)
    records: list[dict[str, Any]] = []
    for period, finished, *facts in rows:
        one = _period(facts)
        for kpi, figure in zip(known, _FIGURES, strict=True):
            records.append(_record(kpi, figure(one)) | {"period": period, "finished": finished})
    return _kpi_table(records)


def overall(sales: Sales, silence: int) -> pa.Table:
    """The same KPIs over all the data at hand as one period, from the first line to now; columns as of ``kpis``."""
    ((facts),) = sales.store.rows(_whole(sales, silence))
    period, *rest = facts
    one = _period(rest)
    records = [
        _record(kpi, figure(one)) | {"period": period, "finished": True}
        for kpi, figure in zip(catalogue(sales, silence), _FIGURES, strict=True)
    ]
    return _kpi_table(records)


def _period(facts: list[Any]) -> _Period:
    revenue, margin, orders, active, repeating, new, mean, variance, base, churned = facts
    per_order = Moments(int(orders or 0), float(mean or 0), float(variance or 0))
    return _Period(
        int(revenue or 0), None if margin is None else int(margin), int(orders or 0), int(active or 0),
        int(repeating or 0), int(new or 0), per_order, base, churned,
    )  # fmt: skip


def _record(kpi: Kpi, figure: Figure) -> dict[str, Any]:
    return {
        "kpi": kpi.name, "value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n,
        "n_is": kpi.n_is, "unit": kpi.unit, "better": kpi.better, "definition": kpi.definition,
    }  # fmt: skip


def _kpi_table(records: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    fields = {
        "kpi": text, "period": pa.date32(), "value": number, "low": number, "high": number, "n": pa.int64(),
        "n_is": text, "unit": text, "better": text, "definition": text, "finished": pa.bool_(),
    }  # fmt: skip
    return pa.Table.from_pylist(records, schema=pa.schema(list(fields.items())))


def _summaries(sales: Sales, period: str) -> str:
    """CTEs: by period ``t`` money and orders, ``a`` customers, ``v`` the spread of order values."""
    return (
        f"l AS (SELECT *, {period} AS period FROM {sales.table}), "
        "c AS (SELECT customer, period, sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS o FROM l GROUP BY ALL), "
        "f AS (SELECT customer, min(period) AS first FROM l WHERE is_order GROUP BY customer), "
        f"t AS (SELECT period, sum(revenue) AS revenue, {sales.margin()} AS margin, "
        "sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS orders, "
        "avg(CASE WHEN is_order THEN revenue / 1e6 END) AS mean, "
        "var_samp(CASE WHEN is_order THEN revenue / 1e6 END) AS variance FROM l GROUP BY period), "
        "a AS (SELECT period, sum(CASE WHEN o >= 1 THEN 1 ELSE 0 END) AS active, "
        "sum(CASE WHEN o >= 2 THEN 1 ELSE 0 END) AS repeating, "
        "sum(CASE WHEN o >= 1 AND period = first THEN 1 ELSE 0 END) AS new "
        "FROM c LEFT JOIN f USING (customer) GROUP BY period)"
    )


_COLUMNS = "t.revenue, t.margin, t.orders, a.active, a.repeating, a.new, t.mean, t.variance, h.base, h.churned"


def _periods(sales: Sales, silence: int, grain: Grain) -> str:
    now, last = period_of(grain, str(sales.today)), period_of(grain, str(sales.reached))
    return (
        f"WITH {_summaries(sales, period_of(grain))}, "
        "p AS (SELECT CAST(unnest(generate_series((SELECT min(period) FROM l)::TIMESTAMP, "
        f"{last}::TIMESTAMP, INTERVAL 1 {grain})) AS DATE) AS period), "
        f"e AS (SELECT period, least(CAST(period + INTERVAL 1 {grain} AS DATE) - DATE '1970-01-01' - 1, {sales.today}) "
        f"AS ends FROM p), {_churn(sales, silence)} "
        f"SELECT p.period, p.period < {now}, {_COLUMNS} FROM p LEFT JOIN t USING (period) LEFT JOIN a USING (period) "
        "LEFT JOIN h USING (period) ORDER BY p.period"
    )


def _whole(sales: Sales, silence: int) -> str:
    first = "DATE '1970-01-01' + (SELECT min(day) FROM " + sales.table + ")"
    return (
        f"WITH {_summaries(sales, first)}, e AS (SELECT {first} AS period, {sales.today} AS ends), "
        f"{_churn(sales, silence)} SELECT e.period, {_COLUMNS} FROM e LEFT JOIN t USING (period) "
        "LEFT JOIN a USING (period) LEFT JOIN h USING (period)"
    )


def _churn(sales: Sales, silence: int) -> str:
    """The CTE ``h`` (period, base, churned) at the ends ``e`` (period, ends) that the data reaches back for."""
    # Of each customer one order day is the newest up to W days before the end: from it on, W to 2 W days, they are at
    # stake, and lost if the next one comes after the end. So every day is looked at once, whatever the number of periods.
    return (
        "d AS (SELECT day, lead(day) OVER (PARTITION BY customer ORDER BY day) AS next FROM "
        f"(SELECT DISTINCT customer, day FROM {sales.table} WHERE is_order)), "
        "h AS (SELECT e.period, count(*) AS base, count(CASE WHEN d.next <= e.ends THEN NULL ELSE 1 END) AS churned "
        f"FROM e JOIN d ON e.ends >= d.day + {silence} AND e.ends < least(d.next + {silence}, d.day + {2 * silence}) "
        f"WHERE e.ends - {2 * silence} >= (SELECT min(day) FROM {sales.table}) - 1 GROUP BY e.period)"
    )


# ------------------------------------------------------------ concentration


def concentration(sales: Sales) -> pa.Table:
    """How unequally revenue is spread: for each percent of customers, the best first, their share of revenue.

    The share of customers is rounded up to whole customers: the best fifth of 4,338 are 868.

    Returns:
        Columns: percent (1 to 100), customers, revenue, share (of net revenue).
    """
    return sales.store.arrow(
        f"WITH c AS (SELECT customer, sum(revenue) AS r FROM {sales.table} GROUP BY customer "
        "HAVING max(CASE WHEN is_order THEN 1 ELSE 0 END) = 1), "
        "o AS (SELECT row_number() OVER (ORDER BY r DESC, customer) AS place, "
        "sum(r) OVER (ORDER BY r DESC, customer ROWS UNBOUNDED PRECEDING) AS running FROM c), "
        "n AS (SELECT count(*) AS n, sum(r) AS total FROM c), "
        "p AS (SELECT unnest(range(1, 101)) AS percent) "
        "SELECT p.percent, o.place AS customers, CAST(o.running AS DOUBLE) / 1e6 AS revenue, "
        "CAST(o.running AS DOUBLE) / CAST(nullif(n.total, 0) AS DOUBLE) AS share "
        "FROM p CROSS JOIN n JOIN o ON o.place = (p.percent * n.n + 99) // 100 ORDER BY p.percent"
    )
