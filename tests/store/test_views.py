"""The views for analysts: real names, everyday types, what is in force, the traits of one instant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from shoal.customers.writer import write_records
from shoal.shapes import ConsentChange, Event, ListChange, Merge, Point, TraitChange
from shoal.sql.views import create_views

if TYPE_CHECKING:
    from shoal.sql.duck import DuckStore

ZONE = "Europe/London"
NOON = int(datetime(2020, 7, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000


def test_an_event_reads_in_everyday_types(store: DuckStore) -> None:
    """Breaks if a value is decoded by a wrong factor, a wrong zone or under a wrong name."""
    properties = {
        "revenue": Decimal("-0.000001"), "day": date(1969, 12, 31), "when": datetime(2020, 1, 1, tzinfo=UTC),
        "tags": ["x", ""], "gift": True, "place": Point(-1.2864, 36.8172), "note": 'it\'s "x"',
        "items": [{"Sku": "A", "price": 1.5}],
    }  # fmt: skip
    write_records(store, [Event("ann", 'He said "hi"', NOON, properties, "m")], zone=ZONE, received=NOON + 1)
    assert 'He said "hi"' in create_views(store, at=NOON)
    table = store.arrow('SELECT * FROM data."He said ""hi"""')
    row = table.to_pylist()[0]
    place = row.pop("place")
    assert row == {
        "customer": "ann", "at": datetime(2020, 7, 1, 12), "local_time": datetime(2020, 7, 1, 13), "message_id": "m",
        "received": datetime(2020, 7, 1, 12, 0, 0, 1), "revenue": Decimal("-0.000001"), "day": date(1969, 12, 31),
        "when": datetime(2020, 1, 1), "tags": ["x", ""], "gift": True, "note": 'it\'s "x"',
        "items": [{"Sku": "A", "price": Decimal("1.500000")}],
    }  # fmt: skip
    assert (place["latitude"], place["longitude"]) == pytest.approx((-1.2864, 36.8172), abs=1e-6)


def test_customers_show_the_traits_of_the_instant(store: DuckStore) -> None:
    """Breaks if a future change shows, a clearing doesn't, or a retired value comes back."""
    changes = [
        TraitChange("ann", "plan", "free", 1), TraitChange("ann", "plan", "pro", 5),
        TraitChange("ann", "plan", "gone", 9), TraitChange("bob", "plan", "pro", 1),
        TraitChange("bob", "plan", None, 2), TraitChange("acme", "size", 3, 1, scope="account"),
    ]  # fmt: skip
    write_records(store, changes, zone=ZONE, received=1)
    create_views(store, at=5)
    assert store.rows("SELECT customer, plan FROM data.customers ORDER BY 1") == [("ann", "pro"), ("bob", None)]
    assert store.rows("SELECT account, size FROM data.accounts") == [("acme", Decimal(3))]
    store.execute("UPDATE trait_1 SET retired = 2 WHERE ts = 5")
    create_views(store, at=8)
    assert store.rows("SELECT plan FROM data.customers WHERE customer = 'ann'") == [("free",)]


def test_the_later_of_two_changes_at_one_instant_is_the_greater_message(store: DuckStore) -> None:
    """Breaks if ties are broken otherwise than the language says."""
    changes = [TraitChange("ann", "plan", "x", 1, "m9"), TraitChange("ann", "plan", "y", 1, "m10")]
    write_records(store, changes, zone=ZONE, received=1)
    create_views(store, at=1)
    assert store.rows("SELECT plan FROM data.customers") == [("x",)]


def test_names_that_sql_takes_for_one_get_numbers(store: DuckStore) -> None:
    """Breaks if two names that differ in case, or clash with a column of ours, make a view impossible."""
    write_records(
        store,
        [
            Event("a", "Order", 1, {"AT": 1, "sku": 2, "SKU": 3, "items": [{"k": 1, "K": 2}]}),
            Event("a", "order", 1, {}),
            Event("a", "customers", 1, {}),
            TraitChange("a", "Customer", "x", 1),
        ],
        zone=ZONE,
        received=1,
    )
    names = create_views(store, at=1)
    assert {"Order", "order_2", "customers_2", "customers"} <= set(names)
    assert store.arrow("SELECT * FROM data.Order_2").num_rows == 1
    assert store.rows('SELECT AT_2, sku, SKU_2, items[1]."K_2" FROM data."Order"') == [
        tuple(map(Decimal, (1, 2, 3, 2)))
    ]
    assert store.rows("SELECT Customer_2 FROM data.customers") == [("x",)]


def test_the_fixed_views_and_what_was_retired(store: DuckStore) -> None:
    """Breaks if retired rows show, or consents, lists and merges lose their names."""
    write_records(
        store,
        [
            Event("a", "A", 1, {}), Event("a", "A", 2, {}), ConsentChange("a", "mail", True, 1),
            ListChange("vip", "a", True, 1), Merge("a", "b", 1, "same phone"),
        ],
        zone=ZONE, received=1,
    )  # fmt: skip
    store.execute("UPDATE event_1 SET retired = 1 WHERE ts = 1")
    create_views(store, at=1)
    create_views(store, at=2)
    assert store.rows("SELECT count(*) FROM data.A") == [(1,)]
    assert store.rows("SELECT customer, purpose, granted FROM data.consents") == [("a", "mail", True)]
    assert store.rows("SELECT list, customer, added FROM data.lists") == [("vip", "a", True)]
    assert store.rows("SELECT kept, gone, because, undone FROM data.merges") == [("a", "b", "same phone", None)]
