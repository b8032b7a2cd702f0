"""How often ids were merged, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt


def merge_bars(months: Sequence[tuple[str, int]], *, width: int = theme.WIDE) -> alt.Chart:
    """A bar for each month with how many ids were merged into others in it, and stand so still.

    Args:
        months: ``2026-03`` and the number, in order; months without a merge between them are filled in.
        width: in pixels.
    """
    import altair as alt
    import pyarrow as pa

    rows = filled(months)
    most = max(rows, key=lambda row: row[1])
    table = pa.table({
        "month": pa.array([f"{month}-01T12:00:00" for month, _ in rows]), "merges": pa.array([many for _, many in rows])
    })  # fmt: skip
    plot = (
        alt.Chart(table)
        .mark_bar(color=theme.ACCENT, width=max(4, min(28, width // (2 * len(rows)))))
        .encode(
            x=alt.X(
                "month:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=min(12, len(rows)), labelOverlap=True)
            ),
            y=alt.Y("merges:Q", title=None, axis=alt.Axis(tickCount=4, format=",d", tickMinStep=1)),
            tooltip=[
                alt.Tooltip("month:T", title="Month", format="%B %Y"),
                alt.Tooltip("merges:Q", title="Merges", format=",d"),
            ],
        )
        .properties(height=140)
    )
    title = f"Most ids were merged in {most[0]}: {most[1]:,}"
    return theme.dressed(
        plot, title, "ids merged into others that stand so still, by the month in which it became known", width
    )


def filled(months: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The months with those in between that have none.

    >>> filled([("2025-11", 2), ("2026-01", 1)])
    [('2025-11', 2), ('2025-12', 0), ('2026-01', 1)]
    """
    known = dict(months)
    first, last = (int(text[:4]) * 12 + int(text[5:]) - 1 for text in (months[0][0], months[-1][0]))
    names = [f"{month // 12}-{month % 12 + 1:02d}" for month in range(first, last + 1)]
    return [(name, known.get(name, 0)) for name in names]
