"""The registry of types: fixed at first sight, changed only by declaration, and what converts is converted."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from shoal.customers.writer import write_records
from shoal.errors import StoreError
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import Event, TraitChange
from shoal.sql.registry import Registry, learned_schema, scores

if TYPE_CHECKING:
    from shoal.sql.duck import DuckStore

ZONE = "Europe/London"
TEXT, NUMBER = PropertyType(Kind.TEXT), PropertyType(Kind.NUMBER)


def test_what_is_made_is_what_is_read_back(store: DuckStore) -> None:
    """Breaks if the registry in memory and the one in the store drift apart."""
    registry = Registry.load(store)
    registry.ensure_event("A", {"x": TEXT, "X": NUMBER})
    registry.ensure_event("A", {"items": PropertyType(Kind.OBJECTS, {"sku": Kind.TEXT})})
    registry.ensure_event(
        "A", {"items": PropertyType(Kind.OBJECTS, {"price": Kind.NUMBER}), "x": NUMBER}, declared=True
    )
    registry.ensure_trait("plan", Kind.TEXT)
    registry.ensure_trait("plan", Kind.NUMBER, "account", score=True)
    registry.ensure_trait("plan", Kind.TEXT, score=True)
    registry.ensure_unset_trait("cleared")
    again = Registry.load(store)
    assert again.events == registry.events
    assert again.traits == registry.traits
    assert scores(store) == {"plan", "account.plan"}


def test_the_schema_tells_what_was_learned(store: DuckStore) -> None:
    """Breaks if the checker would not know a property, a field or an account's trait."""
    registry = Registry.load(store)
    registry.ensure_event("A", {"x": TEXT, "items": PropertyType(Kind.OBJECTS, {"sku": Kind.TEXT, "p": Kind.POINT})})
    registry.ensure_event("B")
    registry.ensure_trait("plan", Kind.TEXT)
    registry.ensure_trait("size", Kind.NUMBER, "account")
    assert learned_schema(store) == (
        {"plan": Kind.TEXT, "account.size": Kind.NUMBER},
        {
            "A": {"x": TEXT, "items": PropertyType(Kind.OBJECTS, {"sku": Kind.TEXT, "p": Kind.POINT})},
            "B": {},
        },
    )


def test_a_type_seen_first_stays(store: DuckStore) -> None:
    """Breaks if a later value of another type changes what definitions were checked against."""
    registry = Registry.load(store)
    registry.ensure_event("A", {"x": TEXT})
    registry.ensure_trait("t", Kind.TEXT)
    assert registry.ensure_event("A", {"x": NUMBER}).properties["x"].kind is Kind.TEXT
    assert registry.ensure_trait("t", Kind.NUMBER).kind is Kind.TEXT


def test_objects_without_a_known_field_can_be_stored_and_grow(store: DuckStore) -> None:
    """Breaks if the first list of empty objects stops a write, or a later field can't be added."""
    write_records(store, [Event("a", "A", 1, {"items": [{}]})], zone=ZONE, received=1)
    write_records(store, [Event("a", "A", 2, {"items": [{"sku": "x"}, {}]})], zone=ZONE, received=2)
    prop = Registry.load(store).events["A"].properties["items"]
    rows = store.rows(
        f"SELECT list_transform({prop.col}, lambda i: i.{prop.fields['sku'].col}) FROM event_1 ORDER BY ts"
    )
    assert rows == [([None],), (["x", None],)]


def test_a_declared_type_converts_what_is_stored(store: DuckStore) -> None:
    """Breaks if declaring a type drops values that could be kept, or keeps some that couldn't."""
    texts = ["1.5", " 2 ", "1e3", "zwei", "", None]
    write_records(store, [Event("a", "A", i, {"x": text}) for i, text in enumerate(texts)], zone=ZONE, received=1)
    event = Registry.load(store).ensure_event("A", {"x": NUMBER}, declared=True)
    column = event.properties["x"].col
    assert [value for (value,) in store.rows(f"SELECT {column} FROM event_1 ORDER BY ts")] == [
        1_500_000, 2_000_000, 1_000_000_000, None, None, None,
    ]  # fmt: skip
    assert store.rows("SELECT mistyped, declared, kind FROM properties") == [(2, True, "number")]


