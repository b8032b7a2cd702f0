"""Charts over time, and the concentration curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

Grain: TypeAlias = Literal["day", "week", "month", "quarter", "year"]

_LARGE = ((" bn", 1e9), (" M", 1e6))
_DATES: dict[str, str] = {"day": "%-d %b", "week": "%-d %b", "month": "%b %y", "quarter": "%b %y", "year": "%Y"}


def date_axis(grain: str = "month", width: int = theme.WIDE) -> dict[str, Any]:
    """The axis of dates for a grain of time."""
    return {
        "title": None, "format": _DATES[grain], "labelAngle": 0, "labelOverlap": True, "labelFlush": True,
        "tickCount": max(3, width // 90),
    }  # fmt: skip


def number_axis(unit: str = "", most: float = 0.0) -> dict[str, Any]:
    """The axis of a measure: shares in per cent, else numbers with separators, and in millions where they are large.

    Args:
        unit: ``share`` for shares.
        most: the largest value drawn.
    """
    if unit == "share":
        form: dict[str, Any] = {"format": ".0%"}
    else:
        name, size = next(((name, size) for name, size in _LARGE if most >= size), ("", 1.0))
        form = {"labelExpr": f"datum.value === 0 ? '0' : format(datum.value / {size}, ',.3~f') + '{name}'"}
    return {"title": None, "tickCount": 4, **form}


def kpi_lines(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    unit: str = "",
    grain: Grain = "month",
    width: int = theme.WIDE,
) -> alt.Chart:
    """One measure over time as a line with its interval; periods that aren't over are drawn hollow.

    Args:
        rows: ``month`` (ISO date), ``value`` (None: a gap), ``complete`` (bool), and where it is an estimate ``low``
            and ``high``.
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` writes per cent; anything else a plain number.
        grain: the length of a period.
        width: of the chart in pixels.
    """
    import altair as alt

    most = max((abs(row["value"]) for row in rows if row["value"] is not None), default=0.0)
    filled = [dict(row) | _band(row, most) for row in rows]
    axis = alt.Axis(**number_axis(unit, most))
    y = alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=True))
    base = alt.Chart(alt.Data(values=filled)).encode(
        x=alt.X("month:T", axis=alt.Axis(**date_axis(grain, width))),
        tooltip=[alt.Tooltip("month:T", format="%-d %B %Y"), alt.Tooltip("value:Q", format=",.3~f")],
    )
    band = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_area(
        color=theme.ACCENT, opacity=0.14
    )
    line = base.mark_line(color=theme.ACCENT).encode(y=y)
    dots = base.mark_point(size=26, filled=True, opacity=1).transform_filter("datum.complete").encode(y=y)
    hollow = base.mark_point(size=38, filled=False, fill=theme.PAPER).transform_filter("!datum.complete").encode(y=y)
    layers = band.encode(y=alt.Y("low:Q", axis=axis), y2="high:Q") + line + dots + hollow
    return theme.dressed(layers.properties(height=150 if width < theme.WIDE else 220), title, subtitle, width)


def _band(row: dict[str, Any], most: float) -> dict[str, float | None]:
    """The interval to draw: none of these measures is below zero, and one that dwarfs all values says only "unknown"."""
    low, high = row.get("low"), row.get("high")
    if not row["complete"] or low is None or high is None or high - low > 2 * most:
        return {"low": None, "high": None}
    return {"low": max(low, 0.0), "high": high}


def size_lines(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Sizes of several segments over time, each line named at its end.

    Args:
        rows: ``segment``, ``at`` (ISO date), ``size``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    names = list(dict.fromkeys(row["segment"] for row in rows))
    colours = alt.Scale(domain=names, range=[theme.colour_of(n, names) for n in names])
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X("at:T", axis=alt.Axis(**date_axis(_grain(rows), width))),
        color=alt.Color("segment:N", scale=colours, legend=None),
    )
    most = max((row["size"] for row in rows), default=1) or 1
    ends = alt.Chart(alt.Data(values=_ends(rows, most * 14 / 260, 28 if width > theme.NARROW else 13))).encode(
        y=alt.Y("place:Q"), color=alt.Color("segment:N", scale=colours, legend=None)
    )
    labels = ends.mark_text(align="left", dx=6, fontSize=11).encode(x=alt.value("width"), text="label:N")
    lines = base.mark_line().encode(
        y=alt.Y("size:Q", axis=alt.Axis(**number_axis(most=most)), scale=alt.Scale(zero=True))
    )
    return theme.dressed((lines + labels).properties(height=260), title, subtitle, width)


def _grain(rows: Sequence[dict[str, Any]]) -> Grain:
    from datetime import date

    days = [date.fromisoformat(row["at"]) for row in rows]
    return "month" if days and (max(days) - min(days)).days > 150 else "day"


def _ends(rows: Sequence[dict[str, Any]], step: float, most: int) -> list[dict[str, Any]]:
    """The name of each line at its last value, moved apart where two would touch."""
    last: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["segment"] not in last or row["at"] >= last[row["segment"]]["at"]:
            last[row["segment"]] = row
    placed, below = [], float("-inf")
    for row in sorted(last.values(), key=lambda r: r["size"]):
        below = max(row["size"], below + step)
        name = theme.clipped(row["segment"], most)
        placed.append({"segment": row["segment"], "place": below, "label": f"{name}  {row['size']:,}"})
    return placed


def retention_curves(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    width: int = theme.WIDE,
    axis: str = "months since the first order",
) -> alt.Chart:
    """Each cohort's retention as a thin line, and all cohorts together as a thick one with its interval.

    Args:
        rows: ``cohort`` (text; None for all together), ``period`` (months since), ``rate``, ``low``, ``high``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
        axis: what is counted from the left.
    """
    import altair as alt

    x = alt.X(
        "period:Q", scale=alt.Scale(nice=False),
        axis=alt.Axis(title=axis, format="d", tickMinStep=1, tickCount=width // 60),
    )  # fmt: skip
    y = alt.Y("rate:Q", axis=alt.Axis(title=None, format=".0%", tickCount=4), scale=alt.Scale(zero=True))
    data = alt.Chart(alt.Data(values=list(rows)))
    each = data.transform_filter("datum.cohort !== null").mark_line(color=theme.BASE, strokeWidth=1, opacity=0.7)
    pooled = data.transform_filter("datum.cohort === null")
    band = pooled.mark_area(color=theme.ACCENT, opacity=0.16).encode(x=x, y=alt.Y("low:Q", axis=None), y2="high:Q")
    thick = pooled.mark_line(color=theme.ACCENT, strokeWidth=3, point={"filled": True, "size": 36}).encode(x=x, y=y)
    layers = each.encode(x=x, y=y, detail="cohort:N") + band.encode(y=alt.Y("low:Q", title=None)) + thick
    return theme.dressed(layers.properties(height=230), title, subtitle, width)


def concentration_curve(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    marked: float = 0.2,
    of: str = "revenue",
    width: int = theme.WIDE,
) -> alt.Chart:
    """Which share of revenue comes from which share of customers, best first.

    Args:
        rows: ``customers`` and ``revenue``, both shares from 0 to 1, in order.
        title: the finding.
        subtitle: measure, unit and period.
        marked: the share of customers at which the curve is read off.
        of: what is shared out, where it isn't revenue.
        width: of the chart in pixels.
    """
    import altair as alt

    nearest = min(rows, key=lambda row: abs(row["customers"] - marked))
    top = max(1.0, *(row["revenue"] for row in rows))
    share = {"format": ".0%", "tickCount": 5}
    domain = alt.Scale(domain=[0, top], nice=False)
    base = alt.Chart(alt.Data(values=[{"customers": 0, "revenue": 0}, *rows])).encode(
        x=alt.X("customers:Q", axis=alt.Axis(title="share of customers, best first", **share)),
        y=alt.Y("revenue:Q", axis=alt.Axis(title=f"share of {of}", **share), scale=domain),
    )
    even = alt.Chart(alt.Data(values=[{"customers": 0, "revenue": 0}, {"customers": 1, "revenue": 1}]))
    diagonal = even.mark_line(color=theme.BASE, strokeDash=[4, 4], strokeWidth=1).encode(x="customers:Q", y="revenue:Q")
    said = f"{nearest['customers']:.0%} of customers: {nearest['revenue']:.0%} of {of}"
    point = alt.Chart(alt.Data(values=[nearest | {"said": said}])).encode(x="customers:Q", y="revenue:Q")
    label = point.mark_text(align="left", dx=9, dy=12, fontWeight=600).encode(text="said:N")
    dot = point.mark_point(size=70, filled=True, opacity=1, color=theme.ACCENT)
    chart = (diagonal + base.mark_line() + dot + label).properties(height=260)
    return theme.dressed(chart, title, subtitle, width)


def interval_dots(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    domain: tuple[float, float],
    unit: str = "",
    width: int = theme.WIDE,
) -> alt.Chart:
    """One estimate a row as a dot with its interval, everyone's as a dashed line.

    Args:
        rows: ``name``, ``value``, ``low``, ``high``, ``n``, ``all`` (bool: this row is everyone).
        title: the finding.
        subtitle: measure, unit and period.
        domain: the ends of the axis.
        unit: ``share`` writes per cent; anything else a plain number.
        width: of the chart in pixels.
    """
    import altair as alt

    most = 30 if width > theme.HALF else 20 if width > theme.NARROW else 17
    shown = [dict(row) | {"label": f"{theme.clipped(row['name'], most)}  (n = {row['n']:,})"} for row in rows]
    order = [row["label"] for row in shown]
    form = (
        {"format": ".0%"} if unit == "share" else {"labelExpr": "datum.value === 0 ? '0' : format(datum.value, '+d')"}
    )
    axis = alt.Axis(title=None, tickCount=5, grid=True, **form)
    room = min(theme.room(order, 11), width // 2)
    base = alt.Chart(alt.Data(values=shown)).encode(
        y=alt.Y("label:N", sort=order, axis=alt.Axis(title=None, labelLimit=300, domain=False, minExtent=room)),
        color=alt.condition("datum.all", alt.value(theme.INK), alt.value(theme.ACCENT)),
    )
    x = alt.X("value:Q", scale=alt.Scale(domain=list(domain), nice=False), axis=axis)
    whole = base.transform_filter("datum.all").mark_rule(strokeDash=[4, 4]).encode(x=x, y=alt.Y())
    lines = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", axis=axis), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    layers = whole + lines + dots if any(row["all"] for row in shown) else lines + dots
    return theme.dressed(layers.properties(height=26 * max(len(order), 1)), title, subtitle, width)
