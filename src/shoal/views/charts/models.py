"""How well a model foretold: calibration, lift and gain by tenth, by period, by frequency, by week.

In all of them what came is drawn as it was counted (bars, a grey line), and what was foretold stands against it in the
accent. A title that isn't given says what the rows say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant
from shoal.errors import Refused
from shoal.views import theme
from shoal.views.charts.lines import number_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from shoal.insight.models.model import Backtest

    Rows = Sequence[dict[str, Any]]

MEASURES = {"auc": "AUC", "mae": "Mean absolute error", "brier": "Brier score", "ece": "Calibration error"}
"""Measures whose short names aren't words, as readers write them."""
_CAME = "#9fb4bd"
_TOP = 7  # of ``btyd.holdout.by_frequency``: the last group holds all above
_DOT = 70


def calibration_curve(
    rows: Rows, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """The chances that were foretold against the share that came: on the dashed line they hold.

    Args:
        rows: the frame ``calibration``: ``foretold`` (mean chance of a bin), ``came`` (share), ``low``, ``high``, ``n``.
        title: the finding; told from the rows by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    top = min(1.0, 1.08 * max(max(row["foretold"], row["came"], row.get("high") or 0.0) for row in rows) or 1.0)
    scale, share = alt.Scale(domain=[0, top], nice=False), {"format": ".0%", "tickCount": 5}
    x = alt.X("foretold:Q", scale=scale, axis=alt.Axis(title="chance that was foretold", **share))
    y_axis = alt.Axis(title="share that came", **share)
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=x, tooltip=_tips("foretold", "came", "low", "high", form=".1%")
    )
    ends = alt.Chart(alt.Data(values=[{"foretold": 0, "came": 0}, {"foretold": top, "came": top}]))
    even = ends.mark_line(color=theme.MUTED, strokeDash=[4, 4], strokeWidth=1).encode(
        x=x, y=alt.Y("came:Q", scale=scale, axis=y_axis)
    )
    spans = base.mark_rule(color=theme.ACCENT, strokeWidth=1.6, opacity=0.55).encode(
        y=alt.Y("low:Q", scale=scale, axis=y_axis), y2="high:Q"
    )
    dots = base.mark_point(filled=True, opacity=1, size=_DOT, color=theme.ACCENT).encode(y=alt.Y("came:Q", scale=scale))
    said = subtitle or "Share that came, with its 95 % interval, by the chance that was foretold"
    return _dressed((even + spans + dots).properties(height=240), title or calibration_says(rows), said, width)


def calibration_says(rows: Rows) -> str:
    """Whether the chances hold, in a sentence: on average, and bin by bin."""
    n = sum(row["n"] for row in rows) or 1
    foretold, came = (sum(row[key] * row["n"] for row in rows) / n for key in ("foretold", "came"))
    known = [row for row in rows if row.get("low") is not None and row.get("high") is not None]
    held = sum(row["low"] <= row["foretold"] <= row["high"] for row in known)
    groups = f"; {held} of {len(known)} groups lie within their interval" if known else ""
    return f"{_percent(foretold)} were foretold and {_percent(came)} came{groups}"


def lift_bars(
    rows: Rows, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """What came of each tenth of customers as times the mean of all, the highest scores first.

    Args:
        rows: the frame ``deciles``: ``decile`` (1: the highest scores), ``n``, ``foretold``, ``came``, ``lift``, ``gain``.
        title: the finding; told from the rows by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    mean = _mean(rows, "came")
    shown = [
        dict(row)
        | {"said": f"{row['lift']:.1f}", "promise": None if row.get("foretold") is None or not mean else row["foretold"] / mean}
        for row in rows
    ]  # fmt: skip
    x = alt.X(
        "decile:O", scale=alt.Scale(paddingInner=0.24),
        axis=alt.Axis(title="tenth of customers, highest scores first", labelAngle=0, ticks=False),
    )  # fmt: skip
    tips = ["decile:O", alt.Tooltip("n:Q", format=","), *_tips("came", "foretold", "lift", form=",.3~f")]
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, tooltip=tips)
    axis = alt.Axis(title=None, tickCount=4, labelExpr="format(datum.value, ',.3~f') + ' ×'")
    bars = base.mark_bar(color=_CAME).encode(y=alt.Y("lift:Q", axis=axis, scale=alt.Scale(zero=True)))
    told = base.mark_tick(color=theme.ACCENT, thickness=3, bandSize=_band(width, len(rows))).encode(y="promise:Q")
    even = alt.Chart(alt.Data(values=[{"y": 1}])).mark_rule(color=theme.INK, strokeDash=[4, 4]).encode(y="y:Q")
    top = base.transform_calculate(top="max(datum.lift, datum.promise)")
    layers = bars + even + told + _haloed(top, {"dy": -9}, y="top:Q", text="said:N")
    said = subtitle or "What came (bar) and what was foretold (line), as times the mean of all customers (dashed)"
    return _dressed(layers.properties(height=240), title or lift_says(rows), said, width)


