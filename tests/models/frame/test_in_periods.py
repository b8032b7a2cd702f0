"""Value and churn counted in periods: the donors of the BG/BB's paper through a workspace, the calendar, and the two clocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.frame.buyers import by_id, drawn, keys, shop
from tests.models.frame.buyers import settings as of
from tests.models.frame.donors import donors

from shoal.config.models import models_from
from shoal.errors import ConfigError, Refused
from shoal.insight.models import occasions
from shoal.insight.models.asof import AsOf
from shoal.insight.models.btyd import BetaGeometric, BetaGeometricBetaBernoulli, Occasions, discrete
from shoal.insight.models.churn import Churn
from shoal.insight.models.in_periods import ChurnInPeriods, ValueInPeriods
from shoal.insight.models.model import Evidence, Settings
from shoal.insight.models.value import CustomerValue
from shoal.workspace import Workspace

PUBLISHED = [1.2035, 0.7497, 0.6567, 2.7834]
YEAR = {"family": "bgbb", "period": "year"}


def in_years(kind: str, ahead: int = 1, **options: Any) -> Settings:
    return of(kind, 366 * ahead, **YEAR, ahead=ahead, **options)


@pytest.fixture(scope="module")
def giving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The donors, scored by ``predict``; not to be changed."""
    with donors(tmp_path_factory.mktemp("donors")) as workspace:
        done = workspace.models.predict(["value", "churn"])
        assert not done.refused
        yield workspace


@pytest.fixture(scope="module")
def known(giving: Workspace) -> Iterator[AsOf]:
    with giving.models.as_of() as found:
        yield found


@pytest.fixture(scope="module")
def table(known: AsOf) -> dict[tuple[int, int], str]:
    """A donor of each history: (gifts after the first, year of the last one after 1995)."""
    seen = occasions.histories(known, "year")
    assert seen.customers is not None
    rows = zip(seen.frequency.tolist(), seen.recency.tolist(), seen.customers.tolist(), strict=True)
    return {(int(x), int(last)): owner for x, last, owner in rows}


# ------------------------------------------------------------ as published


def test_the_published_parameters_come_out_of_a_workspace(giving: Workspace, known: AsOf) -> None:
    """Breaks when years are cut or counted otherwise than in the paper (Fader, Hardie and Shang 2010, table 4)."""
    for name in ("value", "churn"):
        assert giving.models.version(name).state["process"]["values"] == pytest.approx(PUBLISHED, abs=0.001)
    seen = occasions.histories(known, "year")
    assert len(seen) == 11_104
    assert set(seen.age.tolist()) == {6.0}
    process = BetaGeometricBetaBernoulli(*giving.models.version("value").state["process"]["values"])
    assert process.log_likelihood(occasions.occasions(seen)) == pytest.approx(-33225.58, abs=0.05)


@pytest.mark.parametrize(("gifts", "last", "expected"), [(0, 0, 0.1302169), (4, 5, 3.627858)])
def test_the_published_expectations_stand_in_the_trait(
    giving: Workspace, table: dict[tuple[int, int], str], gifts: int, last: int, expected: float
) -> None:
    """Breaks when a trait isn't what the walkthrough of R's package BTYD expects of two donors over ten years."""
    ((number,),) = giving.store.rows("SELECT id FROM traits WHERE name = 'orders_expected_10y'")
    ((value,),) = giving.store.rows(f"SELECT value / 1e6 FROM trait_{number} WHERE owner = {table[gifts, last]}")
    assert value == pytest.approx(expected, rel=2e-4)


