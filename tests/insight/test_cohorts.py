"""Cohorts of any origin by any activity: against a loop over customers and dates, and at the edges of periods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import instant

from shoal.clock import HOUR
from shoal.customers.writer import write_records
from shoal.errors import Refused
from shoal.insight.cohorts import Asked, Cohorts, Mode, cohorts, definition
from shoal.insight.models.asof import AsOf
from shoal.lang.nodes import CalendarUnit
from shoal.lang.parse import parse_events
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import learned_schema
from shoal.stats.intervals import wilson

Write = Callable[[Iterable[Any]], None]
FIRST = date(2024, 1, 1)
JOINED, ORDERED = parse_events('"Joined"'), parse_events('"Ordered"')
GRAINS = get_args(CalendarUnit)
Grain = Literal["day", "week", "month", "quarter", "year"]


def door(store: DuckStore, at: int) -> AsOf:
    """The store as of an instant."""
    traits, events = learned_schema(store)
    return AsOf(store, RevenueRule(), Schema(traits=traits, events=events), at)


def did(who: str, name: str, day: date | str, hour: int = 12) -> Event:
    """An event at noon."""
    return Event(who, name, instant(day, hour))


def cells(found: Cohorts) -> dict[tuple[str, int], tuple[int, int, bool]]:
    """Size, active and finished by cohort and age."""
    return {
        (str(r["cohort"]), r["age"]): (r["size"], r["active"], r["finished"]) for r in found.found.to_pylist()
    }  # fmt: skip


def test_who_joined_by_who_ordered(store: DuckStore, write: Write) -> None:
    """Breaks when activity of another kind makes the cohort, or a running period isn't marked."""
    write([
        did("a", "Joined", "2024-01-31"), did("b", "Joined", "2024-01-01"), did("b", "Joined", "2024-02-05"),
        did("a", "Ordered", "2024-02-01"), did("b", "Ordered", "2024-03-10"), did("c", "Ordered", "2024-01-05"),
        did("c", "Joined", "2024-02-29"),
    ])  # fmt: skip
    known = door(store, instant("2024-03-15"))
    found = cohorts(known, Asked(JOINED, ORDERED))
    assert cells(found) == {
        ("2024-01-01", 0): (2, 0, True), ("2024-01-01", 1): (2, 1, True), ("2024-01-01", 2): (2, 1, False),
        ("2024-02-01", 0): (1, 0, True), ("2024-02-01", 1): (1, 0, False),
    }  # fmt: skip
    assert found.pooled() == [
        {"age": 0, "cohorts": 2, "size": 3, "active": 0, **dict(zip(("rate", "low", "high"), wilson(0, 3), strict=True))},
        {"age": 1, "cohorts": 1, "size": 2, "active": 1, **dict(zip(("rate", "low", "high"), wilson(1, 2), strict=True))},
    ]  # fmt: skip
    after = cohorts(known, Asked(JOINED, ORDERED, mode="on or after"))
    assert cells(after)["2024-01-01", 1] == (2, 2, True)
    assert "later" in after.definition
    assert "month or any later" in definition("on or after", "month")


def test_a_date_or_an_instant_of_a_trait(store: DuckStore, write: Write) -> None:
    """Breaks when a trait's local date isn't the cohort, or a text is one."""
    write([
        TraitChange("a", "since", date(2024, 1, 31), instant("2024-02-02")), did("a", "Ordered", "2024-02-03"),
        TraitChange("b", "seen", datetime(2024, 2, 1, tzinfo=UTC), instant("2024-02-02")),
        TraitChange("a", "plan", "pro", instant("2024-01-01")), TraitChange("c", "since", None, instant("2024-01-01")),
        TraitChange("d", "since", date(2031, 1, 1), instant("2024-01-01")),
    ])  # fmt: skip
    known = door(store, instant("2024-03-01"))
    traits = {t.name: t for t in known.traits}
    assert cells(cohorts(known, Asked(traits["since"], ORDERED))) == {
        ("2024-01-01", 0): (1, 0, True), ("2024-01-01", 1): (1, 1, True),
    }  # fmt: skip
    assert cells(cohorts(known, Asked(traits["seen"], ORDERED))) == {("2024-02-01", 0): (1, 0, True)}
    with pytest.raises(Refused, match="begins on a date"):
        cohorts(known, Asked(traits["plan"], ORDERED))


