"""Metrics as their pages show them: the catalogue with its trends, one metric over time, why it changed, what is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.metrics.definition import Metric
    from shoal.lang.nodes import CalendarUnit
    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]


def catalogue(workspace: Workspace, *, grain: CalendarUnit = "month") -> Told:
    """All metrics, each with its newest whole period, how it came there, and who uses it."""
    from shoal.workspace.metrics import described

    found = workspace.metrics.catalogue()
    used, currency = _used(workspace), workspace.config.revenue.currency
    rows = _by_metric(workspace, list(found.definitions.values()), grain)
    open_ = [alert.metric for alert in workspace.metrics.alerts().listed()]
    return {
        "metrics": [
            described(one) | _newest(one, rows.get(one.slug, []), currency)
            | {"ships": one.slug in found.shipped, "used": used.get(one.slug, []), "alerts": open_.count(one.slug),
               "watched": one.alert is not None, "target": one.target is not None}
            for one in found.definitions.values()
        ],
        "lacking": dict(found.lacking),
        "faults": {slug: str(error) for slug, error in found.faults.items()},
    }  # fmt: skip


def _by_metric(workspace: Workspace, metrics: Sequence[Metric], grain: CalendarUnit) -> dict[str, list[Told]]:
    if not metrics:
        return {}
    found: dict[str, list[Told]] = {}
    for row in workspace.metrics.figures(metrics, grain=grain).found.to_pylist():
        found.setdefault(row["metric"], []).append(row)
    return found


def _newest(metric: Metric, rows: Sequence[Told], currency: str) -> Told:
    """The newest period that is over, the one before it, and the course up to it."""
    from shoal.views import words as w
    from shoal.views.report.metrics import amount

    whole = [row for row in rows if row["finished"] and row["value"] is not None]
    if not whole:
        return {"value": None, "shown": "", "interval": "", "n": None, "change": "", "trend": [], "period": ""}
    last, before = whole[-1], whole[-2] if len(whole) > 1 else None
    said = {"value": last["value"], "shown": amount(metric, last["value"], currency), "n": last["n"]}
    interval = "" if last["low"] is None else " to ".join(amount(metric, last[k], currency) for k in ("low", "high"))
    return said | {
        "interval": interval, "change": _change(metric, before, last), "trend": [row["value"] for row in whole],
        "period": w.day(last["period"]), "ends": w.day(last["ends"]),
    }  # fmt: skip


def _change(metric: Metric, before: Told | None, now: Told) -> str:
    """From one period to the next: points of a share, a difference of a score, else per cent."""
    from shoal.views import words as w

    if before is None:
        return ""
    gap = now["value"] - before["value"]
    if metric.unit in ("share", "score"):
        size, unit = (abs(100 * gap), " points") if metric.unit == "share" else (abs(gap), "")
        return f"{'+' if gap >= 0 else '−'}{size:.1f}{unit}"
    by = w.change(before["value"], now["value"])
    return "" if by is None else w.signed(by)


def _used(workspace: Workspace) -> dict[str, list[list[str]]]:
    """By metric, the experiments and pilots that are judged by it: kind, name and slug."""
    found: dict[str, list[list[str]]] = {}
    for slug, one in workspace.experiments.catalogue().definitions.items():
        for metric in one.metrics:
            found.setdefault(metric, []).append(["experiment", one.name, slug])
    for slug, pilot in workspace.pilots.catalogue().definitions.items():
        for metric in dict.fromkeys(goal.metric for goal in pilot.goals):
            found.setdefault(metric, []).append(["pilot", pilot.name, slug])
    return found


# ------------------------------------------------------------ one metric


def metric(workspace: Workspace, *, slug: str) -> Told:
    """A metric's definition, its meanings up to now, who uses it, and what is watched of it."""
    from shoal.workspace.metrics import described

    door = workspace.metrics
    found = door.find(slug)
    alerts = [one.document() for one in door.alerts().listed(everything=True) if one.metric == found.slug]
    rule = found.alert
    return dict.fromkeys(("of", "per", "among", "before")) | described(found) | {
        "ships": found.slug in door.catalogue().shipped,
        "used": _used(workspace).get(found.slug, []),
        "history": [one.document() for one in door.history(found.slug)],
        "alerts": alerts,
        "rule": [] if rule is None else list(_rule(found, workspace.config.revenue.currency)),
        "has_target": found.target is not None,
        "explained": found.how != "quantile",
        "segments": {one: d.name for one, d in workspace.definitions.items()},
        "traits": sorted(name for name, kind in workspace.schema.traits.items() if kind in (Kind.TEXT, Kind.YESNO)),
    }  # fmt: skip


def _rule(metric: Metric, currency: str) -> Iterator[str]:
    from shoal.views.report.metrics import amount

    rule = metric.alert
    assert rule is not None
    yield f"Each {rule.each} is looked at once it is over."
    for word, value in (("above", rule.above), ("below", rule.below)):
        if value is not None:
            yield f"Said when it is {word} {amount(metric, value, currency)}{', surely' if rule.surely else ''}."
    if rule.unusual:
        yield "Said when level, trend, season and noise don't explain it."
    if rule.silent is not None:
        yield "Said when nothing of it has come for long."
    if rule.segments:
        yield f"Looked at in {', '.join(rule.segments)} too."


