"""Ways to fill a store with orders, for the tests of insight."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shoal.clock import to_instant
from shoal.customers.writer import write_events
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ORDER_COMPLETED, Event

if TYPE_CHECKING:
    from shoal.sql.duck import DuckStore


def instant(day: date | str, hour: int = 0) -> int:
    """The UTC instant of a date and hour."""
    moment = datetime.fromisoformat(str(day)).replace(tzinfo=UTC) + timedelta(hours=hour)
    return to_instant(moment)


def order(customer: str, day: date | str, revenue: float = 10, **properties: Any) -> Event:
    """An order at noon."""
    return Event(customer, ORDER_COMPLETED, instant(day, 12), {"revenue": revenue, **properties})


def load_orders(store: DuckStore, query: str, event: str = ORDER_COMPLETED) -> None:
    """Write orders from a query that gives customer (text), moment (timestamp) and revenue (double)."""
    store.execute(
        "CREATE OR REPLACE TEMP TABLE staged AS SELECT customer AS customer_id, epoch_us(moment) AS ts, "
        "NULL::VARCHAR AS message_id, row_number() OVER () AS origin, CAST(round(revenue * 1e6) AS BIGINT) AS revenue "
        f"FROM ({query})"
    )
    number = PropertyType(Kind.NUMBER)
    write_events(store, event, "staged", {"revenue": (number, "revenue")}, zone="UTC", received=0)
    store.execute("DROP TABLE staged")


@dataclass
class Memberships:
    """An evaluation made by hand: who is in which segment, by customer id."""

    store: DuckStore
    at: int
    members: dict[str, set[str]]
    table: str = "memberships"
    columns: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.columns = {slug: f"in_{i}" for i, slug in enumerate(self.members)}
        tests = "".join(
            f", list_contains({sorted(ids)!r}::VARCHAR[], id) AS {self.columns[slug]}"
            for slug, ids in self.members.items()
        )
        self.store.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.table} AS SELECT key AS customer{tests} FROM customers "
            f"WHERE first_ts <= {self.at}"
        )

    def sizes(self) -> dict[str, int]:
        return {
            slug: self.store.rows(f"SELECT count(*) FROM {self.table} WHERE {column}")[0][0]
            for slug, column in self.columns.items()
        }

    def base(self) -> int:
        return int(self.store.rows(f"SELECT count(*) FROM {self.table}")[0][0])

    def close(self) -> None:
        self.store.execute(f"DROP TABLE IF EXISTS {self.table}")
