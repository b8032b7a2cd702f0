"""Intervals hold the truth as often as they promise: some regimes of ``make simulations``, with fixed seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.simulations import MARGIN, Held, Regime, held, page, regimes

RUNS = 400
SMOKE = {
    ("Welch, mean", "order values, σ 1", 1_000),
    ("Welch, relative", "revenue, 5 % buy, σ 1", 10_000),
    ("Welch, winsorised at 99 %", "5% buy, σ 2", 1_000),
    ("Welch, share", "5.0%", 1_000),
    ("Ratio by the delta method", "clicks a session, 1–10 sessions", 1_000),
    ("Median", "order values, σ 1", 1_000),
    ("CUPED", "ρ .7", 1_000),
    ("CUPED, ratio", "clicks a session", 1_000),
    ("Post-stratified", "a heavy fifth", 1_000),
    ("A/A, always valid", "20 looks", 10_000),
    ("A/A, O'Brien-Fleming", "5 looks", 10_000),
    ("Homogeneity of segments", "25 equal segments", 400),
    ("Shrunk segment effects", "25 segments that differ", 400),
    ("Corrected segment effects", "100 segments, 20 differ", 0),
}
CHOSEN = [one for one in regimes() if (one.method, one.situation, one.n) in SMOKE]


def test_the_chosen_are_there() -> None:
    """Breaks when a regime is renamed, and its test silently falls away."""
    assert len(CHOSEN) == len(SMOKE)


@pytest.mark.parametrize("regime", CHOSEN, ids=lambda one: f"{one.method}, {one.situation}")
def test_a_regime_holds(regime: Regime) -> None:
    """Breaks when an interval is too narrow or too wide, beyond three Monte-Carlo errors and the stated margin."""
    found = held(regime, RUNS, seed=20261127)
    assert found.refused == 0
    assert found.share > regime.target - MARGIN - 3 * found.error
    assert regime.at_least or found.share < regime.target + MARGIN + 3 * found.error


def test_peeking_at_a_test_of_one_look_is_seen_to_fail() -> None:
    """Breaks when the simulations can't tell a method that fails: 20 looks find something in a quarter of A/A tests."""
    peeking = next(one for one in regimes() if one.method == "A/A, a test of one look" and one.situation == "20 looks")
    found = held(peeking, RUNS, seed=1)
    assert found.share == pytest.approx(1 - 0.248, abs=3 * found.error)
    assert "fails" in found.verdict


def test_the_page_names_what_fails_and_what_is_refused(tmp_path: Path) -> None:
    """Breaks when a regime without answers looks like one that holds."""
    one = regimes()[0]
    told = page([Held(one, 400, 0.9, 0), Held(one, 3, 1.0, 397)], 7)
    assert "**fails by 5.0%**" in told
    assert "refused 397 times" in told
    assert "seed 7" in told
