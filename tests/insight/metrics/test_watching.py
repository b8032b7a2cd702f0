"""Targets and alerts: read strictly, judged together, raised once and ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from shoal.clock import DAY, to_instant
from shoal.errors import DefinitionError, Refused
from shoal.insight.metrics.alerts import ACKNOWLEDGED, OPEN, RESOLVED, Alert, acknowledged, find, follow, snoozed
from shoal.insight.metrics.catalogue import read_metrics
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.reading import read_metric
from shoal.insight.metrics.targets import BEHIND, MISSED, ON_TRACK, REACHED, progress
from shoal.insight.metrics.targets import OPEN as UNDECIDED
from shoal.insight.metrics.watching import Finding, Look, Point, begun, judge, kind_of, series_of
from shoal.insight.metrics.watching_reading import AlertRule, Target
from shoal.lang.parse import parse_value
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.stats.expected import stepped

START = date(2017, 1, 2)
HEAD = 'name: Revenue\nunit: money\nas: sum\nof: sum(revenue of "Order Completed")\n'


def metric(slug: str = "revenue", **fields: object) -> Metric:
    told = {
        "name": slug.capitalize(), "unit": "money", "better": "higher", "how": "sum",
        "of": parse_value('sum(revenue of "Order Completed")'),
    }  # fmt: skip
    return Metric(slug=slug, **(told | fields))  # type: ignore[arg-type]


def points(values: list[float], each: str = "week", start: date = START) -> list[Point]:
    told = []
    for i, value in enumerate(values):
        first = stepped(start, each, i)
        told.append(Point(first, stepped(first, each, 1) - timedelta(days=1), value, None, None, 100))
    return told


def noisy(random: np.random.Generator, many: int, last: float = 1.0) -> list[float]:
    values = 1000 * np.exp(0.1 * random.normal(size=many))
    values[-1] *= last
    return [float(value) for value in values]


# ------------------------------------------------------------ reading


def test_target_and_alert_are_read_whole() -> None:
    """Breaks when a key of them is lost, or a share is read as a whole number."""
    found = read_metric(
        HEAD + "target: {value: 1_200.5, by: 2017-12-31, since: 2017-07-01, each: month, pace: linear}\n"
        "alert:\n  each: day\n  above: 5 %\n  below: 0.01\n  unusual: yes\n  silent: 36 hours\n"
        "  segments: [vips, vips, lapsed]\n  mail: [ann@shop.example]\n",
        slug="revenue", place="metrics/revenue.yaml",
    )  # fmt: skip
    assert found.target == Target(1200.5, date(2017, 12, 31), date(2017, 7, 1), "month", "linear")
    assert found.alert == AlertRule(
        "day", 0.05, 0.01, unusual=True, silent=36 * DAY // 24, segments=("vips", "lapsed"), mail=("ann@shop.example",)
    )


def test_what_isnt_said_of_a_target_follows_from_the_metric() -> None:
    """Breaks when the target of a sum isn't what the year adds up to, or that of a mean isn't a month's."""
    told = read_metric(HEAD + "target: {value: 9, by: 2017-06-30}", slug="a", place="a").target
    assert told == Target(9, date(2017, 6, 30), date(2017, 1, 1), None)
    mean = HEAD.replace("as: sum", "as: mean")
    assert read_metric(mean + "target: {value: 9, by: 2017-06-30}", slug="a", place="a").target == replace(
        told, each="month"
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("target: 5", 5, "Expected 'key: value' lines"),
        ("target: {value: 5}", 5, "no 'by'"),
        ("target: {by: 2017-01-01}", 5, "no 'value'"),
        ("target:\n  value: five\n  by: 2017-01-01", 6, "Expected a number"),
        ("target:\n  value: nan\n  by: 2017-01-01", 6, "Expected a number"),
        ("target:\n  value: 5\n  by: 2017-13-01", 7, "Expected a date"),
        ("target:\n  value: 5\n  by: 2017-01-01\n  since: 2017-02-01", 8, "ends before it begins"),
        ("target:\n  value: 5\n  by: 2017-01-01\n  pace: quick", 8, "'quick' can't stand here"),
        ("target:\n  value: 5\n  value: 6\n  by: 2017-01-01", 7, "stands twice"),
        ("alert: {}", 5, "Expected 'key: value' lines"),
        ("alert:\n  each: week", 6, "Nothing says what is worth an alert"),
        ("alert:\n  unusal: yes", 6, "There is no 'unusal' here. Did you mean \"unusual\""),
        ("alert:\n  unusual: maybe", 6, "Expected yes or no"),
        ("alert:\n  unusual: yes\n  each: fortnight", 7, "'fortnight' can't stand here"),
        ("alert:\n  silent: soon", 6, "Expected a length of time"),
        ("alert:\n  silent: 0 days", 6, "Expected a length of time"),
        ("alert:\n  above: 1\n  below: 2", 7, "Every value would be an alert"),
        ("alert:\n  above: 1\n  surely: yes", 7, "A sum is no estimate"),
        ("alert:\n  unusual: yes\n  mail: [nobody]", 7, "'nobody' is no mail address"),
        ("alert:\n  unusual: yes\n  segments: vips", 7, "Expected a list"),
    ],
)
def test_a_fault_is_told_at_its_line(text: str, line: int, said: str) -> None:
    """Breaks when a wrong target or alert passes, or its fault isn't shown where it stands."""
    with pytest.raises(DefinitionError) as caught:
        read_metric(HEAD + text, slug="revenue", place="metrics/revenue.yaml")
    assert said in str(caught.value)
    assert str(caught.value.place).startswith("metrics/revenue.yaml:")
    assert int(str(caught.value.place).split(":")[1]) in (line, line - 1)


