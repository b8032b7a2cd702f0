"""Movement: lifecycle over time, and migration between two dates."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from shoal.views import theme
from shoal.views.charts.lines import number_axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

_STEPS = 20
_ABOVE, _BELOW = ("Retained", "Resurrected", "New"), ("Dormant",)
_HEIGHT = 400


def lifecycle_bars(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str | list[str],
    width: int = theme.WIDE,
    dates: str = "%b %y",
) -> alt.Chart:
    """Customers kept, brought back and won (above the line) and gone silent (below it), month by month.

    Args:
        rows: ``month`` (ISO date), ``state`` (New, Retained, Resurrected, Dormant), ``customers``, ``complete`` (bool:
            months that aren't over are drawn paler).
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
        dates: how a date is shown, in D3's words: of other periods than months, ``%d %b``.
    """
    import altair as alt

    stacked = _stacked(rows)
    names = [*_ABOVE, *_BELOW]
    colours = alt.Scale(domain=names, range=[theme.STATES[name] for name in names])
    colour = alt.Color("state:N", scale=colours, legend=None)
    y = alt.Y("from:Q", axis=alt.Axis(**number_axis()))
    months = sorted({row["month"] for row in rows})
    x = alt.X(
        "month:O", scale=alt.Scale(domain=months, paddingInner=0.18),
        axis=alt.Axis(
            title=None, labelAngle=0, labelOverlap=True, ticks=False,
            labelExpr=f"utcFormat(toDate(datum.value), '{dates}')",
        ),
    )  # fmt: skip
    bars = (
        alt.Chart(alt.Data(values=stacked))
        .mark_bar(stroke=theme.PAPER, strokeWidth=0.7)
        .encode(
            x=x, y=y, y2="to:Q", color=colour,
            opacity=alt.condition("datum.complete", alt.value(1.0), alt.value(0.45)),
            tooltip=["state:N", alt.Tooltip("customers:Q", format=",")],
        )
    )  # fmt: skip
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color=theme.INK, strokeWidth=1).encode(y="y:Q")
    reach = max((r["to"] for r in stacked), default=1) - min((r["to"] for r in stacked), default=0) or 1
    labels = alt.Chart(alt.Data(values=_labels(stacked, reach * 14 / 260))).mark_text(align="left", dx=6, fontSize=11)
    named = labels.encode(x=alt.value("width"), y="at:Q", text="state:N", color=colour)
    return theme.dressed((bars + zero + named).properties(height=260), title, subtitle, width)


def _stacked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    tops: dict[tuple[str, bool], int] = {}
    found = []
    for row in sorted(rows, key=lambda r: (r["month"], [*_ABOVE, *_BELOW].index(r["state"]))):
        sign = -1 if row["state"] in _BELOW else 1
        key = (row["month"], sign > 0)
        start = tops.get(key, 0)
        tops[key] = start + sign * row["customers"]
        found.append({"complete": True} | dict(row) | {"from": start, "to": tops[key]})
    return found


def _labels(stacked: list[dict[str, Any]], step: float) -> list[dict[str, Any]]:
    """Each state's name beside the last month that has all of them, moved apart where they would touch."""
    full = [r["month"] for r in stacked if r["complete"]] or [r["month"] for r in stacked]
    last = max(full, default="")
    found: list[dict[str, Any]] = []
    for row in sorted((r for r in stacked if r["month"] == last), key=lambda r: r["from"] + r["to"]):
        middle = (row["from"] + row["to"]) / 2
        at = max(middle, found[-1]["at"] + step) if found else middle
        found.append({"state": row["state"], "at": at})
    return found


def migration_flows(
    rows: Sequence[dict[str, Any]],
    *,
    title: str,
    subtitle: str,
    order: Sequence[str],
    dates: tuple[str, str],
    width: int = theme.WIDE,
    ends: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
) -> alt.Chart:
    """Where customers went between two dates, as ribbons whose height is their number.

    Args:
        rows: ``before``, ``after`` (names), ``customers``, ``revenue``; where the ribbon of one leads, ``href``.
        title: the finding.
        subtitle: measure, unit and period.
        order: the names from top to bottom.
        dates: the two dates as they are shown.
        width: of the chart in pixels.
        ends: where the block of a name at the later date leads.
        colours: of names that have one on other pages too; others have theirs by their place.
    """
    import altair as alt

    given = {row["before"] for row in rows} | {row["after"] for row in rows}
    names = [n for n in order if n in given] + sorted(given - set(order))
    known = colours or {}
    hues = alt.Scale(domain=names, range=[known.get(n) or theme.colour_of(n, names) for n in names])
    total = sum(row["customers"] for row in rows) or 1
    gap = total * 0.014
    tops = {side: _tops(rows, names, side, gap) for side in ("before", "after")}
    depth = total + gap * len(names)
    wide = width > theme.NARROW
    room = (190 if wide else 104) / width
    colour = alt.Color("name:N", scale=hues, legend=None)
    blank_x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.03, 1.03], range=_range(width, room)))
    blank_y = alt.Y("y0:Q", axis=None, scale=alt.Scale(domain=[depth, 0], nice=False))
    ribbons = (
        alt.Chart(alt.Data(values=_ribbons(rows, names, tops)))
        .mark_area(opacity=0.4)
        .encode(x=blank_x, y=blank_y, y2="y1:Q", detail="flow:N", color=colour,
                tooltip=["flow:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("revenue:Q", format=",.0f")])
    )  # fmt: skip
    blocks = _blocks(rows, names, tops, 22 if wide else 11)
    for block in blocks:
        if block["side"] == "after" and ends and block["name"] in ends:
            block["href"] = ends[block["name"]]
    bars = (
        alt.Chart(alt.Data(values=blocks)).mark_rect().encode(x=blank_x, x2="x2:Q", y=blank_y, y2="y1:Q", color=colour)
    )
    step = (13 if wide else 12) * depth / _HEIGHT
    layers = ribbons + bars
    for side, align in (("before", "right"), ("after", "left")):
        texts = alt.Chart(alt.Data(values=_spread([b for b in blocks if b["side"] == side], step, depth)))
        mark = texts.mark_text(align=align, dx=-6 if side == "before" else 6, fontSize=11 if wide else 9)
        layers = layers + mark.encode(x=alt.X("at:Q", axis=None), y=alt.Y("middle:Q", axis=None), text="label:N")
    heads = alt.Chart(alt.Data(values=[{"x": 0, "said": dates[0], "y": 0}, {"x": 1, "said": dates[1], "y": 0}]))
    captions = heads.mark_text(dy=-14, fontWeight=600, color=theme.MUTED)
    layers = layers + captions.encode(x=alt.X("x:Q", axis=None), y=alt.Y("y:Q", axis=None), text="said:N")
    chart = theme.dressed(layers.properties(height=_HEIGHT), title, subtitle, width)
    chart.padding = {"left": 0, "right": 0, "top": 4, "bottom": 8}
    return chart


def _range(width: int, room: float) -> list[float]:
    return [round(width * room), round(width * (1 - room))]


def _total(rows: Sequence[dict[str, Any]], name: str, side: str) -> int:
    return sum(row["customers"] for row in rows if row[side] == name)


def _tops(rows: Sequence[dict[str, Any]], names: list[str], side: str, gap: float) -> dict[str, float]:
    tops, y = {}, 0.0
    for name in names:
        tops[name] = y
        y += _total(rows, name, side) + gap
    return tops


def _blocks(
    rows: Sequence[dict[str, Any]], names: list[str], tops: dict[str, dict[str, float]], most: int
) -> list[dict[str, Any]]:
    found = []
    for side, x in (("before", -0.03), ("after", 1.0)):
        for name in names:
            many, top = _total(rows, name, side), tops[side][name]
            found.append(
                {"name": name, "side": side, "x": x, "x2": x + 0.03, "y0": top, "y1": top + many, "customers": many,
                 "at": x if side == "before" else x + 0.03, "label": f"{theme.clipped(name, most)}  {many:,}"}
            )  # fmt: skip
    return found


def _spread(blocks: list[dict[str, Any]], step: float, depth: float) -> list[dict[str, Any]]:
    """The labels of one side beside their blocks, moved down where two would touch, and back up from the bottom."""
    placed = [dict(b) | {"middle": (b["y0"] + b["y1"]) / 2} for b in blocks if b["customers"]]
    for above, below in pairwise(placed):
        below["middle"] = max(below["middle"], above["middle"] + step)
    floor = depth
    for label in reversed(placed):
        label["middle"] = min(label["middle"], floor)
        floor = label["middle"] - step
    return placed


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
        # A ribbon is one mark, and what is clicked is its first point.
        lead = {"href": row["href"]} if "href" in row else {}
        for step in range(_STEPS + 1):
            x = step / _STEPS
            y = round(start + (end - start) * x * x * (3 - 2 * x), 2)
            point = {"revenue": row["revenue"], "x": x, "y0": y, "y1": round(y + many, 2)}
            points.append(facts | point | (lead if step == 0 else {}))
    return points
