"""Input that no model can do much with, through ``predict``: a refusal or a stated fallback, never a number from nowhere.

A line of the table ``WORLDS`` is a shop with one thing wrong. Every kind of the registry is run on each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.kinds import KINDS
from shoal.insight.models.model import Score
from shoal.workspace import Workspace
from shoal.workspace.models import Predicted, restored

from .every_kind import COLUMNS, DAYS, FIRST, SETTINGS, Shop, drawn, holds_its_values, opened

CUSTOMERS = 130
YEARS = 5 * 365
LEARNT = ("category", "response", "outcome")
MODELS = {**SETTINGS, "needs": {**SETTINGS["needs"], "most": 2}} | {
    name: {**SETTINGS[name], "learner": "logistic"} for name in LEARNT
}
"""Trees are held to the laws; here a learner and two needs will do that cost less."""


def kept(shop: Shop, keep: Callable[[str, tuple[Any, ...]], bool]) -> Shop:
    """The rows that are to be kept, asked with their source."""
    return Shop({source: [row for row in rows if keep(source, row)] for source, rows in shop.files.items()})


def put(shop: Shop, source: str, **values: Any) -> Shop:
    """Other values in columns of a source; a function gets the row's number and what stands there."""
    rows = []
    for number, row in enumerate(shop.files[source]):
        found = dict(zip(COLUMNS[source], row, strict=True))
        told = {name: value(number, found[name]) if callable(value) else value for name, value in values.items()}
        rows.append(tuple((found | told).values()))
    return Shop({**shop.files, source: rows})


def base(customers: int, mail: bool) -> Shop:
    """The drawn shop with the messages of its last months, or none: reading what was known before each is what costs."""
    since = FIRST + timedelta(days=DAYS - 110)
    return kept(drawn(customers), lambda source, row: source != "mail" or (mail and row[1] > since))


def one_customer(shop: Shop) -> Shop:
    return kept(shop, lambda source, row: row[0] == "zz-001")


def no_repeat_buyers(shop: Shop) -> Shop:
    firsts: dict[str, str] = {}
    for row in sorted(shop.files["lines"], key=lambda row: row[1]):
        firsts.setdefault(row[0], row[2])
    return kept(shop, lambda source, row: source != "lines" or row[2] == firsts[row[0]])


def constant(shop: Shop) -> Shop:
    """Each order is one line of the same thing at the same price, and all customers are alike."""
    orders: dict[str, tuple[Any, ...]] = {}
    for row in shop.files["lines"]:
        orders.setdefault(row[2], row)
    shop = Shop({**shop.files, "lines": list(orders.values())})
    shop = put(shop, "lines", product="p", category="c", brand="b", price=10, discount=1)
    shop = put(put(shop, "mail", type="news"), "views", category="c", channel="web")
    return put(shop, "people", city="Rome", age=40, member="yes", note="same")


def all_missing(shop: Shop) -> Shop:
    shop = put(shop, "lines", product="", category="", brand="", discount="", channel="")
    shop = put(put(shop, "mail", message="", type=""), "views", category="", channel="")
    return put(shop, "people", city="", age="", member="", note="")


def many_levels(shop: Shop) -> Shop:
    """A text of each customer's own, and a category and a product of each line's own: thousands."""
    shop = put(shop, "people", city=lambda number, _: f"city {number}")
    named = {name: (lambda number, _, name=name: f"{name} {number}") for name in ("product", "category", "brand")}
    return put(kept(shop, lambda source, _: source != "views"), "lines", **named)


@dataclass(frozen=True)
class World:
    """A shop with one thing wrong.

    Args:
        of: what is done to the drawn shop.
        refused: by kind, what its refusal says. Every other kind gives scores.
        fallback: by kind, what its evidence says of what stands in the model's place.
        customers: in the draw.
        later: days that pass after the data's end.
        mail: whether messages were sent.
    """

    of: Callable[[Shop], Shop]
    refused: Mapping[str, str] = field(default_factory=dict)
    fallback: Mapping[str, str] = field(default_factory=dict)
    customers: int = CUSTOMERS
    later: int = 0
    mail: bool = False


