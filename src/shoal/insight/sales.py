"""Orders and money: the lines that bear revenue, laid out once for everything that counts them.

``open_sales`` reads the event tables that the workspace's revenue rule names and leaves one temporary table with a
row for each line, so that twenty figures of a report scan a narrow table instead of every event.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoal.clock import DAY, HOUR, SECOND
from shoal.customers.identity import merged
from shoal.lang.schema import Kind
from shoal.sql.encode import local_day
from shoal.sql.layout import zone_of
from shoal.sql.registry import Registry
from shoal.sql.subjects import in_force, merged_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.shapes import RevenueRule
    from shoal.sql.registry import EventType
    from shoal.sql.store import Store

_numbers = itertools.count(1)

NO_COST = "no cost data"
"""What is shown in the place of margin where the data holds no cost."""


def number_column(event: EventType, name: str | None) -> str | None:
    """The column of an event's property that is a number, or None."""
    found = event.properties.get(name or "")
    return found.col if found is not None and found.kind is Kind.NUMBER else None


@dataclass(frozen=True, slots=True)
class Sales:
    """The order and money lines of a workspace up to an instant.

    ``table`` is temporary and has the columns customer, ts, day (local date, days since 1970), hour (local), revenue
    and cost (millionths; cost NULL where unknown) and is_order.
    """

    store: Store
    rule: RevenueRule
    at: int
    today: int
    """The local date of ``at`` in days since 1970."""
    table: str
    has_cost: bool
    owned: bool = True

    @property
    def reached(self) -> int:
        """The local date of the last instant before ``at``: a period that begins with ``at`` has no time in it yet."""
        return zone_of(self.store).day(self.at - 1)

    def before(self, at: int) -> Sales:
        """The same lines as of an earlier instant; closing it does nothing."""
        table = f"(SELECT * FROM {self.table} WHERE ts <= {at:d})"
        return replace(self, at=at, today=zone_of(self.store).day(at), table=table, owned=False)

    def margin(self) -> str:
        """The SQL of the margin in millionths, over the lines whose cost is known; NULL where there is none."""
        return "sum(revenue - cost)" if self.has_cost else "CAST(NULL AS HUGEINT)"

    def close(self) -> None:
        """Drop the temporary table."""
        if self.owned:
            self.store.execute(f"DROP TABLE IF EXISTS {self.table}")

    def __enter__(self) -> Sales:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_sales(
    store: Store, rule: RevenueRule, at: int, known_at: int | None = None, *, among: str | None = None
) -> Sales:
    """Lay out the lines up to the instant ``at``; merged customers count as one.

    Args:
        store: the workspace's store.
        rule: what counts as revenue, as an order, and as cost.
        at: only events with ts ≤ at are in.
        known_at: only what had been received by then, with the merges of then; None for all.
        among: a relation with the column ``customer``; only lines of these keys are laid out.
    """
    table = f"sales_{next(_numbers)}"
    events = Registry.load(store).events
    within = "" if among is None else f" AND customer IN (SELECT customer FROM {among})"
    selects = list(_selects(events, rule, f"{in_force(known_at)} AND ts <= {at:d}{within}"))
    body = " UNION ALL ".join(selects) if selects else _NOTHING
    if known_at is None:
        store.execute(f"CREATE TEMP TABLE {table} AS {merged(store, body)}")
    else:
        _lay_out_of_then(store, table, body, known_at)
    has_cost = any(number_column(events[n], p) for n, p in rule.cost.items() if n in events)
    return Sales(store, rule, at, zone_of(store).day(at), table, has_cost)


def _lay_out_of_then(store: Store, table: str, body: str, known_at: int) -> None:
    standing = merged_table(store, f"{table}_merged", known_at)
    if standing is None:
        store.execute(f"CREATE TEMP TABLE {table} AS {body}")
        return
    try:
        store.execute(
            f"CREATE TEMP TABLE {table} AS SELECT coalesce(s.kept, b.customer) AS customer, b.* EXCLUDE (customer) "
            f"FROM ({body}) b LEFT JOIN {standing} s ON s.gone = b.customer"
        )
    finally:
        store.unregister(standing)


_NOTHING = (
    "SELECT 0::INTEGER AS customer, 0::BIGINT AS ts, 0::INTEGER AS day, 0::INTEGER AS hour, 0::BIGINT AS revenue, "
    "0::BIGINT AS cost, false AS is_order WHERE false"
)


def period_of(grain: str, day: str = "day") -> str:
    """The SQL of the first date of the day, week, month, quarter or year (``grain``) that a local date is in."""
    return f"CAST(date_trunc('{grain}', DATE '1970-01-01' + {day}) AS DATE)"


def local_hour() -> str:
    """The SQL of an event's local hour, 0 to 23."""
    local = f"(ts + CAST(offset_s AS BIGINT) * {SECOND})"
    # % follows the sign of its left side, and times before 1970 are negative.
    return f"CAST((({local} % {DAY}) + {DAY}) % {DAY} // {HOUR} AS INTEGER)"


def _selects(events: Mapping[str, EventType], rule: RevenueRule, known: str) -> Iterator[str]:
    for name in rule.names:
        if name not in events:
            continue
        source = events[name]
        revenue = number_column(source, rule.events.get(name))
        # An event that isn't named as bearing cost costs nothing; one that is, and lacks it, has an unknown cost.
        cost = (number_column(source, rule.cost[name]) or "NULL") if name in rule.cost else "0"
        yield (
            f"SELECT customer, ts, {local_day('ts', 'offset_s')} AS day, {local_hour()} AS hour, "
            f"CAST(coalesce({revenue or 'NULL'}, 0) AS BIGINT) AS revenue, CAST({cost} AS BIGINT) AS cost, "
            f"{'true' if name == rule.orders else 'false'} AS is_order "
            f"FROM {source.table} WHERE {known}"
        )


def base(store: Store, at: int) -> str:
    """A relation (customer) of everyone who exists at an instant, merged-away customers left out."""
    everyone = merged(store, "SELECT key AS customer, first_ts FROM customers")
    return f"(SELECT customer FROM ({everyone}) GROUP BY customer HAVING min(first_ts) <= {at:d})"
