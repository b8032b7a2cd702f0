"""Cohort retention: of those who came in a month, how many are back in each month after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.insight.sales import period_of
from shoal.stats.intervals import wilson

if TYPE_CHECKING:
    import pyarrow as pa

    from shoal.insight.sales import Sales

Mode: TypeAlias = Literal["on", "on or after"]

DEFINITIONS: dict[Mode, str] = {
    "on": "Customers of the cohort active in that month, divided by the cohort's size.",
    "on or after": "Customers of the cohort active in that month or any later one, divided by the cohort's size.",
}


def retention(sales: Sales, *, mode: Mode = "on", any_line: bool = False) -> pa.Table:
    """The retention triangle by months.

    A customer belongs to the month of their first activity. A cell of the month that the data ends in is unfinished:
    its rate will still grow, so it is marked and never compared. Months that haven't begun have no cell.

    Args:
        sales: the orders and refunds.
        mode: ``on``: active in month k; ``on or after``: in month k or later. They are two KPIs.
        any_line: count refunds and cancellations as activity too; by default only orders.

    Returns:
        Columns: cohort (first date of the month), age (months since), month (date), size (of the cohort), active, rate,
        low, high (95 %, Wilson), finished.
    """
    rows = sales.store.rows(_triangle(sales, mode, "true" if any_line else "is_order"))
    return _table([(*row[:5], *wilson(row[4], row[3]), row[5]) for row in rows])


def _triangle(sales: Sales, mode: Mode, active: str) -> str:
    month, now = period_of("month"), period_of("month", str(sales.today))
    last = period_of("month", str(sales.reached))
    meets = "m.month = g.month" if mode == "on" else "m.last >= g.month"
    source = (
        f"SELECT DISTINCT customer, {month} AS month FROM {sales.table} WHERE {active}"
        if mode == "on"
        else f"SELECT customer, max({month}) AS last FROM {sales.table} WHERE {active} GROUP BY customer"
    )
    counted = "count(m.customer)"
    return (
        f"WITH f AS (SELECT customer, min({month}) AS cohort FROM {sales.table} WHERE {active} GROUP BY customer), "
        "s AS (SELECT cohort, count(*) AS size FROM f GROUP BY cohort), "
        f"m AS (SELECT f.cohort, a.* FROM ({source}) a JOIN f ON f.customer = a.customer), "
        "g AS (SELECT cohort, size, CAST(unnest(generate_series(cohort::TIMESTAMP, "
        f"{last}::TIMESTAMP, INTERVAL 1 MONTH)) AS DATE) AS month FROM s) "
        "SELECT g.cohort, date_diff('month', g.cohort, g.month) AS age, g.month, g.size, "
        f"{counted} AS active, g.month < {now} AS finished "
        f"FROM g LEFT JOIN m ON m.cohort = g.cohort AND {meets} GROUP BY ALL ORDER BY 1, 2"
    )


def _table(rows: list[tuple[object, ...]]) -> pa.Table:
    import pyarrow as pa

    names = ("cohort", "age", "month", "size", "active", "rate", "low", "high", "finished")
    types = (pa.date32(), pa.int64(), pa.date32(), pa.int64(), pa.int64(), *[pa.float64()] * 3, pa.bool_())
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})
