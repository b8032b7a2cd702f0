"""Journeys: funnels as bars with their intervals, paths as ribbons from step to step, cohorts as cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.insight.metrics.grouping import OTHER
from shoal.views import theme
from shoal.views.charts.flows import lifecycle_bars
from shoal.views.charts.grids import cohort_heatmap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import altair as alt

    from shoal.insight.cohorts import Cohorts
    from shoal.insight.funnels import Funnel
    from shoal.insight.paths import Flow, Paths

_DRAWN_GROUPS = 6
_SMOOTH = 20
_HEIGHT = 380
_NARROW_PLACES = (0, 1, -1, -2)
"""Where flows begin that a narrow chart has room for: the two next to the start or end."""
_COHORTS, _AGES, _PERIODS = 14, 13, 26
_STOPPED, _BEGAN = "nothing more", "nothing before"
_BLOCK = 0.05
"""The width of a block, as a share of the way from one step to the next."""


# ------------------------------------------------------------ funnels


def funnel_bars(
    found: Funnel,
    *,
    said: str,
    by: str | None = None,
    title: str | None = None,
    width: int = theme.WIDE,
    leads: Mapping[tuple[str | None, int], str] | None = None,
) -> alt.Chart:
    """A bar a step with its interval; by group, a dot with its interval a group and step.

    Args:
        found: the funnel.
        said: what the shares are of, and when.
        by: what groups are told apart by; None draws all customers together.
        title: the finding; told from the funnel by default.
        width: of the chart in pixels.
        leads: where the mark of a group (None: all) and step leads.
    """
    rows = [
        row
        | _lead(leads, (row["group"], row["step"]))
        | {"place": f"{row['step']}. {theme.clipped(row['name'], _room(width))}"}
        for row in found.rows()
    ]
    apart = by is not None and bool(found.groups)
    chart = _dots(rows, found, width) if apart else _bars(rows, width)
    heading = title or funnel_says(found, by if apart else None)
    return theme.dressed(chart, heading, [said, "Lines: 95 % intervals"], width).properties(description=heading)


def funnel_says(found: Funnel, by: str | None = None) -> str:
    """What a funnel says in a sentence: how many come through, and where most are lost; by group, who comes through best."""
    if by is not None and len(found.groups) > 1:
        ends = {name: steps[-1].overall for name, steps in found.groups.items()}
        best, worst = max(ends, key=lambda name: ends[name].value), min(ends, key=lambda name: ends[name].value)
        low, high = _share(ends[worst].value), _share(ends[best].value)
        if ends[best].low <= ends[worst].high:
            return f"Groups don't clearly differ: {low} to {high} come through"
        return f"By {by}, {high} of {best} come through, and {low} of {worst}"
    drops = [
        (a.customers - b.customers, at) for at, (a, b) in enumerate(zip(found.steps, found.steps[1:], strict=False))
    ]
    lost, at = max(drops, key=lambda drop: (drop[0], -drop[1]))
    through = f"{_share(found.converted.value)} come through"
    if not lost:
        return "All come through"
    if len(found.steps) == 2:
        return f"{through}; {lost:,} of {found.entered:,} don't"
    return f"{through}; most are lost after step {at + 1}, {lost:,} of {found.steps[at].customers:,}"


def _lead(leads: Mapping[Any, str] | None, mark: Any) -> dict[str, str]:
    """The column that says where a mark leads, where it leads anywhere."""
    return {"href": leads[mark]} if leads and mark in leads else {}


def _share(value: float) -> str:
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def _room(width: int) -> int:
    return 34 if width > theme.HALF else 16


def _axis(limit: float) -> dict[str, Any]:
    import altair as alt

    return {
        "scale": alt.Scale(domain=[0, limit], nice=False),
        "axis": alt.Axis(title=None, format=".0%", tickCount=5, grid=True),
    }


def _steps_axis() -> alt.Y:
    import altair as alt

    axis = alt.Axis(title=None, ticks=False, labelLimit=300, labelColor=theme.INK)
    return alt.Y("place:N", sort=None, axis=axis, scale=alt.Scale(paddingInner=0.35, paddingOuter=0.15))


def _bars(rows: Sequence[dict[str, Any]], width: int) -> Any:
    """Bars to their share; behind each, in pale, what the step before had, so that the loss can be seen."""
    import altair as alt

    told = [row for row in rows if row["group"] is None]
    before = [told[0]["overall"], *(row["overall"] for row in told[:-1])]
    shown = [row | {"before": was, "said": _said(row, width)} for row, was in zip(told, before, strict=True)]
    y, axis = _steps_axis(), _axis(1.0)
    tips = ["name:N", alt.Tooltip("customers:Q", format=","), *(alt.Tooltip(f"{k}:Q", format=".1%") for k in
            ("overall", "overall_low", "overall_high", "conversion"))]  # fmt: skip
    base = alt.Chart(alt.Data(values=shown)).encode(y=y, tooltip=tips)
    pale = base.mark_bar(color=theme.SEQUENTIAL[1], opacity=0.7).encode(x=alt.X("before:Q", **axis))
    bars = base.mark_bar(color=theme.ACCENT).encode(x=alt.X("overall:Q", **axis))
    lines = base.transform_filter("datum.step > 1").mark_rule(color=theme.INK, strokeWidth=1.6)
    lines = lines.encode(x=alt.X("overall_low:Q", **axis), x2="overall_high:Q")
    # Beside the longer of bar and interval, so that no words stand on either.
    right = "max(datum.overall_high, datum.before)"
    inside = base.transform_calculate(at=f"datum.step == 1 ? 0 : {right}", ink="datum.step == 1 ? 1 : 0")
    words = {"fontSize": 11, "align": "left", "dx": 8}
    first = inside.transform_filter("datum.step == 1").mark_text(color=theme.PAPER, fontWeight=600, **words)
    later = inside.transform_filter("datum.step > 1").mark_text(color=theme.INK, **words)
    texts = [layer.encode(x=alt.X("at:Q", **axis), text="said:N") for layer in (first, later)]
    return (pale + bars + lines + texts[0] + texts[1]).properties(height=46 * len(shown))


def _said(row: dict[str, Any], width: int) -> str:
    if row["step"] == 1:
        return f"{row['customers']:,} entered"
    said = f"{_share(row['overall'])} ({row['customers']:,})"
    return (
        said if width <= theme.HALF or row["step"] == 2 else f"{said}, {_share(row['conversion'])} of the step before"
    )


def _dots(rows: Sequence[dict[str, Any]], found: Funnel, width: int) -> Any:
    import altair as alt

    names = list(found.groups)[:_DRAWN_GROUPS]
    shown = [row for row in rows if row["group"] in names and row["step"] > 1]
    limit = min(1.0, 1.08 * max(row["overall_high"] for row in shown))
    colours = alt.Scale(domain=names, range=[theme.colour_of(name, names) for name in names])
    legend = alt.Legend(title=None, orient="top", columns=6 if width > theme.NARROW else 2, symbolType="circle")
    colour = alt.Color("group:N", scale=colours, legend=legend)
    offset = alt.YOffset("group:N", sort=names, scale=alt.Scale(domain=names))
    base = alt.Chart(alt.Data(values=shown)).encode(
        y=_steps_axis(), yOffset=offset, color=colour,
        tooltip=["group:N", "name:N", alt.Tooltip("customers:Q", format=","), alt.Tooltip("overall:Q", format=".1%")],
    )  # fmt: skip
    lines = base.mark_rule(strokeWidth=2).encode(x=alt.X("overall_low:Q", **_axis(limit)), x2="overall_high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("overall:Q", **_axis(limit)))
    steps = len(found.steps) - 1
    return (lines + dots).properties(height=steps * (24 + 17 * len(names)))


# ------------------------------------------------------------ paths


def path_flows(
    found: Paths,
    *,
    said: str,
    title: str | None = None,
    width: int = theme.WIDE,
    leads: Mapping[tuple[int, str | None, str | None], str] | None = None,
) -> alt.Chart:
    """All paths as ribbons from step to step, as high as the number of customers.

    Args:
        found: the paths.
        said: whose paths these are, and when.
        title: the finding; told from the paths by default.
        width: of the chart in pixels.
        leads: where the ribbon of a place, source and target leads.
    """
    import altair as alt

    flows = [flow for flow in found.flows if width > theme.NARROW or flow.place in _NARROW_PLACES]
    blocks, tops = _blocks(flows)
    names = [str(block["name"]) for block in blocks]
    order = list(dict.fromkeys(n for n in names if n not in (OTHER, _STOPPED, _BEGAN)))
    known = [*order, OTHER, _STOPPED, _BEGAN]
    muted = [theme.BASE, "#dfe4e8", "#dfe4e8"]
    colours = alt.Scale(domain=known, range=[*(theme.colour_of(n, order) for n in order), *muted])
    colour = alt.Color("name:N", scale=colours, legend=None)
    depth = max(block["y1"] for block in blocks)
    first, last = min(b["x"] for b in blocks), max(b["x"] for b in blocks)
    # Words stand to the right of their block; the last ones need room of their own.
    room = (150 if width > theme.NARROW else 76) / width * (last - first + 1)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[first, last + room], nice=False, zero=False))
    y = alt.Y("y0:Q", axis=None, scale=alt.Scale(domain=[depth, 0], nice=False))
    ribbons = alt.Chart(alt.Data(values=_ribbons(flows, tops, leads))).mark_area(opacity=0.35)
    ribbons = ribbons.encode(
        x=x, y=y, y2="y1:Q", detail="flow:N", color=colour, tooltip=["said:N", alt.Tooltip("customers:Q", format=",")]
    )
    bars = alt.Chart(alt.Data(values=blocks)).mark_rect().encode(x=x, x2="x2:Q", y=y, y2="y1:Q", color=colour)
    texts = alt.Chart(alt.Data(values=_words(blocks, depth, width)))
    halo = texts.mark_text(
        align="left", dx=5, fontSize=10.5, stroke=theme.PAPER, strokeWidth=3, strokeJoin="round", opacity=0.85
    )
    ink = texts.mark_text(align="left", dx=5, fontSize=10.5, color=theme.INK)
    labels = [
        layer.encode(x=alt.X("x2:Q", axis=None), y=alt.Y("middle:Q", axis=None), text="label:N")
        for layer in (halo, ink)
    ]
    heading = title or paths_say(found)
    chart = theme.dressed((ribbons + bars + labels[0] + labels[1]).properties(height=_HEIGHT), heading, said, width)
    return chart.properties(description=heading)


def paths_say(found: Paths) -> str:
    """The most common path in a sentence."""
    most = found.paths[0]
    told = " → ".join(theme.clipped(step, 30) for step in most.steps)
    if len(most.steps) == 1:
        what = "began with it" if found.back else "went no further"
        return f"Most common: {_share(most.share.value)} {what} ({told})"
    return f"Most common, {_share(most.share.value)}: {told}"


def _ends(flow: Flow) -> tuple[tuple[int, str], tuple[int, str]]:
    """The blocks that a flow joins, each a place and a name."""
    source = (flow.place, flow.source or _BEGAN)
    return source, (flow.place + 1, flow.target or _STOPPED)


def _blocks(flows: Iterable[Flow]) -> tuple[list[dict[str, Any]], dict[tuple[int, str], float]]:
    """Where each step stands: the most common on top, what is grouped and who stopped at the bottom."""
    into: dict[tuple[int, str], int] = {}
    out: dict[tuple[int, str], int] = {}
    for flow in flows:
        source, target = _ends(flow)
        out[source] = out.get(source, 0) + flow.customers
        into[target] = into.get(target, 0) + flow.customers
    sizes = {key: max(into.get(key, 0), out.get(key, 0)) for key in into | out}
    places = sorted({place for place, _ in sizes})
    most = max(sum(size for (at, _), size in sizes.items() if at == place) for place in places)
    gap, found, tops = most * 0.02, [], {}
    for place in places:
        here = sorted((key for key in sizes if key[0] == place), key=lambda k: (_last(k[1]), -sizes[k], k[1]))
        y = 0.0
        for key in here:
            tops[key] = y
            found.append(
                {
                    "name": key[1],
                    "x": place,
                    "x2": place + _BLOCK,
                    "y0": y,
                    "y1": y + sizes[key],
                    "customers": sizes[key],
                }
            )
            y += sizes[key] + gap
    return found, tops


def _last(name: str) -> int:
    return {OTHER: 1, _STOPPED: 2, _BEGAN: 2}.get(name, 0)


def _ribbons(
    flows: Iterable[Flow], tops: dict[tuple[int, str], float], leads: Mapping[Any, str] | None
) -> list[dict[str, Any]]:
    """Points along each flow: a smooth step from its place on the left to its place on the right."""
    left, right = dict(tops), dict(tops)
    points: list[dict[str, Any]] = []

    def order(flow: Flow) -> tuple[float, float]:
        source, target = _ends(flow)
        return tops[source], tops[target]

    for number, flow in enumerate(sorted(flows, key=lambda f: (f.place, *order(f)))):
        source, target = _ends(flow)
        start, end = left[source], right[target]
        left[source] += flow.customers
        right[target] += flow.customers
        facts = {"flow": number, "name": source[1], "said": f"{source[1]} → {target[1]}", "customers": flow.customers}
        # A ribbon is one mark, and what is clicked is its first point.
        lead = _lead(leads, (flow.place, flow.source, flow.target))
        for step in range(_SMOOTH + 1):
            share = step / _SMOOTH
            y = round(start + (end - start) * share * share * (3 - 2 * share), 2)
            x = source[0] + _BLOCK + share * (1 - _BLOCK)
            point = {"x": round(x, 4), "y0": y, "y1": round(y + flow.customers, 2)}
            points.append(facts | point | (lead if step == 0 else {}))
    return points


def _words(blocks: Sequence[dict[str, Any]], depth: float, width: int) -> list[dict[str, Any]]:
    """Each block's name and number beside it, moved down where two would touch; a block too small for words has none."""
    places = len({block["x"] for block in blocks})
    most = max(8, int(width / (places + 0.4) / 6.2) - 5)
    line, found = 13 * depth / _HEIGHT, []
    below: dict[Any, float] = {}
    for block in blocks:
        if block["customers"] < 0.012 * depth:
            continue
        middle = max((block["y0"] + block["y1"]) / 2, below.get(block["x"], -line) + line)
        if middle > depth + line / 2:
            continue
        below[block["x"]] = middle
        label = f"{theme.clipped(str(block['name']), most)} {block['customers']:,}"
        found.append({"x2": block["x2"], "middle": middle, "label": label})
    return found


