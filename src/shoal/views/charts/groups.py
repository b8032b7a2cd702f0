"""Micro-segments: how many groups the data support, where they lie, what differs, how stable they are.

Segments bear their id in these pictures, as in the table beside them: twenty names fit nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    Rows = Sequence[dict[str, Any]]

_BANDS = ((0.6, "doubtful"), (0.75, "stable"), (0.85, "highly stable"))
_SMALL = 10
_MOST_TRAITS, _MOST_TRAITS_NARROW = 16, 12


def groups_evidence(rows: Rows, *, title: str, subtitle: str, chosen: int, width: int = theme.WIDE) -> alt.Chart:
    """How clearly the data part into each number of groups, beside what a cloud without any groups gives.

    Args:
        rows: ``k``, ``silhouette``, ``null_silhouette``.
        title: the finding.
        subtitle: measure, unit and period.
        chosen: the number of groups that was taken; marked.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    names = {"silhouette": "these customers", "null_silhouette": "a cloud without groups"}
    shown = [{"k": row["k"], "who": said, "silhouette": row[key]} for key, said in names.items() for row in rows]
    most = max(0.05, *(row["silhouette"] for row in shown))
    least = min(0.0, *(row["silhouette"] for row in shown))
    x = alt.X("k:Q", scale=alt.Scale(domain=[min(r["k"] for r in rows), max(r["k"] for r in rows)], nice=False),
              axis=alt.Axis(title="number of groups", format="d", tickMinStep=1))  # fmt: skip
    y = alt.Y("silhouette:Q", scale=alt.Scale(domain=[least, 1.1 * most], nice=False),
              axis=alt.Axis(title=None, tickCount=4, format=".2~f"))  # fmt: skip
    colour = alt.Color(
        "who:N", legend=None, scale=alt.Scale(domain=list(names.values()), range=[theme.ACCENT, "#7b8a95"])
    )
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=x, color=colour, tooltip=["who:N", "k:Q", alt.Tooltip("silhouette:Q", format=".3f")]
    )
    lines = base.mark_line(point={"filled": True, "size": 24}).encode(
        y=y,
        strokeDash=alt.StrokeDash(
            "who:N", legend=None, scale=alt.Scale(domain=list(names.values()), range=[[1, 0], [5, 3]])
        ),
    )
    taken = alt.Chart(alt.Data(values=[{"k": chosen, "said": "taken"}])).encode(x=x)
    rule = taken.mark_rule(color=theme.INK, strokeDash=[2, 3])
    mark = taken.mark_text(align="right", dx=-5, fontSize=11).encode(y=alt.value(8), text="said:N")
    named = alt.Chart(alt.Data(values=_last_labels(shown, list(names.values()), (most - least) * 0.09)))
    text: Any = {"align": "right", "fontSize": 11, "fontWeight": 600}
    halo = named.mark_text(stroke=theme.PAPER, strokeWidth=4, **text).encode(x=x, y=alt.Y("place:Q"), text="who:N")
    labels = named.mark_text(**text).encode(x=x, y=alt.Y("place:Q"), text="who:N", color=colour)
    return _dressed((rule + lines + mark + halo + labels).properties(height=220), title, subtitle, width)


def _last_labels(rows: list[dict[str, Any]], names: list[str], off: float) -> list[dict[str, Any]]:
    """Each line's name at its end: above the upper one, below the lower one, clear of both lines' last points."""
    last = max(row["k"] for row in rows)
    near = [row for row in rows if row["k"] >= last - 3]
    upper = max(names, key=lambda name: max(row["silhouette"] for row in near if row["who"] == name))
    found = []
    for name in names:
        mine = [row["silhouette"] for row in near if row["who"] == name]
        found.append({"k": last, "who": name, "place": max(mine) + off if name == upper else min(mine) - off})
    return found


