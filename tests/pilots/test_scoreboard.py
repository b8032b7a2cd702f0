"""All campaigns side by side: the best of many is drawn back to the truth, and what can't be measured has no figure."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from pilots.shops import SETTINGS, at, make, open_workspace, order, put
from shoal.insight.metrics.incremental import of_effect
from shoal.insight.pilots.money import Money, total
from shoal.insight.pilots.scoreboard import Entry, scoreboard
from shoal.shapes import Event, TraitChange
from shoal.stats.experiments.arms import Arm, mean
from shoal.stats.experiments.comparing import Effect, gap

CAUSAL = re.compile(r"\b(effect|caused|because of|uplift|lift|gain|incremental|thanks to|led to|drove|brought)\b", re.I)


def money(exposed: np.ndarray, holdout: np.ndarray) -> Money:
    """What values of two groups of customers come to; groups are large enough for a normal interval, which is quick."""
    found = gap(mean(theirs := Arm.of(holdout)), mean(Arm.of(exposed)))
    half, p = 1.96 * found.se, 2 * NormalDist().cdf(-abs(found.value) / found.se)
    each = Effect(found.value, found.value - half, found.value + half, found.se, inf, p, False)
    revenue = of_effect(each, len(exposed), randomised=True)
    return Money(None, len(exposed), len(holdout), revenue=revenue, each=each, baseline_variance=mean(theirs).variance)


def entry(name: str, found: Money) -> Entry:
    return Entry("experiment", name, name, found, over=True)


def test_the_best_of_many_is_no_longer_too_good() -> None:
    """Twelve campaigns of one true effect, two hundred times. Breaks when the winner's luck stands as its worth."""
    rng, raw, drawn, sure = np.random.default_rng(7), [], [], 0
    for _ in range(200):
        every = [entry(str(i), money(rng.gamma(1, 10, 400) + 0.5, rng.gamma(1, 10, 400))) for i in range(12)]
        board = scoreboard(0, "EUR", every, [])
        best = max(board.entries, key=lambda one: one.money.each.value if one.money.each else 0.0)
        assert best.money.revenue is not None
        assert best.drawn is not None
        raw.append(best.money.revenue.value / 400)
        drawn.append(best.drawn.value / 400)
        sure += sum((one.corrected or 0.0) < 0.05 for one in board.entries) > 0
    assert np.mean(raw) > 1.4, "the best of twelve looks three times as good as the 0.5 that it is"
    assert abs(np.mean(drawn) - 0.5) < 0.35
    assert abs(np.mean(drawn) - 0.5) < 0.3 * abs(np.mean(raw) - 0.5)


def test_campaigns_without_any_effect_are_rarely_called_one() -> None:
    """Holm over twelve: at most one board in twenty. Breaks when each p-value is read alone."""
    rng, false = np.random.default_rng(11), 0
    for _ in range(300):
        every = [entry(str(i), money(rng.gamma(1, 10, 300), rng.gamma(1, 10, 300))) for i in range(12)]
        false += any((one.corrected or 1.0) < 0.05 for one in scoreboard(0, "EUR", every, []).entries)
    # 0.05 and three Monte-Carlo errors of 300 boards.
    assert false / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_arms_that_share_a_holdout_share_its_error() -> None:
    """Three arms against one small holdout, four hundred times. Breaks when its error counts once for each arm as if they were
    independent: the total's interval is then too narrow."""
    rng, held = np.random.default_rng(3), [0, 0]
    for _ in range(400):
        control = rng.normal(10, 5, 80)
        arms = [money(rng.normal(10, 5, 400), control) for _ in range(3)]
        shared, apart = total([arms]), total([[one] for one in arms])
        assert shared is not None
        assert apart is not None
        assert shared.value == pytest.approx(apart.value)
        held[0] += shared.low <= 0 <= shared.high
        held[1] += apart.low <= 0 <= apart.high
    assert abs(held[0] / 400 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)
    assert held[1] / 400 < 0.9


