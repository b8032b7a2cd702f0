"""From a lead to the first order: how many close, and how long that takes.

Who became a lead yesterday hasn't had the time to order: only leads that are as old as the window are counted, each over the same
time, or young leads would make the rate look low and the cycle short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused, UnknownName
from shoal.stats.experiments.quantiles import ranks
from shoal.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf

    Floats = npt.NDArray[np.float64]

QUANTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Closing:
    """How leads close.

    Args:
        events: what makes somebody a lead: the first of these events.
        within: days within which a lead must have ordered to count as closed.
        leads: those who had so much time.
        closed: of these, who ordered within the window.
        rate: closed / leads.
        days: by quantile, days from the lead to the first order of those who closed; the interval's ends are NaN where they are
            too few.
        young: leads that haven't had so much time yet, and aren't counted.
        customers: who had ordered before, and so were no leads.
    """

    events: Sequence[str]
    within: int
    leads: int
    closed: int
    rate: Interval
    days: Mapping[float, Interval]
    young: int
    customers: int

    @property
    def definition(self) -> str:
        """Both KPIs in words."""
        lead = " or ".join(f'"{event}"' for event in self.events)
        return (
            f"A lead is who has a first {lead} and no order before it. Close rate: leads with a first order within "
            f"{self.within} days / leads of at least {self.within} days ago. Sales cycle: days from the lead to the first order, "
            "of those who closed."
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "lead": list(self.events), "within_days": self.within, "leads": self.leads, "closed": self.closed,
            "close_rate": _plain(self.rate), "sales_cycle_days": {f"{p:g}": _plain(one) for p, one in self.days.items()},
            "too_young": self.young, "customers_before": self.customers, "definition": self.definition,
        }  # fmt: skip


def closing(
    known: AsOf, events: Sequence[str], within: int, *, start: int | None = None, end: int | None = None
) -> Closing:
    """Close rate and sales cycle.

    Args:
        known: the store as of now.
        events: what makes somebody a lead.
        within: days.
        start: only leads from this instant on.
        end: only leads before it.

    Raises:
        UnknownName: there is no such event.
        Refused: nobody was a lead long enough ago.
    """
    for event in events:
        if event not in known.events:
            raise UnknownName("event", event, known.events)
    if not events:
        raise Refused(
            "Nothing says what a lead is.", fix="Name the event in shoal.yaml, as costs: {lead: Lead Created}."
        )
    rows = " UNION ALL ".join(f"SELECT customer, ts FROM ({known.event(event)})" for event in events)
    table = known.arrow(
        f"WITH l AS (SELECT customer, min(ts) AS ts FROM ({rows}) GROUP BY customer), "
        f"o AS (SELECT customer, min(ts) AS ts FROM {known.sales.table} WHERE is_order GROUP BY customer) "
        f"SELECT l.ts AS lead, CAST(o.ts - l.ts AS DOUBLE) / {DAY} AS days FROM l LEFT JOIN o USING (customer) ORDER BY ALL"
    )
    lead, days = table["lead"].to_numpy(), table["days"].to_numpy(zero_copy_only=False)
    asked = np.ones(len(lead), bool)
    asked &= True if start is None else lead >= start
    asked &= True if end is None else lead < end
    old = lead <= known.at - within * DAY
    before = days < 0
    counted = asked & old & ~before
    if not counted.any():
        raise Refused(
            f"Nobody was a lead {within} days ago or earlier, so none had the time to close.",
            fix="Take fewer days, as costs: {within: 30 days}.",
        )
    took = np.sort(days[counted & (days <= within)])
    return Closing(
        tuple(events), within, int(counted.sum()), len(took), wilson(len(took), int(counted.sum())),
        {p: _quantile(took, p) for p in QUANTILES} if len(took) else {},
        int((asked & ~old & ~before).sum()), int((asked & before).sum()),
    )  # fmt: skip


def _quantile(took: Floats, p: float) -> Interval:
    middle = float(took[max(0, int(np.ceil(len(took) * p)) - 1)])
    try:
        found = ranks(len(took), p)
    except Refused:
        return Interval(middle, np.nan, np.nan)
    return Interval(middle, float(took[found.low]), float(took[found.high]))


def _plain(found: Interval) -> dict[str, float | None]:
    ends = (end if np.isfinite(end) else None for end in found)
    return dict(zip(("value", "low", "high"), ends, strict=True))