def test_a_file_may_only_watch_a_metric_that_ships(tmp_path: Path) -> None:
    """Breaks when one has to write out what ships to watch it, or a file without a definition passes for a new metric."""
    events = {"Order Completed": {"revenue": PropertyType(Kind.NUMBER)}}
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "revenue.yaml").write_text("owner: Ann\nalert: {unusual: yes}\n")
    (tmp_path / "metrics" / "orders.yaml").write_text("alert: {unusal: yes}\n")
    (tmp_path / "metrics" / "footfall.yaml").write_text("alert: {unusual: yes}\n")
    found = read_metrics(tmp_path, Schema(events=events))
    revenue = found.definitions["revenue"]
    assert (revenue.name, revenue.owner, revenue.alert) == ("Revenue", "Ann", AlertRule(unusual=True))
    assert 'Did you mean "unusual"' in str(found.faults["orders"])
    assert "The metric has no 'name'" in str(found.faults["footfall"])


# ------------------------------------------------------------ judging


def test_of_many_that_are_looked_at_chance_raises_few() -> None:
    """Breaks without the correction: of 60 series without any change three would be alerts at each check."""
    random, checks, raised, plain = np.random.default_rng(12), 12, 0, 0
    for _ in range(checks):
        looks = [Look(metric(f"m{i}"), AlertRule(unusual=True), None, "", points(noisy(random, 60))) for i in range(60)]
        found = judge(looks, {}, 0)
        assert found.looked == 60
        raised += any(one.out for one in found.findings)
        plain += sum(one.p is not None and one.p < 0.05 for one in found.findings)
    assert plain >= checks  # each check has some that lie outside by chance
    assert raised <= 3


def test_a_planted_change_is_told_in_words() -> None:
    """Breaks when one change among sixty series is lost to the correction, or is told without its figures."""
    random = np.random.default_rng(1)
    looks = [
        Look(metric(f"m{i}"), AlertRule(unusual=True), None, "", points(noisy(random, 60, 0.4 if i == 7 else 1.0)))
        for i in range(60)
    ]
    (found,) = [one for one in judge(looks, {}, 0).findings if one.out]
    assert found.metric == "m7"
    assert found.worse is True
    assert found.q is not None
    assert found.q < 0.05
    assert found.sentence.startswith("M7 in the week from 19 February 2018: ")
    assert "below what was to be expected (" in found.sentence


