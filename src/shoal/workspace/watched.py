"""What a check of metrics looks at: the figures of all that is watched, asked for together where they can be."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant
from shoal.errors import ShoalError
from shoal.insight.metrics.alerts import mark
from shoal.insight.metrics.watching import HISTORY, MOST_AT_ONCE, Look, points_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.targets import Progress
    from shoal.insight.metrics.watching_reading import AlertRule
    from shoal.workspace.metrics import Figured
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at, before it is judged.

    Args:
        looks: a metric each, of everyone or a segment.
        targets: how far each target is.
        last: by slug of a metric the instant of the newest row that it is made of.
        refused: what couldn't be looked at, and why.
    """

    looks: tuple[Look, ...]
    targets: tuple[Progress, ...]
    last: Mapping[str, int | None]
    refused: tuple[str, ...]


@dataclass
class _Collected:
    looks: list[Look] = field(default_factory=list)
    last: dict[str, int | None] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def watched(ws: Workspace, metrics: Sequence[Metric], marks: Mapping[str, date], as_of: When) -> Watched:
    """The figures of all metrics that have an alert, and how far each target is.

    Args:
        ws: the workspace.
        metrics: those with an alert or a target.
        marks: up to which period each was looked at before; see ``alerts.mark``.
        as_of: the instant; now by default.
    """
    into = _Collected()
    together: dict[tuple[str, tuple[tuple[str, str], ...], bool], list[Metric]] = defaultdict(list)
    for metric in metrics:
        if metric.alert is not None:
            segments = _segments(ws, metric, metric.alert, as_of, into)
            together[metric.alert.each, segments, metric.alert.unusual].append(metric)
    for (each, segments, _), some in together.items():
        _look(ws, some, each, dict(segments), marks, as_of, into)
    told, why = progresses(ws, [metric for metric in metrics if metric.target is not None], as_of)
    return Watched(tuple(into.looks), tuple(told), into.last, (*into.refused, *why))


def _segments(
    ws: Workspace, metric: Metric, rule: AlertRule, as_of: When, into: _Collected
) -> tuple[tuple[str, str], ...]:
    """Slug and name of the segments that a rule names; those that aren't there are told."""
    found: dict[str, str] = {}
    known = ws.segments.known(as_of)
    for name in rule.segments:
        try:
            one = known.find(name)
            found[one.slug] = one.name
        except ShoalError as error:
            into.refused.append(f"{metric.name}: {error}")
    return tuple(found.items())


def _many(
    ws: Workspace,
    metric: Metric,
    rule: AlertRule,
    segments: Sequence[str | None],
    marks: Mapping[str, date],
    as_of: When,
) -> int:
    """How many periods a rule needs: a history to expect by, or those that ended since the last check."""
    if rule.unusual:
        return HISTORY[rule.each]
    since = [marks.get(mark(metric.slug, segment, rule.each)) for segment in segments]
    today = from_instant(ws.instant(as_of)).date()
    gone = max((today - day).days // _DAYS[rule.each] for day in since if day is not None) if any(since) else 0
    return min(MOST_AT_ONCE, gone + 2)


def _look(
    ws: Workspace, metrics: Sequence[Metric], each: str, segments: Mapping[str, str], marks: Mapping[str, date],
    as_of: When, into: _Collected,
) -> None:  # fmt: skip
    """Ask for figures of everyone and of segments: of all metrics together, or one by one where one can't be."""
    slugs = list(segments)
    many = max(_many(ws, m, m.alert, [None, *slugs], marks, as_of) for m in metrics if m.alert is not None)
    try:
        done = _figures(ws, metrics, slugs, each, many, as_of)
    except ShoalError as error:
        if len(metrics) == 1:
            into.refused.append(f"{metrics[0].name}: {error}")
            return
        for metric in metrics:
            _look(ws, [metric], each, segments, marks, as_of, into)
        return
    for metric in metrics:
        assert metric.alert is not None
        into.last[metric.slug] = done.reached.get(metric.slug)
        into.looks += [
            Look(
                metric, metric.alert, slug, name, points_of(done.found, metric.slug, slug),
                marks.get(mark(metric.slug, slug, each)), ws.config.currency,
            )
            for slug, name in ((None, ""), *segments.items())
        ]  # fmt: skip


def _figures(
    ws: Workspace, metrics: Sequence[Metric], segments: Sequence[str], each: Any, many: int, as_of: When
) -> Figured:
    """The newest finished periods; as many as there is data for."""
    end = from_instant(ws.instant(as_of)).date()
    start = end - timedelta(days=(many + 1) * _DAYS[each])
    oldest = _oldest(ws, metrics, as_of)
    if oldest is not None:
        start = min(max(start, oldest), end)
    return ws.metrics.figures(
        list(metrics), segments=segments, grain=each, start=start, end=end, as_of=as_of, everyone=True
    )


def _oldest(ws: Workspace, metrics: Sequence[Metric], as_of: When) -> date | None:
    """The first day of which any of them has something."""
    from shoal.workspace.metrics import span

    with ws.metrics.as_of(as_of) as known:
        told = [span(known, metric) for metric in metrics]
    first = [one[0] for one in told if one is not None]
    return from_instant(min(first)).date() if first else None


def progresses(ws: Workspace, metrics: Sequence[Metric], as_of: When) -> tuple[list[Progress], list[str]]:
    """How far each target is, and why some can't be told."""
    from shoal.insight.metrics.targets import each_of, progress

    told: list[Progress] = []
    refused: list[str] = []
    today = from_instant(ws.instant(as_of)).date()
    for metric in metrics:
        assert metric.target is not None
        each = each_of(metric.target)
        gone = max(0, (today - metric.target.since).days) // _DAYS[each] + 2
        try:
            done = _figures(ws, [metric], (), each, max(HISTORY[each], gone), as_of)
            points = points_of(done.found, metric.slug, None)
            told.append(progress(metric, metric.target, points, currency=ws.config.currency))
        except ShoalError as error:
            refused.append(str(error))
    return told, refused
