"""Features as of an instant: what they count, and that nothing of later is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from models.frame.made_shop import CATEGORIES, DAYS, END, START, history, known, order, write
from shoal.clock import DAY, HOUR
from shoal.errors import Refused
from shoal.insight.models.features import Plan, features, unchanged
from shoal.insight.models.learning.encoding import Encoder
from shoal.insight.models.learning.table import Numbers, Table, Words
from shoal.shapes import Event, Merge, TraitChange
from shoal.sql.duck import DuckStore, create_store


@pytest.fixture
def store() -> Iterator[DuckStore]:
    made = create_store(":memory:", zone="UTC", now=0, threads=1)
    yield made
    made.close()


def value(table: Table, row: int, name: str) -> Any:
    """A value as people read it; None where it is missing."""
    column = table.column(name)
    if isinstance(column, Words):
        return column.levels[column.codes[row]] if column.codes[row] >= 0 else None
    found = float(column.values[row])
    return None if np.isnan(found) else found


def same(a: Table, b: Table) -> bool:
    """Whether two tables are equal to the last bit."""
    if (a.keys, a.names) != (b.keys, b.names):
        return False
    for x, y in zip(a.columns, b.columns, strict=True):
        if isinstance(x, Numbers) and isinstance(y, Numbers):
            if not np.array_equal(x.values, y.values, equal_nan=True):
                return False
        elif not (isinstance(x, Words) and isinstance(y, Words) and x.levels == y.levels) or not np.array_equal(
            x.codes, y.codes
        ):
            return False
    return True


def crowd(at: int) -> list[Any]:
    """Twenty others, so that a word or an event is common enough to be read."""
    found: list[Any] = []
    for i in range(20):
        found += [
            order(f"x{i}", at, 5, "Bread"),
            Event(f"x{i}", "Page Viewed", at),
            TraitChange(f"x{i}", "plan", "b", at),
        ]
    return found


def test_the_numbers_of_one_customer(store: DuckStore) -> None:
    """Breaks when a window's edge, a gap, a refund, a share or a date is counted otherwise than it says."""
    at = START + 400 * DAY
    write(store, [
        *crowd(START),
        order("ann", at - 100 * DAY, 30, "Wine"), order("ann", at - 40 * DAY, 50, "Wine", "Bread"),
        order("ann", at - 30 * DAY, 20, "Bread"), order("ann", at - 10 * DAY - HOUR, 10, "Wine"),
        Event("ann", "Order Refunded", at - 5 * DAY, {"revenue": -8}),
        Event("ann", "Page Viewed", at - 2 * DAY), Event("ann", "Page Viewed", at - 60 * DAY),
        TraitChange("ann", "plan", "b", at - 9 * DAY), TraitChange("ann", "age", 41.5, at - 9 * DAY),
        TraitChange("ann", "vip", True, at - 9 * DAY),
    ])  # fmt: skip
    with known(store, at) as now:
        table = features(now, Plan.of(now, since=at))
        row = int(np.flatnonzero(now.customers == store.rows("SELECT key FROM customers WHERE id = 'ann'")[0][0])[0])
    expected = {
        "days since the last order": 10.0,
        "days since the first order": 100.0,
        "days between orders": 30.0,
        "days since the last order, in usual gaps": 10 / 30,
        "orders in the last 30 days": 1.0,  # Thirty days ago to the microsecond is out.
        "orders in the last 90 days": 3.0,
        "orders in all": 4.0,
        "spend in the last 30 days": 2.0,
        "spend in all": 102.0,
        "refunds an order": 0.25,
        "categories bought in the last 365 days": 2.0,
        "category bought most": None,  # Wine, which fewer than twenty customers bought.
        "days since the last event": 2.0,
        '"Page Viewed" in the last 30 days': 1.0,
        '"Page Viewed" in all': 2.0,
        "plan": "b",
        "age": 41.5,
        "vip": "yes",
    }
    assert {name: value(table, row, name) for name in expected} == pytest.approx(expected)


def test_what_comes_later_changes_nothing(store: DuckStore) -> None:
    """Breaks if a feature looks beyond its instant: whatever is appended, what was known then stays as it was."""
    write(store, history(60, seed=3, messages=True))
    at, random = START + 250 * DAY, np.random.default_rng(5)
    with known(store, at) as then:
        plan = Plan.of(then, since=at)
        before = features(then, plan)
    for round_ in range(3):
        later = [at + 1 + int(random.integers(0, 90 * DAY)) for _ in range(40)]
        write(store, [
            *(order(f"c{i:04}", ts, 500, "Wine") for i, ts in enumerate(later)),
            *(Event(f"c{i:04}", "Order Refunded", ts, {"revenue": -400}) for i, ts in enumerate(later)),
            *(Event(f"c{i:04}", f"New Event {round_}", ts) for i, ts in enumerate(later)),
            *(TraitChange(f"c{i:04}", "plan", "left", ts) for i, ts in enumerate(later)),
            *(TraitChange(f"c{i:04}", f"reason {round_}", "too dear", ts) for i, ts in enumerate(later)),
            *(order(f"new{round_}-{i}", ts, 5, "Toys") for i, ts in enumerate(later)),
        ])  # fmt: skip
        with known(store, at) as then:
            again = Plan.of(then, since=at)
            assert (again.events, again.categories) == (plan.events, plan.categories)
            assert [t for t in again.traits if not t.name.startswith("reason")] == list(plan.traits)
            assert same(features(then, plan), before)


