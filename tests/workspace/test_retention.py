"""Retention of contracts through a workspace: published curves, dates, events, groups, the command, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import shoal
from shoal.cli import main
from shoal.config import parse_config
from shoal.errors import ConfigError, Refused, UnknownName
from shoal.insight.contracts.reading import elapsed
from shoal.insight.contracts.retention import project
from shoal.views.charts import to_svg
from shoal.workspace import Workspace

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
"""Customers of the first cohort of Fader and Hardie (2007) after 0, 1, … 7 years."""
EVENTS = {"start": "Subscription Started", "end": "Subscription Cancelled"}
Row = Sequence[Any]


def workspace(
    root: Path, people: Iterable[Row] = (), events: Iterable[Row] = (), contracts: dict[str, str] | None = None
) -> Workspace:
    """People (id, plan, joined, ended, months, gone) and events (customer, day, what), loaded and open."""
    root.mkdir(parents=True, exist_ok=True)
    _write(root / "people.csv", ("id", "plan", "joined", "ended", "months", "gone"), people)
    _write(root / "events.csv", ("customer", "day", "what"), events)
    kinds = ("Subscription Started", "Subscription Cancelled", "Order Completed", "Page Viewed")
    taken = [{"event": kind, "when": f"what = '{kind}'", "customer": "customer", "at": "day"} for kind in kinds]
    traits = {"customer": "id", "take": ["plan", "joined", "ended", "months", "gone"]}
    types = {"joined": "date", "ended": "date", "months": "number", "gone": "yes/no"}
    settings: dict[str, Any] = {
        "shoal": 1, "name": "Contracts", "timezone": "UTC", "currency": "EUR", "clock": "data-end",
        "purposes": {"analysis": "none"}, "default_purpose": "analysis",
        "traits": {**types, "plan": "text"},
        "sources": {
            "people": {"from": "people.csv", "format": {"delimiter": ",", "header": 1}, "traits": [traits]},
            "events": {"from": "events.csv", "format": {"delimiter": ",", "header": 1}, "events": taken},
        },
    }  # fmt: skip
    if contracts:
        settings["contracts"] = contracts
    (root / "shoal.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    opened = shoal.open(root)
    opened.load()
    return opened


def _write(path: Path, head: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(head)
        out.writerows(rows)


def cohort() -> Iterator[Row]:
    """The published cohort as events: all begin on 1 January 2010, and leave on the day of a renewal."""
    number = 0
    for year, (before, after) in enumerate(zip(HIGH_END, [*HIGH_END[1:], 0], strict=True), start=1):
        for _ in range(before - after):
            number += 1
            yield f"c{number}", "2010-01-01", EVENTS["start"]
            if year < len(HIGH_END):
                yield f"c{number}", f"{2010 + year}-01-01", EVENTS["end"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The cohort, open; a page that was looked at says that seven years are over."""
    rows = [*cohort(), ("visitor", "2017-01-01", "Page Viewed")]
    with workspace(tmp_path_factory.mktemp("cohort"), events=rows, contracts={**EVENTS, "period": "year"}) as opened:
        yield opened


