"""Customer value in its frame: published numbers through a workspace, laws, fallbacks and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.frame.buyers import Row, by_id, drawn, keys, on, shop, write
from tests.models.frame.buyers import settings as of

from shoal.errors import Refused
from shoal.insight.models import buying
from shoal.insight.models.asof import AsOf
from shoal.insight.models.model import Backtest, Evidence, Measure, Period, Score
from shoal.insight.models.spending import _laws, log_error
from shoal.insight.models.value import CustomerValue
from shoal.workspace import Workspace

CUT, END = "1997-09-30", "1998-06-30"
HALF = 273
PUBLISHED = {
    "BG/NBD": ((0.242595, 4.413602, 0.792922, 2.425907), -9582.4292),
    "MBG/NBD": ((0.524843, 6.183086, 0.891360, 1.614003), -9582.1357),
    "Pareto/NBD": ((0.553277, 10.577684, 0.606240, 11.668743), -9594.9762),
}


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


def columns(model: CustomerValue, known: AsOf) -> dict[str, Score]:
    return {score.name: score for score in model.scores(known)}


def measured(model: CustomerValue, before: AsOf, after: AsOf) -> dict[tuple[str, str], float | None]:
    return {(m.who, m.what): m.value for m in model.judged(before, after).measures}


# ------------------------------------------------------------ CDNOW, as published


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_fits_come_out_of_a_workspace(cut: AsOf, name: str) -> None:
    """Breaks when the door cuts days, merges or units otherwise than the papers do."""
    model = CustomerValue.fitted(cut, of("value", HALF, process=name))
    parameters, height = PUBLISHED[name]
    assert model.process.name == name
    assert model.process.fit is not None
    assert model.process.fit.log_likelihood == pytest.approx(height, abs=0.002)
    assert model.process.values() == pytest.approx(parameters, rel=2e-4)
    assert model.spending is not None
    assert model.spending.model is not None
    assert model.spending.model.values() == pytest.approx([6.25, 3.744, 15.444], abs=0.02)
    assert (model.evidence.customers, model.evidence.fallback) == (2357, "")
    assert "1 January 1997 to 30 September 1997" in model.evidence.label


@pytest.mark.parametrize(
    ("name", "total", "error", "rank", "week"),
    [("BG/NBD", 1653.41, 0.785, 0.773, 4160.6), ("Pareto/NBD", 1665.51, 0.755, 0.779, 4270.0)],
)
def test_the_holdout_is_foretold_as_published(
    cut: AsOf, end: AsOf, name: str, total: float, error: float, rank: float, week: float
) -> None:
    """Breaks when orders after the cut are counted otherwise, or the horizon isn't the time between both instants."""
    model = CustomerValue.fitted(cut, of("value", HALF, process=name))
    found = model.judged(cut, end)
    measures = {(m.who, m.what): m.value for m in found.measures}
    assert measures["model", "orders total error"] == pytest.approx(total / 1882 - 1, abs=3e-4)
    assert measures["model", "orders mae"] == pytest.approx(error, abs=0.001)
    orders = [row["came"] * row["customers"] for row in found.frames["frequency"]]
    assert sum(orders) == pytest.approx(1882)
    assert [row["came"] for row in found.frames["frequency"]][:3] == pytest.approx([0.237, 0.697, 1.393], abs=0.001)
    last = found.frames["weeks"][-1]
    assert (last["week"], last["came_sum"]) == (78, 4339)
    assert last["foretold_sum"] == pytest.approx(week, abs=0.5)
    assert measures["model", "auc"] == pytest.approx(rank, abs=0.001)
    assert (measures["recency", "auc"], measures["frequency", "auc"]) == pytest.approx((0.771, 0.758), abs=0.001)
    assert measures["model", "mae"] < min(measures[who, "mae"] for who in ("same rate", "mean", "last period"))  # type: ignore[operator,type-var]


def test_the_process_is_chosen_by_what_came_last(cut: AsOf) -> None:
    """Breaks when the choice isn't stated, or takes another than the likeliest of what the holdout showed."""
    model = CustomerValue.fitted(cut, of("value", 90))
    (note, *_) = model.evidence.notes
    told = note[note.index("(mean log: ") + 11 : note.index(")")].split(", ")
    scores = {one.rsplit(" ", 1)[0]: float(one.rsplit(" ", 1)[1]) for one in told}
    assert set(scores) == {"BG/NBD", "MBG/NBD", "Pareto/NBD", "NBD"}
    assert scores[model.process.name] == max(scores.values())
    assert "the last 90 days" in note


