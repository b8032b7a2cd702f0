"""The store as of an instant: what lies after it can't be read, and a few customers read as they do among all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.clock import DAY
from shoal.customers.writer import write_records
from shoal.errors import Refused, UnknownName
from shoal.insight.models.asof import AsOf
from shoal.lang.files import read_definition
from shoal.lang.schema import Schema
from shoal.shapes import ORDER_COMPLETED, Event, Merge, RevenueRule, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import learned_schema

RULE = RevenueRule()
START = (date(2026, 1, 1) - date(1970, 1, 1)).days * DAY


def order(who: str, day: float, revenue: float) -> Event:
    return Event(who, ORDER_COMPLETED, START + int(day * DAY), {"revenue": revenue})


def as_of(store: DuckStore, day: float) -> AsOf:
    traits, events = learned_schema(store)
    return AsOf(store, RULE, Schema(traits=traits, events=events), START + int(day * DAY))


@pytest.fixture
def store() -> Iterator[DuckStore]:
    made = create_store(":memory:", zone="UTC", now=0, threads=1)
    yield made
    made.close()


def told(known: AsOf) -> tuple[object, ...]:
    """All that models read, as plain values."""
    who, day, amount = known.days_with_orders()
    rows = known.arrow(f"SELECT customer, ts, offset_s FROM ({known.event(ORDER_COMPLETED)}) ORDER BY ALL").to_pylist()
    traits = {t.name: known.arrow(f"SELECT * FROM ({known.trait(t)}) ORDER BY ALL").to_pylist() for t in known.traits}
    return known.customers.tolist(), who.tolist(), day.tolist(), amount.tolist(), rows, traits, known.first_order


events_ = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", "cid", "dora"]), st.integers(0, 40), st.integers(-20, 90)), max_size=25
)


@settings(max_examples=40)
@given(events=events_, cut=st.integers(0, 40))
def test_nothing_after_the_instant_is_read(events: list[tuple[str, int, int]], cut: int) -> None:
    """Breaks if any door lets the time after the instant in: a feature would know what it is to foretell."""
    found = []
    for upto in (cut, 1000):
        store = create_store(":memory:", zone="UTC", now=0, threads=1)
        try:
            records: list[object] = [order("ann", 0, 5)]
            records += [order(who, day, revenue) for who, day, revenue in events if day <= upto]
            records += [TraitChange(who, "level", float(r), START + d * DAY) for who, d, r in events if d <= upto]
            write_records(store, records, zone="UTC", received=0)  # type: ignore[arg-type]
            with as_of(store, cut) as known:
                ids = dict(store.rows("SELECT key, id FROM customers"))
                customers, who, *rest, first = told(known)
                found.append(
                    (sorted(ids[k] for k in customers), [ids[k] for k in who], *rest[:2], len(rest[2]), first)  # type: ignore[attr-defined,arg-type]
                )
        finally:
            store.close()
    assert found[0] == found[1]


def test_one_may_only_go_back(store: DuckStore) -> None:
    """Breaks if a model can get at a later instant from the one that it was given."""
    write_records(store, [order("ann", 1, 10), order("ann", 5, 20)], zone="UTC", received=0)
    with as_of(store, 3) as known:
        assert told(known)[3] == [10.0]
        with known.before(START) as earlier:
            assert earlier.customers.size == 0
        with pytest.raises(Refused, match="can't be read as of it"):
            known.before(START + 4 * DAY)
        with pytest.raises(UnknownName, match="Order Compleet"):
            known.event("Order Compleet")


def test_a_few_customers_read_as_among_all(store: DuckStore) -> None:
    """Breaks if scores of a customer alone differ from those of the whole run, as after a merge."""
    records: list[object] = [
        order(who, day, 10 + day) for day, who in enumerate(["ann", "bob", "ann2", "cid", "ann", "bob"])
    ]
    records.append(Merge("ann", "ann2", START + 7 * DAY, "the same e-mail"))
    write_records(store, records, zone="UTC", received=START + 7 * DAY)  # type: ignore[arg-type]
    with as_of(store, 10) as known:
        whole = known.purchases()
        for asked in ({"ann"}, {"ann2"}, {"ann", "cid"}, {"nobody"}):
            wanted = {"ann" if one == "ann2" else one for one in asked}
            keys = [key for key, one in store.rows("SELECT key, id FROM customers") if one in wanted]
            with known.only(asked) as few:
                assert sorted(few.customers.tolist()) == sorted(keys)
                if not keys:
                    continue
                rows = np.flatnonzero(np.isin(whole.customers, keys))
                part = few.purchases()
                for column in ("customers", "frequency", "recency", "age", "spend", "total"):
                    assert getattr(part, column).tolist() == getattr(whole.take(rows), column).tolist()
    # What was laid out is gone again.
    assert store.rows("SELECT count(*) FROM duckdb_tables() WHERE temporary")[0] == (0,)


def test_who_is_in_a_segment_is_asked_at_the_instant(store: DuckStore) -> None:
    """Breaks if an outcome or a population is taken from another instant than that of the door."""
    write_records(store, [order("ann", 1, 10), order("bob", 2, 20), order("ann", 5, 20)], zone="UTC", received=0)
    for day, expected in ((1.5, [False]), (2.5, [False, False]), (6, [True, False])):
        with as_of(store, day) as known:
            text = f"name: twice\nwhere: 'count(\"{ORDER_COMPLETED}\") >= 2'\n"
            twice = read_definition(text, slug="twice", place="twice.yaml")
            assert known.holds({"twice": twice})["twice"].tolist() == expected


def test_a_day_that_is_not_over_isnt_closed(store: DuckStore) -> None:
    """Breaks if the last whole day is taken for one that still goes on."""
    with as_of(store, 3) as midnight, as_of(store, 3.5) as noon:
        assert midnight.closed_day == midnight.today - 1
        assert noon.closed_day == noon.today - 1
