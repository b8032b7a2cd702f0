"""The cut of a trial is an instant: what was bought before it on its own day is known, and what came after it is to come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models.frame.made_shop import known
from models.frame.planted import MONDAY, item, order, store_of
from shoal.clock import DAY, HOUR
from shoal.insight.models.replenish import _next
from shoal.insight.taste.lines import BOUGHT, PRODUCT, bought_after, lines
from shoal.sql.duck import DuckStore

CUT = (MONDAY + 100) * DAY + 12 * HOUR
"""Noon of a day on whose both sides something is bought."""


@pytest.fixture(scope="module")
def shop() -> Iterator[DuckStore]:
    """Each of 60 bought tea on the morning of the cut's day; even ones buy tea again that evening, odd ones the next day."""
    events = []
    for c in range(60):
        who = f"c{c:03}"
        events += [order(who, d, 9, items=[item("tea"), item("cups" if c % 3 else "pots")]) for d in (60, 80, 100)]
        events.append(
            order(who, 100, 18, items=[item("tea")]) if c % 2 == 0 else order(who, 101, 8, items=[item("tea")])
        )
    made = store_of(events)
    yield made
    made.close()


def test_the_next_purchase_is_the_first_after_the_instant(shop: DuckStore) -> None:
    """Breaks if the evening of the cut's day is passed over, or its morning is taken for the future."""
    with known(shop, CUT + 30 * DAY) as after:
        source = lines(after, PRODUCT, only=BOUGHT)
        assert source is not None
        keys = np.array([k for (k,) in shop.rows("SELECT key FROM customers ORDER BY id")])
        order_ = np.argsort(keys)
        found = np.empty(60)
        found[order_] = _next(after, source, CUT, ("one tea",), keys[order_], np.zeros(60, dtype=np.int64))
        nothing = _next(after, source, CUT + 2 * DAY, ("one tea",), keys[order_], np.zeros(60, dtype=np.int64))
    assert (found[::2] == MONDAY + 100).all()
    assert (found[1::2] == MONDAY + 101).all()
    assert np.isnan(nothing).all()


def test_what_came_after_a_cut_is_told_by_the_instant(shop: DuckStore) -> None:
    """Breaks if cups of the morning count as bought later, or tea of the evening doesn't."""
    with known(shop, CUT + 30 * DAY) as after:
        source = lines(after, "category")
        assert source is not None
        came = bought_after(after, source, ("tea", "cups", "pots"), CUT)
    assert len(came.customers) == 60
    assert (came.column == 0).all()
    assert (came.amount == 1).all()
    assert sorted(came.latest.tolist()) == [MONDAY + 100] * 30 + [MONDAY + 101] * 30


def test_a_door_that_leads_back_reads_nothing_of_the_rest_of_its_day(shop: DuckStore) -> None:
    """Breaks if rows that were laid out for the later instant are read as of the earlier one."""
    with known(shop, CUT + 30 * DAY) as after, after.before(CUT) as before:
        later, sooner = lines(after, "category"), lines(before, "category")
        assert later is not None
        assert sooner is not None
        counts = [door.arrow(f"SELECT count(*) AS n FROM ({s.rows})")["n"][0].as_py() for door, s in
                  ((after, later), (before, sooner))]  # fmt: skip
    assert counts == [60 * 7, 60 * 6]


def test_what_one_customer_took_is_read_alone(shop: DuckStore) -> None:
    """Breaks if the rows of one customer differ from theirs among all, in names or in days."""
    (key,) = next(iter(shop.rows("SELECT key FROM customers WHERE id = 'c004'")))
    with known(shop, CUT + 30 * DAY) as now:
        every, mine = lines(now, PRODUCT), lines(now, PRODUCT, customer=key)
        assert every is not None
        assert mine is not None
        told = [
            now.arrow(f"SELECT ts, day, name, counts FROM ({s.rows}) JOIN ({s.names}) USING (item) "
                      f"WHERE customer = {key} ORDER BY ALL").to_pylist()
            for s in (every, mine)
        ]  # fmt: skip
        others = now.arrow(f"SELECT count(*) AS n FROM ({mine.rows}) WHERE customer <> {key}")["n"][0].as_py()
    assert len(told[0]) == 7
    assert told[0] == told[1]
    assert others == 0
