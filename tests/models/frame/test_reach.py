"""The best hour, weekday and channel: planted habits are found, few events don't decide, dates have no hour."""

from __future__ import annotations

from collections import Counter

import pytest

from models.frame.made_shop import known
from models.frame.planted import END, MONDAY, fitted, habits, hold_laws, order, reasons, scored, store_of
from shoal.clock import DAY, HOUR
from shoal.errors import Refused
from shoal.insight.models.model import Settings
from shoal.insight.models.reach import Reach
from shoal.shapes import CAMPAIGN_SENT, Event
from shoal.sql.duck import DuckStore

SETTINGS = Settings("reach", "reach", 60)


@pytest.fixture(scope="module")
def shop() -> DuckStore:
    return store_of([*habits(), order("newcomer", 355, 9, channel="shop")])


def test_it_finds_when_and_where_customers_are_there(shop: DuckStore) -> None:
    """Breaks if hours aren't local, a weekday is off by one, or counts go to the wrong customer."""
    found = scored(shop, fitted(shop, "reach"))
    assert set(found) == {"best_hour", "best_weekday", "best_channel"}
    even = [f"c{i:03}" for i in range(0, 200, 2)]
    assert sum(found["best_weekday"][c] == "Monday" for c in even) >= 95
    assert sum(found["best_channel"][c] == "web" for c in even) >= 95
    # Three hours in a row are a window, so that any hour within one of nine is as good.
    assert sum(abs(found["best_hour"][c] - 9) <= 1 for c in even) >= 95
    assert sum(found["best_weekday"][f"c{i:03}"] == "Saturday" for i in range(1, 200, 2)) >= 95


def test_one_event_does_not_decide_against_the_base() -> None:
    """Breaks if the base isn't weighed in: all but a few come by web, and one visit to the shop says little."""
    events = [e for e in habits(keep=0.7) if e.customer[-1] in "02468"]
    store = store_of([*events, order("once", 300, 19, channel="shop")])
    assert scored(store, fitted(store, "reach"))["best_channel"]["once"] == "web"


def test_customers_without_habits_get_the_base_and_it_says_so() -> None:
    """Breaks if differences are found where chance alone makes them: all share one distribution."""
    store = store_of(habits(keep=0.5))
    model = fitted(store, "reach")
    assert isinstance(model, Reach)
    found = scored(store, model)
    same = [habit.way for habit in model.habits if habit.strength > 20]
    assert len(same) == 3
    assert max(Counter(found["best_weekday"].values()).values()) > 0.6 * 200
    assert "the base" in reasons(store, model, "c001")


def test_the_time_zone_of_the_event_counts() -> None:
    """Breaks if UTC hours are taken for local ones: the store's zone is UTC + 3 all year."""
    from shoal.customers.writer import write_records
    from shoal.sql.duck import create_store

    made = create_store(":memory:", zone="Africa/Nairobi", now=0, threads=1)
    assert write_records(made, habits(), zone="Africa/Nairobi", received=0).rejected == 0
    found = scored(made, fitted(made, "reach"))["best_hour"]
    assert sum(abs(found[f"c{i:03}"] - 12) <= 1 for i in range(0, 200, 2)) >= 95
    made.close()


def test_dates_have_no_hour_and_what_the_company_sends_is_nobodys_habit() -> None:
    """Breaks if midnight becomes the best hour, or campaigns count as visits."""
    dated = [order(e.customer, e.ts // DAY - MONDAY, 0) for e in habits()]
    sent = [Event(e.customer, CAMPAIGN_SENT, e.ts // DAY * DAY + 15 * HOUR, {"channel": "mail"}) for e in dated]
    store = store_of([*dated, *sent])
    model = fitted(store, "reach")
    assert set(scored(store, model)) == {"best_weekday"}
    assert any("No event bears a time of day" in note for note in model.evidence.notes)
    assert any("says its channel" in note for note in model.evidence.notes)


def test_too_few_customers_are_refused_with_their_number() -> None:
    """Breaks if a base is made of a handful."""
    with pytest.raises(Refused, match="50 of them must have done something in the last 730 days; 10 did"):
        fitted(store_of(habits(10)), "reach")


def test_its_backtest_beats_the_base_where_habits_differ(shop: DuckStore) -> None:
    """Breaks if a baseline is missing, or hits are counted in the wrong window."""
    with known(shop, END) as now:
        found = Reach.backtest(now, SETTINGS)
    assert found.who() == ["reach", "base", "last used", "own most frequent"]
    assert found.mean("reach", "hit") == pytest.approx(0.8, abs=0.06)
    assert found.mean("base", "hit") == pytest.approx(0.5, abs=0.08)
    assert (found.mean("last used", "hour hit") or 1) < (found.mean("reach", "hour hit") or 0)
    assert (found.mean("reach", "hit") or 0) >= (found.mean("own most frequent", "hit") or 1)


def test_laws() -> None:
    """Breaks if the future leaks, twins differ, rows' order matters, or a state loses something."""
    future = [Event("c001", "Order Completed", END + DAY + 3 * HOUR, {"revenue": 1, "channel": "fax"})]
    hold_laws("reach", habits(120), future)
