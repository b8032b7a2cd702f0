"""One small drawn shop that every kind of model can be fitted on, loaded from files; and what each kind is told."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import shoal
from shoal.clock import DAY, to_instant
from shoal.insight.models.model import Score, Settings
from shoal.lang.schema import Kind
from shoal.workspace import Workspace

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "value": {"horizon": "60 days", "process": "BG/NBD"},
    "churn": {"horizon": "45 days"},
    "category": {"horizon": "30 days", "most": 2},
    "response": {"horizon": "20 days"},
    "reach": {"horizon": "60 days"},
    "price": {"horizon": "60 days"},
    "replenish": {"horizon": "45 days"},
    "taste": {"horizon": "60 days"},
    "needs": {"horizon": "60 days", "most": 4},
    "outcome": {"horizon": "40 days", "predict": 'not did "Order Completed" in last 40 days'},
}
"""What a model of each kind is told; a kind that isn't here fails the tests of all kinds."""

FIRST = datetime(2025, 1, 6, tzinfo=UTC)
DAYS = 360
AT = to_instant(FIRST + timedelta(days=DAYS))
"""The instant that models are fitted at."""
CUSTOMERS = 240
TWINS = 12
GOODS = {
    "baby": ("diapers", "wipes", "formula", "cream"),
    "pets": ("cat food", "dog food", "litter", "bowl"),
    "bake": ("flour", "yeast", "sugar", "butter"),
    "wine": ("red", "white", "cheese", "olives"),
}
PRODUCTS = [(product, category) for category, products in GOODS.items() for product in products]
SUGAR = PRODUCTS.index(("sugar", "bake"))
SECRET = "my number is"
"""Stands in the free text of each customer."""

COLUMNS: Mapping[str, Sequence[str]] = {
    "lines": ("customer", "at", "order", "product", "category", "brand", "price", "discount", "channel"),
    "mail": ("customer", "at", "what", "message", "type"),
    "views": ("customer", "at", "category", "channel"),
    "people": ("customer", "at", "city", "age", "member", "note"),
    "consents": ("customer", "at", "granted"),
}
Row = tuple[Any, ...]
Files = dict[str, list[Row]]


def config(models: Mapping[str, Mapping[str, Any]] = SETTINGS, clock: str = "data-end") -> dict[str, Any]:
    """``shoal.yaml`` of the shop, with these models, named as their kinds."""
    item = {"product": "product", "category": "category", "brand": "brand", "price": "price"}
    lines = {
        "event": "Order Completed",
        "customer": "customer",
        "at": "at",
        "group": "order",
        "money": ["revenue", "discount"],
        "properties": {"revenue": {"sum": "price"}, "discount": {"sum": "discount"}, "channel": "channel"},
        "items": {"products": item},
    }
    mail = [
        {
            "event": f"Email {what}",
            "when": f"what = '{what}'",
            "customer": "customer",
            "at": "at",
            "properties": {"message_id": "message", "type": "type"},
        }
        for what in ("Sent", "Opened", "Clicked")
    ]
    views = {"event": "Product Viewed", "customer": "customer", "at": "at"}
    views |= {"properties": {"category": "category", "channel": "channel"}}
    traits = {"customer": "customer", "at": "at", "take": ["city", "age", "member", "note"]}
    consents = {"customer": "customer", "at": "at", "purpose": "email_marketing", "granted": "granted"}
    take: dict[str, Any] = {
        "lines": {"events": [lines]},
        "mail": {"events": mail},
        "views": {"events": [views]},
        "people": {"traits": [traits]},
        "consents": {"consent": [consents]},
    }
    csv_ = {"delimiter": ",", "header": 1}
    sources = {
        name: {"from": f"{name}*.csv", "format": csv_, "duplicates": "keep", "types": {"customer": "text"}, **what}
        for name, what in take.items()
    }
    return {
        "shoal": 1,
        "name": "every kind",
        "timezone": "UTC",
        "currency": "EUR",
        "clock": clock,
        "purposes": {"email_marketing": "consent", "analysis": "none"},
        "default_purpose": "analysis",
        "revenue": {"orders": "Order Completed", "events": {"Order Completed": "revenue"}},
        "models": {name: {"kind": name, **told} for name, told in models.items()},
        "sources": sources,
    }


