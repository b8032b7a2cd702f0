"""Scores of a yes-or-no outcome against scikit-learn, published definitions and laws.

A slip here would make a poor model look good on every page.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.stats import scoring


def drawn(n: int, seed: int, levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Chances, and outcomes that follow them; ``levels`` rounds the chances so that many are equal."""
    random = np.random.default_rng(seed)
    chance = random.beta(1.5, 3, n)
    if levels:
        chance = np.round(chance * levels) / levels
    return (random.random(n) < chance).astype(float), chance


@pytest.mark.parametrize("levels", [0, 5, 30])
def test_scikit_learn_agrees(levels: int) -> None:
    from sklearn import metrics

    outcome, chance = drawn(1500, 3, levels)
    assert scoring.auc(outcome, chance) == pytest.approx(metrics.roc_auc_score(outcome, chance), abs=1e-12)
    expected = metrics.average_precision_score(outcome, chance)
    assert scoring.average_precision(outcome, chance) == pytest.approx(expected, abs=1e-12)
    assert scoring.brier(outcome, chance) == pytest.approx(metrics.brier_score_loss(outcome, chance), abs=1e-12)
    inside = np.clip(chance, 0.01, 0.99)
    assert scoring.log_loss(outcome, inside) == pytest.approx(metrics.log_loss(outcome, inside), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=4, max_size=60), st.randoms())
def test_the_order_of_rows_never_matters(rows: list[tuple[bool, int]], random: object) -> None:
    outcome, score = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], float) / 4
    if not 0 < outcome.sum() < outcome.size:
        return
    order = np.arange(len(rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    for measure in (scoring.auc, scoring.average_precision, scoring.lift_at, scoring.brier, scoring.log_loss):
        assert measure(outcome, score) == pytest.approx(measure(outcome[order], score[order]), abs=1e-12)
    a, b = (scoring.lift_table(outcome[o], score[o], 3) for o in (np.arange(len(rows)), order))
    assert [t.positives for t in a] == pytest.approx([t.positives for t in b])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=4, max_size=60))
def test_turning_the_score_round_turns_the_auc_round(rows: list[tuple[bool, int]]) -> None:
    outcome, score = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], float)
    if not 0 < outcome.sum() < outcome.size:
        return
    assert scoring.auc(outcome, score) + scoring.auc(outcome, -score) == pytest.approx(1, abs=1e-12)
    interval = scoring.auc_interval(outcome, score)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_delong_covers_as_it_says() -> None:
    """300 samples: a wrong variance shows as coverage far from 95 %."""
    truth = scoring.auc(*drawn(200_000, 99))
    covered = sum(not scoring.auc_interval(*drawn(250, seed)).excludes(truth) for seed in range(300))
    assert 0.92 <= covered / 300 <= 0.98


def test_delong_agrees_with_the_bootstrap_of_the_difference() -> None:
    outcome, chance = drawn(600, 5)
    random = np.random.default_rng(1)
    other = chance + random.normal(0, 0.1, 600)
    found = scoring.auc_difference(outcome, chance, other)
    draws = []
    for _ in range(400):
        rows = random.integers(0, 600, 600)
        draws.append(scoring.auc(outcome[rows], chance[rows]) - scoring.auc(outcome[rows], other[rows]))
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.std(draws), rel=0.15)
    same = scoring.auc_difference(outcome, chance, chance)
    assert same == (0, 0, 0)


def test_perfect_scores_of_ten_rows_are_not_sure() -> None:
    found = scoring.auc_interval([0] * 5 + [1] * 5, np.arange(10))
    assert found.value == found.high == 1
    assert found.low < 0.7


def test_ece_by_hand_and_small_bins_joined() -> None:
    """Two bins of 100; one row at .95 alone would give a gap of .95 with a weight, so it joins the bin below."""
    chance = np.array([0.15] * 100 + [0.65] * 100 + [0.95])
    outcome = np.array([1] * 25 + [0] * 75 + [1] * 60 + [0] * 40 + [0], float)
    table = scoring.reliability(outcome, chance)
    assert [(round(b.low, 1), round(b.high, 1), b.n) for b in table] == [(0.1, 0.2, 100), (0.6, 1.0, 101)]
    gap = (100 * 0.10 + 101 * abs((65 + 0.95) / 101 - 60 / 101)) / 201
    assert scoring.calibration_error(outcome, chance).value == pytest.approx(gap)
    assert table[0].observed == pytest.approx((0.25, 0.1755, 0.3430), abs=1e-3)


def test_an_ece_of_too_few_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 rows"):
        scoring.calibration_error([0, 1] * 5, [0.5] * 10)


def test_right_chances_have_the_ece_that_chance_gives() -> None:
    found = [scoring.calibration_error(*drawn(800, seed)) for seed in range(60)]
    assert np.mean([f.value for f in found]) == pytest.approx(np.mean([f.by_chance for f in found]), rel=0.08)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=20, max_size=200), st.integers(1, 12))
def test_no_row_is_lost_from_a_reliability_table(rows: list[tuple[bool, int]], bins: int) -> None:
    outcome, chance = [float(r[0]) for r in rows], [r[1] / 100 for r in rows]
    table = scoring.reliability(outcome, chance, bins=bins)
    assert sum(b.n for b in table) == len(rows)
    assert all(b.n >= scoring.LEAST_IN_BIN and b.low - 1e-9 <= b.predicted <= b.high + 1e-9 for b in table)
    assert sum(b.n * b.observed.value for b in table) == pytest.approx(sum(outcome))


def test_deciles() -> None:
    outcome = np.array([1] * 8 + [0] * 2 + [1] * 2 + [0] * 88, float)
    table = scoring.lift_table(outcome, -np.arange(100))
    assert (table[0].n, table[0].positives, table[0].lift, table[0].gain) == (10, 8, pytest.approx(8), 0.8)
    assert (table[1].rate, table[1].gain, table[-1].gain) == (pytest.approx(0.2), 1, 1)
    assert table[1].cumulative_lift == pytest.approx(5)
    assert scoring.lift_at(outcome, -np.arange(100)) == pytest.approx(8)


def test_a_constant_score_has_no_lift() -> None:
    """Rows that happened to come first aren't better."""
    outcome = np.array([1] * 20 + [0] * 80, float)
    assert [t.lift for t in scoring.lift_table(outcome, np.ones(100))] == pytest.approx([1] * 10)


def test_the_base_rate_has_no_skill() -> None:
    outcome, _ = drawn(500, 1)
    assert scoring.brier_skill(outcome, np.full(500, outcome.mean())) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("outcome", "score", "said"),
    [
        ([1, 1], [0.1, 0.2], "both outcomes"),
        ([0, 1], [0.1], "equal length"),
        ([0, 2], [0.1, 0.2], "0 or 1"),
        ([0, 1], [0.1, float("nan")], "finite"),
    ],
)
def test_what_can_not_be_ranked_is_refused(outcome: list[int], score: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scoring.auc(outcome, score)
