"""Customers with a planted habit, price, cycle or need, and the laws that every model of them keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from models.frame.made_shop import known, scores_of, store_of
from shoal.clock import DAY, HOUR
from shoal.insight.models.kinds import kind
from shoal.insight.models.model import Evidence, Model, Settings
from shoal.shapes import ORDER_COMPLETED, Event
from shoal.sql.duck import DuckStore

MONDAY = 19_001 - 19_001 % 7 + 4
"""A Monday in days since 1970: the first day of these worlds."""
DAYS = 360
END = (MONDAY + DAYS) * DAY
GROUPS = {
    "baby": ("diapers", "wipes", "formula", "toys", "cream"),
    "pets": ("cat food", "dog food", "litter", "leash", "bowl"),
    "bake": ("flour", "yeast", "sugar", "butter", "vanilla"),
    "wine": ("red", "white", "cheese", "olives", "glasses"),
}


def order(customer: str, day: float, hour: int = 12, items: Iterable[dict[str, Any]] = (), **more: Any) -> Event:
    """An order on a day of the world."""
    properties = {"revenue": 10, "products": list(items) or [{"category": "thing", "price": 10, "quantity": 1}], **more}
    return Event(customer, ORDER_COMPLETED, (MONDAY + int(day)) * DAY + hour * HOUR, properties)


def item(category: str, **more: Any) -> dict[str, Any]:
    """One item of an order."""
    return {"category": category, "product": f"one {category}", "price": 5, "quantity": 1, **more}


def habits(n: int = 200, seed: int = 0, *, keep: float = 0.8) -> list[Event]:
    """Even customers order on Mondays at nine by web, odd ones on Saturdays at seven in the evening in the shop."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        for week in np.sort(random.choice(DAYS // 7, int(random.integers(4, 20)), replace=False)):
            usual, other = ((9, 0, "web"), (19, 5, "shop"))[:: 1 if number % 2 == 0 else -1]
            hour, day, channel = usual if random.random() < keep else other
            found.append(order(f"c{number:03}", week * 7 + day, hour, channel=channel))
    return found


def discounts(n: int = 180, seed: int = 0) -> list[Event]:
    """Of three customers one mostly takes discounts, one half of the time, one hardly ever."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        for day in random.choice(DAYS, int(random.integers(8, 25)), replace=False):
            cut = random.random() < (0.95, 0.5, 0.03)[number % 3]
            found.append(order(f"c{number:03}", day, discount=2.5 if cut else 0.0))
    return found


def baskets(n: int = 240, seed: int = 0, *, lean: float = 0.8) -> list[Event]:
    """Each customer is of one of four groups, and buys of it at so many of ten picks; the rest is of anything."""
    random = np.random.default_rng(seed)
    every = [c for group in GROUPS.values() for c in group]
    found = []
    for number in range(n):
        mine = list(GROUPS.values())[number % len(GROUPS)]
        for day in random.choice(DAYS, 14, replace=False):
            picks = {str(random.choice(mine if random.random() < lean else every)) for _ in range(3)}
            found.append(order(f"c{number:03}", day, items=[item(c, brand=f"brand of {c}") for c in sorted(picks)]))
    return found


def cycles(n: int = 120, seed: int = 0) -> list[Event]:
    """Milk every ten days or so by a gap of the customer's own; sweets on days without any rule."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        gap, day, held = random.uniform(7, 14), random.uniform(0, 10), {}
        while day < DAYS - 1:
            held.setdefault(int(day), set()).add("milk")
            day += gap * random.uniform(0.9, 1.1)
        for when in random.choice(DAYS, 40, replace=False):
            held.setdefault(int(when), set()).add("sweets" if random.random() < 0.4 else "bread")
        found += [order(f"c{number:03}", d, items=[item(c) for c in sorted(what)]) for d, what in sorted(held.items())]
    return found


def twins(events: Iterable[Event], of: str = "c001") -> list[Event]:
    """What one customer did, done by another as well."""
    return [replace(event, customer=f"twin of {of}") for event in events if event.customer == of]


def fitted(store: DuckStore, name: str, at: int = END, horizon: int = 60, **options: Any) -> Model:
    """A model of a kind as of an instant."""
    with known(store, at) as now:
        return kind(name).fitted(now, Settings(name, name, horizon, options))


def scored(store: DuckStore, model: Model, at: int = END) -> dict[str, dict[str, Any]]:
    """By trait and by customer's id the value."""
    return scores_of(model, store, at)


def key(store: DuckStore, customer: str) -> int:
    """A customer's key."""
    return int(store.rows("SELECT key FROM customers WHERE id = ?", [customer])[0][0])


def reasons(store: DuckStore, model: Model, customer: str, at: int = END) -> str:
    """A customer's reasons as one text."""
    with known(store, at) as now:
        return " ".join(model.reasons(now, key(store, customer)))


def hold_laws(name: str, events: list[Event], future: list[Event], horizon: int = 60) -> None:
    """The laws of a model: the future changes nothing, equal customers are equal, order doesn't matter, states come back."""
    world = [*events, *twins(events)]
    plain = store_of(world)
    model = fitted(plain, name, horizon=horizon)
    scores = scored(plain, model)
    assert scores
    assert any(len(values) for values in scores.values())
    for values in scores.values():
        assert values.get("twin of c001") == values.get("c001")

    order_ = np.random.default_rng(5).permutation(len(world))
    later = store_of([*future, *(world[i] for i in order_)])
    again = fitted(later, name, horizon=horizon)
    assert _close(again.state(), model.state())
    assert _close(scored(later, again), scores)

    document = json.loads(json.dumps({"state": model.state(), "evidence": model.evidence.document()}))
    back = type(model).restored(model.settings, Evidence.from_document(document["evidence"]), document["state"])
    assert scored(plain, back) == scores
    assert back.evidence == model.evidence


def _close(a: Any, b: Any) -> bool:
    """Whether two documents are the same, numbers to nine digits."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_close(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float | np.floating):
        return bool(np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))
    return bool(a == b)
