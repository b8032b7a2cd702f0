"""Watching metrics: thresholds that are crossed, changes beyond what season and noise explain, data gone silent.

A check looks at all watched metrics and segments together. The chance that a figure lies as far off as it does is corrected
for how many were looked at (Benjamini & Hochberg 1995), so that of the changes told one in twenty is chance, however much is
watched.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.errors import Refused
from shoal.stats.expected import Series, outlook, stepped
from shoal.stats.intervals import CONFIDENCE, Interval, z_value
from shoal.stats.multiple import benjamini_hochberg
from shoal.wording import dated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.watching_reading import AlertRule
    from shoal.stats.expected import Kind, Outlook, Step

HISTORY = {"day": 120, "week": 160, "month": 60, "quarter": 32, "year": 20}
"""So many periods are asked for, by their length."""
MOST_AT_ONCE = 31
"""So many periods that ended since the last check are looked at."""
LEVEL = 0.05
"""Of the unusual changes told, so many are chance at most."""
RULES = ("above", "below", "unusual", "silent", "target")


class Point(NamedTuple):
    """A figure of one period: its first and last day, the value with its interval, and how many stand behind it."""

    period: date
    ends: date
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: a metric, of everyone or a segment, in periods of one length.

    Args:
        metric: which.
        rule: what is worth a word.
        segment: the slug; None is everyone.
        of: the segment's name; empty for everyone.
        points: the finished periods, in order.
        since: periods up to the one that begins on this day were looked at before; None: none was.
        currency: of money.
    """

    metric: Metric
    rule: AlertRule
    segment: str | None
    of: str
    points: Sequence[Point]
    since: date | None = None
    currency: str = ""

    @property
    def subject(self) -> str:
        """What the figures are of, in words."""
        return f"{self.metric.name} of {self.of}" if self.segment is not None else self.metric.name

    @property
    def new(self) -> list[Point]:
        """The periods to judge: those that ended since the last check, or the newest."""
        if self.since is None:
            return list(self.points[-1:])
        # The newest that was judged is judged again: rows of it may have come late.
        told = [point for point in self.points if point.period >= self.since]
        return told[-MOST_AT_ONCE:] or list(self.points[-1:])

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return shown(value, self.metric.unit, self.currency)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of one period.

    Args:
        metric: the slug.
        segment: the slug; None is everyone.
        rule: one of ``RULES``.
        each: the length of the period.
        period: its first day.
        out: whether it is worth an alert; None: neither that nor all clear.
        value: what came.
        expected: what was to be expected, where that was asked.
        bound: the threshold, where one was given.
        p: of a change as large by chance; ``q`` is the same, corrected for how many were looked at.
        q: see ``p``.
        worse: whether it is in the direction that isn't wanted; None where neither is better.
        sentence: the same in words; empty where ``out`` isn't true.
    """

    metric: str
    segment: str | None
    rule: str
    each: str
    period: date
    out: bool | None
    value: float | None = None
    expected: Interval | None = None
    bound: float | None = None
    p: float | None = None
    q: float | None = None
    worse: bool | None = None
    sentence: str = ""

    @property
    def key(self) -> tuple[str, str | None, str]:
        """What an alert is about: there is one at a time of each."""
        return self.metric, self.segment, self.rule


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check found.

    Args:
        findings: of every rule and period that was looked at, in the order of time.
        outlooks: by metric and segment what was to be expected, where a change beyond that is an alert.
        refused: by metric and segment why nothing could be expected.
        looked: how many figures were held against what was to be expected.
    """

    findings: Sequence[Finding]
    outlooks: Mapping[tuple[str, str | None], Outlook] = field(default_factory=dict)
    refused: Mapping[tuple[str, str | None], str] = field(default_factory=dict)
    looked: int = 0


def points_of(table: pa.Table, metric: str, segment: str | None) -> list[Point]:
    """The finished periods of a table of figures, in order; see ``metrics.figures``."""
    rows = table.select(
        ["metric", "segment", "by", "period", "ends", "value", "low", "high", "n", "finished"]
    ).to_pylist()
    told = [
        Point(row["period"], row["ends"], row["value"], row["low"], row["high"], int(row["n"] or 0))
        for row in rows
        if row["metric"] == metric and row["segment"] == segment and row["by"] is None and row["finished"]
    ]
    return sorted(told, key=lambda point: point.period)


def begun(points: Sequence[Point]) -> list[Point]:
    """From the first whole period of the data on: before it there was nothing, and in its first period a part of one."""
    first = next((i for i, point in enumerate(points) if point.n), len(points))
    return list(points[first + 1 :])


