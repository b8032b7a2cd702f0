"""Segments beside one another and beside everyone: KPIs of the newest whole period, with their intervals."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused
from shoal.views.report.metrics import amount
from shoal.workspace.exploring.conditions import after
from shoal.workspace.journeys_told import dated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.metrics.definition import Metric
    from shoal.lang.nodes import CalendarUnit
    from shoal.workspace.opening import Workspace

MOST_SEGMENTS = 5
USUAL = (
    "revenue-per-customer", "average-order-value", "orders-per-customer", "repeat-purchase-rate", "retention-rate",
    "historic-value",
)  # fmt: skip
"""The KPIs that are told where nobody says which, as far as they stand on the data."""


def beside(
    workspace: Workspace, *, segments: Sequence[str], metrics: Sequence[str] = (), grain: CalendarUnit = "month",
    day: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """KPIs of segments and of everyone in one period.

    Args:
        workspace: where.
        segments: names or slugs.
        metrics: names or slugs; ``USUAL`` by default.
        grain: the length of the period.
        day: a date in it; by default of the newest that is over.

    Returns:
        ``metrics``: slug, name, unit, better, definition, ``rows`` (name, slug of the segment or None for everyone, value,
        low, high, n, n_is, said, apart: whether its interval lies wholly outside everyone's); ``period`` and ``ends``;
        ``every``: slug and name of all KPIs that there are.

    Raises:
        Refused: too many segments.
        UnknownName: there is no such segment or KPI.
    """
    if len(segments) > MOST_SEGMENTS:
        raise Refused(f"Up to {MOST_SEGMENTS} segments are compared, not {len(segments)}.", fix="Take some out.")
    catalogue = workspace.metrics.catalogue()
    chosen = [catalogue.find(one) for one in metrics or [slug for slug in USUAL if slug in catalogue.definitions]]
    first = _period(workspace, grain, day)
    told = workspace.metrics.figures(chosen, segments=segments, grain=grain, start=first, end=first)
    rows = told.found.to_pylist()
    return {
        "as_of": clock.iso(told.at), "period": first, "grain": grain, "segments": dict(told.segments),
        "ends": rows[0]["ends"].isoformat() if rows else first, "finished": all(row["finished"] for row in rows),
        "metrics": [_told(one, told.segments, rows, workspace.config.currency) for one in told.metrics],
        "every": [[one.slug, one.name] for one in catalogue.definitions.values()],
    }  # fmt: skip


def _period(workspace: Workspace, grain: CalendarUnit, day: str | None) -> str:
    """The first date of the period."""
    from shoal.lang.calendar import unit_start, zone

    local = zone(workspace.config.zone)
    if day is not None:
        return dated(unit_start(int(local.day(workspace.instant(day))), grain)).isoformat()
    begun = dated(unit_start(int(local.day(workspace.now() - 1)), grain))
    # A period whose last day has ended is over.
    if after(begun, grain) - timedelta(days=1) < dated(int(local.day(workspace.now()))):
        return begun.isoformat()
    return after(begun, grain, -1).isoformat()


def _told(metric: Metric, names: Any, rows: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    mine = [row for row in rows if row["metric"] == metric.slug and row["group"] is None]
    everyone = next((row for row in mine if row["segment"] is None), None)
    found = [
        {
            "name": "Everyone" if row["segment"] is None else names[row["segment"]], "slug": row["segment"],
            "value": row["value"], "low": row["low"], "high": row["high"], "n": row["n"], "n_is": row["n_is"],
            "said": None if row["value"] is None else amount(metric, row["value"], currency),
            "interval": _interval(metric, row, currency), "apart": _apart(row, everyone),
        }
        for row in sorted(mine, key=lambda row: row["segment"] is not None)
    ]  # fmt: skip
    return {
        "slug": metric.slug, "name": metric.name, "unit": metric.unit, "better": metric.better,
        "definition": metric.definition, "rows": found,
    }  # fmt: skip


def _interval(metric: Metric, row: dict[str, Any], currency: str) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"{amount(metric, row['low'], currency)} to {amount(metric, row['high'], currency)}"


def _apart(row: dict[str, Any], everyone: dict[str, Any] | None) -> str:
    """``above`` or ``below`` where the interval doesn't touch everyone's."""
    if (
        everyone is None
        or row["segment"] is None
        or None in (row["low"], row["high"], everyone["low"], everyone["high"])
    ):
        return ""
    return "above" if row["low"] > everyone["high"] else "below" if row["high"] < everyone["low"] else ""