def test_drawn_histories_and_the_law_of_the_parameters_agree_on_how_sure_a_value_is(cut: AsOf) -> None:
    """Breaks when an interval isn't that of the parameters: both ways are worked out apart from one another."""
    model = CustomerValue.fitted(cut, of("value", 365, process="Pareto/NBD"))
    assert model.spending is not None
    seen = cut.purchases()
    law = _laws(model.process, model.spending.model)
    assert len(model.laws["orders"]["draws"]) >= 20
    for key, fitted, figure in (
        ("orders", model.process, lambda m: m.expected(seen, 52)),
        ("spend", model.spending.model, lambda m: m.expected(seen)),
    ):
        drawn_, known = log_error(fitted, model.laws[key], figure), log_error(fitted, law[key], figure)
        assert drawn_ is not None
        assert known is not None
        assert 0.7 < np.median(drawn_ / known) < 1.4
    found = columns(model, cut)
    low, middle, high = (np.asarray(found[f"value_predicted_365d{end}"].values) for end in ("_low", "", "_high"))
    assert np.all((low < middle) & (middle < high))
    # 2,357 customers tell a mean to some percent, not to nothing.
    assert 0.02 < np.median(high / middle - 1) < 0.4


def test_value_adds_up(cut: AsOf) -> None:
    """Breaks when total, historic and predicted come of different money, or the short horizon of another model."""
    model = CustomerValue.fitted(cut, of("value", 365))
    found = {name: np.asarray(score.values) for name, score in columns(model, cut).items() if "next" not in name}
    paid = cut.days_with_orders()[2].sum()
    assert found["value_historic"].sum() == pytest.approx(paid)
    assert found["value_total_365d"] == pytest.approx(found["value_historic"] + found["value_predicted_365d"])
    assert model.spending is not None
    each = model.spending.each(cut.purchases())
    assert found["spend_expected_90d"] == pytest.approx(found["orders_expected_90d"] * each)
    assert found["orders_expected_90d"] == pytest.approx(model.process.expected(cut.purchases(), 90 / 7))
    assert np.all(found["orders_expected_90d"] * each < found["value_predicted_365d"])
    less = CustomerValue.fitted(cut, of("value", 365, discount=0.1)).predicted(cut.purchases())
    # Half a year lies before the middle of the orders at most, so that 10 % a year take less than 10 % off.
    assert np.all((less < found["value_predicted_365d"]) & (less > 0.9 * found["value_predicted_365d"]))


def test_a_next_order_has_a_date_only_where_it_is_likely(end: AsOf) -> None:
    """Breaks when a date is named for who is more likely gone, or lies outside its interval or in the past."""
    model = CustomerValue.fitted(end, of("value", 90))
    found = columns(model, end)
    when, low, high = (np.asarray(found[f"next_order_{part}"].values) for part in ("on", "from", "until"))
    likely = model.process.active(end.purchases(), 90 / 7) >= 0.5
    assert 0 < likely.sum() < len(likely)
    assert np.array_equal(np.isfinite(when), likely)
    assert np.all((low <= when)[likely] & (when <= high)[likely])
    assert np.all(low[likely] > end.today)
    assert np.all(high[likely] <= end.today + 90)
    assert np.all(when[likely] == np.floor(when[likely]))


def test_a_backtest_on_cdnow_beats_its_baselines_and_says_so(cdnow: Workspace) -> None:
    """Breaks when the periods, or who deserves the credit, come out otherwise."""
    found = cdnow.models.backtest("churn", periods=2, as_of=END)
    assert [period.customers for period in found.periods] == [2357, 2357]
    assert found.by == "brier"
    assert found.verdict().startswith(
        "The model did better than its best baseline in each period, beyond chance: brier 0.09"
    )


# ------------------------------------------------------------ laws


