"""What was bought: the lines of orders with category, brand and amount, found by the names in the workspace's rule."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shoal.customers.identity import merged
from shoal.insight.sales import number_column
from shoal.lang.schema import Kind
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.shapes import PurchaseRule, RevenueRule
    from shoal.sql.registry import EventType, Property
    from shoal.sql.store import Store


class _Typed(Protocol):
    """A property, a field, or their type."""

    @property
    def kind(self) -> Kind: ...


_numbers = itertools.count(1)


def named(columns: Mapping[str, _Typed], names: Iterable[str], kind: Kind) -> str | None:
    """The name of the first of ``names`` that there is with this kind; letter case doesn't matter."""
    by_folded = {name.casefold(): name for name, column in columns.items() if column.kind is kind}
    return next((by_folded[name.casefold()] for name in names if name.casefold() in by_folded), None)


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


def item_list(event: EventType, rule: PurchaseRule) -> Property | None:
    """The property that holds an order's items: the one that the rule names, or the only list of objects."""
    lists = {name: column for name, column in event.properties.items() if column.kind is Kind.OBJECTS}
    if not rule.items:
        return None
    known = named(lists, rule.items, Kind.OBJECTS)
    if known is None and len(lists) == 1:
        (known,) = lists
    return None if known is None else lists[known]


def discounted(event: EventType, rule: PurchaseRule) -> str | None:
    """The SQL that says whether an order bore a discount or a coupon; None where the data can't tell."""
    tests = []
    amount = named(event.properties, rule.discount, Kind.NUMBER)
    coupon = named(event.properties, rule.coupon, Kind.TEXT)
    if amount:
        tests.append(f"coalesce({event.properties[amount].col}, 0) <> 0")
    if coupon:
        tests.append(f"coalesce({event.properties[coupon].col}, '') <> ''")
    items = item_list(event, rule)
    if items is not None and (cut := named(items.fields, rule.discount, Kind.NUMBER)):
        tests.append(f"len(list_filter({items.col}, lambda i: coalesce(i.{items.fields[cut].col}, 0) <> 0)) > 0")
    return " OR ".join(tests) or None


def open_purchases(store: Store, rule: RevenueRule, at: int, *, among: str | None = None) -> Purchases | None:
    """Lay out what was bought; None where no order names a category or brand.

    A category or brand is looked for in the items first, then in the order itself. Where neither stands in the items,
    an order is one line.

    Args:
        store: the workspace's store.
        rule: which event is an order, and what says what was bought.
        at: only events with ts ≤ at are in.
        among: a relation with the column ``customer``; only orders of these keys are laid out.
    """
    event = Registry.load(store).events.get(rule.orders)
    if event is None:
        return None
    lines = _Lines.of(event, rule.purchases)
    category, brand = lines.text(rule.purchases.category), lines.text(rule.purchases.brand)
    if category is None and brand is None:
        return None
    weight = lines.weight()
    table = f"purchases_{next(_numbers)}"
    within = "" if among is None else f" AND customer IN (SELECT customer FROM {among})"
    body = (
        f"SELECT customer, ts, CAST({category or 'NULL'} AS VARCHAR) AS category, "
        f"CAST({brand or 'NULL'} AS VARCHAR) AS brand, "
        f"CAST({f'coalesce({weight}, 0)' if weight else '1'} AS HUGEINT) AS weight "
        f"FROM {lines.source} WHERE retired IS NULL AND ts <= {at:d}{within}"
    )
    store.execute(f"CREATE TEMP TABLE {table} AS {merged(store, body)}")
    return Purchases(store, table, category is not None, brand is not None, weight is not None, lines.words)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of an event: its items where they say what was bought, or else the event itself."""

    event: EventType
    items: Property | None
    rule: PurchaseRule

    @classmethod
    def of(cls, event: EventType, rule: PurchaseRule) -> _Lines:
        items = item_list(event, rule)
        telling = items is not None and any(named(items.fields, n, Kind.TEXT) for n in (rule.category, rule.brand))
        return cls(event, items if telling else None, rule)

    @property
    def source(self) -> str:
        return self.event.table if self.items is None else f"{self.event.table}, unnest({self.items.col}) AS u(i)"

    @property
    def words(self) -> str:
        return f'"{self.event.name}"' if self.items is None else f'{self.items.name} of "{self.event.name}"'

    def text(self, names: Iterable[str]) -> str | None:
        """The column of the first of these names that is a text, in the items or in the event."""
        found = named(self.event.properties, names, Kind.TEXT)
        return self._field(names, Kind.TEXT) or (self.event.properties[found].col if found else None)

    def weight(self) -> str | None:
        """The money of a line; None where each line counts as one."""
        if self.items is None:
            return number_column(self.event, named(self.event.properties, self.rule.amount, Kind.NUMBER))
        amount, price, quantity = (
            self._field(names, Kind.NUMBER) for names in (self.rule.amount, self.rule.price, self.rule.quantity)
        )
        if amount is None and price and quantity:
            return f"CAST({price} AS HUGEINT) * {quantity} // 1000000"
        return amount

    def _field(self, names: Iterable[str], kind: Kind) -> str | None:
        fields = {} if self.items is None else self.items.fields
        found = named(fields, names, kind)
        return f"u.i.{fields[found].col}" if found else None