# ------------------------------------------------------------ cohorts


def cohort_cells(found: Cohorts, *, said: str, title: str | None = None, width: int = theme.WIDE) -> alt.Chart:
    """Cohorts by age, as a heat map; the newest cohorts alone.

    Args:
        found: the cohorts.
        said: what being back means.
        title: the finding; told from all cohorts together by default.
        width: of the chart in pixels.
    """
    cells = found.found.to_pylist()
    newest = sorted({row["cohort"] for row in cells})[-_COHORTS:]
    rows = [
        {"cohort": row["cohort"].isoformat(), "size": row["size"], "period": row["age"], "rate": row["rate"],
         "complete": row["finished"]}
        for row in cells if row["cohort"] in newest and 0 < row["age"] <= _AGES
    ]  # fmt: skip
    heading = title or cohorts_say(found)
    chart = cohort_heatmap(rows, title=heading, subtitle=said, width=width, axis=f"{found.grain}s since")
    return chart.properties(description=heading)


def growth_bars(rows: Sequence[dict[str, Any]], *, grain: str, said: str, width: int = theme.WIDE) -> alt.Chart:
    """Customers won, kept and brought back, and those who went silent, period by period.

    Args:
        rows: as ``insight.growth.growth`` gives them.
        grain: the length of a period.
        said: what makes a customer active.
        width: of the chart in pixels.
    """
    states = {"new": "New", "retained": "Retained", "resurrected": "Resurrected", "dormant": "Dormant"}
    shown = [
        {"month": row["period"].isoformat(), "state": state, "customers": row[key] or 0, "complete": row["finished"]}
        for row in rows[-_PERIODS:]
        for key, state in states.items()
    ]
    dates = {"month": "%b %y", "quarter": "%b %y", "year": "%Y"}.get(grain, "%d %b")
    heading = growth_says(rows, grain)
    chart = lifecycle_bars(shown, title=heading, subtitle=[said, "Pale: not over yet"], width=width, dates=dates)
    return chart.properties(description=heading)


def growth_says(rows: Sequence[dict[str, Any]], grain: str) -> str:
    """Whether the newest whole period won and brought back more than went silent, in a sentence."""
    over = [row for row in rows if row["finished"]]
    if len(over) < 2:
        return f"No {grain} after the first is over yet"
    came, went = over[-1]["new"] + over[-1]["resurrected"], over[-1]["dormant"]
    told = f"In the {grain} of {over[-1]['period'].isoformat()}"
    if came == went:
        return f"{told} as many came as went silent: {came:,}"
    return f"{told} {'more' if came > went else 'fewer'} came than went silent: {came:,} against {went:,}"


def cohorts_say(found: Cohorts) -> str:
    """How many were back one period after, in a sentence."""
    pooled = {row["age"]: row for row in found.pooled()}
    if 1 not in pooled:
        return f"No {found.grain} after a cohort's own is over yet"
    last = max(age for age, row in pooled.items() if row["cohorts"] > 1 or age == 1)
    first = f"{_share(pooled[1]['rate'])} were back one {found.grain} after"
    return first if last == 1 else f"{first}, {_share(pooled[last]['rate'])} after {last} {found.grain}s"
