"""How a score spreads over customers, in steps of the same width; a step leads to where its ``href`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views.charts.lines import number_axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt


def score_histogram(
    rows: Sequence[Mapping[str, Any]], *, title: str, subtitle: str, unit: str = "", width: int = theme.WIDE
) -> alt.Chart:
    """Bars of customers by score.

    Args:
        rows: ``low``, ``high`` (ends of a step), ``customers``, and ``href`` where a click leads.
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` for chances.
        width: in pixels.
    """
    import altair as alt

    form = ".0%" if unit == "share" else ",.4~g"
    axis = alt.Axis(title=None, format=form, grid=False, tickCount=10 if width > theme.HALF else 5)
    tips = [alt.Tooltip("low:Q", title="From", format=form), alt.Tooltip("high:Q", title="To", format=form),
            alt.Tooltip("customers:Q", title="Customers", format=",")]  # fmt: skip
    most = max((row["customers"] for row in rows), default=0)
    encoding: dict[str, Any] = {
        "x": alt.X("low:Q", axis=axis, scale=alt.Scale(zero=False, nice=False)), "x2": "high:Q",
        "y": alt.Y("customers:Q", axis=alt.Axis(**number_axis(most=most)), scale=alt.Scale(zero=True)),
        "y2": alt.Y2Datum(0), "tooltip": tips,
    }  # fmt: skip
    bars = alt.Chart(alt.Data(values=[dict(row) for row in rows])).mark_bar(
        color=theme.ACCENT, stroke=theme.PAPER, strokeWidth=1
    )
    made = theme.dressed(bars.encode(**encoding).properties(height=240), title, subtitle, width)
    return made.properties(description=f"{title}. {subtitle}.")