def test_scores_are_traits_of_the_language(giving: Workspace) -> None:
    """Breaks when a horizon in periods can't be asked for, or equal histories have unequal chances."""
    lost = giving.segments.preview("churn_1y > 0.95").size
    assert 3_464 <= lost < 11_104
    assert giving.segments.preview("value_predicted_10y is known and not value_predicted_10y_low is known").size == 0
    model = Churn.restored(*_held(giving, "churn"))
    assert isinstance(model, ChurnInPeriods)
    with giving.models.as_of() as now:
        (score,) = model.scores(now)
        seen = occasions.histories(now, "year")
    chances: dict[tuple[float, float], set[float]] = {}
    for x, last, chance in zip(seen.frequency.tolist(), seen.recency.tolist(), score.values, strict=True):
        chances.setdefault((x, last), set()).add(float(chance))
    assert len(chances) == 22
    assert all(len(found) == 1 for found in chances.values())


def _held(workspace: Workspace, name: str) -> tuple[Settings, Evidence, dict[str, Any]]:
    version = workspace.models.version(name)
    return version.settings, version.evidence, json.loads(json.dumps(dict(version.state)))


def test_it_is_tried_a_year_at_a_time_and_beats_the_plain_ways(giving: Workspace) -> None:
    """Breaks when a trial knows the year that it foretells, or leaves the baselines out."""
    tried = giving.models.backtest("churn", periods=2)
    assert len(tried.periods) == 2
    for period in tried.periods:
        brier = {m.who: m.value for m in period.measures if m.what == "brier" and m.value is not None}
        assert set(brier) == {"model", "same rate", "recency", "frequency"}
        assert brier["model"] == min(brier.values())
        error = next(m.value for m in period.measures if (m.who, m.what) == ("model", "total error"))
        assert error is not None
        assert abs(error) < 0.03
    measures = {(m.who, m.what): m.value for m in giving.models.version("value").evidence.measures}
    assert {"model", "same rate", "mean", "last period"} <= {who for who, _ in measures}
    assert abs(measures["model", "orders total error"] or 1.0) < 0.05


def test_reasons_speak_of_years(giving: Workspace, table: dict[tuple[int, int], str]) -> None:
    """Breaks when a customer is told of days or weeks, or of orders that they didn't make."""
    ids = dict(giving.store.rows("SELECT key, id FROM customers"))
    told = giving.models.reasons(ids[table[6, 6]])
    assert "Ordered in 6 of the 6 years since the first one, 1995." in told["value"]
    ((number,),) = giving.store.rows("SELECT id FROM traits WHERE name = 'orders_expected_10y'")
    ((turns,),) = giving.store.rows(f"SELECT value / 1e6 FROM trait_{number} WHERE owner = {table[6, 6]}")
    said = f"{turns:.2f} years with an order are expected among the next 10 years at "
    assert any(line.startswith(said) for line in told["value"])
    assert told["churn"][0] == "The last order was in 2001."
    once = giving.models.reasons(ids[table[0, 0]], "churn")["churn"]
    assert once[0] == "The only year with an order is the first one, 1995."
    assert giving.models.reasons("visitor", "churn")["churn"] == (
        "There is no order in a year that is over, so nothing is foretold.",
    )


def test_value_is_orders_times_spend_and_discounted_by_the_year(known: AsOf) -> None:
    """Breaks when the discount is that of another length of time, or the interval doesn't hold the figure."""
    plain = CustomerValue.fitted(known, in_years("value", 2))
    cut = CustomerValue.fitted(known, in_years("value", 2, discount=0.1))
    assert isinstance(plain, ValueInPeriods)
    assert isinstance(cut, ValueInPeriods)
    assert plain.spending is not None
    seen = occasions.histories(known, "year")
    one, two = plain.expected(seen, 1), plain.expected(seen, 2)
    each = plain.spending.each(seen)
    assert plain.predicted(seen) == pytest.approx(two * each)
    assert cut.predicted(seen) == pytest.approx((one / 1.1 + (two - one) / 1.21) * each)
    found = {score.name: np.asarray(score.values) for score in plain.scores(known)}
    assert set(found) == {
        "value_historic", "value_predicted_2y", "value_predicted_2y_low", "value_predicted_2y_high", "value_total_2y",
        "orders_expected_2y",
    }  # fmt: skip
    assert np.all(found["value_predicted_2y_low"] < found["value_predicted_2y"])
    assert np.all(found["value_predicted_2y"] < found["value_predicted_2y_high"])
    assert found["value_total_2y"] == pytest.approx(found["value_historic"] + found["value_predicted_2y"])


