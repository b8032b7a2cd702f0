"""A made shop whose customers differ in what a model is to find: how often they buy, what, and whether they answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.clock import DAY, HOUR
from shoal.customers.writer import write_records
from shoal.insight.models.asof import AsOf
from shoal.insight.models.model import Model
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import learned_schema, scores

START = 19_000 * DAY
DAYS = 420
END = START + DAYS * DAY
CATEGORIES = ("Wine", "Bread", "Toys")


def write(store: DuckStore, records: Iterable[Any]) -> None:
    """Write records; none may be rejected."""
    assert write_records(store, records, zone="UTC", received=0).rejected == 0


def known(store: DuckStore, at: int) -> AsOf:
    """The store as of an instant."""
    traits, events = learned_schema(store)
    schema = Schema(traits=traits, events=events, zone="UTC", scores=scores(store))
    return AsOf(store, RevenueRule(), schema, at)


def store_of(records: Iterable[Any]) -> DuckStore:
    """A real store of these records."""
    made = create_store(":memory:", zone="UTC", now=0, threads=1)
    write(made, list(records))
    return made


def scores_of(model: Model, store: DuckStore, at: int = END) -> dict[str, dict[str, Any]]:
    """By trait and by customer's id the value."""
    names = dict(store.rows("SELECT key, id FROM customers"))
    with known(store, at) as now:
        return {s.name: {names[int(k)]: v for k, v in zip(s.owners, s.values, strict=True)} for s in model.scores(now)}


def order(customer: str, at: int, revenue: float, *categories: str) -> Event:
    """An order with an item of each category."""
    products: Any = [{"category": c, "price": revenue, "quantity": 1} for c in categories]
    return Event(customer, "Order Completed", at, {"revenue": revenue, "products": products})


@dataclass(frozen=True)
class Person:
    """What decides a customer's behaviour; a model sees only what follows from it."""

    id: str
    every: float
    leaves: int
    taste: int
    answers: float


def people(n: int, seed: int) -> list[Person]:
    """Customers who buy every 5 to 60 days; some leave for good."""
    random = np.random.default_rng(seed)
    leaves = np.where(random.random(n) < 0.6, random.integers(60, DAYS, n), 10 * DAYS)
    every, taste = random.uniform(5, 60, n), random.integers(0, len(CATEGORIES), n)
    answers = np.where(random.random(n) < 0.3, 0.6, 0.05)
    return [Person(f"c{i:04}", every[i], int(leaves[i]), int(taste[i]), answers[i]) for i in range(n)]


def history(n: int = 400, seed: int = 1, *, messages: bool = False) -> list[Any]:
    """All that happened, in the order of customers."""
    found: list[Any] = []
    for i, person in enumerate(people(n, seed)):
        random = np.random.default_rng([seed, i])
        found += list(_life(person, random))
        if messages:
            found += list(_messages(person, random))
    return found


def _life(person: Person, random: np.random.Generator) -> Iterator[Any]:
    yield TraitChange(person.id, "plan", "gold" if person.every < 20 else "basic", START)
    yield TraitChange(person.id, "badge", f"badge {person.id}", START)
    day = float(random.uniform(0, person.every))
    while day < min(DAYS, person.leaves):
        at = START + int(day * 24) * HOUR
        weights = np.where(np.arange(len(CATEGORIES)) == person.taste, 0.8, 0.1)
        chosen = [c for c, w in zip(CATEGORIES, weights, strict=True) if random.random() < w] or [CATEGORIES[0]]
        yield order(person.id, at, float(random.integers(5, 50)), *chosen)
        if random.random() < 0.5:
            yield Event(person.id, "Page Viewed", at - HOUR, {"page": "home"})
        day += float(random.exponential(person.every))


def _messages(person: Person, random: np.random.Generator) -> Iterator[Any]:
    for number, day in enumerate(range(10, DAYS - 1, 20)):
        at, kind = START + day * DAY, "offer" if number % 2 else "news"
        yield Event(person.id, "Message Sent", at, {"message_id": f"m{number}", "type": kind})
        if random.random() < person.answers * (1.0 if kind == "offer" else 0.5):
            yield Event(person.id, "Message Clicked", at + 5 * HOUR, {"message_id": f"m{number}"})
