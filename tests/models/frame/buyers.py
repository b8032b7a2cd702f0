"""Workspaces on disk whose customers only buy, for the tests of value and churn."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shoal
from shoal.insight.models.model import Score, Settings
from shoal.workspace import Workspace

START = date(2024, 1, 1)
CONFIG = """\
shoal: 1
name: Orders
timezone: UTC
currency: EUR
clock: data-end
purposes: {analysis: none}
default_purpose: analysis
revenue:
  orders: Order Completed
  events: {Order Completed: revenue, Order Refunded: revenue}
  %(cost)s
sources:
  orders:
    from: "orders*.csv"
    types: {customer: text}
    duplicates: keep
    events:
      - event: Order Completed
        when: "what = 'order'"
        customer: customer
        at: day
        properties: {revenue: revenue, cost: cost}
      - event: Order Refunded
        when: "what = 'refund'"
        customer: customer
        at: day
        properties: {revenue: revenue}
      - event: Page Viewed
        when: "what = 'view'"
        customer: customer
        at: day
        properties: {revenue: revenue}
%(models)s
"""

Row = Sequence[Any]
"""Customer, day (a date, text, or days since ``START``), revenue; a cost, and what it is (order, refund or view)."""


def shop(root: Path, rows: Iterable[Row], *, cost: bool = False, models: str = "") -> Workspace:
    """A workspace of these rows, loaded and open."""
    root.mkdir(parents=True, exist_ok=True)
    write(root / "orders.csv", rows)
    named = {"cost": "cost: {Order Completed: cost}" if cost else "", "models": models}
    (root / "shoal.yaml").write_text(CONFIG % named, encoding="utf-8")
    opened = shoal.open(root)
    opened.load()
    return opened


def write(path: Path, rows: Iterable[Row]) -> None:
    """A file of orders."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        out = csv.writer(handle)
        out.writerow(["customer", "day", "revenue", "cost", "what"])
        for customer, day, revenue, *more in rows:
            cost, what = (*more, None, None)[:2]
            out.writerow([customer, on(day), revenue, "" if cost is None else cost, what or "order"])


def on(day: date | int | str) -> str:
    """A date as text; a number counts from ``START``."""
    if isinstance(day, str):
        return day
    return (day if isinstance(day, date) else START + timedelta(days=int(day))).isoformat()


def drawn(seed: int, customers: int = 300, days: int = 500, *, leaving: bool = True) -> list[Row]:
    """Orders of customers who buy at rates of their own and leave unseen, as of a Pareto/NBD; amounts of a Gamma-Gamma."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(customers):
        born = int(random.integers(0, days // 2))
        rate, leave = random.gamma(1.0, 1 / 40), random.gamma(0.7, 1 / 100)
        stays = random.exponential(1 / max(leave, 1e-9)) if leaving else np.inf
        mean = 15.4 / random.gamma(3.7) * 6.25
        gaps = np.cumsum(random.exponential(1 / rate, 200))
        bought = [0, *gaps[gaps < min(stays, days - born)].astype(int).tolist()]
        rows += [(f"c{number}", born + day, round(random.gamma(6.25, mean / 6.25), 2) + 0.01) for day in bought]
    return rows


def settings(kind: str, horizon: int = 90, **options: Any) -> Settings:
    """Settings of a model that bears its kind's name."""
    return Settings(kind, kind, horizon, options)


def by_id(workspace: Workspace, score: Score) -> dict[str, Any]:
    """A score's values by the ids of customers."""
    ids = dict(workspace.store.rows("SELECT key, id FROM customers"))
    return {ids[owner]: value for owner, value in zip(score.owners.tolist(), score.values, strict=True)}


def keys(workspace: Workspace) -> dict[str, int]:
    """The keys of customers by their ids."""
    return {name: key for key, name in workspace.store.rows("SELECT key, id FROM customers")}


def real_data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)


def cdnow(root: Path) -> Workspace:
    """The tenth of CDNOW's customers that the papers use, from the file as it is published."""
    rows = []
    for line in (real_data() / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        _, customer, day, _, dollars = line.split()
        rows.append((customer, date(int(day[:4]), int(day[4:6]), int(day[6:])), dollars))
    return shop(root, rows)