# ------------------------------------------------------------ laws


def test_what_comes_later_changes_nothing_as_of_before(giving: Workspace) -> None:
    """Breaks when a fit as of 2000 knows a gift of 2000 or later."""
    with giving.models.as_of("2000-06-01") as middle, giving.models.as_of("2000-01-01") as start:
        late, early = (Churn.fitted(at, in_years("churn")) for at in (middle, start))
        seen = occasions.histories(middle, "year")
        assert isinstance(late, ChurnInPeriods)
        assert isinstance(early, ChurnInPeriods)
        assert set(seen.age.tolist()) == {4.0}
        # Of a year that runs nothing is looked at, so that these are the same.
        assert late.turns.values() == pytest.approx(early.turns.values())
        assert np.array_equal(late.chance_of(seen), early.chance_of(seen))


def test_the_year_that_runs_waits_until_it_is_over(tmp_path: Path) -> None:
    """Breaks when a part of a year counts as a whole one: who came in it would have failed to give in it."""
    came = [("newcomer", "2002-01-01", 30), ("d1", "2002-01-01", 30)]
    with donors(tmp_path / "shop", more=tuple(came)) as workspace, workspace.models.as_of() as now:
        model = Churn.fitted(now, in_years("churn"))
        assert isinstance(model, ChurnInPeriods)
        assert model.turns.values() == pytest.approx(PUBLISHED, abs=0.001)
        assert any(note.startswith("2002 isn't over") for note in model.evidence.notes)
        scores = by_id(workspace, model.scores(now)[0])
        assert "newcomer" not in scores
        assert len(scores) == 11_104
        with now.only(["newcomer"]) as alone:
            assert model.scores(alone) == ()


def test_the_order_of_rows_and_their_number_in_a_period_say_nothing(tmp_path: Path) -> None:
    """Breaks when a fit hangs on the order of the file, or an order more in the same month counts as a month more."""
    rows = [row for row in drawn(8, 300, 700) if int(row[1]) < 690]
    end = [("visitor", 720, 1, None, "view")]
    split = [(who, day, amount / 2) for who, day, amount in rows for _ in range(2)]
    order = np.random.default_rng(1).permutation(len(split)).tolist()
    month = of("churn", 31, family="bgbb", period="month", ahead=1)
    found = []
    for name, given_rows in (("one", rows), ("two", [split[i] for i in order])):
        with shop(tmp_path / name, [*given_rows, *end]) as workspace, workspace.models.as_of() as now:
            model = Churn.fitted(now, month)
            found.append((model.state(), by_id(workspace, model.scores(now)[0])))
    (one, scores), (two, others) = found
    assert one == two
    assert scores == others


@given(st.integers(-20_000, 40_000), st.sampled_from(["week", "month", "quarter", "year"]))
def test_each_day_lies_in_one_period(day: int, period: str) -> None:
    """Breaks when periods leave days out, overlap, or are longer than is said."""
    from shoal.shapes import PERIOD_DAYS

    number = int(occasions.numbered(day, period))
    start, end = occasions.first_day(number, period), occasions.first_day(number + 1, period)
    assert start <= day < end
    assert end - start <= PERIOD_DAYS[period]
    first = date.fromordinal(occasions.EPOCH + start)
    assert first.weekday() == 0 if period == "week" else first.day == 1