def segment_map(
    centres: Rows,
    *,
    title: str,
    subtitle: str,
    axes: tuple[str, str],
    width: int = theme.WIDE,
) -> alt.Chart:
    """Where the segments lie to each other on the two directions in which customers differ most.

    Args:
        centres: ``id``, ``segment`` (its name), ``x``, ``y``, ``customers``; in the order of colours.
        title: the finding.
        subtitle: measure, unit and period.
        axes: what the two directions stand for.
        width: of the chart in pixels.

    Raises:
        Refused: there is no segment.
    """
    import altair as alt

    _needs(centres)
    ids = [row["id"] for row in centres]
    colours = alt.Scale(domain=ids, range=[theme.colour_of(one, ids) for one in ids])
    scales = [_fitting(key, centres) for key in ("x", "y")]
    blank: dict[str, Any] = {"labels": False, "ticks": False, "grid": False, "domain": True}
    x = alt.X("x:Q", scale=scales[0], axis=alt.Axis(title=f"{axes[0]} →", **blank))
    y = alt.Y("y:Q", scale=scales[1], axis=alt.Axis(title=f"{axes[1]} →", **blank))
    colour = alt.Color("id:N", scale=colours, legend=None)
    wide = width > theme.NARROW
    base = alt.Chart(alt.Data(values=list(centres))).encode(x=x, y=y)
    most = max(row["customers"] for row in centres) or 1
    size = alt.Size("customers:Q", legend=None, scale=alt.Scale(domain=[0, most], range=[0, 2600 if wide else 1100]))
    tips = ["id:N", "segment:N", alt.Tooltip("customers:Q", format=",")]
    bubbles = base.mark_circle(opacity=0.32, stroke=theme.PAPER).encode(size=size, color=colour, tooltip=tips)
    layers = bubbles + base.mark_text(fontSize=12 if wide else 10, fontWeight=700).encode(text="id:N")
    return _dressed(layers.properties(height=420 if wide else 320), title, subtitle, width)


def _fitting(key: str, rows: Rows) -> Any:
    import altair as alt

    low, high = min(row[key] for row in rows), max(row[key] for row in rows)
    room = 0.1 * (high - low) or 1.0
    return alt.Scale(domain=[low - room, high + room], nice=False, zero=False)


