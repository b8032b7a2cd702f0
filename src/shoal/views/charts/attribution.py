"""Attribution: what each model credits each channel with, the models beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.errors import Refused
from shoal.insight.attribution.credit import MARKOV
from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from shoal.insight.attribution.sharing import Share, Shared
    from shoal.stats.intervals import Interval

Measure: TypeAlias = Literal["conversions", "value", "roas"]
MOST = 12
"""So many channels are drawn; the table has all."""
_LANE, _BETWEEN = 13, 12
_LONGEST = {theme.HALF: 18, theme.NARROW: 14}
_WORDS = {"conversions": "conversions credited", "value": "value credited", "roas": "value credited per spend"}


def attribution_models(
    found: Shared,
    *,
    measure: Measure = "conversions",
    title: str | None = None,
    subtitle: str | None = None,
    width: int = theme.WIDE,
) -> alt.Chart:
    """A row of bars for each channel, one a model, with the interval over customers.

    Args:
        found: what was shared out.
        measure: ``conversions``, ``value``, or ``roas`` of the channels that cost something.
        title: the finding; by default what the models agree or differ on.
        subtitle: measure and window; made by default.
        width: of the chart in pixels.

    Raises:
        Refused: nothing was spent on a channel, for ``roas``.
    """
    rows = _rows(found, measure, _LONGEST.get(width, 26))
    if not rows:
        raise Refused("Nothing was spent on a channel, so there is no value per spend.", fix="Load what was spent.")
    heading = title or attribution_says(found, measure)
    said = subtitle or _subtitle(found, measure)
    return theme.dressed(_plot(found, rows, measure, width), heading, said, width).properties(description=heading)


def _subtitle(found: Shared, measure: Measure) -> str:
    even = "; dashed: as much as was spent" if measure == "roas" else ""
    window = f"touches of the {found.rule.days} days before"
    return f"{_capital(_WORDS[measure])}, by model; {window}; lines: 95 % over customers{even}"


def attribution_says(found: Shared, measure: Measure = "conversions") -> str:
    """Whether the models agree on which channel comes first, in a sentence."""
    firsts = {model: _first(found, model, measure) for model in found.models}
    leaders = list(dict.fromkeys(firsts.values()))
    most = "the most value per spend" if measure == "roas" else "the most credit"
    if len(leaders) == 1:
        every = "All models credit" if len(found.models) > 1 else f"{_name(found.models[0])} credits"
        return f"{every} {leaders[0]} with {most.removesuffix(' credit')}"
    by = [f"{one} by {_listed([m for m in found.models if firsts[m] == one])}" for one in leaders]
    return f"Models differ on {most}: {'; '.join(by)}"


def _first(found: Shared, model: str, measure: Measure) -> str:
    mine = [(one, _of(one, measure)) for one in found.shares if one.model == model]
    return max((pair for pair in mine if pair[1] is not None), key=lambda pair: pair[1].value if pair[1] else 0.0)[
        0
    ].channel


def _listed(models: Sequence[str]) -> str:
    return ", ".join(_name(model) if model == MARKOV else _name(model).lower() for model in models)


def _name(model: str) -> str:
    return model.replace("-", " ").capitalize()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _of(share: Share, measure: Measure) -> Interval | None:
    found: Interval | None = getattr(share, measure)
    return found


def _rows(found: Shared, measure: Measure, longest: int) -> list[dict[str, Any]]:
    shown = [name for name in found.channels if measure != "roas" or name in found.spend][:MOST]
    rows = []
    for name in shown:
        for model in found.models:
            one = _of(found.of(name, model), measure)
            if one is not None:
                ends = (
                    {"low": one.low, "high": one.high} if one.low == one.low else {"low": one.value, "high": one.value}
                )
                rows.append(
                    {"channel": theme.clipped(name, longest), "model": _name(model), "value": one.value, **ends}
                )
    return rows


def _plot(found: Shared, rows: list[dict[str, Any]], measure: Measure, width: int) -> Any:
    import altair as alt

    channels = list(dict.fromkeys(row["channel"] for row in rows))
    models = [_name(model) for model in found.models]
    axis = alt.Axis(title=None, minExtent=theme.room(channels, 12) + 6, labelLimit=400)
    y = alt.Y("channel:N", sort=channels, scale=alt.Scale(paddingInner=0.25, paddingOuter=0.12), axis=axis)
    offset = alt.YOffset("model:N", sort=models, scale=alt.Scale(paddingInner=0.15))
    colours = alt.Scale(domain=models, range=[theme.PALETTE[i % len(theme.PALETTE)] for i in range(len(models))])
    keys = alt.Legend(
        title=None, orient="top", direction="horizontal", columns=3 if width < theme.WIDE else len(models)
    )
    colour = alt.Color("model:N", scale=colours, sort=models, legend=keys)
    form = ",.2f" if measure == "roas" else "~s"
    x = alt.X("value:Q", scale=alt.Scale(zero=True), axis=alt.Axis(title=None, format=form, tickCount=5, grid=True))
    tips = ["channel:N", "model:N", *(alt.Tooltip(f"{key}:Q", format=",.2f") for key in ("value", "low", "high"))]
    base = alt.Chart(alt.Data(values=rows)).encode(y=y, yOffset=offset, tooltip=tips)
    bars = base.mark_bar().encode(x=x, color=colour)
    ends = base.mark_rule(color=theme.INK, strokeWidth=1, opacity=0.65).encode(x="low:Q", x2="high:Q")
    plot: Any = bars + ends
    if measure == "roas":
        even = alt.Chart(alt.Data(values=[{"even": 1.0}])).mark_rule(color=theme.MUTED, strokeDash=[4, 3])
        plot = plot + even.encode(x="even:Q")
    return plot.properties(height=len(channels) * (len(models) * _LANE + _BETWEEN))
