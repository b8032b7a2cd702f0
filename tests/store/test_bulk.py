"""The bulk doors: the same store as through the door for records, sorted, free of copies, and open to corrections."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from shoal.customers.writer import (
    objects_sql,
    retire_files,
    write_consents,
    write_events,
    write_records,
    write_traits,
)
from shoal.errors import StoreError
from shoal.lang import calendar
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ConsentChange, Event, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.customers.writer import WriteSummary

ZONE = "Europe/London"
NUMBER, TEXT = PropertyType(Kind.NUMBER), PropertyType(Kind.TEXT)
COLUMNS = {"x": (NUMBER, "x * 1000000"), "note": (TEXT, "note")}
Row = tuple[str | None, int | None, str | None, int, int | None, str | None]


def relation(store: DuckStore, rows: Sequence[Row], file: int = 1) -> str:
    """Rows of (customer, ts, message id, line, x, note) as a table of the store."""
    names = ("customer_id", "ts", "message_id", "origin", "x", "note")
    types = (pa.string(), pa.int64(), pa.string(), pa.int64(), pa.int64(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * 6
    columns[3] = tuple((file << 40) + line for line in columns[3])
    arrays = {n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)}
    store.register("arrow_rows", pa.table(arrays))
    store.execute("CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM arrow_rows")
    store.unregister("arrow_rows")
    return "staged"


def write(
    store: DuckStore, rows: Sequence[Row], event: str = "A", *, received: int = 100, file: int = 1
) -> WriteSummary:
    """Write rows as events."""
    staged = relation(store, rows, file)
    return write_events(store, event, staged, COLUMNS, zone=ZONE, received=received, load=file)


def in_force(store: DuckStore, event: str = "A", also: str = "") -> list[tuple[Any, ...]]:
    """The events in force by what they say."""
    kind = Registry.load(store).events[event]
    x, note = kind.properties["x"].col, kind.properties["note"].col
    return store.rows(
        f"SELECT id, ts, message_id, {x} // 1000000, {note}{also} FROM {kind.table} AS e "
        "JOIN customers ON key = customer WHERE retired IS NULL ORDER BY ALL"
    )


def test_bulk_equals_records(store: DuckStore) -> None:
    """Breaks if a file and the API leave different stores behind: keys, offsets, duplicates, first instants."""
    draw = random.Random(3)
    rows: list[Row] = [
        (f"c{draw.randrange(40)}", draw.randrange(2 * 10**15), f"m{draw.randrange(300)}" if i % 2 else None, i + 1,
         draw.choice([None, 1, 2]), draw.choice([None, "", "x"]))
        for i in range(600)
    ]  # fmt: skip
    with create_store(":memory:", zone=ZONE, now=0, threads=1) as other:
        events = [Event(str(c), "A", ts or 0, {"x": x, "note": n}, m, 100) for c, ts, m, _, x, n in rows]
        by_records = write_records(other, events, zone=ZONE, received=100)
        by_bulk = write(store, rows)
        assert (by_bulk.written, by_bulk.duplicates, by_bulk.customers) == (
            by_records.written, by_records.duplicates, by_records.customers,
        )  # fmt: skip
        assert by_bulk.duplicates > 0
        assert in_force(store, also=", offset_s, e.received") == in_force(other, also=", offset_s, e.received")
        people = "SELECT id, first_ts, received FROM customers ORDER BY id"
        assert store.rows(people) == other.rows(people)


def test_events_lie_sorted_by_customer_and_time(store: DuckStore) -> None:
    """Breaks if scans by customer lose the order that makes them fast."""
    draw = random.Random(5)
    write(store, [(f"c{draw.randrange(500)}", draw.randrange(10**15), None, i, None, None) for i in range(20_000)])
    lying = store.rows("SELECT customer, ts FROM event_1 ORDER BY rowid")
    assert lying == sorted(lying)
    assert len(lying) == 20_000


def test_the_offset_is_the_zones_at_each_event(store: DuckStore) -> None:
    """Breaks if the tree of transitions is off by one anywhere in two centuries."""
    rules = calendar.zone(ZONE)
    turns = [at for at, _ in rules.transitions(-5 * 10**15, 7 * 10**15)]
    instants = sorted({at + shift for at in turns for shift in (-1, 0, 1)})
    assert len(instants) > 1000
    write(store, [("a", at, None, i, None, None) for i, at in enumerate(instants, 1)])
    assert store.rows("SELECT ts, offset_s FROM event_1 ORDER BY ts") == [(at, rules.offset(at)) for at in instants]


def test_rows_that_cannot_be_stored_are_counted(store: DuckStore) -> None:
    """Breaks if a row without customer or time stops a load, or slips in."""
    rows: list[Row] = [
        ("a", 1, None, 1, 1, None), (None, 1, None, 2, 1, None), ("", 1, None, 3, 1, None),
        ("b", None, None, 4, 1, None), ("b", 9 * 10**15, None, 5, 1, None),
    ]  # fmt: skip
    summary = write(store, rows)
    assert (summary.written, summary.rejected, summary.duplicates, summary.customers) == (1, 4, 0, 1)
    assert store.rows("SELECT id FROM customers") == [("a",)]
    nothing = write(store, [(None, 1, None, 1, 1, None)], "B")
    assert (nothing.written, nothing.rejected) == (0, 1)


def test_a_message_known_under_another_event_or_trait_is_dropped(store: DuckStore) -> None:
    """Breaks if message ids are unique in a table only, or a retired row still blocks its correction."""
    write_records(store, [Event("a", "Z", 1, {}, "m1"), TraitChange("a", "t", 1, 1, "m2")], zone=ZONE, received=1)
    rows: list[Row] = [("a", 1, f"m{i}", i, i, None) for i in range(1, 5)]
    assert (summary := write(store, rows)).duplicates == 2, summary
    assert write(store, rows).duplicates == 4
    retire_files(store, [1], received=200)
    assert write(store, rows).duplicates == 2


def test_values_of_another_type_are_missing_and_counted(store: DuckStore) -> None:
    """Breaks if a second source with another type stops the load or changes the type."""
    write(store, [("a", 1, None, 1, 5, "x")])
    staged = relation(store, [("a", 2, None, 1, 7, "y"), ("a", 3, None, 2, None, "z")], 2)
    columns = {"x": (TEXT, "CAST(x AS VARCHAR)"), "note": (TEXT, "note")}
    summary = write_events(store, "A", staged, columns, zone=ZONE, received=1)
    assert (summary.written, summary.mistyped) == (2, 1)
    assert in_force(store) == [("a", 1, None, 5, "x"), ("a", 2, None, None, "y"), ("a", 3, None, None, "z")]
    assert store.rows("SELECT mistyped FROM properties WHERE name = 'x'") == [(1,)]


def test_objects_are_written_under_their_physical_fields(store: DuckStore) -> None:
    """Breaks if a field that came later ends up under another."""
    type_ = PropertyType(Kind.OBJECTS, {"sku": Kind.TEXT, "qty": Kind.NUMBER})
    registry = Registry.load(store)
    registry.ensure_event("A", {"items": PropertyType(Kind.OBJECTS, {"colour": Kind.TEXT})})
    event = registry.ensure_event("A", {"items": type_})
    item = objects_sql(event, "items", {"qty": "x * 1000000", "sku": "note"})
    staged = relation(store, [("a", 1, None, 1, 3, "A1")])
    write_events(store, "A", staged, {"items": (type_, f"[{item}]")}, zone=ZONE, received=1)
    assert store.rows("SELECT p1[1].f1, p1[1].f2, p1[1].f3 FROM event_1") == [(None, "A1", 3_000_000)]
    with pytest.raises(StoreError, match="'size'"):
        objects_sql(event, "items", {"size": "x"})


def test_traits_of_one_message_come_as_several_relations(store: DuckStore) -> None:
    """Breaks if a row of a customer file keeps only its first column, or loading it twice doubles the changes."""
    relation(store, [("a", 1, "m", 1, 30, "pro"), ("b", 1, "m", 2, 40, "free"), ("b", 2, "n", 3, 41, "free")])
    store.execute(
        "CREATE TEMP VIEW ages AS SELECT customer_id AS owner_id, ts, message_id, origin, x AS value FROM staged"
    )
    store.execute(
        "CREATE TEMP VIEW plans AS SELECT customer_id AS owner_id, ts, message_id, origin, note AS value FROM staged"
    )
    for _ in range(2):
        ages = write_traits(store, "age", Kind.NUMBER, "ages", received=1)
        plans = write_traits(store, "plan", Kind.TEXT, "plans", received=1)
    assert (ages.duplicates, plans.duplicates) == (3, 3)
    assert store.rows("SELECT id, value FROM trait_1 JOIN customers ON key = owner ORDER BY ALL") == [
        ("a", 30),
        ("b", 41),
    ]
    assert store.rows("SELECT id, value FROM trait_2 JOIN customers ON key = owner ORDER BY ALL") == [
        ("a", "pro"), ("b", "free"),
    ]  # fmt: skip


def test_traits_of_accounts_make_no_customers(store: DuckStore) -> None:
    """Breaks if a company is taken for a person."""
    relation(store, [("acme", 1, None, 1, 3, None)])
    store.execute(
        "CREATE TEMP VIEW sizes AS SELECT customer_id AS owner_id, ts, message_id, origin, x AS value FROM staged"
    )
    write_traits(store, "size", Kind.NUMBER, "sizes", received=1, scope="account")
    assert store.rows("SELECT id FROM accounts") == [("acme",)]
    assert store.rows("SELECT id FROM customers") == []


def test_consents_in_bulk_equal_records(store: DuckStore) -> None:
    """Breaks if a consent file is read otherwise than single consents."""
    store.execute(
        "CREATE TEMP TABLE forms AS SELECT * FROM (VALUES ('a', 'mail', true, 1, 'm', 1), ('a', 'sms', false, 1, 'm', "
        "1), ('a', 'mail', false, 2, 'm', 2), ('b', NULL, true, 1, NULL, 3), ('b', 'sms', true, 1, NULL, 4)) "
        "AS t(customer_id, purpose, granted, ts, message_id, origin)"
    )
    summary = write_consents(store, "forms", received=9)
    assert (summary.written, summary.duplicates, summary.rejected) == (3, 1, 1)
    assert write_consents(store, "forms", received=9).written == 1
    records = [ConsentChange("a", "mail", True, 1, "m"), ConsentChange("a", "sms", False, 1, "m")]
    assert write_records(store, records, zone=ZONE, received=9).duplicates == 2
    assert store.rows("SELECT purpose, granted FROM consents WHERE message_id = 'm' ORDER BY ALL") == [
        ("mail", True), ("sms", False),
    ]  # fmt: skip
    assert store.rows("SELECT id, first_ts FROM customers ORDER BY id") == [("a", None), ("b", None)]


# ---------------------------------------------------------------- retired files


def test_retiring_a_file_takes_all_of_its_rows_once_and_no_others(store: DuckStore) -> None:
    """Breaks if a neighbour's rows go too, the count is wrong, or a customer goes on existing from a retired row."""
    rows: list[Row] = [("a", 1, None, 1, 1, "x"), ("a", 2, None, 2, 2, "x"), ("b", 5, "m", 3, 3, None)]
    write(store, rows, "A")
    write(store, [("b", 7, None, 1, 1, None)], "B", file=2)
    assert retire_files(store, [], received=200) == 0
    assert retire_files(store, [1], received=200) == 3
    assert retire_files(store, [1], received=300) == 0
    assert store.rows("SELECT DISTINCT retired FROM event_1") == [(200,)]
    assert in_force(store, "B") == [("b", 7, None, 1, None)]
    assert store.rows("SELECT id, first_ts FROM customers ORDER BY id") == [("a", None), ("b", 7)]
