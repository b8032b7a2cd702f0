"""A shop whose clock a test moves: what came before a pilot, the pilot, and what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shoal.clock import Clock, to_instant
from shoal.customers.writer import write_records
from shoal.shapes import ORDER_COMPLETED, Event, TraitChange
from shoal.sql.layout import set_meta
from shoal.workspace import Workspace, create_workspace, open_workspace

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
OVER = BEGIN + timedelta(days=30)

SETTINGS = """shoal: 1
name: Shop
timezone: UTC
currency: EUR
clock: data-end
purposes: {mail: none}
revenue:
  orders: Order Completed
  events: {Order Completed: revenue, Order Refunded: revenue}
"""
COST = "  cost: {Order Completed: cost}\n"
REGIONS = {"north": 'region = "north"', "south": 'region = "south"'}

PILOT = """name: Win back
owner: crm@example.com
segments: [north, south]
holdout: 30%
kpis: [{metric: orders, gain: 5%}, {metric: revenue}]
end: 2026-03-30
cost: {contact: 0.5, fixed: 100}
margin: data
"""


def at(days: float) -> int:
    """So many days after the start."""
    return to_instant(BEGIN + timedelta(days=days))


def make(root: Path, files: dict[str, str], settings: str = SETTINGS + COST) -> Path:
    """A workspace with two segments, and files beside it."""
    create_workspace(root, settings)
    segments = {f"segments/{s}.yaml": f"name: {s.title()}\nwhere: |\n  {where}\n" for s, where in REGIONS.items()}
    for name, text in {**segments, **files}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def put(ws: Workspace, records: list[Any], now: int) -> None:
    """Let records come in, and the clock stand at an instant."""
    assert write_records(ws.store, records, zone="UTC", received=now - 1).rejected == 0
    turn(ws, now)


def turn(ws: Workspace, now: int) -> None:
    """Let the clock stand at an instant."""
    set_meta(ws.store, "clock_offset", str(Clock.showing(now).offset))
    ws.refresh()


def order(who: str, days: float, revenue: float) -> Event:
    """An order of which two thirds are margin."""
    return Event(who, ORDER_COMPLETED, at(days), {"revenue": revenue, "cost": revenue / 3})


def customers(n: int) -> Iterator[TraitChange]:
    """Half of them in the north."""
    for i in range(n):
        yield TraitChange(f"c{i}", "region", "north" if i % 2 else "south", at(-60))


def orders(n: int, days: tuple[float, float], more: Callable[[str, int], float], seed: int) -> Iterator[Event]:
    """Orders of 10 to 50 within some days, as many as chance gives, and with a chance one more."""
    draw = random.Random(seed)
    for i in range(n):
        who = f"c{i}"
        for _ in range(draw.choice([0, 1, 2, 3]) + (draw.random() < more(who, i))):
            yield order(who, draw.uniform(*days), round(draw.uniform(10, 50), 2))


def before(ws: Workspace, n: int) -> None:
    """Sixty days without any campaign."""
    put(ws, [*customers(n), *orders(n, (-59, -0.1), lambda *_: 0.0, 1)], at(0))


__all__ = ["Workspace", "open_workspace"]
