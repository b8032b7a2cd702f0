"""Where customers stand between first order and silence, with windows taken from the data's own repurchase cycle.

The cycle: take the gaps between the order days of each customer who came back, let every customer have one vote (each
of their n gaps weighs 1/n, or a few heavy buyers would decide), and read two quantiles of all gaps. Four in five
returns happen within the ``active`` window, nineteen in twenty within the ``lapse`` window. Gaps that are still open
aren't counted, so the windows lean short in young data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.stats.quantiles import weighted_quantile

if TYPE_CHECKING:
    import pyarrow as pa

    from shoal.insight.sales import Sales

STATES = ("Prospect", "New", "Active", "Won back", "At risk", "Lapsed")
"""Every customer is in exactly one of them."""

ACTIVE_SHARE, LAPSE_SHARE = 0.80, 0.95
LEAST_RETURNING = 30
_ASSUMED = (30, 90)


@dataclass(frozen=True, slots=True)
class Cycle:
    """The repurchase cycle of a workspace.

    Args:
        active: days within which four in five returns happen.
        lapse: days within which nineteen in twenty happen.
        returning: how many customers came back at all.
        gaps: how many gaps were counted.
        at: the instant that it was taken at.
        note: why the windows are assumed rather than measured, or empty.
    """

    active: int
    lapse: int
    returning: int = 0
    gaps: int = 0
    at: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.active < self.lapse:
            raise ValueError("the lapse window is longer than the active one, and both are a day or more")

    def to_document(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Cycle:
        """The cycle of a JSON form."""
        return cls(**document)


def measure_cycle(sales: Sales) -> Cycle:
    """The repurchase cycle of the orders at hand; an assumed one, that says so, where fewer than 30 came back."""
    rows = sales.store.rows(
        "SELECT gap, sum(1.0 / n), count(*) FROM ("
        "  SELECT gap, count(*) OVER (PARTITION BY customer) AS n FROM ("
        "    SELECT customer, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap "
        f"    FROM (SELECT DISTINCT customer, day FROM {sales.table} WHERE is_order)) WHERE gap IS NOT NULL) "
        "GROUP BY gap ORDER BY gap"
    )
    pairs = [(float(gap), float(weight)) for gap, weight, _ in rows]
    gaps = sum(count for _, _, count in rows)
    returning = round(sum(weight for _, weight in pairs))
    if returning < LEAST_RETURNING:
        customers = "1 customer" if returning == 1 else f"{returning} customers"
        note = (
            f"The rhythm is assumed, {_ASSUMED[0]} and {_ASSUMED[1]} days: {customers} ordered on two days or more, and "
            f"measuring it needs {LEAST_RETURNING}."
        )
        return Cycle(*_ASSUMED, returning, gaps, sales.at, note)
    active = ceil(weighted_quantile(pairs, ACTIVE_SHARE))
    lapse = max(ceil(weighted_quantile(pairs, LAPSE_SHARE)), active + 1)
    return Cycle(active, lapse, returning, gaps, sales.at)


def where(state: str, cycle: Cycle, order: str) -> str:
    """A state as a condition of the language.

    Args:
        state: one of ``STATES``.
        cycle: gives the windows.
        order: the name of the event that is an order.

    >>> where("At risk", Cycle(30, 90), "Order Completed")
    'days since last "Order Completed" >= 30 and days since last "Order Completed" < 90'
    """
    name = '"' + order.replace("\\", "\\\\").replace('"', '\\"') + '"'
    within, lapsed = f"did {name} in last {_days(cycle.active)}", f"days since last {name} >= {cycle.lapse}"
    fresh = f"did first {name} in last {_days(cycle.active)}"
    # The first order has none before it either, but then the customer is new.
    returned = f"did {name} not after {name} within {_days(cycle.lapse)} in last {_days(cycle.active)}"
    return {
        "Prospect": f"not did {name}",
        "New": fresh,
        "Active": f"{within} and not {fresh} and not {returned}",
        "Won back": f"{returned} and not {fresh}",
        "At risk": f"days since last {name} >= {cycle.active} and days since last {name} < {cycle.lapse}",
        "Lapsed": lapsed,
    }[state]


def meaning(state: str, cycle: Cycle) -> str:
    """What a state says, in words."""
    return {
        "Prospect": "Known, but never ordered.",
        "New": f"Ordered for the first time within the last {_days(cycle.active)}.",
        "Active": f"Ordered within the last {_days(cycle.active)}, the time in which four in five returns happen.",
        "Won back": f"Ordered within the last {_days(cycle.active)} after a silence of over {_days(cycle.lapse)}.",
        "At risk": f"Silent for {cycle.active} to {cycle.lapse} days: longer than four in five returns take.",
        "Lapsed": f"Silent for {_days(cycle.lapse)} or more: longer than nineteen in twenty returns take.",
    }[state]


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def states(sales: Sales, cycle: Cycle, at: int, base: str) -> str:
    """A relation (customer, state) of everyone at an instant, for a FROM clause; the same sets as ``where`` gives.

    Args:
        sales: the lines; they must reach to ``at``.
        cycle: gives the windows.
        at: the instant.
        base: a relation (customer) of everyone who exists then.
    """
    active, lapse = cycle.active * DAY, cycle.lapse * DAY
    recent = f"ts > {at - active:d}"
    # A gap longer than the lapse, which is longer than the active window, can only lie across that window's start.
    summary = (
        "SELECT customer, min(ts) AS first, max(ts) AS last, "
        f"coalesce(min(CASE WHEN {recent} THEN ts END) - max(CASE WHEN NOT {recent} THEN ts END) > {lapse:d}, false) "
        f"AS returned FROM {sales.table} WHERE is_order AND ts <= {at:d} GROUP BY customer"
    )
    return (
        "(SELECT b.customer, CASE WHEN o.last IS NULL THEN 'Prospect' "
        f"WHEN o.first > {at - active:d} THEN 'New' WHEN o.returned THEN 'Won back' "
        f"WHEN o.last > {at - active:d} THEN 'Active' WHEN o.last > {at - lapse:d} THEN 'At risk' "
        "ELSE 'Lapsed' END AS state "
        f"FROM {base} b LEFT JOIN ({summary}) o ON o.customer = b.customer)"
    )


def over_time(sales: Sales) -> pa.Table:
    """How many customers each month's orders brought, kept, brought back, and lost.

    Columns: month (date), new, retained (ordered this month and the last), resurrected (this month, not the last, but
    before), dormant (the last month, not this one; NULL while the month runs), active (the first three together),
    finished (false for the month that the data ends in).
    """
    month = "CAST(date_diff('month', DATE '1970-01-01', DATE '1970-01-01' + day) AS INTEGER)"
    now, last = (
        f"(SELECT date_diff('month', DATE '1970-01-01', DATE '1970-01-01' + {day:d}))"
        for day in (sales.today, sales.reached)
    )
    return sales.store.arrow(
        f"WITH m AS (SELECT DISTINCT customer, {month} AS k FROM {sales.table} "
        f"WHERE is_order AND {month} <= {last}), "
        "w AS (SELECT customer, k, lag(k) OVER c AS before, lead(k) OVER c AS after FROM m "
        "WINDOW c AS (PARTITION BY customer ORDER BY k)), "
        "f AS (SELECT k, CASE WHEN before IS NULL THEN 1 ELSE 0 END AS n, "
        "CASE WHEN before = k - 1 THEN 1 ELSE 0 END AS r, "
        "CASE WHEN before < k - 1 THEN 1 ELSE 0 END AS s, 0 AS d FROM w "
        f"UNION ALL SELECT k + 1, 0, 0, 0, 1 FROM w WHERE (after IS NULL OR after > k + 1) AND k < {last} "
        f"UNION ALL SELECT unnest(range((SELECT min(k) FROM m), {last} + 1)), 0, 0, 0, 0) "
        "SELECT CAST(DATE '1970-01-01' + to_months(CAST(k AS INTEGER)) AS DATE) AS month, "
        "CAST(sum(n) AS BIGINT) AS new, CAST(sum(r) AS BIGINT) AS retained, CAST(sum(s) AS BIGINT) AS resurrected, "
        f"CASE WHEN k < {now} THEN CAST(sum(d) AS BIGINT) END AS dormant, CAST(sum(n + r + s) AS BIGINT) AS active, "
        f"k < {now} AS finished FROM f GROUP BY k ORDER BY k"
    )
