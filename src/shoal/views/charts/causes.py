"""What the groups of a dimension are of a change, as bars beside what each would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import UnknownName
from shoal.views import theme

if TYPE_CHECKING:
    import altair as alt

    from shoal.insight.metrics.causes import Causes, Split

_MOST = 14
_UP, _DOWN, _PLAIN = "#0b6e75", "#b2451c", "#a8b1ba"
_LABEL, _NARROW_LABEL = 34, 18


def contribution_bars(
    found: Causes, by: str | None = None, *, title: str | None = None, width: int = theme.WIDE
) -> alt.Chart:
    """Bars of what each group contributes; those beyond chance in colour, with what it would have been as a mark.

    Args:
        found: why the metric changed.
        by: the dimension; by default that of the largest cause, or the first.
        title: the finding; told from the causes by default.
        width: of the chart in pixels.

    Raises:
        UnknownName: the dimension wasn't looked at.
    """
    import altair as alt

    split = _chosen(found, by)
    rows = _rows(found, split, width)
    share = found.metric.unit == "share"
    order = [row["group"] for row in rows]
    # Labels are wide where names are: axes are laid out with the letters of the machine that draws.
    axis = alt.Axis(title=None, labelLimit=theme.room(order, 11) + 8, ticks=False, domain=False)
    y = alt.Y("group:N", sort=order, axis=axis)
    x = alt.X("amount:Q", axis=alt.Axis(title=None, format="+.1%" if share else "+~s", tickCount=5, grid=True,
                                      labelExpr="datum.value === 0 ? '0' : datum.label"))  # fmt: skip
    colour = alt.Color(
        "how:N", legend=None, scale=alt.Scale(domain=["up", "down", "plain"], range=[_UP, _DOWN, _PLAIN])
    )
    number = "+.2%" if share else "+,.6~g"
    tips = ["group:N", *(alt.Tooltip(f"{key}:Q", format=number) for key in ("amount", "otherwise")),
            alt.Tooltip("customers:Q", format=",")]  # fmt: skip
    base = alt.Chart(alt.Data(values=rows))
    bars = base.mark_bar(height={"band": 0.7}).encode(y=y, x=x, color=colour, tooltip=tips)
    marks = base.mark_tick(color=theme.INK, thickness=2, size=16).encode(y=y, x="otherwise:Q", tooltip=tips)
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=theme.MUTED).encode(x="zero:Q")
    heading = title or _finding(found, split)
    chart = alt.layer(bars, zero, marks).properties(height=max(60, 22 * len(rows)))
    return theme.dressed(chart, heading, _subtitle(found, split, rows), width).properties(description=heading)


def _chosen(found: Causes, by: str | None) -> Split:
    names = [split.by for split in found.splits]
    wanted = by or (found.causes[0].by if found.causes else names[0] if names else "")
    for split in found.splits:
        if split.by == wanted:
            return split
    raise UnknownName("dimension", wanted, names)


def _rows(found: Causes, split: Split, width: int) -> list[dict[str, Any]]:
    most = _LABEL if width > theme.NARROW else _NARROW_LABEL
    out = {cause.group for cause in found.causes if cause.by == split.by}
    rows = []
    for group in split.groups[:_MOST]:
        how = "plain" if group.name not in out else "up" if group.part.amount > 0 else "down"
        rows.append(
            {"group": theme.clipped(group.name, most), "amount": group.part.amount, "how": how,
             "otherwise": sum(effect.otherwise for effect in group.part.effects), "customers": group.part.units}
        )  # fmt: skip
    return rows


def _finding(found: Causes, split: Split) -> str:
    moved = found.moved(found.change.value)
    mine = [cause for cause in found.causes if cause.by == split.by]
    if not mine:
        return f"{found.metric.name} changed by {moved}: no value of {split.by} stands out"
    return f"{found.metric.name} changed by {moved}: {split.by} {mine[0].group} stands out"


def _subtitle(found: Causes, split: Split, rows: list[dict[str, Any]]) -> list[str]:
    said = [
        f"What each group is of the change; they sum to it. Black: had it changed as all others did. In colour: beyond "
        f"chance, after correction for {found.looked} looked at"
    ]
    left = len(split.groups) - len(rows)
    return said if left <= 0 else [*said, f"{left} smaller ones aren't drawn"]
