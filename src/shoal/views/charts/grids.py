"""Grids: RFM, cohort retention, overlap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import altair as alt

_DARK_TEXT = {"Promising", "Need Attention", "Potential Loyalist", "Hibernating", "About To Sleep"}
_HATCHES = 4
_BROKEN = 640
"""The width in pixels up to which names in the cells of the RFM grid take two lines."""


def rfm_grid(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """The 5 × 5 grid of recency against frequency and money: each cell its customers, its group and its colour.

    Args:
        rows: ``r``, ``fm`` (1–5), ``group``, ``customers``, ``revenue``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    names = [name for name in theme.GROUPS if any(row["group"] == name for row in rows)]
    colours = alt.Scale(domain=names, range=[theme.GROUPS[name] for name in names])
    steps = len({row["r"] for row in rows}) or 5
    shown = [dict(row) | {"label": _label(row["group"], width), "dark": row["group"] in _DARK_TEXT} for row in rows]
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X(
            "fm:O", axis=alt.Axis(title="frequency and money, 5 is most →", labelAngle=0, domain=False, ticks=False)
        ),
        y=alt.Y("r:O", sort="descending", axis=alt.Axis(title="recency, 5 is latest →", domain=False, ticks=False)),
    )
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=3, cornerRadius=3).encode(
        color=alt.Color("group:N", scale=colours, sort=names, legend=None),
        tooltip=["group:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("revenue:Q", format=",.0f")],
    )
    ink = alt.condition("datum.dark", alt.value(theme.ON_LIGHT), alt.value("#ffffff"))
    wide = width > theme.NARROW
    counts = base.mark_text(fontSize=15 if wide else 12, fontWeight=600, dy=-10).encode(
        text=alt.Text("customers:Q", format=","), color=ink
    )
    groups = base.mark_text(fontSize=10.5 if wide else 7.5, dy=8, lineBreak="\n").encode(text="label:N", color=ink)
    plot = (cells + counts + groups).properties(height=(76 if wide else 58) * steps)
    return theme.dressed(plot, title, subtitle, width)


def _label(group: str, width: int) -> str:
    """The group's name, broken at its last space where cells are narrow."""
    return group if width > _BROKEN else "\n".join(group.rsplit(" ", 1))


def cohort_heatmap(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    width: int = theme.WIDE,
    axis: str = "months since the first order",
) -> alt.Chart:
    """Retention of each month's new customers in per cent; cells of a month that isn't over are hatched.

    Args:
        rows: ``cohort`` (text, as 2017-01), ``size``, ``period`` (months since, from 1), ``rate`` (0–1), ``complete``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
        axis: what is counted from the left.
    """
    import altair as alt

    sizes = {row["cohort"]: row["size"] for row in sorted(rows, key=lambda row: str(row["cohort"]))}
    place = {cohort: index for index, cohort in enumerate(sizes)}
    cells = [
        dict(row)
        | {"y": place[row["cohort"]], "y2": place[row["cohort"]] + 1, "x": row["period"], "x2": row["period"] + 1,
           "middle": row["period"] + 0.5, "line": place[row["cohort"]] + 0.5, "cent": round(100 * row["rate"])}
        for row in rows
    ]  # fmt: skip
    most, limit = max((row["period"] for row in rows), default=1), max((row["rate"] for row in rows), default=1) or 1
    labels = json.dumps([f"{cohort}  ({size:,})" for cohort, size in sizes.items()])
    x_axis = alt.Axis(
        title=axis, orient="top", domain=False, ticks=False, grid=False,
        values=[k + 0.5 for k in range(1, most + 1)], labelExpr="floor(datum.value)", labelAngle=0, labelOverlap=True,
    )  # fmt: skip
    y_axis = alt.Axis(
        title=None, values=[i + 0.5 for i in range(len(sizes))], grid=False, labelExpr=f"{labels}[floor(datum.value)]",
        labelLimit=200,
    )  # fmt: skip
    x = alt.X("x:Q", axis=x_axis, scale=alt.Scale(domain=[1, most + 1], nice=False, zero=False))
    y = alt.Y("y:Q", axis=y_axis, scale=alt.Scale(domain=[max(len(sizes), 1), 0], nice=False))
    base = alt.Chart(alt.Data(values=cells))
    ramp = alt.Scale(domain=[0, limit], range=list(theme.SEQUENTIAL), clamp=True)
    full = base.mark_rect(stroke=theme.PAPER, strokeWidth=1.5).encode(
        x=x, x2="x2:Q", y=y, y2="y2:Q", color=alt.Color("rate:Q", scale=ramp, legend=None),
        tooltip=["cohort:N", "period:O", alt.Tooltip("rate:Q", format=".1%"), alt.Tooltip("size:Q", format=",")],
    )  # fmt: skip
    strokes = [stroke for cell in cells if not cell["complete"] for stroke in _hatch(cell["x"], cell["y"])]
    hatch = alt.Chart(alt.Data(values=strokes)).mark_rule(color=theme.PAPER, strokeWidth=1.2, opacity=0.5)
    hatched = hatch.encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    ink = alt.condition(f"datum.rate > {0.6 * limit}", alt.value("#ffffff"), alt.value(theme.INK))
    text = base.mark_text(fontSize=11).encode(
        x=alt.X("middle:Q", axis=x_axis), y=alt.Y("line:Q", axis=y_axis), text="cent:Q", color=ink
    )
    room = (width - 115) / most
    layers = full + hatched if strokes else full
    layers = layers + text if room >= 18 else layers
    return theme.dressed(layers.properties(height=24 * max(len(sizes), 1)), title, subtitle, width)


def _hatch(x: float, y: float) -> Iterator[dict[str, float]]:
    """Strokes from bottom left to top right across the unit square at (x, y)."""
    for step in range(1, 2 * _HATCHES):
        k = step / _HATCHES
        left, right = max(0.0, k - 1), min(1.0, k)
        yield {"x": x + left, "x2": x + right, "y": y + min(1.0, k), "y2": y + max(0.0, k - 1)}


def overlap_grid(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Of the customers in the row's segment, the share that is in the column's too, in per cent.

    Args:
        rows: ``a``, ``b`` (names), ``both`` (customers), ``share`` (of a that is in b, 0–1).
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    names = list(dict.fromkeys(row["a"] for row in rows))
    wide = width > theme.NARROW
    room, most = (210, 30) if wide else (126, 18)
    side = min(52.0, (width - room) / max(len(names), 1))
    short = {name: f"{i + 1}  {theme.clipped(name, most)}" for i, name in enumerate(names)}
    numbers = {name: str(i + 1) for i, name in enumerate(names)}
    shown = [
        dict(row) | {"row": short[row["a"]], "column": numbers[row["b"]], "cent": round(100 * row["share"])}
        for row in rows
        if row["a"] != row["b"]
    ]
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X(
            "column:N", sort=list(numbers.values()), scale=alt.Scale(domain=list(numbers.values())),
            axis=alt.Axis(title=None, labelAngle=0, orient="top", domain=False, ticks=False),
        ),
        y=alt.Y(
            "row:N", sort=list(short.values()), scale=alt.Scale(domain=list(short.values())),
            axis=alt.Axis(title=None, labelLimit=room, ticks=False, labelAlign="right"),
        ),
    )  # fmt: skip
    ramp = alt.Scale(domain=[0, 1], range=list(theme.SEQUENTIAL))
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=1).encode(
        color=alt.Color("share:Q", scale=ramp, legend=None),
        tooltip=["a:N", "b:N", alt.Tooltip("both:Q", format=","), alt.Tooltip("share:Q", format=".0%")],
    )
    ink = alt.condition("datum.share > 0.55", alt.value("#ffffff"), alt.value(theme.INK))
    text = base.mark_text(fontSize=11 if side >= 26 else 9).encode(text="cent:Q", color=ink)
    layers = cells + text if side >= 17 else cells
    return theme.dressed(layers.properties(height=max(18.0, min(side, 32)) * len(names)), title, subtitle, width)
