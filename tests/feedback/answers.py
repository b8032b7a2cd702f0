"""Answers, orders and segments made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shoal.clock import DAY
from shoal.shapes import ORDER_COMPLETED, SURVEY_ANSWERED, Event
from shoal.sql.duck import DuckStore

START = 1_577_836_800_000_000
"""2020-01-01, UTC."""


def at(day: float) -> int:
    """So many days after the first of 2020."""
    return START + int(day * DAY)


def answer(customer: str, day: float, **properties: Any) -> Event:
    return Event(customer, SURVEY_ANSWERED, at(day), properties)


def order(customer: str, day: float, revenue: float = 10) -> Event:
    return Event(customer, ORDER_COMPLETED, at(day), {"revenue": revenue})


@dataclass
class Held:
    """An evaluation made by hand: who is in which segment, by customer id."""

    store: DuckStore
    at: int
    by_slug: dict[str, set[str]]
    table: str = "held"

    def __post_init__(self) -> None:
        self.columns = {slug: f"in_{i}" for i, slug in enumerate(self.by_slug)}
        tests = "".join(
            f", list_contains({sorted(ids)!r}::VARCHAR[], id) AS {self.columns[slug]}"
            for slug, ids in self.by_slug.items()
        )
        self.store.execute(f"CREATE OR REPLACE TEMP TABLE {self.table} AS SELECT key AS customer{tests} FROM customers")

    def sizes(self) -> dict[str, int]:
        return {slug: len(ids) for slug, ids in self.by_slug.items()}

    def base(self) -> int:
        return int(self.store.rows(f"SELECT count(*) FROM {self.table}")[0][0])

    def close(self) -> None:
        self.store.execute(f"DROP TABLE {self.table}")
