"""Figures of metrics over a year of months, beside a query by hand for each metric and month."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Cost

if TYPE_CHECKING:
    from pathlib import Path

    from shoal.workspace import Workspace

MONTHS = 12
COMPARED = (
    "revenue", "orders", "active-customers", "new-customers", "average-order-value", "revenue-per-customer",
    "repeat-purchase-rate", "returning-customer-rate", "retention-rate",
)  # fmt: skip
"""The metrics that a query by hand says too."""


def ours(folder: Path) -> dict[str, Any]:
    """The metrics that are compared, then all that stand on the data, each worked out anew; and all again, as they are kept."""
    import shoal

    compared, every, again = Cost(), Cost(), Cost()
    told: dict[str, list[Any]] = {slug: [] for slug in COMPARED}
    for cost, metrics, anew in ((compared, COMPARED, True), (every, (), True), (again, (), False)):
        if anew:
            (folder / ".shoal" / "figures.json").unlink(missing_ok=True)
        with shoal.open(folder) as ws:
            first, _ = _months(ws)
            with cost.measured():
                found = ws.metrics.figures(metrics, start=first)
        if cost is compared:
            for row in found.found.to_pylist():
                told[row["metric"]].append(row["value"])
    return {
        "compared": compared.document(),
        "all": every.document(),
        "again": again.document(),
        "metrics": len(found.metrics),
        "periods": len(told["revenue"]),
        "values": told,
    }


def _months(ws: Workspace) -> tuple[str, list[tuple[int, int]]]:
    """The first date of the months that are compared, and the first and last instant of each."""
    from shoal.lang.calendar import unit_start

    with ws.models.as_of() as known:
        zone = known.zone
        starts = [unit_start(known.today, "month", back) for back in range(MONTHS - 1, -2, -1)]
        ends = [zone.starts(day) for day in starts]
        spans = [(low, min(high - 1, known.at)) for low, high in itertools.pairwise(ends)]
    return str(date(1970, 1, 1) + timedelta(days=starts[0])), spans


def by_hand(folder: Path) -> dict[str, Any]:
    """One query a metric and month over the same store, as an analyst would write it."""
    import shoal

    cost = Cost()
    with shoal.open(folder) as ws:
        _, spans = _months(ws)
        rule, store = ws.config.revenue, ws.store
        with ws.models.as_of() as known:
            event = known.events[rule.orders]
            orders, paid = event.table, event.properties[rule.events[rule.orders]].col
            money = " UNION ALL ".join(
                f"SELECT customer, ts, {known.events[name].properties[prop].col} AS paid FROM {known.events[name].table} "
                "WHERE retired IS NULL"
                for name, prop in rule.events.items()
                if name in known.events and prop in known.events[name].properties
            )
        told: dict[str, list[Any]] = {slug: [] for slug in COMPARED}
        with cost.measured():
            lows = [low for low, _ in spans]
            for (low, high), before in zip(spans, [None, *lows[:-1]], strict=True):
                for slug, query in _queries(orders, paid, money, low, high, before).items():
                    told[slug].append(store.rows(query)[0][0])
    return {"queries": cost.document(), "values": told}


def _queries(orders: str, paid: str, money: str, low: int, high: int, before: int | None) -> dict[str, str]:
    rows = f"{orders} WHERE retired IS NULL AND ts BETWEEN {low} AND {high}"
    spent = f"({money}) m WHERE ts BETWEEN {low} AND {high}"
    first = f"SELECT customer, min(ts) AS first FROM {orders} WHERE retired IS NULL AND ts <= {high} GROUP BY customer"
    each = f"SELECT customer, count(*) AS many FROM {rows} GROUP BY customer"
    earlier = low if before is None else before
    was = f"SELECT DISTINCT customer FROM {orders} WHERE retired IS NULL AND ts BETWEEN {earlier} AND {low - 1}"
    return {
        "revenue": f"SELECT sum(paid) / 1e6 FROM {spent}",
        "orders": f"SELECT count(*) FROM {rows}",
        "active-customers": f"SELECT count(DISTINCT customer) FROM {rows}",
        "new-customers": f"SELECT count(*) FROM ({first}) f WHERE first >= {low}",
        "average-order-value": f"SELECT sum({paid}) / 1e6 / count(*) FROM {rows}",
        "revenue-per-customer": (
            f"SELECT sum(s.paid) / 1e6 / count(DISTINCT a.customer) FROM ({each}) a LEFT JOIN "
            f"(SELECT customer, sum(paid) AS paid FROM {spent} GROUP BY customer) s USING (customer)"
        ),
        "repeat-purchase-rate": f"SELECT count(*) FILTER (WHERE many >= 2) / count(*) FROM ({each}) e",
        "returning-customer-rate": (
            f"SELECT count(*) FILTER (WHERE first < {low}) / count(*) FROM ({each}) e JOIN ({first}) f USING (customer)"
        ),
        "retention-rate": (f"SELECT count(e.customer) / count(*) FROM ({was}) w LEFT JOIN ({each}) e USING (customer)"),
    }
