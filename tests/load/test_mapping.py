"""The sources section of shoal.yaml. Breaks when a fault is accepted, or is reported without its place and fix."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from shoal.errors import ConfigError
from shoal.lang.schema import Kind
from shoal.sources.mapping import Take, parse_sources

GOOD = """
orders:
  from: exports/orders-*.csv
  format: {delimiter: ";", decimal: ",", thousands: ".", dates: day-first, yes: [yes, "1"], no: [no], header: 2}
  types: {Quantity: number, OptIn: yes/no}
  derive: {line_total: "Quantity * UnitPrice"}
  lookup:
    - {from: products, on: product_id, take: [category]}
    - {from: products, on: {sku: product_id}, take: {kind: category}}
  events:
    - event: Order Completed
      customer: CustomerID
      account: false
      at: InvoiceDate
      id: InvoiceNo
      group: InvoiceNo
      currency: EUR
      money: [revenue]
      properties: {order_id: InvoiceNo, revenue: {sum: line_total}}
      items: {products: {product_id: StockCode, quantity: Quantity}}
  traits: {customer: CustomerID, take: {country: Country}}
products: {from: products.csv, reference: true}
"""


def test_a_whole_section_is_read() -> None:
    sources = parse_sources(yaml.safe_load(GOOD))
    orders = sources["orders"]
    event = orders.events[0]
    assert event.properties == {"order_id": Take("InvoiceNo"), "revenue": Take("line_total", "sum")}
    assert event.account is None
    assert (event.group, event.currency, event.money) == ("InvoiceNo", "EUR", ("revenue",))
    assert event.items == {"products": {"product_id": "StockCode", "quantity": "Quantity"}}
    assert [dict(lookup.on) for lookup in orders.lookup] == [{"product_id": "product_id"}, {"sku": "product_id"}]
    assert dict(orders.lookup[1].take) == {"kind": "category"}
    assert orders.types == {"Quantity": Kind.NUMBER, "OptIn": Kind.YESNO}
    assert (orders.format.yes, orders.format.header) == (("yes", "1"), 2)
    assert orders.traits[0].scope == "customer"
    assert event.place == "sources.orders.events[0]"


@pytest.mark.parametrize("take", [["Country", "Plan"], {"Country": "Country", "Plan": "Plan"}])
def test_traits_called_like_their_columns_need_only_a_list(take: Any) -> None:
    """Forty columns of a customer table would otherwise be written twice each."""
    traits = parse_sources(_changed("orders.traits.take", take))["orders"].traits[0]
    assert traits.take == {"Country": "Country", "Plan": "Plan"}


def _changed(path: str, value: Any) -> dict[str, Any]:
    """The good section with one value changed; an empty path part is not needed."""
    document: Any = yaml.safe_load(GOOD)
    keys = [int(k) if k.isdigit() else k for k in re.findall(r"[^.\[\]]+", path)]
    at = document
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "place", "says"),
    [
        ("orders.events[0].customer", None, "sources.orders.events[0]", "customer"),
        ("orders.events[0].custmer", "x", "sources.orders.events[0].custmer", 'Did you mean "customer"'),
        ("orders.from", None, "sources.orders", "from"),
        ("orders.types.Quantity", "nmber", "sources.orders.types.Quantity", 'Did you mean "number"'),
        ("orders.format.decimal", ";", "sources.orders.format.decimal", "decimal sign"),
        ("orders.format.thousands", ",", "sources.orders.format.thousands", "same sign"),
        ("orders.format.timezone", "Europe/Lundon", "sources.orders.format.timezone", "Europe/London"),
        ("orders.format.dates", "dayfirst", "sources.orders.format.dates", "day-first"),
        ("orders.format.header", False, "sources.orders.format.header", "columns"),
        ("orders.lookup[0].from", "prodcts", "sources.orders.lookup[0].from", 'Did you mean "products"'),
        ("orders.lookup[0].take", None, "sources.orders.lookup[0]", "take"),
        ("orders.table", "t", "sources.orders.table", "format: {table: …}"),
        ("orders.query", "SELECT 1", "sources.orders.query", "under format:"),
        ("orders.events[0].money", ["revnue"], "sources.orders.events[0].money[0]", 'Did you mean "revenue"'),
        ("orders.events[0].money", None, "sources.orders.events[0].currency", "money"),
        ("orders.events[0].group", None, "sources.orders.events[0].properties.revenue", "group"),
        ("orders.events[0].properties.revenue", {"avg": "x"}, "sources.orders.events[0].properties.revenue", "sum"),
        ("orders.events[0].items.revenue", {"a": "b"}, "sources.orders.events[0].items", "properties"),
        ("orders.events[0].items.products", "x", "sources.orders.events[0].items.products", "Expected"),
        ("orders.traits.account", "C", "sources.orders.traits[0]", "customer or to an account"),
        ("orders.traits.take", {}, "sources.orders.traits[0]", "take"),
        ("orders.traits.take", [], "sources.orders.traits[0]", "take: [country]"),
        ("orders.traits.take", ["Country", None], "sources.orders.traits[0].take[1]", "Expected a text"),
        ("orders.traits.take", {"country": ["Country"]}, "sources.orders.traits[0].take.country", "name of a column"),
        ("orders.duplicates", "remove", "sources.orders.duplicates", "drop"),
        ("orders.events", "x", "sources.orders.events[0]", "key: value"),
        ("products.lookup", {"from": "orders", "on": "a", "take": "b"}, "sources.products", "circle"),
        ("stray", {"from": "x.csv"}, "sources.stray", "nothing is made"),
        ("a:b", {"from": "x.csv", "reference": True}, "sources.a:b", "name of a source"),
    ],
)
def test_a_fault_names_its_place_and_the_fix(path: str, value: Any, place: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_sources(_changed(path, value))
    assert caught.value.place == place
    assert says in str(caught.value)
