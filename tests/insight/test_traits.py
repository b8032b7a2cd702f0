"""Computed traits: right values, written only where they changed, with cut points that stay until recalibrated."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orders import instant, load_orders, order

from shoal.clock import DAY
from shoal.customers.profiles import current_values, decoded
from shoal.customers.writer import write_records
from shoal.insight import calibration, traits
from shoal.lang.schema import Kind
from shoal.shapes import ORDER_REFUNDED, Event, Merge, PurchaseRule, RevenueRule, TraitChange
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.sql.duck import DuckStore

RULE = RevenueRule()


def value_of(store: DuckStore, trait: str, customer: str, at: int) -> Any:
    known = Registry.load(store).trait(trait)
    assert known is not None
    rows = store.rows(
        f"SELECT v.value FROM ({current_values(store, known, at)}) v JOIN customers k ON k.key = v.owner "
        "WHERE k.id = ?",
        [customer],
    )
    return decoded(known.kind, rows[0][0]) if rows else None


def test_money_and_times(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """Refunds lower value and average, and are no orders; a customer without an order has no such trait."""
    at = instant("2020-03-01", 12)
    write(
        [
            order("a", "2020-01-01", 100),
            order("a", "2020-01-11", 60),
            order("a", "2020-01-31", 50),
            Event("a", ORDER_REFUNDED, instant("2020-02-01"), {"revenue": -60}),
            Event("b", "Product Viewed", instant("2020-02-01")),
        ]
    )
    found = traits.compute_traits(store, RULE, at, received=at)
    expected = {"orders": 3, "value": 150, "aov": 50, "tenure_days": 60, "order_gap_days": 15}
    assert {name: value_of(store, name, "a", at) for name in expected} == expected
    assert value_of(store, "value", "b", at) is None
    assert value_of(store, "last_order_at", "a", at).date() == date(2020, 1, 31)
    assert "there is 1" in found.skipped["rfm_segment"]
    assert found.skipped["favourite_hour"] == "Orders bear dates without a time."


def test_only_changes_are_written_and_a_lost_value_is_cleared(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """Each needless row would make "changed" and "held" wrong and the store grow with every run."""
    first, second = instant("2020-02-01"), instant("2020-03-01")
    write([order("a", "2020-01-01", 100), order("b", "2020-01-02", 20)])
    assert traits.compute_traits(store, RULE, first, received=first).changed["value"] == 2
    assert traits.compute_traits(store, RULE, first, received=first).changed["value"] == 0
    write([order("b", "2020-02-10", 5)])
    assert traits.compute_traits(store, RULE, second, received=second).changed["value"] == 1
    assert value_of(store, "value", "b", first) == 20
    assert value_of(store, "value", "b", second) == 25
    event = Registry.load(store).events["Order Completed"]
    store.execute(f"UPDATE {event.table} SET retired = 1 WHERE customer = (SELECT key FROM customers WHERE id = 'a')")
    assert traits.compute_traits(store, RULE, second, received=second).changed["value"] == 1
    assert value_of(store, "value", "a", second) is None


def test_favourites_interests_and_discounts(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """Categories by money, channels by orders, ties to the latest."""
    shoes, hats = {"category": "Shoes", "brand": "Acme", "revenue": 75.0}, {"category": "Hats", "revenue": 25.0}
    write(
        [
            order("a", "2020-01-01", 75, products=[shoes], channel="web", coupon="TEN"),
            order("a", "2020-01-05", 25, products=[hats], channel="app"),
            order("b", "2020-01-05", 25, products=[hats, {"category": "Shoes", "revenue": 24.0}], channel="app"),
        ]
    )
    at = instant("2020-02-01")
    found = traits.compute_traits(store, RULE, at, received=at)
    expected = {"favourite_category": "Shoes", "favourite_brand": "Acme", "favourite_channel": "app"}
    assert {name: value_of(store, name, "a", at) for name in expected} == expected
    assert value_of(store, "favourite_category", "b", at) == "Hats"
    assert float(value_of(store, "interest_shoes", "a", at)) == 0.75
    assert float(value_of(store, "interest_hats", "b", at)) == round(25 / 49, 6)
    assert float(value_of(store, "discount_share", "a", at)) == 0.5
    assert set(found.skipped) >= {"favourite_store"}


def test_what_was_bought_is_read_from_the_properties_that_the_rule_names(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """A shop that calls its categories otherwise; the brand stands in the order, the category in its items."""
    write(
        [
            order("a", "2020-01-01", 75, lines=[{"kind": "Shoes", "paid": 70.0}], maker="Acme", rebate=0),
            order("a", "2020-01-05", 25, lines=[{"kind": "Hats", "paid": 90.0}], maker="Zeta", rebate=5, coupon="TEN"),
            order("b", "2020-01-05", 25, lines=[{"kind": "Hats", "paid": 1.0}, {"kind": "Shoes", "paid": 2.0}]),
        ]
    )
    at = instant("2020-02-01")
    usual = traits.compute_traits(store, RULE, at, received=at)
    assert usual.skipped["favourite_category"] == "No order names a category or brand."
    assert float(value_of(store, "discount_share", "a", at)) == 0.5
    told = PurchaseRule(category=("none", "KIND"), brand=("maker",), amount=("paid",), discount=("rebate",), coupon=())
    later = traits.compute_traits(store, replace(RULE, purchases=told), at + DAY, received=at)
    expected = {"favourite_category": "Hats", "favourite_brand": "Zeta", "interest_shoes": Decimal("0.4375")}
    assert {name: value_of(store, name, "a", at + DAY) for name in expected} == expected
    assert value_of(store, "favourite_category", "b", at + DAY) == "Shoes"
    assert float(value_of(store, "discount_share", "a", at + DAY)) == 0.5
    assert "interest_acme" not in later.changed


def test_categories_that_are_scored_stay_scored_until_recalibrated(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """A score that ends, or stands still, because other categories have grown would empty segments or freeze them."""
    write([order("a", "2020-01-01", products=[{"category": f"K{i}", "revenue": 90.0 - i} for i in range(13)])])
    first, second, third = (instant(day) for day in ("2020-02-01", "2020-03-01", "2020-04-01"))
    found = traits.compute_traits(store, RULE, first, received=first).changed
    assert {f"interest_k{i}" for i in range(13)} - set(found) == {"interest_k12"}
    write([order("a", "2020-02-10", products=[{"category": "K12", "revenue": 500.0}])])
    assert set(traits.compute_traits(store, RULE, second, received=second).changed) == set(found)
    assert value_of(store, "interest_k11", "a", first) > value_of(store, "interest_k11", "a", second) > 0
    anew = traits.compute_traits(store, RULE, third, received=third, recalibrate=True).changed
    assert set(anew) - set(found) == {"interest_k12"}
    assert value_of(store, "interest_k12", "a", third) > value_of(store, "interest_k11", "a", third) > 0


def test_what_is_not_computed_any_more_is_cleared(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """A favourite of years ago must not stand for ever once the rule says that nothing names a brand."""
    write([order("a", "2020-01-01", brand="Acme"), TraitChange("a", "brand_loyal", "yes", 1)])
    first, second = instant("2020-02-01"), instant("2020-03-01")
    traits.compute_traits(store, RULE, first, received=first)
    none = replace(RULE, purchases=PurchaseRule(brand=()))
    traits.compute_traits(store, none, second, received=second)
    assert [value_of(store, "favourite_brand", "a", at) for at in (first, second)] == ["Acme", None]
    assert value_of(store, "brand_loyal", "a", second) == "yes"
    assert value_of(store, "value", "a", second) == 10


def test_merged_customers_count_as_one(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    at = instant("2020-02-01")
    write([order("a", "2020-01-01", 100), order("b", "2020-01-02", 20), Merge("a", "b", received=0)])
    traits.compute_traits(store, RULE, at, received=at)
    assert value_of(store, "value", "a", at) == 120
    assert value_of(store, "orders", "a", at) == 2


def test_who_stands_for_an_older_customer_exists_from_the_first_value_on(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """Otherwise they would bear a value before they exist, and be in no segment that asks for it."""
    at = instant("2020-02-01")
    write([order("kept", "2020-03-01", 20), order("gone", "2020-01-01", 100), order("other", "2020-03-01", 5)])
    write([Merge("kept", "gone", received=0)])
    traits.compute_traits(store, RULE, at, received=at)
    assert value_of(store, "value", "kept", at) == 100
    assert dict(store.rows("SELECT id, first_ts FROM customers")) == {
        "kept": at,
        "gone": instant("2020-01-01", 12),
        "other": instant("2020-03-01", 12),
    }


def test_a_computed_trait_of_another_type_is_left_and_told(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    """Numbers written into a column of words would be read as words, or stop the whole load."""
    Registry.load(store).ensure_trait("orders", Kind.TEXT, score=True)
    write([order("a", "2020-01-01", 100)])
    at = instant("2020-02-01")
    found = traits.compute_traits(store, RULE, at, received=at)
    assert found.skipped["orders"] == "A trait of this name is text in the store, and the computed one number."
    assert found.changed["value"] == 1


def test_tables_of_traits_are_sorted_by_owner(store: DuckStore) -> None:
    """The engine skips blocks by owner; the second computation changes some and clears one."""
    crowd(store, 1.0)
    first, second = instant("2020-06-01"), instant("2020-10-01")
    for at in (first, second):
        traits.compute_traits(store, RULE, at, received=at)
    known = Registry.load(store).trait("value")
    assert known is not None
    for at in (first, second):
        owners = [owner for (owner,) in store.rows(f"SELECT owner FROM {known.table} WHERE ts = {at} ORDER BY rowid")]
        assert len(owners) > 100
        assert owners == sorted(owners)


def test_a_trait_of_the_data_is_never_overwritten(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """The source's own "value" column means something else; ours steps back and says so."""
    at = instant("2020-02-01")
    write([order("a", "2020-01-01", 100), TraitChange("a", "value", "gold", instant("2020-01-01"))])
    found = traits.compute_traits(store, RULE, at, received=at)
    assert value_of(store, "value", "a", at) == "gold"
    assert "comes from your data" in found.skipped["value"]