@pytest.fixture(scope="module")
def telco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Telco table as one file, loaded."""
    data = os.environ.get("SHOAL_TEST_DATA")
    if not data:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    root = tmp_path_factory.mktemp("telco")
    shutil.copy(Path(data) / "telco_churn" / "Telco-Customer-Churn.csv", root / "customers.csv")
    take = {"tenure": "tenure", "churn": "Churn", "contract": "Contract", "senior": "SeniorCitizen"}
    settings = {
        "shoal": 1, "name": "Telco", "timezone": "UTC", "currency": "USD", "purposes": {"analysis": "none"},
        "default_purpose": "analysis", "contracts": {"tenure": "tenure", "left": "churn", "by": "contract"},
        "sources": {"customers": {"from": "customers.csv", "traits": [{"customer": "customerID", "take": take}]}},
    }  # fmt: skip
    (root / "shoal.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with shoal.open(root) as opened:
        opened.load()
        opened.segments.add("Seniors", "senior = 1")
        opened.segments.add("Monthly", 'contract = "Month-to-month"')
    return root


# ------------------------------------------------------------ published figures


def test_the_published_cohort_comes_out_of_events(published: Workspace) -> None:
    """Breaks when renewals are counted otherwise than in the paper: shares, parameters, and those of years 8 to 12."""
    found = published.models.retention(ahead=5).found
    assert (found.customers, found.left, found.period) == (1000, 509, "year")
    assert [step.here.value for step in found.steps] == pytest.approx([n / 1000 for n in HIGH_END])
    assert [step.followed for step in found.steps] == HIGH_END[:1] + HIGH_END[:-1]
    projection = found.projection
    assert projection is not None
    assert (projection.model.alpha, projection.model.beta) == pytest.approx((0.6681, 3.8061), abs=1e-3)
    assert projection.model.survival(np.arange(8, 13)) == pytest.approx([0.460, 0.436, 0.414, 0.395, 0.378], abs=1e-3)
    assert float(projection.model.residual(7, 0.1)) == pytest.approx(7.530, abs=1e-3)
    assert [period for period, _ in projection.ahead] == [8, 9, 10, 11, 12]
    # A line that is drawn goes on from the last share that was seen, 49.1 %.
    assert [share for _, share in projection.ahead] == pytest.approx([0.460, 0.436, 0.414, 0.395, 0.378], abs=3e-3)


def test_a_projection_is_tried_on_periods_that_it_has_not_seen(published: Workspace) -> None:
    """Breaks when the trial is fitted on what it is judged by, or a constant rate isn't shown beside it."""
    projection = published.models.retention().found.projection
    assert projection is not None
    assert projection.tried_on == 4
    assert [one.period for one in projection.tried] == [5, 6, 7]
    assert [one.came.value for one in projection.tried] == pytest.approx([0.551, 0.517, 0.491])
    assert projection.error == pytest.approx(0.0310, abs=5e-4)
    assert projection.constant_error == pytest.approx(0.0626, abs=5e-4)
    assert projection.useful
    assert "Fitted on the first 4 years alone" in projection.verdict("year")


def test_telco_as_published(telco: Path) -> None:
    """Breaks when the curve isn't Kaplan-Meier's: shares after 12, 24, 48 and 72 months as in the reference figures."""
    with shoal.open(telco) as opened:
        found = opened.models.retention().found
    shares = [found.steps[month].here.value for month in (12, 24, 48, 72)]
    assert shares == pytest.approx([0.8432, 0.7887, 0.7088, 0.5928], abs=5e-5)
    assert (found.customers, found.left) == (7043, 1869)
    groups = {group.name: group for group in found.groups}
    assert {name: group.customers for name, group in groups.items()} == {
        "Month-to-month": 3875, "Two year": 1695, "One year": 1473,
    }  # fmt: skip
    assert groups["Month-to-month"].curve.median() == 35
    assert found.test is not None
    assert (found.test.df, sum(found.test.left)) == (2, 1869)
    assert found.test.chi2 == pytest.approx(2352.87, abs=0.01)
    assert found.projection is not None
    # Contracts of one and two years lie among them, so that it is no better than a constant rate here, and says so.
    assert not found.projection.useful
    assert "don't rely on it" in found.projection.verdict("month")


def test_segments_are_compared_with_everybody_else(telco: Path) -> None:
    """Breaks when overlapping segments are tested against each other, or many tests aren't paid for."""
    with shoal.open(telco) as opened:
        found = opened.models.retention(segments=["Seniors", "monthly"], as_of=None).found
        with pytest.raises(Refused, match="not both"):
            opened.models.retention(by="contract", segments=["Seniors"])
        with pytest.raises(UnknownName, match="no segment"):
            opened.models.retention(segments=["Nobody"])
    assert [group.name for group in found.groups] == ["Monthly", "Seniors"]
    assert found.test is None
    for group in found.groups:
        assert group.test is not None
        assert group.test.df == 1
        assert group.p is not None
        assert group.p >= group.test.p
    assert any("looks loyal by its definition" in note for note in found.notes)


# ------------------------------------------------------------ dates and events


