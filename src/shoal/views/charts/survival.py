"""Survival curves: the share of customers under contract who are still here, by how long they have been with us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import altair as alt

    from shoal.insight.contracts import Group, Projection, Retention, Step

LEAST_DRAWN = 10
"""A curve ends where fewer are still followed: what one customer does there would look like a cliff."""
_LABEL, _NARROW_LABEL = 26, 14
_STEPS = {
    "month": (1, 3, 6, 12, 24, 60), "quarter": (1, 2, 4, 8, 20), "week": (1, 4, 13, 26, 52, 104, 260),
    "day": (1, 7, 14, 28, 91, 182, 364, 728),
}  # fmt: skip
_LINE = 14


def survival_curves(
    found: Retention,
    *,
    grouped: bool | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    width: int = theme.WIDE,
) -> alt.Chart:
    """One curve a group, named at its end, or one of all customers with what is projected.

    Args:
        found: the retention.
        grouped: whether groups are drawn; where there are any by default.
        title: the finding; told from the curves by default.
        subtitle: measure, unit and period.
        width: of the chart in pixels.
    """
    apart = bool(found.groups) if grouped is None else grouped
    said = subtitle or _subtitle(found, apart)
    chart = _grouped(found, width) if apart else _whole(found, width)
    heading = title or retention_says(found, grouped=apart)
    return theme.dressed(chart.properties(height=260), heading, said, width).properties(description=heading)


def retention_says(found: Retention, *, grouped: bool) -> str:
    """What the curve of all, or those of groups, say in a sentence."""
    if grouped and len(found.groups) > 1:
        last = min(_drawn(group.steps)[-1].period for group in found.groups)
        shares = {group.name: group.steps[last].here.value for group in found.groups}
        best, worst = max(shares, key=lambda n: shares[n]), min(shares, key=lambda n: shares[n])
        after = _many(last, found.period)
        return f"After {after}, {shares[best]:.0%} of {best} are still here, and {shares[worst]:.0%} of {worst}"
    half = found.curve.median()
    if half is not None:
        return f"Half have left after {_many(half, found.period)}"
    end = _drawn(found.steps)[-1]
    return f"{end.here.value:.0%} are still here after {_many(end.period, found.period)}"


def _subtitle(found: Retention, grouped: bool) -> str:
    said = f"Share still here by {found.period}s under contract, with its 95 % interval"
    if grouped or found.projection is None or not found.projection.useful:
        return said
    return f"{said}; dashed: projected"


def _many(count: float, period: str) -> str:
    """A number of periods in words.

    >>> _many(1, "month"), _many(35.0, "month"), _many(2.5, "year")
    ('1 month', '35 months', '2.5 years')
    """
    return f"{count:.3g} {period if count == 1 else period + 's'}"


def _drawn(steps: Sequence[Step]) -> list[Step]:
    """The curve as far as enough are followed; its beginning at least."""
    return [step for step in steps if step.followed >= LEAST_DRAWN] or [steps[0]]


def _rows(name: str, steps: Iterable[Step]) -> list[dict[str, Any]]:
    return [
        {"group": name, "period": s.period, "here": s.here.value, "low": s.here.low, "high": s.here.high,
         "followed": s.followed}
        for s in steps
    ]  # fmt: skip


def _axes(found: Retention, last: float, width: int) -> tuple[alt.X, dict[str, Any]]:
    import altair as alt

    marks = alt.Axis(
        title=f"{found.period}s since the contract began", format="d", values=_ticks(found.period, last, width)
    )
    x = alt.X("period:Q", scale=alt.Scale(domain=[0, last], nice=False), axis=marks)
    axis = alt.Axis(title=None, format=".0%", tickCount=5)
    return x, {"scale": alt.Scale(domain=[0, 1], nice=False), "axis": axis}


def _ticks(period: str, last: float, width: int) -> list[int]:
    """Where the axis is marked: whole years of months, quarters and weeks where there are many.

    >>> _ticks("month", 30, 358), _ticks("year", 7, 358)
    ([0, 6, 12, 18, 24, 30], [0, 1, 2, 3, 4, 5, 6, 7])
    """
    steps = _STEPS.get(period, (1, 2, 5, 10, 20, 50))
    step = next((step for step in steps if last / step <= max(4, width // 45)), steps[-1])
    return list(range(0, int(last) + 1, step))


def _tips(first: str) -> list[Any]:
    import altair as alt

    shares = [alt.Tooltip(f"{key}:Q", format=".1%") for key in ("here", "low", "high")]
    return [first, "period:Q", *shares, alt.Tooltip("followed:Q", format=",")]


def _whole(found: Retention, width: int) -> Any:
    import altair as alt

    rows = _rows("all", _drawn(found.steps))
    dashed = _projected(rows, found.projection) if found.projection is not None and found.projection.useful else []
    last = max(row["period"] for row in [*rows, *dashed])
    x, y = _axes(found, max(last, 1), width)
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, tooltip=_tips("group:N"))
    band = base.mark_area(color=theme.ACCENT, opacity=0.16, interpolate="step-after")
    band = band.encode(y=alt.Y("low:Q", **y), y2="high:Q")
    line = base.mark_line(interpolate="step-after", strokeWidth=2.4).encode(y=alt.Y("here:Q", **y))
    if not dashed:
        return band + line
    ahead = alt.Chart(alt.Data(values=dashed)).mark_line(strokeDash=[5, 4], strokeWidth=2, color=theme.MUTED)
    return band + line + ahead.encode(x=x, y=alt.Y("here:Q", **y))


def _projected(rows: list[dict[str, Any]], projection: Projection) -> list[dict[str, Any]]:
    """From the last period that the projection was fitted on, so that the dashed line goes on from the curve."""
    start = [row for row in rows if row["period"] == projection.until]
    if not start or not projection.ahead:
        return []
    return [{"period": start[0]["period"], "here": start[0]["here"]},
            *({"period": period, "here": share} for period, share in projection.ahead)]  # fmt: skip


def _grouped(found: Retention, width: int) -> Any:
    import altair as alt

    names = [group.name for group in found.groups]
    rows = [row for group in found.groups for row in _rows(group.name, _drawn(group.steps))]
    last = max(max(row["period"] for row in rows), 1)
    x, y = _axes(found, last, width)
    colours = alt.Scale(domain=names, range=[theme.colour_of(name, names) for name in names])
    colour = alt.Color("group:N", scale=colours, legend=None)
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, color=colour, tooltip=_tips("group:N"))
    band = base.mark_area(opacity=0.13, interpolate="step-after")
    band = band.encode(y=alt.Y("low:Q", **y), y2="high:Q")
    line = base.mark_line(interpolate="step-after", strokeWidth=2.2).encode(y=alt.Y("here:Q", **y))
    ends = alt.Chart(alt.Data(values=_ends(found.groups, width))).encode(
        y=alt.Y("place:Q", **y), color=colour, text="label:N"
    )
    labels = ends.mark_text(align="left", dx=6, fontSize=11).encode(x=alt.value("width"))
    return band + line + labels


def _ends(groups: Sequence[Group], width: int) -> list[dict[str, Any]]:
    """Each group's name beside its last value, moved apart where two would touch."""
    most = _LABEL if width > theme.NARROW else _NARROW_LABEL
    step, below = _LINE / 260, float("-inf")
    placed: list[dict[str, Any]] = []
    for group in sorted(groups, key=lambda g: _drawn(g.steps)[-1].here.value):
        below = max(_drawn(group.steps)[-1].here.value, below + step)
        placed.append({"group": group.name, "place": below, "label": theme.clipped(group.name, most)})
    over = max(0.0, placed[-1]["place"] - 1)
    return [row | {"place": row["place"] - over} for row in placed]
