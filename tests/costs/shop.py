"""A shop that buys advertising, made up: no public data holds touches, orders with their cost, and spend of the same people.

What was drawn is known, so that figures can be checked: ``SPENT`` a day and channel, and how channels lead to one another.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FIRST, DAYS = date(2026, 1, 1), 181
CHANNELS = ("search", "social", "affiliate", "newsletter")
SPENT = {"Search": 120.0, "Social": 90.0, "Affiliate": 40.0, "TV": 60.0}
"""A day. No click comes from television, and the newsletter costs nothing."""

SETTINGS = """\
shoal: 1
name: Lamp shop
timezone: UTC
currency: EUR
clock: data-end
revenue:
  orders: Order Completed
  events: {Order Completed: revenue}
  cost: {Order Completed: cost}
attribution:
  touches: {Ad Clicked: channel, Newsletter Opened: }
  campaigns: {Ad Clicked: campaign}
  within: 30 days
  model: linear
costs:
  acquisition: {channels: [search, social, affiliate, tv]}
  lead: Sample Requested
  within: 60 days
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue, cost: cost}}]
  clicks:
    from: clicks.csv
    events: [{event: Ad Clicked, customer: customer, at: at, properties: {channel: channel, campaign: campaign}}]
  mails:
    from: mails.csv
    events: [{event: Newsletter Opened, customer: customer, at: at}]
  samples:
    from: samples.csv
    events: [{event: Sample Requested, customer: customer, at: at}]
  ads:
    from: spend.csv
    spend: {day: date, amount: cost, channel: channel, campaign: campaign, impressions: impressions, clicks: clicks}
"""


def make_shop(root: Path, customers: int = 1_500, seed: int = 11) -> Path:
    """Write the shop's files and its ``shoal.yaml``."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[str]] = {"orders": [], "clicks": [], "mails": [], "samples": []}
    for customer in range(customers):
        _visit(random, f"c{customer:05d}", rows)
    heads = {
        "orders": "customer,at,revenue,cost", "clicks": "customer,at,channel,campaign", "mails": "customer,at",
        "samples": "customer,at",
    }  # fmt: skip
    for name, lines in rows.items():
        (root / f"{name}.csv").write_text("\n".join([heads[name], *sorted(lines)]) + "\n", encoding="utf-8")
    (root / "spend.csv").write_text(_spend(rows["clicks"]), encoding="utf-8")
    (root / "shoal.yaml").write_text(SETTINGS, encoding="utf-8")
    return root


def _visit(random: np.random.Generator, customer: str, rows: dict[str, list[str]]) -> None:
    """Some touches, about a week apart; social hands over to search, and whoever comes by search buys more often."""
    at = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=float(random.uniform(0, DAYS - 40)))
    channel = str(random.choice(CHANNELS, p=[0.3, 0.4, 0.2, 0.1]))
    bought = False
    for _ in range(int(random.integers(1, 7))):
        if at.date() >= FIRST + timedelta(days=DAYS):
            break
        if channel == "newsletter":
            rows["mails"].append(f"{customer},{at:%Y-%m-%dT%H:%M:%SZ}")
        else:
            campaign = f"{channel} {'spring' if at.month > 3 else 'winter'}"
            rows["clicks"].append(f"{customer},{at:%Y-%m-%dT%H:%M:%SZ},{channel},{campaign}")
        if not bought and random.random() < 0.12:
            rows["samples"].append(f"{customer},{at:%Y-%m-%dT%H:%M:%SZ}")
        later = at + timedelta(hours=float(random.exponential(30)))
        if random.random() < {"search": 0.3, "social": 0.07, "affiliate": 0.15, "newsletter": 0.25}[channel]:
            revenue = round(float(random.gamma(2, 30)) + 5, 2)
            rows["orders"].append(f"{customer},{later:%Y-%m-%dT%H:%M:%SZ},{revenue:.2f},{0.6 * revenue:.2f}")
            bought = True
        at = later + timedelta(days=float(random.exponential(6)))
        channel = str(random.choice(CHANNELS, p=[0.45, 0.2, 0.1, 0.25] if bought else [0.45, 0.35, 0.15, 0.05]))


def _spend(clicks: list[str]) -> str:
    """What each channel cost on each day, with the clicks that there were; impressions are forty times as many."""
    counted: dict[tuple[str, str], int] = {}
    for line in clicks:
        _, at, channel, _ = line.split(",")
        counted[at[:10], channel] = counted.get((at[:10], channel), 0) + 1
    lines = ["date,channel,campaign,cost,impressions,clicks"]
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        season = "spring" if day.month > 3 else "winter"
        for channel, cost in SPENT.items():
            n = counted.get((str(day), channel.lower()), 0)
            seen = "," if channel == "TV" else f"{40 * (n + 1)},{n}"
            lines.append(f"{day},{channel},{channel} {season},{cost:.2f},{seen}")
    return "\n".join(lines) + "\n"
