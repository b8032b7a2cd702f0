"""Draw the corner shop's exports: a small synthetic company, for the documentation and for a first try.

Everything in ``exports/`` is made up by this script with a fixed seed; names, mails and orders belong to nobody.
A few rows are faulty on purpose, as in life: a missing customer, an impossible date, a line that stands twice.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent / "exports"
TOWNS = {"Nairobi": "KE", "Mombasa": "KE", "Kampala": "UG", "Arusha": "TZ", "Kigali": "RW"}
FIRST = [
    "Amina",
    "Brian",
    "Chao",
    "Dalila",
    "Eric",
    "Faith",
    "Grace",
    "Hassan",
    "Irene",
    "James",
    "Khadija",
    "Liam",
    "Mercy",
    "Noah",
    "Otieno",
    "Purity",
]
LAST = [
    "Achieng",
    "Barasa",
    "Chebet",
    "Dida",
    "Ekai",
    "Gitau",
    "Hamisi",
    "Iregi",
    "Juma",
    "Kamau",
    "Lagat",
    "Mwangi",
    "Njeri",
    "Ouma",
    "Wanjiru",
]
GOODS = [
    ("CF01", "Coffee beans 500 g", "Coffee", 8.50), ("CF02", "Espresso cup", "Kitchen", 6.00),
    ("TE01", "Black tea 200 g", "Tea", 4.25), ("TE02", "Hibiscus tea", "Tea", 5.10),
    ("HN01", "Forest honey", "Pantry", 9.90), ("SP01", "Pilau spice", "Pantry", 3.40),
    ("BK01", "Sisal basket", "Home", 24.00), ("BK02", "Kikoi cloth", "Home", 31.50),
    ("GR01", "Coffee grinder", "Kitchen", 59.00), ("FL01", "Filter papers", "Coffee", 2.80),
]  # fmt: skip
END = datetime(2025, 6, 30, 18, 0)


def main() -> None:
    """Write the four files."""
    draw = random.Random(20250630)
    HERE.mkdir(exist_ok=True)
    people = [person(draw, number) for number in range(1, 181)]
    write("customers.csv", people)
    write("order_lines.csv", lines(draw, people))
    write("newsletter.csv", consents(draw, people))
    write("survey.csv", answers(draw, people))


def person(draw: random.Random, number: int) -> dict[str, object]:
    """One customer; every tenth has no town."""
    town = draw.choice(list(TOWNS))
    joined = END - timedelta(days=draw.randint(5, 720))
    first, last = draw.choice(FIRST), draw.choice(LAST)
    return {
        "customer_id": f"C{number:04d}",
        "name": f"{first} {last}",
        "email": f"{first}.{last}.{number}@example.org".lower(),
        "town": "" if number % 10 == 0 else town,
        "country": TOWNS[town],
        "birthday": (datetime(1955, 1, 1) + timedelta(days=draw.randint(0, 18_000))).date().isoformat(),
        "signed_up": joined.date().isoformat(),
    }


def lines(draw: random.Random, people: list[dict[str, object]]) -> list[dict[str, object]]:
    """Order lines: a few regulars, many occasional buyers, some refunds, and the faults."""
    rows: list[dict[str, object]] = []
    order = 5000
    for who in people:
        joined = datetime.fromisoformat(str(who["signed_up"]))
        pace = draw.choice([14, 30, 60, 120, 400])
        at = joined + timedelta(hours=draw.randint(8, 60))
        while at < END:
            order += 1
            rows += basket(draw, who, order, at)
            at += timedelta(days=draw.expovariate(1 / pace) + 0.5)
    rows.sort(key=lambda row: (str(row["ordered_at"]), str(row["order_id"])))
    return faulty(rows)


def basket(draw: random.Random, who: dict[str, object], order: int, at: datetime) -> list[dict[str, object]]:
    """One order of one to four goods; one in forty comes back."""
    refund = draw.random() < 1 / 40
    chosen = draw.sample(GOODS, draw.choice([1, 1, 2, 2, 3, 4]))
    channel = draw.choice(["web", "web", "shop", "app"])
    return [
        {
            "order_id": f"{'R' if refund else 'O'}{order}",
            "customer_id": who["customer_id"],
            "ordered_at": f"{at:%Y-%m-%d %H:%M:%S}",
            "product_id": code,
            "product": name,
            "category": category,
            "quantity": -1 if refund else draw.choice([1, 1, 1, 2, 3]),
            "unit_price": f"{price:.2f}",
            "unit_cost": f"{price * 0.6:.2f}",
            "channel": channel,
        }
        for code, name, category, price in chosen
    ]


def faulty(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Spoil a few rows; the first two are orders of one line, so that no other line can say what is missing."""
    lines_of = Counter(row["order_id"] for row in rows)
    single = [i for i, row in enumerate(rows) if lines_of[row["order_id"]] == 1 and i > 40]
    rows[single[0]] = rows[single[0]] | {"customer_id": ""}
    rows[single[5]] = rows[single[5]] | {"ordered_at": "2025-02-30 10:00:00"}
    rows[300] = rows[300] | {"quantity": "two"}
    return [*rows, rows[120]]


def consents(draw: random.Random, people: list[dict[str, object]]) -> list[dict[str, object]]:
    """Who takes the newsletter; a fifth never answered."""
    return [
        {
            "customer_id": who["customer_id"],
            "purpose": "email_marketing",
            "granted": draw.choice(["yes", "yes", "yes", "no"]),
            "changed_at": f"{who['signed_up']} 12:00:00",
        }
        for who in people
        if draw.random() < 0.8
    ]


def answers(draw: random.Random, people: list[dict[str, object]]) -> list[dict[str, object]]:
    """A survey that a third answered."""
    words = {
        9: "Love the coffee",
        10: "Fast and friendly",
        7: "Fine",
        8: "Good prices",
        3: "Late twice",
        5: "Box was torn",
    }
    rows = []
    for who in people:
        if draw.random() < 0.33:
            nps = draw.choice([3, 5, 7, 8, 9, 9, 10, 10])
            at = END - timedelta(days=draw.randint(1, 90), hours=draw.randint(0, 8))
            answered = {"customer_id": who["customer_id"], "answered_at": f"{at:%Y-%m-%d %H:%M:%S}", "nps": nps}
            rows.append(answered | {"answer": words.get(nps, "")})
    return rows


def write(name: str, rows: list[dict[str, object]]) -> None:
    """One CSV file."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as handle:
        out = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


if __name__ == "__main__":
    main()