def crowd(store: DuckStore, scale: float) -> None:
    """600 buyers over 250 days whose spend is scaled."""
    load_orders(
        store,
        "SELECT 'c' || i AS customer, TIMESTAMP '2020-01-01' + to_days(((i * 37 + k * 60) % 250)::INTEGER) AS moment, "
        f"{scale} * (i % 97 + 1) AS revenue FROM range(600) r(i), range(3) o(k) WHERE k <= i % 3",
    )


def test_cut_points_are_frozen_until_recalibrated(store: DuckStore) -> None:
    """Otherwise the share of each score would stay the same for ever, whatever the business does."""
    crowd(store, 1.0)
    first, second = instant("2020-10-01"), instant("2020-11-01")
    traits.compute_traits(store, RULE, first, received=first)
    cuts = traits.cut_points(store)
    assert cuts is not None
    assert cuts.bins == 5
    load_orders(
        store, "SELECT 'c' || i AS customer, TIMESTAMP '2020-10-10' AS moment, 1000.0 AS revenue FROM range(600) r(i)"
    )
    traits.compute_traits(store, RULE, second, received=second)
    assert traits.cut_points(store) == cuts
    known = Registry.load(store).trait("rfm_m")
    assert known is not None
    assert store.rows(f"SELECT DISTINCT value FROM ({current_values(store, known, second)})") == [(5_000_000,)]
    traits.compute_traits(store, RULE, second, received=second, recalibrate=True)
    fresh = traits.cut_points(store)
    assert fresh is not None
    assert fresh.monetary[0] is not None
    assert fresh.monetary[0] > 1000
    assert [(version, received) for version, received, _ in calibration.history(store, "rfm")] == [
        (1, first),
        (2, second),
    ]


