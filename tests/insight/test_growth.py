"""Lifecycle over time, against a loop over customers and periods."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import instant
from test_cohorts import begins, did, door, follows

from shoal.clock import HOUR
from shoal.customers.writer import write_records
from shoal.errors import Refused
from shoal.insight.growth import growth
from shoal.lang.nodes import CalendarUnit
from shoal.lang.parse import parse_events
from shoal.sql.duck import DuckStore, create_store

FIRST = date(2024, 1, 1)
ORDERED = parse_events('"Ordered"')


def expected(orders: dict[str, set[date]], grain: Any, now: date) -> list[tuple[Any, ...]]:
    """Period by period, customer by customer."""
    active = {who: {begins(day, grain) for day in days} for who, days in orders.items()}
    period, before = min(min(each) for each in active.values()), None
    found = []
    while period <= begins(now, grain):
        here = {who for who, each in active.items() if period in each}
        last = {who for who, each in active.items() if before in each}
        ever = {who for who, each in active.items() if any(p < period for p in each)}
        over = follows(period, grain) <= now
        dormant = len(last - here) if over else None
        found.append((period, len(here - ever), len(here & last), len((here & ever) - last), dormant, len(here), over))
        period, before = follows(period, grain), period
    return found


drawn = st.dictionaries(
    st.sampled_from("abcde"), st.sets(st.integers(0, 300).map(lambda n: FIRST + timedelta(days=n)), min_size=1, max_size=7),
    min_size=1,
)  # fmt: skip


@given(drawn, st.sampled_from(get_args(CalendarUnit)))
@settings(max_examples=40)
def test_growth_is_that_of_a_loop(orders: dict[str, set[date]], grain: Any) -> None:
    """Breaks when a period without anybody is left out, or somebody back after a pause counts as kept."""
    now = max(day for days in orders.values() for day in days) + timedelta(days=3)
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    try:
        write_records(store, [did(w, "Ordered", d) for w, days in orders.items() for d in days], zone="UTC", received=0)
        found = growth(door(store, instant(now) + HOUR), ORDERED, grain).to_pylist()
        assert [tuple(row.values()) for row in found] == expected(orders, grain, now)
    finally:
        store.close()


def test_nobody_active_is_refused(store: DuckStore) -> None:
    """Breaks when an empty table looks like a period without growth."""
    with pytest.raises(Refused, match="Nobody was ever active"):
        growth(door(store, instant("2024-03-01")), ORDERED)