def test_what_comes_after_an_instant_changes_nothing_as_of_it(tmp_path: Path) -> None:
    """Breaks when a fit or a score reads anything after its instant."""
    rows = drawn(2)
    early = [row for row in rows if row[1] <= 400]
    assert len(early) < len(rows)
    with shop(tmp_path / "shop", early) as workspace:
        with workspace.models.as_of(on(400)) as known:
            model = CustomerValue.fitted(known, of("value"))
            before = {s.name: by_id(workspace, s) for s in model.scores(known)}
        write(tmp_path / "shop" / "orders-later.csv", [row for row in rows if row[1] > 400])
        workspace.load()
        with workspace.models.as_of(on(400)) as known:
            again = CustomerValue.fitted(known, of("value"))
            after = {s.name: by_id(workspace, s) for s in again.scores(known)}
    assert again.evidence.fingerprint == model.evidence.fingerprint
    assert again.state() == model.state()
    assert len(before["value_historic"]) > 200
    for name, values in before.items():
        assert after[name].keys() == values.keys()
        assert np.array_equal([after[name][c] for c in values], list(values.values()), equal_nan=True)


def test_the_order_of_rows_and_the_names_of_customers_are_nothing(tmp_path: Path) -> None:
    """Breaks when a fit depends on the order in which customers came."""
    rows = drawn(3, 200)
    mixed = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    renamed: list[Row] = [(f"z{999 - int(str(c)[1:])}", *rest) for c, *rest in mixed]
    states, scores = [], []
    for name, those in (("plain", rows), ("mixed", renamed)):
        with shop(tmp_path / name, those) as workspace, workspace.models.as_of(on(500)) as known:
            model = CustomerValue.fitted(known, of("value"))
            states.append((model.process.values(), model.evidence.fingerprint))
            (found,) = (s for s in model.scores(known) if s.name == "value_predicted_90d")
            scores.append(by_id(workspace, found))
    assert states[0][1] == states[1][1]
    assert states[0][0] == pytest.approx(states[1][0], rel=1e-9)
    for customer, value in scores[0].items():
        assert scores[1][f"z{999 - int(customer[1:])}"] == pytest.approx(value, rel=1e-9)


def test_equal_customers_get_equal_scores(grown: Workspace) -> None:
    """Breaks when anything but a customer's own history enters their score."""
    with grown.models.as_of(on(500)) as known:
        for score in CustomerValue.fitted(known, of("value", process="MBG/NBD")).scores(known):
            found = by_id(grown, score)
            twins = [customer for customer in found if customer.startswith("twin of ")]
            assert len(twins) == 60
            mine, theirs = [found[c.removeprefix("twin of ")] for c in twins], [found[c] for c in twins]
            assert np.array_equal(mine, theirs, equal_nan=True)


def test_a_model_that_was_kept_scores_as_before(grown: Workspace) -> None:
    """Breaks when the state leaves something out, or isn't plain JSON."""
    with grown.models.as_of(on(450)) as known:
        model = CustomerValue.fitted(known, of("value", discount=0.05))
        kept = json.loads(json.dumps(model.state()))
        evidence = Evidence.from_document(json.loads(json.dumps(model.evidence.document())))
        again = CustomerValue.restored(model.settings, evidence, kept)
        for mine, theirs in zip(model.scores(known), again.scores(known), strict=True):
            assert mine.name == theirs.name
            assert np.asarray(theirs.values) == pytest.approx(np.asarray(mine.values), rel=1e-9, nan_ok=True)
        (customer, *_) = known.purchases().customers.tolist()  # type: ignore[union-attr]
        assert again.reasons(known, customer) == model.reasons(known, customer)
    # No customer stands in what is kept: as many numbers of few customers as of many.
    assert len(json.dumps(kept)) < 20_000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-50, 100)), min_size=10, max_size=60))
def test_tenths_share_out_equals_and_lose_nothing(rows: list[tuple[int, float]]) -> None:
    """Breaks when equal scores fall by the order of rows, money goes missing between tenths, or nothing has a lift."""
    score, came = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = buying.deciles(score, came)
    assert bool(found) == bool(came.sum())
    if not found:
        return
    assert sum(row["n"] for row in found) == len(rows)
    assert sum(row["came"] * row["n"] for row in found) == pytest.approx(came.sum(), abs=1e-6)
    assert sum(row["foretold"] * row["n"] for row in found) == pytest.approx(score.sum(), abs=1e-6)
    back = buying.deciles(score[::-1], came[::-1])
    assert [row["came"] for row in back] == pytest.approx([row["came"] for row in found], abs=1e-9)


