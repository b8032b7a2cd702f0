"""Lifecycle over time: how many customers each period brought, kept, brought back and lost, by any activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import Refused
from shoal.insight.sales import period_of

if TYPE_CHECKING:
    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import CalendarUnit, Events

_STEPS = {"day": "1 DAY", "week": "7 DAY", "month": "1 MONTH", "quarter": "3 MONTH", "year": "1 YEAR"}


def growth(known: AsOf, active: Events, grain: CalendarUnit = "month", among: str | None = None) -> pa.Table:
    """Customers by what they were in each period.

    Args:
        known: the door to the store.
        active: what makes a customer active.
        grain: the length of a period.
        among: a relation with the column ``customer``: only these; None for all.

    Returns:
        period (first date), new (active for the first time ever), retained (active in the period before too), resurrected
        (active before, but not in the period before), dormant (active in the period before, not in this one; NULL while it
        runs, for it may yet fall), active (the first three together), finished.

    Raises:
        Refused: nobody was ever active.
        Unsupported: SQL can't evaluate the filter.
    """
    step = f"INTERVAL {_STEPS[grain]}"
    last, now = (period_of(grain, str(day)) for day in (known.zone.day(known.at - 1), known.today))
    within = f" WHERE k IN (SELECT customer FROM {among})" if among else ""
    with known.days([active]) as (table,):
        found = known.arrow(
            f"WITH m AS (SELECT DISTINCT k, {period_of(grain)} AS p FROM {table}{within}), "
            "w AS (SELECT k, p, lag(p) OVER c AS before, lead(p) OVER c AS after FROM m "
            "WINDOW c AS (PARTITION BY k ORDER BY p)), "
            f"f AS (SELECT p, before IS NULL AS n, coalesce(before + {step} = p, false) AS r, "
            f"coalesce(before + {step} < p, false) AS s, false AS d FROM w "
            f"UNION ALL SELECT CAST(p + {step} AS DATE), false, false, false, true FROM w "
            f"WHERE (after IS NULL OR after > p + {step}) AND p < {last} "
            "UNION ALL SELECT CAST(unnest(generate_series((SELECT min(p) FROM m)::TIMESTAMP, "
            f"{last}::TIMESTAMP, {step})) AS DATE), false, false, false, false) "
            "SELECT p AS period, count(*) FILTER (WHERE n) AS new, count(*) FILTER (WHERE r) AS retained, "
            f"count(*) FILTER (WHERE s) AS resurrected, CASE WHEN p < {now} THEN count(*) FILTER (WHERE d) END AS dormant, "
            f"count(*) FILTER (WHERE n OR r OR s) AS active, p < {now} AS finished FROM f GROUP BY p ORDER BY p"
        )
    if not found.num_rows:
        raise Refused("Nobody was ever active.", fix="Take another event, or a later instant.")
    return found
