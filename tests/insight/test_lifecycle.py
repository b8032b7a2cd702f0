"""Lifecycle: the windows come from the data, every customer is in one state, and months add up."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from orders import instant, load_orders, order

from shoal.clock import DAY
from shoal.customers.writer import write_records
from shoal.insight import lifecycle
from shoal.insight.lifecycle import Cycle
from shoal.insight.sales import base, open_sales
from shoal.shapes import Event, RevenueRule
from shoal.sql.duck import create_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shoal.sql.duck import DuckStore


def states_at(store: DuckStore, at: int, cycle: Cycle) -> dict[str, str]:
    with open_sales(store, RevenueRule(), at) as sales:
        relation = lifecycle.states(sales, cycle, at, base(store, at))
        return dict(store.rows(f"SELECT k.id, s.state FROM {relation} s JOIN customers k ON k.key = s.customer"))


def naive_state(orders: list[int], at: int, cycle: Cycle) -> str:
    """Straight from the definitions, for one customer."""
    past = sorted({ts for ts in orders if ts <= at})
    if not past:
        return "Prospect"
    recent = at - cycle.active * DAY
    if past[0] > recent:
        return "New"
    gaps = itertools.pairwise(past)
    if any(later > recent and later - earlier > cycle.lapse * DAY for earlier, later in gaps):
        return "Won back"
    if past[-1] > recent:
        return "Active"
    return "At risk" if past[-1] > at - cycle.lapse * DAY else "Lapsed"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    histories=st.lists(st.lists(st.integers(0, 60), max_size=5), min_size=1, max_size=8),
    active=st.integers(1, 8),
    longer=st.integers(1, 12),
    day=st.integers(0, 70),
    micro=st.sampled_from([-1, 0, 1]),
)
@example(histories=[[0, 20]], active=5, longer=5, day=25, micro=0)
@example(histories=[[0, 20]], active=5, longer=5, day=25, micro=-1)
@example(histories=[[0, 10]], active=5, longer=5, day=10, micro=0)
def test_states_equal_their_definitions_to_the_microsecond(
    histories: list[list[int]], active: int, longer: int, day: int, micro: int
) -> None:
    """Instants stand at the edges of the windows, where an order leaves exactly at ts + W."""
    start, cycle = instant("2021-01-01"), Cycle(active, active + longer)
    at = start + day * DAY + micro
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        records = [
            Event(f"c{i}", name, start + offset * DAY)
            for i, history in enumerate(histories)
            for name, offset in [("Signed Up", 0), *(("Order Completed", d) for d in history)]
        ]
        write_records(store, records, zone="UTC", received=0)
        found = states_at(store, at, cycle)
    times = {f"c{i}": [start + d * DAY for d in history] for i, history in enumerate(histories)}
    expected = {c: naive_state(orders, at, cycle) for c, orders in times.items()} if at >= start else {}
    assert found == expected


def test_cycle_gives_each_returning_customer_one_vote(store: DuckStore, write: Callable[[list[Event]], None]) -> None:
    """One customer orders daily for a year, 39 come back once after 50 days: the many decide."""
    start = date(2020, 1, 1)
    daily = [order("heavy", start + timedelta(days=i)) for i in range(365)]
    once = [order(f"c{i}", start + timedelta(days=d)) for i in range(39) for d in (i, i + 50)]
    write(daily + once)
    with open_sales(store, RevenueRule(), instant("2021-01-01")) as sales:
        cycle = lifecycle.measure_cycle(sales)
    assert (cycle.active, cycle.lapse, cycle.returning, cycle.note) == (50, 51, 40, "")


def test_cycle_is_assumed_and_says_so_where_few_came_back(
    store: DuckStore, write: Callable[[list[Event]], None]
) -> None:
    write([order("a", "2020-01-01"), order("a", "2020-01-11"), order("b", "2020-01-01")])
    with open_sales(store, RevenueRule(), instant("2020-02-01")) as sales:
        cycle = lifecycle.measure_cycle(sales)
    assert (cycle.active, cycle.lapse) == (30, 90)
    assert cycle.note.startswith("The rhythm is assumed, 30 and 90 days: 1 customer ordered on two days or more")


def test_same_day_orders_are_no_return(store: DuckStore, write: Callable[[list[Event]], None]) -> None:
    write([order("a", "2020-01-01"), order("a", "2020-01-01")])
    with open_sales(store, RevenueRule(), instant("2020-02-01")) as sales:
        assert lifecycle.measure_cycle(sales).gaps == 0


def test_months_count_new_retained_resurrected_and_dormant(
    store: DuckStore, write: Callable[[list[Event]], None]
) -> None:
    """A skips February and April, B buys through, C comes in March; May is still running."""
    write(
        [order("a", f"2020-{m:02}-10") for m in (1, 3)]
        + [order("b", f"2020-{m:02}-10") for m in (1, 2, 3, 4, 5)]
        + [order("c", "2020-03-20")]
    )
    with open_sales(store, RevenueRule(), instant("2020-05-12")) as sales:
        rows = lifecycle.over_time(sales).to_pylist()
    columns = ("new", "retained", "resurrected", "dormant", "active", "finished")
    assert [tuple(row[c] for c in columns) for row in rows] == [
        (2, 0, 0, 0, 2, True),
        (0, 1, 0, 1, 1, True),
        (1, 1, 1, 0, 3, True),
        (0, 1, 0, 2, 1, True),
        (0, 1, 0, None, 1, False),
    ]
    assert rows[0]["month"] == date(2020, 1, 1)


def test_online_retail_adds_up_every_month(store: DuckStore, real_data: Path) -> None:
    """Who was active last month is retained or dormant this month; all first months are all customers."""
    path = real_data / "online_retail" / "online_retail.parquet"
    load_orders(
        store,
        "SELECT CustomerID::INTEGER::VARCHAR AS customer, min(InvoiceDate) AS moment, "
        f"sum(Quantity * UnitPrice) AS revenue FROM '{path}' "
        "WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0 GROUP BY CustomerID, InvoiceNo",
    )
    with open_sales(store, RevenueRule(), instant("2011-12-10")) as sales:
        rows = lifecycle.over_time(sales).to_pylist()
        cycle = lifecycle.measure_cycle(sales)
    assert sum(row["new"] for row in rows) == 4338
    assert rows[0]["new"] == 885
    for before, row in itertools.pairwise(rows):
        if row["finished"]:
            assert before["active"] == row["retained"] + row["dormant"]
    assert 30 <= cycle.active < cycle.lapse <= 365


@pytest.mark.parametrize("state", lifecycle.STATES)
def test_every_state_has_its_words(state: str) -> None:
    assert lifecycle.meaning(state, Cycle(1, 7)).endswith(".")
    assert '"Bought \\"it\\""' in lifecycle.where(state, Cycle(1, 7), 'Bought "it"')


def test_a_month_that_begins_with_the_instant_has_no_row(
    store: DuckStore, write: Callable[[list[object]], None]
) -> None:
    """Nothing can have happened in it yet; an order at that very instant belongs to the month to come."""
    write([order("a", "2020-01-10"), order("a", "2020-02-10"), Event("b", "Order Completed", instant("2020-03-01"))])
    with open_sales(store, RevenueRule(), instant("2020-03-01")) as sales:
        rows = [(row["month"], row["active"], row["dormant"], row["finished"])
                for row in lifecycle.over_time(sales).to_pylist()]  # fmt: skip
    assert rows == [(date(2020, 1, 1), 1, 0, True), (date(2020, 2, 1), 1, 0, True)]
