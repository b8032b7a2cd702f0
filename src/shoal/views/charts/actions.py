"""What to do next: the money that is at stake by action, and what trials measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.views import theme
from shoal.views.charts.lines import number_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

_ROW = 36
_CLIP = {theme.NARROW: 22, theme.HALF: 26}


def action_ranges(
    rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, currency: str = "", width: int = theme.WIDE
) -> alt.Chart:
    """A range of money for each action of a segment: what is at stake, or a measured gain with its interval.

    Args:
        rows: ``segment``, ``action``, ``low``, ``high``, and ``value`` (None where the range has no middle, as what is at
            stake); in the order in which they are drawn.
        title: the finding.
        subtitle: measure, unit and period.
        currency: stands in the tips.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    if not rows:
        raise Refused("There is no row to draw.")
    shown = [dict(row) | {"label": label} for row, label in zip(rows, _labels(rows, width), strict=True)]
    order = [row["label"] for row in shown]
    room = min(theme.room((line for label in order for line in label.split("\n")), 12), int(width * 0.46))
    ends = [row[key] for row in rows for key in ("low", "high")]
    axis = alt.Axis(**number_axis(most=max(map(abs, ends))), grid=True)
    lines = alt.Axis(
        title=None, labelLimit=room + 40, domain=False, ticks=False, minExtent=room + 8, labelAlign="right",
        labelExpr="split(datum.label, '\\n')", labelLineHeight=13,
    )  # fmt: skip
    low, high = min(0.0, *ends), max(0.0, *ends) or 1.0
    x = alt.X("low:Q", scale=alt.Scale(domain=[low, 1.04 * high], nice=False), axis=axis)
    tips = ["segment:N", "action:N", *(alt.Tooltip(f"{end}:Q", format=",.0f", title=f"{end}, {currency}".strip(", "))
                                       for end in ("low", "value", "high"))]  # fmt: skip
    base = alt.Chart(alt.Data(values=shown)).encode(y=alt.Y("label:N", sort=order, axis=lines), tooltip=tips)
    # The stroke lets a range that is hardly wider than nothing be seen.
    span = base.transform_filter("datum.value === null").mark_bar(
        size=8, color=theme.ACCENT, fillOpacity=0.45, stroke=theme.ACCENT, strokeWidth=1.5
    )
    whisker = base.transform_filter("datum.value !== null").mark_rule(strokeWidth=2, color=theme.ACCENT)
    dot = base.transform_filter("datum.value !== null").mark_point(size=70, filled=True, opacity=1, color=theme.ACCENT)
    zero = alt.Chart(alt.Data(values=[{"low": 0}])).mark_rule(color=theme.BASE).encode(x=x)
    layers = zero + span.encode(x=x, x2="high:Q") + whisker.encode(x=x, x2="high:Q")
    layers += dot.encode(x=alt.X("value:Q", axis=axis))
    return theme.dressed(layers.properties(height=_ROW * len(order)), title, subtitle, width)


def _labels(rows: Sequence[dict[str, Any]], width: int) -> list[str]:
    """The segment above, the action below; names that would be the same when cut stay whole."""
    most = _CLIP.get(width, 40)
    cut = [f"{theme.clipped(row['segment'], most)}\n{theme.clipped(row['action'], most)}" for row in rows]
    return [
        label if cut.count(label) == 1 else f"{row['segment']}\n{row['action']}"
        for row, label in zip(rows, cut, strict=True)
    ]
