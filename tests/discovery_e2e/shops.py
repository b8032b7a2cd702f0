"""Small shops on disk whose customers are known: planted groups, one smooth cloud, and nothing but traits."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from shoal.workspace import Workspace, open_workspace

END = datetime(2024, 6, 30, 20)
DAYS = 400

ORDERS = """
  orders:
    from: orders.csv
    events:
      - event: Order Completed
        customer: customer
        at: at
        id: order
        money: [revenue]
        properties: {order_id: order, revenue: revenue, category: category, channel: channel}
"""
PEOPLE = """
  people:
    from: people.csv
    traits:
      - {customer: customer, take: {city: city}}
"""
HEAD = """shoal: 1
name: Shop
timezone: UTC
currency: EUR
clock: data-end
purposes: {newsletter: legitimate-interest}
default_purpose: newsletter
sources:
"""

# orders in 400 days, money, category, channel, hours, weekdays, and how many days ago the last ones are
GROUPS = (
    (60, 12, "Tea", "web", (8, 11), (0, 1, 2, 3, 4), 0),
    (14, 240, "Furniture", "shop", (12, 15), (0, 1, 2, 3, 4), 0),
    (30, 55, "Toys", "app", (18, 22), (5, 6), 0),
    (12, 30, "Books", "web", (8, 11), (0, 1, 2, 3, 4), 210),
)

Row = tuple[str, str, str, str, str, str]


def planted(seed: int = 1, customers: int = 400) -> tuple[list[Row], dict[str, int]]:
    """Orders of four groups, and the group of each customer."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    truth: dict[str, int] = {}
    for number in range(customers):
        group = number % len(GROUPS)
        who = f"c{number:04d}"
        truth[who] = group
        rows += _orders(who, GROUPS[group], rng)
    return _ending(rows), truth


def _orders(who: str, group: tuple[object, ...], rng: np.random.Generator) -> Iterable[Row]:
    often, money, category, channel, hours, weekdays, ago = group
    for at in range(int(rng.poisson(often)) + 4):  # type: ignore[call-overload]
        day = END - timedelta(days=float(rng.uniform(ago, DAYS)))  # type: ignore[arg-type]
        while day.weekday() not in weekdays and rng.random() < 0.9:  # type: ignore[operator]
            day -= timedelta(days=1)
        moment = day.replace(hour=int(rng.integers(*hours)), minute=int(rng.integers(60)))  # type: ignore[call-overload]
        paid = float(money) * float(rng.lognormal(0, 0.2))  # type: ignore[arg-type]
        bought = category if rng.random() < 0.9 else "Cards"
        yield who, f"{who}-{at}", min(moment, END).isoformat(), f"{paid:.2f}", str(bought), str(channel)


def smooth(seed: int = 2, customers: int = 400) -> list[Row]:
    """Orders of customers who all come of one mould: more or less of everything, and no groups."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(customers):
        who, money = f"c{number:04d}", float(rng.lognormal(3.5, 0.5))
        for at in range(int(rng.poisson(rng.gamma(4, 6))) + 3):
            day = END - timedelta(days=float(rng.uniform(0, DAYS)))
            paid = money * float(rng.lognormal(0, 0.4))
            bought, channel = rng.choice(["Tea", "Toys", "Books"]), rng.choice(["web", "shop"])
            rows.append((who, f"{who}-{at}", day.isoformat(timespec="minutes"), f"{paid:.2f}", bought, channel))
    return _ending(rows)


def _ending(rows: list[Row]) -> list[Row]:
    """One last order fixes the clock of the workspace, which stands at the end of the data."""
    who, *_ = rows[0]
    return [*rows, (who, f"{who}-end", END.isoformat(), rows[0][3], rows[0][4], rows[0][5])]


def make(root: Path, orders: Iterable[Row], people: Iterable[tuple[str, str]] = (), settings: str = "") -> Path:
    """A workspace with orders, loaded; ``people`` are customers and their city."""
    root.mkdir(parents=True, exist_ok=True)
    people = list(people)
    (root / "shoal.yaml").write_text(HEAD + ORDERS + (PEOPLE if people else "") + settings, encoding="utf-8")
    put(root / "orders.csv", ("customer", "order", "at", "revenue", "category", "channel"), orders)
    if people:
        put(root / "people.csv", ("customer", "city"), people)
    with open_workspace(root) as shop:
        shop.load()
    return root


def put(path: Path, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow(head)
        out.writerows(rows)


def segments_of(shop: Workspace, trait: str = "micro_segment") -> dict[str, str]:
    """The recorded micro-segment of each customer."""
    rows = shop.sql(f'SELECT customer, "{trait}" AS segment FROM customers WHERE "{trait}" IS NOT NULL').to_pylist()
    return {row["customer"]: row["segment"] for row in rows}