def test_histories_in_parts_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when many histories, which are looked at in parts so that they fit in memory, get another likelihood."""
    random = np.random.default_rng(3)
    n = random.integers(1, 30, 300)
    last = np.array([random.integers(0, m + 1) for m in n])
    x = np.where(last > 0, np.minimum(last, random.integers(1, 8, 300)), 0)
    rows = Occasions(x, last, n)
    model = BetaGeometricBetaBernoulli(1.2, 0.75, 0.66, 2.78)
    whole, chances = model.log_likelihood(rows), model.active(rows, 3)
    monkeypatch.setattr(discrete, "CELLS", 50)
    assert model.log_likelihood(rows) == pytest.approx(whole, rel=1e-12)
    assert model.active(rows, 3) == pytest.approx(chances, rel=1e-10)
    assert model.worth(rows, 4000, 0.2) == pytest.approx(model.discounted(rows, 0.2), rel=1e-6)


# ------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("said", "problem", "fix"),
    [
        ({"family": "bgbb", "period": "year", "horizon": "365 days"}, "not a number of years", "1 year or 3 years"),
        ({"family": "bgbb", "period": "quarter", "horizon": "1 year"}, "not a number of quarters", "3 quarters"),
        ({"family": "bgbb", "period": "year", "horizon": "0 years"}, "not a number of years", "1 year"),
        ({"family": "bgbb", "period": "year", "horizon": "30 years"}, "too far ahead", "ten years"),
        ({"family": "bgbb", "horizon": "1 year"}, "`period` is missing", "period: year"),
        ({"family": "bgbb", "period": "year", "process": "NBD"}, "no other process", "Leave process out"),
        ({"period": "year"}, "count in periods", "family: bgbb"),
        ({"horizon": "1 year"}, "not a number of days", "90 days"),
        ({"family": "nbd"}, "not known here", "bgbb"),
    ],
)
@pytest.mark.parametrize("kind", ["value", "churn"])
def test_the_two_clocks_are_never_mixed(kind: str, said: dict[str, str], problem: str, fix: str) -> None:
    """Breaks when a horizon in days goes with periods, or one in periods with days."""
    with pytest.raises(ConfigError) as caught:
        models_from({kind: said})
    assert problem in str(caught.value)
    assert fix in str(caught.value)


def test_a_horizon_in_periods_is_read(giving: Workspace) -> None:
    assert models_from({"value": {**YEAR, "horizon": "2 years"}})["value"] == in_years("value", 2)
    assert models_from({"churn": YEAR})["churn"] == in_years("churn")
    with pytest.raises(Refused, match="its horizon isn't a number of them"), giving.models.as_of() as now:
        Churn.fitted(now, of("churn", 90, **YEAR))


def test_a_model_of_years_answers_no_question_about_days(known: AsOf) -> None:
    model = Churn.fitted(known, in_years("churn"))
    with pytest.raises(Refused, match="90 days are no number of years"):
        model.chance(occasions.histories(known, "year"), 90)
    of_weeks = BetaGeometric(0.24, 4.4, 0.8, 2.4)
    with pytest.raises(Refused, match="counts in weeks, these histories in periods"):
        of_weeks.alive(occasions.histories(known, "year"))


def test_a_silent_year_of_everybody_is_no_churn(giving: Workspace) -> None:
    """Breaks when the end of the data is taken for the end of giving."""
    with giving.models.as_of("2004-02-01") as later, pytest.raises(Refused, match="Nobody at all ordered in 2003"):
        Churn.fitted(later, in_years("churn"))


def test_before_any_period_is_over_nothing_is_said(giving: Workspace) -> None:
    with giving.models.as_of("1995-06-01") as early, pytest.raises(Refused, match="No year with an order is over yet"):
        Churn.fitted(early, in_years("churn"))


def test_a_shop_of_every_day_is_told_that_years_do_not_fit(tmp_path: Path) -> None:
    """Breaks when customers who order whenever they like are counted by the quarter without a word."""
    rows = [*drawn(5, 400, 1000, leaving=True), ("visitor", 1010, 1, None, "view")]
    with shop(tmp_path / "shop", rows) as workspace, workspace.models.as_of() as now:
        model = Churn.fitted(now, of("churn", 92, family="bgbb", period="quarter", ahead=1))
        assert any("they don't buy once in a period" in note for note in model.evidence.notes)
        assert [score.name for score in model.scores(now)] == ["churn_1q"]
        assert keys(workspace)
        with pytest.raises(Refused, match="no margin"):
            CustomerValue.fitted(now, of("value", 92, family="bgbb", period="quarter", ahead=1, of="margin"))


# ------------------------------------------------------------ what stands in


def faithful(customers: int, *, seed: int = 2, years: int = 9) -> list[tuple[str, str, float]]:
    """Donors with a share of their own, who never leave."""
    random = np.random.default_rng(seed)
    share = random.beta(2, 2, customers)
    return [
        (f"f{who}", f"{1995 + year}-05-{1 + who % 20:02}", 20.0 + who % 9)
        for who in range(customers)
        for year in range(years)
        if year == 0 or random.random() < share[who]
    ]


END = ("visitor", "2004-01-02", 1, None, "view")


def test_of_few_donors_each_ones_own_share_stands_in_and_says_so(tmp_path: Path) -> None:
    """Breaks when sixty donors have no score at all, or have one that passes for the model's."""
    with shop(tmp_path / "shop", [*faithful(60), END]) as workspace, workspace.models.as_of() as now:
        churn, value = Churn.fitted(now, in_years("churn")), CustomerValue.fitted(now, in_years("value", 2))
        for model in (churn, value):
            assert model.evidence.fallback.startswith(
                "It can't be seen in these orders how customers come and leave by the year (A purchase model needs at least "
                "100 customers; there are 60). So orders are foretold by the share of years in which each customer ordered"
            )
        seen = occasions.histories(now, "year")
        assert seen.customers is not None
        chance = by_id(workspace, churn.scores(now)[0])
        names = {key: name for name, key in keys(workspace).items()}
        whole = (seen.frequency.sum() + 0.5) / (seen.age.sum() + 1)
        for who, times, years in zip(seen.customers.tolist(), seen.frequency, seen.age, strict=True):
            assert chance[names[who]] == pytest.approx(1 - (1 + times) / (1 / whole + years))
        found = {score.name: np.asarray(score.values) for score in value.scores(now)}
        assert np.all(found["value_predicted_2y"] > 0)
        # Nothing is known of how sure such a share is.
        assert np.isnan(found["value_predicted_2y_low"]).all()
        assert churn.reasons(now, int(seen.customers[0]))[-1].startswith("The chance of no order within 1 year is ")
        state = json.loads(json.dumps(churn.state()))
        again = Churn.restored(churn.settings, churn.evidence, state)
        assert by_id(workspace, again.scores(now)[0]) == chance
        assert Churn.backtest(now, in_years("churn"), 2).periods


