"""Responses to a campaign whose receivers were drawn by lot: published figures, and a trial of shoal.yaml."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shoal.insight.discovery.cards import responses
from shoal.workspace import open_workspace

from . import shops


def test_hillstrom_gives_the_published_lifts_and_q(real_data: Path) -> None:
    """Breaks when a lift, its error or Cochran's Q isn't what it is called."""
    with (real_data / "hillstrom" / "hillstrom.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    arm = np.array([row["segment"] for row in rows])
    visit = np.array([row["visit"] == "1" for row in rows])
    mens, womens = (np.array([row[name] == "1" for row in rows]) for name in ("mens", "womens"))
    places = np.where(mens & womens, 2, np.where(womens, 1, 0)).astype(np.int64)
    found = responses("e-mail", arm == "Womens E-Mail", arm == "No E-Mail", visit, places, 3)
    oracle = json.loads((real_data / "oracles" / "misc_expected.json").read_text())
    expected = oracle["segment_responsiveness_hillstrom_womens_visit"]["segments"]
    assert [lift.value for lift in found.lifts if lift] == pytest.approx(
        [s["lift"] for s in expected.values()], abs=1e-4
    )
    assert found.q == pytest.approx(97.35, abs=0.01)
    assert found.freedom == 2
    assert found.p < 1e-6


def test_random_segments_aren_t_called_responsive() -> None:
    """Breaks when the best of many lifts is taken for a response of its own: all are of one size here."""
    rng = np.random.default_rng(1)
    treated = rng.random(20_000) < 0.5
    outcome = rng.random(20_000) < np.where(treated, 0.15, 0.10)
    ps = [responses("t", treated, ~treated, outcome, rng.integers(0, 20, 20_000), 20).p for _ in range(20)]
    assert np.mean(np.array(ps) < 0.05) <= 0.2


def test_a_trial_of_the_workspace_stands_on_the_cards(tmp_path: Path) -> None:
    """Breaks when a campaign that was drawn by lot is passed over, or its outcome taken from before it."""
    rows, truth = shops.planted(customers=400)
    rng = np.random.default_rng(5)
    begun = shops.END - timedelta(days=20)
    sent, bought = [], []
    for who, group in truth.items():
        arm = "letter" if rng.random() < 0.5 else "nothing"
        sent.append((who, begun.isoformat(), arm))
        # Whoever had lapsed comes back for a letter; nobody else minds it.
        if group == 3 and arm == "letter":
            at = (begun + timedelta(days=float(rng.uniform(1, 9)))).isoformat()
            bought.append((who, f"{who}-back", at, "30.00", "Books", "web"))
    root = tmp_path / "trial"
    root.mkdir()
    shops.put(root / "sent.csv", ("customer", "at", "arm"), sent)
    settings = (
        "  sent:\n    from: sent.csv\n    events:\n"
        "      - {event: Campaign Sent, customer: customer, at: at, properties: {arm: arm}}\n"
        "trials:\n  spring: {arm: arm, control: nothing, action: win-back, within: 10 days}\n"
    )
    with open_workspace(shops.make(root, rows + bought, settings=settings)) as shop:
        found = shop.discovery.discover(groups=(4, 4), write=False).found
    cards = [{c.name: c for c in s.card}["responsive"] for s in found.segments]
    lifts = [c.figure.value or 0.0 for c in cards]
    best = max(range(4), key=lambda i: lifts[i])
    assert cards[best].met is True
    assert lifts[best] > 0.9
    assert "spring changed the share that ordered" in cards[best].text
    assert all(abs(lift) < 0.3 for i, lift in enumerate(lifts) if i != best)
