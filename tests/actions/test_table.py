"""The table of actions: whom each fits, what is at stake and how that came about, and what it never says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import shoal
from actions.shops import END, regulars, shop, story
from shoal.cli import app
from shoal.errors import Refused, UnknownName
from shoal.insight.actions import ACTIONS, Action, Table
from shoal.stats.intervals import wilson
from shoal.workspace import Workspace

CLAIM = re.compile(
    r"\b(uplift|will (gain|earn|bring|increase)|causes?|because of|leads? to|would (gain|earn|bring in))\b", re.I
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The shop of the story; nothing in it is changed."""
    orders, groups = story()
    refused = [f"silent{i}" for i in range(15)]
    with shop(tmp_path_factory.mktemp("story"), orders, groups, refused=refused) as ws:
        yield ws


@pytest.fixture(scope="module")
def found(told: Workspace) -> Table:
    return told.actions.table()


def row(found: Table, segment: str, action: str) -> Action:
    (one,) = [a for a in found.actions if (a.segment, a.action) == (segment, action)]
    return one


def test_the_silent_are_to_be_won_back_and_the_steady_arent(found: Table) -> None:
    """Breaks when an action is suggested where the profile doesn't speak for it."""
    silent = row(found, "silent", "win-back")
    assert (silent.size, silent.fits, silent.share) == (60, 60, 1.0)
    assert not [a for a in found.actions if a.segment == "steady" and a.action == "win-back"]
    assert found.actions[0].segment == "silent", "most is at stake with them"


def test_what_is_at_stake_is_read_off_those_who_stood_so_before(found: Table) -> None:
    """By hand: 80 stood so 90 days ago, half came back; the silent ones' orders of a year, by day, times 90.

    Breaks when the horizon, the lookalikes or the customers' own spend is another, or the future is among the past.
    """
    stake = row(found, "silent", "win-back").stake
    assert stake is not None
    back = wilson(40, 80)
    usual = 0.0
    for i in range(60):
        days = list(range(5 + i % 20, END - 130 + 1, 20))
        yearly = sum(50 + i % 5 for k in days if k > END - 365)
        usual += yearly / min(365, END - days[0]) * 90
    assert stake.low == pytest.approx((1 - back.high) * usual, rel=0.01)
    assert stake.high == pytest.approx((1 - back.low) * usual, rel=0.01)
    assert "Of 80 customers who stood so 90 days ago, 50 % ordered again" in stake.says


def test_consent_decides_who_can_be_reached(found: Table) -> None:
    """15 of the 60 refused. Breaks when reach is the segment's and not that of those whom the action fits."""
    silent = row(found, "silent", "win-back")
    assert (silent.purpose, silent.reachable) == ("mail", 45)


def test_few_actions_by_what_is_at_stake_and_no_gain_from_nowhere(found: Table) -> None:
    """Breaks when a segment gets a list, the order is lost, or a gain is named that nobody measured."""
    for segment in {a.segment for a in found.actions}:
        rows = [a for a in found.actions if a.segment == segment]
        assert 1 <= len(rows) <= 3
        lows = [-1.0 if a.stake is None else a.stake.low for a in rows]
        assert lows == sorted(lows, reverse=True)
    for one in found.actions:
        assert one.gain is None
        assert one.effect is None
        assert one.fits <= one.size
        assert one.rests
        assert one.stake is None or (0 <= one.stake.low <= one.stake.high and "not a gain" in one.assumption)
        assert not CLAIM.search(" ".join([*one.rests, one.assumption, one.stake.says if one.stake else ""]))


def test_what_models_would_add_is_said_with_the_command(found: Table) -> None:
    assert any("shoal predict value churn" in note for note in found.notes)
    assert any("Nobody was asked" in note for note in found.notes)


def test_what_comes_later_changes_nothing_of_then(tmp_path: Path) -> None:
    """Breaks when a figure of an earlier date knows what came after it."""
    orders, groups = story()
    with shop(tmp_path / "whole", orders, groups) as ws:
        then = ws.actions.table(as_of="2024-12-15").document()
    early = [order for order in orders if order[1] < 349]
    with shop(tmp_path / "cut", early, groups) as ws:
        assert ws.actions.table(as_of="2024-12-15").document()["actions"] == then["actions"]


