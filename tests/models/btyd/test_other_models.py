"""The published numbers of the models that don't run on CDNOW: sBG and BG/BB."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.insight.models.btyd import BetaGeometricBetaBernoulli, Occasions, ShiftedBetaGeometric

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]


@pytest.mark.parametrize(
    ("survivors", "parameters", "height"),
    [(HIGH_END, (0.6681, 3.8061), -1611.158), (REGULAR, (0.7041, 1.1820), -1680.265)],
)
def test_the_sbg_is_fitted_as_published(survivors: list[int], parameters: tuple[float, float], height: float) -> None:
    model = ShiftedBetaGeometric.of_cohort(survivors)
    assert model.fit is not None
    assert model.fit.converged
    assert (model.alpha, model.beta) == pytest.approx(parameters, abs=1e-3)
    assert model.fit.log_likelihood == pytest.approx(height, abs=1e-3)


def test_survival_and_residual_lifetime_are_the_published_ones() -> None:
    model = ShiftedBetaGeometric.of_cohort(HIGH_END)
    assert model.survival(np.arange(8, 13)) == pytest.approx([0.460, 0.436, 0.414, 0.395, 0.378], abs=1e-3)
    assert model.residual(7, 0.1) == pytest.approx(7.530, abs=1e-3)
    # The longer a customer stayed, the less likely they leave.
    assert np.all(np.diff(model.churn(np.arange(0, 20))) < 0)


def test_residual_lifetime_is_the_sum_it_stands_for() -> None:
    model = ShiftedBetaGeometric(0.6681, 3.8061)
    steps = np.arange(1, 4000)
    expected = (model.survival(7 + steps) / model.survival(7) * 1.1 ** -(steps - 1.0)).sum()
    assert model.residual(7, 0.1) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("survivors", "said"),
    [
        ([10, 5, 2], "at least 100"),
        ([1000, 1000, 1000], "who left"),
        ([1000, 500], "same renewal"),
        ([100, 200], "more"),
    ],
)
def test_the_sbg_refuses_what_says_nothing(survivors: list[int], said: str) -> None:
    with pytest.raises(Refused, match=said):
        ShiftedBetaGeometric.of_cohort(survivors)


@pytest.fixture
def donations(data: Path) -> Occasions:
    table = np.genfromtxt(data / "oracles" / "donations_bgbb.csv", delimiter=",", names=True)
    return Occasions(table["frequency"], table["recency"], table["periods"], table["weights"])


def test_the_bg_bb_is_fitted_as_published(donations: Occasions) -> None:
    model = BetaGeometricBetaBernoulli.fitted(donations)
    assert model.fit is not None
    assert model.fit.converged
    assert model.values() == pytest.approx([1.2035, 0.7497, 0.6567, 2.7834], abs=0.001)
    assert model.fit.log_likelihood == pytest.approx(-33225.58, abs=0.01)
    assert model.fit.n == 11104
    assert model.log_likelihood(donations) == pytest.approx(model.fit.log_likelihood)


def test_the_answers_of_the_bg_bb_agree_with_one_another(donations: Occasions) -> None:
    model = BetaGeometricBetaBernoulli(1.2035, 0.7497, 0.6567, 2.7834)
    chances = model.counts(donations, 5)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(donations)))
    assert chances @ np.arange(6) == pytest.approx(model.expected(donations, 5))
    assert np.all(model.active(donations, 5) <= model.alive(donations) + 1e-12)
    steps = np.array([model.expected(donations, ahead) for ahead in range(400)])
    expected = (np.diff(steps, axis=0) * 1.1 ** -np.arange(1.0, 400)[:, None]).sum(axis=0)
    assert model.discounted(donations, 0.1) == pytest.approx(expected, rel=1e-6)


def test_all_histories_of_the_bg_bb_have_probability_one() -> None:
    model = BetaGeometricBetaBernoulli(1.2035, 0.7497, 0.6567, 2.7834)
    # The last purchase is fixed, the others lie anywhere before it.
    rows = [(x, last, float(comb(last - 1, x - 1))) for last in range(1, 6) for x in range(1, last + 1)]
    rows.append((0, 0, 1.0))
    x, last_one, ways = (np.array(column) for column in zip(*rows, strict=True))
    each = [model.log_likelihood(Occasions([a], [b], [5])) for a, b in zip(x, last_one, strict=True)]
    assert float(ways @ np.exp(each)) == pytest.approx(1.0)


def test_the_bg_bb_refuses_a_history_that_cannot_be() -> None:
    with pytest.raises(Refused, match="can't be"):
        Occasions([3], [2], [6])
    with pytest.raises(Refused, match="at least 100"):
        BetaGeometricBetaBernoulli.fitted(Occasions([0, 1], [0, 1], [6, 6]))
