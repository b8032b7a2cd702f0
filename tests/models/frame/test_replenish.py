"""Replenishment: the planted cycle is told from chance, its day is foretold, and who has given up isn't bothered."""

from __future__ import annotations

import numpy as np
import pytest

from models.frame.made_shop import known
from models.frame.planted import DAYS, END, MONDAY, cycles, fitted, hold_laws, item, order, reasons, scored, store_of
from shoal.errors import Refused
from shoal.insight.models.model import Settings
from shoal.insight.models.replenish import Replenish
from shoal.insight.taste.cycles import Cycles, Gaps, medians
from shoal.sql.duck import DuckStore

TODAY = MONDAY + DAYS


@pytest.fixture(scope="module")
def shop() -> DuckStore:
    gone = [order("gone", d, items=[item("milk")]) for d in range(0, 200, 10)]
    return store_of([*cycles(), *gone])


def test_only_what_is_bought_at_regular_intervals_has_a_cycle(shop: DuckStore) -> None:
    """Breaks if the null isn't the customer's own order days: sweets and bread fall on random ones."""
    model = fitted(shop, "replenish")
    assert isinstance(model, Replenish)
    assert model.cycles.items == ("one milk",)
    assert float(np.exp(model.cycles.typical[0])) == pytest.approx(10.5, abs=1.5)


def test_the_day_lies_a_gap_of_the_customers_own_after_the_last(shop: DuckStore) -> None:
    """Breaks if dates are off by a day, or the customer's own gap is lost in the item's."""
    found = scored(shop, fitted(shop, "replenish"))
    days = {c: [] for c in found["replenish_on"]}
    for event in cycles():
        if any(i["category"] == "milk" for i in event.properties["products"]) and event.customer in days:
            days[event.customer].append(event.ts // 86_400_000_000)
    off = [found["replenish_on"][c] - (d[-1] + np.median(np.diff(d))) for c, d in days.items()]
    assert len(off) > 100
    assert float(np.median(np.abs(off))) <= 1
    assert all(found["replenish_from"][c] <= found["replenish_on"][c] <= found["replenish_until"][c] for c in days)
    assert min(found["replenish_from"].values()) >= TODAY


def test_who_has_given_an_item_up_needs_nothing(shop: DuckStore) -> None:
    """Breaks if a customer who stopped half a year ago is told to be due today for ever."""
    model = fitted(shop, "replenish")
    assert "gone" not in scored(shop, model)["replenish_product"]
    assert "no product at regular intervals" in reasons(shop, model, "gone")
    assert reasons(shop, model, "c001").startswith("one milk: bought on ")


def test_chance_alone_is_refused() -> None:
    """Breaks if regularity is found in purchases on random days."""
    random = np.random.default_rng(4)
    events = [order(f"c{c:03}", d, items=[item(str(random.choice(["milk", "bread", "eggs"])))])
              for c in range(80) for d in random.choice(DAYS, 40, replace=False)]  # fmt: skip
    with pytest.raises(Refused, match="None of 3 products is bought more regularly than chance"):
        fitted(store_of(events), "replenish")


def test_too_few_repeats_are_refused_with_their_number() -> None:
    """Breaks if a cycle is made of two purchases, or of a handful of customers."""
    twice = [order(f"c{c:03}", d, items=[item("milk")]) for c in range(80) for d in (10, 20)]
    with pytest.raises(Refused, match="0 customers bought the same product on 3 days or more; 50 are needed"):
        fitted(store_of(twice), "replenish")


def test_products_without_names_leave_it_to_categories() -> None:
    """Breaks if customers are told that they need 1029743."""
    events = [order(e.customer, e.ts // 86_400_000_000 - MONDAY, items=[
        {"category": i["category"], "product_id": 1_000_000 + len(i["category"])} for i in e.properties["products"]])
        for e in cycles()]  # fmt: skip
    store = store_of(events)
    assert set(scored(store, fitted(store, "replenish"))["replenish_product"].values()) == {"milk"}
    asked = scored(store, fitted(store, "replenish", of="product"))
    assert set(asked["replenish_product"].values()) == {"1000004"}


def test_its_backtest_beats_its_baselines_where_a_cycle_is_planted(shop: DuckStore) -> None:
    """Breaks if the next purchase is looked for before the cut, or baselines have wider windows."""
    with known(shop, END) as now:
        found = Replenish.backtest(now, Settings("replenish", "replenish", 60))
    assert found.who() == ["replenish", "item's cycle", "own gap", "most bought"]
    assert (found.mean("replenish", "hit") or 0) > 0.75
    assert (found.mean("replenish", "days off") or 9) < (found.mean("item's cycle", "days off") or 0)
    assert (found.mean("replenish", "days off") or 9) < (found.mean("most bought", "days off") or 0)


def test_medians_are_numpys() -> None:
    """Breaks if a pair's median takes a neighbour's gap."""
    random = np.random.default_rng(0)
    pair = np.sort(random.integers(0, 50, 600))
    log = random.normal(size=600)
    found = medians(Gaps(pair, log).pair, log, 51)
    assert np.allclose(found[:50], [np.median(log[pair == p]) for p in range(50)])
    assert np.isnan(found[50])


def test_what_is_overdue_is_foretold_from_what_is_left() -> None:
    """Breaks if a day in the past is foretold: the quantiles are those of gaps that aren't over yet."""
    spread = tuple(np.linspace(-1, 1, 101).tolist())
    made = Cycles(("a",), (np.log(10.0),), 0.0, spread)
    foretold = np.log(np.array([10.0, 10.0]))
    elapsed = np.array([0, 15])
    past = made.past(foretold, elapsed)
    assert past[0] == 0
    assert past[1] == pytest.approx((np.log(1.5) + 1) / 2)
    low, high = made.window(foretold, past, 0.8)
    assert low[1] >= 15 - 1e-9
    assert made.days(foretold, past, 0.5)[1] > 15
    assert made.days(foretold, past, 0.5)[0] == pytest.approx(10)
    assert high[0] - low[0] <= 10 * (np.exp(0.8) - np.exp(-0.8)) + 1e-9


def test_laws() -> None:
    """Breaks if the future leaks, twins differ, rows' order matters, or a state loses something."""
    hold_laws(
        "replenish", cycles(60), [order("c001", 361, items=[item("milk")]), order("c003", 362, items=[item("milk")])]
    )