def test_detractors_are_left_out_of_thanks(tmp_path: Path) -> None:
    """Breaks when someone who said 2 of 10 is thanked or sold to."""
    orders = regulars("best", 40, END, gap=10, revenue=90) + regulars("rest", 160, END)
    answers = [(f"best{i}", END - 20, 2 if i < 12 else 10) for i in range(40)]
    with shop(tmp_path, orders, {"best": "Best", "rest": "Rest"}, answers) as ws:
        thanks = row(ws.actions.table(), "best", "thank")
    assert thanks.fits == 28
    assert "12 detractors are left out: mend first, sell later." in thanks.rests
    assert "28 customers are promoters." in thanks.rests


def drinkers(fans: int, plain: int) -> list[tuple[str, int, float, str]]:
    """Tea for all; coffee for most of the fans and few others, some of whom began within the last ninety days."""
    orders = regulars("fan", fans, END) + regulars("plain", plain, END)
    lots = np.random.default_rng(3)
    for name, n, share in (("fan", fans, 0.7), ("plain", plain, 0.15)):
        for i in range(n):
            if lots.random() < share:
                begin = END - 80 if i % 5 == 0 else 40
                days = range(begin, END, 30)
                orders += [(f"{name}{i}", k, 8.0, "Coffee") for k in days if lots.random() < 0.7]
    return orders


def test_a_category_that_the_segment_likes_is_offered_to_those_who_lack_it(tmp_path: Path) -> None:
    """Breaks when the commonest category of all is offered to all, or offered to those who buy it."""
    orders = drinkers(60, 140)
    with shop(tmp_path, orders, {"fan": "Fans", "plain": "Plain"}) as ws:
        table = ws.actions.table()
    offer = row(table, "fans", "cross-sell")
    buyers = {who for who, _, _, kind in orders if kind == "Coffee" and who.startswith("fan")}
    assert (offer.what, offer.fits) == ("Coffee", 60 - len(buyers))
    assert not [a for a in table.actions if a.segment == "plain" and a.action == "cross-sell"]


def test_a_models_chances_of_a_category_are_used(tmp_path: Path) -> None:
    """Breaks when the trait isn't found by the category's name, or chances of buyers count."""
    orders = drinkers(300, 500)
    with shop(tmp_path, orders, {"fan": "Fans", "plain": "Plain"}) as ws:
        ws.models.predict(["category"])
        offer = row(ws.actions.table(), "fans", "cross-sell")
        rows = ws.segments.members("Fans", traits=["p_buy_coffee_90d"], purpose="mail").to_pylist()
    buyers = {who for who, _, _, kind in orders if kind == "Coffee"}
    chance = sum(float(r["p_buy_coffee_90d"]) for r in rows if r["customer_id"] not in buyers)
    assert offer.stake is not None
    assert "(p_buy_coffee_90d)" in offer.stake.says
    assert 0 < chance < offer.stake.low < offer.stake.high < chance * 8 * 3


def buyers(n: int = 500, seed: int = 2) -> list[tuple[str, int, float, str]]:
    """Customers with a rate of their own who may leave: those who left more than sixty days ago are called gone."""
    lots = np.random.default_rng(seed)
    found: list[tuple[str, int, float, str]] = []
    for i in range(n):
        begin, rate, lives = int(lots.integers(0, 150)), lots.gamma(3.0, 1 / 60), lots.exponential(300) + 30
        name = f"{'gone' if begin + lives < END - 60 else 'here'}{i}"
        t = float(begin)
        while t < min(END, begin + lives):
            found.append((name, int(t), float(round(lots.gamma(4, 10), 2)) + 1, "Tea"))
            t += lots.exponential(1 / rate)
    return [*found, ("here", END, 10.0, "Tea")]


