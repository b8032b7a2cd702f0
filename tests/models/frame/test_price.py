"""The share of discounts to come, and who waits for one: planted kinds are told apart, and nothing is claimed of few."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.frame.made_shop import known
from models.frame.planted import END, discounts, fitted, hold_laws, item, order, reasons, scored, store_of
from shoal.errors import Refused
from shoal.insight.models.model import Settings
from shoal.insight.models.price import FULL, MIXED, UNKNOWN, WAITS, Price
from shoal.insight.taste.credibility import strength, strength_of_counts
from shoal.sql.duck import DuckStore

SETTINGS = Settings("price", "price", 60)


@pytest.fixture(scope="module")
def shop() -> DuckStore:
    return store_of([*discounts(), order("newcomer", 350, discount=3)])


def test_it_tells_the_planted_kinds_apart(shop: DuckStore) -> None:
    """Breaks if discounts go to the wrong customer, or a word's bounds are turned round."""
    words = scored(shop, fitted(shop, "price"))["price_sensitivity"]
    kinds = [Counter(words[f"c{i:03}"] for i in range(start, 180, 3)) for start in range(3)]
    assert kinds[0][WAITS] >= 55
    assert kinds[1][MIXED] >= 50
    assert kinds[2][FULL] >= 55
    assert words["newcomer"] == UNKNOWN


def test_one_order_is_shrunk_to_the_base(shop: DuckStore) -> None:
    """Breaks if one discount makes a share of 100 %."""
    model = fitted(shop, "price")
    share = scored(shop, model)["discount_share_60d"]
    assert isinstance(model, Price)
    assert share["newcomer"] == pytest.approx((1 + model.weight * model.base) / (1 + model.weight))
    assert model.base < share["newcomer"] < 0.95
    assert "1 order bore a discount" in reasons(shop, model, "newcomer")


def test_lines_tell_more_than_orders_where_they_say_it() -> None:
    """Breaks if an order counts as wholly discounted for one of its lines."""
    events = [
        order(f"c{c:03}", day, items=[item("a", discount=1.0 if c % 2 else 0.0), *(item("b", discount=0.0) for _ in "123")])
        for c in range(60) for day in range(0, 100, 10)
    ]  # fmt: skip
    store = store_of(events)
    found = scored(store, fitted(store, "price"))["discount_share_60d"]
    assert found["c001"] == pytest.approx(0.25, abs=0.01)
    assert found["c000"] == pytest.approx(0.0, abs=0.01)


def test_what_cannot_be_known_is_refused_with_numbers() -> None:
    """Breaks if a share is made of data that hold no discount, only discounts, or hardly any customer."""
    with pytest.raises(Refused, match="neither a discount nor a coupon"):
        fitted(store_of([order("a", 1)]), "price")
    with pytest.raises(Refused, match="20 customers with orders are too few"):
        fitted(store_of(discounts(20)), "price")
    with pytest.raises(Refused, match="None of 120 orders"):
        fitted(store_of([order(f"c{i}", d, discount=0.0) for i in range(60) for d in (1, 9)]), "price")
    with pytest.raises(Refused, match="All of 60 orders"):
        fitted(store_of([order(f"c{i}", 1, discount=2.0) for i in range(60)]), "price")


def test_customers_who_do_not_differ_all_get_the_base_and_it_says_so() -> None:
    """Breaks if chance is taken for a difference: one order each can't show any."""
    store = store_of([order(f"c{i:03}", i, discount=float(i % 4 == 0)) for i in range(200)])
    model = fitted(store, "price")
    found = scored(store, model)
    assert set(found["discount_share_60d"].values()) == {0.25}
    assert set(found["price_sensitivity"].values()) == {UNKNOWN}
    assert "all get the base's share" in model.evidence.fallback


def test_its_backtest_beats_its_baselines_where_customers_differ(shop: DuckStore) -> None:
    """Breaks if what came is read from before the cut, or a baseline is missing."""
    with known(shop, END) as now:
        found = Price.backtest(now, SETTINGS)
    assert found.who() == ["price", "base rate", "last order", "own share"]
    assert (found.mean("price", "mae") or 1) < 0.6 * (found.mean("base rate", "mae") or 0)
    assert (found.mean("price", "rmse") or 1) < (found.mean("own share", "rmse") or 0)
    assert found.mean("price", f"share that came of {WAITS}") == pytest.approx(0.95, abs=0.05)
    came = [row["came"] for row in found.frames["calibration"]]
    assert came[-1] > 0.8 > 0.2 > came[0]


def test_laws() -> None:
    """Breaks if the future leaks, twins differ, rows' order matters, or a state loses something."""
    hold_laws("price", discounts(90), [order("c001", 361, discount=9.0), order("c002", 362, discount=0.0)])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), between=st.floats(0.05, 0.2))
def test_the_weight_of_the_base_is_the_planted_one(seed: int, between: float) -> None:
    """Breaks if a variance is biased: shares of spread ``between`` around 0.5 give (0.25 − s²) / s² observations."""
    random = np.random.default_rng(seed)
    a = (0.25 / between**2 - 1) / 2
    n = random.integers(5, 60, 4000).astype(float)
    sums = random.binomial(n.astype(int), random.beta(a, a, 4000)).astype(float)
    found = strength(n, sums, sums**2 / n, float(sums.sum() ** 2 / n.sum()))
    assert found == pytest.approx(2 * a, rel=0.25)
    both = np.column_stack([sums, n - sums]).astype(int)
    assert strength_of_counts(both) == pytest.approx(found, rel=1e-6)