def test_where_nobody_leaves_shares_are_fitted(tmp_path: Path) -> None:
    """Breaks when a fit without a maximum is taken for one, or everybody is refused where only leaving can't be seen."""
    with shop(tmp_path / "shop", [*faithful(1500), END]) as workspace, workspace.models.as_of() as now:
        model = Churn.fitted(now, in_years("churn"))
        assert "BG/BB: " in model.evidence.fallback
        assert "drawn to that of all (beta-Bernoulli): nobody is taken to have left" in model.evidence.fallback
        assert model.state()["process"]["name"] == "beta-Bernoulli"
        assert model.state()["process"]["values"] == pytest.approx([2, 2], rel=0.15)
        tried = Churn.backtest(now, in_years("churn"), 1).periods[0]
        brier = {m.who: m.value for m in tried.measures if m.what == "brier" and m.value is not None}
        assert brier["model"] < brier["same rate"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [(faithful(15), "at least 20 customers"), ([*faithful(80, years=1), *faithful(3)], "5 customers who bought again")],
)
def test_below_what_any_number_rests_on_it_is_still_refused(tmp_path: Path, rows: list[Any], problem: str) -> None:
    """Breaks when fifteen donors, or none who gave twice, have a number from nowhere."""
    with shop(tmp_path / "shop", [*rows, END]) as workspace, workspace.models.as_of() as now:
        for kind, name in ((Churn, "churn"), (CustomerValue, "value")):
            with pytest.raises(Refused, match=problem):
                kind.fitted(now, in_years(name))