def test_a_short_history_is_refused_by_name_and_the_others_are_judged() -> None:
    """Breaks when one metric without history stops the check, or passes as all clear."""
    random = np.random.default_rng(1)
    looks = [
        Look(metric("old"), AlertRule(unusual=True), None, "", points(noisy(random, 60, 0.4))),
        Look(metric("new"), AlertRule(unusual=True), "vips", "VIPs", points(noisy(random, 5, 0.4))),
    ]
    found = judge(looks, {}, 0)
    assert [one.metric for one in found.findings if one.out] == ["old"]
    assert found.refused["new", "vips"].startswith("New of VIPs: There are 3 weeks with a value;")
    assert [one for one in found.findings if one.metric == "new"] == []


def test_thresholds_with_and_without_the_interval() -> None:
    """Breaks when a figure whose interval reaches over the threshold is told where only sure ones are asked for."""
    share = metric("churn", unit="share", how="share", better="lower")
    told = [Point(START, START + timedelta(6), 0.06, 0.04, 0.08, 300)]
    plain, sure = (Look(share, AlertRule(above=0.05, surely=sure), None, "", told) for sure in (False, True))
    (found,) = judge([plain], {}, 0).findings
    assert found.out is True
    assert found.worse is True
    assert found.sentence == "Churn in the week from 2 January 2017: 6.0 % (95 %: 4.0 % to 8.0 %), over 5.0 %."
    (found,) = judge([sure], {}, 0).findings
    assert found.out is False
    surer = [Point(START, START + timedelta(6), 0.07, 0.051, 0.09, 300)]
    assert judge([replace(sure, points=surer)], {}, 0).findings[0].out is True


def test_all_periods_since_the_last_check_are_looked_at() -> None:
    """Breaks when a job that runs once a week misses what happened in the middle of it."""
    values = [100.0] * 10
    values[6] = 20.0
    look = Look(metric(), AlertRule("day", below=50), None, "", points(values, "day"))
    newest = judge([look], {}, 0).findings
    assert [one.out for one in newest] == [False]
    since = judge([replace(look, since=stepped(START, "day", 4))], {}, 0).findings
    assert [one.out for one in since] == [False, False, True, False, False, False]


def test_silence_is_one_word_instead_of_a_fall() -> None:
    """Breaks when days without data are told as revenue that fell, or silence isn't told."""
    now = to_instant_of(date(2018, 3, 1))
    random = np.random.default_rng(1)
    look = Look(metric(), AlertRule(unusual=True, silent=3 * DAY), None, "", points(noisy(random, 60, 0.01)))
    (found,) = judge([look], {"revenue": now - 5 * DAY}, now).findings
    assert found.rule == "silent"
    assert found.out is True
    assert found.sentence == "Revenue: no row that it is made of has come since 24 February 2018; 3 days are allowed."
    found_all = judge([look], {"revenue": now - 2 * DAY}, now).findings
    assert {(one.rule, one.out) for one in found_all} == {("silent", False), ("unusual", True)}


def to_instant_of(day: date) -> int:
    from datetime import UTC, datetime

    return to_instant(datetime(day.year, day.month, day.day, tzinfo=UTC))


def test_history_begins_with_the_first_whole_period() -> None:
    """Breaks when weeks before there was any data count as zeros, or the first part of a week as a whole one."""
    empty = [Point(p.period, p.ends, 0.0, None, None, 0) for p in points([0.0] * 3)]
    told = [*empty, *points([5.0, 7.0, 8.0], start=stepped(START, "week", 3))]
    assert [p.value for p in begun(told)] == [7.0, 8.0]
    assert series_of(metric(), begun(told), "week").values.tolist() == [7.0, 8.0]
    with pytest.raises(Refused, match="no finished week"):
        series_of(metric(), [], "week")


def test_each_kind_of_metric_has_its_noise() -> None:
    """Breaks when orders count as money, or a ratio as a share whose n isn't what it is divided by."""
    kinds = {
        how: kind_of(metric(how=how, unit=unit))
        for how, unit in [
            ("sum", "money"),
            ("count", "count"),
            ("share", "share"),
            ("ratio", "share"),
            ("mean", "score"),
        ]
    }
    assert kinds == {"sum": "sum", "count": "count", "share": "share", "ratio": "mean", "mean": "mean"}
    assert kind_of(metric(how="sum", unit="count")) == "count"


