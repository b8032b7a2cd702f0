"""Metrics over time: a small panel each, with its interval, by segment or group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views.charts.lines import date_axis, number_axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt
    import pyarrow as pa

EVERYONE = "Everyone"
_PANEL = 150
_MOST = 8
"""So many lines of a panel can be told apart."""
_BANDS = 3
"""Of so many lines the bands of intervals can be told apart."""


def metric_lines(
    figures: pa.Table, names: Mapping[str, str], segments: Mapping[str, str] | None = None, *, width: int = theme.WIDE
) -> alt.VConcatChart:
    """Each metric as a panel over the periods: a line a segment or group, hollow where a period isn't over.

    Args:
        figures: as of ``insight.metrics.figures``.
        names: what each metric is called, by slug; in this order.
        segments: what segments are called, by slug.
        width: of the chart in pixels.
    """
    import altair as alt

    called = segments or {}
    rows = [row | {"segment": called.get(row["segment"], row["segment"])} for row in figures.to_pylist()]
    across = 1 if width <= theme.NARROW else 2
    panel = (width - 52) if across == 1 else (width - 140) // 2
    lines = _lines(rows)
    made = [_panel([row for row in rows if row["metric"] == slug], name, lines, panel) for slug, name in names.items()]
    pairs = [alt.hconcat(*made[at : at + across], spacing=40) for at in range(0, len(made), across)]
    config = theme.config() | {"padding": {"left": 8, "right": 16, "top": 4, "bottom": 4}}
    return alt.vconcat(*pairs, spacing=24).configure(**config)


def metric_trend(
    figures: pa.Table,
    name: str,
    segments: Mapping[str, str] | None = None,
    *,
    subtitle: str,
    width: int = theme.WIDE,
    height: int = 240,
) -> alt.LayerChart:
    """One metric over the periods, in the whole width: a line a segment or group.

    Args:
        figures: as of ``insight.metrics.figures``, of one metric.
        name: what it is called.
        segments: what segments are called, by slug.
        subtitle: the unit and the period.
        width: of the chart in pixels.
        height: of the plot in pixels.
    """
    called = segments or {}
    rows = [row | {"segment": called.get(row["segment"], row["segment"])} for row in figures.to_pylist()]
    lines = _lines(rows)
    if len(lines) > _BANDS:
        rows = [row | {"low": None, "high": None} for row in rows]
    chart = _panel(rows, name, lines, width - 60).properties(height=height)
    return theme.dressed(chart, name, subtitle, width).properties(description=f"{name}, {subtitle}")


def _panel(rows: Sequence[dict[str, Any]], name: str, lines: list[str], width: int) -> alt.LayerChart:
    import altair as alt

    unit = rows[0]["unit"] if rows else ""
    held = [_row(row) for row in rows if _line(row) in lines]
    most = max((abs(row["value"]) for row in held if row["value"] is not None), default=0.0)
    for row in held:
        _bounded(row, most, unit)
    axis = alt.Axis(**number_axis(unit, most), minExtent=44)
    single = len(lines) == 1
    colour: Any = (
        alt.value(theme.ACCENT)
        if single
        else alt.Color(
            "line:N",
            scale=alt.Scale(domain=lines, range=[_colour(one, lines) for one in lines]),
            legend=alt.Legend(
                title=None,
                orient="top",
                columns=max(2, width // 100),
                labelLimit=width // 2,
                symbolOpacity=1,
                symbolType="stroke",
                symbolStrokeWidth=3,
            ),
        )
    )
    base = alt.Chart(alt.Data(values=held)).encode(
        x=alt.X("period:T", axis=alt.Axis(**date_axis(_grain(rows), width))),
        color=colour,
        tooltip=[
            alt.Tooltip("line:N", title="Who"),
            alt.Tooltip("period:T", title="From", format="%-d %B %Y"),
            alt.Tooltip("value:Q", title=name, format=".1%" if unit == "share" else ",.4~f"),
            alt.Tooltip("n:Q", title="Customers", format=","),
        ],
    )
    y = alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=unit != "score"))
    band = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_area(opacity=0.13)
    dots = base.transform_filter("datum.finished").mark_point(size=22, filled=True, opacity=1)
    hollow = base.transform_filter("!datum.finished").mark_point(size=34, filled=False, fill=theme.PAPER)
    layers = band.encode(y=alt.Y("low:Q", axis=axis), y2="high:Q") + base.mark_line().encode(y=y)
    layers = layers + dots.encode(y=y) + hollow.encode(y=y)
    return layers.properties(width=width, height=_PANEL, title=alt.TitleParams(name, fontSize=13, frame="group"))


def _lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The lines that are drawn: in the order of the rows, the largest groups come first; empty ones are left out."""
    found = dict.fromkeys(_line(row) for row in rows if row["n"])
    return list(found)[:_MOST] or [EVERYONE]


def _line(row: dict[str, Any]) -> str:
    parts = [row["segment"], row["group"]]
    return " · ".join(part for part in parts if part is not None) or EVERYONE


def _colour(name: str, lines: list[str]) -> str:
    return theme.INK if name == EVERYONE else theme.colour_of(name, [one for one in lines if one != EVERYONE])


def _row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: row[key] for key in ("value", "low", "high", "n", "finished")}
    if not row["finished"]:
        kept |= {"low": None, "high": None}
    return {**kept, "period": row["period"].isoformat(), "line": _line(row)}


def _bounded(row: dict[str, Any], most: float, unit: str) -> None:
    """The interval as it is drawn: one that dwarfs all values only says "unknown", and few measures go below zero."""
    low, high = row["low"], row["high"]
    if low is None or high is None or high - low > 2 * most:
        row["low"] = row["high"] = None
    elif unit != "score" and row["value"] >= 0:
        row["low"] = max(low, 0.0)


def _grain(rows: Sequence[dict[str, Any]]) -> str:
    days = 1 + (rows[0]["ends"] - rows[0]["period"]).days if rows else 30
    return (
        "day" if days == 1 else "week" if days == 7 else "month" if days <= 31 else "quarter" if days <= 92 else "year"
    )
