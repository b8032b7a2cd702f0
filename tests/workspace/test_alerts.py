"""Alerts, targets and causes of an open workspace: files, checks, mail, the job, the commands."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import shoal
from out.smtp import Post, serving
from shoal.cli import main
from shoal.clock import Clock, to_instant
from shoal.config import parse_config
from shoal.errors import ConfigError, MailError, Refused, UnknownName
from shoal.insight.metrics.alerts import checked
from shoal.sql.layout import set_meta
from shoal.views.charts import to_svg
from shoal.workspace import Workspace
from shoal.workspace.watched import watched

FIRST = date(2017, 1, 2)
DAYS = 26 * 7
REGIONS = ("north", "south", "east")
ORDERS = """\
name: Orders a week
unit: count
better: higher
as: sum
of: count("Order Completed")
alert: {each: week, unusual: yes, silent: 10 days, segments: [north], mail: [north@shop.example]}
"""
REVENUE = """\
name: Takings
unit: money
better: higher
as: sum
of: sum(revenue of "Order Completed")
alert: {each: week, below: 7000}
"""
TARGET = "target: {value: 200000, by: 2017-08-31, since: 2017-06-01}\n"


def orders() -> Iterator[tuple[str, str, str, str, str]]:
    """Half a year of orders; the north stops half of its own in the last week but one."""
    random = np.random.default_rng(3)
    for day in range(DAYS):
        for customer in range(300):
            region = REGIONS[customer % 3]
            fewer = 0.35 if region == "north" and DAYS - 14 <= day < DAYS - 7 else 1.0
            if random.random() < 0.1 * fewer:
                when = FIRST + timedelta(days=day)
                yield (
                    f"c{customer}",
                    f"{when}T1{customer % 10}:00:00",
                    f"{random.gamma(4, 10):.2f}",
                    region,
                    f"s{(customer + day) % 2}",
                )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace's folder, loaded once."""
    root = tmp_path_factory.mktemp("watched") / "shop"
    (root / "metrics").mkdir(parents=True)
    (root / "segments").mkdir()
    rows = list(orders())
    with (root / "orders.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("customer", "at", "revenue", "region", "store"), *rows])
    people = sorted({(who, region) for who, _, _, region, _ in rows})
    with (root / "people.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("customer", "region"), *people])
    settings: dict[str, Any] = {
        "shoal": 1, "name": "Corner", "timezone": "UTC", "currency": "EUR", "clock": "data-end",
        "purposes": {"analysis": "none"}, "default_purpose": "analysis", "traits": {"region": "text"},
        "sources": {
            "orders": {"from": "orders.csv", "events": [
                {"event": "Order Completed", "customer": "customer", "at": "at",
                 "properties": {"revenue": "revenue", "store": "store"}}]},
            "people": {"from": "people.csv", "traits": [{"customer": "customer", "take": ["region"]}]},
        },
        "jobs": {"watch": {"run": "alerts", "every": "day at 07:00", "to": ["ann@shop.example"]}},
    }  # fmt: skip
    (root / "shoal.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (root / "metrics" / "weekly-orders.yaml").write_text(ORDERS, encoding="utf-8")
    (root / "metrics" / "takings.yaml").write_text(REVENUE, encoding="utf-8")
    with shoal.open(root) as ws:
        ws.load()
        ws.segments.add("North", 'region = "north"')
    return root


@pytest.fixture
def at(made: Path, tmp_path: Path) -> Callable[[int], Workspace]:
    """A copy of the workspace, open on a Tuesday so many weeks after the first day."""
    import shutil

    root = tmp_path / "shop"
    shutil.copytree(made, root)

    def opened(week: int) -> Workspace:
        ws = shoal.open(root)
        day = FIRST + timedelta(days=7 * week + 1)
        now = to_instant(datetime(day.year, day.month, day.day, 8, tzinfo=UTC))
        set_meta(ws.store, "clock_offset", str(Clock.showing(now).offset))
        return ws

    return opened


def test_a_change_is_raised_goes_on_and_ends(at: Callable[[int], Workspace]) -> None:
    """Breaks when a check misses a fall by two thirds in one segment, tells it twice, or never ends it."""
    with at(24) as ws:
        quiet = ws.metrics.alerts().check()
        assert quiet.followed.raised == ()
        assert quiet.judged.looked == 2
    with at(25) as ws:
        door = ws.metrics.alerts()
        dry = door.check(record=False)
        assert door.listed() == []
        done = door.check()
        assert [(a.metric, a.segment, a.rule) for a in done.followed.raised] == [
            (a.metric, a.segment, a.rule) for a in dry.followed.raised
        ]
        north = next(a for a in done.followed.raised if a.segment == "north")
        assert north.sentence.startswith("Orders a week of North in the week from 19 June 2017: ")
        assert north.worse is True
        again = door.check()
        assert again.followed.raised == ()
        assert north.id in {a.id for a in again.followed.going_on}
    with at(26) as ws:
        done = ws.metrics.alerts().check()
        assert north.id in {a.id for a in done.followed.resolved}
        assert [a.id for a in ws.metrics.alerts().listed() if a.rule == "unusual"] == []
        assert north.id in {a.id for a in ws.metrics.alerts().listed(everything=True)}


def test_days_between_two_checks_are_looked_at(at: Callable[[int], Workspace]) -> None:
    """Breaks when a weekly job looks at the last day alone, or a threshold asks for half a year of days each time."""
    with at(24) as ws:
        (ws.config.root / "metrics" / "daily.yaml").write_text(
            ORDERS.split("alert:")[0] + "alert: {each: day, below: 5}\n"
        )
        ws.metrics.alerts().check()
        (mark,) = [day for name, day in checked(ws.store).items() if name.startswith("daily/")]
        assert mark == FIRST + timedelta(days=24 * 7)
    with at(25) as ws:
        metric = ws.metrics.find("daily")
        (look,) = watched(ws, [metric], checked(ws.store), None).looks
        assert [point.period for point in look.new] == [mark + timedelta(days=day) for day in range(8)]
        assert len(look.points) < 20


def test_silence_and_a_threshold(at: Callable[[int], Workspace]) -> None:
    """Breaks when a feed that stopped isn't told, or is told as a fall of what nobody sent."""
    with at(28) as ws:
        done = ws.metrics.alerts().check()
        told = {(a.metric, a.rule) for a in done.followed.raised}
        assert ("weekly-orders", "silent") in told
        assert ("weekly-orders", "unusual") not in told
        # Takings has no rule on silence: its empty weeks are under the threshold.
        assert ("takings", "below") in told


def test_a_check_of_the_past_is_told_and_never_recorded(at: Callable[[int], Workspace]) -> None:
    """Breaks when looking back changes what is open now."""
    with at(26) as ws:
        door = ws.metrics.alerts()
        then = door.check(record=False, as_of="2017-06-27")
        assert any(a.segment == "north" and a.rule == "unusual" for a in then.followed.raised)
        assert door.listed(everything=True) == []
        with pytest.raises(Refused, match="isn't recorded"):
            door.check(as_of="2017-06-27")


def test_targets_stand_beside_their_pace(at: Callable[[int], Workspace]) -> None:
    """Breaks when so far isn't what days add up to, or the forecast leaves out what is to come."""
    with at(26) as ws:
        _aim(ws.config.root)
        (told,) = ws.metrics.alerts().targets()
        ((total,),) = ws.store.rows(
            """SELECT sum(CAST(revenue AS DOUBLE)) FROM read_csv(?) WHERE "at" >= TIMESTAMP '2017-06-01'""",
            [str(ws.config.root / "orders.csv")],
        )
        assert told.through == date(2017, 7, 3)
        assert told.value == pytest.approx(total)
        assert told.forecast is not None
        assert total < told.forecast.low < told.forecast.high < 200_000
        assert told.verdict == "behind"
        done = ws.metrics.alerts().check(record=False)
        assert ("takings", "target") in {(a.metric, a.rule) for a in done.followed.raised}


def _aim(root: Path, each: str = "") -> None:
    more = TARGET.replace("}", f", each: {each}}}") if each else TARGET
    (root / "metrics" / "takings.yaml").write_text(REVENUE + more, encoding="utf-8")


def test_alerts_are_mailed_once_to_whom_they_concern(at: Callable[[int], Workspace]) -> None:
    """Breaks when the job mails nothing, mails the same twice, or doesn't say that it is over."""
    post = Post()
    with serving(post):
        with at(25) as ws:
            _name_server(ws.config.root, post.port)
        with at(25) as ws:
            run = ws.jobs.run("watch")
            assert run.state == "done", run.message
            assert "new alert" in run.message
            told = {str(mail["To"]): mail.get_content() for mail in post.taken}
            assert set(told) == {"ann@shop.example", "north@shop.example"}
            assert "Orders a week of North in the week from 19 June 2017" in told["north@shop.example"]
            assert "Takings" not in told["north@shop.example"]
            assert "Takings" in told["ann@shop.example"]
            assert "shoal kpi alerts ack " in told["ann@shop.example"]
            post.taken.clear()
            assert ws.jobs.run("watch").state == "done"
            assert post.taken == []
        with at(26) as ws:
            ws.jobs.run("watch")
            over = {str(mail["To"]): mail.get_content() for mail in post.taken}
            assert "Over: Orders a week of North" in over["north@shop.example"]


def test_what_couldnt_be_mailed_is_mailed_the_next_time(at: Callable[[int], Workspace]) -> None:
    """Breaks when an alert is lost since the mail server was away."""
    with at(25) as ws:
        assert ws.jobs.run("watch").state == "failed"
        assert ws.metrics.alerts().listed() != []
        with pytest.raises(ConfigError, match="no mail server is named"):
            ws.metrics.alerts().tell(["ann@shop.example"])
        _name_server(ws.config.root, 1)
    with at(25) as ws, pytest.raises(MailError):
        ws.metrics.alerts().tell(["ann@shop.example"])
    post = Post()
    with serving(post):
        with at(25) as ws:
            _name_server(ws.config.root, post.port)
        with at(25) as ws:
            assert ws.metrics.alerts().tell(["ann@shop.example"]) == 2
            assert all(alert.told for alert in ws.metrics.alerts().listed())


def _name_server(root: Path, port: int) -> None:
    settings = yaml.safe_load((root / "shoal.yaml").read_text())
    settings["mail"] = {"host": "127.0.0.1", "port": port, "security": "none", "from": "Shop <hello@shop.example>"}
    (root / "shoal.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def test_an_address_of_the_job_is_checked_when_it_is_read(tmp_path: Path) -> None:
    """Breaks when a slip in an address is found out on the night of the first alert."""
    head = "shoal: 1\njobs:\n  watch: {run: alerts, every: day at 07:00, "
    with pytest.raises(ConfigError, match="'ann': This is not a mail address"):
        parse_config(head + "to: [ann]}\n", root=tmp_path, place="shoal.yaml")
    found = parse_config(head + "to: [ann@shop.example, ann@shop.example]}\n", root=tmp_path, place="shoal.yaml")
    assert found.jobs["watch"].options == {"to": ("ann@shop.example",)}


def test_somebody_is_at_it_or_wants_to_hear_later(at: Callable[[int], Workspace]) -> None:
    """Breaks when an acknowledged or snoozed alert is forgotten with the next check."""
    with at(25) as ws:
        door = ws.metrics.alerts()
        raised = door.check().followed.raised
        north = next(a for a in raised if a.segment == "north")
        other = next(a for a in raised if a.id != north.id)
        assert door.acknowledge(north.id, "Tom looks").state == "acknowledged"
        with pytest.raises(Refused, match="ends in the future"):
            door.snooze(other.id, "2017-01-01")
        door.snooze(other.id, "2017-06-30")
        with pytest.raises(UnknownName):
            door.acknowledge("nosuchid")
    with at(25) as ws:
        door = ws.metrics.alerts()
        door.check()
        states = {a.id: (a.state, a.note) for a in door.listed()}
        assert states[north.id] == ("acknowledged", "Tom looks")
        assert states[other.id][0] == "snoozed"


def test_the_fall_is_in_the_north(at: Callable[[int], Workspace]) -> None:
    """Breaks when the planted cause isn't found, another is, or the parts don't sum to the change."""
    with at(25) as ws:
        told = ws.metrics.causes("weekly-orders", grain="week")
        found = told.found
        assert {split.by for split in found.splits} == {'store of "Order Completed"', "region"}
        for split in found.splits:
            assert sum(group.part.amount for group in split.groups) == pytest.approx(found.change.value)
        (cause,) = found.causes
        assert (cause.by, cause.group) == ("region", "north")
        assert cause.beyond.high < 0
        assert any(sentence.startswith("region, north: -") for sentence in told.sentences)
        by_segment = ws.metrics.causes("takings", grain="week", by=["region"], segments=["North"])
        assert {cause.by for cause in by_segment.found.causes} <= {"region", "segment North"}
        assert to_svg(told.chart()).startswith("<svg")
        assert set(told.table().column_names) == {"by", "group", "amount", "before", "after", "customers"}


def test_where_nothing_changed_nothing_is_a_cause(at: Callable[[int], Workspace]) -> None:
    """Breaks when weeks that differ by chance alone get a reason."""
    with at(20) as ws:
        told = ws.metrics.causes("weekly-orders", grain="week")
        assert told.found.causes == ()
        assert told.sentences[-1].startswith("No dimension explains it: of ")
        assert "Customers' own ups and downs make as much." in told.sentences


def test_what_causes_refuse(at: Callable[[int], Workspace]) -> None:
    """Breaks when a quantile is split, periods are held against themselves, or a dimension that isn't there is passed over."""
    with at(20) as ws:
        with pytest.raises(Refused, match="is a quantile"):
            ws.metrics.causes("median-revenue")
        with pytest.raises(Refused, match="isn't an earlier one"):
            ws.metrics.causes("takings", against="2017-05-01", period="2017-04-01")
        with pytest.raises(Refused, match="hasn't begun"):
            ws.metrics.causes("takings", period="2030-04-01")
        with pytest.raises(Exception, match="regoin"):
            ws.metrics.causes("takings", by=["regoin"])


def test_the_picture_shows_band_threshold_and_what_stands_out(at: Callable[[int], Workspace]) -> None:
    """Breaks when the band, the threshold or the dots are lost from the picture."""
    with at(25) as ws:
        door = ws.metrics.alerts()
        spec = door.chart("weekly-orders", segment="North").to_dict()
        marks = [layer["mark"]["type"] for layer in spec["layer"]]
        assert marks[:3] == ["area", "line", "line"]
        assert marks[-1] == "point"
        assert "below what was to be expected" in " ".join(spec["title"]["text"])
        _aim(ws.config.root, each="week")
        takings = json.dumps(door.chart("takings").to_dict())
        assert "alert below 7,000 EUR" in takings
        assert "target by 31 August 2017: 200,000 EUR" in takings
        assert "Dots: the 1 beyond a threshold" in takings
        with pytest.raises(UnknownName):
            door.chart("nothing")


@pytest.mark.parametrize(
    ("words", "key"),
    [(("kpi", "alerts", "check", "--dry-run"), "raised"), (("kpi", "alerts"), "alerts"), (("kpi", "targets"), "targets"),
     (("kpi", "why", "takings", "--grain", "week"), "causes")],
)  # fmt: skip
def test_commands_print_words_and_json(
    at: Callable[[int], Workspace], words: tuple[str, ...], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Breaks when a command doesn't run, or its JSON isn't what machines read."""
    with at(25) as ws:
        root = str(ws.config.root)
        if "targets" in words:
            _aim(ws.config.root)
    for more in ((), ("--json",)):
        with pytest.raises(SystemExit) as ended:
            main(["-w", root, *words, *more])
        assert ended.value.code == 0
        printed = capsys.readouterr().out
        assert printed.strip()
    assert key in json.loads(printed)


def test_commands_change_alerts(at: Callable[[int], Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when an alert can't be acknowledged or snoozed from the shell, or a check doesn't say what is new."""
    with at(25) as ws:
        root = str(ws.config.root)

    def said(*args: str) -> str:
        with pytest.raises(SystemExit):
            main(["-w", root, "kpi", "alerts", *args])
        out = capsys.readouterr()
        return out.out + out.err

    assert "New: Orders a week of North in the week from 19 June 2017" in said("check")
    (alert, *_) = json.loads(said("--json"))["alerts"]
    assert f"{alert['id']} is acknowledged (Tom looks)" in said("ack", alert["id"], "--note", "Tom looks")
    assert f"{alert['id']} is snoozed until " in said("snooze", alert["id"], "--days", "3")
    assert "Say --until or --days." in said("snooze", alert["id"])
    assert "There is no alert" in said("ack", "nothing")
