"""Charts of a dashboard's tiles: several lines of one measure, bars of groups, and places on a map."""

from __future__ import annotations

from math import cos, log10, radians
from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views.charts.lines import date_axis, number_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

EVERYONE = "Everyone"
_BAR = 26
_MOST_LINES = 8
"""So many lines can be told apart."""


def several_lines(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, unit: str, grain: str, width: int = theme.WIDE
) -> alt.Chart:
    """One measure of several segments, groups or metrics over time, each line named at its end.

    Args:
        rows: ``month`` (ISO date), ``line``, ``value`` (None: a gap), ``low`` and ``high``, ``complete``; periods that aren't
            over are drawn hollow. Everyone's line is black.
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` writes per cent; anything else a plain number.
        grain: the length of a period.
        width: of the chart in pixels.
    """
    import altair as alt

    names = list(dict.fromkeys(row["line"] for row in rows))[:_MOST_LINES]
    others = [name for name in names if name != EVERYONE]
    colours = [theme.INK if name == EVERYONE else theme.colour_of(name, others) for name in names]
    scale = alt.Scale(domain=names, range=colours)
    kept = [row for row in rows if row["line"] in names]
    most = max((abs(row["value"]) for row in kept if row["value"] is not None), default=0.0)
    legend = alt.Legend(title=None, orient="top", columns=4 if width > theme.HALF else 2, symbolType="stroke")
    base = alt.Chart(alt.Data(values=kept)).encode(
        x=alt.X("month:T", axis=alt.Axis(**date_axis(grain, width))),
        y=alt.Y("value:Q", axis=alt.Axis(**number_axis(unit, most)), scale=alt.Scale(zero=True)),
        color=alt.Color("line:N", scale=scale, legend=legend, sort=names),
        tooltip=["line:N", alt.Tooltip("month:T", format="%-d %B %Y"), alt.Tooltip("value:Q", format=",.3~f")],
    )
    dots = base.mark_point(size=26, filled=True, opacity=1).transform_filter("datum.complete")
    hollow = base.mark_point(size=38, filled=False, fill=theme.PAPER).transform_filter("!datum.complete")
    return theme.dressed((base.mark_line() + dots + hollow).properties(height=220), title, subtitle, width)


def value_bars(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, unit: str, width: int = theme.WIDE
) -> alt.Chart:
    """A bar a group, the largest on top, each with its interval and its value in words.

    Args:
        rows: ``name``, ``value``, ``low`` and ``high`` (None: no estimate), ``said`` (the value as it is written).
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` writes per cent; anything else a plain number.
        width: of the chart in pixels.
    """
    import altair as alt

    most = max((max(abs(row["value"]), abs(row.get("high") or 0)) for row in rows), default=0.0)
    room = min(int(width * 0.4), theme.room([row["name"] for row in rows], 11) + 8)
    order = [row["name"] for row in rows]
    base = alt.Chart(alt.Data(values=[dict(row) for row in rows])).encode(
        y=alt.Y("name:N", sort=order, axis=alt.Axis(title=None, labelLimit=room, domain=False, ticks=False)),
        tooltip=["name:N", alt.Tooltip("said:N", title="value")],
    )
    low = min((row["value"] for row in rows), default=0.0)
    scale = alt.Scale(domain=[min(0.0, 1.15 * low), 1.22 * most or 1.0], nice=False)
    x = alt.X("value:Q", axis=alt.Axis(**number_axis(unit, most), grid=True), scale=scale)
    bars = base.mark_bar(color=theme.ACCENT, opacity=0.85, height=15).encode(x=x)
    ends = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(color=theme.INK)
    ends = ends.encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    farthest = "max(isValid(datum.high) ? datum.high : datum.value, datum.value, 0)"
    words = base.transform_calculate(edge=farthest).mark_text(align="left", dx=6, fontSize=11)
    words = words.encode(x=alt.X("edge:Q", scale=scale), text="said:N")
    return theme.dressed((bars + ends + words).properties(height=_BAR * max(1, len(rows))), title, subtitle, width)


def place_dots(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Where customers are: a dot a place, its area their number, over a grid of degrees.

    The data of a workspace stays on its machine, so there is no map of streets under it; degrees of longitude are as wide as
    they are at the middle of what is shown.

    Args:
        rows: ``latitude``, ``longitude``, ``customers``.
        title: the finding.
        subtitle: measure and instant.
        width: of the chart in pixels.
    """
    import altair as alt

    (south, north), (west, east) = (_ends([row[key] for row in rows]) for key in ("latitude", "longitude"))
    shrink = max(0.2, cos(radians((south + north) / 2)))
    height = max(160, min(480, int(width * (north - south) / max(1e-6, (east - west) * shrink))))
    expr = "abs(datum.value) + '° ' + (datum.value < 0 ? '{}' : '{}')"
    x = alt.X("longitude:Q", scale=alt.Scale(domain=[west, east], nice=False, zero=False),
              axis=alt.Axis(title=None, labelExpr=expr.format("W", "E"), grid=True, tickCount=max(3, width // 120)))  # fmt: skip
    y = alt.Y("latitude:Q", scale=alt.Scale(domain=[south, north], nice=False, zero=False),
              axis=alt.Axis(title=None, labelExpr=expr.format("S", "N"), tickCount=5))  # fmt: skip
    dots = alt.Chart(alt.Data(values=[dict(row) for row in rows])).mark_circle(color=theme.ACCENT, opacity=0.6).encode(
        x=x, y=y, size=alt.Size("customers:Q", scale=alt.Scale(range=[12, 700], zero=True), legend=None),
        tooltip=[alt.Tooltip("customers:Q", format=","), alt.Tooltip("latitude:Q", format=".2f"),
                 alt.Tooltip("longitude:Q", format=".2f")],
    )  # fmt: skip
    return theme.dressed(dots.properties(height=height), title, subtitle, width)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Where an axis begins and ends: a tenth beyond the values on each side."""
    low, high = min(values), max(values)
    pad = max(0.02, (high - low) / 10)
    digits = max(0, 2 - int(log10(max(high - low, 0.01))))
    return round(low - pad, digits), round(high + pad, digits)