def test_dates_and_events_say_the_same(tmp_path: Path) -> None:
    """Breaks when a cancellation that is a date of a customer counts otherwise than one that is an event."""
    random = np.random.default_rng(2)
    people, events = [], []
    for number in range(300):
        start = date(2022, 1, 1) + timedelta(days=int(random.integers(0, 700)))
        end = start + timedelta(days=int(random.integers(1, 1200)))
        gone = end <= date(2024, 6, 30)
        people.append((f"p{number}", "ab"[number % 2], start, end, "", ""))
        events.append((f"p{number}", start, EVENTS["start"]))
        if gone:
            events.append((f"p{number}", end, EVENTS["end"]))
    events.append(("visitor", "2024-06-30", "Page Viewed"))
    with workspace(tmp_path / "shop", people, events) as opened:
        by_event = opened.models.retention(**EVENTS).found
        by_date = opened.models.retention(start="joined", end="ended").found
        mixed = opened.models.retention(start="joined", end=EVENTS["end"]).found
        grouped = opened.models.retention(by="plan", **EVENTS)
        table = grouped.table()
        assert to_svg(grouped.chart(358)).startswith("<svg")
        assert to_svg(opened.models.retention(**EVENTS).chart()).startswith("<svg")
    # An end that is yet to come is no end.
    assert by_event.left < 300
    assert by_event.curve == by_date.curve == mixed.curve
    assert {group.name for group in grouped.found.groups} == {"a", "b"}
    assert set(table.column_names) == {"group", "period", "here", "low", "high", "followed"}
    assert set(table["group"].to_pylist()) == {None, "a", "b"}


def test_the_first_contract_counts_and_odd_ones_are_told(tmp_path: Path) -> None:
    """Breaks when somebody who came back is taken never to have left, or an end without a start becomes a contract."""
    start, end = EVENTS["start"], EVENTS["end"]
    events = [(f"p{n}", "2024-01-15", start) for n in range(20)]
    events += [("p0", "2024-03-15", end), ("p0", "2024-05-01", start), ("p0", "2024-05-20", end)]
    events += [("p1", "2023-12-01", end), ("lost", "2024-03-01", end), ("p2", "2024-02-29", end)]
    events += [("visitor", "2024-07-15", "Page Viewed")]
    with workspace(tmp_path / "shop", events=events) as opened:
        found = opened.models.retention(**EVENTS).found
        before = opened.models.retention(**EVENTS, as_of="2024-03-01").found
    assert (found.customers, found.left) == (20, 2)
    assert found.curve.times == pytest.approx((1 + 14 / 29, 2.0))
    assert any("1 customer came back after leaving" in note for note in found.notes)
    assert any("1 customer has an end" in note for note in found.notes)
    assert "30 customers" in found.why_no_projection
    # What came later isn't known as of March.
    assert (before.left, before.curve.followed) == (1, pytest.approx(1 + 15 / 29))


# ------------------------------------------------------------ laws


@given(
    st.integers(-30_000, 30_000), st.integers(0, 3_000), st.sampled_from(["day", "week", "month", "quarter", "year"])
)
def test_periods_grow_day_by_day_and_renewals_are_whole(start: int, length: int, period: str) -> None:
    """Breaks when a day more makes a contract shorter, as around the end of February."""
    first, second = elapsed([start, start], [start + length, start + length + 1], period)
    assert 0 <= first < second <= first + 1
    assert elapsed([start], [start], period)[0] == 0


@pytest.mark.parametrize(
    ("start", "end", "period", "expected"),
    [
        ("2024-01-31", "2024-02-29", "month", 1), ("2024-01-31", "2024-03-31", "month", 2),
        ("2024-02-29", "2025-02-28", "year", 1), ("2024-01-15", "2024-04-15", "quarter", 1),
        ("2024-01-15", "2024-01-29", "week", 2), ("2024-02-15", "2024-03-01", "month", 15 / 29),
    ],
)  # fmt: skip
def test_the_calendar_says_when_a_contract_is_renewed(start: str, end: str, period: str, expected: float) -> None:
    days = [(date.fromisoformat(day) - date(1970, 1, 1)).days for day in (start, end)]
    assert elapsed(days[:1], days[1:], period)[0] == pytest.approx(expected)


def test_a_drawn_sbg_is_found_again() -> None:
    """Breaks when those who are still here, each watched for another time, bend the parameters."""
    random = np.random.default_rng(11)
    rate = random.beta(0.8, 4.0, 20_000)
    stays, seen = random.geometric(rate), random.integers(1, 25, 20_000)
    left = (stays <= seen).astype(float)
    found = project(np.minimum(stays, seen).astype(float), left)
    assert found.model.alpha == pytest.approx(0.8, rel=0.08)
    assert found.model.beta == pytest.approx(4.0, rel=0.1)
    assert found.useful
    assert found.error is not None
    assert found.error < 0.01


def test_customers_who_all_leave_alike_are_not_said_to_differ() -> None:
    """Breaks when growing loyalty is projected of customers who show none."""
    random = np.random.default_rng(12)
    stays = random.geometric(0.2, 5000)
    found = project(np.minimum(stays, 12.0), (stays <= 12).astype(float), ahead=6)
    shares = dict(found.ahead)
    assert shares[18] == pytest.approx(0.8**18, abs=0.005)