def series_of(metric: Metric, points: Sequence[Point], each: str) -> Series:
    """A series of finished periods without gaps; a period that isn't there is NaN.

    Raises:
        Refused: there is no period.
    """
    if not points:
        raise Refused(f"{metric.name} has no finished {each} yet.", fix="Wait, or look at shorter periods.")
    by = {point.period: point for point in points}
    start, days = points[0].period, []
    while start <= points[-1].period:
        days.append(start)
        start = stepped(start, each, 1)
    told = [by.get(day) for day in days]
    values = np.array([np.nan if p is None or p.value is None else p.value for p in told], dtype=np.float64)
    n = np.array([0 if p is None else p.n for p in told], dtype=np.float64)
    kind = kind_of(metric)
    errors = np.array([np.nan if p is None else _error(p) for p in told]) if kind == "mean" else None
    if errors is not None and not np.isfinite(errors).any():
        errors = None
    return Series(days[0], each, kind, values, n, errors)


def kind_of(metric: Metric) -> Kind:
    """What noise a metric's figures have."""
    if metric.how == "share":
        return "share"
    if metric.how == "count" or (metric.how == "sum" and metric.unit == "count"):
        return "count"
    return "sum" if metric.how == "sum" else "mean"


def _error(point: Point) -> float:
    if point.low is None or point.high is None:
        return float("nan")
    return (point.high - point.low) / (2 * z_value(CONFIDENCE))


# ------------------------------------------------------------ judging


def judge(looks: Iterable[Look], last: Mapping[str, int | None], now: int) -> Judged:
    """Hold the newest figures against their rules.

    Args:
        looks: what is watched.
        last: by slug of a metric, the instant of the newest row that it is made of; None where there never was one.
        now: the instant of the check.
    """
    looks = list(looks)
    findings = list(_silences(looks, last, now))
    silent = {found.metric for found in findings if found.out}
    # Figures of days without data aren't low, they are missing: one word on that is enough.
    looks = [look for look in looks if look.metric.slug not in silent]
    outlooks, refused = _outlooks(looks)
    unusual = [
        _unusual(look, point, outlooks[_key(look)]) for look in looks if _key(look) in outlooks for point in look.new
    ]
    told = {id(found): found.p for found in unusual if found.p is not None}
    corrected = benjamini_hochberg(list(told.values())).tolist() if told else []
    by_id = dict(zip(told, corrected, strict=True))
    named = {_key(look): look for look in looks}
    findings += [_decided(found, by_id.get(id(found)), named[found.metric, found.segment]) for found in unusual]
    findings += [found for look in looks for found in _crossings(look)]
    findings.sort(key=lambda found: found.period)
    return Judged(findings, outlooks, refused, len(told))


def _key(look: Look) -> tuple[str, str | None]:
    return look.metric.slug, look.segment


def _silences(looks: Sequence[Look], last: Mapping[str, int | None], now: int) -> Iterator[Finding]:
    for metric, rule in {look.metric.slug: (look.metric, look.rule) for look in looks}.values():
        if rule.silent is None:
            continue
        newest = last.get(metric.slug)
        since = None if newest is None else date(1970, 1, 1) + timedelta(microseconds=newest)
        out = newest is None or now - newest > rule.silent
        said = "ever" if since is None else f"since {dated(since)}"
        sentence = f"{metric.name}: no row that it is made of has come {said}; {rule.silence()} are allowed."
        yield Finding(
            metric.slug, None, "silent", rule.each, since or date(1970, 1, 1), out, worse=True,
            sentence=sentence if out else "",
        )  # fmt: skip


def _outlooks(
    looks: Sequence[Look],
) -> tuple[dict[tuple[str, str | None], Outlook], dict[tuple[str, str | None], str]]:
    found: dict[tuple[str, str | None], Outlook] = {}
    refused: dict[tuple[str, str | None], str] = {}
    for look in looks:
        if look.rule.unusual:
            try:
                found[_key(look)] = outlook(series_of(look.metric, begun(look.points), look.rule.each))
            except Refused as refusal:
                refused[_key(look)] = f"{look.subject}: {refusal}"
    return found, refused


def _unusual(look: Look, point: Point, told: Outlook) -> Finding:
    """What the model says of a period, not yet corrected for how many were looked at."""
    step = next((step for step in reversed(told.steps) if step.period == point.period), None)
    p = None if step is None else step.p
    return Finding(
        look.metric.slug, look.segment, "unusual", look.rule.each, point.period, None, point.value,
        None if step is None else step.expected, p=p, worse=None if step is None else _worse(look, step),
    )  # fmt: skip


