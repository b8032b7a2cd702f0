"""Experiments and pilots: effects with their intervals, their course, sizes of arms, segments, and what it came to in money.

What chance doesn't explain is drawn full, all else hollow; guardrails are diamonds. So nothing is told by colour alone.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.views import theme
from shoal.views.charts.lines import date_axis, number_axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import altair as alt

    Rows = Sequence[dict[str, Any]]

GOOD, BAD, OPEN = theme.ACCENT, "#b2451c", "#7b8a95"
_STATES = {"good": GOOD, "bad": BAD, "open": OPEN}
_ROW, _LINE = 38, 14
_CLIP = {theme.NARROW: 20, theme.HALF: 24}
_RAW = "#8f98a1"
_ROOM = 50
"""Pixels for the labels of an upright axis: they are laid out with narrower letters than some readers have."""


def effect_forest(rows: Rows, *, title: str, subtitle: str, unit: str = "share", width: int = theme.WIDE) -> alt.Chart:
    """The effect on each metric in each arm, with its interval, against a line at no effect.

    Args:
        rows: ``metric``, ``arm``, ``value``, ``low``, ``high`` (None or infinite: open on that side), ``role`` (``primary``,
            ``secondary`` or ``guardrail``), ``better`` (``higher``, ``lower`` or ``neither``); in the order in which they are
            drawn. An arm's name is written where there is more than one.
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` for relative effects, written in per cent; anything else a plain number.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    ends = _domain(rows, ("value", "low", "high"))
    arms = {row["arm"] for row in rows}
    labels = _labels([(row["metric"], _below(row, len(arms) > 1)) for row in rows], _CLIP.get(width, 38))
    shown = [
        dict(row) | _clipped(row, ends) | {"label": label, "state": _state(row), "said": _percents(row, unit)}
        for row, label in zip(rows, labels, strict=True)
    ]
    x, axis = _effect_axis(ends, unit)
    tips = ["metric:N", "arm:N", "role:N", alt.Tooltip("said:N", title="effect")]
    base = alt.Chart(alt.Data(values=shown)).encode(y=_named(labels, width), tooltip=tips, color=_coloured())
    spans = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    return _with_zero(spans + _dots(base, axis), len(labels), title, subtitle, width)


def _below(row: dict[str, Any], several: bool) -> str:
    """What stands below a metric's name: that it is a guardrail, and its arm where there are several."""
    parts = ["guardrail"] if row["role"] == "guardrail" else []
    return ", ".join([*parts, row["arm"]] if several else parts)


def _state(row: dict[str, Any]) -> str:
    """Good, bad or open; of a metric of which neither is better, an effect beyond chance is shown as an effect."""
    low, high = row.get("low"), row.get("high")
    rises, falls = low is not None and low > 0, high is not None and high < 0
    if not (rises or falls):
        return "open"
    return "bad" if rises == (row.get("better") == "lower") and row.get("better") != "neither" else "good"


def _percents(row: dict[str, Any], unit: str) -> str:
    form = "+.2%" if unit == "share" else "+,.4g"
    low, high = (
        "no limit" if row.get(end) is None or not isfinite(row[end]) else format(row[end], form)
        for end in ("low", "high")
    )
    return f"{format(row['value'], form)} ({low} to {high})".replace("-", "−")


# ------------------------------------------------------------ over time


def cumulative_effect(
    rows: Rows, *, title: str, subtitle: str, unit: str = "share", width: int = theme.WIDE
) -> alt.Chart:
    """The effect from the start up to each day, with a band that holds at all days at once.

    Args:
        rows: ``arm``, ``at`` (ISO date), ``value``, ``low``, ``high`` (always valid; None where there is none yet).
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` for relative effects.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    low, high = _domain(_settled(rows), ("value", "low", "high"))
    names = list(dict.fromkeys(row["arm"] for row in rows))
    shown = [dict(row) | _clipped(row, (low, high)) for row in rows]
    x = alt.X("at:T", axis=alt.Axis(**date_axis("day", width)))
    scale, axis = alt.Scale(domain=[low, high], nice=False), alt.Axis(**_signed(unit), minExtent=_ROOM)
    form = "+.2%" if unit == "share" else "+,.4~g"
    tips = ["arm:N", alt.Tooltip("at:T", format="%-d %B %Y"), *(alt.Tooltip(f"{k}:Q", format=form) for k in _ENDS)]
    colour = _arms(names)
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, color=colour, tooltip=tips)
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q")
    line = base.mark_line(strokeWidth=2.2, clip=True).encode(y=alt.Y("value:Q", scale=scale, axis=axis))
    edges = (base.mark_line(strokeWidth=0.8, opacity=0.7).encode(y=alt.Y(f"{end}:Q", scale=scale)) for end in _ENDS[1:])
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color=theme.INK, strokeDash=[4, 4]).encode(y="y:Q")
    layers = alt.layer(zero, band, *edges, line)
    if len(names) > 1:
        layers += _ends(shown, "value", (high - low) * _LINE / 240, scale, colour, width)
    return theme.dressed(layers.properties(height=240), title, subtitle, width)


