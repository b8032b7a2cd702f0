"""The report: one self-contained HTML file that reads well on a desk, on a phone and on paper."""

from __future__ import annotations

from shoal.views.report.page import Card, Column, Figure, Page, Section, Table, render

__all__ = ["Card", "Column", "Figure", "Page", "Section", "Table", "render"]
