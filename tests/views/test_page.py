"""The page: names are inert, tables export what they show, sparklines tell their ends."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from shoal.views import charts
from shoal.views.report import Column, Figure, Hint, Page, Section, Shown, Table, render
from shoal.views.report.page import csv_text, sort_value, sparkline

BAD = "</script><img src=x onerror=alert(1)>"


def page_with(*blocks: object) -> str:
    return render(Page(BAD, BAD, [BAD], [Section("s", BAD, BAD, blocks)], [(BAD, BAD)], BAD))  # type: ignore[arg-type]


class Tags(HTMLParser):
    """The names of all tags that a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


def test_names_are_inert_wherever_they_stand() -> None:
    """Breaks when a segment called <script> runs in the reader's browser."""
    rows = [{"month": "2025-01-01", "value": 1.0, "complete": True, "note": BAD}]
    figure = Figure("f", lambda width: charts.kpi_lines(rows, title=BAD, subtitle=BAD, width=width), rows, BAD, BAD)
    table = Table("t", [Column("a", BAD, hint=BAD, note="b")], [{"a": BAD, "b": BAD}], note=BAD)
    html = page_with(figure, table, Hint(BAD), BAD)
    assert "img" not in Tags(html).seen
    assert Tags(html).seen.count("script") == 3


def test_a_csv_does_not_run_as_a_formula() -> None:
    """Breaks when a spreadsheet takes a segment's name for a formula."""
    assert csv_text([{"name": "=1+1", "n": -3}]) == "name,n\r\n'=1+1,-3\r\n"
    assert csv_text([]) == ""


def test_a_cell_is_sorted_by_its_number() -> None:
    """Breaks when 9 sorts after 10, or a missing value as zero."""
    assert (sort_value(None), sort_value(Shown("12 %", 0.12)), sort_value([3, 5])) == ("", 0.12, 5)
    html = page_with(Table("t", [Column("a", "A", "share"), Column("b", "B", "spark")], [{"a": None, "b": [1, 4]}]))
    assert re.search(r'<td class="share" data-v=""><span>–</span>', html)
    assert 'data-v="4"' in html


def test_an_empty_table_says_what_to_do() -> None:
    """Breaks when an empty table is a head with nothing below."""
    html = page_with(Table("t", [Column("a", "A")], [], "Load orders first."))
    assert "Load orders first." in html
    assert "<table" not in html


def test_a_sparkline_names_its_ends() -> None:
    """Breaks when the line says nothing to those who don't see it, or divides by zero on an empty segment."""
    assert 'aria-label="from 0 to 1,200"' in sparkline([0, 600, 1200])
    assert "nan" not in sparkline([0, 0])
