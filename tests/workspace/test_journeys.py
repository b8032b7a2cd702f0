"""Journeys through a workspace: commands and Python on a made shop, and facts that are known of real data."""

from __future__ import annotations

import calendar
import csv
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import shoal
from shoal.cli import main
from shoal.errors import DefinitionError, Refused, UnknownName
from shoal.lang.parse import parse
from shoal.stats.intervals import wilson
from shoal.views import theme
from shoal.views.charts import to_svg
from shoal.views.charts.journeys import funnel_says
from shoal.workspace import Workspace
from shoal.workspace.journeys import micros, read_step

Row = Sequence[Any]
Run = Callable[..., str]
START = datetime(2024, 3, 1, 9)


def workspace(root: Path, rows: Iterable[Row], people: Iterable[Row] = (), **settings: Any) -> Workspace:
    """Events (customer, at, event, url, via, number) and people (customer, country, joined), loaded and open."""
    root.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, None] = {}
    with (root / "events.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("customer", "at", "event", "url", "via", "number"))
        for row in rows:
            out.writerow(row)
            kinds[row[2]] = None
    with (root / "people.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("customer", "country", "joined"))
        out.writerows(people)
    told = {"url": "url", "via": "via", "number": "number"}
    events = [
        {"event": kind, "when": f"event = '{kind}'", "customer": "customer", "at": "at", "properties": told}
        for kind in kinds
    ]
    form = {"delimiter": ",", "header": 1}
    sources: dict[str, Any] = {"events": {"from": "events.csv", "format": form, "events": events}}
    sources["people"] = {
        "from": "people.csv", "format": form, "traits": [{"customer": "customer", "take": ["country", "joined"]}],
    }  # fmt: skip
    document = {
        "shoal": 1, "name": "Shop", "timezone": "UTC", "currency": "EUR", "clock": "data-end",
        "purposes": {"analysis": "none"}, "default_purpose": "analysis", "traits": {"joined": "date", "country": "text"},
        "sources": sources, **settings,
    }  # fmt: skip
    (root / "shoal.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    opened = shoal.open(root)
    opened.load()
    return opened


def at(minutes: float) -> str:
    """A time, so many minutes after the start."""
    return (START + timedelta(minutes=minutes)).isoformat(sep=" ")


def visits() -> Iterator[Row]:
    """Forty customers: half come by mail, and of these more buy; ten look at a page and go."""
    for n in range(40):
        who, via = f"c{n:02}", "mail" if n % 2 else "ad"
        start = n * 60
        yield who, at(start), "Page Viewed", "https://shop.example/?from=x", via, ""
        if n >= 30:
            continue
        yield who, at(start + 1), "Page Viewed", "https://shop.example/shoes", via, ""
        yield who, at(start + 2), "Product Viewed", "https://shop.example/shoes/1", via, n
        if n % 2 or n < 6:
            yield who, at(start + 5), "Order Completed", "", via, 10 + n
    yield "last", at(60 * 24 * 40), "Page Viewed", "https://shop.example/", "", ""


PEOPLE = [(f"c{n:02}", "KE" if n < 20 else "UG", "2024-02-10" if n % 4 else "2024-03-02") for n in range(40)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made shop, loaded, with one segment."""
    folder = tmp_path_factory.mktemp("journeys") / "shop"
    with workspace(folder, visits(), PEOPLE) as opened:
        opened.segments.add("Kenya", 'country = "KE"')
    return folder


@pytest.fixture
def shop(root: Path) -> Iterator[Workspace]:
    """The made shop, open."""
    with shoal.open(root) as opened:
        yield opened


@pytest.fixture
def run(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a copy of the made shop; what it prints."""
    copy = shutil.copytree(root, tmp_path / "copy")

    def command(*args: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as done:
            main(["-w", str(copy), *args])
        told = capsys.readouterr()
        assert done.value.code == code, told.err
        return told.out if code == 0 else told.err

    return command


# ------------------------------------------------------------ the made shop

FUNNEL = ("Page Viewed", "Product Viewed", "Order Completed")


def test_a_funnel_by_group_segment_and_command(shop: Workspace, run: Run) -> None:
    """Breaks when Python and the command tell other figures, or a group or segment has others in it."""
    found = shop.journeys.funnel(*FUNNEL, within="1 hour", by='via of "Page Viewed"').found
    assert [step.customers for step in found.steps] == [41, 30, 18]
    assert {name: [s.customers for s in steps] for name, steps in found.groups.items()} == {
        "ad": [20, 15, 3], "mail": [20, 15, 15], "(unknown)": [1, 0, 0],
    }  # fmt: skip
    told = json.loads(run("funnel", *FUNNEL, "--within", "1 hour", "--by", "country", "--segment", "Kenya", "--json"))
    assert [step["customers"] for step in told["steps"]] == [20, 20, 13]
    assert {row["group"] for row in told["groups"]} == {"KE"}
    assert told["converted"] == dict(zip(("value", "low", "high"), wilson(13, 20), strict=True))
    assert (told["segment"], told["to"], told["finished"]) == ("Kenya", "2024-04-10", False)


def test_what_a_funnel_says(run: Run) -> None:
    """Breaks when the command leaves out a step, an interval, or where the others went."""
    said = run("funnel", *FUNNEL, "--within", "1 hour")
    assert "41 customers entered" in said
    assert "took all 3 steps within 1 hour" in said
    assert "nothing more" in said
    told = json.loads(run("funnel", "Page Viewed", "Order Completed", "--within", "1 hour", "--any-order", "--json"))
    assert [step["name"] for step in told["steps"]] == ["any 1 of 2", "all 2"]


NAMED = """
funnels:
  purchase:
    steps: [Page Viewed, Product Viewed, Order Completed]
    within: 1 hour
    by: via of "Page Viewed"
  gone: {steps: [Page Viewed, Order Complete]}
"""


def test_a_funnel_of_shoal_yaml_by_its_name(run: Run, tmp_path: Path) -> None:
    """Breaks when a name stands for another funnel than its steps, or a wrong event in one stops anything else."""
    with (tmp_path / "copy" / "shoal.yaml").open("a", encoding="utf-8") as file:
        file.write(NAMED)
    told = json.loads(run("funnel", "purchase", "--json"))
    spelt = json.loads(run("funnel", *FUNNEL, "--within", "1 hour", "--by", 'via of "Page Viewed"', "--json"))
    assert (told.pop("funnel"), spelt.pop("funnel")) == ("purchase", None)
    assert {**told, "as_of": ""} == {**spelt, "as_of": ""}
    assert json.loads(run("funnel", "purchase", "--within", "1 minute", "--json"))["within"] == "1 minute"
    with shoal.open(tmp_path / "copy") as opened:
        assert opened.journeys.funnel("purchase", any_order=True, by="country").found.groups["KE"][0].customers == 20
    assert 'Did you mean "Order Completed"?' in run("funnel", "gone", code=2)
    assert 'Did you mean "purchase"?' in run("funnel", "purchases", code=2)


def test_who_still_has_time_is_said(run: Run) -> None:
    """Breaks when a customer who came a minute ago counts as lost with no word of it."""
    assert "1 customers who stopped" not in run("funnel", *FUNNEL, "--within", "1 hour", "--to", "2024-03-20")
    assert "still have time for the next step" in run("funnel", *FUNNEL, "--within", "1 hour")


def test_paths_after_and_before(shop: Workspace, run: Run) -> None:
    """Breaks when pages aren't told by their path, or the command's paths are others."""
    before = shop.journeys.paths(before="Order Completed").found
    assert {one.steps: one.customers for one in before.paths} == {
        ("/", "/shoes", "Product Viewed", "Order Completed"): 18
    }
    told = json.loads(run("paths", "--after", "Product Viewed where number >= 10", "--json"))
    assert [(one["path"], one["customers"]) for one in told["paths"]] == [
        (['"Product Viewed" where number >= 10', "Order Completed"], 10),
        (['"Product Viewed" where number >= 10'], 10),
    ]  # fmt: skip
    assert "Page Viewed" not in run("paths", "--event", "Product Viewed", "--event", "Order Completed")
    flows = shop.journeys.paths(after="Product Viewed", within="1 day").flows().to_pylist()
    assert [(f["source"], f["target"], f["customers"]) for f in flows] == [
        ("Product Viewed", "Order Completed", 18), ("Product Viewed", None, 12), ("Order Completed", None, 18),
    ]  # fmt: skip


def test_sessions_and_the_metrics_of_them_agree(shop: Workspace, run: Run) -> None:
    """Breaks when the command's sessions aren't those that metrics speak of."""
    told = json.loads(run("sessions", "--json"))
    assert (told["whole"]["sessions"], told["whole"]["customers"]) == (41, 41)
    assert told["whole"]["engaged"]["value"] == pytest.approx(30 / 41)
    assert told["whole"]["single_page"]["value"] == pytest.approx(11 / 41)
    assert told["whole"]["converted"]["value"] == pytest.approx(18 / 41)
    figures = shop.metrics.figures(["engagement-rate", "bounce-rate"], grain="year").table().to_pylist()
    assert {row["metric"]: row["value"] for row in figures} == pytest.approx(
        {"engagement-rate": 30 / 41, "bounce-rate": 11 / 41}
    )
    assert [(p["period"], p["sessions"], p["finished"]) for p in told["periods"]] == [
        ("2024-03-01", 40, True), ("2024-04-01", 1, False),
    ]  # fmt: skip
    assert told["entries"][0]["entry"] == "/"
    said = run("sessions")
    assert "2024-04-01*" in said
    assert "bounce rate" in said.lower()


def test_cohorts_by_trait_and_event(shop: Workspace, run: Run) -> None:
    """Breaks when a cohort of a date, or the other reading of being back, can't be asked for by command."""
    told = json.loads(run("cohorts", "--born", "joined", "--active", "Page Viewed", "--json"))
    cells = {(c["cohort"], c["age"]): (c["size"], c["active"], c["finished"]) for c in told["cells"]}
    assert cells["2024-02-01", 1] == (30, 30, True)
    assert cells["2024-03-01", 0] == (10, 10, True)
    assert cells["2024-03-01", 1] == (10, 0, False)
    said = run("cohorts", "--born", "joined", "--active", "Page Viewed", "--on-or-after")
    assert "or any later one" in said
    assert "0.0 %*" in said
    assert shop.journeys.cohorts(grain="week", ages=2).table()["active"].to_pylist() == [18, 0, 0]


def test_lifecycle_by_any_event(run: Run) -> None:
    """Breaks when who went silent in a running month is told, or another event's customers are."""
    told = json.loads(run("lifecycle", "--active", "Page Viewed", "--json"))
    assert [(r["new"], r["retained"], r["dormant"], r["finished"]) for r in told["periods"]] == [
        (40, 0, 0, True), (1, 0, None, False),
    ]  # fmt: skip
    said = run("lifecycle", "--segment", "Kenya")
    assert "2024-03-01" in said
    assert "Dormant" in said


@pytest.mark.parametrize("width", [theme.WIDE, theme.NARROW])
def test_charts_are_drawn(shop: Workspace, width: int, tmp_path: Path) -> None:
    """Breaks when a chart can't be drawn, loses a step or a group, or a title claims what intervals don't bear."""
    bars = to_svg(shop.journeys.funnel(*FUNNEL, within="1 hour").chart(width))
    assert all(f"{at}. {name}" in bars for at, name in enumerate(FUNNEL, 1))
    apart = to_svg(shop.journeys.funnel(*FUNNEL, within="1 hour", by='via of "Page Viewed"').chart(width))
    assert ">mail<" in apart
    flows = to_svg(shop.journeys.paths(after="Page Viewed").chart(width))
    assert "/shoes" in flows
    assert "nothing more" in to_svg(shop.journeys.paths(after="Page Viewed").chart())
    assert "hatched" in to_svg(shop.journeys.cohorts("Page Viewed", "Page Viewed").chart(width))


def test_a_title_claims_no_more_than_intervals_bear(shop: Workspace) -> None:
    """Breaks when 13 of 20 against 5 of 20 make a winner, or 15 of 20 against 3 of 20 none."""
    by_country = shop.journeys.funnel(*FUNNEL, within="1 hour", by="country").found
    by_via = shop.journeys.funnel(*FUNNEL, within="1 hour", by='via of "Page Viewed"', end="2024-04-01").found
    assert funnel_says(by_country, "country").startswith("Groups don't clearly differ: 0% to 65%")
    assert funnel_says(by_via, "via") == "By via, 75% of mail come through, and 15% of ad"
    assert funnel_says(by_via) == "45% come through; most are lost after step 2, 12 of 30"


def test_a_chart_is_written_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    """Breaks when a chart can't be had as a file, or an unknown ending makes one that nothing opens."""
    file = tmp_path / "funnel.svg"
    assert "Wrote" in run("funnel", *FUNNEL, "-o", str(file))
    assert file.read_text().startswith("<svg")
    assert "End the name in .svg" in run("paths", "-o", str(tmp_path / "x.doc"), code=2)


def test_what_is_refused(shop: Workspace, tmp_path: Path) -> None:
    """Breaks when a mistake is answered with figures, or with no advice."""
    journeys = shop.journeys
    for asked, error, said in [
        (lambda: journeys.funnel("Page Viewed", "Ordr Completed"), DefinitionError, "Order Completed"),
        (lambda: journeys.funnel("Page Viewed"), Refused, "2 to 12 steps"),
        (lambda: journeys.funnel(*FUNNEL, within="soon"), DefinitionError, "7 days"),
        (lambda: journeys.funnel(*FUNNEL, by='via of "Order Completed"'), Refused, "first step"),
        (lambda: journeys.funnel(*FUNNEL, by="contry"), DefinitionError, "country"),
        (lambda: journeys.funnel(*FUNNEL, segment="Kena"), UnknownName, "Kenya"),
        (lambda: journeys.funnel(*FUNNEL, start="2024-03-09", end="2024-03-01"), Refused, "before it begins"),
        (lambda: journeys.paths(after="Page Viewed", before="Order Completed"), Refused, "Leave one out"),
        (lambda: journeys.cohorts("country"), Refused, "begins on a date"),
    ]:
        with pytest.raises(error, match=said):
            asked()
    with workspace(tmp_path / "orders", [("a", at(0), "Order Completed", "", "", 1)]) as orders, pytest.raises(Refused):
        orders.journeys.sessions()


def test_a_step_needs_no_quotes(shop: Workspace) -> None:
    """Breaks when a name with "where" in it, or a star, isn't read as it is meant."""
    schema = shop.schema
    assert read_step("Page Viewed", schema) == read_step('"Page Viewed"', schema)
    assert read_step('Page Viewed where via = "ad"', schema) == read_step('"Page Viewed" where via = "ad"', schema)
    assert read_step("Pa*", schema).name == "Pa*"
    assert micros("2 weeks") == 14 * 86_400_000_000


# ------------------------------------------------------------ real data


@pytest.fixture(scope="module")
def data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)


def test_sessions_of_a_library_of_documents(data: Path, tmp_path: Path) -> None:
    """ePub: 15,732 sessions by their ids, eight of which were used again at another time; three are robots with 70 documents.

    Breaks when sessions that the source told apart are put together, or their documents aren't counted.
    """
    times: dict[str, list[datetime]] = defaultdict(list)
    for line in (data / "epub_sessions" / "epub.time").read_text().splitlines():
        who, when = line.split(";")
        times[who].append(datetime.strptime(when, "%a %b %d %H:%M:%S %Y"))
    read = [line.split(";") for line in (data / "epub_sessions" / "epub.dat").read_text().splitlines()]
    # A document of an id that was used again is of its first time: the file of times says no more. Of lines that repeat
    # others exactly, a load keeps one.
    rows = [(who, min(times[who]).isoformat(sep=" "), "Page Viewed", document, "", "") for who, document in read]
    with workspace(tmp_path, rows) as opened:
        found = opened.journeys.sessions(start="2003-01-01", grain="year").found
        robots = _long(opened, 70)
        figures = opened.metrics.figures(["sessions", "single-page-bounce-rate"], grain="year", start="2003-01-01")
    assert found.whole is not None
    assert (found.whole.sessions, found.whole.customers) == (15_732, 15_732)
    views = Counter(who for who, _ in {tuple(pair) for pair in read})
    alone = sum(many == 1 for many in views.values())
    assert tuple(found.whole.single_page) == pytest.approx(tuple(wilson(alone, 15_732)), abs=1e-4)
    assert found.whole.bounced.value == pytest.approx(alone / 15_732)
    assert found.whole.page_views == pytest.approx(26_132 / 15_732)
    assert robots == 3
    totals = [row for row in figures.table().to_pylist() if row["metric"] == "sessions"]
    assert sum(row["value"] for row in totals) == 15_732


def _long(opened: Workspace, views: int) -> int:
    """How many customers have a session of so many page views: a condition of the language over sessions."""
    with opened.metrics.as_of() as known:
        nodes = {"long": parse(f'did "Session" where page_views >= {views}')}
        with known.columns(nodes) as table:
            (many,) = known.arrow(f"SELECT count(*) AS n FROM {table} WHERE long")["n"].to_pylist()
    return int(many)


def test_the_funnel_of_online_shoppers(data: Path, tmp_path: Path) -> None:
    """UCI Online Shoppers: 1,908 of 12,330 sessions bought (15.47 %); of new visitors 24.91 %, of returning ones 13.93 %; in
    November 25.35 %; 17.40 % at weekends against 14.89 %.

    Breaks when a funnel or its groups lose a visitor.
    """
    months = {m: i for i, m in enumerate(calendar.month_abbr)} | {"June": 6}
    rows: list[Row] = []
    with (data / "online_shoppers_intention" / "online_shoppers_intention.csv").open() as file:
        for number, row in enumerate(csv.DictReader(file)):
            began = datetime(2017, months[row["Month"]], 2, 8)
            seconds = sum(
                float(row[f"{kind}_Duration"]) for kind in ("Administrative", "Informational", "ProductRelated")
            )
            kinds = row["VisitorType"], row["Weekend"]
            who = f"v{number}"
            rows.append((who, began.isoformat(sep=" "), "Visit Began", kinds[0], kinds[1], ""))
            if row["Revenue"] == "TRUE":
                bought = began + timedelta(seconds=1 + min(seconds, 86_000))
                rows.append((who, bought.isoformat(sep=" "), "Order Completed", "", "", 1))
    steps, year = ("Visit Began", "Order Completed"), {"start": "2017-01-01", "end": "2017-12-31", "within": "1 day"}
    with workspace(tmp_path, rows) as opened:
        whole = opened.journeys.funnel(*steps, **year).found
        kinds_ = opened.journeys.funnel(*steps, by='url of "Visit Began"', **year).found.groups
        weekend = opened.journeys.funnel(*steps, by='via of "Visit Began"', **year).found.groups
        november = opened.journeys.funnel(*steps, within="1 day", start="2017-11-01", end="2017-11-30").found
    assert (whole.entered, whole.steps[1].customers) == (12_330, 1_908)
    assert round(whole.converted.value, 4) == 0.1547
    assert round(kinds_["New_Visitor"][1].overall.value, 4) == 0.2491
    assert round(kinds_["Returning_Visitor"][1].overall.value, 4) == 0.1393
    assert [round(weekend[key][1].overall.value, 4) for key in sorted(weekend)] == [0.1489, 0.1740]
    assert round(november.converted.value, 4) == 0.2535
