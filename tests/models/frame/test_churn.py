"""Churn without a contract in its frame: the known trap, published numbers, laws, baselines and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.frame.buyers import Row, by_id, drawn, keys, on, real_data, shop, write
from tests.models.frame.buyers import settings as of

from shoal.clock import DAY
from shoal.errors import ConfigError, Refused
from shoal.insight.models.asof import AsOf
from shoal.insight.models.btyd import Purchases
from shoal.insight.models.buying import recent
from shoal.insight.models.churn import Churn, _earlier, shares
from shoal.insight.models.model import Evidence
from shoal.stats import scoring
from shoal.workspace import Workspace

CUT, END = "1997-09-30", "1998-06-30"
HALF = 273


@pytest.fixture(scope="module")
def cut(cdnow: Workspace) -> Iterator[AsOf]:
    """CDNOW after 39 weeks."""
    with cdnow.models.as_of(CUT) as known:
        yield known


@pytest.fixture(scope="module")
def end(cdnow: Workspace) -> Iterator[AsOf]:
    """CDNOW after 78 weeks."""
    with cdnow.models.as_of(END) as known:
        yield known


def measured(model: Churn, before: AsOf, after: AsOf) -> dict[tuple[str, str], float | None]:
    return {(m.who, m.what): m.value for m in model.judged(before, after).measures}


# ------------------------------------------------------------ CDNOW, as published


def test_churn_is_never_one_less_than_being_alive(cut: AsOf, end: AsOf) -> None:
    """Breaks when the score is 1 − P(alive): under the BG/NBD that is 0 for all who bought once, and ranks worse than a coin."""
    model = Churn.fitted(cut, of("churn", HALF, process="BG/NBD"))
    seen = cut.purchases()
    once = seen.frequency == 0
    alive = model.process.alive(seen)
    assert np.all(alive[once] == 1)
    assert np.all(model.chance(seen)[once] > 0.5)
    outcome = end.purchases().frequency - seen.frequency > 0
    assert scoring.auc(outcome, alive) == pytest.approx(0.316, abs=0.001)
    assert scoring.auc(~outcome, model.chance(seen)) == pytest.approx(0.757, abs=0.001)


def test_the_known_figures_of_the_holdout(cut: AsOf, end: AsOf) -> None:
    """Breaks when chances, outcomes or baselines are worked out otherwise than on the reference page."""
    model = Churn.fitted(cut, of("churn", HALF, process="BG/NBD"))
    found = model.judged(cut, end)
    measures = {(m.who, m.what): m.value for m in found.measures}
    assert measures["model", "auc"] == pytest.approx(0.757, abs=0.001)
    assert measures["model", "brier"] == pytest.approx(0.161, abs=0.001)
    assert measures["model", "brier skill"] == pytest.approx(1 - 0.161 / 0.206, abs=0.006)
    assert measures["recency", "auc"] == pytest.approx(0.771, abs=0.001)
    assert measures["frequency", "auc"] == pytest.approx(0.758, abs=0.001)
    # No baseline of shares: 39 weeks before the cut there was no history at all.
    assert ("recency", "brier") not in measures
    first = next(m for m in found.measures if (m.who, m.what) == ("model", "auc"))
    assert first.low is not None
    assert first.high is not None
    assert first.low < 0.757 < first.high
    assert sum(row["n"] for row in found.frames["calibration"]) == 2357
    # The least active fifth and the most active one, as known: .136 / .148 and .605 / .674 predicted / actual.
    tenths = [(row["foretold"], row["came"]) for row in found.frames["deciles"]]
    assert np.mean(tenths[:2], axis=0) == pytest.approx([1 - 0.136, 1 - 0.148], abs=0.012)
    assert np.mean(tenths[-2:], axis=0) == pytest.approx([1 - 0.605, 1 - 0.674], abs=0.012)


# ------------------------------------------------------------ laws


def test_the_future_changes_nothing_and_the_past_is_fitted_the_same(tmp_path: Path) -> None:
    """Breaks when a fit, a score or a baseline reads anything after its instant."""
    rows = drawn(21)
    with shop(tmp_path / "shop", [row for row in rows if row[1] <= 400]) as workspace:
        with workspace.models.as_of(on(400)) as known:
            model = Churn.fitted(known, of("churn"))
            before = [by_id(workspace, score) for score in model.scores(known)]
            shares = _earlier(known, 90, 200)
        write(tmp_path / "shop" / "orders-later.csv", [row for row in rows if row[1] > 400])
        workspace.load()
        with workspace.models.as_of(on(400)) as known:
            again = Churn.fitted(known, of("churn"))
            assert [by_id(workspace, score) for score in again.scores(known)] == before
            later = _earlier(known, 90, 200)
    assert again.state() == model.state()
    assert shares is not None
    assert later is not None
    assert np.array_equal(shares[1], later[1])


def test_an_order_on_the_day_of_the_cut_but_after_it_is_an_outcome(tmp_path: Path) -> None:
    """Breaks when a whole day is on one side of the cut: its evening would be known before it came."""
    rows: list[Row] = [(c, f"{on(day)} 09:00:00", paid) for c, day, paid in drawn(22) if day < 450]
    evening: Row = ("c0", f"{on(450)} 18:00:00", 10)
    with (
        shop(tmp_path, [*rows, evening]) as workspace,
        workspace.models.as_of(f"{on(450)}T12:00:00Z") as before,
        workspace.models.as_of(f"{on(450)}T20:00:00Z") as after,
    ):
        assert before.today == after.today
        judged = Churn.fitted(before, of("churn")).judged(before, after)
    came = [row["came"] * row["customers"] for row in judged.frames["frequency"]]
    assert sum(came) == pytest.approx(1)


def test_equal_histories_have_equal_chances_and_words(grown: Workspace) -> None:
    """Breaks when anything but a customer's own history enters their score."""
    with grown.models.as_of(on(500)) as known:
        for score in Churn.fitted(known, of("churn")).scores(known):
            found = by_id(grown, score)
            twins = [customer for customer in found if customer.startswith("twin of ")]
            assert [found[c.removeprefix("twin of ")] for c in twins] == [found[c] for c in twins]