def difference_grid(rows: Rows, *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """What each segment has more or less of than all others, as a heat map: a column a segment, a row a trait.

    Args:
        rows: ``id``, ``segment``, ``trait``, ``effect`` (in standard deviations, or Cohen's h for shares), ``said`` (in the
            trait's own unit, with the others'). The traits in which segments differ most are drawn.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    wide = width > theme.NARROW
    ids = list(dict.fromkeys(row["id"] for row in rows))
    traits = _widest(rows, _MOST_TRAITS if wide else _MOST_TRAITS_NARROW)
    most = 34 if wide else 23
    short = _distinct({name: theme.clipped(name, most) for name in traits})
    shown = [
        {**row, "column": row["id"], "row": short[row["trait"]], "told": _signed(row["effect"]),
         "strong": abs(row["effect"]) > 1.1}
        for row in rows if row["trait"] in short
    ]  # fmt: skip
    room = min(theme.room(short.values(), 11), 230 if wide else 146)
    side = (width - room - 10) / max(len(ids), 1)
    upright = side < theme.room(ids, 11) + 4
    above: dict[str, Any] = {"labelAngle": -90 if upright else 0, "orient": "top", "domain": False, "ticks": False}
    x = alt.X("column:N", sort=ids, scale=alt.Scale(domain=ids),
              axis=alt.Axis(title="segment, by its id in the table", **above))  # fmt: skip
    names = list(short.values())
    y = alt.Y("row:N", sort=names, scale=alt.Scale(domain=names),
              axis=alt.Axis(title=None, labelLimit=room + 20, minExtent=room, ticks=False, labelAlign="right"))  # fmt: skip
    ramp = alt.Scale(domain=[-1.6, -0.8, 0, 0.8, 1.6], range=list(theme.DIVERGING), clamp=True)
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, y=y)
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=1).encode(
        color=alt.Color("effect:Q", scale=ramp, legend=None), tooltip=["segment:N", "trait:N", "said:N"]
    )
    ink = alt.condition("datum.strong", alt.value("#ffffff"), alt.value(theme.INK))
    text = base.mark_text(fontSize=10.5 if side >= 32 else 9).encode(text="told:N", color=ink)
    layers = cells + text if side >= 24 else cells
    return _dressed(layers.properties(height=22 * len(traits)), title, subtitle, width)


def _widest(rows: Rows, most: int) -> list[str]:
    """The traits that differ most in some segment, those first that do so in the first segments."""
    reach: dict[str, float] = {}
    for row in rows:
        reach[row["trait"]] = max(reach.get(row["trait"], 0.0), abs(row["effect"]))
    return sorted(reach, key=lambda name: (-reach[name], name))[:most]


def _distinct(short: dict[str, str]) -> dict[str, str]:
    """Names that were cut to the same text get a number, or two rows would fall together."""
    seen: dict[str, int] = {}
    out = {}
    for name, text in short.items():
        seen[text] = seen.get(text, 0) + 1
        out[name] = text if seen[text] == 1 else f"{text} ({seen[text]})"
    return out


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0"


def stability_dots(rows: Rows, *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """How surely each segment comes back in other samples of the same customers; hollow: it is a made one.

    Args:
        rows: ``id``, ``segment``, ``jaccard`` (0–1), ``kind`` (natural, reproducible, constructive).
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    wide = width > theme.HALF
    shown = [
        dict(row)
        | {"label": f"{row['id']}  {theme.clipped(row['segment'], 40)}" if wide else row["id"],
           "made": row["kind"] == "constructive"}
        for row in rows
    ]  # fmt: skip
    order = [row["label"] for row in shown]
    low = min(0.5, *(row["jaccard"] for row in rows))
    scale = alt.Scale(domain=[max(0.0, low - 0.05), 1], nice=False)
    axis = alt.Axis(title=None, grid=False, tickCount=5, format=".1f")
    y = alt.Y(
        "label:N",
        sort=order,
        axis=alt.Axis(title=None, labelLimit=300, domain=False, minExtent=min(theme.room(order, 11), width // 2)),
    )
    marks = alt.Chart(alt.Data(values=[{"at": at, "said": said} for at, said in _BANDS]))
    at = alt.X("at:Q", scale=scale, axis=axis)
    guides = marks.mark_rule(color=theme.HAIRLINE).encode(x=at)
    names = marks.mark_text(align="left", baseline="bottom", dx=2, fontSize=_SMALL, color=theme.MUTED)
    named = names.encode(x=at, y=alt.value(-3), text="said:N")
    if low < _BANDS[0][0] - 0.1:
        below: Any = {
            "align": "right",
            "baseline": "bottom",
            "dx": -2,
            "fontSize": _SMALL,
            "color": theme.MUTED,
        }
        rest = alt.Chart(alt.Data(values=[{"at": _BANDS[0][0], "said": "unstable"}])).mark_text(**below)
        named = named + rest.encode(x=at, y=alt.value(-3), text="said:N")
    base = alt.Chart(alt.Data(values=shown)).encode(y=y, x=alt.X("jaccard:Q", scale=scale, axis=axis))
    tips = ["segment:N", "kind:N", alt.Tooltip("jaccard:Q", format=".2f")]
    full = base.transform_filter("!datum.made").mark_point(filled=True, size=64, opacity=1, color=theme.ACCENT)
    hollow = base.transform_filter("datum.made").mark_point(filled=False, size=56, strokeWidth=1.8, color=theme.ACCENT)
    layers = guides + named + full.encode(tooltip=tips) + hollow.encode(tooltip=tips)
    return _dressed(layers.properties(height=20 * len(order)), title, subtitle, width)


def _needs(rows: Rows) -> None:
    if not rows:
        raise Refused("There is no micro-segment to draw yet.", fix="Run: shoal discover")


def _dressed(chart: Any, title: str, subtitle: str, width: int) -> alt.Chart:
    made = theme.dressed(chart, title, subtitle, width)
    made.description = f"{title}. {subtitle}."
    return made
