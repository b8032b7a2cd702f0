"""The door for records: types are learned, a message is taken once, what can't be stored is told, both times stay."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from shoal.customers.writer import write_records
from shoal.lang import calendar
from shoal.shapes import ConsentChange, Event, ListChange, Merge, TraitChange
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.customers.writer import Record, WriteSummary
    from shoal.sql.duck import DuckStore

ZONE = "Europe/London"
HOUR = 3_600_000_000
DAY = 24 * HOUR


def test_events_stand_under_their_customer_with_local_time_and_both_times(store: DuckStore) -> None:
    """Breaks if a column is filled from another: ts, offset, receipt, load."""
    summer = 18_443 * DAY
    write(store, [Event("b", "A", summer, {"x": 1.5}), Event("a", "A", 5), Event("b", "A", 6, received=3)], received=9)
    assert store.rows(
        "SELECT id, ts, offset_s, e.received, retired, load, p1 FROM event_1 AS e JOIN customers ON key = customer "
        "ORDER BY ts"
    ) == [
        ("a", 5, 3600, 9, None, 0, None),
        ("b", 6, 3600, 3, None, 0, None),
        ("b", summer, 3600, 9, None, 0, 1_500_000),
    ]
    assert store.rows("SELECT id, first_ts, received FROM customers ORDER BY id") == [("a", 5, 9), ("b", 6, 3)]


def test_the_offset_is_the_zones_on_both_sides_of_a_change(store: DuckStore) -> None:
    """Breaks if the offset is taken once for all rows."""
    rules = calendar.zone(ZONE)
    (_, _), (change, _), *_ = rules.transitions(20_000 * DAY, 20_365 * DAY)
    write(store, [Event("a", "A", change - 1), Event("a", "A", change)])
    assert [offset for (offset,) in store.rows("SELECT offset_s FROM event_1 ORDER BY ts")] == [
        rules.offset(change - 1),
        rules.offset(change),
    ]


def test_a_message_counts_once_over_events_and_traits(store: DuckStore) -> None:
    """Breaks if a copy is stored, within a call or over several, or the second copy replaces the first."""
    first = write(store, [Event("a", "A", 1, {"x": 1}, "m"), Event("a", "A", 2, {"x": 2}, "m")])
    assert (first.written, first.duplicates) == (1, 1)
    second = write(
        store, [Event("a", "B", 3, {}, "m"), TraitChange("a", "plan", "pro", 4, "m"), Event("a", "A", 5, {}, "n")]
    )
    assert (second.written, second.duplicates) == (1, 2)
    assert write(store, [TraitChange("a", "plan", "pro", 4, "n")]).duplicates == 1
    assert store.rows("SELECT ts, p1, message_id FROM event_1 ORDER BY ts") == [(1, 1_000_000, "m"), (5, None, "n")]


def test_one_message_may_carry_several_traits(store: DuckStore) -> None:
    """Breaks if an identify call loses all but its first trait, or a repeated one is stored twice."""
    identify = [TraitChange("a", "plan", "pro", 1, "m"), TraitChange("a", "age", 30, 1, "m")]
    summary = write(store, [*identify, *identify])
    assert (summary.written, summary.duplicates) == (2, 2)
    assert (again := write(store, identify)).duplicates == 2, again
    other = [TraitChange("b", "age", 31, 1, "m"), Event("a", "A", 1, {}, "m")]
    assert (
        write(store, [*[TraitChange("a", "plan", "pro", 1, "k")], *[TraitChange("b", "age", 31, 1, "k")]]).duplicates
        == 1
    )
    assert write(store, other).duplicates == 2


def test_the_copy_received_first_stays_whatever_the_order_of_the_call(store: DuckStore) -> None:
    """Breaks if the order of the list decides instead of the time of receipt."""
    write(store, [Event("a", "A", 2, {}, "m", received=20), Event("a", "A", 1, {}, "m", received=10)])
    assert store.rows("SELECT ts, received FROM event_1") == [(1, 10)]


def test_a_rejected_record_does_not_use_up_its_message(store: DuckStore) -> None:
    """Breaks if the mended record is dropped as a copy of the rejected one."""
    broken, mended = Event("a", "A", 1, {"x": 1e13}, "m"), Event("a", "A", 1, {"x": 1}, "m")
    summary = write(store, [broken])
    assert (summary.written, summary.rejected) == (0, 1)
    assert summary.rejections[0].record is broken
    assert "10^12" in summary.rejections[0].reason
    assert store.rows("SELECT * FROM customers") == []
    assert write(store, [mended]).written == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Event("", "A", 1), "no customer"),
        (Event("\ud800", "A", 1), "Unicode"),
        (Event("a", "A", -5_400_000_000 * 1_000_000), "outside the years"),
        (Event("a", "A", 8_000_000_000 * 1_000_000), "outside the years"),
        (Event("a", "A", 1, {"items": [{"price": Decimal("-1e12")}, {"price": Decimal("1e12") + 1}]}), "10^12"),
        (TraitChange("a", "clv", float("inf"), 1), "10^12"),
        (Merge("a", "a", 1), "themselves"),
    ],
)
def test_what_cannot_be_stored_is_told(store: DuckStore, record: Record, reason: str) -> None:
    """Breaks if one bad record stops the others, or goes without a reason."""
    summary = write(store, [record, Event("good", "A", 1)])
    assert (summary.written, summary.rejected) == (1, 1)
    assert reason in summary.rejections[0].reason


def test_a_value_of_another_type_is_missing_and_counted(store: DuckStore) -> None:
    """Breaks if a wrong value is coerced, drops its record, or goes uncounted."""
    summary = write(
        store,
        [
            Event("a", "A", 1, {"x": 1, "items": [{"price": 1}]}),
            Event("a", "A", 2, {"x": "1", "items": [{"price": "1"}, {"price": 2}]}),
            Event("a", "A", 3, {"x": True, "items": "none"}),
            Event("a", "A", 4, {"x": float("nan"), "items": [{"price": 1}, "x"]}),
            TraitChange("a", "age", 30, 1),
            TraitChange("a", "age", "thirty", 2),
        ],
    )
    assert (summary.written, summary.mistyped) == (6, 7)
    assert store.rows("SELECT p1, p2 FROM event_1 ORDER BY ts") == [
        (1_000_000, [{"f1": 1_000_000}]),
        (None, [{"f1": None}, {"f1": 2_000_000}]),
        (None, None),
        (None, None),
    ]
    assert store.rows("SELECT value FROM trait_1 ORDER BY ts") == [(30_000_000,), (None,)]
    assert store.rows("SELECT name, mistyped FROM properties ORDER BY col") == [("x", 3), ("items", 3)]
    assert store.rows("SELECT mistyped FROM traits") == [(1,)]


def test_empty_is_known_and_null_is_missing(store: DuckStore) -> None:
    """Breaks if an empty list or text is stored as missing, or fixes a type that it doesn't show."""
    write(store, [Event("a", "A", 1, {"tags": [], "note": None}), Event("a", "A", 2, {"tags": ["x"], "note": ""})])
    assert store.rows("SELECT ts, p1, p2 FROM event_1 ORDER BY ts") == [(1, [], None), (2, ["x"], "")]
    assert set(Registry.load(store).events["A"].properties) == {"tags", "note"}


