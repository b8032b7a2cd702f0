"""The report: one self-contained HTML file that reads well on a desk, on a phone and on paper."""

from __future__ import annotations

from shoal.views.report.facts import Facts
from shoal.views.report.page import (
    Alone,
    Brief,
    Card,
    Column,
    Figure,
    Fold,
    Hint,
    Page,
    Section,
    Shown,
    Table,
    alone,
    render,
)

__all__ = [
    "Alone",
    "Brief",
    "Card",
    "Column",
    "Facts",
    "Figure",
    "Fold",
    "Hint",
    "Page",
    "Section",
    "Shown",
    "Table",
    "alone",
    "render",
]