# ------------------------------------------------------------ money


def test_refunds_on_later_days_are_taken_off(tmp_path: Path) -> None:
    """Breaks when money that went back counts as value, so far or to come."""
    rows = drawn(5)
    back: list[Row] = [(c, day + 1, -amount / 2, None, "refund") for c, day, amount in rows[::2]]
    with shop(tmp_path / "plain", rows) as workspace, workspace.models.as_of(on(501)) as known:
        plain = {
            s.name: by_id(workspace, s)
            for s in CustomerValue.fitted(known, of("value", process="MBG/NBD")).scores(known)
        }
    with shop(tmp_path / "back", [*rows, *back]) as workspace, workspace.models.as_of(on(501)) as known:
        model = CustomerValue.fitted(known, of("value", process="MBG/NBD"))
        found = {s.name: by_id(workspace, s) for s in model.scores(known)}
    customer = rows[0][0]
    orders = sum(row[2] for row in rows if row[0] == customer)
    refunds = sum(row[2] for row in back if row[0] == customer)
    assert refunds < 0
    assert found["value_historic"][customer] == pytest.approx(orders + refunds)
    share = sum(found["value_historic"].values()) / sum(plain["value_historic"].values())
    assert share == pytest.approx(0.75, abs=0.05)
    assert found["value_predicted_90d"][customer] == pytest.approx(
        share * plain["value_predicted_90d"][customer], rel=0.02
    )
    assert "remain after refunds" in " ".join(model.evidence.notes)


def test_margin_needs_costs_and_is_revenue_less_cost(tmp_path: Path) -> None:
    """Breaks when a margin is made up where no cost is known."""
    rows: list[Row] = [(c, day, amount, round(amount * 0.6, 4)) for c, day, amount in drawn(6)]
    with (
        shop(tmp_path / "none", [row[:3] for row in rows]) as workspace,
        workspace.models.as_of(on(500)) as known,
        pytest.raises(Refused, match="no cost data"),
    ):
        CustomerValue.fitted(known, of("value", of="margin"))
    with shop(tmp_path / "cost", rows, cost=True) as workspace, workspace.models.as_of(on(500)) as known:
        revenue, margin = (
            columns(CustomerValue.fitted(known, of("value", of=what, process="MBG/NBD")), known)
            for what in ("revenue", "margin")
        )
        for name in ("value_historic", "value_predicted_90d", "spend_expected_90d"):
            assert np.asarray(margin[name].values) == pytest.approx(0.4 * np.asarray(revenue[name].values), rel=1e-3)
        assert "margin" in margin["value_predicted_90d"].says


def test_where_all_pay_the_same_the_mean_stands_for_a_model_of_spend(tmp_path: Path) -> None:
    """Breaks when a constant spend crashes the fit, or the stand-in isn't said."""
    a_day: list[Row] = [(c, d, 20) for c, d in dict.fromkeys((c, d) for c, d, _ in drawn(7))]
    with shop(tmp_path, a_day) as workspace, workspace.models.as_of(on(500)) as known:
        model = CustomerValue.fitted(known, of("value", process="MBG/NBD"))
        found = {name: np.asarray(score.values) for name, score in columns(model, known).items()}
    assert "the same mean spend" in model.evidence.fallback
    assert "everybody is taken to spend the mean of all, 20.00 an order" in model.evidence.fallback
    assert found["value_predicted_90d"] == pytest.approx(20 * found["orders_expected_90d"])
    # Spend is known for sure, so that the interval is that of the orders alone.
    assert np.all(found["value_predicted_90d_low"] < found["value_predicted_90d"])


def test_without_money_orders_are_foretold_and_value_is_not(tmp_path: Path) -> None:
    """Breaks when a value comes from nowhere."""
    with shop(tmp_path, [(c, d, 0) for c, d, _ in drawn(8)]) as workspace, workspace.models.as_of(on(500)) as known:
        model = CustomerValue.fitted(known, of("value"))
        assert {name.split("_")[0] for name in columns(model, known)} == {"orders", "next"}
        assert "value isn't" in model.evidence.fallback
        with pytest.raises(Refused, match="no value to foretell"):
            model.predicted(known.purchases())
        with known.before(known.at - 60 * 86_400_000_000) as before:
            measures = measured(CustomerValue.fitted(before, of("value")), before, known)
        assert measures["model", "mae"] == measures["model", "orders mae"]


