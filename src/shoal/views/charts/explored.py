"""What pages explore: the parts that segments cut customers into, transitions as cells, KPIs of several segments."""

from __future__ import annotations

import json
from math import cos, radians
from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views.charts.lines import number_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

MOST_PARTS = 20
_ROW, _BARS = 26, 180
"""The height in pixels of a segment's row, and of the bars above the rows."""


def part_bars(
    rows: Sequence[dict[str, Any]],
    sizes: Sequence[tuple[str, int]],
    *,
    title: str,
    subtitle: str,
    width: int = theme.WIDE,
) -> alt.Chart:
    """An UpSet plot: a bar a part, and below it which segments its customers are in; the largest parts alone.

    Args:
        rows: ``inside`` (names of the segments that a part is in), ``customers``.
        sizes: each segment's name and size, from top to bottom.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    many = MOST_PARTS if width > theme.HALF else 8
    names = [name for name, _ in sizes]
    colours = {name: theme.colour_of(name, names) for name in names}
    parts = [dict(row) | {"x": at} for at, row in enumerate(rows[:many])]
    most = max((row["customers"] for row in parts), default=1) or 1
    unit = _BARS / _ROW  # the bars' height in rows
    for row in parts:
        row |= {"top": 0.35 + (unit - 1.4) * row["customers"] / most, "base": 0.35, "said": _and(row["inside"], names)}
    dots = [
        {"x": row["x"], "y": -at - 0.5, "in": name in row["inside"], "colour": colours[name], "said": row["said"],
         "customers": row["customers"]} | ({"href": row["href"]} if "href" in row else {})
        for row in parts for at, name in enumerate(names)
    ]  # fmt: skip
    wide = width > theme.NARROW
    labels = json.dumps([f"{theme.clipped(name, 26 if wide else 15)}  {size:,}" for name, size in sizes])
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.6, max(len(parts), 4) - 0.4], nice=False))
    scale = alt.Scale(domain=[-len(names), unit], nice=False)
    axis = alt.Axis(
        title=None, grid=False, values=[-at - 0.5 for at in range(len(names))],
        labelExpr=f"{labels}[floor(-datum.value)]", labelColor=theme.INK, labelLimit=230 if wide else 140,
    )  # fmt: skip
    tips = [alt.Tooltip("said:N", title="in"), alt.Tooltip("customers:Q", format=",")]
    base = alt.Chart(alt.Data(values=parts)).encode(x=x, tooltip=tips)
    room = (width - 220) / max(len(parts), 4)
    bars = base.mark_bar(color=theme.ACCENT, size=max(6, min(30, room * 0.62))).encode(
        y=alt.Y("base:Q", scale=scale, axis=axis), y2="top:Q"
    )
    figures = base.mark_text(dy=-8, fontSize=11 if room > 34 else 9).encode(
        y=alt.Y("top:Q", scale=scale), text=alt.Text("customers:Q", format=",")
    )
    below = alt.Chart(alt.Data(values=dots)).encode(x=x, y=alt.Y("y:Q", scale=scale, axis=axis), tooltip=tips)
    empty = below.transform_filter("!datum.in").mark_point(filled=True, size=70, color=theme.HAIRLINE, opacity=1)
    full = below.transform_filter("datum.in").mark_point(filled=True, size=90, opacity=1)
    full = full.encode(color=alt.Color("colour:N", scale=None))
    joined = alt.Chart(alt.Data(values=_joins(parts, names))).mark_rule(color=theme.MUTED, strokeWidth=2)
    joins = joined.encode(x=x, y=alt.Y("y:Q", scale=scale, axis=axis), y2="y2:Q")
    layers = bars + figures + joins + empty + full
    return theme.dressed(layers.properties(height=_BARS + _ROW * len(names)), title, subtitle, width)


def _and(inside: Sequence[str], names: Sequence[str]) -> str:
    said = " and ".join(name for name in names if name in inside)
    return f"{said} alone" if len(inside) == 1 else said


def _joins(parts: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, float]]:
    """A line from the first to the last segment of each part that is in several."""
    found = []
    for row in parts:
        places = [at for at, name in enumerate(names) if name in row["inside"]]
        if len(places) > 1:
            found.append({"x": row["x"], "y": -places[0] - 0.5, "y2": -places[-1] - 0.5})
    return found


def transition_grid(
    rows: Sequence[dict[str, Any]],
    *,
    order: Sequence[str],
    title: str,
    subtitle: str,
    dates: tuple[str, str],
    width: int = theme.WIDE,
) -> alt.Chart:
    """From each state of an earlier date (a row) to each of a later one (a column): customers, darker the larger their share.

    Args:
        rows: ``before``, ``after`` (names), ``customers``, ``share`` (of the row's), ``revenue``.
        order: the names from top to bottom, and from left to right.
        title: the finding.
        subtitle: measure, unit and period.
        dates: the two dates as they are shown.
        width: of the chart in pixels.
    """
    import altair as alt

    given = {row["before"] for row in rows} | {row["after"] for row in rows}
    names = [name for name in order if name in given] + sorted(given - set(order))
    befores = [name for name in names if any(row["before"] == name for row in rows)]
    afters = [name for name in names if any(row["after"] == name for row in rows)]
    wide = width > theme.NARROW
    most = 24 if wide else 13
    room = min(theme.room([theme.clipped(name, most) for name in befores], 11), width // 3)
    side = (width - room) / max(len(afters), 1)
    upright = side < theme.room(afters, 11) + 8
    shown = [dict(row) | {"dark": row["share"] > 0.55} for row in rows]
    # A name that is cut stays one: the scale has the whole ones, and only their words are shortened.
    cut = f"length(datum.value) > {most} ? slice(datum.value, 0, {most - 1}) + '…' : datum.value"
    x = alt.X("after:N", sort=afters, scale=alt.Scale(domain=afters), axis=alt.Axis(
        title=f"{dates[1]} →", orient="top", labelAngle=-60 if upright else 0, domain=False, ticks=False, labelExpr=cut,
        labelColor=theme.INK))  # fmt: skip
    y = alt.Y("before:N", sort=befores, scale=alt.Scale(domain=befores), axis=alt.Axis(
        title=None, domain=False, ticks=False, labelExpr=cut, labelLimit=room + 20, labelColor=theme.INK))  # fmt: skip
    ramp = alt.Scale(domain=[0, 1], range=list(theme.SEQUENTIAL))
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, y=y, tooltip=[
        alt.Tooltip("before:N", title=dates[0]), alt.Tooltip("after:N", title=dates[1]),
        alt.Tooltip("customers:Q", format=","), alt.Tooltip("share:Q", format=".1%"),
        alt.Tooltip("revenue:Q", format=",.0f")])  # fmt: skip
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=2).encode(
        color=alt.Color("share:Q", scale=ramp, legend=None)
    )
    ink = alt.condition("datum.dark", alt.value("#ffffff"), alt.value(theme.INK))
    text = base.mark_text(fontSize=11 if side >= 40 else 9).encode(text=alt.Text("customers:Q", format=","), color=ink)
    layers = cells + text if side >= 24 else cells
    return theme.dressed(layers.properties(height=28 * max(len(befores), 1)), title, subtitle, width)


def kpi_dots(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, unit: str, width: int = theme.WIDE
) -> alt.Chart:
    """One KPI of several segments as dots with their intervals; everyone's is a dashed line.

    Args:
        rows: ``name``, ``value`` (None: there is none), ``low``, ``high`` (None: no estimate), ``said`` (as it is written),
            ``n``, ``all`` (whether the row is everyone).
        title: the KPI.
        subtitle: measure, unit and period.
        unit: ``share`` writes per cent; anything else a plain number.
        width: of the chart in pixels.
    """
    import altair as alt

    shown = [dict(row) for row in rows if row["value"] is not None]
    order = [row["name"] for row in shown]
    segments = [row["name"] for row in shown if not row["all"]]
    for row in shown:
        row["colour"] = theme.INK if row["all"] else theme.colour_of(row["name"], segments)
    ends = [end for row in shown for end in (row["value"], row["low"], row["high"]) if end is not None]
    most, least = max(ends, default=1.0), min(ends, default=0.0)
    scale = alt.Scale(domain=[min(0.0, 1.1 * least), (1.28 if most > 0 else 0) * most or 1.0], nice=False)
    axis = alt.Axis(**number_axis(unit, most) | {"grid": True, "tickCount": 4})
    x = alt.X("value:Q", scale=scale, axis=axis)
    room = min(theme.room(order, 11) + 6, int(width * 0.4))
    names = alt.Axis(title=None, domain=False, ticks=False, labelLimit=room, minExtent=room, labelColor=theme.INK)
    base = alt.Chart(alt.Data(values=shown)).encode(
        y=alt.Y("name:N", sort=order, axis=names), color=alt.Color("colour:N", scale=None),
        tooltip=["name:N", alt.Tooltip("said:N", title="value"), alt.Tooltip("n:Q", format=",")],
    )  # fmt: skip
    everyone = alt.Chart(alt.Data(values=[row for row in shown if row["all"]]))
    whole = everyone.mark_rule(strokeDash=[4, 4], color=theme.BASE).encode(x=x)
    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    lines = known.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    farthest = base.transform_calculate(edge="isValid(datum.high) ? max(datum.high, datum.value) : datum.value")
    words = farthest.mark_text(align="left", dx=8, fontSize=11, color=theme.INK)
    words = words.encode(x=alt.X("edge:Q", scale=scale, axis=axis), text="said:N", color=alt.value(theme.INK))
    return theme.dressed(
        (whole + lines + dots + words).properties(height=26 * max(len(order), 1)), title, subtitle, width
    )


def place_bars(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """A bar a place or channel, the largest on top, with its interval.

    Args:
        rows: ``name``, ``customers``, ``share``, ``low``, ``high``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    most = 30 if width > theme.NARROW else 16
    shown = [dict(row) | {"said": f"{row['customers']:,}"} for row in rows]
    order = [row["name"] for row in shown]
    room = min(theme.room([theme.clipped(name, most) for name in order], 11) + 6, int(width * 0.4))
    names = alt.Axis(title=None, domain=False, ticks=False, labelLimit=room, minExtent=room, labelColor=theme.INK)
    limit = max((row["high"] for row in shown), default=1.0)
    scale = alt.Scale(domain=[0, min(1.15, 1.18 * limit) or 1], nice=False)
    axis = alt.Axis(title=None, format=".0%", tickCount=4, grid=True)
    base = alt.Chart(alt.Data(values=shown)).encode(
        y=alt.Y("name:N", sort=order, axis=names),
        tooltip=["name:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("share:Q", format=".1%")],
    )
    bars = base.mark_bar(color=theme.ACCENT, height=15).encode(x=alt.X("share:Q", scale=scale, axis=axis))
    lines = base.mark_rule(color=theme.INK).encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q")
    said = base.mark_text(align="left", dx=7, fontSize=11).encode(
        x=alt.X("high:Q", scale=scale, axis=axis), text="said:N"
    )
    return theme.dressed((bars + lines + said).properties(height=26 * max(len(shown), 1)), title, subtitle, width)


def place_map(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    width: int = theme.WIDE,
) -> alt.Chart:
    """Where customers are: a dot a place, its area their number, over a grid of degrees.

    Degrees of longitude are as wide as they are in the middle of what is shown.

    Args:
        rows: ``latitude``, ``longitude``, ``customers``.
        title: the finding.
        subtitle: measure and instant.
        width: of the chart in pixels.
    """
    import altair as alt

    most = max((row["customers"] for row in rows), default=1) or 1
    (south, north), (west, east) = (_ends([row[key] for row in rows]) for key in ("latitude", "longitude"))
    shrink = max(0.2, cos(radians((south + north) / 2)))
    height = max(200, min(520, int(width * (north - south) / ((east - west) * shrink))))
    said = "abs(datum.value) + '°' + (datum.value < 0 ? '{}' : datum.value > 0 ? '{}' : '')"
    x = alt.X("longitude:Q", scale=alt.Scale(domain=[west, east], nice=False, zero=False), axis=alt.Axis(
        title=None, labelExpr=said.format("W", "E"), grid=True, tickCount=max(3, width // 140)))  # fmt: skip
    y = alt.Y("latitude:Q", scale=alt.Scale(domain=[south, north], nice=False, zero=False), axis=alt.Axis(
        title=None, labelExpr=said.format("S", "N"), tickCount=5))  # fmt: skip
    dots = alt.Chart(alt.Data(values=[dict(row) for row in rows])).mark_circle(
        color=theme.ACCENT, opacity=0.75, stroke=theme.PAPER, strokeWidth=0.5, clip=True
    )
    size = alt.Scale(domain=[0, most], range=[14, 700 if width > theme.NARROW else 300])
    plot = dots.encode(
        x=x, y=y, size=alt.Size("customers:Q", legend=None, scale=size),
        tooltip=[alt.Tooltip("customers:Q", format=","), "latitude:Q", "longitude:Q"],
    )  # fmt: skip
    return theme.dressed(plot.properties(height=height), title, subtitle, width)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Where an axis begins and ends: an eighth beyond the values on each side, and two degrees at least."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    room = max(2.0, (high - low) / 8)
    return low - room, high + room