def test_names_that_differ_in_case_are_two(store: DuckStore) -> None:
    """Breaks if SQL's blindness to case joins two events, properties, traits or fields."""
    write(
        store,
        [
            Event("a", "Order", 1, {"sku": "x", "SKU": 1, "items": [{"id": "x", "ID": 2}]}),
            Event("a", "order", 1, {"sku": 2}),
            TraitChange("a", "plan", "pro", 1),
            TraitChange("a", "Plan", 3, 1),
        ],
    )
    registry = Registry.load(store)
    assert set(registry.events) == {"Order", "order"}
    assert set(registry.events["Order"].properties) == {"sku", "SKU", "items"}
    assert set(registry.events["Order"].properties["items"].fields) == {"id", "ID"}
    assert {name for _, name in registry.traits} == {"plan", "Plan"}


def test_customers_of_consents_lists_and_merges_exist_without_a_time(store: DuckStore) -> None:
    """Breaks if such a record makes a customer exist before any event or trait change does."""
    write(
        store,
        [
            ConsentChange("a", "mail", True, 1),
            ListChange("vip", "b", True, 1),
            Merge("c", "d", 1, "same phone"),
            TraitChange("acme", "size", 3, 1, scope="account"),
        ],
    )
    assert store.rows("SELECT id, first_ts FROM customers ORDER BY id") == [(i, None) for i in "abcd"]
    assert store.rows("SELECT id FROM accounts") == [("acme",)]
    write(store, [TraitChange("a", "age", 3, 7), Event("a", "A", 5), Event("a", "A", 9)])
    assert store.rows("SELECT first_ts FROM customers WHERE id = 'a'") == [(5,)]


def test_consents_are_taken_once_for_each_purpose(store: DuckStore) -> None:
    """Breaks if one form with two purposes loses one, or a repeated form is stored twice."""
    form = [ConsentChange("a", "mail", True, 1, "m"), ConsentChange("a", "sms", False, 1, "m")]
    assert (summary := write(store, [*form, *form])).written == 2, summary
    assert write(store, form).duplicates == 2
    assert store.rows("SELECT purpose, granted FROM consents ORDER BY purpose") == [("mail", True), ("sms", False)]