# ------------------------------------------------------------ what becomes of findings

WATCHED = {("revenue", None, "below")}


def crossing(step: int, out: bool | None) -> Finding:
    return Finding("revenue", None, "below", "week", stepped(START, "week", step), out, sentence=f"week {step}")


def test_an_alert_is_raised_once_goes_on_and_ends() -> None:
    """Breaks when each check raises the same thing anew, or never says that it is over."""
    first = follow([], [crossing(0, out=True)], WATCHED, 1)
    (alert,) = first.raised
    assert (alert.state, alert.period, alert.last) == (OPEN, START, START)
    again = follow([alert], [crossing(0, out=True), crossing(1, out=True)], WATCHED, 2)
    assert again.raised == ()
    (going,) = again.going_on
    assert (going.id, going.raised, going.sentence) == (alert.id, 1, "week 1")
    unsure = follow([going], [crossing(2, out=None)], WATCHED, 3)
    assert unsure.going_on == (going,)
    assert unsure.changed == ()
    over = follow([going], [crossing(2, out=False)], WATCHED, 4)
    (ended,) = over.resolved
    assert (ended.state, ended.resolved, over.going_on) == (RESOLVED, 4, ())
    anew = follow([], [crossing(3, out=True)], WATCHED, 5)
    assert anew.raised[0].id != alert.id


def test_what_began_and_ended_between_two_checks_is_told() -> None:
    """Breaks when a day that stood out in the middle of the week is lost since the next was in order."""
    done = follow([], [crossing(0, out=True), crossing(1, out=False)], WATCHED, 1)
    (alert,) = done.raised
    assert alert.state == RESOLVED
    assert done.going_on == done.resolved == ()
    assert done.changed == (alert,)


def test_what_isnt_watched_any_more_is_over() -> None:
    """Breaks when an alert stays open for ever after its rule was taken away."""
    (alert,) = follow([], [crossing(0, out=True)], WATCHED, 1).raised
    (ended,) = follow([alert], [], set(), 2).resolved
    assert ended.note == "It isn't watched any more."


def test_a_snooze_is_quiet_and_then_told_anew_and_an_acknowledged_one_stays_quiet() -> None:
    """Breaks when a snoozed alert never comes back, or somebody who is at it gets more mail."""
    (alert,) = follow([], [crossing(0, out=True)], WATCHED, 1).raised
    assert alert.news(1)
    told = replace(alert, told=True)
    assert not told.news(1)
    asleep = snoozed(told, 10, "after Easter")
    assert asleep.quiet(9)
    (still,) = follow([asleep], [crossing(1, out=True)], WATCHED, 9).going_on
    assert not still.news(9)
    (awake,) = follow([still], [crossing(2, out=True)], WATCHED, 10).going_on
    assert (awake.state, awake.news(10), awake.note) == (OPEN, True, "after Easter")
    at_it = acknowledged(told, "Tom looks")
    (going,) = follow([at_it], [crossing(1, out=True)], WATCHED, 2).going_on
    assert (going.state, going.news(2)) == (ACKNOWLEDGED, False)
    (ended,) = follow([at_it], [crossing(2, out=False)], WATCHED, 3).resolved
    assert ended.news(3)
    with pytest.raises(Refused, match="is over"):
        acknowledged(ended, "")


def test_an_alert_is_found_by_the_beginning_of_its_id() -> None:
    """Breaks when two letters are enough to take the wrong one."""
    (alert,) = follow([], [crossing(0, out=True)], WATCHED, 1).raised
    other = replace(alert, id=alert.id[:5] + "zzz")
    assert find([alert, other], alert.id[:6]) == alert
    with pytest.raises(Refused, match="begins the ids of 2"):
        find([alert, other], alert.id[:5])
    with pytest.raises(Exception, match="There is no alert"):
        find([alert], alert.id[:2])
    assert isinstance(alert, Alert)


# ------------------------------------------------------------ targets

