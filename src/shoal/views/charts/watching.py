"""A metric beside what was to be expected of it, and what a change is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.insight.metrics.watching import in_words, within
from shoal.views import theme
from shoal.wording import dated

if TYPE_CHECKING:
    import altair as alt

    from shoal.insight.metrics.watching import Look
    from shoal.stats.expected import Outlook

_OUT = "#a8321a"
_LINE = "#8a6d1f"
_UNUSUAL, _BEYOND = "beyond what was to be expected", "beyond the threshold"


def watched_series(look: Look, told: Outlook, *, title: str | None = None, width: int = theme.WIDE) -> alt.Chart:
    """The series with the band of what was to be expected, its thresholds, and the periods that stand out.

    Args:
        look: what is watched.
        told: what was to be expected.
        title: the finding; told from the newest period by default.
        width: of the chart in pixels.
    """
    import altair as alt

    rows = _rows(look, told)
    share = look.metric.unit == "share"
    x = alt.X("period:T", title=None, axis=alt.Axis(tickCount=max(4, width // 110), format=_dates(look.rule.each)))
    axis = alt.Axis(title=None, format=_shares(rows) if share else "~s", tickCount=5)
    # What stands far out in the history mustn't flatten all the rest; zero is shown where it is near.
    y = alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=_near_zero(rows), nice=True))
    base = alt.Chart(alt.Data(values=rows))
    band = (
        base.transform_filter("isValid(datum.low)")
        .mark_area(color=theme.ACCENT, opacity=0.15)
        .encode(x=x, y=alt.Y("low:Q", axis=axis, scale=alt.Scale(zero=_near_zero(rows), nice=True)), y2="high:Q")
    )
    middle = base.transform_filter("isValid(datum.expected)").mark_line(
        color=theme.ACCENT, strokeWidth=1, strokeDash=[3, 3], opacity=0.8
    )
    tips = [
        alt.Tooltip("said:N", title=look.rule.each),
        *(alt.Tooltip(f"{key}:Q", format=".2%" if share else ",.6~g") for key in ("value", "expected", "low", "high")),
    ]
    line = base.mark_line(color=theme.INK, strokeWidth=1.8).encode(x=x, y=y, tooltip=tips)
    layers: list[Any] = [band, middle.encode(x=x, y=alt.Y("expected:Q", axis=axis)), line]
    layers += _thresholds(look, axis, width)
    marked = base.transform_filter("datum.marked != ''").mark_point(
        color=_OUT, filled=True, size=70, opacity=1, stroke=theme.PAPER, strokeWidth=1
    )
    layers.append(marked.encode(x=x, y=y, tooltip=tips))
    heading = title or _finding(look, told)
    chart = alt.layer(*layers).properties(height=260)
    return theme.dressed(chart, heading, _subtitle(look, told, rows), width).properties(description=heading)


def _dates(each: str) -> str:
    return {"day": "%-d %b", "week": "%-d %b %Y", "month": "%b %Y", "quarter": "%b %Y"}.get(each, "%Y")


def _rows(look: Look, told: Outlook) -> list[dict[str, Any]]:
    """The periods that have a value; those before the model had learnt stand without a band."""
    rows = []
    for step in told.steps:
        if step.value is None:
            continue
        over = look.rule.above is not None and step.value > look.rule.above
        under = look.rule.below is not None and step.value < look.rule.below
        ends = step.expected
        marked = _BEYOND if over or under else _UNUSUAL if step.outside else ""
        rows.append(
            {"period": step.period.isoformat(), "said": in_words(step.period, look.rule.each), "value": step.value,
             "expected": None if ends is None else ends.value, "low": None if ends is None else ends.low,
             "high": None if ends is None else ends.high, "marked": marked}
        )  # fmt: skip
    return rows


def _near_zero(rows: list[dict[str, Any]]) -> bool:
    values = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    return bool(min(values) < 0.4 * max(values))


def _shares(rows: list[dict[str, Any]]) -> str:
    """Whole per cents, unless all lies within a few."""
    values = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    return ".0%" if max(values) - min(values) > 0.06 else ".1%"


def _thresholds(look: Look, axis: Any, width: int) -> list[Any]:
    import altair as alt

    layers: list[Any] = []
    for bound, said in _bounds(look):
        one = alt.Chart(alt.Data(values=[{"bound": bound, "said": said}]))
        halo = one.mark_text(align="right", dx=-4, dy=-7, fontSize=11, stroke=theme.PAPER, strokeWidth=4,
                             strokeJoin="round")  # fmt: skip
        line = one.mark_rule(color=_LINE, strokeDash=[6, 3], strokeWidth=1.4).encode(y=alt.Y("bound:Q", axis=axis))
        text = one.mark_text(align="right", dx=-4, dy=-7, color=_LINE, fontSize=11)
        layers += [line, *(mark.encode(x=alt.value("width"), y="bound:Q", text="said:N") for mark in (halo, text))]
    return layers


def _bounds(look: Look) -> list[tuple[float, str]]:
    """The thresholds, which are of everyone, and the target where it is of such a period."""
    if look.segment is not None:
        return []
    found = [(bound, f"alert {name} {look.shown(bound)}")
             for name, bound in (("above", look.rule.above), ("below", look.rule.below)) if bound is not None]  # fmt: skip
    target = look.metric.target
    if target is not None and target.each == look.rule.each:
        found.append((target.value, f"target by {dated(target.by)}: {look.shown(target.value)}"))
    return found


def _finding(look: Look, told: Outlook) -> str:
    last = told.last
    if last.value is None or last.expected is None:
        return look.subject
    where, value = within(last.period, look.rule.each), look.shown(last.value)
    if not last.outside:
        return f"{look.subject} {where}: {value}, as was to be expected"
    side = "above" if last.outside > 0 else "below"
    return f"{look.subject} {where}: {value}, {side} what was to be expected"


def _subtitle(look: Look, told: Outlook, rows: list[dict[str, Any]]) -> list[str]:
    unit = look.currency if look.metric.unit == "money" else look.metric.unit
    each, parts = look.rule.each, ["level", "trend", *told.seasons]
    allowed = f"{', '.join(parts[:-1])} and {parts[-1]}"
    said = [
        f"By {each}, {unit}. Band: where {100 * told.confidence:.0f} % of {each}s were to be expected from those before, by "
        f"{allowed}"
    ]
    crossed = sum(row["marked"] == _BEYOND for row in rows)
    unusual = sum(row["marked"] == _UNUSUAL for row in rows)
    if crossed:
        said.append(f"Dots: the {crossed} beyond a threshold{f', and {unusual} outside the band' if unusual else ''}")
    elif unusual:
        said.append(f"Dots: the {unusual} outside the band; one in twenty is by chance, and an alert corrects for that")
    return said


__all__ = ["watched_series"]
