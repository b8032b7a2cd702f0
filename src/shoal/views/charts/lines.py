"""Charts over time, and the concentration curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

_MONTH = {"format": "%b %y", "labelAngle": 0, "labelOverlap": True}


def kpi_lines(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, unit: str = "", width: int = theme.WIDE
) -> alt.Chart:
    """One measure over months as a line; months that aren't over are drawn hollow.

    Args:
        rows: ``month`` (ISO date), ``value`` (None: a gap), ``complete`` (bool).
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` writes per cent; anything else a plain number.
        width: of the plot in pixels.
    """
    import altair as alt

    form = ".0%" if unit == "share" else "~s"
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X("month:T", axis=alt.Axis(title=None, **_MONTH)),
        y=alt.Y("value:Q", axis=alt.Axis(title=None, format=form, tickCount=4), scale=alt.Scale(zero=True)),
        tooltip=[alt.Tooltip("month:T", format="%B %Y"), alt.Tooltip("value:Q", format=",.3~f")],
    )
    line = base.mark_line(color=theme.ACCENT)
    dots = base.mark_point(size=28, filled=True, opacity=1).transform_filter("datum.complete")
    open_dots = base.mark_point(size=40, filled=False, fill=theme.PAPER).transform_filter("!datum.complete")
    chart = (line + dots + open_dots).properties(width=width, height=min(220, width * 0.42))
    return theme.dressed(chart, title, subtitle)


def size_lines(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Sizes of several segments over time, each line named at its end.

    Args:
        rows: ``segment``, ``at`` (ISO date), ``size``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the plot in pixels.
    """
    import altair as alt

    names = list(dict.fromkeys(row["segment"] for row in rows))
    colours = alt.Scale(domain=names, range=[theme.colour_of(n, names) for n in names])
    last = {n: max(r["at"] for r in rows if r["segment"] == n) for n in names}
    marked = [row | {"end": row["at"] == last[row["segment"]]} for row in rows]
    base = alt.Chart(alt.Data(values=marked)).encode(
        x=alt.X("at:T", axis=alt.Axis(title=None, **_MONTH)),
        y=alt.Y("size:Q", axis=alt.Axis(title=None, format="~s", tickCount=4), scale=alt.Scale(zero=True)),
        color=alt.Color("segment:N", scale=colours, legend=None),
    )
    names_at_end = base.mark_text(align="left", dx=7, fontSize=11).encode(text="segment:N")
    chart = base.mark_line() + names_at_end.transform_filter("datum.end")
    room = 110 if width > 400 else 90
    return theme.dressed(chart.properties(width=width - room, height=240, padding={"right": room}), title, subtitle)


def concentration_curve(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, marked: float = 0.2, width: int = theme.WIDE
) -> alt.Chart:
    """Which share of revenue comes from which share of customers, best first.

    Args:
        rows: ``customers`` and ``revenue``, both shares from 0 to 1, in order.
        title: the finding.
        subtitle: measure, unit and period.
        marked: the share of customers at which the curve is read off.
        width: of the plot in pixels.
    """
    import altair as alt

    nearest = min(rows, key=lambda row: abs(row["customers"] - marked))
    share = {"format": ".0%", "tickCount": 5}
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X("customers:Q", axis=alt.Axis(title="share of customers, best first", **share)),
        y=alt.Y("revenue:Q", axis=alt.Axis(title="share of revenue", **share)),
    )
    even = alt.Chart(alt.Data(values=[{"customers": 0, "revenue": 0}, {"customers": 1, "revenue": 1}]))
    diagonal = even.mark_line(color=theme.BASE, strokeDash=[4, 4], strokeWidth=1).encode(x="customers:Q", y="revenue:Q")
    said = f"{nearest['customers']:.0%} of customers: {nearest['revenue']:.0%} of revenue"
    point = alt.Chart(alt.Data(values=[nearest | {"said": said}])).encode(x="customers:Q", y="revenue:Q")
    label = point.mark_text(align="left", dx=9, dy=9, fontWeight=600).encode(text="said:N")
    dot = point.mark_point(size=70, filled=True, opacity=1, color=theme.ACCENT)
    chart = (diagonal + base.mark_line() + dot + label).properties(width=width, height=min(300, width * 0.7))
    return theme.dressed(chart, title, subtitle)
