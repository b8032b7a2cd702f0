"""The chance to buy from each category, on a made shop whose customers have a taste."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest

from models.frame.made_shop import (
    CATEGORIES,
    DAYS,
    END,
    START,
    history,
    known,
    order,
    people,
    scores_of,
    store_of,
    write,
)
from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.category import Category, traits_of
from shoal.insight.models.model import Evidence, Settings
from shoal.shapes import Event
from shoal.sql.duck import DuckStore

SETTINGS = Settings("category", "category", 45, {"learner": "logistic"})


@pytest.fixture(scope="module")
def shop() -> Iterator[DuckStore]:
    made = store_of(history())
    yield made
    made.close()


@pytest.fixture(scope="module")
def model(shop: DuckStore) -> Category:
    with known(shop, END) as now:
        return Category.fitted(now, SETTINGS)


def test_the_traits_bear_the_category_and_the_horizon(model: Category, shop: DuckStore) -> None:
    """Breaks if a trait's name doesn't say what is foretold over which time, or a chance is none."""
    found = scores_of(model, shop)
    assert set(found) == {"p_buy_wine_45d", "p_buy_bread_45d", "p_buy_toys_45d", "next_category"}
    assert all(0 < p < 1 for p in found["p_buy_wine_45d"].values())
    names = {f"p_buy_{c.lower()}_45d": c for c in model.learnt}
    for who, category in found["next_category"].items():
        assert category == max(names, key=lambda n: found[n][who]).replace("p_buy_", "").replace("_45d", "").title()


def test_it_finds_who_has_which_taste(model: Category, shop: DuckStore) -> None:
    """Breaks if the columns of one category are handed to the classifier of another."""
    found = scores_of(model, shop)
    alive = [p for p in people(400, 1) if p.leaves > DAYS and p.every < 20]
    right = [found["next_category"][p.id] == CATEGORIES[p.taste] for p in alive]
    assert np.mean(right) > 0.9
    gone = np.mean([found["p_buy_wine_45d"][p.id] for p in people(400, 1) if p.leaves < 200])
    assert np.mean([found["p_buy_wine_45d"][p.id] for p in alive]) > 3 * gone


def test_its_backtest_has_its_baselines(shop: DuckStore) -> None:
    """Breaks if a baseline is missing, or what was bought before the cut counts as foretold."""
    with known(shop, END) as now:
        found = Category.backtest(now, SETTINGS, 2)
    assert found.who() == ["model", "recency", "frequency", "popularity", "own past"]
    assert 0.75 < (found.mean("model", "auc") or 0) < 0.97
    assert (found.mean("model", "brier") or 1) < (found.mean("recency", "brier") or 0)
    assert found.mean("popularity", "auc") == 0.5
    assert found.mean("model", "auc, Wine") is not None
    hits = [found.mean(who, "hit of the next") or 0 for who in ("model", "own past", "popularity")]
    assert hits[0] > hits[2]
    assert set(found.frames) == {"calibration", "deciles"}


def test_the_future_changes_nothing(model: Category) -> None:
    """Breaks if a fit or its scores know of orders after their instant."""
    store = store_of(history())
    write(store, [order(f"c{i:04}", END + (1 + i % 40) * DAY, 900, "Toys", "Cars") for i in range(400)])
    with known(store, END) as then:
        assert Category.fitted(then, SETTINGS).state() == model.state()
    store.close()


def test_it_is_kept_and_equal_customers_are_equal(model: Category) -> None:
    """Breaks if a restored model scores otherwise, or two customers of one history differ."""
    state, evidence = (json.loads(json.dumps(x)) for x in (model.state(), model.evidence.document()))
    again = Category.restored(SETTINGS, Evidence.from_document(evidence), state)
    store = store_of(history(100))
    write(store, [order(f"twin{i}", END - d * DAY, 20, "Wine", "Toys") for i in range(3) for d in (5, 30, 70)])
    found = scores_of(model, store)
    assert scores_of(again, store) == found
    for values in found.values():
        assert values["twin0"] == values["twin1"] == values["twin2"]
    store.close()


def test_reasons_speak_of_the_likeliest_category(model: Category, shop: DuckStore) -> None:
    """Breaks if the reasons are of another category than the one that is named, or of who never ordered."""
    ((key,),) = shop.rows("SELECT key FROM customers WHERE id = 'c0003'")
    with known(shop, END) as now:
        first, *because = model.reasons(now, key)
    named = scores_of(model, shop)["next_category"]["c0003"]
    assert first.startswith(f"Most probable is {named}, with a chance of ")
    assert because
    assert all(line.endswith("times the average's)") for line in because)


def test_categories_may_be_chosen(shop: DuckStore) -> None:
    """Breaks if the setting is passed over, or a slip in it gives a model of nothing."""
    with known(shop, END) as now:
        chosen = Category.fitted(now, Settings("c", "category", 45, {**SETTINGS.options, "categories": ["Toys"]}))
        assert list(chosen.learnt) == ["Toys"]
        assert [s.name for s in chosen.scores(now)] == ["p_buy_toys_45d", "c_next"]
        assert any(
            re.match(r"Nobody's value of plan has changed since \d+ [A-Z][a-z]+ 2022\.", n)
            for n in chosen.evidence.notes
        )
        bare = Category.fitted(now, Settings("c", "category", 45, {"categories": ["Toys"], "without": ["plan"]}))
        assert not bare.plan.traits
        assert not any("has changed" in n for n in bare.evidence.notes)
        with pytest.raises(Refused, match="Nothing was bought from Tois yet"):
            Category.fitted(now, Settings("c", "category", 45, {"categories": ["Toys", "Tois"]}))


def test_names_that_would_be_the_same_are_numbered() -> None:
    """Breaks if two categories write one trait."""
    names = traits_of({"Bread & Buns": 0, "Bread, Buns": 0, "Brot": 0}, 30)
    assert list(names.values()) == ["p_buy_bread_buns_30d", "p_buy_bread_buns_2_30d", "p_buy_brot_30d"]


def test_orders_without_a_category_are_refused() -> None:
    """Breaks if a shop without categories gets chances from nowhere."""
    store = store_of([
        Event(f"c{i}", "Order Completed", START + d * DAY, {"revenue": 5}) for i in range(60) for d in range(0, DAYS, 30)
    ])  # fmt: skip
    with known(store, END) as now, pytest.raises(Refused, match='No "Order Completed" says a category'):
        Category.fitted(now, SETTINGS)
    store.close()


def test_a_million_categories_are_no_model() -> None:
    """Breaks if categories that are hardly bought are learnt one by one."""
    store = store_of([order(f"c{i}", START + d * DAY, 5, f"k{i}-{d}") for i in range(60) for d in range(0, DAYS, 30)])
    with known(store, END) as now, pytest.raises(Refused, match="No category was bought by 20 customers"):
        Category.fitted(now, SETTINGS)
    store.close()