def lift_says(rows: Rows) -> str:
    """How far the highest scores stand out from the lowest, in a sentence."""
    ordered = sorted(rows, key=lambda row: row["decile"])
    first, last = ordered[0]["lift"], ordered[-1]["lift"]
    if first <= last:
        return (
            f"High scores don't stand out: {first:.1f} × the mean of all in the first tenth, {last:.1f} × in the last"
        )
    return f"The highest tenth came to {first:.1f} × the mean of all, the lowest to {last:.1f} ×"


def gain_curve(
    rows: Rows, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """Which share of all that came lies in which share of customers, the highest scores first.

    Args:
        rows: the frame ``deciles``: ``decile``, ``n``, ``gain`` (0–1, with all tenths above).
        title: the finding; told from the rows by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    points = _gains(rows)
    share = {"format": ".0%", "tickCount": 5}
    scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("customers:Q", scale=scale, axis=alt.Axis(title="share of customers, highest scores first", **share))
    y = alt.Y("gain:Q", scale=alt.Scale(domain=[0, max(1.0, *(p["gain"] for p in points))], nice=False),
              axis=alt.Axis(title="share of all that came", **share))  # fmt: skip
    even = alt.Chart(alt.Data(values=[points[0], {"customers": 1, "gain": 1}]))
    diagonal = even.mark_line(color=theme.MUTED, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)
    base = alt.Chart(alt.Data(values=points)).encode(x=x, y=y, tooltip=_tips("customers", "gain", form=".1%"))
    marked = _fifth(points)
    said = f"{_percent(marked['customers'])} of customers: {_percent(marked['gain'])}"
    point = alt.Chart(alt.Data(values=[marked | {"said": said}])).encode(x=x, y=y)
    label = _haloed(point, {"align": "left", "dx": 10, "dy": 13, "fontWeight": 600}, text="said:N")
    dot = point.mark_point(size=_DOT, filled=True, opacity=1, color=theme.ACCENT)
    layers = diagonal + base.mark_line(point={"filled": True, "size": 22}) + label + dot
    told = subtitle or "Share of all that came by share of customers; dashed: customers in any order"
    return _dressed(layers.properties(height=240), title or gain_says(rows), told, width)


def gain_says(rows: Rows) -> str:
    """What the highest fifth of scores holds, in a sentence."""
    marked = _fifth(_gains(rows))
    customers, held = _percent(marked["customers"]), _percent(marked["gain"])
    return f"{customers} of customers with the highest scores hold {held} of all that came"


def _gains(rows: Rows) -> list[dict[str, float]]:
    total, seen = sum(row["n"] for row in rows) or 1, 0
    points = [{"customers": 0.0, "gain": 0.0}]
    for row in sorted(rows, key=lambda row: row["decile"]):
        seen += row["n"]
        points.append({"customers": seen / total, "gain": row["gain"]})
    return points


def _fifth(points: list[dict[str, float]]) -> dict[str, float]:
    return min(points[1:], key=lambda point: abs(point["customers"] - 0.2))


# ------------------------------------------------------------ by period


def backtest_periods(
    rows: Rows, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """One measure of the model and of its baselines, period by period; a single period is drawn as dots in a row each.

    Args:
        rows: ``who`` (the model first), ``what`` (one measure), ``cut``, ``until`` (ISO dates), ``value``, ``low``,
            ``high`` (None: no interval), ``n``.
        title: the finding.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: no row has a value.
    """
    known = [dict(row) for row in rows if row["value"] is not None]
    _needs(known)
    what = known[0]["what"]
    cuts = sorted({row["cut"] for row in known})
    name = MEASURES.get(what, what[0].upper() + what[1:])
    said = subtitle or f"{name}, foretold at each cut and judged by what came after it"
    draw = _over_periods if len(cuts) > 1 else _in_one_period
    return _dressed(draw(known, width), title or f"{name} by period", said, width)


def period_rows(backtest: Backtest) -> list[dict[str, Any]]:
    """The rows of ``backtest_periods``, of all measures: ``what`` tells them apart."""
    return [
        {"who": m.who, "what": m.what, "cut": f"{from_instant(p.cut):%Y-%m-%d}",
         "until": f"{from_instant(p.until):%Y-%m-%d}", "value": m.value, "low": m.low, "high": m.high,
         "n": m.n or p.customers}
        for p in backtest.periods for m in p.measures
    ]  # fmt: skip


def _colours(who: list[str]) -> Any:
    import altair as alt

    greys = ["#5f6b76", "#8a7a5c", "#b07aa1", "#9aa5ae", "#c2a878"]
    return alt.Scale(domain=who, range=[theme.ACCENT, *(greys[i % len(greys)] for i in range(len(who) - 1))])


def _over_periods(rows: list[dict[str, Any]], width: int) -> alt.Chart:
    import altair as alt

    who = list(dict.fromkeys(row["who"] for row in rows))
    cuts = sorted({row["cut"] for row in rows})
    ends = {row["cut"]: row["until"] for row in rows}
    roomy = (width - 60) / len(cuts) >= theme.room([f"{_day(cuts[0])} to {_day(cuts[0])}"], 11)
    names = [f"{_day(cut)} to {_day(ends[cut])}" if roomy else f"from {_day(cut)}" for cut in cuts]
    shown = [row | {"period": names[cuts.index(row["cut"])], "first": row["who"] == who[0]} for row in rows]
    low, high = _reach(rows)
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(title=None, tickCount=4, format=",.3~r")
    x = alt.X("period:O", sort=names, scale=alt.Scale(domain=names, padding=0.35),
              axis=alt.Axis(title=None, labelAngle=0, labelOverlap=True, ticks=False))  # fmt: skip
    colour = alt.Color("who:N", scale=_colours(who), legend=None)
    tips = ["who:N", "period:O", *_tips("value", "low", "high", form=",.3~r"), alt.Tooltip("n:Q", format=",")]
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, color=colour, tooltip=tips)
    y = alt.Y("value:Q", scale=scale, axis=axis)
    others = base.transform_filter("!datum.first").mark_line(strokeWidth=1.4, strokeDash=[5, 3])
    mine = base.transform_filter("datum.first").mark_line(strokeWidth=3)
    spans = base.transform_filter("datum.first && isValid(datum.low)").mark_rule(strokeWidth=1.4, opacity=0.6)
    dots = base.mark_point(filled=True, opacity=1, size=42)
    step = (high - low) * 14 / 230
    labels = alt.Chart(alt.Data(values=_named(shown, names[-1], step)))
    named = labels.mark_text(align="left", dx=10, fontSize=11).encode(
        x=alt.X("period:O", sort=names), y=alt.Y("place:Q", scale=scale), text="who:N", color=colour
    )
    layers = others.encode(y=y) + spans.encode(y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q")
    return (layers + mine.encode(y=y) + dots.encode(y=y) + named).properties(height=230)


def _named(rows: list[dict[str, Any]], last: str, step: float) -> list[dict[str, Any]]:
    """Each name beside its last value, moved apart where two would touch."""
    newest: dict[str, dict[str, Any]] = {row["who"]: row for row in rows}
    below, placed = float("-inf"), []
    for row in sorted(newest.values(), key=lambda row: row["value"]):
        below = max(row["value"], below + step)
        placed.append({"who": row["who"], "period": last, "place": below})
    return placed


def _in_one_period(rows: list[dict[str, Any]], width: int) -> alt.Chart:
    import altair as alt

    who = list(dict.fromkeys(row["who"] for row in rows))
    low, high = _reach(rows)
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(title=None, tickCount=5, grid=True, format=",.3~r")
    y = alt.Y("who:N", sort=who, axis=alt.Axis(title=None, labelLimit=200, domain=False, minExtent=theme.room(who, 11)))
    tips = ["who:N", *_tips("value", "low", "high", form=",.3~r"), alt.Tooltip("n:Q", format=",")]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=y, color=alt.Color("who:N", scale=_colours(who), legend=None), tooltip=tips
    )
    spans = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q")
    dots = base.mark_point(filled=True, opacity=1, size=_DOT).encode(x=alt.X("value:Q", scale=scale, axis=axis))
    text = base.mark_text(dy=-11, fontSize=11).encode(x=alt.X("value:Q"), text=alt.Text("value:Q", format=",.3~r"))
    return (spans + dots + text).properties(height=max(230, 30 * len(who)))


def _reach(rows: list[dict[str, Any]]) -> tuple[float, float]:
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row.get(key) is not None]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return low - room, high + room


# ------------------------------------------------------------ orders, expected and actual


def frequency_bars(
    rows: Rows, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """Orders in the holdout per customer, by repeat orders before it: as they came, and as they were foretold.

    Args:
        rows: the frame ``frequency``: ``frequency`` (7 holds all above), ``customers``, ``foretold``, ``came``.
        title: the finding; told from the rows by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    shown = [dict(row) | {"group": f"{_repeats(row['frequency'])}|n = {row['customers']:,}"} for row in rows]
    order = [row["group"] for row in shown]
    narrow = width <= theme.NARROW
    short = "split(datum.label, '|')[0]" if narrow and len(rows) > 5 else "split(datum.label, '|')"
    x = alt.X("group:O", sort=order, scale=alt.Scale(paddingInner=0.24),
              axis=alt.Axis(title="repeat orders before", labelAngle=0, ticks=False, labelExpr=short))  # fmt: skip
    tips = ["frequency:O", alt.Tooltip("customers:Q", format=","), *_tips("came", "foretold", form=",.3~f")]
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, tooltip=tips)
    most = max(max(row["came"], row["foretold"]) for row in rows)
    y = alt.Y("came:Q", axis=alt.Axis(**number_axis(most=most)), scale=alt.Scale(zero=True))
    bars = base.mark_bar(color=_CAME).encode(y=y)
    told = base.mark_tick(color=theme.ACCENT, thickness=3, bandSize=_band(width, len(rows))).encode(y="foretold:Q")
    said = subtitle or "Orders per customer as they came (bar) and as foretold (line), by repeat orders before"
    return _dressed((bars + told).properties(height=230), title or frequency_says(rows), said, width)


