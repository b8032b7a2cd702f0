"""A small shop for the tests of the report: a real workspace, filled through the writer's public door."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shoal.clock import Clock, to_instant
from shoal.customers.writer import write_records
from shoal.insight.traits import compute_traits
from shoal.shapes import (
    ORDER_COMPLETED,
    ORDER_REFUNDED,
    SURVEY_ANSWERED,
    ConsentChange,
    Event,
    TraitChange,
)
from shoal.sql.layout import set_meta
from shoal.workspace import create_workspace, open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

END = datetime(2025, 6, 30, 18, 0, tzinfo=UTC)

SETTINGS = """shoal: 1
name: {name}
timezone: Europe/Berlin
currency: {currency}
clock: data-end
purposes: {{newsletter: consent, analysis: none}}
revenue:
  orders: Order Completed
  events: {{Order Completed: revenue, Order Refunded: revenue}}
{cost}{includes}"""

SEGMENTS = {
    "regulars": ("Regulars", 'count("Order Completed" in last 90 days) >= 3'),
    "big-spenders": ("Big spenders", 'sum(revenue of "Order Completed") > 300'),
    "berliners": ("Berliners", 'city = "Berlin"'),
}


def make_shop(
    root: Path,
    *,
    customers: int = 120,
    days: int = 300,
    name: str = "Corner shop",
    currency: str = "EUR",
    cost: bool = False,
    orders: bool = True,
    surveys: bool = False,
    consent: bool = False,
    segments: Mapping[str, tuple[str, str]] = SEGMENTS,
) -> Path:
    """Make a workspace whose clock stands at ``END``; the same arguments give the same data."""
    text = SETTINGS.format(
        name=f'"{name}"',
        currency=currency,
        cost="  cost: {Order Completed: cost}\n" if cost else "",
        includes="  includes: {tax: included, shipping: not included}\n" if cost else "",
    )
    create_workspace(root, text)
    for slug, (display, where) in segments.items():
        escaped = display.replace("'", "''")
        (root / "segments" / f"{slug}.yaml").write_text(f"name: '{escaped}'\nwhere: |\n  {where}\n", encoding="utf-8")
    with open_workspace(root) as ws:
        records = list(_records(customers, days, cost, orders, surveys, consent))
        summary = write_records(ws.store, records, zone=ws.config.zone, received=to_instant(END))
        assert summary.rejected == 0
        set_meta(ws.store, "clock_offset", str(Clock.showing(to_instant(END)).offset))
        if orders:
            compute_traits(ws.store, ws.config.revenue, to_instant(END), to_instant(END))
        ws.refresh()
        assert not ws.catalogue.faults
    return root


def _records(customers: int, days: int, cost: bool, orders: bool, surveys: bool, consent: bool) -> Iterator[Any]:
    draw = random.Random(42)
    for number in range(customers):
        who = f"C{number:04d}"
        joined = END - timedelta(days=draw.uniform(1, days))
        start = to_instant(joined)
        yield TraitChange(who, "city", draw.choice(["Berlin", "Hamburg", "Köln"]), start)
        if consent:
            yield ConsentChange(who, "newsletter", number % 3 != 0, start)
        if surveys and number % 2 == 0:
            yield Event(who, SURVEY_ANSWERED, to_instant(END) - 1_000_000, {"nps": draw.choice([3, 7, 9, 10])})
        if orders:
            yield from _orders(draw, who, joined, cost)


def _orders(draw: random.Random, who: str, joined: datetime, cost: bool) -> Iterator[Event]:
    pace, at = draw.choice([7, 20, 45, 120]), joined
    while at < END:
        revenue = round(draw.uniform(5, 80), 2)
        more = {"cost": round(revenue * 0.6, 2)} if cost else {}
        yield Event(who, ORDER_COMPLETED, to_instant(at), {"revenue": revenue, **more})
        if draw.random() < 0.04:
            back = at + timedelta(hours=5)
            if back < END:
                yield Event(who, ORDER_REFUNDED, to_instant(back), {"revenue": -revenue})
        at += timedelta(days=draw.expovariate(1 / pace) + 0.2)
