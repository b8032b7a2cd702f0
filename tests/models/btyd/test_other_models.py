"""The published numbers of the models that don't run on CDNOW: sBG and BG/BB."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.insight.models.btyd import (
    BetaBernoulli,
    BetaGeometricBetaBernoulli,
    Needs,
    Occasions,
    ShiftedBetaGeometric,
)

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


# ------------------------------------------------------------ where nobody leaves


def test_the_beta_bernoulli_is_the_bg_bb_whose_customers_stay(donations: Occasions) -> None:
    """Breaks when the stand-in answers otherwise than the BG/BB does where leaving goes to nothing."""
    stays, plain = BetaGeometricBetaBernoulli(1.2, 0.75, 1e-9, 10.0), BetaBernoulli(1.2, 0.75)
    assert plain.active(donations, 3) == pytest.approx(stays.active(donations, 3), rel=1e-6)
    assert plain.expected(donations, 4) == pytest.approx(stays.expected(donations, 4), rel=1e-6)
    assert plain.worth(donations, 4, 0.1) == pytest.approx(stays.worth(donations, 4, 0.1), rel=1e-6)
    assert plain.log_likelihood(donations) == pytest.approx(stays.log_likelihood(donations), rel=1e-6)


def planted(customers: int, periods: int = 8) -> Occasions:
    """Customers of a beta(2, 3) who never leave."""
    random = np.random.default_rng(11)
    came = random.random((customers, periods)) < random.beta(2, 3, customers)[:, None]
    last = np.where(came.any(axis=1), periods - came[:, ::-1].argmax(axis=1), 0)
    return Occasions(came.sum(axis=1), last, np.full(customers, periods))


def test_planted_shares_are_found_and_equal_rows_may_be_one() -> None:
    """Breaks when a weight isn't counted, or the gradient isn't that of the likelihood."""
    rows = planted(20_000)
    found = BetaBernoulli.fitted(rows)
    assert found.fit is not None
    assert found.fit.converged
    assert found.values() == pytest.approx([2, 3], rel=0.06)
    assert found.log_likelihood(rows) == pytest.approx(found.fit.log_likelihood)
    assert found.log_likelihood(rows) > BetaBernoulli(2, 3).log_likelihood(rows)
    table = np.stack([rows.frequency, rows.recency, rows.periods])
    (x, last, n), many = np.unique(table, axis=1, return_counts=True)
    assert BetaBernoulli.fitted(Occasions(x, last, n, many)).values() == pytest.approx(found.values(), rel=1e-6)


def test_a_pooled_share_lies_between_its_own_and_that_of_all() -> None:
    """Breaks when somebody with no history isn't told the share of all, or everybody's full house becomes a certainty."""
    rows = planted(40)
    pooled = BetaBernoulli.pooled(rows, Needs(20, 5))
    whole = float(rows.frequency.sum() / rows.periods.sum())
    assert pooled.expected(Occasions([0], [0], [0]), 1) == pytest.approx([whole], abs=0.002)
    own, drawn = rows.frequency / 8, pooled.expected(rows, 1)
    assert np.all((drawn - own) * (whole - own) >= 0)
    assert np.all(np.abs(drawn - whole) <= np.abs(own - whole) + 0.002)
    always = Occasions([3] * 30, [3] * 30, [3] * 30)
    assert 0.99 < BetaBernoulli.pooled(always, Needs(20, 5)).active(always, 1)[0] < 1
    with pytest.raises(Refused, match="at least 50 customers"):
        BetaBernoulli.pooled(rows, Needs(50, 5))
