"""Tastes of customers from a store: planted leans are found beyond the base, popular goods are nobody's taste."""

from __future__ import annotations

import numpy as np
import pytest

from models.frame.made_shop import known
from models.frame.planted import (
    DAYS,
    END,
    GROUPS,
    MONDAY,
    baskets,
    fitted,
    hold_laws,
    item,
    order,
    reasons,
    scored,
    store_of,
)
from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.model import Settings
from shoal.insight.models.taste import Taste
from shoal.shapes import ORDER_REFUNDED, PRODUCT_VIEWED, Event
from shoal.sql.duck import DuckStore

SETTINGS = Settings("taste", "taste", 60)


def group_of(number: int) -> tuple[str, ...]:
    return list(GROUPS.values())[number % len(GROUPS)]


@pytest.fixture(scope="module")
def shop() -> DuckStore:
    """The planted groups, each order with milk as well, and one customer who bought one rare thing."""
    events = [order(e.customer, e.ts // DAY - MONDAY, items=[*e.properties["products"], item("milk", brand="plain")])
              for e in baskets()]  # fmt: skip
    return store_of([*events, order("once", 350, items=[item("telescope", brand="rare")])])


def test_customers_lean_to_their_planted_group(shop: DuckStore) -> None:
    """Breaks if amounts go to the wrong customer or item, or the base isn't taken out: milk is everybody's."""
    found = scored(shop, fitted(shop, "taste", half_life=365))
    told = [(item_, group_of(int(c[1:]))) for c, tastes in found["tastes"].items() if tastes for item_ in tastes]
    assert len(told) > 100
    assert np.mean([item_ in group for item_, group in told]) > 0.98
    assert not any("milk" in (tastes or ()) for tastes in found["tastes"].values())
    assert max(len(tastes or ()) for tastes in found["tastes"].values()) == 3
    assert {b for brands in found["tastes_brands"].values() for b in brands or ()} <= {
        f"brand of {i}" for g in GROUPS.values() for i in g
    }


def test_affinities_are_scored_for_what_is_taken_most(shop: DuckStore) -> None:
    """Breaks if ``most`` isn't kept, or who takes none of an item has no value for it."""
    found = scored(shop, fitted(shop, "taste", most=5))
    affinities = {name: values for name, values in found.items() if name.startswith("affinity_")}
    assert len(affinities) == 5
    assert "affinity_milk" in affinities
    assert all(len(values) == 241 for values in affinities.values())
    assert affinities["affinity_milk"]["once"] < 1


def test_one_purchase_does_not_make_a_fan(shop: DuckStore) -> None:
    """Breaks if the lower end isn't held above 1: one telescope of one customer is a lift of hundreds unshrunk."""
    model = fitted(shop, "taste")
    assert scored(shop, model)["tastes"]["once"] is None
    assert reasons(shop, model, "once") == "Nothing that the customer took stands out from what the base takes."


def test_reasons_bear_the_figures(shop: DuckStore) -> None:
    """Breaks if a reason isn't what the score rests on."""
    model = fitted(shop, "taste", half_life=365)
    tastes = scored(shop, model)["tastes"]
    one = next(c for c, t in tastes.items() if t)
    assert reasons(shop, model, one).startswith(f"{tastes[one][0]}: ")
    assert "where the base would have" in reasons(shop, model, one)


def test_viewing_counts_less_and_a_refund_takes_away() -> None:
    """Breaks if views or refunds are left out: c000 looks at red wine on 60 days, c002 gives all its leashes back."""
    events = baskets()
    views = [Event("c000", PRODUCT_VIEWED, (MONDAY + d) * DAY, {"category": "red"}) for d in range(DAYS - 60, DAYS)]
    spree = [order("c002", d, items=[item("leash", brand="b")]) for d in range(DAYS - 40, DAYS, 2)]
    back = [
        Event("c002", ORDER_REFUNDED, e.ts + 3600, {"revenue": -5, "products": e.properties["products"]}) for e in spree
    ]
    plain, seen, gone = (
        store_of([*events, *spree]),
        store_of([*events, *spree, *views]),
        store_of([*events, *spree, *back]),
    )
    before, after, returned = (scored(s, fitted(s, "taste", most=30)) for s in (plain, seen, gone))
    assert after["affinity_red"]["c000"] > before["affinity_red"]["c000"] + 1
    assert "leash" in before["tastes"]["c002"]
    assert "leash" not in (returned["tastes"]["c002"] or ())


def test_old_purchases_fade(shop: DuckStore) -> None:
    """Breaks if the half-life isn't read: under a short one a year-old habit is no taste any more."""
    old = [order("c003", d, items=[item("yeast", brand="b")]) for d in range(0, 120, 3)]
    store = store_of([e for e in baskets() if e.customer != "c003"] + old)
    assert scored(store, fitted(store, "taste", half_life=3650))["tastes"]["c003"] == ("yeast",)
    assert not scored(store, fitted(store, "taste", half_life=14))["tastes"].get("c003")


def test_without_categories_products_stand_in_and_it_says_so() -> None:
    """Breaks if a shop without categories has no tastes, or doesn't say what they are made of."""
    events = [order(e.customer, e.ts // DAY - MONDAY, items=[{"name": i["category"]} for i in e.properties["products"]])
              for e in baskets()]  # fmt: skip
    store = store_of(events)
    model = fitted(store, "taste", half_life=365)
    assert "products that are bought most stand in" in model.evidence.fallback
    assert sum(t is not None for t in scored(store, model)["tastes"].values()) > 50


def test_attributes_are_tastes_too() -> None:
    """Breaks if a further field of the items isn't read: colour tells groups apart, a text of its own for each order doesn't."""
    events = [
        order(f"c{c:03}", d * 9, items=[{"category": "shoe" if d % 2 else "hat", "colour": "red" if c % 2 else "blue",
                                        "engraving": f"{c}-{d}"}])
        for c in range(60) for d in range(10, 40)
    ]  # fmt: skip
    store = store_of(events)
    found = scored(store, fitted(store, "taste", half_life=365))
    assert found["tastes_colour"]["c001"] == ("red",)
    assert found["tastes_colour"]["c002"] == ("blue",)
    assert "tastes_engraving" not in found


def test_a_thousand_categories_are_limited_and_it_says_so() -> None:
    """Breaks if every category becomes a part of the model, or the limit isn't told."""
    random = np.random.default_rng(1)
    events = [order(f"c{c:03}", d, items=[item(f"kind {random.integers(1500)}") for _ in range(20)])
              for c in range(40) for d in range(0, 20, 5)]  # fmt: skip
    model = fitted(store_of(events), "taste")
    assert isinstance(model, Taste)
    assert len(model.bases[0].items) == 300
    assert any("the 300 that are taken most are told apart" in note for note in model.evidence.notes)


def test_what_says_nothing_is_refused() -> None:
    """Breaks if a taste is made of orders without goods, of one category, or of a handful of customers."""
    with pytest.raises(Refused, match="0 of them name a category or a product"):
        fitted(store_of([Event("a", "Order Completed", END - DAY, {"revenue": 1})]), "taste")
    with pytest.raises(Refused, match="all orders are of one category"):
        fitted(store_of([order(f"c{i}", 1) for i in range(50)]), "taste")
    with pytest.raises(Refused, match="5 customers who bought"):
        fitted(store_of([order(f"c{i}", d, items=[item("ab"[d % 2])]) for i in range(5) for d in (1, 2)]), "taste")


def test_its_backtest_beats_its_baselines_where_taste_is_planted(shop: DuckStore) -> None:
    """Breaks if what came is read from before the cut, or a baseline picks more items than the model does."""
    with known(shop, END) as now:
        found = Taste.backtest(now, Settings("taste", "taste", 60, {"half_life": 365}))
    assert found.who() == ["taste", "popularity", "frequency", "recency"]
    for rival in ("popularity", "frequency", "recency"):
        assert (found.mean("taste", "lean kept") or 0) > (found.mean(rival, "lean kept") or 1)
    counts = {m.n for p in found.periods for m in p.measures}
    assert len(counts) == len(found.periods)


def test_laws() -> None:
    """Breaks if the future leaks, twins differ, rows' order matters, or a state loses something."""
    hold_laws(
        "taste", baskets(100), [order("c001", 361, items=[item("anvil")] * 3), order("c002", 365, items=[item("red")])]
    )


def test_scores_in_batches_of_customers_are_the_same(shop: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a customer at the edge of a batch is lost or counted twice."""
    model = fitted(shop, "taste", half_life=365)
    whole = scored(shop, model)
    monkeypatch.setattr("shoal.insight.taste.lines.BATCH", 37)
    assert scored(shop, model) == whole