@dataclass
class Shop:
    """The rows of the shop's files.

    Args:
        files: by source, its rows.
    """

    files: Files = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def order(self, customer: str, at: datetime, number: str, goods: Iterable[int], discount: float) -> None:
        """An order of products, by number, each with a price of its own."""
        for product in goods:
            name, category = PRODUCTS[product]
            price = 4 + product
            row = (customer, at, number, name, category, f"{category} house {product % 2}", price, discount, "web")
            self.files["lines"].append(row)

    def write(self, root: Path, part: str = "", seed: int | None = None) -> None:
        """Its files; with a seed the rows of each stand in another order."""
        for name, columns in COLUMNS.items():
            rows = self.files[name]
            if seed is not None:
                rows = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
            with (root / f"{name}{part}.csv").open("w", newline="", encoding="utf-8") as handle:
                out = csv.writer(handle)
                out.writerow(columns)
                out.writerows([_text(v) for v in row] for row in rows)

    def renamed(self, name: Callable[[str], str]) -> Shop:
        """The same shop with other ids."""
        return Shop({source: [(name(row[0]), *row[1:]) for row in rows] for source, rows in self.files.items()})


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def opened(root: Path, shop: Shop, seed: int | None = None, **more: Any) -> Workspace:
    """A workspace of the shop, loaded and open."""
    (root / "segments").mkdir(parents=True)
    (root / "shoal.yaml").write_text(yaml.safe_dump(config(**more)), encoding="utf-8")
    shop.write(root, seed=seed)
    workspace = shoal.open(root)
    workspace.load()
    return workspace


def drawn(customers: int = CUSTOMERS, seed: int = 1) -> Shop:
    """Customers with a habit, a taste, a price and an eagerness of their own; twelve have a twin who did the same.

    ``seen`` only looked once, ``named`` has traits and nothing else.
    """
    shop = Shop()
    for number in range(customers):
        _live(shop, f"zz-{number:03}", np.random.default_rng([seed, number]))
        if number < TWINS:
            _live(shop, f"twin-{number:03}", np.random.default_rng([seed, number]))
    shop.files["views"].append(("seen", FIRST + timedelta(days=200, hours=8), "wine", "web"))
    shop.files["people"].append(("named", FIRST, "Rome", 40, "yes", f"{SECRET} 0"))
    return shop


def _live(shop: Shop, who: str, random: np.random.Generator) -> None:
    """One customer's year; the same draw gives the same year."""
    taste, hour = int(random.integers(4)), int(random.choice([8, 13, 20]))
    eager, waits = random.choice([0.1, 0.5]), random.choice([0.1, 0.7])
    gap = float(random.uniform(8, 40))
    born, gone = FIRST + timedelta(days=float(random.uniform(0, gap))), float(random.exponential(300))
    note = f"{SECRET} {random.integers(1_000_000, 9_999_999)}"
    city = str(random.choice(["Rome", "Oslo", "Bonn"]))
    member = "yes" if waits > 0.5 else "no"
    shop.files["people"].append((who, FIRST, city, int(random.integers(18, 80)), member, note))
    shop.files["consents"].append((who, FIRST, "yes" if random.random() < 0.7 else "no"))
    _buy(shop, who, random, born, gap, gone, (taste, waits))
    _read(shop, who, random, eager)
    for day in np.sort(random.choice(DAYS, int(random.integers(2, 8)), replace=False)).tolist():
        at = FIRST + timedelta(days=int(day), hours=hour, minutes=int(random.integers(60)))
        shop.files["views"].append((who, at, list(GOODS)[taste], str(random.choice(["web", "app"]))))