def trend(
    workspace: Workspace, *, slug: str, grain: CalendarUnit, segments: list[str], by: str | None, width: int | None = None
) -> Told:  # fmt: skip
    """A metric over time, of everyone and of segments or groups; drawn where ``width`` says for how many pixels."""
    from shoal.views.charts.metrics import metric_trend
    from shoal.workspace.asked.sections import drawn

    found = workspace.metrics.figures([slug], segments=segments, by=by, grain=grain)
    (one,) = found.metrics
    rows = found.found.to_pylist()
    plain = [_row(row, found.segments) for row in rows]
    if width is None:
        everyone = [row for row in rows if row["segment"] is None]
        if by is not None:
            everyone = workspace.metrics.figures([slug], grain=grain).found.to_pylist()
        at = found.reached.get(one.slug)
        return {
            "newest": _newest(one, everyone, workspace.config.revenue.currency), "rows": plain, "unit": one.unit,
            "reached": at, "estimated": one.estimated,
        }  # fmt: skip
    subtitle = f"{_unit(one, workspace.config.revenue.currency)}, by {grain}; a hollow dot: the {grain} isn't over"
    chart = metric_trend(found.found, one.name, found.segments, subtitle=subtitle, width=width)
    return drawn(
        chart, plain, {"period": "From", "who": "Who", "value": "Value", "low": "Low", "high": "High", "n": "n"}
    )


def _unit(metric: Metric, currency: str) -> str:
    return {"money": currency, "share": "share", "count": "number", "days": "days"}.get(metric.unit, metric.unit)


def _row(row: Mapping[str, Any], segments: Mapping[str, str]) -> Told:
    parts = [segments.get(row["segment"], row["segment"]), row["group"]]
    return {
        "period": row["period"].isoformat(), "who": " · ".join(str(p) for p in parts if p is not None) or "Everyone",
        **{key: row[key] for key in ("value", "low", "high", "n", "finished")},
    }  # fmt: skip


def expected(workspace: Workspace, *, slug: str, width: int) -> Told:
    """A metric beside what was to be expected of it."""
    from shoal.workspace.asked.sections import drawn

    return drawn(workspace.metrics.alerts().chart(slug, width=width))


def causes(
    workspace: Workspace, *, slug: str, grain: CalendarUnit, by: str | None = None, width: int | None = None
) -> Told:
    """What the newest change of a metric is made of, in words, as rows, or drawn."""
    from shoal.workspace.asked.sections import drawn

    found = workspace.metrics.causes(slug, grain=grain)
    rows = found.table("arrow").to_pylist()
    if width is None:
        return {
            "sentences": found.sentences,
            "dimensions": list(dict.fromkeys(row["by"] for row in rows)),
            "rows": rows,
        }
    return drawn(found.chart(by, width=width), [row for row in rows if by in (None, row["by"])])


# ------------------------------------------------------------ what is watched


def watched(workspace: Workspace) -> Told:
    """Alerts, those that are over too, and targets with how far they are."""
    door, found = workspace.metrics.alerts(), workspace.metrics.catalogue().definitions
    targets, refused = [], ""
    if any(one.target is not None for one in found.values()):
        try:
            targets = [one.document() for one in door.targets()]
        except Refused as refusal:
            refused = str(refusal)
    return {
        "names": {slug: one.name for slug, one in found.items()},
        "watched": [slug for slug, one in found.items() if one.alert is not None or one.target is not None],
        "alerts": [one.document() for one in door.listed(everything=True)],
        "targets": targets,
        "refused": refused,
    }  # fmt: skip


def target(workspace: Workspace, *, slug: str) -> Told:
    """How far the target of one metric is."""
    for one in workspace.metrics.alerts().targets():
        if one.metric.slug == slug:
            return one.document()
    return {}


def check(workspace: Workspace) -> Told:
    """Look at all that is watched."""
    done = workspace.metrics.alerts().check()
    return {"sentence": done.sentence, "refused": list(done.refused)}


def acknowledge(workspace: Workspace, *, alert: str, note: str) -> Told:
    """Say that somebody is at an alert."""
    return workspace.metrics.alerts().acknowledge(alert, note).document()


def snooze(workspace: Workspace, *, alert: str, until: str, note: str) -> Told:
    """Keep an alert quiet up to a day."""
    return workspace.metrics.alerts().snooze(alert, until, note).document()


def bought(workspace: Workspace) -> Told:
    """Costs and attribution, as the report has them."""
    from shoal.views.report import costs
    from shoal.workspace.asked.sections import facts_of, told
    from shoal.workspace.reports import bought as gathered

    return told(costs.costs(facts_of(workspace, bought=gathered(workspace, workspace.now()))))


QUESTIONS: Mapping[str, Answer] = {
    "kpi catalogue": catalogue,
    "kpi": metric,
    "kpi trend": trend,
    "kpi expected": expected,
    "kpi causes": causes,
    "kpi target": target,
    "kpis watched": watched,
    "check alerts": check,
    "acknowledge alert": acknowledge,
    "snooze alert": snooze,
    "costs told": bought,
}