WEEK = np.array([1.0, 0.9, 0.95, 1.0, 1.2, 1.6, 1.4]) / 1.15


def year(days: int, factor: float = 1.0, seed: int = 0) -> list[Point]:
    """Days of 1,000 with the season of the week, ten weeks before the target begins."""
    random = np.random.default_rng(seed)
    start = date(2017, 10, 23)
    at = np.arange(70 + days)
    return points((1000 * factor * WEEK[at % 7] * np.exp(0.05 * random.normal(size=len(at)))).tolist(), "day", start)


TOTAL = Target(90_000, date(2018, 3, 31), date(2018, 1, 1), None)


@pytest.mark.parametrize(("factor", "verdict"), [(1.1, ON_TRACK), (0.8, BEHIND), (1.0, UNDECIDED)])
def test_what_days_add_up_to_is_held_against_the_target(factor: float, verdict: str) -> None:
    """Breaks when half of the way is told as all of it, or a forecast that can't decide claims to."""
    told = progress(metric(), TOTAL, year(45, factor))
    assert told.verdict == verdict
    assert told.value == pytest.approx(45_000 * factor, rel=0.02)
    assert told.pace == pytest.approx(45_000, rel=0.02)
    assert told.forecast is not None
    assert told.forecast.value == pytest.approx(90_000 * factor, rel=0.03)
    assert told.finding().out == {ON_TRACK: False, BEHIND: True, UNDECIDED: None}[verdict]
    assert told.chance is not None
    assert (told.chance > 0.97) == (verdict == ON_TRACK)


def test_the_seasonal_pace_knows_the_weekend() -> None:
    """Breaks when on a Friday night the pace asks for what only the weekend brings."""
    days = 5
    target = replace(TOTAL, value=7000, by=date(2018, 1, 7))
    seasonal = progress(metric(), target, year(days))
    linear = progress(metric(), replace(target, pace="linear"), year(days))
    assert seasonal.pace == pytest.approx(7000 * WEEK[:days].sum() / WEEK.sum(), rel=0.03)
    assert linear.pace == pytest.approx(5000)


def test_a_target_whose_date_is_over_is_reached_or_missed() -> None:
    """Breaks when a target goes on after its date, or counts what came after it."""
    for factor, verdict in ((1.05, REACHED), (0.9, MISSED)):
        told = progress(metric(), TOTAL, year(120, factor))
        assert told.verdict == verdict
        assert told.value == pytest.approx(90_000 * factor, rel=0.02)
        assert verdict in told.sentence


def test_less_is_better_where_the_metric_says_so() -> None:
    """Breaks when refunds above their target are on track."""
    refunds = metric("refunds", better="lower")
    assert progress(refunds, TOTAL, year(45, 0.8)).verdict == ON_TRACK
    assert progress(refunds, TOTAL, year(45, 1.2)).verdict == BEHIND


def test_a_short_history_has_the_pace_and_no_forecast() -> None:
    """Breaks when a forecast is made of nothing, or nothing at all is said."""
    told = progress(metric(), TOTAL, year(10)[70:])
    assert told.forecast is None
    assert "No forecast: There are 8 days with a value" in told.why
    assert told.pace == pytest.approx(10_000)
    with pytest.raises(Refused, match="nothing since then is finished"):
        progress(metric(), TOTAL, year(0))


def test_the_figure_of_a_period_is_on_its_way() -> None:
    """Breaks when the target of a level is held against a sum, or the way there isn't a line."""
    level = metric("basket", how="mean")
    target = Target(60.0, date(2018, 12, 31), date(2018, 1, 1), "month")
    random = np.random.default_rng(0)
    for slope, verdict in ((1.2, ON_TRACK), (0.0, BEHIND)):
        values = [40 + slope * i + 0.4 * random.normal() for i in range(20)]
        told = progress(level, target, points(values, "month", date(2017, 1, 1)))
        assert told.verdict == verdict
        start = values[12]
        assert told.value == values[-1]
        assert told.pace == pytest.approx(start + (60 - start) * 212 / 334, rel=0.01)
        assert told.forecast is not None
        assert told.forecast.value == pytest.approx(40 + slope * 23, abs=3)