def _buy(
    shop: Shop, who: str, random: np.random.Generator, born: datetime, gap: float, gone: float, how: tuple[int, float]
) -> None:
    """Orders at random of what the customer likes; four in ten buy sugar too, each eleven days or so."""
    taste, waits = how
    days = _days(random, lambda: gap * float(random.exponential()), gone)
    sweet = _days(random, lambda: float(random.uniform(9, 13)), gone) if random.random() < 0.4 else []
    for count, (day, cycle) in enumerate(sorted([*((d, False) for d in days), *((d, True) for d in sweet)])):
        at = (born + timedelta(days=day)).replace(microsecond=0)
        mine = {4 * taste + int(random.integers(4)) for _ in range(2)}
        other = {int(random.integers(16))} if random.random() < 0.3 else set()
        cut = 1.5 if random.random() < waits else 0.0
        if at < FIRST + timedelta(days=DAYS - 1):
            shop.order(who, at, f"{who}/{count}", [SUGAR] if cycle else sorted((mine | other) - {SUGAR} or {0}), cut)


def _days(random: np.random.Generator, gap: Callable[[], float], gone: float) -> list[float]:
    """Days of a life, from 0 on."""
    found = [0.0]
    while (after := found[-1] + gap()) < min(gone, DAYS):
        found.append(after)
    return found


def _read(shop: Shop, who: str, random: np.random.Generator, eager: float) -> None:
    """A message each two weeks, and whether it was opened and clicked."""
    for number, day in enumerate(range(10, DAYS - 1, 14)):
        at, kind = FIRST + timedelta(days=day, hours=9), "offer" if number % 2 else "news"
        message = f"m{number}"
        shop.files["mail"].append((who, at, "Sent", message, kind))
        if random.random() < eager * 1.5:
            shop.files["mail"].append((who, at + timedelta(hours=2), "Opened", message, kind))
            if random.random() < 0.6:
                shop.files["mail"].append((who, at + timedelta(hours=3), "Clicked", message, kind))


def later(shop: Shop) -> Shop:
    """What everybody did after ``AT``, with other traits and consents, and new customers."""
    found = Shop()
    begin = FIRST + timedelta(days=DAYS)
    for number, who in enumerate(sorted({row[0] for row in shop.files["lines"]})):
        at = begin + timedelta(days=1 + number % 20, hours=number % 24)
        found.order(who, at, f"late {who}", [number % 16], 2.0)
        found.files["mail"].append((who, at, "Sent", "late", "late"))
        found.files["mail"].append((who, at, "Clicked", "m3", "news"))
        found.files["views"].append((who, at, "late", "late"))
        found.files["people"].append((who, at, "Late", 99, "no", "late"))
        found.files["consents"].append((who, at, "no"))
        found.order(f"new {number}", at, f"new {number}", [3], 0.0)
    return found


def settings(workspace: Workspace, kind: str) -> Settings:
    """The settings of a kind as the workspace reads them."""
    return workspace.models.settings(kind)


def before(days: int) -> int:
    """The instant so many days before ``AT``."""
    return AT - days * DAY


def holds_its_values(column: Score) -> None:
    """Whether a column's values are finite or missing, chances and shares from 0 to 1, dates whole, and words words."""
    if column.kind in (Kind.NUMBER, Kind.DATE):
        values = np.asarray(column.values, dtype=np.float64)
        values = values[~np.isnan(values)]
        assert np.isfinite(values).all()
        if re.match("(the )?(chance|share) ", column.says, re.IGNORECASE):
            assert ((values >= 0) & (values <= 1)).all()
        if column.kind is Kind.DATE:
            assert (values == np.rint(values)).all()
        return
    for value in column.values:
        words = value if isinstance(value, list | tuple) else [value]
        assert value is None or all(isinstance(one, str) and one.strip() for one in words)