NO_REPEAT = "at least 5 customers who bought again; there are 0"
NO_ORDER = "There is no order yet"
NO_CATEGORY = 'No "Order Completed" says a category of what was bought'
NO_GOODS = 'No "Order Completed" says what was bought: 0 of them'
NOT_OFTEN = "0 customers bought the same product on 3 days or more; 50 are needed"
NOBODY = "came true of nobody, so there is nothing to learn"
NO_CASE = "At no earlier instant was a customer there of whom it could have come true"
FEW = r"There are \d+ positives among [\d,]+ rows; a model needs 100 or more"
NO_MAIL = 'Fewer than 50 of "Email Sent"'
NO_AMOUNT = "No order has an amount above 0, so orders are foretold and value isn't"
SILENT = "Nobody at all has ordered for"
ACTS = "it is when and where customers act by themselves"

WORLDS: Mapping[str, World] = {
    "one customer": World(
        one_customer,
        {
            "value": "at least 20 customers; there is 1",
            "churn": "at least 20 customers; there is 1",
            "category": "No category was bought by 20 customers or more",
            "response": NO_MAIL,
            "reach": "50 of them must have done something .*; 1 did",
            "price": "1 customer with orders is too few",
            "replenish": NOT_OFTEN,
            "taste": "1 customer who bought isn't one",
            "needs": "needs are found from 50",
            "outcome": "Customers known 80 days ago: 1",
        },
    ),
    "no repeat buyers": World(
        no_repeat_buyers,
        {
            "value": NO_REPEAT,
            "churn": NO_REPEAT,
            "category": NOBODY,
            "response": NO_MAIL,
            "replenish": NOT_OFTEN,
            "needs": "needs are found from 50",
            "outcome": NO_CASE,
        },
        {"price": "all get the base's share", "reach": ACTS},
    ),
    "negative spend": World(
        lambda shop: put(shop, "lines", price=lambda _, price: -price),
        {"response": NO_MAIL},
        fallback={"value": NO_AMOUNT, "category": FEW, "outcome": FEW, "reach": ACTS},
    ),
    "all on one day": World(
        lambda shop: put(shop, "lines", at=FIRST + timedelta(days=180, hours=12)),
        {
            "value": NO_REPEAT,
            "churn": NO_REPEAT,
            "category": NOBODY,
            "response": NO_MAIL,
            "replenish": NOT_OFTEN,
            "outcome": "came true of everybody",
        },
        {"reach": ACTS},
    ),
    "constant columns": World(
        constant,
        {
            "price": "All of 3,005 orders bear a discount",
            "replenish": "None of 1 products is bought more regularly",
            "taste": "all orders are of one category",
            "needs": "needs are found from 50",
        },
        {"outcome": FEW, "reach": ACTS},
        mail=True,
    ),
    "all-missing columns": World(
        all_missing,
        {
            "category": NO_CATEGORY,
            "price": "None of .* orders bear a discount",
            "replenish": "No order names a product",
            "taste": NO_GOODS,
            "needs": NO_GOODS,
        },
        {"outcome": FEW, "reach": ACTS},
        mail=True,
    ),
    "many levels": World(
        many_levels,
        {"category": "No category was bought by 20 customers", "replenish": NOT_OFTEN, "response": NO_MAIL},
        {"reach": "all get the base's"},
        customers=180,
    ),
    "clock in the future": World(
        lambda shop: shop,
        {"category": NOBODY, "reach": "0 did", "outcome": NO_CASE, "value": SILENT, "churn": SILENT},
        {},
        later=YEARS,
        mail=True,
    ),
    "no amounts": World(
        lambda shop: put(shop, "lines", price=""),
        {"response": NO_MAIL},
        {"value": NO_AMOUNT, "category": FEW, "outcome": FEW, "reach": ACTS},
    ),
    "empty store": World(
        lambda _: Shop(),
        {
            "value": NO_ORDER,
            "churn": NO_ORDER,
            "category": NO_CATEGORY,
            "response": NO_MAIL,
            "reach": "0 did",
            "price": "0 customers with orders are too few",
            "replenish": "No order names a product",
            "taste": NO_GOODS,
            "needs": NO_GOODS,
            "outcome": "Customers known 80 days ago: 0",
        },
    ),
    "no orders": World(
        lambda shop: kept(shop, lambda source, _: source != "lines"),
        {
            "value": NO_ORDER,
            "churn": NO_ORDER,
            "category": NO_CATEGORY,
            "price": "0 customers with orders are too few",
            "replenish": "No order names a product",
            "taste": NO_GOODS,
            "needs": NO_GOODS,
            "outcome": NO_CASE,
        },
        {"reach": ACTS},
        mail=True,
    ),
}


