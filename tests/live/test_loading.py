"""The engine filled from a store names the members that the naive evaluator names."""

from __future__ import annotations

import pytest

from proof import draw, naive
from proof.product import product
from shoal.customers.learning import Types
from shoal.customers.writer import write_records
from shoal.insight.feeding import feed
from shoal.insight.resident import extend_engine, load_engine
from shoal.lang.calendar import zone
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.live.engine import Engine
from shoal.shapes import Event, TraitChange
from shoal.sql.duck import DuckStore
from shoal.sql.layout import create
from shoal.sql.registry import learned_schema


@pytest.mark.parametrize("seed", [1, 2])
def test_a_loaded_engine_names_the_members(seed: int) -> None:
    """Breaks if a table is read out of order, a column is left out or a message id is missing where ties need it."""
    batch = draw.batch(seed)
    at = next(at for at, known_at in batch.questions if known_at is None)
    slugs = sorted(batch.world.segments)
    with product(batch.world) as evaluator:
        store, schema, all_ = evaluator.engine.store, evaluator.schema, evaluator.definitions
        engine = load_engine(store, schema, {}, at, recording=False)
        assert not engine.state.events
        assert extend_engine(engine, store, all_)
        assert not engine.missing(all_)
        engine.define(all_)
        engine.build()
        whole = load_engine(store, schema, all_, at, recording=False)
        whole.build(quiet=True)
        for slug in slugs:
            wanted = sorted(naive.members(batch.world, batch.world.segments[slug], at))
            assert sorted(engine.members(slug)) == wanted, slug
            assert sorted(whole.members(slug)) == wanted, slug


DAY = 86_400_000_000
NOW = 20_000 * DAY
LATER = {
    "came": 'did "Order"',
    "rich": 'sum(amount of "Order") >= 30',
    "shop": 'count("Order" where shop = "b") >= 2',
    "pro": 'plan = "pro"',
    "of-big": "account.size > 5",
}


def _records(day: int, who: str, shop: str, plan: str) -> list[object]:
    ts = NOW - day * DAY
    return [
        Event(who, "Order", ts, {"amount": 20, "shop": shop, "note": "n"}, f"{who}-{day}"),
        Event(who, "Visit", ts, {}, f"{who}-v{day}"),
        TraitChange(who, "plan", plan, ts, f"{who}-p{day}"),
        TraitChange(who, "account_id", f"acme-{shop}", ts, f"{who}-a{day}"),
        TraitChange(f"acme-{shop}", "size", day, ts, f"{who}-s{day}", scope="account"),
    ]


@pytest.mark.parametrize("before", [{}, {"visited": 'did "Visit"'}, {"ordered": 'did "Order"'}])
def test_what_came_meanwhile_does_not_stand_for_what_the_store_has(before: dict[str, str]) -> None:
    """Breaks if events, properties or traits that no definition named count only from the first live one on."""
    stored = [*_records(9, "ann", "b", "pro"), *_records(8, "bob", "b", "pro"), *_records(7, "cleo", "a", "free")]
    live = [*_records(3, "ann", "b", "free"), *_records(2, "dan", "b", "pro")]
    live.append(Event("ann", "Order", NOW - DAY, {"amount": 20, "shop": "b", "gift": True}, "new"))
    store = DuckStore.open(":memory:")
    create(store, zone="UTC", now=0)
    write_records(store, stored, zone=zone("UTC"), received=NOW)
    traits, events = learned_schema(store)
    types = Types(traits, events)
    schema = Schema(traits=types.traits, events=types.events)
    engine = load_engine(store, schema, _definitions(before), NOW, recording=False)
    engine.build(quiet=True)
    types.learn(live)
    engine.learn(schema)
    for record in live:
        feed(engine, record, types.traits, types.events)
    engine.settle()
    write_records(store, live, zone=zone("UTC"), received=NOW)
    head, arrays = engine.arrays()
    for one in (engine, Engine.from_arrays(head, arrays, schema, _definitions(before), recording=False)):
        wanted = _definitions({**before, **LATER})
        extend_engine(one, store, wanted)
        one.define(wanted)
        one.settle()
        found = {slug: set(one.members(slug)) for slug in LATER}
        assert found == {
            "came": {"ann", "bob", "cleo", "dan"},
            "rich": {"ann"},
            "shop": {"ann"},
            "pro": {"bob", "dan"},
            "of-big": {"cleo"},
        }


def _definitions(texts: dict[str, str]) -> dict[str, Definition]:
    return {slug: Definition(slug, slug, parse(text)) for slug, text in texts.items()}


LINES = {
    "ann": [{"brand": "x", "price": 9, "tags": ["new"]}, {"brand": "y", "price": 1, "tags": []}],
    "bob": [{"brand": "x", "price": 1, "tags": ["old"]}, {"brand": "y", "price": 9, "tags": ["new"]}],
    "cleo": [{"brand": None, "price": 9, "tags": None}],
    "dan": [],
    "eve": None,
}
ASKED = {
    "dear": 'did "Order" where any lines (brand = "x" and price > 5)',
    "not-cheap": 'did "Order" where (not any lines (price < 5))',
    "new": 'did "Order" where (any lines (tags contains "new") and any lines (brand = "x"))',
    "unbranded": 'did "Order" where any lines (brand is missing)',
}


@pytest.mark.parametrize("before", [{}, {"x": 'did "Order" where any lines (brand = "x")'}, ASKED])
def test_fields_of_items_that_nobody_asked_for_are_read_when_somebody_does(before: dict[str, str]) -> None:
    """Breaks if an item's field that isn't held counts as missing, or a list loses an item on its way to a snapshot and back."""

    def order(who: str, day: int) -> Event:
        lines = LINES[who]
        return Event(who, "Order", NOW - day * DAY, {} if lines is None else {"lines": lines}, f"{who}-{day}")

    store = DuckStore.open(":memory:")
    create(store, zone="UTC", now=0)
    write_records(store, [order(who, 9) for who in ("ann", "cleo", "dan")], zone=zone("UTC"), received=NOW)
    traits, events = learned_schema(store)
    types = Types(traits, events)
    live = [order(who, 3) for who in LINES]
    types.learn(live)
    schema = Schema(traits=types.traits, events=types.events)
    engine = load_engine(store, schema, _definitions(before), NOW, recording=False)
    for record in live:
        feed(engine, record, types.traits, types.events)
    engine.settle()
    write_records(store, live, zone=zone("UTC"), received=NOW)
    head, arrays = engine.arrays()
    wanted = _definitions({**before, **ASKED})
    for one in (engine, Engine.from_arrays(head, arrays, schema, _definitions(before), recording=False)):
        extend_engine(one, store, wanted)
        one.define(wanted)
        one.settle()
        assert {slug: set(one.members(slug)) for slug in ASKED} == {
            "dear": {"ann"},
            "not-cheap": {"cleo", "dan", "eve"},
            "new": {"ann", "bob"},
            "unbranded": {"cleo"},
        }