def test_six_years_of_silence_are_days_like_others(store: DuckStore) -> None:
    """Breaks when days in millionths don't fit: from 2,148 days on a load ended in an error of the database."""
    crowd(store, 1.0)
    at = instant("2032-10-01")
    traits.compute_traits(store, RULE, at, received=at)
    known = Registry.load(store).trait("rfm_recency_days")
    assert known is not None
    ((longest,),) = store.rows(f"SELECT max(value) FROM ({current_values(store, known, at)})")
    assert longest > 2_148_000_000 * 2


def test_traits_carry_how_they_were_made(store: DuckStore) -> None:
    """The trait's note names the cut points, so that a score can be explained later."""
    crowd(store, 1.0)
    at = instant("2020-10-01")
    found = traits.compute_traits(store, RULE, at, received=at)
    notes = {name: json.loads(note) for name, note in store.rows("SELECT name, note FROM traits")}
    assert set(notes) == set(found.changed)
    assert notes["rfm_r"]["version"] == 1
    assert notes["rfm_r"]["cut_points"]["buyers"] == 600
    assert notes["lifecycle_cycle_days"]["cycle"]["active"] == traits.cycle(store).active  # type: ignore[union-attr]
    assert all(note["computed"].endswith(".") for note in notes.values())
    assert all(Registry.load(store).trait(name).score for name in notes)  # type: ignore[union-attr]


def test_few_buyers_get_three_scores_and_are_told_when_five_would_do(store: DuckStore) -> None:
    load_orders(
        store,
        "SELECT 'c' || i AS customer, TIMESTAMP '2020-01-01' + to_days((i % 200)::INTEGER) AS moment, "
        "i + 1.0 AS revenue FROM range(100) r(i)",
    )
    first = instant("2020-10-01")
    assert any("Three scores" in line for line in traits.compute_traits(store, RULE, first, received=first).advice)
    crowd(store, 1.0)
    later = first + DAY
    advice = traits.compute_traits(store, RULE, later, received=later).advice
    assert any("recalibrating may give five" in line for line in advice)


def test_records_after_a_computation_get_later_origins(store: DuckStore) -> None:
    """Computed rows take lines of the API's own counter: two rows of one origin would be one message."""
    write_records(store, [order("a", "2020-01-01", 100)], zone="UTC", received=0)
    at = instant("2020-02-01")
    traits.compute_traits(store, RULE, at, received=at)
    write_records(store, [TraitChange("a", "city", "Nairobi", at + 1)], zone="UTC", received=at)
    tables = [trait.table for trait in Registry.load(store).traits.values()]
    origins = [o for table in tables for (o,) in store.rows(f"SELECT origin FROM {table}")]
    assert len(origins) == len(set(origins))