@dataclass
class Ran:
    """What every kind said in a world, one after another.

    Args:
        workspace: open.
        said: by kind, what it did or why it was refused.
        left: by kind that was refused, what stood in the store before and after.
    """

    workspace: Workspace
    said: dict[str, Predicted | Refused]
    left: dict[str, tuple[dict[str, int], dict[str, int]]]


def standing(workspace: Workspace) -> dict[str, int]:
    """The rows of each table of the store."""
    names = [name for (name,) in workspace.store.rows("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")]
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in names)
    return {name: int(count) for name, count in workspace.store.rows(counts)}


def run(workspace: Workspace) -> Ran:
    ran = Ran(workspace, {}, {})
    for name in KINDS:
        before = standing(workspace)
        try:
            ran.said[name] = workspace.models.predict([name])
        except Refused as refusal:
            ran.said[name], ran.left[name] = refusal, (before, standing(workspace))
    return ran


@pytest.fixture(scope="module", params=list(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


@pytest.fixture(scope="module")
def ran(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    root = tmp_path_factory.mktemp("world") / "shop"
    with opened(root, world.of(base(world.customers, world.mail)), models=MODELS) as workspace:
        if world.later:
            workspace.store.execute(
                f"UPDATE meta SET value = CAST(CAST(value AS BIGINT) + {world.later * DAY} AS VARCHAR) "
                "WHERE key = 'clock_offset'"
            )
        yield run(workspace)


def test_every_kind_has_settings() -> None:
    """Breaks if a new kind isn't run on bad input."""
    assert set(SETTINGS) == set(KINDS)
    assert {name for world in WORLDS.values() for name in (*world.refused, *world.fallback)} <= set(KINDS)


@pytest.mark.parametrize("name", list(KINDS))
def test_a_refusal_or_sound_scores(name: str, world: World, ran: Ran) -> None:
    """Breaks if a kind crashes, scores what the data don't bear, keeps quiet about a fallback, or leaves half a run."""
    said = ran.said[name]
    if isinstance(said, Refused):
        assert name in world.refused, said
        assert re.search(world.refused[name], said.problem)
        assert said.fix
        before, after = ran.left[name]
        assert after == before
        return
    assert name not in world.refused
    evidence = said.versions[name].evidence
    if name in world.fallback:
        assert re.search(world.fallback[name], evidence.fallback)
    else:
        assert evidence.fallback == ""
    assert said.skipped == {}
    holds_no_nan(said, name)
    for column in columns_of(ran.workspace, name):
        holds_its_values(column)


def holds_no_nan(said: Predicted, name: str) -> None:
    """Whatever is kept of a fit is JSON in the strict sense: no figure is NaN or without end."""
    version = said.versions[name]
    for kept_ in (version.state, version.evidence.document(), version.frames, version.references):
        json.dumps(kept_, allow_nan=False)


def columns_of(workspace: Workspace, name: str) -> tuple[Score, ...]:
    with workspace.models.as_of() as known:
        return restored(workspace.models.version(name)).scores(known)


def test_the_others_run_where_one_cannot(world: World, ran: Ran) -> None:
    """Breaks if a run of all models fails because some can't be had, or passes over that without a word."""
    if len(world.refused) == len(KINDS):
        before = standing(ran.workspace)
        with pytest.raises(Refused) as refusal:
            ran.workspace.models.predict()
        assert all(re.search(said, refusal.value.problem) for said in world.refused.values())
        assert standing(ran.workspace) == before
        return
    done = ran.workspace.models.predict()
    assert set(done.versions) == set(KINDS) - set(world.refused)
    assert set(done.refused) == set(world.refused)
    assert all(re.search(said, done.refused[name]) for name, said in world.refused.items())
