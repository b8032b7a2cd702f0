"""The metrics of a segment beside those of everyone, over the newest period that is over."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from shoal.clock import iso
from shoal.lang.calendar import unit_start, zone
from shoal.workspace.metrics import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.metrics.definition import Metric
    from shoal.lang.nodes import CalendarUnit
    from shoal.workspace.opening import Workspace

_EPOCH = date(1970, 1, 1)


def beside(ws: Workspace, segment: str, grain: CalendarUnit = "month") -> dict[str, Any]:
    """Figures of all metrics, of a segment's members and of everyone.

    Args:
        ws: the workspace.
        segment: name or slug; who is in at the end of the period counts.
        grain: the length of the period.

    Returns:
        ``period`` and ``ends`` (its first and last day), ``reached`` (the newest instant of the data) and ``figures``: for
        each metric its description with ``mine`` and ``all`` (value, low, high, n, n_is, and ``said`` and ``interval`` as they
        are read), ``times`` (mine over all; of sums the share), and ``verdict``: above or below where the two intervals don't
        touch, the same where they do, and empty where it isn't an estimate.

    Raises:
        UnknownName: there is no such segment.
        Refused: no metric stands on this data.
    """
    rules = zone(ws.config.zone)
    start = _EPOCH + timedelta(days=unit_start(rules.day(ws.now()), grain, 1))
    found = ws.metrics.figures(segments=[segment], grain=grain, start=start, end=start)
    rows = [row for row in found.table().to_pylist() if row["group"] is None]
    both: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        both.setdefault(row["metric"], {})["all" if row["segment"] is None else "mine"] = row
    reached = [at for at in found.reached.values() if at is not None]
    pairs = [(one, both[one.slug]) for one in found.metrics if len(both.get(one.slug, {})) == 2]
    return {
        "period": start.isoformat(),
        "ends": next((row["ends"].isoformat() for row in rows), None),
        "reached": iso(max(reached)) if reached else None,
        "figures": [_pair(one, of_it, ws.config.currency) for one, of_it in pairs if of_it["all"]["value"] is not None],
    }


def _pair(metric: Metric, both: Mapping[str, Mapping[str, Any]], currency: str) -> dict[str, Any]:
    mine, all_ = both["mine"]["value"], both["all"]["value"]
    comparable = mine is not None and all_ > 0 and mine >= 0
    return {
        **described(metric),
        "mine": _figure(metric, both["mine"], currency),
        "all": _figure(metric, both["all"], currency),
        "times": mine / all_ if comparable else None,
        "summed": metric.how in ("sum", "count"),
        "verdict": _verdict(both["mine"], both["all"]),
    }


def _figure(metric: Metric, row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    from shoal.views.report.metrics import amount

    told = {key: row[key] for key in ("value", "low", "high", "n", "n_is")}
    ends = [amount(metric, row[end], currency) for end in ("low", "high") if row[end] is not None]
    said = "–" if row["value"] is None else amount(metric, row["value"], currency)
    return told | {"said": said, "interval": " to ".join(ends) if len(ends) == 2 else ""}


def _verdict(mine: Mapping[str, Any], all_: Mapping[str, Any]) -> Literal["above", "below", "same", ""]:
    """Intervals that don't touch: a stricter word than needed, since a part of everyone is held against the whole."""
    if None in (mine["low"], mine["high"], all_["low"], all_["high"]):
        return ""
    return "above" if mine["low"] > all_["high"] else "below" if mine["high"] < all_["low"] else "same"