def _worse(look: Look, step: Step) -> bool | None:
    if look.metric.better == "neither" or step.value is None or step.expected is None:
        return None
    return (step.value < step.expected.value) == (look.metric.better == "higher")


def _decided(found: Finding, q: float | None, look: Look) -> Finding:
    """Out where few of those told would be chance; all clear where the figure lies inside what was to be expected."""
    if q is None or found.p is None or found.value is None or found.expected is None:
        return found
    if q >= LEVEL:
        return replace(found, q=q, out=False if found.p >= LEVEL else None)
    side = "above" if found.value > found.expected.value else "below"
    low, high = look.shown(found.expected.low), look.shown(found.expected.high)
    sentence = (
        f"{look.subject} {within(found.period, found.each)}: {look.shown(found.value)}, {side} what was to be expected "
        f"({low} to {high})."
    )
    return replace(found, q=q, out=True, sentence=sentence)


def _crossings(look: Look) -> Iterator[Finding]:
    if look.segment is not None:
        # What is little of everyone may be much of a segment: a threshold is of everyone.
        return
    for rule, bound in (("above", look.rule.above), ("below", look.rule.below)):
        if bound is None:
            continue
        for point in look.new:
            if point.value is None:
                continue
            side = 1 if rule == "above" else -1
            surest = point.value
            if look.rule.surely:
                end = point.low if rule == "above" else point.high
                surest = bound if end is None else end
            out = (surest - bound) * side > 0
            yield Finding(
                look.metric.slug, look.segment, rule, look.rule.each, point.period, out, point.value, bound=bound,
                worse=None if look.metric.better == "neither" else (look.metric.better == "lower") == (rule == "above"),
                sentence=_crossed(look, point, rule, bound) if out else "",
            )  # fmt: skip


def _crossed(look: Look, point: Point, rule: str, bound: float) -> str:
    assert point.value is not None
    ends = ""
    if point.low is not None and point.high is not None:
        ends = f" (95 %: {look.shown(point.low)} to {look.shown(point.high)})"
    said = "over" if rule == "above" else "under"
    where = within(point.period, look.rule.each)
    return f"{look.subject} {where}: {look.shown(point.value)}{ends}, {said} {look.shown(bound)}."


# ------------------------------------------------------------ words


def shown(value: float, unit: str, currency: str = "") -> str:
    """A value as it is read.

    >>> shown(12345.6, "money", "EUR"), shown(0.0512, "share"), shown(17.0, "count"), shown(28.306, "money", "EUR")
    ('12,346 EUR', '5.1 %', '17', '28.31 EUR')
    """
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "count":
        return f"{value:,.0f}"
    digits = 0 if abs(value) >= 1000 else 2
    text = f"{value:,.{digits}f}"
    if unit == "money":
        return f"{text} {currency}".rstrip()
    return f"{value:,.1f} days" if unit == "days" else text


def in_words(period: date, each: str) -> str:
    """A period in words.

    >>> (
    ...     in_words(date(2017, 12, 25), "week"),
    ...     in_words(date(2017, 10, 1), "quarter"),
    ...     in_words(date(2017, 10, 1), "month"),
    ... )
    ('the week from 25 December 2017', 'the 4th quarter of 2017', 'October 2017')
    """
    if each == "week":
        return f"the week from {dated(period)}"
    if each == "month":
        return f"{period:%B %Y}"
    if each == "quarter":
        number = (period.month + 2) // 3
        return f"the {number}{('st', 'nd', 'rd', 'th')[number - 1]} quarter of {period.year}"
    return str(period.year) if each == "year" else dated(period)


def within(period: date, each: str) -> str:
    """The same with its preposition.

    >>> within(date(2017, 12, 25), "day"), within(date(2017, 10, 1), "month")
    ('on 25 December 2017', 'in October 2017')
    """
    return f"{'on' if each == 'day' else 'in'} {in_words(period, each)}"


def document(found: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    expected = None if found.expected is None else dict(zip(("value", "low", "high"), found.expected, strict=True))
    return {
        "metric": found.metric, "segment": found.segment, "rule": found.rule, "each": found.each,
        "period": str(found.period), "out": found.out, "value": found.value, "expected": expected, "bound": found.bound,
        "p": found.p, "q": found.q, "worse": found.worse, "sentence": found.sentence,
    }  # fmt: skip