def test_models_take_the_place_of_lookalikes(tmp_path: Path) -> None:
    """Breaks when the chance of a model isn't used, or another's horizon than its name says."""
    with shop(tmp_path, buyers(), {"gone": "Gone", "here": "Here"}) as ws:
        ws.models.predict(["value", "churn"])
        table = ws.actions.table()
        win = row(table, "gone", "win-back")
        assert table.days == 90
        assert any("(churn_90d)" in said for said in win.rests)
        assert win.stake is not None
        assert "the chance of each" in win.stake.says
        assert not [note for note in table.notes if "isn't used" in note or "predict value" in note]
        columns = ["churn_90d", "spend_expected_90d", "rfm_recency_days"]
        rows = ws.segments.members("Gone", traits=columns, purpose="mail").to_pylist()
        fits = [r for r in rows if r["churn_90d"] >= 0.5 and r["rfm_recency_days"] < 365]
        assert win.fits == len(fits)
        by_value = sum(float(r["churn_90d"]) * float(r["spend_expected_90d"]) for r in fits)
        assert win.stake.low == pytest.approx(by_value, rel=1e-4)


def test_a_stand_in_for_a_model_is_not_relied_on(tmp_path: Path) -> None:
    """All order as by the clock, so that no purchase model can be fitted. Breaks when a stand-in's chances are used all
    the same, by which nobody is ever gone."""
    orders, groups = story()
    with shop(tmp_path, orders, groups) as ws:
        done = ws.models.predict(["value", "churn"])
        assert all(version.evidence.fallback for version in done.versions.values())
        table = ws.actions.table()
    stake = row(table, "silent", "win-back").stake
    assert stake is not None
    assert "who stood so 90 days ago" in stake.says
    assert [note for note in table.notes if note.startswith("churn_90d isn't used")]


def test_without_orders_or_segments_it_is_refused(tmp_path: Path) -> None:
    orders, groups = story()
    with shop(tmp_path / "a", orders, groups) as ws:
        with pytest.raises(UnknownName, match="Nobody"):
            ws.actions.table(["Nobody"])
        for name in groups.values():
            ws.segments.remove(name)
        with pytest.raises(Refused, match="no segment with customers"):
            ws.actions.table()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "shoal.yaml").write_text("shoal: 1\n", encoding="utf-8")
    with shoal.open(tmp_path / "b") as ws, pytest.raises(Refused, match='no "Order Completed" yet'):
        ws.actions.table()


def test_one_customer_gets_no_action(tmp_path: Path) -> None:
    """Breaks when a table is made of one customer, or it fails on one."""
    with shop(tmp_path, [("solo1", 10, 20.0, "Tea"), ("solo1", END, 20.0, "Tea")], {"solo": "Solo"}) as ws:
        table = ws.actions.table()
    assert table.actions == ()
    assert table.without == ("Solo",)


def test_money_that_goes_back_is_never_at_stake(tmp_path: Path) -> None:
    """Half of the customers cost more than they brought. Breaks when a stake is negative, turned round or no number."""
    lots = np.random.default_rng(4)
    orders = [
        (f"{name}{i}", int(day), float(round(lots.normal(mean, 30), 2)), str(lots.choice(["Tea", "Coffee"])))
        for name, mean in (("loss", -20), ("win", 20))
        for i in range(80)
        for day in sorted(lots.choice(END, 9, replace=False))
    ]
    with shop(tmp_path, [*orders, ("win0", END, 5.0, "Tea")], {"loss": "Loss", "win": "Win"}) as ws:
        table = ws.actions.table()
    assert table.actions
    for one in table.actions:
        if one.stake is not None:
            assert np.isfinite([one.stake.low, one.stake.high]).all()
            assert 0 <= one.stake.low <= one.stake.high


def test_a_short_history_says_nothing_of_stakes(tmp_path: Path) -> None:
    """Breaks when forty days of orders make a figure for ninety."""
    orders = [(f"steady{i}", d, 20.0, "Tea") for i in range(60) for d in (END - 40 + i % 9, END - 12, END)]
    with shop(tmp_path, orders, {"steady": "Steady"}) as ws:
        table = ws.actions.table()
    assert all(a.stake is None for a in table.actions)
    assert any("don't reach back 180 days" in note for note in table.notes)


def test_the_command_prints_the_table_and_json(tmp_path: Path) -> None:
    orders, groups = story()
    shop(tmp_path, orders, groups).close()
    run = CliRunner()
    text = run.invoke(app, ["-w", str(tmp_path), "actions"], catch_exceptions=False).stdout
    assert "Win back" in text
    assert "no gain" in text
    why = run.invoke(app, ["-w", str(tmp_path), "actions", "Silent"], catch_exceptions=False).stdout
    assert "Of 80 customers who stood so 90 days ago" in why
    document = json.loads(run.invoke(app, ["-w", str(tmp_path), "actions", "--json"], catch_exceptions=False).stdout)
    assert {a["action"] for a in document["actions"]} <= set(ACTIONS)
    assert all(a["expected_gain"] is None and a["rests_on"] for a in document["actions"])


