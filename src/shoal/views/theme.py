"""The look of charts and the report: one accent, a palette that the colour-blind can read, tabular figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, MUTED, HAIRLINE, PAPER = "#1b2733", "#5f6b76", "#d9dee3", "#ffffff"
ON_LIGHT = "#1b2734"
"""Ink on a light colour that means a group: unlike ``INK`` it stays dark where the page is dark."""
ACCENT, BASE = "#0b6e75", "#a8b1ba"
# Okabe and Ito (2008), darkened where white text stands on them.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d1f", "#6b4c9a", "#999999")
GROUPS = {
    "Champions": "#00695c", "Loyal": "#009e73", "Potential Loyalist": "#56b4e9", "New": "#0072b2",
    "Promising": "#88c5e8", "Need Attention": "#f0c24b", "About To Sleep": "#e69f00", "At Risk": "#d55e00",
    "Can't Lose": "#a8321a", "Hibernating": "#b9a7c9", "Lost": "#8f98a1",
}  # fmt: skip
"""The same colour for the same RFM group on every page."""
STATES = {
    "New": "#0072b2", "Active": "#009e73", "Retained": "#009e73", "Won back": "#56b4e9", "Resurrected": "#56b4e9",
    "At risk": "#e69f00", "Lapsed": "#d55e00", "Dormant": "#d55e00", "Prospect": "#a8b1ba",
    "Not yet a customer": "#c9d0d6", "Never ordered": "#c9d0d6", "In none": "#c9d0d6",
}  # fmt: skip
"""The same colour for the same lifecycle state."""
SEQUENTIAL = ("#f1f7f7", "#c5e0e1", "#8dc3c5", "#4a9da2", "#0b6e75", "#064a50")
DIVERGING = ("#b2451c", "#e9b79f", "#f5f5f2", "#9cc9cc", "#0b6e75")

WIDE, HALF, NARROW = 892, 430, 358
"""The widths in pixels of a chart with its axes: across the report, beside another, and on a phone."""


def colour_of(name: str, order: list[str]) -> str:
    """The colour of a segment: that of its RFM group or lifecycle state, else by its place in the given order."""
    known = GROUPS.get(name) or STATES.get(name)
    return known or PALETTE[order.index(name) % len(PALETTE)]


def config() -> dict[str, Any]:
    """The Vega-Lite configuration that all charts share."""
    axis = {
        "labelFont": FONT, "titleFont": FONT, "labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 11,
        "titleFontSize": 11, "titleFontWeight": "normal", "gridColor": "#eceff2", "domainColor": HAIRLINE,
        "tickColor": HAIRLINE, "labelPadding": 6, "titlePadding": 10, "labelSeparation": 8,
    }  # fmt: skip
    title = {
        "font": FONT, "subtitleFont": FONT, "fontSize": 15, "fontWeight": 600, "color": INK, "subtitleColor": MUTED,
        "subtitleFontSize": 12, "anchor": "start", "frame": "bounds", "offset": 14, "subtitlePadding": 5,
    }  # fmt: skip
    return {
        "font": FONT,
        "background": PAPER,
        # The picture as a whole has its description; names on each of its marks would be read out one by one.
        "aria": False,
        "padding": {"left": 0, "right": 12, "top": 4, "bottom": 4},
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "title": title,
        "legend": {"labelFont": FONT, "titleFont": FONT, "labelColor": INK, "titleColor": MUTED, "labelFontSize": 11,
                   "titleFontSize": 11, "titleFontWeight": "normal", "symbolType": "square"},
        "header": {"labelFont": FONT, "titleFont": FONT, "labelColor": INK, "labelFontWeight": 600},
        "range": {"category": list(PALETTE), "ramp": list(SEQUENTIAL), "diverging": list(DIVERGING)},
        "bar": {"color": ACCENT}, "line": {"color": ACCENT, "strokeWidth": 2}, "point": {"color": ACCENT},
        "text": {"font": FONT, "fontSize": 11, "color": INK},
    }  # fmt: skip


def dressed(chart: Any, title: str, subtitle: str | list[str], width: int) -> alt.Chart:
    """A chart with its title (the finding), its subtitle (measure, unit, period) and the shared look.

    Args:
        chart: the plot, without a width of its own.
        title: wrapped to the width.
        subtitle: one text, or one a line; wrapped too.
        width: of the whole chart in pixels, axes and labels included.
    """
    import altair as alt

    said = [subtitle] if isinstance(subtitle, str) else subtitle
    heads = alt.TitleParams(
        text=wrapped(title, width, 16), subtitle=[line for text in said for line in wrapped(text, width, 12)]
    )
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return chart.properties(title=heads, width=width, autosize=fit).configure(**config())


def room(labels: Iterable[str], size: float) -> int:
    """The width in pixels that labels need in the widest of the usual fonts, at a font size.

    A chart is laid out with the letters of the machine that makes it, and read with others.
    """
    return int(max((len(label) for label in labels), default=0) * 0.57 * size)


def wrapped(text: str, width: int, size: float) -> list[str]:
    """A text in lines that fit a width in pixels, at a font size; the widest of the usual fonts decides.

    >>> wrapped("Revenue rose by a tenth", 120, 12)
    ['Revenue rose by', 'a tenth']
    """
    import textwrap

    return textwrap.wrap(text, max(12, int(width / (0.62 * size)))) or [""]


def clipped(text: str, most: int) -> str:
    """A name that is too long for its place, with an ellipsis in the middle, so that both ends can be told.

    >>> clipped("Customers who bought lately", 16)
    'Customers…lately'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 5
    return f"{text[: most - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"
