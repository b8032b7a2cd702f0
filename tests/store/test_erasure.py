"""Erasure: a customer's rows go for good, their key is never given again, and the bytes leave the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.writer import erase_customer, write_records
from shoal.shapes import ConsentChange, Event, ListChange, Merge, TraitChange
from shoal.sql.backup import compact
from shoal.sql.duck import DuckStore, open_store

if TYPE_CHECKING:
    from pathlib import Path

ZONE = "Europe/London"
RECORDS = [
    Event("ann", "A", 1, {"note": "only-ann-said-this"}),
    Event("bob", "A", 2, {"note": "bob"}),
    TraitChange("ann", "mail", "ann@example.org", 1),
    TraitChange("bob", "mail", "bob@example.org", 1),
    ConsentChange("ann", "mail", True, 1),
    ListChange("vip", "ann", True, 1),
    Merge("bob", "ann", 1),
]


def test_erasing_removes_every_row_of_one_customer_only(store: DuckStore) -> None:
    """Breaks if a table is forgotten, or a neighbour loses anything."""
    write_records(store, RECORDS, zone=ZONE, received=1)
    store.execute(
        "INSERT INTO membership_changes VALUES (1, 's', 1, 'entered', 1, 1, ''), (2, 's', 2, 'entered', 1, 1, '')"
    )
    removed = erase_customer(store, "ann")
    assert set(removed) == {
        "event_1", "trait_1", "consents", "list_changes", "membership_changes", "merges", "customers",
    }  # fmt: skip
    assert set(removed.values()) == {1}
    assert store.rows("SELECT key, id, first_ts FROM customers") == [(2, "bob", 1)]
    assert store.rows("SELECT customer, p1 FROM event_1") == [(2, "bob")]
    assert store.rows("SELECT owner FROM trait_1") == [(2,)]
    assert store.rows("SELECT customer FROM membership_changes") == [(2,)]
    assert erase_customer(store, "ann") == {}


def test_a_key_is_never_given_twice(store: DuckStore) -> None:
    """Breaks if a new customer inherits what somewhere still bears an erased customer's key."""
    write_records(store, [Event("ann", "A", 1), Event("bob", "A", 1)], zone=ZONE, received=1)
    erase_customer(store, "bob")
    erase_customer(store, "ann")
    write_records(store, [Event("cid", "A", 1), Event("bob", "A", 2)], zone=ZONE, received=2)
    assert store.rows("SELECT key, id, first_ts FROM customers ORDER BY key") == [(3, "bob", 2), (4, "cid", 1)]


def test_the_bytes_leave_the_file_when_it_is_rewritten(path: Path) -> None:
    """Breaks if an erased customer can still be read out of the file with a text editor."""
    with open_store(path) as store:
        write_records(store, RECORDS, zone=ZONE, received=1)
    assert b"only-ann-said-this" in path.read_bytes()
    with open_store(path) as store:
        erase_customer(store, "ann")
    compact(path)
    content = path.read_bytes()
    assert b"only-ann-said-this" not in content
    assert b"ann@example.org" not in content
    with open_store(path) as store:
        assert store.rows("SELECT id FROM customers") == [("bob",)]
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]
