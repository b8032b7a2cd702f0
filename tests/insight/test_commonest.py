"""How often the data has what a definition may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shoal.customers.writer import write_records
from shoal.insight.commonest import commonest, event_counts
from shoal.shapes import Event, TraitChange
from shoal.sql.duck import DuckStore, create_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECOND = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    with create_store(tmp_path / "store.duckdb", zone="UTC", now=0, threads=1) as made:
        bought = [("Acme", "shoes"), ("Acme", "hats"), ("Bolt", "shoes")]
        events = [
            Event(f"c{i}", "Order Completed", i * SECOND, {
                "coupon": "spring" if i < 2 else "", "tags": ["new", brand], "revenue": 3.5,
                "products": [{"brand": brand, "price": 2.0}, {"brand": "Acme", "price": 1.0}],
            }, f"m{i}")
            for i, (brand, _) in enumerate(bought)
        ]  # fmt: skip
        traits = [TraitChange(f"c{i}", "country", "KE" if i < 2 else "UG", SECOND) for i in range(3)]
        own = [TraitChange(f"c{i}", "nickname", f"n{i}", SECOND) for i in range(150)]
        write_records(
            made, [*events, *traits, *own, Event("c1", "App Opened", SECOND, {}, "x")], zone="UTC", received=9
        )
        yield made


def test_events_are_counted_by_name(store: DuckStore) -> None:
    """Breaks when a suggestion's number isn't that of the events there are."""
    assert event_counts(store) == {"Order Completed": 3, "App Opened": 1}


@pytest.mark.parametrize(
    ("name", "event", "items", "found"),
    [
        ("country", None, None, [("KE", 2), ("UG", 1)]),
        ("coupon", "Order Completed", None, [("spring", 2)]),
        ("coupon", "Order*", None, [("spring", 2)]),
        ("tags", "Order Completed", None, [("new", 3), ("Acme", 2), ("Bolt", 1)]),
        ("brand", "Order Completed", "products", [("Acme", 5), ("Bolt", 1)]),
        ("revenue", "Order Completed", None, []),
        ("nickname", None, None, []),
        ("nowhere", "Order Completed", None, []),
        ("country", "No Such Event", None, []),
    ],
)
def test_the_most_frequent_texts_come_first_and_what_is_everybodys_own_not_at_all(
    store: DuckStore, name: str, event: str | None, items: str | None, found: list[tuple[str, int]]
) -> None:
    """Breaks when values of lists or of items aren't offered, or the names of people are."""
    assert commonest(store, name, event, items) == found
