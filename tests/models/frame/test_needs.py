"""Needs of customers from a store: planted groups come back as factors, any customer is placed by their own goods."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from models.frame.made_shop import known
from models.frame.planted import END, GROUPS, baskets, fitted, hold_laws, item, order, reasons, scored, store_of
from shoal.errors import Refused
from shoal.insight.models.model import Model, Settings
from shoal.insight.models.needs import Needs, _loadings
from shoal.sql.duck import DuckStore


@pytest.fixture(scope="module")
def shop() -> DuckStore:
    return store_of(baskets())


@pytest.fixture(scope="module")
def model(shop: DuckStore) -> Model:
    return fitted(shop, "needs", most=5)


def test_the_planted_groups_are_the_needs(model: Model, shop: DuckStore) -> None:
    """Breaks if factors mix groups, a name isn't made of its own items, or customers get another one's need."""
    assert isinstance(model, Needs)
    needs = model.needed.needs
    assert len(needs) == 4
    homes = {next(name for name, items in GROUPS.items() if need.items[0] in items): need for need in needs}
    assert set(homes) == set(GROUPS)
    assert all(set(need.items[:3]) <= set(GROUPS[home]) for home, need in homes.items())
    assert all(need.name == " + ".join(need.items[:3]) for need in needs)
    found = scored(shop, model)["need"]
    right = [found[f"c{i:03}"] == homes[list(GROUPS)[i % 4]].name for i in range(240)]
    assert np.mean(right) > 0.98
    assert not any("no parts of its own" in note for note in model.evidence.notes)


def test_the_share_is_the_part_of_the_need(model: Model, shop: DuckStore) -> None:
    """Breaks if parts aren't of what the customer takes: four in five picks are of the group, and some of the rest too."""
    shares = list(scored(shop, model)["need_share"].values())
    assert 0.6 < float(np.mean(shares)) < 0.95
    assert max(shares) <= 1


def test_reasons_name_the_customers_own_goods(model: Model, shop: DuckStore) -> None:
    """Breaks if a reason names what the customer never took."""
    said = reasons(shop, model, "c000")
    assert "days of buying that still count" in said
    assert any(name in said for name in GROUPS["baby"])


def test_structureless_goods_are_called_constructive() -> None:
    """Breaks if chance is sold as needs."""
    model = fitted(store_of(baskets(150, lean=0.0)), "needs", most=4)
    assert any("a way to cut what has no parts of its own" in note for note in model.evidence.notes)


def test_loadings_are_the_least_squares_that_scipy_finds() -> None:
    """Breaks if the sweeps stop too early or a bound is wrong; scipy's solver is the oracle, row by row."""
    from scipy import sparse
    from scipy.optimize import nnls

    random = np.random.default_rng(2)
    weights, data = random.gamma(0.5, size=(6, 30)), random.gamma(0.3, size=(40, 30))
    found = _loadings(sparse.csr_matrix(data), weights)
    oracle = np.array([nnls(weights.T, row)[0] for row in data])
    assert np.allclose(found, oracle, atol=1e-5)


def test_too_few_are_refused_with_their_number() -> None:
    """Breaks if needs are made of a handful of customers, or of orders that name nothing."""
    with pytest.raises(Refused, match="20 customers took two category names or more"):
        fitted(store_of(baskets(20)), "needs")


def test_its_backtest_has_its_baselines(shop: DuckStore) -> None:
    """Breaks if the need of the time to come is read before the cut, or a baseline is missing."""
    with known(shop, END) as now:
        found = Needs.backtest(now, Settings("needs", "needs", 60, {"most": 4}), periods=1)
    assert found.who() == ["needs", "most common", "last order", "popularity"]
    assert (found.mean("needs", "same need") or 0) > 0.9
    assert (found.mean("most common", "same need") or 1) < 0.4
    assert (found.mean("needs", "new items") or 0) >= (found.mean("popularity", "new items") or 1)


def test_laws() -> None:
    """Breaks if the future leaks, twins differ, rows' order matters, or a state loses something."""
    hold_laws("needs", baskets(100), [order("c001", 361, items=[item("anvil")] * 3)])


def test_main_needs_are_spread(model: Model, shop: DuckStore) -> None:
    """Breaks if best sellers alone make one need that is everybody's."""
    assert max(Counter(scored(shop, model)["need"].values()).values()) < 80
