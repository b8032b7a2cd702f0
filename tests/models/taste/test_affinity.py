"""Affinities: decay, shrinkage, the base, ties and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.insight.taste.affinity import affinities
from shoal.insight.taste.inputs import interactions


def base(customers: int = 200, rows: int = 20, items: int = 8, seed: int = 1):
    random = np.random.default_rng(seed)
    n = customers * rows
    who, what = np.repeat(np.arange(customers), rows), random.integers(0, items, n)
    return who, np.array([f"c{i}" for i in range(items)])[what], np.ones(n), random.uniform(0, 100, n)


def with_rows(rows: list[tuple[int, str, float, float]]):
    who, what, weight, age = base()
    more = list(zip(*rows, strict=True))
    return np.r_[who, more[0]], np.r_[what, more[1]], np.r_[weight, more[2]], np.r_[age, more[3]]


def test_a_row_counts_half_after_its_half_life() -> None:
    read = interactions(["a", "a", "b"], ["x", "x", "y"], [1, 1, 1], [0, 30, 60], half_life=30)
    assert read.matrix.toarray().tolist() == [[1.5, 0.0], [0.0, 0.25]]
    assert interactions(["a"], ["x"], [1], [1e9], half_life=np.inf).matrix[0, 0] == 1


def test_the_lift_is_the_formula() -> None:
    """(o + s) / (e + s), with the base's shares."""
    found = affinities(*base(), half_life=np.inf)
    matrix = found.base.matrix.toarray()
    share = matrix.sum(0) / matrix.sum()
    expected = (matrix + 2) / (matrix.sum(1, keepdims=True) * share + 2)
    assert np.allclose(found.lift.toarray()[matrix > 0], expected[matrix > 0])
    assert found.share.sum() == pytest.approx(1)
    assert found.of(3, "c2") == pytest.approx(expected[3, 2])


@pytest.mark.parametrize("price", [1.0, 1_000_000.0])
def test_one_purchase_does_not_make_a_fan_however_rare_or_dear(price: float) -> None:
    found = affinities(*with_rows([(999, "rare", price, 0.0)]))
    (taste,) = [t for t in found.top(3, fans_only=False) if t.customer == 999]
    assert taste.item == "rare"
    assert taste.lift <= 1 + (1 if price == 1 else 2) / 2
    assert not taste.fan
    assert 999 not in {t.customer for t in found.top()}


def test_a_planted_fan_is_found_with_a_reason() -> None:
    found = affinities(*with_rows([(999, "c3", 1.0, 1.0)] * 15 + [(999, "c1", 1.0, 1.0)] * 2))
    tastes = [t for t in found.top(3) if t.customer == 999]
    assert [t.item for t in tastes] == ["c3"]
    assert 1 < tastes[0].low < tastes[0].lift
    of_base = float(found.share[3]) * (17 * 2 ** (-1 / 90))
    assert f"c3: 14.9 recent purchases where the base would have {of_base:.1f}; 4.0 times as much" in tastes[0].reason
    assert found.of(999, "c5") < 1


def test_old_taste_gives_way_to_new() -> None:
    rows = [(999, "c3", 1.0, 720.0)] * 20 + [(999, "c4", 1.0, 2.0)] * 12
    assert [t.item for t in affinities(*with_rows(rows)).top(3) if t.customer == 999] == ["c4"]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 1000))
def test_neither_order_nor_currency_nor_later_rows_matter(seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    who, what, _, age = base(60, 6, 5, seed)
    weight = random.gamma(2, 10, len(who))
    plain = affinities(who, what, weight, age)
    order = random.permutation(len(who))
    mixed = affinities(who[order], what[order], weight[order], age[order])
    assert (plain.lift.data == mixed.lift.data).all()
    assert np.allclose(affinities(who, what, weight * factor, age).lift.data, plain.lift.data)
    later = affinities(np.r_[who, who[:5]], np.r_[what, what[:5]], np.r_[weight, [9e9] * 5], np.r_[age, [-1] * 5])
    assert later.base.future == 5
    assert (later.lift.data == plain.lift.data).all()


def test_equal_customers_have_equal_tastes() -> None:
    found = affinities(*with_rows([(c, "c3", 1.0, 1.0) for c in (900, 901) for _ in range(12)]))
    one, two = ([t[1:] for t in found.top(5) if t.customer == c] for c in (900, 901))
    assert one
    assert one == two


def test_at_most_n_strongest_first() -> None:
    found = affinities(*base(rows=60), smoothing=0.5)
    lists: dict[int, list[float]] = {}
    for taste in found.top(2, fans_only=False):
        lists.setdefault(taste.customer, []).append(taste.lift)
    assert max(map(len, lists.values())) == 2
    assert all(x == sorted(x, reverse=True) for x in lists.values())


def test_returns_take_away() -> None:
    found = affinities(*with_rows([(999, "c3", 1.0, 1.0)] * 5 + [(999, "c3", -1.0, 1.0)] * 5 + [(999, "c1", 1.0, 1.0)]))
    assert found.base.cancelled == 1
    assert {t.item for t in found.top(5, fans_only=False) if t.customer == 999} == {"c1"}


def test_a_million_categories_stay_sparse() -> None:
    random = np.random.default_rng(0)
    found = affinities(random.integers(0, 50_000, 300_000), random.integers(0, 10**6, 300_000), np.ones(300_000),
                       np.zeros(300_000))  # fmt: skip
    assert found.lift.nnz <= 300_000
    assert np.isfinite(found.low.data).all()


def test_bad_input_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match="1 customer and 1 item"):
        affinities(["a"], ["x"], [1], [1])
    with pytest.raises(Refused, match="1 item are"):
        affinities(np.arange(50), ["x"] * 50, np.ones(50), np.ones(50))
    with pytest.raises(Refused, match="nothing that counts"):
        affinities(["a", "b"], ["x", "y"], [-1, 0], [1, 1])
    with pytest.raises(Refused, match="nothing that counts"):
        affinities([], [], [], [])
    with pytest.raises(Refused, match="missing or infinite"):
        affinities(["a"], ["x"], [np.nan], [1])
    with pytest.raises(Refused, match="length"):
        affinities(["a"], ["x"], [1, 2], [1])
    with pytest.raises(Refused, match="half-life"):
        affinities(*base(), half_life=0)
    with pytest.raises(Refused, match="smoothing"):
        affinities(*base(), smoothing=0)
    with pytest.raises(Refused, match="Nobody took"):
        affinities(*base()).of(1, "zebra")
