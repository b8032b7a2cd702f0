"""Uplift: what an order gains over chance, what treating by it pays, and the effect by tenth of it.

All of it was measured on customers whom the models didn't see. The accent is the order; treating at random is dashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from shoal.insight.uplift.judging import Found
    from shoal.insight.uplift.record import Outcome
    from shoal.stats.intervals import Interval

    Rows = Sequence[dict[str, Any]]

_PER = 1_000
"""The Qini curve is told per so many customers."""
_HARM = "#b2451c"
_HEIGHT = 250
_FROM = 0.3
"""Names stand in the middle of the picture, from this share on."""


def qini_curve(
    found: Found, metric: Outcome, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """What the order gains by share treated, beside treating as many at random.

    Args:
        found: what was found of an arm.
        metric: the outcome.
        title: the finding; told from the figures by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    rows = [
        {"share": p.share, **{k: _PER * getattr(p, k) for k in ("gained", "low", "high", "random")}}
        for p in found.points
    ]
    x, axis = _shares(), alt.Axis(title=None, tickCount=5, format="~s", labelOverlap=True)
    tips = [alt.Tooltip("share:Q", format=".0%"), *(alt.Tooltip(f"{k}:Q", format=".3~f") for k in _CURVE)]
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, tooltip=tips)
    band = base.mark_area(color=theme.ACCENT, opacity=0.16).encode(y=alt.Y("low:Q", axis=axis), y2="high:Q")
    line = base.mark_line(color=theme.ACCENT, strokeWidth=2.4).encode(y="gained:Q")
    random = base.mark_line(color=theme.MUTED, strokeDash=[5, 4], strokeWidth=1.6).encode(y="random:Q")
    names = _named(rows)
    said = subtitle or (
        f"{_gained(metric)} per {_PER:,} customers of both arms by the share treated, best scored first; on customers that "
        f"the models didn't see. Band: how far from random it may be ({100 * found.confidence:.4g} %)"
    )
    heading = title or qini_says(found)
    return _dressed(band + random + line + names, heading, said, width)


_CURVE = ("gained", "low", "high", "random")


def qini_says(found: Found) -> str:
    """Whether the order beats chance, in a sentence."""
    if found.code == "none":
        return f"Who responds to {found.arm} can't be told better than by chance"
    more = f"{found.more:.0%} more than at random" if found.more < 10 else "far more than at random"
    end = "" if found.usable else ": too little to act on"
    return f"Ordered by uplift, {found.arm} gets {more}, on average over all shares{end}"


def _gained(metric: Outcome) -> str:
    return f"{metric.name} avoided" if metric.better == "lower" else f"{metric.name} gained"