# ------------------------------------------------------------ too little, too odd


def test_one_customer_or_none_who_came_back_is_refused_with_the_numbers(tmp_path: Path) -> None:
    """Breaks when a figure is made of nothing, or a refusal doesn't say what is missing."""
    cases: tuple[tuple[str, list[Row], str], ...] = (
        ("one", [("a", 1, 10), ("a", 30, 10), ("b", 2, 5, None, "view")], "at least 20 customers; there is 1"),
        ("once", [(f"c{i}", i % 90, 10) for i in range(200)], "at least 5 customers who bought again; there are 0"),
        ("views", [("a", 1, 0, None, "view")], "There is no order yet"),
    )
    for name, rows, said in cases:
        with (
            shop(tmp_path / name, rows) as workspace,
            workspace.models.as_of(on(120)) as known,
            pytest.raises(Refused, match=said),
        ):
            CustomerValue.fitted(known, of("value"))


def test_of_few_customers_each_rate_is_drawn_to_that_of_all_and_says_so(tmp_path: Path) -> None:
    """Breaks when the simpler way isn't named, or pretends to know how sure it is."""
    rows: list[Row] = [(f"c{i}", i, 10 + i) for i in range(30)]
    rows += [(f"c{i}", i + 40, 12 + i) for i in range(8)]
    with shop(tmp_path, rows) as workspace, workspace.models.as_of(on(100)) as known:
        model = CustomerValue.fitted(known, of("value", 30))
        found = columns(model, known)
        by = by_id(workspace, found["orders_expected_30d"])
    assert "at least 100 customers; there are 30" in model.evidence.fallback
    assert "drawn to the rate of all" in model.evidence.fallback
    days = sum(100 - i for i in range(30))
    assert by["c0"] == pytest.approx(2 / (100 + days / 8) * 30)
    assert by["c29"] == pytest.approx(1 / (71 + days / 8) * 30)
    assert np.all(np.isnan(found["value_predicted_30d_low"].values))
    assert np.all(np.isfinite(found["value_predicted_30d"].values))


def test_where_nobody_is_seen_to_leave_the_model_says_so(tmp_path: Path) -> None:
    """Breaks when a fit that ran to its edge is passed off as one of customers who leave."""
    with shop(tmp_path, drawn(11, 400, leaving=False)) as workspace, workspace.models.as_of(on(500)) as known:
        forced = CustomerValue.fitted(known, of("value", process="BG/NBD"))
        chosen = CustomerValue.fitted(known, of("value"))
        found = columns(forced, known)
    assert (forced.process.name, chosen.process.name) == ("NBD", "NBD")
    assert "how customers leave (BG/NBD: a and b ran to the edge" in forced.evidence.fallback
    assert "nobody is taken to have left" in forced.evidence.fallback
    # Here a holdout could try the others, and the NBD foretold better: no fallback, but it is said.
    assert chosen.evidence.fallback == ""
    assert any("nobody is taken to have left" in note for note in chosen.evidence.notes)
    assert np.all(np.isfinite(found["value_predicted_90d_high"].values))


def test_a_clock_long_after_the_data_gives_small_numbers_and_no_dates(grown: Workspace) -> None:
    """Breaks when decades of silence overflow, or are taken for loyalty."""
    with grown.models.as_of(on(500)) as known:
        model = CustomerValue.fitted(known, of("value", process="MBG/NBD"))
        now = columns(model, known)
    with grown.models.as_of(date(2090, 1, 1).isoformat()) as known:
        late = columns(model, known)
        # Whether they left or only the data end, nothing says: nothing is learnt from that.
        with pytest.raises(Refused, match="Nobody at all has ordered for"):
            CustomerValue.fitted(known, of("value", process="MBG/NBD"))
    values = np.asarray(late["value_predicted_90d"].values)
    assert np.all(np.isfinite(values))
    assert values.sum() < 0.05 * np.asarray(now["value_predicted_90d"].values).sum()
    assert np.all(np.isnan(late["next_order_on"].values))