def test_a_model_that_was_kept_scores_as_before(cut: AsOf, end: AsOf) -> None:
    """Breaks when the state leaves something out, or isn't plain JSON."""
    model = Churn.fitted(cut, of("churn"))
    evidence = Evidence.from_document(json.loads(json.dumps(model.evidence.document())))
    again = Churn.restored(model.settings, evidence, json.loads(json.dumps(model.state())))
    for known in (cut, end):
        chance, words = again.scores(known)
        assert np.asarray(chance.values) == pytest.approx(np.asarray(model.scores(known)[0].values), abs=1e-9)
        assert list(words.values) == list(model.scores(known)[1].values)
    assert (chance.name, words.name) == ("churn_90d", "churn_90d_reason")
    assert chance.event_driven


@pytest.mark.parametrize("process", ["BG/NBD", "MBG/NBD", "Pareto/NBD"])
def test_silence_and_a_longer_horizon_change_a_chance_in_the_right_way(cut: AsOf, process: str) -> None:
    """Breaks when silence is a good sign, or waiting longer makes an order less likely."""
    model = Churn.fitted(cut, of("churn", process=process))
    quiet = Purchases(np.full(39, 5.0), np.arange(39, 0, -1.0), np.full(39, 39.0))
    assert np.all(np.diff(model.chance(quiet)) > 0)
    ahead = [model.chance(quiet, days)[3] for days in (7, 30, 90, 365, 3650)]
    assert np.all(np.diff(ahead) < 0)
    assert 0 < ahead[-1] < ahead[0] < 1


# ------------------------------------------------------------ words


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400), st.integers(0, 2000), st.floats(0.1, 900))
def test_a_reason_is_short_and_has_no_number_that_is_none(orders: int, since: int, usual: float) -> None:
    """Breaks when a reason reads nan, inf, or a negative number."""
    said = recent(orders, since, usual if orders else float("nan"))
    assert "nan" not in said
    assert "-" not in said
    assert len(said) < 90
    assert ("today" in said) == (since == 0)