def policy_curve(
    found: Found, metric: Outcome, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """What treating a share pays, costs taken off, with intervals; the share that was chosen is marked.

    Args:
        found: what was found of an arm.
        metric: the outcome.
        title: the finding; told from the figures by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    rows = [{"share": 0.0, "gain": 0.0, "low": 0.0, "high": 0.0}]
    rows += [{"share": v.share, **_row(v.gain, "gain")} for v in found.values]
    everybody = found.values[-1].gain.value
    for row in rows:
        row["random"] = row["share"] * everybody
    x, axis = _shares(), alt.Axis(title=None, tickCount=5, format=",.3~f")
    tips = [
        alt.Tooltip("share:Q", format=".0%"),
        *(alt.Tooltip(f"{k}:Q", format=",.4~f") for k in ("gain", "low", "high")),
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, tooltip=tips)
    band = base.mark_area(color=theme.ACCENT, opacity=0.16).encode(y=alt.Y("low:Q", axis=axis), y2="high:Q")
    line = base.mark_line(color=theme.ACCENT, strokeWidth=2.4).encode(y="gain:Q")
    random = base.mark_line(color=theme.MUTED, strokeDash=[5, 4], strokeWidth=1.6).encode(y="random:Q")
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color=theme.INK, strokeWidth=0.8).encode(y="y:Q")
    layers = band + zero + random + line + _chosen(found, rows, x)
    said = (
        subtitle or f"{_worth(found, metric)} by the share treated, with its 95 % interval; dashed: as many at random"
    )
    return _dressed(layers, title or policy_title(found), said, width)


def _chosen(found: Found, rows: Rows, x: alt.X) -> Any:
    """The share that was chosen, where it is neither nobody nor everybody."""
    import altair as alt

    share = found.policy.share
    near = min(rows, key=lambda row: abs(row["share"] - share))
    marked = [{"share": near["share"], "gain": near["gain"], "label": f"treat {share:.0%}"}]
    base = alt.Chart(alt.Data(values=marked if 0 < share < 1 and found.usable else [])).encode(x=x, y="gain:Q")
    dot = base.mark_point(filled=True, opacity=1, size=80, color=theme.ACCENT)
    text = base.mark_text(align="center", dy=-14, fontSize=11, fontWeight=600, color=theme.ACCENT).encode(
        text="label:N"
    )
    return dot + text


def policy_title(found: Found) -> str:
    """What the chosen policy is worth, in a sentence."""
    policy, value = found.policy, found.policy.value
    if not found.usable:
        return "Choosing whom to treat isn't worth it: treat everybody or nobody"
    if not 0 < policy.share < 1:
        return (
            "Treat nobody: no share pays"
            if policy.share <= 0
            else "Treating everybody gains most: nobody is worth sparing"
        )
    gain = f"Treating the best {policy.share:.0%} gains {value.gain.value:.3g} per customer"
    if value.over_all.low > 0:
        return f"{gain}, {value.over_all.value:.3g} more than treating everybody"
    return f"{gain}; that this is more than by treating everybody isn't shown"


def _worth(found: Found, metric: Outcome) -> str:
    money = found.money
    if (money.worth, money.cost) == (1.0, 0.0):
        return f"{_gained(metric)} per customer of all, without a cost,"
    return f"Gain per customer of all at a worth of {money.worth:g} and a cost of {money.cost:g},"


def effect_by_tenth(
    found: Found, metric: Outcome, *, title: str | None = None, subtitle: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """The measured effect in each tenth of the order, with intervals; the effect on all is dashed.

    Args:
        found: what was found of an arm.
        metric: the outcome.
        title: the finding; told from the figures by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    import altair as alt

    rows = [
        {"tenth": i + 1, "n": g.n, "harm": g.effect.high < 0, **_row(g.effect, "effect")}
        for i, g in enumerate(found.groups)
    ]
    share = metric.unit == "share"
    shown = "+.2~%" if share else "+,.3~f"
    axis = alt.Axis(title=None, tickCount=5, labelExpr=f"datum.value === 0 ? '0' : format(datum.value, '{shown}')")
    form = "+.2%" if share else "+,.4~f"
    below = alt.Axis(title="tenth of customers, best scored first", labelAngle=0, ticks=False)
    x = alt.X("tenth:O", scale=alt.Scale(paddingInner=0.3), axis=below)
    tips = [
        "tenth:O",
        alt.Tooltip("n:Q", format=","),
        *(alt.Tooltip(f"{k}:Q", format=form) for k in ("effect", "low", "high")),
    ]
    colour = alt.condition("datum.harm", alt.value(_HARM), alt.value(theme.ACCENT))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, tooltip=tips, color=colour)
    spans = base.mark_rule(strokeWidth=2, opacity=0.6).encode(y=alt.Y("low:Q", axis=axis), y2="high:Q")
    dots = base.mark_point(filled=True, opacity=1, size=80).encode(y="effect:Q")
    lines = alt.Chart(alt.Data(values=[{"y": 0.0}])).mark_rule(color=theme.INK, strokeWidth=0.8).encode(y="y:Q")
    mean = alt.Chart(alt.Data(values=[{"y": found.effect.value}]))
    dashed = mean.mark_rule(color=theme.MUTED, strokeDash=[5, 4], strokeWidth=1.4).encode(y="y:Q")
    moved = "how far it falls" if metric.better == "lower" else "how far it rises"
    said = subtitle or (
        f"{metric.name}: {moved} by {found.arm} against {found.control}, measured in each tenth, with its 95 % interval; dashed: "
        "all together"
    )
    return _dressed(lines + dashed + spans + dots, title or tenths_say(found, metric), said, width)


def tenths_say(found: Found, metric: Outcome) -> str:
    """How far the better half of the order and the other one are apart, in a sentence."""
    half = len(found.groups) // 2
    better, other = (sum(g.effect.value for g in part) / half for part in (found.groups[:half], found.groups[half:]))
    said = f"{_told(better, metric)} in the better half of the order, {_told(other, metric)} in the other"
    return f"{said}: chance alone may do that" if found.code == "none" else said


def _told(value: float, metric: Outcome) -> str:
    text = f"{100 * value:+.1f} points" if metric.unit == "share" else f"{value:+.3g}"
    return text.replace("-", "−")


# ---------------------------------------------------------------- parts


def _row(one: Interval, name: str) -> dict[str, float]:
    return {name: one.value, "low": one.low, "high": one.high}


def _shares() -> alt.X:
    import altair as alt

    axis = alt.Axis(title="share of customers treated", format=".0%", tickCount=5)
    return alt.X("share:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)


def _named(rows: Rows) -> Any:
    """The name of each line: the order's beyond the band, that of random on the other side, where they are furthest apart."""
    import altair as alt

    middle = [row for row in rows if _FROM <= row["share"] <= 1 - _FROM]
    at = max(middle, key=lambda row: abs(row["gained"] - row["random"]))
    way = -1 if at["gained"] >= at["random"] else 1
    edge, beyond = (at["high"], at["random"]) if way < 0 else (at["low"], at["random"])
    layers = []
    for label, y, colour, side in (("the order", edge, theme.ACCENT, way), ("at random", beyond, theme.MUTED, -way)):
        text = alt.Chart(alt.Data(values=[{"share": at["share"], "y": y, "label": label}])).mark_text(
            align="right" if side < 0 else "left", dy=12 * side, dx=6 * side, fontSize=11, color=colour
        )
        layers.append(text.encode(x=_shares(), y="y:Q", text="label:N"))
    return layers[0] + layers[1]


def _dressed(layers: Any, title: str, subtitle: str, width: int) -> alt.Chart:
    return theme.dressed(layers.properties(height=_HEIGHT), title, subtitle, width).properties(description=title)
