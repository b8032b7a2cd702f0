"""Charts of one segment: its size day by day, and who entered and left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views.charts.lines import date_axis, number_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

ENTERED, LEFT = "entered", "left"
_COLOURS = {ENTERED: theme.ACCENT, LEFT: theme.PALETTE[1]}


def segment_size(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, colour: str = theme.ACCENT, width: int = theme.WIDE
) -> alt.Chart:
    """The size of a segment over days: a line where it was published, hollow dots where it is by today's definition.

    Args:
        rows: ``day`` (ISO date), ``size``, ``published`` (bool), the oldest first.
        title: the finding.
        subtitle: measure, unit and period.
        colour: of the segment.
        width: of the chart in pixels.
    """
    import altair as alt

    most = max((row["size"] for row in rows), default=1) or 1
    shown = [dict(row) | {"said": f"{row['size']:,}" if row is rows[-1] else None} for row in rows]
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X("day:T", axis=alt.Axis(**date_axis("day", width))),
        y=alt.Y("size:Q", axis=alt.Axis(**number_axis(most=most)), scale=alt.Scale(zero=True)),
        tooltip=[alt.Tooltip("day:T", format="%-d %B %Y"), alt.Tooltip("size:Q", format=",")],
    )
    published = base.transform_filter("datum.published")
    thin = base.mark_line(color=colour, strokeWidth=1, strokeDash=[3, 3])
    area = published.mark_area(color=colour, opacity=0.1)
    line = published.mark_line(color=colour)
    hollow = base.transform_filter("!datum.published").mark_point(
        size=34, filled=False, fill=theme.PAPER, color=colour, strokeWidth=1.4
    )
    end = base.transform_filter("isValid(datum.said)")
    dot = end.mark_point(size=30, filled=True, color=colour, opacity=1)
    label = end.mark_text(align="right", dy=-10, fontWeight=600).encode(text="said:N")
    layers = area + thin + line + hollow + dot + label
    return theme.dressed(layers.properties(height=200), title, subtitle, width)


def segment_flow(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Who entered a segment and who left it, by day: above the line and below it.

    Args:
        rows: ``day`` (ISO date), ``entered``, ``left``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    bars = [
        {"day": row["day"], "what": what, "customers": row[what], "place": row[what] * sign}
        for row in rows
        for what, sign in ((ENTERED, 1), (LEFT, -1))
    ]
    most = max((bar["customers"] for bar in bars), default=1) or 1
    axis = number_axis(most=most)
    scale = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    size = max(2.0, min(18.0, 0.62 * (width - 80) / max(1, len(rows))))
    chart = (
        alt.Chart(alt.Data(values=bars))
        .mark_bar(size=size)
        .encode(
            x=alt.X("day:T", axis=alt.Axis(**date_axis("day", width))),
            y=alt.Y("place:Q", axis=alt.Axis(**axis | {"labelExpr": "format(abs(datum.value), ',.3~f')"})),
            color=alt.Color(
                "what:N", scale=scale, legend=alt.Legend(title=None, orient="top-left", direction="horizontal")
            ),
            tooltip=[alt.Tooltip("day:T", format="%-d %B %Y"), "what:N", alt.Tooltip("customers:Q", format=",")],
        )
    )
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=theme.MUTED, strokeWidth=1).encode(y="zero:Q")
    return theme.dressed((chart + zero).properties(height=150), title, subtitle, width)