def test_reasons_tell_the_habit_the_chance_and_what_an_order_today_would_make(grown: Workspace) -> None:
    """Breaks when the words don't follow the customer's own days."""
    with grown.models.as_of(on(400)) as known:
        model = Churn.fitted(known, of("churn", process="MBG/NBD"))
        chance, words = (by_id(grown, score) for score in model.scores(known))
        said = model.reasons(known, keys(grown)["me"])
        once = model.reasons(known, keys(grown)["you"])
        never = model.reasons(known, keys(grown)["visitor"])
    # By date: the words of nobody change because a day has passed.
    assert words["me"] == f"last order on {on(400 - 60)}, where 20 days lie between orders usually"
    assert words["you"] == f"one order only, on {on(400 - 20)}"
    assert said[0] == "Last order 60 days ago, where 20 days lie between orders usually."
    assert f"within 90 days is {chance['me']:.0%}; over all customers it was" in said[2]
    assert said[3].startswith("Had the last order been today, it would be ")
    assert int(said[3].split()[-1].rstrip("%.")) < 100 * chance["me"]
    assert once[0] == "One order only, 20 days ago."
    assert never == ("There is no order yet, so nothing is foretold.",)


# ------------------------------------------------------------ baselines


def test_shares_by_recency_are_those_of_the_earlier_period() -> None:
    """Breaks when a baseline looks at the outcome that it is to foretell, or parts equal values."""
    then = np.repeat([1.0, 10.0, 100.0], 100)
    gone = np.concatenate([np.zeros(100), np.tile([0, 1], 50), np.ones(100)])
    found = shares(then, gone, np.array([0.0, 1.0, 10.0, 50.0, 100.0, 999.0]))
    assert found == pytest.approx([0.5 / 101, 0.5 / 101, 50.5 / 101, 100.5 / 101, 100.5 / 101, 100.5 / 101])
    assert shares(np.ones(50), np.ones(50), np.array([7.0]))[0] == pytest.approx(50.5 / 51)


def test_calibrated_baselines_stand_beside_and_the_verdict_is_of_levels(cdnow: Workspace) -> None:
    """Breaks when the model is compared with nothing that has levels of its own."""
    with cdnow.models.as_of(END) as after, cdnow.models.as_of(after.at - 90 * DAY) as before:
        measures = measured(Churn.fitted(before, of("churn")), before, after)
    assert {who for who, what in measures if what == "brier"} == {
        "model",
        "same rate",
        "recency",
        "frequency",
        "share before",
    }
    assert measures["model", "brier"] < measures["recency", "brier"] < measures["share before", "brier"]  # type: ignore[operator]
    assert (Churn.by, Churn.higher) == ("brier", False)
    # It ranks hardly better than recency, and that is shown.
    assert abs(measures["model", "auc"] - measures["recency", "auc"]) < 0.03  # type: ignore[operator]


# ------------------------------------------------------------ too little, too odd


def test_too_few_are_refused_or_said(tmp_path: Path) -> None:
    """Breaks when a chance is made of nothing, or a stand-in isn't named."""
    with (
        shop(tmp_path / "one", [("a", 1, 10), ("a", 9, 10)]) as workspace,
        workspace.models.as_of(on(50)) as known,
        pytest.raises(Refused, match="at least 20 customers; there is 1"),
    ):
        Churn.fitted(known, of("churn"))
    few: list[Row] = [(f"c{i}", i, 10) for i in range(40)] + [(f"c{i}", i + 30, 10) for i in range(10)]
    with shop(tmp_path / "few", few) as workspace, workspace.models.as_of(on(100)) as known:
        model = Churn.fitted(known, of("churn"))
        chance = np.asarray(model.scores(known)[0].values)
    assert "drawn to the rate of all" in model.evidence.fallback
    assert np.all((chance > 0) & (chance < 1))


