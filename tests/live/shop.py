"""A small shop: its schema, definitions over the forms that loops know and some that they don't, and random events."""

from __future__ import annotations

from random import Random
from typing import Any

from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Basis, Kind, PropertyType, Schema
from shoal.live.engine import Engine
from shoal.live.values import Micro, Moment

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = 20_000 * DAY + 7 * 3_600 * SECOND

SCHEMA = Schema(
    traits={"country": Kind.TEXT, "age": Kind.NUMBER, "signup": Kind.INSTANT},
    events={
        "order": {"amount": PropertyType(Kind.NUMBER), "shop": PropertyType(Kind.TEXT)},
        "visit": {"page": PropertyType(Kind.TEXT)},
    },
    lists=frozenset({"staff"}),
    purposes={"mail": Basis.CONSENT},
    zone="Europe/Berlin",
)
TEXTS = {
    "often": 'count("visit" in last 7 days) >= 3',
    "rarely": 'count("visit" in last 30 days) < 2 and did "visit"',
    "big": 'sum(amount of "order" in last 30 days) > 100',
    "large": 'did "order" where amount > 50 at least 2 times',
    "exact": 'did "order" where shop = "b" exactly 1 times in last 2 calendar days',
    "lapsed": 'days since last "visit" > 5',
    "days": 'active days("visit" in last 10 days) >= 2',
    "german": 'country = "DE" and age >= 30',
    "fresh": "signup in last 14 days",
    "both": 'member of "often" and not member of "german"',
    "chain": 'did "visit" then "order" within 2 days in last 20 days',
    "last": 'last(shop of "order") = "a"',
    "came": 'entered "often" in last 3 days',
    "mail": 'consents to "mail" or listed in "staff"',
}


def definitions(texts: dict[str, str] = TEXTS) -> dict[str, Definition]:
    """The definitions of the texts."""
    return {slug: Definition(slug, slug, parse(text)) for slug, text in texts.items()}


def engine(texts: dict[str, str] = TEXTS, now: int = NOW) -> Engine:
    """An empty engine."""
    return Engine(SCHEMA, definitions(texts), now)


def event(random: Random, number: int, now: int) -> tuple[str, str, int, str, dict[str, Any]]:
    """One event: mostly of the last days, now and then of the future, sometimes at an instant that was before."""
    name = random.choice(["order", "visit", "visit"])
    ts = now - random.choice([0, SECOND, DAY, random.randrange(40 * DAY), -random.randrange(2 * DAY)])
    values: dict[str, Any] = {"page": random.choice("xyz")}
    if name == "order":
        amount = random.choice([1, 20, 60, 150, -30]) * SECOND + random.choice([0, 0, 1])
        values = {"amount": Micro(amount), "shop": random.choice("ab")}
    return f"c{random.randrange(40)}", name, ts, f"m{number:06d}", values


def filled(one: Engine, seed: int, many: int = 400) -> Engine:
    """Random traits and events, one by one."""
    random = Random(seed)
    for i in range(40):
        one.add_trait(f"c{i}", "country", random.choice(["DE", "FR", None]), NOW - 50 * DAY, f"t{i}")
        one.add_trait(f"c{i}", "age", Micro(random.randrange(18, 60) * SECOND), NOW - 50 * DAY, f"u{i}")
        one.add_trait(f"c{i}", "signup", Moment(NOW - random.randrange(30) * DAY), NOW - 50 * DAY, f"v{i}")
        one.add_consent(f"c{i}", "mail", random.random() < 0.5, NOW - 3 * DAY, f"w{i}")
    for number in range(many):
        one.add_event(*event(random, number, NOW))
    return one


def memberships(one: Engine) -> dict[str, list[str]]:
    """Who is in what."""
    return {slug: sorted(one.members(slug)) for slug in one.plan.definitions}
