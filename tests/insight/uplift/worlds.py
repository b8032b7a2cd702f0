"""Workspaces with an experiment: Hillstrom's e-mails, and planted ones whose truth is known."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HILLSTROM = """
shoal: 1
name: Hillstrom
clock: data-end
purposes: {mail: legitimate-interest}
default_purpose: mail
sources:
  people:
    from: people.csv
    traits: [{customer: customer, take: [history, recency, mens, womens, newbie, channel, zip]}]
  sent:
    from: sent.csv
    events: [{event: Experiment Viewed, customer: customer, at: at, properties: {experiment_id: experiment, variation_id: arm}}]
  visits:
    from: visits.csv
    events: [{event: Visit, customer: customer, at: at}]
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue}}]
"""
MAIL = """
name: E-mails of spring
hypothesis: An e-mail brings customers to the shop.
arms: {No E-Mail: 0.333333333, Mens E-Mail: 0.333333333, Womens E-Mail: 0.333333334}
primary: visits
secondary: [spend]
window: 14 days
exposure: {event: Experiment Viewed, arm: variation_id, only: {experiment_id: mail}, assigned: elsewhere}
"""
VISITS = """
name: Visits
unit: share
better: higher
as: share
of: did "Visit"
"""
SPEND = """
name: Spend
unit: money
better: higher
as: mean
of: sum(revenue of "Order Completed")
"""


def write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def text(root: Path, files: dict[str, str]) -> None:
    """Text files of a workspace."""
    for name, said in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(said, encoding="utf-8")


def hillstrom(root: Path, data: Path) -> Path:
    """The workspace of 64,000 customers, each sent one of two e-mails or none on 1 March 2008."""
    with (data / "hillstrom" / "hillstrom.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("history", "recency", "mens", "womens", "newbie", "channel", "zip_code")
    write(
        root / "people.csv",
        ["customer", *names[:-1], "zip"],
        [(f"c{i}", *(r[n] for n in names)) for i, r in enumerate(rows)],
    )
    write(
        root / "sent.csv", ["customer", "at", "experiment", "arm"],
        [(f"c{i}", "2008-03-01", "mail", r["segment"]) for i, r in enumerate(rows)],
    )  # fmt: skip
    write(
        root / "visits.csv",
        ["customer", "at"],
        [(f"c{i}", "2008-03-08") for i, r in enumerate(rows) if r["visit"] == "1"],
    )
    bought = [(f"c{i}", "2008-03-08", r["spend"]) for i, r in enumerate(rows) if float(r["spend"])]
    # Somebody's order long after, so that two weeks are over for all.
    write(root / "orders.csv", ["customer", "at", "revenue"], [*bought, ("late", "2008-04-30", "1")])
    text(root, {
        "shoal.yaml": HILLSTROM, "experiments/mail.yaml": MAIL, "metrics/visits.yaml": VISITS, "metrics/spend.yaml": SPEND,
    })  # fmt: skip
    return root


PLANTED = """
shoal: 1
name: Planted
clock: data-end
purposes: {mail: legitimate-interest}
default_purpose: mail
sources:
  people:
    from: people.csv
    traits: [{customer: customer, at: since, take: [plan, branch, age]}]
  visits:
    from: visits.csv
    events: [{event: Page Viewed, customer: customer, at: at}]
  coupons:
    from: coupons.csv
    events: [{event: Coupon Used, customer: customer, at: at}]
  shown:
    from: shown.csv
    events: [{event: Experiment Viewed, customer: customer, at: at, properties: {experiment_id: experiment, variation_id: arm}}]
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue}}]
"""
OFFER = """
name: Offer
arms: {none: 50%, offer: 50%}
primary: bought
window: 10 days
exposure: {event: Experiment Viewed, arm: variation_id, only: {experiment_id: offer}, assigned: elsewhere}
"""
METRICS = {
    "metrics/bought.yaml": 'name: Bought\nunit: share\nbetter: higher\nas: share\nof: did "Order Completed"\n',
    "metrics/idle.yaml": 'name: Idle\nunit: share\nbetter: lower\nas: share\nof: not did "Order Completed"\n',
    "metrics/basket.yaml": (
        'name: Basket\nunit: money\nbetter: higher\nas: mean\nof: sum(revenue of "Order Completed")\n'
        'among: did "Order Completed"\n'
    ),
    "metrics/order-value.yaml": (
        'name: Order value\nunit: money\nbetter: higher\nas: ratio\nof: sum(revenue of "Order Completed")\n'
        'per: count("Order Completed")\n'
    ),
}
_BEGIN = np.datetime64("2024-03-01T00:00:00")
_DAY = 86_400


def planted(
    root: Path, n: int = 2_400, *, seed: int = 1, days: int = 24, chosen: bool = False, order: int | None = None,
    later: bool = False,
) -> Path:  # fmt: skip
    """Customers who were shown an offer, or nothing, over some days; afterwards some bought.

    The offer makes those of the plan "gold" buy (+40 points), and drives those of "basic" away (-20 points). Those who took
    it have used a coupon. Who visited often buys more, offer or not.

    Args:
        root: of the workspace.
        n: customers.
        seed: of the draw.
        days: over which they are shown it.
        chosen: whether the branch decides who is shown it, and not chance.
        order: shuffles the rows of all files; None leaves them.
        later: whether much more happened afterwards.
    """
    random = np.random.default_rng(seed)
    gold, north = random.random(n) < 0.5, random.random(n) < 0.5
    shown_at = _BEGIN + random.integers(0, days * _DAY, n).astype("timedelta64[s]")
    offer = random.random(n) < (np.where(north, 0.65, 0.35) if chosen else 0.5)
    seen = random.poisson(2.0, n)
    bought = random.random(n) < 0.25 + 0.03 * np.minimum(seen, 5) + offer * np.where(gold, 0.4, -0.2)
    ids = [f"p{i:05d}" for i in random.permutation(n)]
    visits = [(ids[i], _ago(shown_at[i], random)) for i in range(n) for _ in range(seen[i])]
    # What they look at after it says a lot of the offer, and must say nothing.
    visits += [(ids[i], _after(shown_at[i], random)) for i in np.flatnonzero(offer).tolist() for _ in range(3)]
    orders = [
        (ids[i], _after(shown_at[i], random), 20 + int(random.integers(0, 60))) for i in np.flatnonzero(bought).tolist()
    ]
    orders.append((ids[0], str(_BEGIN + np.timedelta64(60, "D")), 5))
    if later:
        extra = np.random.default_rng(99)
        orders += [(ids[i], str(_BEGIN + np.timedelta64(70 + i % 9, "D")), 30) for i in np.flatnonzero(~offer).tolist()]
        visits += [(f"q{i}", str(_BEGIN + np.timedelta64(65, "D") + extra.integers(0, 999))) for i in range(300)]
    people = [
        (ids[i], str(_BEGIN - np.timedelta64(200, "D")), "gold" if gold[i] else "basic", "north" if north[i] else "south",
         int(random.integers(18, 80))) for i in range(n)
    ]  # fmt: skip
    tables = {
        "people": (["customer", "since", "plan", "branch", "age"], people),
        "visits": (["customer", "at"], visits),
        "coupons": (
            ["customer", "at"],
            [(ids[i], _after(shown_at[i], random)) for i in np.flatnonzero(offer).tolist()],
        ),
        "shown": (
            ["customer", "at", "experiment", "arm"],
            [(ids[i], str(shown_at[i]), "offer", "offer" if offer[i] else "none") for i in range(n)],
        ),
        "orders": (["customer", "at", "revenue"], orders),
    }
    for name, (head, rows) in tables.items():
        shuffled = rows if order is None else [rows[i] for i in np.random.default_rng(order).permutation(len(rows))]
        write(root / f"{name}.csv", head, shuffled)
    text(root, {"shoal.yaml": PLANTED, "experiments/offer.yaml": OFFER, **METRICS})
    return root


def _ago(at: Any, random: np.random.Generator) -> str:
    return str(at - np.timedelta64(int(random.integers(_DAY, 60 * _DAY)), "s"))


def _after(at: Any, random: np.random.Generator) -> str:
    return str(at + np.timedelta64(int(random.integers(60, 9 * _DAY)), "s"))