# ------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("rule", "said", "fix"),
    [
        ({"start": "Order Completed", "end": "Order Completed"}, "doesn't end a contract", "shoal predict churn"),
        ({"start": EVENTS["start"], "end": "Order Completed"}, "doesn't end a contract", "shoal predict churn"),
        ({"start": EVENTS["start"], "end": EVENTS["start"]}, "both begin and end", "under end"),
        ({"start": "joined", "end": "last_order_at"}, "is worked out, mostly from orders", "shoal predict churn"),
        ({"tenure": "tenure_days", "left": "gone"}, "is worked out, mostly from orders", "shoal predict churn"),
        ({"tenure": "plan", "left": "gone"}, "plan is text", "under start and end"),
        ({"tenure": "months", "left": "plan"}, "plan is text", "left: 'plan = \"Yes\"'"),
        ({"tenure": "months", "left": "gone ="}, "no condition", ""),
        ({"start": "plan", "end": "ended"}, "doesn't say when", "a date"),
        ({}, "Nothing says when a contract begins and ends", "docs/predictions.md"),
        ({"start": "joined", "end": "ended"}, "there is 1", "Load more"),
        ({"tenure": "months", "left": "gone", "by": "joined"}, "can't be groups", "Take a text"),
    ],
)  # fmt: skip
def test_what_is_no_contract_is_refused_with_a_way_out(
    orders: Workspace, rule: dict[str, str], said: str, fix: str
) -> None:
    """Breaks when a curve is drawn of what isn't a contract, first of all of first and last orders."""
    with pytest.raises(Refused) as caught:
        orders.models.retention(**rule)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert fix in str(caught.value)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A shop without contracts: orders, one customer with dates, and twelve with months of whom one is faulty."""
    people = [("p0", "a", "2024-01-01", "", 3, "yes"), ("p1", "a", "", "", -1, "no"), ("p2", "b", "", "", 5, "")]
    people += [(f"q{n}", "b", "", "", n, "no") for n in range(12)]
    rows = [(f"p{n}", f"2024-0{month}-01", "Order Completed") for n in range(3) for month in (1, 2)]
    rows += [("p0", "2024-01-01", EVENTS["start"])]
    with workspace(tmp_path_factory.mktemp("orders"), people, rows) as opened:
        yield opened


def test_who_can_not_be_counted_is_left_out_and_told(orders: Workspace) -> None:
    """Breaks when a tenure below 0, or an unknown end, counts as a customer who stays."""
    found = orders.models.retention(tenure="months", left="gone").found
    assert found.customers == 13
    assert found.notes == (
        "Left out: of 1 customer it isn't known whether they left (gone).",
        "Left out: 1 customer has a months below 0.",
    )
    with pytest.raises(UnknownName, match="month"):
        orders.models.retention(tenure="month", left="gone")
    with pytest.raises(UnknownName, match="setting of contracts"):
        orders.models.retention(begin="joined", end="ended")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{start: Signed Up}", "start together don't say"),
        ("{start: a, end: b, tenure: c, left: d}", "together don't say"),
        ("{tenure: a, end: b}", "together don't say"),
        ("{period: month}", "Nothing does say"),
        ("{start: a, end: b, period: fortnight}", "not known here"),
        ("{begin: a}", "not a setting"),
        ("[a]", "Expected settings"),
    ],
)
def test_a_section_that_says_nothing_is_refused(section: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"shoal: 1\ncontracts: {section}\n", root=tmp_path)
    assert said in str(caught.value)
    assert "contracts" in str(caught.value)


# ------------------------------------------------------------ the command


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_command_says_what_python_does(telco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when people read other figures than machines do."""
    code, out, _ = run(capsys, "-w", str(telco), "retention")
    assert code == 0
    assert "7,043 customers under contract by tenure and churn: 1,869 left, 5,174 are still here." in out
    assert "log-rank chi squared 2,352.87, df 2, p < 0.0001." in out
    assert "84.3 %" in out
    code, out, _ = run(capsys, "-w", str(telco), "retention", "--segment", "Seniors", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["grouped_by"] == "segments"
    assert found["groups"][0]["name"] == "Seniors"
    assert found["curve"][12]["here"] == pytest.approx(0.8432, abs=5e-5)
    assert found["projection"]["mean_error"] > 0
    code, _, err = run(capsys, "-w", str(telco), "retention", "--start", "tenure")
    assert code == 2
    assert "start: Subscription Started" in err
