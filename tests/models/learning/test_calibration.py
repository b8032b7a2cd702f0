"""Calibration: taken where it helps, left where it doesn't, never sure of a handful of rows."""

from __future__ import annotations

import numpy as np
import pytest

from shoal.insight.models.learning import calibration
from shoal.insight.models.learning.calibration import AsItIs, Isotonic, Sigmoid, chosen
from shoal.insight.models.learning.learners import chances
from shoal.stats.scoring import calibration_error


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(-1, 1.5, n)
    return x, (random.random(n) < chances(x)).astype(float), np.arange(n) % 5


def test_right_log_odds_are_left_alone() -> None:
    found, told = chosen(*drawn(3000))
    assert found == AsItIs()
    assert np.array_equal(told, chances(drawn(3000)[0]))


def test_overconfident_log_odds_are_put_right_by_the_sigmoid() -> None:
    x, y, fold = drawn(4000)
    found, told = chosen(3 * x + 2, y, fold)
    assert isinstance(found, Sigmoid)
    assert (found.slope, found.shift) == (pytest.approx(1 / 3, abs=0.04), pytest.approx(-2 / 3, abs=0.15))
    assert calibration_error(y, chances(3 * x + 2)).value > 0.05
    assert calibration_error(y, told).value < 0.02


def test_a_bent_curve_takes_the_isotonic_one() -> None:
    x, _, fold = drawn(8000)
    y = (np.random.default_rng(3).random(8000) < np.where(x > -1, 0.6, 0.1)).astype(float)
    found, told = chosen(x, y, fold)
    assert isinstance(found, Isotonic)
    assert calibration_error(y, told).value < 0.03


@pytest.mark.parametrize("fit", [Sigmoid.fit, Isotonic.fit])
def test_a_curve_rises_stays_inside_and_ignores_order(fit: object) -> None:
    x, y, _ = drawn(1500)
    mixed = np.random.default_rng(1).permutation(1500)
    found = fit(x, y)  # type: ignore[operator]
    assert found == fit(x[mixed], y[mixed])  # type: ignore[operator]
    told = found.chances(np.linspace(-30, 30, 500))
    assert (np.diff(told) >= 0).all()
    assert told.min() > 0
    assert told.max() < 1
    assert calibration.from_json(found.as_json()) == found


def test_the_steps_are_scikit_learns() -> None:
    from sklearn.isotonic import IsotonicRegression

    x, y, _ = drawn(2000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(x)
    inside = (theirs > 0.02) & (theirs < 0.98)
    assert Isotonic.fit(x, y).chances(x)[inside] == pytest.approx(theirs[inside], abs=1e-9)


def test_perfectly_parted_outcomes_stay_finite() -> None:
    x = np.linspace(-3, 3, 1200)
    y = (x > 0).astype(float)
    found, told = chosen(x, y, np.arange(1200) % 5)
    assert np.isfinite(told).all()
    assert 0 < told.min() < told.max() < 1
    assert np.isfinite(found.chances(np.array([-1e6, 1e6]))).all()


def test_over_time_a_curve_comes_from_earlier_folds_alone() -> None:
    """Other outcomes in the last fold must not change what was told of the folds before."""
    x, y, _ = drawn(4000)
    fold = np.arange(4000) // 1000
    other = np.where((fold == 3) & (np.arange(4000) % 20 == 0), 1 - y, y)
    (first, told), (second, told_again) = (chosen(3 * x, v, fold, fold + 1) for v in (y, other))
    assert isinstance(first, Sigmoid)
    assert isinstance(second, Sigmoid)
    assert first != second
    assert np.array_equal(told, told_again)
    assert np.array_equal(told[fold == 0], chances(3 * x[fold == 0]))
