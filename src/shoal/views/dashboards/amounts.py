"""Figures of metrics as they are written on tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.views import words as w

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    from shoal.insight.metrics.definition import Metric

_STEADY, _STEADY_POINTS = 0.0005, 0.05
"""Smaller changes are none."""


def amount(metric: Metric, value: float | None, currency: str) -> str:
    """A figure in its metric's unit."""
    if value is None:
        return "–"
    if metric.unit == "share":
        return w.share(value)
    if metric.unit == "money":
        return w.money(value, currency)
    if metric.unit == "score" and metric.slug == "nps":
        return f"{value:+.0f}".replace("-", "−")
    if metric.unit == "count" and metric.how in ("sum", "count"):
        return f"{value:,.0f}"
    return w.plain(value)


def interval(metric: Metric, row: Mapping[str, Any], currency: str) -> str:
    """The 95 % interval of a figure; empty where it is no estimate."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return ""
    return f"{amount(metric, low, currency)} to {amount(metric, high, currency)}"


def change(metric: Metric, before: float | None, now: float | None) -> tuple[str, bool | None]:
    """A change as it is written, and whether it is for the better; shares and scores change by points."""
    if before is None or now is None:
        return "", None
    by = now - before
    good = None if metric.better == "neither" or not by else (by > 0) == (metric.better == "higher")
    if metric.unit in ("share", "score"):
        points = by * (100 if metric.unit == "share" else 1)
        if abs(points) < _STEADY_POINTS:
            return "unchanged", None
        return f"{points:+.1f} points".replace("-", "−"), good
    relative = w.change(before, now)
    if relative is None:
        return "", None
    return ("unchanged", None) if abs(relative) < _STEADY else (w.signed(relative), good)


def period_name(first: date, last: date) -> str:
    """A period of the calendar as it is read.

    >>> from datetime import date
    >>> period_name(date(2017, 12, 1), date(2017, 12, 31)), period_name(date(2017, 10, 1), date(2017, 12, 31))
    ('December 2017', 'Q4 2017')
    """
    days = 1 + (last - first).days
    if days == 1:
        return f"{first.day} {first:%b %Y}"
    if days == 7:
        return f"the week from {first.day} {first:%b %Y}"
    if days <= 31:
        return f"{first:%B %Y}"
    return f"Q{(first.month + 2) // 3} {first.year}" if days <= 92 else str(first.year)