def test_only_some_and_only_so_far(store: DuckStore, write: Write) -> None:
    """Breaks when an earlier start, a segment or a number of periods isn't kept to."""
    write([did(w, "Ordered", d) for w in "ab" for d in ("2024-01-01", "2024-01-09", "2024-01-20")])
    write([did("c", "Ordered", "2024-01-08")])
    store.execute("CREATE TEMP TABLE chosen AS SELECT key AS customer FROM customers WHERE id <> 'b'")
    known = door(store, instant("2024-02-01"))
    found = cohorts(known, Asked(ORDERED, ORDERED, "week", ages=1, among="chosen"))
    assert {key: cell[:2] for key, cell in cells(found).items()} == {
        ("2024-01-01", 0): (1, 1), ("2024-01-01", 1): (1, 1), ("2024-01-08", 0): (1, 1), ("2024-01-08", 1): (1, 0),
    }  # fmt: skip
    later = cohorts(known, Asked(ORDERED, ORDERED, "week", start=(date(2024, 1, 8) - date(1970, 1, 1)).days, ages=0))
    assert set(cells(later)) == {("2024-01-08", 0)}


def test_what_is_refused(store: DuckStore, write: Write) -> None:
    """Breaks when an empty triangle, or one that nobody can read, is drawn."""
    write([did("a", "Ordered", FIRST + timedelta(days=n)) for n in range(3)])
    with pytest.raises(Refused, match="Nobody is in any cohort"):
        cohorts(door(store, instant("2024-03-01")), Asked(JOINED, ORDERED))
    write([did(f"c{n}", "Joined", FIRST + timedelta(days=n)) for n in range(401)])
    with pytest.raises(Refused, match="401 cohorts"):
        cohorts(door(store, instant("2026-03-01")), Asked(JOINED, ORDERED, "day"))


# ---------------------------------------------------------------- the oracle


def begins(day: date, grain: Grain) -> date:
    """The first date of the period that a date is in."""
    match grain:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
        case _:
            return day.replace(day=1, month=1)


def follows(first: date, grain: Grain) -> date:
    """The first date of the period after."""
    return begins(first + timedelta(days={"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[grain]), grain)


def expected(
    orders: dict[str, set[date]], grain: Grain, mode: Mode, now: date
) -> dict[tuple[str, int], tuple[int, int, bool]]:
    """The triangle, one customer and one period at a time; ``now`` is the last date with time in it."""
    born = {who: begins(min(days), grain) for who, days in orders.items()}
    found = {}
    for cohort in set(born.values()):
        members = [who for who in born if born[who] == cohort]
        period, age = cohort, 0
        while period <= begins(now, grain):
            back = [
                who for who in members
                if any(begins(d, grain) == period or (mode == "on or after" and d >= period) for d in orders[who])
            ]  # fmt: skip
            found[str(cohort), age] = (len(members), len(back), follows(period, grain) <= now)
            period, age = follows(period, grain), age + 1
    return found


drawn = st.dictionaries(
    st.sampled_from("abcde"), st.sets(st.integers(0, 400).map(lambda n: FIRST + timedelta(days=n)), min_size=1, max_size=6),
    min_size=1,
)  # fmt: skip


@given(drawn, st.sampled_from(GRAINS), st.sampled_from(get_args(Mode)))
@settings(max_examples=50)
def test_a_triangle_is_that_of_a_loop(orders: dict[str, set[date]], grain: Grain, mode: Mode) -> None:
    """Breaks when a period is cut at the wrong date, or a customer counts in a cohort that isn't theirs."""
    now = max(day for days in orders.values() for day in days) + timedelta(days=3)
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    try:
        write_records(store, [did(w, "Ordered", d) for w, days in orders.items() for d in days], zone="UTC", received=0)
        got = cohorts(door(store, instant(now) + HOUR), Asked(ORDERED, ORDERED, grain, mode))
        assert cells(got) == expected(orders, grain, mode, now)
    finally:
        store.close()
