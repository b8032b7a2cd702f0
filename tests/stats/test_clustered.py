"""A share of things that come in clusters: what it equals, and that its interval holds what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.stats.clustered import Sums, clustered_share
from shoal.stats.intervals import wilson


def sums(x: np.ndarray, y: np.ndarray) -> Sums:
    """The sums of clusters."""
    return Sums(len(x), int(x.sum()), int(y.sum()), int((x * x).sum()), int((x * y).sum()), int((y * y).sum()))


def test_clusters_of_one_are_worth_what_they_are() -> None:
    """Breaks when independent things get another interval than Wilson's, up to the n - 1 of the variance."""
    y = np.arange(1000) < 350
    assert clustered_share(sums(np.ones(1000, int), y.astype(int))) == pytest.approx(wilson(350, 1000), abs=5e-5)


def test_things_that_only_repeat_their_cluster_are_worth_one_a_cluster() -> None:
    """Breaks when a customer's ten equal sessions count as ten independent ones."""
    y = (np.arange(200) < 70).astype(int)
    assert clustered_share(sums(np.full(200, 10), 10 * y)) == pytest.approx(wilson(70, 200), abs=5e-4)


def test_a_share_of_none_or_all_is_held_by_clusters() -> None:
    """Breaks when 40 sessions of 4 customers that all bounced seem to prove a rate of 100 %."""
    assert clustered_share(Sums(4, 40, 0, 400, 0, 0)) == wilson(0, 4)
    assert clustered_share(Sums(4, 40, 40, 400, 400, 400)) == wilson(4, 4)
    assert clustered_share(Sums(0, 0, 0, 0, 0, 0)) == wilson(0, 0)
    assert clustered_share(Sums(1, 5, 2, 25, 10, 4))[1:] == wilson(0.4, 1)[1:]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)).map(lambda p: (p[0], min(p))), min_size=1, max_size=30))
def test_an_interval_holds_its_share_and_lies_in_0_and_1(clusters: list[tuple[int, int]]) -> None:
    """Breaks when a variance of nothing, or one below that of independent things, makes an interval that can't be."""
    x, y = np.array(clusters).T
    value, low, high = clustered_share(sums(x, y))
    assert 0 <= low <= value <= high <= 1
    assert value == pytest.approx(y.sum() / x.sum())
    plain = wilson(int(y.sum()), int(x.sum()))
    assert high - low >= (plain.high - plain.low) * (1 - 1e-9)


def test_it_holds_the_true_share_as_often_as_it_says() -> None:
    """2,000 samples of 300 customers with rates of their own: 95 % hold the truth, give or take 3 Monte-Carlo errors; Wilson's
    over sessions far less.

    Breaks when sessions are taken for independent of their customers.
    """
    drawn = np.random.default_rng(5)
    held = naive = 0
    rounds = 2000
    for _ in range(rounds):
        x = 1 + drawn.geometric(0.25, 300)
        y = drawn.binomial(x, drawn.beta(1.2, 2.8, 300))
        value, low, high = clustered_share(sums(x, y))
        held += low <= 0.3 <= high
        plain = wilson(int(y.sum()), int(x.sum()))
        naive += plain.low <= 0.3 <= plain.high
        assert low <= value <= high
    error = (0.95 * 0.05 / rounds) ** 0.5
    assert held / rounds == pytest.approx(0.95, abs=3 * error)
    assert naive / rounds < 0.9