_ENDS = ("value", "low", "high")


def _settled(rows: Rows) -> Rows:
    """The later half, whose bands set the scale: those of the first days are wider than anything that is told."""
    days = sorted({row["at"] for row in rows})
    half = days[len(days) // 2]
    return [row for row in rows if row["at"] >= half]


def sample_ratio_lines(rows: Rows, *, title: str, subtitle: str, width: int = theme.WIDE) -> alt.Chart:
    """The share that each arm has of all units so far, against its weight and the range that chance gives.

    Args:
        rows: ``arm``, ``at`` (ISO date), ``share`` of all units up to then, ``expected`` (its weight), ``low``, ``high``
            (between which chance keeps the share).
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    names = list(dict.fromkeys(row["arm"] for row in rows))
    late = _settled(rows)
    ends = [row[key] for row in late for key in ("share", "low", "high")] + [row["share"] for row in rows]
    room = 0.15 * (max(ends) - min(ends)) or 0.01
    low, high = max(0.0, min(ends) - room), min(1.0, max(ends) + room)
    shown = [dict(row) | {end: min(max(row[end], low), high) for end in ("low", "high")} for row in rows]
    scale = alt.Scale(domain=[low, high], nice=False)
    axis = alt.Axis(title=None, format=".1%" if high - low < 0.1 else ".0%", tickCount=5, minExtent=_ROOM)
    colour = _arms(names)
    tips = ["arm:N", alt.Tooltip("at:T", format="%-d %B %Y"),
            *(alt.Tooltip(f"{k}:Q", format=".2%") for k in ("share", "expected", "low", "high"))]  # fmt: skip
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X("at:T", axis=alt.Axis(**date_axis("day", width))), color=colour, tooltip=tips
    )
    band = base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q", detail="arm:N")
    plan = base.mark_line(strokeDash=[4, 4], strokeWidth=1).encode(y=alt.Y("expected:Q", scale=scale, axis=axis))
    line = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("share:Q", scale=scale, axis=axis))
    labels = _ends(shown, "share", (high - low) * _LINE / 220, scale, colour, width)
    return theme.dressed((band + plan + line + labels).properties(height=220), title, subtitle, width)


def _arms(names: list[str]) -> alt.Color:
    import altair as alt

    range_ = [theme.ACCENT] if len(names) == 1 else [theme.PALETTE[i % len(theme.PALETTE)] for i in range(len(names))]
    return alt.Color("arm:N", legend=None, scale=alt.Scale(domain=names, range=range_))


def _ends(rows: Rows, key: str, step: float, scale: alt.Scale, colour: alt.Color, width: int) -> alt.Chart:
    """Each arm's name at its last value, moved apart where two would touch."""
    import altair as alt

    last: dict[str, float] = {}
    for row in sorted(rows, key=lambda row: row["at"]):
        last[row["arm"]] = row[key]
    below, placed = float("-inf"), []
    for arm, value in sorted(last.items(), key=lambda pair: pair[1]):
        below = max(value, below + step)
        placed.append({"arm": arm, "place": below, "label": theme.clipped(arm, 24 if width > theme.NARROW else 12)})
    chart = alt.Chart(alt.Data(values=placed)).mark_text(align="left", dx=6, fontSize=11)
    return chart.encode(x=alt.value("width"), y=alt.Y("place:Q", scale=scale), text="label:N", color=colour)


# ------------------------------------------------------------ by segment


def segment_effects(
    rows: Rows, *, title: str, subtitle: str, unit: str = "share", width: int = theme.WIDE
) -> alt.Chart:
    """The effect in each segment as it was measured (grey) and with chance taken off (full), and that of all as a line.

    Args:
        rows: ``segment`` (None: all together), ``n``, ``value``, ``low``, ``high`` as measured, and ``shrunk``,
            ``shrunk_low``, ``shrunk_high`` (None: not shrunk, as for all together).
        title: the finding.
        subtitle: measure, unit and period.
        unit: ``share`` for relative effects or differences of shares.
        width: of the chart in pixels.

    Raises:
        Refused: there is no segment.
    """
    import altair as alt

    parts = [row for row in rows if row["segment"] is not None]
    _needs(parts)
    keys = ("value", "low", "high", "shrunk", "shrunk_low", "shrunk_high")
    ends = _domain(rows, keys)
    labels = _labels([(row["segment"], f"n = {row['n']:,}") for row in parts], _CLIP.get(width, 34))
    shown = [
        {k: v for k, v in row.items() if v is not None} | _clipped(row, ends, keys[1:]) | {"label": label}
        | {"said": _percents(row, unit), "drawn": _shrunk(row, unit)}
        for row, label in zip(parts, labels, strict=True)
    ]  # fmt: skip
    x, axis = _effect_axis(ends, unit)
    tips = ["segment:N", alt.Tooltip("n:Q", format=","), alt.Tooltip("said:N", title="as measured"),
            alt.Tooltip("drawn:N", title="chance taken off")]  # fmt: skip
    base = alt.Chart(alt.Data(values=shown)).encode(y=_named(labels, width), tooltip=tips)
    raw = base.mark_rule(strokeWidth=1.4, color=_RAW, yOffset=-5).encode(x=x, x2="high:Q")
    raw += base.mark_point(size=34, color=_RAW, fill=theme.PAPER, opacity=1, yOffset=-5).encode(
        x=alt.X("value:Q", axis=axis)
    )
    told = base.transform_filter("isValid(datum.shrunk)")
    kept = told.mark_rule(strokeWidth=2.4, color=GOOD, yOffset=5).encode(
        x=alt.X("shrunk_low:Q", axis=axis), x2="shrunk_high:Q"
    )
    kept += told.mark_point(size=64, filled=True, opacity=1, color=GOOD, yOffset=5).encode(
        x=alt.X("shrunk:Q", axis=axis)
    )
    whole = [{"x": row["value"]} for row in rows if row["segment"] is None]
    mean = alt.Chart(alt.Data(values=whole)).mark_rule(color=GOOD, strokeDash=[2, 3]).encode(x=alt.X("x:Q", axis=axis))
    return _with_zero(mean + raw + kept, len(labels), title, subtitle, width)


def _shrunk(row: dict[str, Any], unit: str) -> str:
    if row.get("shrunk") is None:
        return "–"
    return _percents({"value": row["shrunk"], "low": row["shrunk_low"], "high": row["shrunk_high"]}, unit)


# ------------------------------------------------------------ money


def roi_waterfall(rows: Rows, *, title: str, subtitle: str, currency: str = "", width: int = theme.WIDE) -> alt.Chart:
    """From incremental revenue over what it cost to what is left.

    Args:
        rows: ``step``, ``amount`` (what the step adds, below 0 what it takes; of a total the total itself), ``total`` (bool:
            drawn from zero), and of an estimate ``low`` and ``high`` (None: none); in order.
        title: the finding.
        subtitle: measure, unit and period.
        currency: stands in the tips.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    shown = _steps(rows, width)
    order = [row["label"] for row in shown]
    ends = [row[key] for row in shown for key in ("begin", "end", "low", "high") if row.get(key) is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.09 * (high - low) or 1.0
    scale = alt.Scale(domain=[low - (room if low < 0 else 0), high + room], nice=False)
    axis = alt.Axis(**number_axis(most=max(map(abs, ends))), minExtent=_ROOM)
    lines = alt.Axis(title=None, labelAngle=0, ticks=False, domain=False, labelLimit=0, labelLineHeight=13,
                     labelExpr="split(datum.label, '\\n')", labelPadding=10)  # fmt: skip
    x = alt.X("label:N", sort=order, axis=lines, scale=alt.Scale(paddingInner=0.34, paddingOuter=0.12))
    y = alt.Y("begin:Q", scale=scale, axis=axis)
    tips = ["step:N", alt.Tooltip("said:N", title=currency or "amount")]
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, tooltip=tips)
    colour = alt.Color("state:N", legend=None, scale=alt.Scale(domain=[*_STATES], range=[*_STATES.values()]))
    bars = base.mark_bar(fillOpacity=0.78, strokeWidth=1.5).encode(y=y, y2="end:Q", color=colour, stroke=colour)
    told = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    spans = told.mark_rule(color=theme.INK, strokeWidth=1.4).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    zero = alt.Chart(alt.Data(values=[{"begin": 0}])).mark_rule(color=theme.INK).encode(y=y)
    size = 11 if width > theme.NARROW else 10
    halo = base.mark_text(dy=-8, fontSize=size, fontWeight=600, stroke=theme.PAPER, strokeWidth=4)
    text = base.mark_text(dy=-8, fontSize=size, fontWeight=600)
    at = {"y": alt.Y("top:Q", scale=scale), "text": "short:N"}
    layers = bars + zero + spans + halo.encode(**at) + text.encode(**at)
    return theme.dressed(layers.properties(height=260), title, subtitle, width)


def _steps(rows: Rows, width: int) -> list[dict[str, Any]]:
    """Where each bar begins and ends, and what stands at it."""
    reached, found = 0.0, []
    each = max(8, int(width / len(rows) / 7))
    for row in rows:
        begin = 0.0 if row["total"] else reached
        reached = row["amount"] if row["total"] else reached + row["amount"]
        low, high = row.get("low"), row.get("high")
        tops = [begin, reached, *([high] if high is not None and low is not None else [])]
        found.append(
            {"step": row["step"], "label": _broken(row["step"], each), "begin": begin, "end": reached, "low": low,
             "high": high, "state": "good" if row["amount"] >= 0 else "bad", "top": max(tops),
             "short": _short(row["amount"]), "said": _range(row["amount"], row)}
        )  # fmt: skip
    return found


def _broken(text: str, most: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, most, break_long_words=False))


def _short(amount: float) -> str:
    """An amount for a narrow place.

    >>> _short(24_000), _short(-1_240_000), _short(812.4), _short(12.5)
    ('24k', '−1.24M', '812', '12.5')
    """
    for name, size in (("M", 1e6), ("k", 1e3)):
        if abs(amount) >= 10 * size or (name == "M" and abs(amount) >= size):
            return f"{amount / size:,.3g}{name}".replace("-", "−")
    return (f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:.3g}").replace("-", "−")


def _range(amount: float, row: dict[str, Any]) -> str:
    low, high = row.get("low"), row.get("high")
    within = "" if low is None or high is None else f" ({low:,.0f} to {high:,.0f})"
    return f"{amount:,.0f}{within}".replace("-", "−")


def scoreboard_bars(rows: Rows, *, title: str, subtitle: str, currency: str = "", width: int = theme.WIDE) -> alt.Chart:
    """What each campaign, experiment or pilot brought: a bar with its interval, and with chance taken off a diamond.

    Args:
        rows: ``name``, ``kind``, ``value``, ``low``, ``high``, ``shrunk`` (None: not shrunk); in the order in which they
            are drawn.
        title: the finding.
        subtitle: measure, unit and period.
        currency: stands in the tips.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    ends = _domain(rows, ("value", "low", "high", "shrunk"))
    labels = _labels([(row["name"], row["kind"]) for row in rows], _CLIP.get(width, 38))
    shown = [
        dict(row) | _clipped(row, ends) | {"label": label, "state": _state(row), "said": _range(row["value"], row)}
        for row, label in zip(rows, labels, strict=True)
    ]
    axis = alt.Axis(**number_axis(most=max(map(abs, ends))), grid=True)
    x = alt.X("value:Q", scale=alt.Scale(domain=list(ends), nice=False), axis=axis)
    tips = [
        "name:N",
        "kind:N",
        alt.Tooltip("said:N", title=currency or "amount"),
        alt.Tooltip("shrunk:Q", format=",.0f"),
    ]
    base = alt.Chart(alt.Data(values=shown)).encode(y=_named(labels, width), tooltip=tips)
    bars = base.mark_bar(size=14, fillOpacity=0.42, strokeWidth=1.5).encode(x=x, color=_coloured(), stroke=_coloured())
    spans = base.mark_rule(color=theme.INK, strokeWidth=1.4).encode(x=alt.X("low:Q", axis=axis), x2="high:Q")
    drawn = base.transform_filter("isValid(datum.shrunk)").mark_point(
        shape="diamond", size=90, filled=True, opacity=1, color=theme.INK, stroke=theme.PAPER, strokeWidth=1
    )
    return _with_zero(bars + spans + drawn.encode(x=alt.X("shrunk:Q", axis=axis)), len(labels), title, subtitle, width)


# ------------------------------------------------------------ what these share


def _needs(rows: Rows) -> None:
    if not rows:
        raise Refused("There is no row to draw.")


def _domain(rows: Rows, keys: Iterable[str]) -> tuple[float, float]:
    """From the least to the most of what is finite, with zero and some room."""
    ends = [row[key] for key in keys for row in rows if row.get(key) is not None and isfinite(row[key])]
    low, high = min(0.0, *ends, 0.0), max(0.0, *ends, 0.0)
    room = 0.05 * (high - low) or 1.0
    return (low - room, high + room)


def _clipped(row: dict[str, Any], ends: tuple[float, float], keys: Iterable[str] = ("low", "high")) -> dict[str, float]:
    """Ends of intervals that lie outside, or are open, at the edge of the plot."""
    found: dict[str, float] = {}
    for key in keys:
        value = row.get(key)
        if value is not None:
            found[key] = min(max(value, ends[0]), ends[1])
        elif key in ("low", "high") and key in row and row.get("value") is not None:
            found[key] = ends[key == "high"]
    return found


def _signed(unit: str) -> dict[str, Any]:
    form = "'+.2~%'" if unit == "share" else "'+,.3~g'"
    return {"title": None, "tickCount": 5, "labelExpr": f"datum.value === 0 ? '0' : format(datum.value, {form})"}


def _effect_axis(ends: tuple[float, float], unit: str) -> tuple[alt.X, alt.Axis]:
    import altair as alt

    axis = alt.Axis(**_signed(unit), grid=True)
    return alt.X("low:Q", scale=alt.Scale(domain=list(ends), nice=False), axis=axis), axis


def _coloured() -> alt.Color:
    import altair as alt

    return alt.Color("state:N", legend=None, scale=alt.Scale(domain=[*_STATES], range=[*_STATES.values()]))


def _dots(base: Any, axis: alt.Axis) -> Any:
    """Full where chance doesn't explain it, hollow where it may; guardrails are diamonds."""
    import altair as alt

    at = alt.X("value:Q", axis=axis)
    layers = None
    for shape, test in (("diamond", "datum.role === 'guardrail'"), ("circle", "datum.role !== 'guardrail'")):
        mine = base.transform_filter(test)
        full = mine.transform_filter("datum.state !== 'open'").mark_point(shape=shape, size=90, filled=True, opacity=1)
        hollow = mine.transform_filter("datum.state === 'open'").mark_point(
            shape=shape, size=80, filled=False, fill=theme.PAPER, opacity=1, strokeWidth=2
        )
        both = full.encode(x=at) + hollow.encode(x=at)
        layers = both if layers is None else layers + both
    return layers


def _named(labels: list[str], width: int) -> alt.Y:
    """The rows by their labels, whose first line is the name."""
    import altair as alt

    room = min(theme.room((line for label in labels for line in label.split("\n")), 12), int(width * 0.46))
    axis = alt.Axis(
        title=None, labelLimit=room + 40, domain=False, ticks=False, minExtent=room + 8, labelAlign="right",
        labelExpr="split(datum.label, '\\n')", labelLineHeight=13,
    )  # fmt: skip
    return alt.Y("label:N", sort=labels, axis=axis)


def _labels(pairs: Sequence[tuple[str, str]], most: int) -> list[str]:
    """A name, and below it what it is; names that would be the same when cut stay whole."""
    cut = ["\n".join(filter(None, (theme.clipped(name, most), theme.clipped(more, most)))) for name, more in pairs]
    return [
        label if cut.count(label) == 1 else "\n".join(filter(None, (name, more)))
        for label, (name, more) in zip(cut, pairs, strict=True)
    ]


def _with_zero(layers: Any, rows: int, title: str, subtitle: str, width: int) -> alt.Chart:
    import altair as alt

    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=theme.INK, strokeDash=[4, 4])
    drawn = zero.encode(x=alt.X("zero:Q")) + layers
    return theme.dressed(drawn.properties(height=_ROW * rows), title, subtitle, width)
