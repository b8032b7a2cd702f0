"""What was bought: the lines of orders with category, brand and amount, found by the names that data usually bears."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.identity import merged
from shoal.insight.sales import number_column
from shoal.lang.schema import Kind
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.sql.registry import EventType, Field, Property
    from shoal.sql.store import Store

CATEGORY = ("category", "product_category", "category_name", "department", "product_type", "genre")
BRAND = ("brand", "brand_name", "manufacturer", "vendor", "label")
CHANNEL = ("channel", "sales_channel", "order_channel", "platform")
STORE = ("store", "store_id", "shop", "branch", "location")
DISCOUNT = (
    "discount",
    "discounts",
    "discount_amount",
    "total_discount",
    "coupon_discount",
    "coupon_disc",
    "retail_disc",
)
COUPON = ("coupon", "coupon_code", "promo_code", "voucher")
AMOUNT = ("revenue", "amount", "line_total", "total", "sales_value", "sales")
PRICE, QUANTITY = ("price", "unit_price"), ("quantity", "qty")
_numbers = itertools.count(1)


def named(columns: Mapping[str, Property] | Mapping[str, Field], names: Iterable[str], kind: Kind) -> str | None:
    """The name of the first of ``names`` that there is with this kind; letter case doesn't matter."""
    by_folded = {name.casefold(): name for name, column in columns.items() if column.kind is kind}
    return next((by_folded[name] for name in names if name in by_folded), None)


@dataclass(frozen=True, slots=True)
class Purchases:
    """The lines of orders up to an instant.

    ``table`` is temporary: customer, ts, category, brand (text, NULL where unknown) and weight (money in millionths, or
    a count where ``by_money`` is false).
    """

    store: Store
    table: str
    has_category: bool
    has_brand: bool
    by_money: bool
    where: str
    """Where the lines come from, in words, as ``products of "Order Completed"``."""

    def close(self) -> None:
        """Drop the temporary table."""
        self.store.execute(f"DROP TABLE IF EXISTS {self.table}")

    def __enter__(self) -> Purchases:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def item_list(event: EventType) -> Property | None:
    """The property that holds an order's items: ``products`` or ``items``, or the only list of objects."""
    lists = {name: column for name, column in event.properties.items() if column.kind is Kind.OBJECTS}
    known = next((lists[name] for name in ("products", "items", "lines") if name in lists), None)
    return known or (next(iter(lists.values())) if len(lists) == 1 else None)


def open_purchases(store: Store, order: str, at: int) -> Purchases | None:
    """Lay out what was bought; None where no order names a category or brand.

    Args:
        store: the workspace's store.
        order: the name of the event that is an order.
        at: only events with ts ≤ at are in.
    """
    event = Registry.load(store).events.get(order)
    if event is None:
        return None
    items = item_list(event)
    found = _of_items(event, items) if items is not None else None
    found = found or _of_event(event)
    if found is None:
        return None
    columns, source, facts, words = found
    table = f"purchases_{next(_numbers)}"
    body = f"SELECT customer, ts, {columns} FROM {source} WHERE retired IS NULL AND ts <= {at:d}"
    store.execute(f"CREATE TEMP TABLE {table} AS {merged(store, body)}")
    return Purchases(store, table, *facts, words)


_Found = tuple[str, str, tuple[bool, bool, bool], str]


def _of_items(event: EventType, items: Property) -> _Found | None:
    category, brand = named(items.fields, CATEGORY, Kind.TEXT), named(items.fields, BRAND, Kind.TEXT)
    if category is None and brand is None:
        return None

    def column(name: str | None) -> str:
        return f"u.i.{items.fields[name].col}" if name else "NULL"

    amount = named(items.fields, AMOUNT, Kind.NUMBER)
    price, quantity = named(items.fields, PRICE, Kind.NUMBER), named(items.fields, QUANTITY, Kind.NUMBER)
    weight = column(amount)
    if amount is None and price and quantity:
        weight = f"CAST({column(price)} AS HUGEINT) * {column(quantity)} // 1000000"
    by_money = weight != "NULL"
    columns = (
        f"CAST({column(category)} AS VARCHAR) AS category, CAST({column(brand)} AS VARCHAR) AS brand, "
        f"CAST({f'coalesce({weight}, 0)' if by_money else '1'} AS HUGEINT) AS weight"
    )
    source = f"{event.table}, unnest({items.col}) AS u(i)"
    return columns, source, (category is not None, brand is not None, by_money), f'{items.name} of "{event.name}"'


def _of_event(event: EventType) -> _Found | None:
    category, brand = named(event.properties, CATEGORY, Kind.TEXT), named(event.properties, BRAND, Kind.TEXT)
    if category is None and brand is None:
        return None

    def column(name: str | None) -> str:
        return event.properties[name].col if name else "NULL"

    weight = number_column(event, named(event.properties, AMOUNT, Kind.NUMBER))
    columns = (
        f"CAST({column(category)} AS VARCHAR) AS category, CAST({column(brand)} AS VARCHAR) AS brand, "
        f"CAST({f'coalesce({weight}, 0)' if weight else '1'} AS HUGEINT) AS weight"
    )
    return columns, event.table, (category is not None, brand is not None, weight is not None), f'"{event.name}"'