def test_the_order_is_that_with_chance_taken_off() -> None:
    """Breaks when a tiny campaign's luck stands above a large one's certainty."""
    rng = np.random.default_rng(5)
    every = [
        entry("large", money(rng.normal(12, 5, 5000), rng.normal(10, 5, 5000))),
        entry("nothing", money(rng.normal(10, 5, 5000), rng.normal(10, 5, 5000))),
    ]
    board = scoreboard(0, "EUR", every[::-1], [])
    assert [one.name for one in board.entries] == ["large", "nothing"]
    assert "1 of 2 campaigns changed revenue beyond chance, after Holm's correction" in board.says[0]


def test_without_any_campaign_it_says_what_it_takes() -> None:
    board = scoreboard(0, "EUR", [], [])
    assert board.total is None
    assert "held out by lot" in board.says[0]


ARMS = ["held"] * 4 + ["mailed"] * 3 + ["coupon"] * 3
EXPERIMENT = """name: Mail of March
arms: {held: 40%, mailed: 30%, coupon: 30%}
primary: revenue
exposure: {trait: arm, assigned: elsewhere}
"""


def test_a_workspace_tells_all_of_its_campaigns_apart(tmp_path: Path) -> None:
    """Breaks when a campaign is lost, told twice, or one without lots has a figure or a causal word."""
    trials = "trials:\n  spring: {arm: arm, control: held, action: thank, within: 5 days, only: {campaign: spring}}\n"
    planned = EXPERIMENT.replace("Mail of March", "Later").replace("{trait: arm, assigned: elsewhere}", "at start")
    files = {
        "experiments/mail.yaml": EXPERIMENT,
        "experiments/later.yaml": planned,
        "experiments/broken.yaml": "name: x",
    }
    with open_workspace(make(tmp_path / "shop", files, SETTINGS + trials)) as ws:
        records = [TraitChange(f"e{i}", "arm", ARMS[i % 10], at(0)) for i in range(600)]
        records += [order(f"e{i}", 2, 10.0 + i % 7) for i in range(600) if i % 3 or i % 2]
        for i in range(300):
            sent = {"campaign": "spring", "arm": "held" if i % 3 == 0 else "got"}
            records += [Event(f"s{i}", "Campaign Sent", at(0), sent), order(f"s{i}", 1, 5.0 + i % 5)]
        records += [Event(f"s{i}", "Campaign Sent", at(1), {"campaign": "summer"}) for i in range(50)]
        put(ws, records, at(20))
        board = ws.scoreboard().found
    assert {(one.kind, one.name) for one in board.entries} == {
        ("experiment", "Mail of March: mailed"), ("experiment", "Mail of March: coupon"), ("trial", "spring"),
    }  # fmt: skip
    left = {one.name: one for one in board.unmeasured}
    assert set(left) == {"Later", "broken", "summer"}
    assert "hasn't begun" in left["Later"].why
    assert left["summer"].customers == 50
    assert not CAUSAL.search(left["summer"].why)
    assert all("summer" not in str(row) for row in board.rows())


def test_observational_campaigns_have_no_figure(tmp_path: Path) -> None:
    """As those of The Complete Journey: households were picked, not drawn. Breaks when one of them gets an effect."""
    with open_workspace(make(tmp_path / "shop", {}, SETTINGS)) as ws:
        records = []
        for i in range(200):
            records += [Event(f"h{i}", "Campaign Sent", at(0), {"campaign": str(i % 3), "type": "TypeA"})]
            records += [order(f"h{i}", 2, 50.0)] if i % 3 else []
        put(ws, records, at(20))
        board = ws.scoreboard().found
        document = ws.scoreboard().document()
    assert (board.entries, board.total) == ((), None)
    assert [one.name for one in board.unmeasured] == ["0", "1", "2"]
    assert not any(CAUSAL.search(one.why) for one in board.unmeasured)
    assert document["campaigns"] == []


def test_campaigns_that_are_named_by_numbers_keep_their_names(tmp_path: Path) -> None:
    """As those of The Complete Journey, too. Breaks when campaign 18 is called 18000000, as a number is kept."""
    with open_workspace(make(tmp_path / "shop", {}, SETTINGS)) as ws:
        put(ws, [Event(f"h{i}", "Campaign Sent", at(0), {"campaign": (18, 2.5)[i % 2]}) for i in range(5)], at(20))
        board = ws.scoreboard().found
    assert [(one.name, one.customers) for one in board.unmeasured] == [("18", 3), ("2.5", 2)]