def test_who_never_ordered_has_no_value_at_all(grown: Workspace) -> None:
    """Breaks when a visitor gets 0, which reads like a figure."""
    with grown.models.as_of(on(500)) as known:
        model = CustomerValue.fitted(known, of("value", process="MBG/NBD"))
        assert len(known.customers) == len(known.purchases()) + 1
        for score in model.scores(known):
            assert "visitor" not in by_id(grown, score)
        said = model.reasons(known, keys(grown)["visitor"])
    assert said == ("There is no order yet, so nothing is foretold.",)


def test_reasons_are_the_customers_own_numbers(grown: Workspace) -> None:
    """Breaks when a reason speaks of another's orders, or of other days."""
    with grown.models.as_of(on(400)) as known:
        said = CustomerValue.fitted(known, of("value", discount=0.1)).reasons(known, keys(grown)["me"])
    assert said[0] == "Last order 60 days ago, where 20 days lie between orders usually."
    assert said[1] == "Ordered on 3 days in the 100 days since the first order."
    assert "over the next 90 days" in said[2]
    assert "after the discount" in said[2]
    assert said[3] == "Orders so far brought 26.67 each in revenue."


# ------------------------------------------------------------ in the workspace


def test_predict_writes_the_traits_of_each_model_under_its_own_names(tmp_path: Path) -> None:
    """Breaks when two models of value write one trait, or a horizon isn't in the name."""
    models = "models:\n  value: {horizon: 60 days}\n  gross: {kind: value, horizon: 120 days, discount: 0.1}\n"
    with shop(tmp_path, drawn(12), models=models) as workspace:
        done = workspace.models.predict(["value", "gross"])
        assert not done.refused
        assert not done.skipped
        names = set(done.changed)
        assert {"value_historic", "value_predicted_60d", "value_total_60d", "orders_expected_60d"} <= names
        assert {"gross_predicted_120d", "gross_orders_expected_90d", "gross_next_order_on"} <= names
        assert done.changed["value_predicted_60d"] == 300
        again = workspace.models.predict(["value", "gross"])
        assert not again.fitted
        # The clock stands at the data's end and runs on: within a day nothing changes.
        assert sum(again.changed.values()) == 0
        (version,) = workspace.models.versions("value")
        assert any(m.what == "mae" and m.who == "last period" for m in version.evidence.measures)
        asked = workspace.sql("SELECT count(*) AS n FROM customers WHERE value_predicted_60d > 0").to_pylist()
        assert asked == [{"n": 300}]


def test_a_settings_horizon_is_what_a_backtest_steps_by(grown: Workspace) -> None:
    """Breaks when cuts overlap, a history too short is tried all the same, or a long horizon can't be tried at all."""
    with grown.models.as_of(on(60)) as known, pytest.raises(Refused, match="can't be tried on earlier data"):
        CustomerValue.backtest(known, of("value"), 2)
    with grown.models.as_of(on(500)) as known:
        year = CustomerValue.backtest(known, of("value", 365), 1)
        assert [period.until - period.cut for period in year.periods] == [90 * 86_400_000_000]
        found = CustomerValue.backtest(known, of("value", 80), 3)
    assert [period.until - period.cut for period in found.periods] == [80 * 86_400_000_000] * len(found.periods)
    assert set(found.frames) == {"deciles", "frequency", "weeks"}


def test_a_verdict_is_of_the_periods_that_both_sides_have() -> None:
    """Breaks when a baseline that could be had in one period only is compared with the model's mean over all of them."""

    def period(cut: int, **values: float) -> Period:
        return Period(cut, cut + 1, 10, tuple(Measure(who, "brier", value, n=10) for who, value in values.items()))

    both = (period(0, model=0.3), period(1, model=0.1, recency=0.2), period(2, model=0.1, recency=0.15))
    said = Backtest("", both, "brier", False).verdict()
    assert said == (
        "The model did better than its best baseline in each period, how surely isn't known: brier 0.1 against 0.175 of "
        "recency over 2 periods."
    )
    lost = Backtest("", (*both, period(3, model=0.2, rate=0.1)), "brier", False).verdict()
    assert (
        lost == "The model did no better than rate: brier 0.2 against 0.1 of rate over 1 period. Rely on rate for this."
    )
    assert "nothing to compare" in Backtest("", (period(0, model=0.3),), "brier", False).verdict()