CONVERSIONS = [
    (Kind.TEXT, Kind.DATE, "2020-02-29", 18_321),
    (Kind.TEXT, Kind.DATE, "2021-02-29", None),
    (Kind.TEXT, Kind.INSTANT, "1970-01-01T02:00:00+02:00", 0),
    (Kind.TEXT, Kind.INSTANT, "1970-01-01T00:00:00", None),
    (Kind.TEXT, Kind.INSTANT, "2020-02-29", None),
    (Kind.TEXT, Kind.YESNO, "Yes", True),
    (Kind.TEXT, Kind.YESNO, "maybe", None),
    (Kind.TEXT, Kind.TEXTS, "x", ["x"]),
    (Kind.TEXT, Kind.NUMBER, "1000000000001", None),
    (Kind.NUMBER, Kind.TEXT, -1_250_000, "-1.25"),
    (Kind.NUMBER, Kind.YESNO, 0, False),
    (Kind.NUMBER, Kind.YESNO, 2_000_000, None),
    (Kind.YESNO, Kind.TEXT, False, "no"),
    (Kind.YESNO, Kind.NUMBER, True, 1_000_000),
    (Kind.DATE, Kind.TEXT, -1, "1969-12-31"),
    (Kind.DATE, Kind.INSTANT, 18_443, 1_593_471_600_000_000),  # 30 June 2020 begins an hour early in London
    (Kind.INSTANT, Kind.DATE, 1_593_471_600_000_000, 18_443),
    (Kind.INSTANT, Kind.DATE, -1, 0),  # London was an hour ahead in 1970
    (Kind.INSTANT, Kind.DATE, -4_000_000_000, -1),
    (Kind.INSTANT, Kind.TEXT, 1, "1970-01-01T00:00:00.000001Z"),
    (Kind.TEXTS, Kind.TEXT, ["x"], "x"),
    (Kind.TEXTS, Kind.TEXT, ["x", "y"], None),
]


@pytest.mark.parametrize(("before", "after", "value", "expected"), CONVERSIONS)
def test_each_conversion_of_a_trait(
    store: DuckStore, before: Kind, after: Kind, value: object, expected: object
) -> None:
    """Breaks if a conversion is off, by an hour, a day, a factor or a rounding."""
    registry = Registry.load(store)
    registry.ensure_trait("t", before)
    store.execute("INSERT INTO trait_1 VALUES (1, 0, NULL, 1, 0, NULL, 0, ?)", [value])
    store.execute("INSERT INTO trait_1 VALUES (1, 1, NULL, 2, 0, NULL, 0, NULL)")
    trait = registry.ensure_trait("t", after, declared=True)
    assert trait.kind is after
    assert store.rows("SELECT value FROM trait_1 ORDER BY ts") == [(expected,), (None,)]
    assert store.rows("SELECT mistyped FROM traits") == [(int(expected is None),)]


@pytest.mark.parametrize(("before", "after"), list(permutations(Kind, 2)))
def test_any_type_can_be_declared_after_any_other(store: DuckStore, before: Kind, after: Kind) -> None:
    """Breaks if some pair of types stops with an error, or leaves a registry that differs from the tables."""
    registry = Registry.load(store)
    registry.ensure_event("A", {"x": PropertyType(before, {"f": Kind.TEXT} if before is Kind.OBJECTS else {})})
    store.execute("INSERT INTO event_1 (customer, ts, offset_s, origin, received, load) VALUES (1, 0, 0, 1, 0, 0)")
    wanted = PropertyType(after, {"g": Kind.NUMBER} if after is Kind.OBJECTS else {})
    event = registry.ensure_event("A", {"x": wanted}, declared=True)
    assert event.properties["x"].type == wanted
    assert Registry.load(store).events["A"] == event
    assert store.rows(f"SELECT {event.properties['x'].col} FROM event_1") == [(None,)]


def test_a_trait_cannot_be_a_list_of_objects(store: DuckStore) -> None:
    """Breaks if such a trait is made: the language has none."""
    with pytest.raises(StoreError, match="list of objects"):
        Registry.load(store).ensure_trait("t", Kind.OBJECTS)


def test_a_trait_that_was_only_cleared_keeps_its_type_open(store: DuckStore) -> None:
    """Breaks if clearing an unknown trait fixes its type, shows it, or loses the change."""
    write_records(store, [TraitChange("a", "age", None, 5)], zone=ZONE, received=1)
    assert learned_schema(store) == ({}, {})
    assert store.rows("SELECT first_ts FROM customers") == [(5,)]
    write_records(store, [TraitChange("a", "age", 30, 6)], zone=ZONE, received=2)
    assert learned_schema(store) == ({"age": Kind.NUMBER}, {})
    assert store.rows("SELECT ts, value FROM trait_1 ORDER BY ts") == [(5, None), (6, 30_000_000)]
