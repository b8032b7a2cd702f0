"""A shop whose customers come from the model itself: known parameters, so that a fit has something to find."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

SETTINGS = """\
shoal: 1
name: drawn shop
timezone: UTC
clock: data-end
models:
  value: {horizon: 180 days}
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: day, properties: {revenue: amount}}]
"""
FIRST = date(2025, 1, 1)


def drawn_orders(customers: int, seed: int, days: int = 540) -> list[tuple[str, int, float]]:
    """Orders (customer, day from the start, amount): gamma rates, exponential lives, gamma spend."""
    r = np.random.default_rng(seed)
    found: list[tuple[str, int, float]] = []
    born = r.integers(0, days - 200, customers)
    rate, life = r.gamma(0.9, 1 / 45, customers), r.exponential(1 / r.gamma(0.8, 1 / 160, customers))
    spend = r.gamma(6, 1, customers) * 5
    for number in range(customers):
        day = float(born[number])
        end = min(days, born[number] + life[number])
        while day < end or day == born[number]:
            found.append((f"c{number:04}", int(day), round(float(r.gamma(6, spend[number] / 6)), 2) + 0.5))
            day += r.exponential(1 / rate[number]) + 1e-9
            if len(found) > 400 * customers:
                raise AssertionError("the draw doesn't end")
    return sorted(found, key=lambda row: row[1])


def write_orders(folder: Path, orders: list[tuple[str, int, float]]) -> None:
    """The file of orders, anew."""
    rows = [f"{who},{FIRST + timedelta(days=day)}T12:00:00Z,{amount}" for who, day, amount in orders]
    (folder / "orders.csv").write_text("customer,day,amount\n" + "\n".join(rows) + "\n")


def drawn_shop(folder: Path, customers: int = 500, seed: int = 1) -> Path:
    """A workspace with its orders, not loaded yet."""
    (folder / "segments").mkdir(parents=True)
    (folder / "shoal.yaml").write_text(SETTINGS)
    write_orders(folder, drawn_orders(customers, seed))
    return folder