def test_a_merge_is_recorded_once_and_can_be_undone(store: DuckStore) -> None:
    """Breaks if events are rewritten, or taking back a merge makes a second one."""
    write(store, [Event("a", "A", 1), Event("b", "A", 2), Merge("a", "b", 3, "same phone")])
    assert write(store, [Merge("a", "b", 4)]).duplicates == 1
    write(store, [Merge("a", "b", 3, undone=8)])
    assert store.rows("SELECT kept, gone, received, undone FROM merges") == [(1, 2, 3, 8)]
    write(store, [Merge("a", "b", 9)])
    assert store.rows("SELECT received, undone FROM merges ORDER BY received") == [(3, 8), (9, None)]
    assert store.rows("SELECT customer, ts FROM event_1 ORDER BY ts") == [(1, 1), (2, 2)]


def test_messages_without_an_id_get_origins_in_the_order_of_receipt(store: DuckStore) -> None:
    """Breaks if ties of ts have no order, or two calls give the same origin."""
    write(store, [Event("a", "A", 1, {"x": 2}, received=2), Event("a", "A", 1, {"x": 1}, received=1)])
    write(store, [Event("a", "A", 1, {"x": 3}, received=3)])
    assert store.rows("SELECT p1 // 1000000, origin FROM event_1 ORDER BY origin") == [(1, 1), (2, 2), (3, 3)]


def test_a_call_that_fails_writes_nothing(store: DuckStore) -> None:
    """Breaks if the records before a failing one stay."""

    def stream() -> Iterable[Record]:
        yield Event("a", "A", 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_records(store, stream(), zone=ZONE, received=1)
    with pytest.raises(AttributeError):
        write(store, [Event("a", "A", 1), Event("b", "A", 2, None)])  # type: ignore[arg-type]
    assert store.rows("SELECT * FROM customers") == []
    assert store.rows("SELECT * FROM event_types") == []


def test_writing_in_pieces_equals_writing_at_once(store: DuckStore, other: DuckStore) -> None:
    """Breaks if how records are cut into calls changes what the store holds."""
    draw = random.Random(7)
    records: list[Record] = [_any_record(draw, i) for i in range(120)]
    for record in records:
        write(store, [record], received=getattr(record, "received", 0) or 0)
    write(other, records)
    assert held(store) == held(other)


@pytest.fixture
def other() -> Any:
    """A second store."""
    from shoal.sql.duck import create_store

    with create_store(":memory:", zone=ZONE, now=0, threads=1) as made:
        yield made


def held(store: DuckStore) -> dict[str, list[tuple[Any, ...]]]:
    """What a store holds, whatever its keys, origins and physical columns."""
    registry = Registry.load(store)
    tables = {}
    for name, event in registry.events.items():
        properties = "".join(f", {event.properties[prop].col}" for prop in sorted(event.properties))
        tables[name] = store.rows(
            f"SELECT id, ts, offset_s, message_id, e.received, retired, load{properties} FROM {event.table} AS e "
            "JOIN customers ON key = customer ORDER BY ALL"
        )
    for (scope, name), trait in registry.traits.items():
        tables[f"{scope} {name}"] = store.rows(
            f"SELECT id, ts, message_id, t.received, retired, value FROM {trait.table} AS t "
            f"JOIN {scope}s ON key = owner ORDER BY ALL"
        )
    tables["customers"] = store.rows("SELECT id, first_ts, received FROM customers ORDER BY id")
    tables["consents"] = store.rows(
        "SELECT id, purpose, granted, ts, e.received, retired FROM consents AS e JOIN customers ON key = customer "
        "ORDER BY ALL"
    )
    return tables


def _any_record(draw: random.Random, i: int) -> Record:
    customer, ts = f"c{draw.randrange(20)}", draw.randrange(10**9)
    message = f"m{draw.randrange(40)}" if draw.random() < 0.5 else None
    match draw.randrange(4):
        case 0:
            return TraitChange(customer, draw.choice(["plan", "city"]), draw.choice(["x", "y", None]), ts, message, i)
        case 1:
            return ConsentChange(customer, "mail", draw.random() < 0.5, ts, message, i)
        case _:
            properties = {"x": draw.choice([1, 2.5, None]), "items": [{"k": draw.randrange(9)}]}
            return Event(customer, draw.choice("AB"), ts, properties, message, i)


def write(store: DuckStore, records: Iterable[Record], received: int = 100) -> WriteSummary:
    """Write records in the tests' zone."""
    return write_records(store, records, zone=ZONE, received=received)
