"""Retention: what is older goes, to the microsecond; what isn't stays; settings that can't be meant are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shoal.clock import DAY, HOUR, WEEK
from shoal.config import parse_config
from shoal.customers.privacy.retention import Retention, expire, retention_from
from shoal.customers.writer import write_records
from shoal.errors import ConfigError
from shoal.shapes import Event, TraitChange
from shoal.sql.duck import DuckStore, create_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.privacy.everywhere import Shop

NOW = 1_700_000_000_000_000


@pytest.fixture
def store() -> Iterator[DuckStore]:
    with create_store(":memory:", zone="UTC", now=0, threads=1) as made:
        yield made


def write(store: DuckStore, *records: Any) -> None:
    write_records(store, records, zone="UTC", received=NOW)


def firsts(store: DuckStore) -> dict[str, int | None]:
    return dict(store.rows("SELECT id, first_ts FROM customers"))


@pytest.mark.parametrize(("age", "stays"), [(-1, True), (0, True), (1, False)])
def test_an_event_goes_when_it_is_older_by_a_microsecond(store: DuckStore, age: int, stays: bool) -> None:
    """Breaks when the limit is off by one at either side."""
    write(store, Event("a", "Page Viewed", NOW - 10 * DAY - age, {}, "m"))
    gone = expire(store, Retention({"Page Viewed": 10 * DAY}), NOW)
    assert gone == ({} if stays else {"Page Viewed": 1})
    assert store.rows("SELECT count(*) FROM event_1") == [(int(stays),)]


def test_customers_begin_with_what_is_left(store: DuckStore) -> None:
    """Breaks when a customer seems to have existed before the first event that is still there, or others are touched."""
    old, new = NOW - 100 * DAY, NOW - DAY
    write(
        store,
        Event("both", "Page Viewed", old, {}, "1"), Event("both", "Order Completed", new, {}, "2"),
        Event("only", "Page Viewed", old, {}, "3"), TraitChange("trait", "plan", "x", old, "4"),
        Event("trait", "Page Viewed", old - 1, {}, "5"), Event("other", "Order Completed", old, {}, "6"),
    )  # fmt: skip
    assert expire(store, Retention({"Page Viewed": 30 * DAY}), NOW) == {"Page Viewed": 3}
    assert firsts(store) == {"both": new, "only": None, "trait": old, "other": old}


def test_a_dry_run_changes_nothing(store: DuckStore) -> None:
    """Breaks when a look at what would go removes it."""
    write(store, Event("a", "Page Viewed", 0, {}, "1"), Event("a", "Order Completed", 0, {}, "2"))
    rules = Retention({"Order Completed": None}, default=DAY)
    assert expire(store, rules, NOW, dry_run=True) == {"Page Viewed": 1}
    assert firsts(store) == {"a": 0}
    assert expire(store, rules, NOW) == {"Page Viewed": 1}
    assert expire(store, rules, NOW) == {}


def test_spans_are_read() -> None:
    """Breaks when a span is understood as another one."""
    read = retention_from(
        {"A": "400 days", "B": "1 day", "C": "2 weeks", "D": "36 hours", "E": "none", "default": None}
    )
    assert read == Retention({"A": 400 * DAY, "B": DAY, "C": 2 * WEEK, "D": 36 * HOUR, "E": None}, None)
    assert retention_from({"default": "30days"}).of("any") == 30 * DAY
    assert not retention_from({"default": "none"})
    assert read.unknown({"A": 1, "B": 1, "C": 1, "Dd": 1, "E": 1}) == [
        'retention: no event is called "D" as yet. Did you mean "Dd"?'
    ]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"A": 400}, "Write 400 days"),
        ({"A": "2 years"}, "Write 732 days"),
        ({"A": "1 month"}, "Write 31 days"),
        ({"A": "soon"}, "Write 400 days, or none"),
        ({"A": "0 days"}, "out of range"),
        ({"A": "3 fortnights"}, "hours, days or weeks"),
        ({"A": True}, "no span"),
        (["A"], "a line each"),
    ],
)
def test_what_is_no_span_is_refused_with_the_fix(said: object, problem: str) -> None:
    """Breaks when a span that isn't one is taken for another, and data is lost or kept."""
    with pytest.raises(ConfigError, match=problem):
        retention_from(said)


def test_a_fault_names_the_line(tmp_path: Path) -> None:
    """Breaks when a wrong span in shoal.yaml can't be found from the message."""
    with pytest.raises(ConfigError, match=r"shoal\.yaml:3: retention\.Page Viewed"):
        parse_config('shoal: 1\nretention:\n  "Page Viewed": never\n', root=tmp_path)


def test_old_events_go_with_each_load_and_leave_the_file(shop: Shop) -> None:
    """Breaks when a load brings back what has expired, or its bytes stay in the store's file."""
    settings = shop.root / "shoal.yaml"
    settings.write_text(settings.read_text() + 'retention: {"Page Viewed": 400 days, "Oder Completed": 1 day}\n')
    assert "msg-anna-0" in shop.holding("msg-anna-0")
    with shop.open() as ws:
        assert ws.privacy.expire(dry_run=True) == {"Page Viewed": 2}
        assert ws.privacy.expire() == {"Page Viewed": 2}
        assert ws.privacy.compact()
        assert not ws.privacy.compact()
        assert ws.config.retention.unknown(ws.schema.events) == [
            'retention: no event is called "Oder Completed" as yet. Did you mean "Order Completed"?'
        ]
    assert "store.duckdb" not in shop.holding("msg-anna-0").get("msg-anna-0", [])
    assert "store.duckdb" in shop.holding("msg-anna-1")["msg-anna-1"]
    settings.write_text(settings.read_text().replace("Oder Completed", "Order Completed"))
    with (shop.files / "orders.csv").open("a") as file:
        file.write("o8,7,2023-10-09T10:00:00Z,80,\n")
    with shop.open() as ws:
        ws.load()
        assert ws.store.rows("SELECT count(*) FROM event_1") == [(0,)]
