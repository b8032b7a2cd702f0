"""The published numbers on CDNOW: fits, standard errors, what they foretell, and each known trap."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
from tests.models.btyd.conftest import CUT, END, Log, days

from shoal.insight.models.btyd import (
    BetaGeometric,
    GammaGamma,
    ModifiedBetaGeometric,
    ParetoNBD,
    Purchases,
    RepeatModel,
    Split,
    baselines,
    by_frequency,
    choose,
    summarise,
    track,
    value,
)
from shoal.insight.models.btyd.holdout import auc

Fitted = dict[str, RepeatModel]
PUBLISHED = {
    "BG/NBD": ((0.242595, 4.413602, 0.792922, 2.425907), -9582.4292),
    "MBG/NBD": ((0.524843, 6.183086, 0.891360, 1.614003), -9582.1357),
    "Pareto/NBD": ((0.553277, 10.577684, 0.606240, 11.668743), -9594.9762),
}
# Of 78 weeks: inputs of the BTYD walkthrough.
LONG = ParetoNBD(0.5629966, 12.5590370, 0.4081095, 10.5148048)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_fit_finds_the_published_parameters_and_likelihood(fitted: Fitted, name: str) -> None:
    parameters, height = PUBLISHED[name]
    fit = fitted[name].fit
    assert fit is not None
    assert fit.converged, fit.reason
    assert fit.values == pytest.approx(parameters, rel=2e-4)
    assert fit.log_likelihood == pytest.approx(height, abs=0.002)
    assert fit.n == 2357
    assert fit.rows < fit.n


def test_standard_errors_are_the_published_ones(fitted: Fitted) -> None:
    fit = fitted["Pareto/NBD"].fit
    assert fit is not None
    assert list(fit.errors.values()) == pytest.approx([0.0476, 0.8427, 0.1873, 6.211], rel=0.01)


def test_the_summary_equals_the_published_histories(held: Split, data: Path) -> None:
    expected = np.genfromtxt(data / "oracles" / "cdnow_cbs_cal39_holdout39.csv", delimiter=",", names=True)
    assert held.before.frequency.tolist() == expected["x"].tolist()
    assert held.before.recency == pytest.approx(expected["tx"], abs=1e-6)
    assert held.before.age == pytest.approx(expected["T"], abs=1e-6)
    assert held.orders.tolist() == expected["holdout_x"].tolist()
    assert held.horizon == 39


@pytest.mark.parametrize(("name", "total"), [("BG/NBD", 1653.41), ("Pareto/NBD", 1665.51)])
def test_the_holdout_is_foretold_as_published(fitted: Fitted, held: Split, name: str, total: float) -> None:
    assert fitted[name].expected(held.before, 39).sum() == pytest.approx(total, abs=0.5)
    assert held.orders.sum() == 1882


@pytest.mark.parametrize(("name", "total"), [("BG/NBD", 4160.6), ("Pareto/NBD", 4270.0)])
def test_expected_against_actual_by_week_ends_as_published(
    fitted: Fitted, sample: Log, name: str, total: float
) -> None:
    found = track(fitted[name], sample.customer, sample.day, sample.amount, end=END)
    assert len(found.end) == 78
    assert found.actual_sum[-1] == 4339
    assert found.expected_sum[-1] == pytest.approx(total, abs=0.5)
    assert found.actual_sum[38] == 2457
    assert np.cumsum(found.expected) == pytest.approx(found.expected_sum)


def test_expected_against_actual_by_frequency_is_the_published_table(fitted: Fitted, held: Split) -> None:
    actual = [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]
    expected = {
        "BG/NBD": [0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157],
        "Pareto/NBD": [0.138, 0.600, 1.196, 1.714, 2.398, 2.907, 3.819, 6.403],
    }
    for name, table in expected.items():
        found = by_frequency(fitted[name], held)
        assert found.actual == pytest.approx(actual, abs=0.001)
        assert found.expected == pytest.approx(table, abs=0.002)
        assert found.customers.sum() == 2357


def test_single_customers_get_the_published_numbers(fitted: Fitted) -> None:
    bought_twice = Purchases([2], [30.43], [38.86])
    assert fitted["BG/NBD"].expected(bought_twice, 39)[0] == pytest.approx(1.226, abs=0.001)
    loyal = Purchases([26], [30 + 6 / 7], [31])
    pareto = fitted["Pareto/NBD"]
    assert pareto.expected(loyal, 52)[0] == pytest.approx(25.455, abs=0.002)
    assert pareto.alive(loyal)[0] == pytest.approx(0.99787, abs=1e-4)
    assert pareto.new(np.array([52.0]))[0] == pytest.approx(1.4734, abs=1e-4)


def test_the_more_they_bought_the_more_their_silence_says(fitted: Fitted) -> None:
    who = Purchases([10, 15, 20, 25], [20] * 4, [39] * 4)
    assert fitted["Pareto/NBD"].expected(who, 52) == pytest.approx([0.7059, 0.1442, 0.0225, 0.0031], abs=1e-4)


def test_discounted_residual_transactions_are_the_published_ones() -> None:
    assert LONG.discounted(Purchases([7], [35], [77.86]), 0.0027)[0] == pytest.approx(1.86418, abs=1e-4)
    row = Purchases(np.arange(1, 11), np.full(10, 30.0), np.full(10, 77.86))
    expected = [2.199, 2.844, 2.867, 2.445, 1.841, 1.262, 0.810, 0.495, 0.292, 0.168]
    assert LONG.discounted(row, 0.0027) == pytest.approx(expected, abs=1e-3)


def test_the_gamma_gamma_is_fitted_as_published(data: Path) -> None:
    table = np.genfromtxt(data / "oracles" / "cdnow_gg_summary.csv", delimiter=",", names=True)
    histories = Purchases(table["frequency"], table["t_x"], table["T"], spend=table["monetary_value"])
    model = GammaGamma.fitted(histories)
    assert model.fit is not None
    assert model.values() == pytest.approx([6.25, 3.744, 15.444], abs=0.01)
    assert model.fit.log_likelihood == pytest.approx(-4055.92, abs=0.01)
    assert model.log_likelihood(histories) == pytest.approx(model.fit.log_likelihood)
    assert model.fit.n == 946
    assert model.mean() == pytest.approx(35.17, abs=0.01)
    assert model.fit.warnings == ()


def test_spend_from_the_log_leaves_the_first_purchase_out(held: Split) -> None:
    # With the first purchase the parameters would be 7.86, 3.97 and 13.33.
    model = GammaGamma.fitted(held.before)
    assert model.values() == pytest.approx([6.25, 3.744, 15.444], abs=0.02)
    spends = model.expected(held.before)
    assert len(spends) == 2357
    assert spends[held.before.frequency == 0] == pytest.approx(model.mean())


def test_rows_of_a_day_are_one_purchase(held: Split, sample: Log) -> None:
    # Unmerged there would be 2,603 repeats, and r = .218.
    assert ((sample.day <= CUT).sum() - 2357, held.before.frequency.sum()) == (2603, 2457)


@pytest.mark.parametrize(("name", "rank"), [("BG/NBD", 0.316), ("MBG/NBD", 0.687), ("Pareto/NBD", 0.726)])
def test_alive_is_no_churn_score_and_active_is_one(fitted: Fitted, held: Split, name: str, rank: float) -> None:
    bought = held.orders > 0
    assert auc(fitted[name].alive(held.before), bought) == pytest.approx(rank, abs=0.001)
    active = fitted[name].active(held.before, 39)
    found = auc(active, bought)
    assert found is not None
    assert found > 0.75
    assert np.mean((active - bought) ** 2) < 0.163


def test_active_of_the_bg_nbd_is_calibrated_as_known(fitted: Fitted, held: Split) -> None:
    active, bought = fitted["BG/NBD"].active(held.before, 39), held.orders > 0
    assert auc(active, bought) == pytest.approx(0.757, abs=0.001)
    assert np.mean((active - bought) ** 2) == pytest.approx(0.161, abs=0.001)
    assert np.all(fitted["BG/NBD"].alive(held.before)[held.before.frequency == 0] == 1)
    top = np.argsort(active)[-471:]
    assert active[top].mean() == pytest.approx(0.605, abs=0.01)
    assert bought[top].mean() == pytest.approx(0.674, abs=0.01)


def test_the_choice_by_holdout_shows_models_and_baselines(held: Split) -> None:
    choice = choose(held)
    scores = {score.name: score for score in choice.scores}
    best = max((scores[name] for name in PUBLISHED), key=lambda score: score.log_score or -np.inf)
    assert choice.model.name == best.name
    assert scores["BG/NBD"].error == pytest.approx(0.785, abs=0.001)
    assert scores["Pareto/NBD"].error == pytest.approx(0.755, abs=0.001)
    assert scores["same rate"].error == pytest.approx(1.024, abs=0.001)
    ranks = {name: scores[name].auc for name in ("BG/NBD", "Pareto/NBD", "recency", "frequency")}
    assert ranks == pytest.approx(
        {"BG/NBD": 0.773, "Pareto/NBD": 0.779, "recency": 0.771, "frequency": 0.758}, abs=0.001
    )
    assert choice.base_brier == pytest.approx(0.206, abs=0.001)
    assert baselines(held) == choice.scores[3:]


def test_another_unit_changes_the_scale_and_nothing_else(sample: Log, fitted: Fitted, held: Split) -> None:
    daily = summarise(sample.customer, sample.day, sample.amount, end=CUT, unit="days")
    again = BetaGeometric.fitted(daily)
    weekly = fitted["BG/NBD"]
    assert again.values() == pytest.approx(weekly.values() * [1, 7, 1, 1], rel=1e-3)
    assert again.expected(daily, 273) == pytest.approx(weekly.expected(held.before, 39), rel=1e-3)
    assert again.fit is not None
    assert again.fit.log_likelihood == pytest.approx(-9582.4292 - 2457 * log(7), abs=0.01)


def test_the_value_of_the_whole_base_is_the_known_one(data: Path, sample: Log) -> None:
    table = np.loadtxt(data / "cdnow" / "CDNOW_master.txt", skiprows=1)
    everybody = summarise(table[:, 0].astype(np.int64), days(table[:, 1].astype(np.int64)), table[:, 3], end=END)
    assert len(everybody) == 23570
    known = summarise(sample.customer, sample.day, sample.amount, end=END)
    worth = value(ParetoNBD.fitted(known), GammaGamma.fitted(known), everybody, horizon=None, margin=0.3, rate=0.0027)
    assert worth.predicted.sum() == pytest.approx(1.139e6, rel=0.01)
    assert worth.predicted.mean() == pytest.approx(48.3, abs=0.5)
    once = everybody.frequency == 0
    assert once.sum() == 12054
    assert 0.045 < worth.predicted[once].sum() / worth.predicted.sum() < 0.05
    assert worth.historic is not None
    assert worth.historic.sum() == pytest.approx(0.3 * 2500315.63, rel=1e-6)
    assert worth.total == pytest.approx(worth.historic + worth.predicted)


def test_the_future_changes_no_score(sample: Log, held: Split) -> None:
    # Summarised as of the cut, a log that goes on and one that ends there are the same.
    early = sample.day <= CUT
    alone = summarise(sample.customer[early], sample.day[early], sample.amount[early], end=CUT)
    assert np.array_equal(alone.frequency, held.before.frequency)
    assert np.array_equal(alone.age, held.before.age)
    assert held.before.later == (~early).sum()
    assert ModifiedBetaGeometric.fitted(alone) == ModifiedBetaGeometric.fitted(held.before)
