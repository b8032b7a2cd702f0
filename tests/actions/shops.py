"""Shops with a planted story, as files that a workspace loads."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import shoal
from shoal.workspace import Workspace

BEGIN = date(2024, 1, 1)
END = 400
"""The day of the newest order; "now" follows it."""

SETTINGS = """
shoal: 1
name: Shop
clock: data-end
purposes: {mail: consent, analysis: none}
default_purpose: mail
sources:
  orders:
    from: orders.csv
    events:
      - event: Order Completed
        customer: customer
        at: at
        properties: {revenue: revenue, category: category, amount: revenue}
  answers:
    from: answers.csv
    events: [{event: Survey Answered, customer: customer, at: at, properties: {nps: nps}}]
  consents:
    from: consents.csv
    consent: [{customer: customer, purpose: mail, granted: granted, at: at}]
  people:
    from: people.csv
    traits: [{customer: customer, take: {group: group}}]
"""

Order = tuple[str, int, float, str]


def day(n: int) -> str:
    return f"{BEGIN + timedelta(days=n)} 12:00:00"


def regulars(name: str, n: int, last: int, gap: int = 20, revenue: float = 30, category: str = "Tea") -> list[Order]:
    """Customers who order every so many days up to a last day."""
    return [(f"{name}{i}", k, revenue + i % 5, category) for i in range(n) for k in range(5 + i % gap, last + 1, gap)]


def shop(
    folder: Path,
    orders: list[Order],
    groups: dict[str, str],
    answers: Iterable[tuple[str, int, int]] = (),
    refused: Iterable[str] = (),
    more: str = "",
    sources: str = "",
) -> Workspace:
    """Write the files, load them, and make a segment of each group.

    Args:
        folder: where.
        orders: customer, day, revenue, category.
        groups: by the beginning of a customer's name, the group.
        answers: customer, day, nps.
        refused: customers who refuse mail; all others agree.
        more: settings beyond the usual.
        sources: sources beyond the usual.
    """
    folder.mkdir(parents=True, exist_ok=True)
    people = sorted({who for who, *_ in orders})
    no = set(refused)
    _write(
        folder / "orders.csv", ["customer", "at", "revenue", "category"], [(c, day(d), r, k) for c, d, r, k in orders]
    )
    _write(folder / "answers.csv", ["customer", "at", "nps"], [(c, day(d), s) for c, d, s in answers])
    rows = [(who, "no" if who in no else "yes", day(0)) for who in people]
    _write(folder / "consents.csv", ["customer", "granted", "at"], rows)
    group = [(who, next(g for start, g in groups.items() if who.startswith(start))) for who in people]
    _write(folder / "people.csv", ["customer", "group"], group)
    (folder / "shoal.yaml").write_text(SETTINGS + sources + more, encoding="utf-8")
    ws = shoal.open(folder)
    ws.load()
    for name in dict.fromkeys(groups.values()):
        ws.segments.add(name, f'group = "{name}"')
    return ws


def _write(path: Path, head: list[str], rows: list[Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def story(seed: int = 1) -> tuple[list[Order], dict[str, str]]:
    """Steady ones, silent ones, and ones who began and stopped earlier, so that there is something to read stakes off."""
    lots = np.random.default_rng(seed)
    orders = regulars("steady", 120, END) + regulars("silent", 60, END - 130, revenue=50)
    # 130 to 149 days of silence each. Who stood where the silent ones stand now, a horizon ago: half of them came back.
    for i in range(80):
        back = i % 2 == 0
        who = [(f"was{i}", k, 40.0, "Tea") for k in range(5 + i % 20, END - 219, 20)]
        orders += who + ([(f"was{i}", END - 60 + int(lots.integers(0, 40)), 40.0, "Tea")] if back else [])
    return orders, {"steady": "Steady", "silent": "Silent", "was": "Others"}
