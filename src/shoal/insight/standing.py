"""Where customers stand at an instant: the cells of the RFM grid, the lifecycle states, and a window of the sales."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.insight import lifecycle, rfm
from shoal.insight.sales import base

if TYPE_CHECKING:
    import pyarrow as pa

    from shoal.insight.sales import Sales


def window(sales: Sales, after: int, until: int) -> Sales:
    """The lines with ``after`` < ts ≤ ``until``; closing it does nothing."""
    table = f"(SELECT * FROM {sales.before(until).table} WHERE ts > {after:d})"
    return replace(sales.before(until), table=table)


def rfm_cells(sales: Sales, cuts: rfm.CutPoints) -> pa.Table:
    """How many buyers are in each cell of the RFM grid, and what they bring.

    Returns:
        Columns: r, fm (1 to 5), name (of the group), customers, orders, revenue (net, since the first order), silent
        (median of whole days since the newest order). Cells without a customer are left out.
    """
    return sales.store.arrow(
        "SELECT r, CAST(fm AS INTEGER) AS fm, segment AS name, count(*) AS customers, "
        "CAST(sum(frequency) AS BIGINT) AS orders, sum(monetary) AS revenue, median(recency) AS silent "
        f"FROM {rfm.scores(sales, cuts)} GROUP BY ALL ORDER BY r, fm"
    )


def lifecycle_now(sales: Sales, cycle: lifecycle.Cycle) -> pa.Table:
    """How many customers are in each lifecycle state at the instant of ``sales``, and what they brought.

    Returns:
        Columns: state, customers, orders, revenue (net, since the first order); states without a customer are left out.
    """
    states = lifecycle.states(sales, cycle, sales.at, base(sales.store, sales.at))
    return sales.store.arrow(
        "SELECT s.state, count(*) AS customers, coalesce(CAST(sum(c.orders) AS BIGINT), 0) AS orders, "
        f"coalesce(CAST(sum(c.revenue) AS DOUBLE), 0) / 1e6 AS revenue FROM {states} s LEFT JOIN (SELECT customer, "
        "sum(revenue) AS revenue, sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS orders "
        f"FROM {sales.table} GROUP BY customer) c ON c.customer = s.customer GROUP BY s.state ORDER BY customers DESC"
    )


def span(sales: Sales) -> tuple[int, int] | None:
    """The instants of the first and the last line; None without any."""
    first, last = sales.store.rows(f"SELECT min(ts), max(ts) FROM {sales.table}")[0]
    return None if first is None else (int(first), int(last))