def frequency_says(rows: Rows) -> str:
    """Where foretold and came lie farthest apart, weighed by customers."""
    foretold, came = (sum(row[key] * row["customers"] for row in rows) for key in ("foretold", "came"))
    worst = max(rows, key=lambda row: abs(row["foretold"] - row["came"]) * row["customers"])
    whole = f"{foretold:,.0f} orders were foretold and {came:,.0f} came"
    if round(worst["foretold"], 2) == round(worst["came"], 2):
        return whole
    return (
        f"{whole}; farthest apart at {_repeats(worst['frequency'])} repeat orders: "
        f"{worst['foretold']:.2f} against {worst['came']:.2f} each"
    )


def week_lines(
    rows: Rows,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    summed: bool = False,
    cut: float | None = None,
    width: int = theme.WIDE,
) -> alt.Chart:
    """Repeat orders of all customers week by week, as foretold and as they came.

    Args:
        rows: the frame ``weeks``: ``week`` (since the first order of all), ``foretold``, ``came``, ``foretold_sum``,
            ``came_sum``.
        title: the finding; told from the rows by default.
        subtitle: measure, unit and period.
        summed: draw the sums since the beginning.
        cut: the week up to which the model knew what came; marked.
        width: of the chart in pixels.

    Raises:
        Refused: there is no row.
    """
    import altair as alt

    _needs(rows)
    keys = {"came": "came_sum" if summed else "came", "foretold": "foretold_sum" if summed else "foretold"}
    shown = [{"week": row["week"], "who": who, "orders": row[key]} for who, key in keys.items() for row in rows]
    axis = alt.Axis(title="weeks since the first order", format="d", tickMinStep=1, tickCount=width // 60)
    x = alt.X("week:Q", scale=alt.Scale(nice=False), axis=axis)
    most = max(row["orders"] for row in shown)
    y = alt.Y("orders:Q", axis=alt.Axis(**number_axis(most=most)), scale=alt.Scale(zero=True))
    colour = alt.Color("who:N", legend=None, scale=alt.Scale(domain=list(keys), range=["#7b8a95", theme.ACCENT]))
    tips = [alt.Tooltip("week:Q", format=".0f"), "who:N", alt.Tooltip("orders:Q", format=",.1f")]
    base = alt.Chart(alt.Data(values=shown)).encode(x=x, color=colour, tooltip=tips)
    came = base.transform_filter("datum.who === 'came'").mark_line(strokeWidth=1.6).encode(y=y)
    told = base.transform_filter("datum.who === 'foretold'").mark_line(strokeWidth=2.4).encode(y=y)
    final = {who: next(row["orders"] for row in reversed(shown) if row["who"] == who) for who in keys}
    step, below, ends = most * 14 / 230, float("-inf"), []
    for who, value in sorted(final.items(), key=lambda pair: pair[1]):
        below = max(value, below + step)
        ends.append({"who": who, "place": below})
    names = alt.Chart(alt.Data(values=ends)).mark_text(align="left", dx=6, fontSize=11, fontWeight=600)
    named = names.encode(x=alt.value("width"), y="place:Q", text="who:N", color=colour)
    layers = came + told + named if cut is None else _cut(cut, x) + came + told + named
    kind = "Repeat orders of all customers, " + ("summed since the beginning" if summed else "each week")
    return _dressed(layers.properties(height=230), title or weeks_say(rows, summed=summed), subtitle or kind, width)


def _cut(week: float, x: Any) -> Any:
    """Where the model's knowledge ended."""
    import altair as alt

    data = alt.Chart(alt.Data(values=[{"week": week, "said": "known up to here"}])).encode(x=x)
    said = data.mark_text(align="right", dx=-5, fontSize=10, color=theme.MUTED).encode(y=alt.value(4), text="said:N")
    return data.mark_rule(color=theme.MUTED, strokeDash=[2, 3]) + said


def weeks_say(rows: Rows, *, summed: bool = False) -> str:
    """How far off the whole is at the end, or a usual week, in a sentence."""
    last = rows[-1]
    foretold, came = last["foretold_sum"], last["came_sum"]
    off = abs(foretold / came - 1) if came else 0.0
    if summed:
        way = "too high" if foretold > came else "too low"
        return f"{foretold:,.0f} repeat orders expected, {came:,.0f} came: {_percent(off)} {way}"
    gaps = sorted(abs(row["foretold"] - row["came"]) for row in rows)
    mean = sum(row["came"] for row in rows) / len(rows)
    middle = gaps[len(gaps) // 2]
    return f"In a usual week the expectation is {_few(middle)} orders off, of {_few(mean)} that come"


# ------------------------------------------------------------ value


def value_histogram(rows: Rows, *, title: str, subtitle: str, currency: str = "", width: int = theme.WIDE) -> alt.Chart:
    """How many customers are worth how much, in steps that each are as many times the one before.

    Args:
        rows: ``low``, ``high`` (ends of a step, above 0), ``customers``, ``value`` (held by them); a row with ``high``
            of 0 or less holds those without any, who aren't drawn: a logarithm has no place for them.
        title: the finding.
        subtitle: measure, unit and period.
        currency: the sign before amounts.
        width: of the chart in pixels.

    Raises:
        Refused: nobody has a value above 0.
    """
    import altair as alt

    shown = [dict(row) for row in rows if row["low"] > 0]
    _needs(shown)
    ends = [min(row["low"] for row in shown), max(row["high"] for row in shown)]
    ticks = _ticks(ends[0], ends[1], 10 if width > theme.HALF else 5)
    axis = alt.Axis(title=None, values=ticks, labelExpr=f"'{currency}' + format(datum.value, ',~g')", grid=False)
    scale = alt.Scale(type="log", domain=ends, nice=False)
    tips = [*_tips("low", "high", form=",.2f"), *_tips("customers", "value", form=",.0f")]
    bars = alt.Chart(alt.Data(values=shown)).mark_bar(color=theme.ACCENT, stroke=theme.PAPER, strokeWidth=1)
    most = max(row["customers"] for row in shown)
    y = alt.Y("customers:Q", axis=alt.Axis(**number_axis(most=most)), scale=alt.Scale(zero=True))
    x = alt.X("low:Q", scale=scale, axis=axis)
    return _dressed(
        bars.encode(x=x, x2="high:Q", y=y, y2=alt.Y2Datum(0), tooltip=tips).properties(height=240),
        title,
        subtitle,
        width,
    )


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers across a range of amounts: 1, 2 and 5 of each power of ten, or 1 alone where there are many."""
    from math import floor, log10

    powers = range(floor(log10(low)), floor(log10(high)) + 2)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(found) <= most:
            return found
    return found[:: -(-len(found) // most)]


# ------------------------------------------------------------ what all share


def _needs(rows: Rows) -> None:
    if not rows:
        raise Refused("There is nothing to draw yet.", fix="Run: shoal predict")


def _dressed(chart: Any, title: str, subtitle: str, width: int) -> alt.Chart:
    made = theme.dressed(chart, title, subtitle, width)
    # What a reader hears who doesn't see the picture.
    made.description = f"{title}. {subtitle}."
    return made


def _haloed(base: Any, mark: dict[str, Any], **encoding: Any) -> Any:
    """A text on a halo of paper, so that lines behind it don't cross it."""
    text: Any = {"fontSize": 11, **mark}
    halo = base.mark_text(stroke=theme.PAPER, strokeWidth=4, strokeJoin="round", **text)
    return halo.encode(**encoding) + base.mark_text(**text).encode(**encoding)


def _tips(*names: str, form: str) -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{name}:Q", format=form) for name in names]


def _band(width: int, bars: int) -> float:
    return round(0.76 * (width - 60) / max(bars, 1), 1)


def _mean(rows: Rows, key: str) -> float:
    n = sum(row["n"] for row in rows)
    return sum(row[key] * row["n"] for row in rows) / n if n else 0.0


def _percent(value: float) -> str:
    return f"{100 * value:.0f}\u00a0%" if value >= 0.0995 or value == 0 else f"{100 * value:.1f}\u00a0%"


def _few(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _repeats(number: float) -> str:
    return f"{number:g}" if number < _TOP else f"{number:g}+"


def _day(iso: str) -> str:
    from datetime import date

    day = date.fromisoformat(iso[:10])
    return f"{day.day} {day:%b %y}"