def test_the_same_at_a_cut_from_a_later_door(store: DuckStore) -> None:
    """Breaks if going back from a later instant gives anything else than asking for the earlier one."""
    write(store, history(40, seed=2))
    at = START + 200 * DAY
    with known(store, at) as then, known(store, END) as now, now.before(at) as back:
        plan = Plan.of(then, since=at)
        assert same(features(then, plan), features(back, plan))


def test_identifiers_and_constants_are_no_columns(store: DuckStore) -> None:
    """Breaks if a text of as many values as customers, or a column that is all one or all missing, is learnt from."""
    records = history(100)
    records += [TraitChange(f"c{i:04}", "same", "yes", START) for i in range(100)]
    records += [TraitChange(f"c{i:04}", "tags", ["a", "b"], START) for i in range(100)]
    records += [TraitChange("c0001", "only_one", "x", START)]
    write(store, records)
    with known(store, END) as now:
        plan = Plan.of(now, {"plan"}, since=END)
        dropped = dict(plan.dropped)
        assert [t.name for t in plan.traits] == ["same"]
        assert dropped["badge"] == dropped["only_one"] == "no value has 20 customers"
        assert dropped["tags"] == "lists aren't read"
        assert dropped["plan"] == "it is to be left out"
        encoder = Encoder.of(features(now, plan))
    assert dict(encoder.dropped)["same"] == "all values are equal"
    assert dict(encoder.dropped)["refunds an order"] == "all values are equal"


def test_a_short_history_has_no_long_windows(store: DuckStore) -> None:
    """Breaks if a count means a hundred days at one cut and a year at the next."""
    write(store, history(60))
    with known(store, END) as now:
        short = Plan.of(now, since=START + 100 * DAY)
        assert (short.windows, short.long) == ((30, 90), False)
        names = features(now, short).names
        assert not [n for n in names if n.endswith(("in all", "365 days"))]
        assert Plan.of(now, since=START + 370 * DAY).windows == (30, 90, 365)


def test_a_plan_goes_through_json(store: DuckStore) -> None:
    """Breaks if a model that was kept reads other columns than the one that was fitted."""
    write(store, history(60, messages=True))
    with known(store, END) as now:
        plan = Plan.of(now, since=END)
        assert plan.categories == tuple(sorted(CATEGORIES))
        assert Plan.from_document(json.loads(json.dumps(plan.document()))) == plan


def test_a_trait_or_event_that_is_gone_is_missing(store: DuckStore) -> None:
    """Breaks if a kept model falls over where the store has lost what it reads."""
    write(store, history(60, messages=True))
    with known(store, END) as now:
        plan = Plan.of(now, since=END)
    bare = create_store(":memory:", zone="UTC", now=0, threads=1)
    write(bare, [Event("z", "Page Viewed", START)])
    with known(bare, END) as now:
        table = features(now, plan)
        assert table.names == features_names(store, plan)
        assert value(table, 0, "plan") is None
        assert value(table, 0, '"Message Sent" in the last 30 days') == 0
        assert value(table, 0, "days since the last order") is None
    bare.close()


def features_names(store: DuckStore, plan: Plan) -> tuple[str, ...]:
    """The columns of a plan in the store that it was made for."""
    with known(store, END) as now:
        return features(now, plan).names


def test_unknown_names_to_leave_out_are_refused(store: DuckStore) -> None:
    """Breaks if a slip in `without` leaves a leak in."""
    write(store, history(30))
    with known(store, END) as now, pytest.raises(Refused, match="There is no trait or event 'plann'"):
        Plan.of(now, {"plann"}, since=END)


def test_traits_that_never_changed_are_told(store: DuckStore) -> None:
    """Breaks if a file without dates passes for what was known all along without a word."""
    write(store, history(60))
    write(store, [TraitChange(f"c{i:04}", "status", "left", START + 300 * DAY) for i in range(30)])
    with known(store, END) as now, now.before(START + 100 * DAY) as first:
        plan = Plan.of(now, since=START + 100 * DAY)
        assert {t.name for t in plan.traits} == {"plan", "status"}
        assert unchanged(now, first, plan) == ["plan"]


def test_merged_customers_are_one_row(store: DuckStore) -> None:
    """Breaks if a merged-away customer is a row of their own, or takes their orders along."""
    at = START + DAYS * DAY
    write(store, [*crowd(START), order("ann", at - 9 * DAY, 10, "Wine"), order("anna", at - 3 * DAY, 5, "Bread")])
    write(store, [Merge("ann", "anna", 0)])
    with known(store, at) as now:
        table = features(now, Plan.of(now, since=at))
        assert len(table) == 21
        row = int(np.flatnonzero(now.customers == store.rows("SELECT key FROM customers WHERE id = 'ann'")[0][0])[0])
        assert value(table, row, "orders in the last 30 days") == 2
        assert value(table, row, "days since the last order") == 3
