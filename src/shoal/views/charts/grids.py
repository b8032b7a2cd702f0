"""Grids: RFM, cohort retention, overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt


def rfm_grid(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """The 5 × 5 grid of recency against frequency and money, coloured by group, with customers in each cell.

    Args:
        rows: ``r``, ``fm`` (1–5), ``group``, ``customers``, ``revenue``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the plot in pixels.
    """
    import altair as alt

    names = [name for name in theme.GROUPS if any(row["group"] == name for row in rows)]
    colours = alt.Scale(domain=names, range=[theme.GROUPS[name] for name in names])
    steps = max((row["r"] for row in rows), default=5)
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X("fm:O", axis=alt.Axis(title="frequency and money →", labelAngle=0, domain=False, ticks=False)),
        y=alt.Y("r:O", sort="descending", axis=alt.Axis(title="recency →", domain=False, ticks=False)),
    )
    legend = alt.Legend(title=None, orient="bottom" if width < 400 else "right", columns=2 if width < 400 else 1)
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=3, cornerRadius=3).encode(
        color=alt.Color("group:N", scale=colours, sort=names, legend=legend),
        tooltip=["group:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("revenue:Q", format=",.0f")],
    )
    dark = "datum.group === 'Promising' || datum.group === 'Need Attention' || datum.group === 'Potential Loyalist'"
    text = alt.condition(f"{dark} || datum.group === 'Hibernating'", alt.value(theme.INK), alt.value("#ffffff"))
    counts = base.mark_text(fontSize=13, fontWeight=600).encode(text=alt.Text("customers:Q", format=","), color=text)
    side = min(width, 440)
    return theme.dressed((cells + counts).properties(width=side, height=side * 0.7 * steps / 5), title, subtitle)


def cohort_heatmap(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Retention of each month's new customers; cells of a month that isn't over are hatched, later ones are absent.

    Args:
        rows: ``cohort`` (text, as 2017-01), ``size``, ``period`` (months since), ``rate`` (0–1), ``complete`` (bool).
        title: the finding.
        subtitle: measure, unit and period.
        width: of the plot in pixels.
    """
    import altair as alt

    shown = [row | {"label": f"{row['cohort']}  ({row['size']:,})"} for row in rows]
    cohorts = len({row["cohort"] for row in rows}) or 1
    later = [row["rate"] for row in rows if row["period"] > 0]
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X(
            "period:O", axis=alt.Axis(title="months since the first order", labelAngle=0, orient="top", domain=False)
        ),
        y=alt.Y("label:O", axis=alt.Axis(title=None)),
    )
    ramp = alt.Scale(domain=[0, max(later, default=1)], range=list(theme.SEQUENTIAL), clamp=True)
    full = base.mark_rect(stroke=theme.PAPER, strokeWidth=1).encode(
        color=alt.Color("rate:Q", scale=ramp, legend=None),
        tooltip=["cohort:N", "period:O", alt.Tooltip("rate:Q", format=".1%"), alt.Tooltip("size:Q", format=",")],
    )
    unfinished = base.transform_filter("!datum.complete")
    hatch = unfinished.mark_text(text="╱╱╱", fontSize=11, color=theme.PAPER, opacity=0.75, dy=8, clip=True)
    limit = 0.6 * max(later, default=1)
    ink = alt.condition(f"datum.rate > {limit}", alt.value("#ffffff"), alt.value(theme.INK))
    text = base.mark_text(fontSize=10).encode(text=alt.Text("rate:Q", format=".0%"), color=ink)
    layers = full + hatch + (text if width > 400 else text.transform_filter("datum.period < 7"))
    return theme.dressed(layers.properties(width=width - 110, height=24 * cohorts), title, subtitle)


def overlap_grid(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Of the customers in the row's segment, the share that is in the column's too.

    Args:
        rows: ``a``, ``b`` (names), ``both`` (customers), ``share`` (of a that is in b, 0–1).
        title: the finding.
        subtitle: measure, unit and period.
        width: of the plot in pixels.
    """
    import altair as alt

    names = list(dict.fromkeys(row["a"] for row in rows))
    side = min(34.0, (width - 150) / max(len(names), 1))
    base = alt.Chart(alt.Data(values=[row for row in rows if row["a"] != row["b"]])).encode(
        x=alt.X(
            "b:N", sort=names, axis=alt.Axis(title=None, labelAngle=-50, orient="top", domain=False, labelLimit=130)
        ),
        y=alt.Y("a:N", sort=names, axis=alt.Axis(title=None, labelLimit=140)),
    )
    ramp = alt.Scale(domain=[0, 1], range=list(theme.SEQUENTIAL))
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=1).encode(
        color=alt.Color("share:Q", scale=ramp, legend=None),
        tooltip=["a:N", "b:N", alt.Tooltip("both:Q", format=","), alt.Tooltip("share:Q", format=".0%")],
    )
    ink = alt.condition("datum.share > 0.55", alt.value("#ffffff"), alt.value(theme.INK))
    text = base.mark_text(fontSize=9).encode(text=alt.Text("share:Q", format=".0%"), color=ink)
    layers = cells + text if side >= 24 else cells
    return theme.dressed(layers.properties(width=side * len(names), height=side * len(names)), title, subtitle)
