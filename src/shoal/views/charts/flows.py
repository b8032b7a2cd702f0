"""Movement: lifecycle over time, and migration between two dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

_STEPS = 24


def lifecycle_bars(rows: Sequence[dict[str, Any]], *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """Customers won, kept, brought back (above the line) and gone silent (below it), month by month.

    Args:
        rows: ``month`` (ISO date), ``state`` (New, Retained, Resurrected, Dormant), ``customers``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the plot in pixels.
    """
    import altair as alt

    order = ["New", "Resurrected", "Retained", "Dormant"]
    sign = {"Dormant": -1}
    signed = [
        row | {"signed": sign.get(row["state"], 1) * row["customers"], "rank": order.index(row["state"])}
        for row in rows
    ]
    colours = alt.Scale(domain=order, range=[theme.STATES[name] for name in order])
    bars = (
        alt.Chart(alt.Data(values=signed))
        .mark_bar()
        .encode(
            x=alt.X("yearmonth(month):O", axis=alt.Axis(title=None, format="%b %y", labelAngle=0, labelOverlap=True)),
            y=alt.Y("signed:Q", axis=alt.Axis(title=None, format="~s", tickCount=5)),
            color=alt.Color("state:N", scale=colours, sort=order, legend=alt.Legend(title=None, orient="top")),
            order=alt.Order("rank:Q", sort="descending"),
            tooltip=["state:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("month:T", format="%B %Y")],
        )
    )
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color=theme.INK, strokeWidth=1).encode(y="y:Q")
    return theme.dressed((bars + zero).properties(width=width, height=260), title, subtitle)


def migration_flows(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    order: Sequence[str],
    dates: tuple[str, str],
    width: int = theme.WIDE,
) -> alt.Chart:
    """Where customers went between two dates, as ribbons whose height is their number.

    Args:
        rows: ``before``, ``after`` (names), ``customers``, ``revenue``.
        title: the finding.
        subtitle: measure, unit and period.
        order: the names from top to bottom.
        dates: the two dates as they are shown.
        width: of the plot in pixels.
    """
    import altair as alt

    names = [n for n in order if any(n in (row["before"], row["after"]) for row in rows)]
    colours = alt.Scale(domain=names, range=[theme.colour_of(n, names) for n in names])
    total = sum(row["customers"] for row in rows) or 1
    gap = total * 0.012
    tops = {side: _tops(rows, names, side, gap) for side in ("before", "after")}
    colour = alt.Color("name:N", scale=colours, legend=None)
    blank_x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.04, 1.04], nice=False))
    depth = total + gap * len(names)
    blank_y = alt.Y("y0:Q", axis=None, scale=alt.Scale(domain=[depth, 0], nice=False))
    ribbons = (
        alt.Chart(alt.Data(values=_ribbons(rows, names, tops)))
        .mark_area(opacity=0.42)
        .encode(x=blank_x, y=blank_y, y2="y1:Q", detail="flow:N", color=colour,
                tooltip=["flow:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("revenue:Q", format=",.0f")])
    )  # fmt: skip
    blocks = _blocks(rows, names, tops)
    bars = (
        alt.Chart(alt.Data(values=blocks))
        .mark_rect()
        .encode(x=alt.X("x:Q", axis=None), x2="x2:Q", y=blank_y, y2="y1:Q", color=colour)
    )
    label = alt.Chart(alt.Data(values=[b | {"middle": (b["y0"] + b["y1"]) / 2} for b in blocks if b["customers"]]))
    least = 9 * depth / 360
    place = {"x": alt.X("at:Q", axis=None), "y": alt.Y("middle:Q", axis=None), "text": "label:N"}
    big = f"datum.customers > {least}"
    left = label.transform_filter(f"datum.side === 'before' && {big}").mark_text(align="right", dx=-6, fontSize=11)
    right = label.transform_filter(f"datum.side === 'after' && {big}").mark_text(align="left", dx=6, fontSize=11)
    heads = alt.Chart(
        alt.Data(values=[{"x": 0, "said": dates[0], "y": 0}, {"x": 1, "said": dates[1], "y": 0}])
    ).mark_text(dy=-14, fontWeight=600, color=theme.MUTED)
    captions = heads.encode(x=alt.X("x:Q", axis=None), y=alt.Y("y:Q", axis=None), text="said:N")
    room = 320 if width > 400 else 200
    chart = (ribbons + bars + left.encode(**place) + right.encode(**place) + captions).properties(
        width=width - room, height=360
    )
    return theme.dressed(chart, title, subtitle)


def _total(rows: Sequence[dict[str, Any]], name: str, side: str) -> int:
    return sum(row["customers"] for row in rows if row[side] == name)


def _tops(rows: Sequence[dict[str, Any]], names: list[str], side: str, gap: float) -> dict[str, float]:
    tops, y = {}, 0.0
    for name in names:
        tops[name] = y
        y += _total(rows, name, side) + gap
    return tops


def _blocks(
    rows: Sequence[dict[str, Any]], names: list[str], tops: dict[str, dict[str, float]]
) -> list[dict[str, Any]]:
    found = []
    for side, x in (("before", -0.03), ("after", 1.0)):
        for name in names:
            many, top = _total(rows, name, side), tops[side][name]
            found.append(
                {"name": name, "side": side, "x": x, "x2": x + 0.03, "y0": top, "y1": top + many, "customers": many,
                 "at": x if side == "before" else x + 0.03, "label": f"{name}  {many:,}"}
            )  # fmt: skip
    return found


def _ribbons(
    rows: Sequence[dict[str, Any]], names: list[str], tops: dict[str, dict[str, float]]
) -> list[dict[str, Any]]:
    """Points along each flow: a smooth step from its place on the left to its place on the right."""
    left, right = dict(tops["before"]), dict(tops["after"])
    points: list[dict[str, Any]] = []
    place = {name: index for index, name in enumerate(names)}
    for row in sorted(rows, key=lambda r: (place[r["before"]], place[r["after"]])):
        many = row["customers"]
        start, end = left[row["before"]], right[row["after"]]
        left[row["before"]] += many
        right[row["after"]] += many
        facts = {"flow": f"{row['before']} → {row['after']}", "name": row["before"], "customers": many}
        for step in range(_STEPS + 1):
            x = step / _STEPS
            y = start + (end - start) * x * x * (3 - 2 * x)
            points.append(facts | {"revenue": row["revenue"], "x": x, "y0": y, "y1": y + many})
    return points
