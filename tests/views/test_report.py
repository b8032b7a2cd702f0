"""The report as a whole, through ``ws.reports``: one file that asks nothing of the network, and says what it should."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import pytest
from shop import make_shop

from shoal.errors import DefinitionError, ShoalError, UnknownName
from shoal.workspace import open_workspace


class Reader(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.heads: list[dict[str, str | None]] = []
        self.pictures: list[dict[str, str | None]] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [found[key] or "" for key in ("src", "href", "xlink:href", "action", "data") if key in found]
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "th":
            self.heads.append(found)
        if found.get("role") == "img":
            self.pictures.append(found)
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""


@pytest.fixture(scope="module")
def read(report: Path) -> Reader:
    return Reader(report.read_text(encoding="utf-8"))


def test_the_file_asks_nothing_of_the_network(read: Reader, report: Path) -> None:
    """Breaks when a font, script or picture is fetched; a mailed report would be broken, or would tell on its reader."""
    assert [link for link in read.links if not link.startswith("#")] == []
    assert "default-src 'none'" in read.policy
    text = report.read_text(encoding="utf-8")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_file_is_small_and_has_every_section(read: Reader, report: Path) -> None:
    """Breaks when a section is lost, or the file is too large to mail."""
    assert report.stat().st_size < 3_000_000
    sections = [
        "glance", "segments", "different", "rfm", "lifecycle", "retention", "migration", "kpis", "metrics", "concentration",
        "actions", "overlap", "feedback", "reach", "data", "method",
    ]  # fmt: skip
    assert [i for i in read.ids if i in sections] == sections
    assert len(read.ids) == len(set(read.ids))


def test_tables_and_pictures_can_be_read_aloud(read: Reader) -> None:
    """Breaks when a head has no scope, or a picture no description."""
    assert read.heads
    assert all(head.get("scope") == "col" for head in read.heads)
    assert read.pictures
    assert all(picture.get("aria-label") for picture in read.pictures)


def test_links_lead_to_sections(read: Reader) -> None:
    """Breaks when the contents point nowhere."""
    assert read.links
    assert {link[1:] for link in read.links} <= set(read.ids)


def test_hostile_names_are_shown_and_not_run(report: Path) -> None:
    """Breaks when a name from the data becomes part of the page's code."""
    text = report.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text
    assert "<b>Shop</b>" not in text


def test_the_segment_table_agrees_with_the_segments(shop: Path, report: Path) -> None:
    """Breaks when the report and the command line give two sizes for one segment."""
    text = report.read_text(encoding="utf-8")
    with open_workspace(shop) as ws:
        for row in ws.segments.table().to_pylist():
            assert re.search(rf'<td class="count" data-v="{row["size"]}">', text), row["name"]


def test_charts_can_be_had_one_by_one(shop: Path) -> None:
    """Breaks when a notebook can't show what the report shows."""
    with open_workspace(shop) as ws:
        names = ws.reports.names()
        assert {"rfm-grid", "cohort-map", "migration-flows", "kpi-revenue", "segment-sizes"} <= set(names)
        assert isinstance(ws.reports.chart("rfm-grid"), alt.LayerChart)
        with pytest.raises(UnknownName, match="rfm-grid"):
            ws.reports.chart("rfm-gird")


def test_a_report_of_a_past_day_knows_nothing_later(shop: Path) -> None:
    """Breaks when as-of leaks what came after."""
    with open_workspace(shop) as ws:
        then, now = ws.reports.facts(as_of="2025-03-01"), ws.reports.facts()
    assert then.span is not None
    assert then.span[1] <= then.at
    assert then.customers < now.customers
    assert max(row["period"] for row in then.kpis.to_pylist()).isoformat() <= "2025-03-01"


def test_the_earlier_date_must_be_earlier(shop: Path, tmp_path: Path) -> None:
    """Breaks when a report compares with the future; nothing may be left behind."""
    with open_workspace(shop) as ws, pytest.raises(DefinitionError, match="earlier"):
        ws.reports.write(tmp_path / "report.html", as_of="2025-03-01", compare="2025-04-01")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_an_error_with_its_place(tmp_path: Path) -> None:
    """Breaks when a full or closed folder gives a traceback, or half a report stays."""
    root = make_shop(tmp_path / "bare", customers=0, orders=False, segments={})
    (tmp_path / "taken").mkdir()
    with open_workspace(root) as ws, pytest.raises(ShoalError, match="can't be written"):
        ws.reports.write(tmp_path / "taken")
    assert list((tmp_path / "taken").iterdir()) == []
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    "case",
    [
        {"customers": 0, "orders": False, "segments": {}},
        {
            "customers": 12,
            "orders": False,
            "surveys": True,
            "consent": True,
            "segments": {"b": ("B", 'city = "Berlin"')},
        },
        {"customers": 40, "days": 5, "currency": "JPY"},
    ],
    ids=["nothing", "no orders", "five days"],
)
def test_little_data_still_gives_a_report(case: dict[str, object], tmp_path: Path) -> None:
    """Breaks when a section can't do without orders, segments, months or enough customers."""
    root = make_shop(tmp_path / "small", **case)  # type: ignore[arg-type]
    with open_workspace(root) as ws:
        written = ws.reports.write(tmp_path / "report.html")
    read = Reader(written.read_text(encoding="utf-8"))
    assert {"glance", "segments", "rfm", "lifecycle", "retention", "migration", "data", "method"} <= set(read.ids)