def test_the_churn_score_with_the_nearest_horizon_is_taken_whatever_its_model_is_called(tmp_path: Path) -> None:
    """Breaks when a score is found by the words of its name alone, or money of another horizon stands beside it."""
    models = (
        "models: {churn: {skip: true}, lost: {kind: churn, horizon: 60 days}, lapsed: {kind: churn, horizon: 300 days}}"
    )
    with shop(tmp_path, buyers(), {"gone": "Gone", "here": "Here"}, more=models) as ws:
        ws.models.predict(["lost", "lapsed", "value"])
        table = ws.actions.table()
        win = row(table, "gone", "win-back")
        assert table.days == 60
        assert any("to buy nothing in 60 days (lost_60d)." in said for said in win.rests)
        assert win.stake is not None
        assert "foretold that each will spend" not in win.stake.says, "spend is foretold over 90 days, and not over 60"
        assert any("lost_60d is the one whose horizon is nearest to 90 days" in note for note in table.notes)
        assert not any("who falls silent" in note for note in table.notes)


def yearly(n: int = 800, years: int = 9, seed: int = 5) -> list[tuple[str, int, float, str]]:
    """Donors who give once in a year with a chance of their own, half of them rarely, and leave unseen."""
    lots = np.random.default_rng(seed)
    found: list[tuple[str, int, float, str]] = []
    for i in range(n):
        name = f"{'rare' if i % 2 else 'true'}{i}"
        share, leaves, usual = lots.beta(1, 4) if i % 2 else lots.beta(6, 2), lots.beta(1, 9), lots.gamma(4, 10)
        born = int(lots.integers(0, years))
        stays = born + 1 + int(np.argmax(lots.random(200) < leaves))
        given = [born, *(year for year in range(born + 1, min(stays, years)) if lots.random() < share)]
        found += [
            (name, END + 200 - 365 * (years - year) - i % 28, round(float(lots.gamma(6, usual / 6)), 2) + 1, "Gift")
            for year in given
        ]
    return [*found, ("true", END, 10.0, "Gift")]


def test_churn_of_a_year_is_read_and_said_as_such(tmp_path: Path) -> None:
    """Breaks when only scores over days are read, or 366 days are named where the model counts in years."""
    models = "models: {churn: {family: bgbb, period: year}, value: {family: bgbb, period: year}}"
    with shop(tmp_path, yearly(), {"rare": "Rare", "true": "True"}, more=models) as ws:
        done = ws.models.predict(["churn", "value"])
        assert not done.refused
        assert not done.versions["churn"].evidence.fallback
        table = ws.actions.table()
    assert table.days == 366
    assert any("churn_1y is the one whose horizon is nearest" in note for note in table.notes)
    thanks = row(table, "true", "thank")
    assert thanks.stake is not None
    assert "to buy nothing in 1 year from the end of the last year" in thanks.stake.says
    assert "(value_predicted_1y)" in thanks.stake.says
    assert 0 < thanks.stake.low < thanks.stake.high


def test_a_reliable_score_goes_before_a_nearer_stand_in(tmp_path: Path) -> None:
    """Breaks when the nearest horizon wins though nothing but a stand-in foretells it."""
    orders = [*buyers(300), *((f"here{i}", END - 3, 9.0, "Tea") for i in range(20))]
    with shop(
        tmp_path, orders, {"gone": "Gone", "here": "Here"}, more="models: {lapsed: {kind: churn, horizon: 120 days}}"
    ) as ws:
        ws.models.predict(["churn", "lapsed"])
        assert ws.actions.table().days == 90
        ws.store.execute(
            'UPDATE definitions SET document = json_merge_patch(document, \'{"evidence": {"fallback": "Too few."}}\') '
            "WHERE kind = 'model' AND slug = 'churn'"
        )
        table = ws.actions.table()
    assert table.days == 120
    assert any(note.startswith("churn_90d isn't used") for note in table.notes)
