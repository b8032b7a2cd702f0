"""Made-up figures for the style page, which says so. They look like a shop's: trends, a season, a few odd values."""

from __future__ import annotations

from math import sin
from typing import TYPE_CHECKING, Any

from shoal.views import charts, theme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

_MONTHS = [f"2025-{month:02}-01" for month in range(1, 13)]
_NAMES = ("Champions", "Loyal", "At Risk", "Bought once")
_STATES = {"New": 90, "Retained": 420, "Resurrected": 60, "Dormant": 140}


def _size_lines(width: int) -> alt.Chart:
    rows = [
        {
            "segment": name,
            "at": month,
            "size": round(900 / (place + 1) * (1 + place / 30 * step) + 40 * sin(step + place)),
        }
        for place, name in enumerate(_NAMES)
        for step, month in enumerate(_MONTHS)
    ]
    return charts.size_lines(
        rows, title="Champions held steady, and those who bought once grew", subtitle="members, by month", width=width
    )


def _kpi_lines(width: int) -> alt.Chart:
    values = [round(40 + step + 4 * sin(1.7 * step), 2) for step in range(len(_MONTHS))]
    rows = [
        {"month": month, "value": value, "low": value - 3, "high": value + 3, "complete": month != _MONTHS[-1]}
        for month, value in zip(_MONTHS, values, strict=True)
    ]
    said = "average order in pounds, by month, with its interval; hollow: not over yet"
    return charts.kpi_lines(rows, title="An order is worth a quarter more than in January", subtitle=said, width=width)


def _rfm_grid(width: int) -> alt.Chart:
    groups = list(theme.GROUPS)
    rows = [
        {"r": r, "fm": fm, "group": groups[(25 - r * fm) * len(groups) // 26], "customers": 12 * r * fm - 5 * abs(r - fm),
         "revenue": 140.0 * r * fm * fm, "href": f"/style?r={r}&fm={fm}#charts"}
        for r in range(1, 6) for fm in range(1, 6)
    ]  # fmt: skip
    said = "customers by recency, and by frequency and money; a click opens them"
    return charts.rfm_grid(rows, title="One in nine is a champion", subtitle=said, width=width)


def _cohort_heatmap(width: int) -> alt.Chart:
    rows = [
        {"cohort": month[:7], "size": 300 - 12 * place, "period": period, "rate": 0.42 / period**0.6 + 0.01 * sin(place),
         "complete": place + period < len(_MONTHS)}
        for place, month in enumerate(_MONTHS) for period in range(1, len(_MONTHS) - place + 1)
    ]  # fmt: skip
    said = "share who ordered again, by months since the first order; hatched: the month isn't over"
    return charts.cohort_heatmap(rows, title="Two in five come back in the first month", subtitle=said, width=width)


def _lifecycle_bars(width: int) -> alt.Chart:
    rows = [
        {"month": month, "state": state, "customers": size + 6 * step, "complete": month != _MONTHS[-1]}
        for step, month in enumerate(_MONTHS) for state, size in _STATES.items()
    ]  # fmt: skip
    said = "customers by month; below the line those who fell silent"
    return charts.lifecycle_bars(rows, title="More are kept each month", subtitle=said, width=width)


def _migration_flows(width: int) -> alt.Chart:
    rows = [
        {"before": a, "after": b, "customers": 400 // (1 + abs(i - j)) + 30 * i, "revenue": 9_000.0 / (1 + j)}
        for i, a in enumerate(_NAMES) for j, b in enumerate(_NAMES)
    ]  # fmt: skip
    return charts.migration_flows(
        rows, title="Most stay where they are", subtitle="customers between two dates", order=_NAMES,
        dates=("1 January", "1 December"), width=width,
    )  # fmt: skip


def _interval_dots(width: int) -> alt.Chart:
    rows = [
        {"name": name, "value": value, "low": value - reach, "high": value + reach, "n": n, "all": name == "Everyone"}
        for name, value, reach, n in (
            ("Everyone", 2, 3, 4372), ("Champions", 31, 9, 480), ("Loyal", 12, 6, 910), ("At Risk", -22, 14, 260),
        )
    ]  # fmt: skip
    said = "NPS with its interval; the dashed line is everyone's"
    return charts.interval_dots(rows, title="Champions recommend us, those at risk don't", subtitle=said,
                                domain=(-60, 60), width=width)  # fmt: skip


def _overlap_grid(width: int) -> alt.Chart:
    rows = [
        {"a": a, "b": b, "both": 40 * (i + j), "share": min(0.95, 0.2 * (i + j))}
        for i, a in enumerate(_NAMES) for j, b in enumerate(_NAMES) if a != b
    ]  # fmt: skip
    said = "share of the row's members who are in the column's segment too"
    return charts.overlap_grid(rows, title="Nearly all at risk bought once", subtitle=said, width=width)


CHARTS: Mapping[str, Callable[[int], alt.Chart]] = {
    "size-lines": _size_lines,
    "kpi-lines": _kpi_lines,
    "rfm-grid": _rfm_grid,
    "cohort-heatmap": _cohort_heatmap,
    "lifecycle-bars": _lifecycle_bars,
    "migration-flows": _migration_flows,
    "interval-dots": _interval_dots,
    "overlap-grid": _overlap_grid,
}
"""Each draws one chart at a width."""


def segments() -> list[dict[str, Any]]:
    """Rows of a table that has every kind of cell."""
    return [
        {
            "name": name,
            "why": why,
            "href": f"/style?segment={place}",
            "colour": theme.PALETTE[place % len(theme.PALETTE)],
            "size": (f"sample:{place}", 4_800 // (place + 1)),
            "change": (place - 1) * 37,
            "share": 0.41 / (place + 1),
            "revenue": 120_500.5 / (place + 1) ** 2,
            "trend": [100 + place * step + 12 * sin(step) for step in range(12)],
            "state": (("live", "good"), ("each night", ""), ("paused", "warn"), ("can't be read", "bad"))[place % 4],
            "tags": ["e-mail", "loyalty"][: place % 3],
            "changed": 1_760_000_000_000_000 - place * 40_000_000_000,
        }
        for place, (name, why) in enumerate((
            ("Champions", "Bought lately, often and for much"), ("Loyal", "At least three orders in a year"),
            ("At Risk", "Used to buy, and hasn't for two months"), ("Bought once", "One order, ever"),
            ("A segment whose name is so long that it has to be broken somewhere in the middle of it", ""),
            ("Lapsed", "Nothing for a year"), ("Newsletter", "Agreed to e-mail"), ("Weekend", "Buys on Saturdays and Sundays"),
            ("Big baskets", "Above the best tenth's average order"), ("New", "First order in the last 30 days"),
        ))
    ]  # fmt: skip