def test_if_all_or_nobody_comes_back_there_is_no_rank_and_no_crash(tmp_path: Path) -> None:
    """Breaks when a measure that can't be had is a number."""
    rows: list[Row] = [(f"c{i}", i % 60, 10) for i in range(150)] + [(f"c{i}", 60 + i % 30, 9) for i in range(60)]
    with (
        shop(tmp_path, rows) as workspace,
        workspace.models.as_of(on(100)) as before,
        workspace.models.as_of(on(200)) as after,
    ):
        found = measured(Churn.fitted(before, of("churn")), before, after)
    assert found["model", "auc"] is None
    assert found["model", "brier skill"] is None
    assert 0 <= (found["model", "brier"] or 0) <= 1


def test_a_clock_long_after_the_data_says_gone(grown: Workspace) -> None:
    """Breaks when decades of silence overflow or read as loyalty."""
    with grown.models.as_of(on(500)) as known:
        model = Churn.fitted(known, of("churn"))
    with grown.models.as_of("2090-01-01") as known:
        chance = np.asarray(model.scores(known)[0].values)
    assert np.all(np.isfinite(chance))
    assert np.all((chance > 0.95) & (chance <= 1))


def test_a_history_of_the_same_for_all_is_said(tmp_path: Path) -> None:
    """Breaks when customers who don't differ give a false precision."""
    rows: list[Row] = [(f"c{i}", i % 30 + 20 * k, 10) for i in range(200) for k in range(3)]
    with shop(tmp_path, rows) as workspace, workspace.models.as_of(on(120)) as known:
        model = Churn.fitted(known, of("churn"))
    assert model.process.name == "NBD"
    assert "same number of repeat purchases" in model.evidence.fallback


def test_a_process_can_be_named_and_a_wrong_name_is_refused(tmp_path: Path) -> None:
    """Breaks when a setting of the workspace doesn't reach the fit."""
    models = "models:\n  churn: {horizon: 60 days, process: Pareto/NBD}\n"
    with shop(tmp_path / "named", drawn(26, 150), models=models) as workspace, workspace.models.as_of(on(500)) as known:
        model = Churn.fitted(known, workspace.models.settings("churn"))
        assert model.process.name == "Pareto/NBD"
        assert [score.name for score in model.scores(known)] == ["churn_60d", "churn_60d_reason"]
    with pytest.raises(ConfigError, match="Weibull"):
        shop(tmp_path / "wrong", [], models="models:\n  churn: {process: Weibull}\n")


@pytest.mark.slow
def test_online_retail_shows_nobody_leaving_and_says_so(tmp_path: Path) -> None:
    """Breaks when a fit at the edge is taken for a model of leaving, or refunds count as orders."""
    import pyarrow.parquet as pq

    table = pq.read_table(real_data() / "online_retail" / "online_retail.parquet").to_pandas()
    table = table[table["CustomerID"].notna()]
    table["money"] = table["Quantity"] * table["UnitPrice"]
    bills = table.groupby(["CustomerID", "InvoiceNo"]).agg(day=("InvoiceDate", "min"), money=("money", "sum"))
    rows: list[Row] = [
        (int(customer), bill.day.date(), round(bill.money, 2), None, "refund" if number.startswith("C") else "order")
        for (customer, number), bill in bills.iterrows()
    ]
    with shop(tmp_path, rows) as workspace:
        found = workspace.models.backtest("churn", periods=2, as_of="2011-12-09")
        with workspace.models.as_of("2011-12-09") as known:
            model = Churn.fitted(known, of("churn"))
    assert model.process.name == "NBD"
    assert "It can't be seen in these orders how customers leave" in model.evidence.fallback
    assert found.mean("model", "auc") == pytest.approx(0.738, abs=0.01)
    assert found.mean("recency", "auc") == pytest.approx(0.676, abs=0.01)
    assert found.mean("model", "brier") < found.mean("recency", "brier")  # type: ignore[operator]
