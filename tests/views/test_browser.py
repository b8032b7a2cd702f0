"""The report in a real browser: no errors, no requests, a phone's width, sorting, exports, print."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shoal.views.report import Brief, Page, Section, render
from shoal.views.report.page import Head
from shoal.workspace import open_workspace

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report, opened on a desk; what it asked for and complained of is at hand."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    opened.complaints, opened.asked = [], []
    opened.on("console", lambda message: opened.complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(report.as_uri())
    yield opened
    context.close()


def saved(page: Any, selector: str) -> bytes:
    """What a click on an export button downloads."""
    with page.expect_download() as waiting:
        page.click(selector)
    return Path(waiting.value.path()).read_bytes()


def test_it_opens_without_error_or_request(page: Any, report: Path) -> None:
    """Breaks when the page's own policy forbids its script, or anything is fetched."""
    page.click("th >> nth=1")
    assert page.complaints == []
    assert page.asked == [report.as_uri()]
    assert page.title() == "<b>Shop</b>"


@pytest.mark.parametrize("width", [390, 320, 768])
def test_the_page_never_scrolls_sideways(page: Any, width: int) -> None:
    """Breaks when a table or chart pushes the whole page wider than the phone."""
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 320])
def test_cards_of_models_and_personas_fit_a_phone_and_paper(browser: Any, tmp_path: Path, width: int) -> None:
    """Breaks when a long name or rule pushes the page wider than the phone, or is cut off on paper."""
    rule = 'count("Order Completed" where category = "' + "FROZEN" * 20 + '" in last 180 days) > 30'
    brief = Brief(
        "W" * 60,
        "m01, constructive",
        [("Responsive", "not known")] * 6,
        [("A sentence. " * 9, "n = 399")],
        rule,
        ["Why."],
    )
    html = render(Page("t", "s", [], [Section("s", "Micro", "", [Head("Personas"), (brief, brief, brief)])], [], ""))
    (tmp_path / "cards.html").write_text(html, encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto((tmp_path / "cards.html").as_uri())
    assert page.is_hidden(".brief pre >> nth=0")
    page.click(".brief summary >> text=As a rule >> nth=0")
    assert page.is_visible(".brief pre >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 733, "height": 1000})
    page.emulate_media(media="print")
    beyond = (
        "[...document.querySelectorAll('.brief, .brief *')].filter(e => e.getBoundingClientRect().right > 733).length"
    )
    assert page.evaluate(beyond) == 0
    context.close()


@pytest.fixture(scope="module")
def spoken(voices: Path) -> Path:
    """The report of a shop whose customers speak, written."""
    with open_workspace(voices) as ws:
        return ws.reports.write(voices / "report.html")


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_feedback_and_actions_fit_their_page(browser: Any, spoken: Path, width: int) -> None:
    """Breaks when a quote, a topic or a range of money pushes the page wider, or a chart lies outside of its figure."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(spoken.as_uri())
    page.click("#actions .fold summary")
    assert page.is_visible("#actions .fold dd >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    over = (
        "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth + 1).map(b => b.ariaLabel)"
    )
    assert page.evaluate(over) == []
    outside = (
        "[...document.querySelectorAll('#feedback svg text, #actions svg text')].map(e => [e, e.getBoundingClientRect()])"
        f".filter(([e, r]) => r.width && (r.left < 0 || r.right > {width})).map(([e]) => e.textContent)"
    )
    assert page.evaluate(outside) == []
    context.close()


def test_folded_reasons_are_not_printed_closed(browser: Any, spoken: Path) -> None:
    """Breaks when paper bears a line that can't be clicked, or a section of feedback is cut off at its edge."""
    context = browser.new_context(viewport={"width": 733, "height": 1000})
    page = context.new_page()
    page.goto(spoken.as_uri())
    page.emulate_media(media="print")
    assert not page.is_visible("#actions .fold summary")
    beyond = (
        "[...document.querySelectorAll('#feedback *, #actions *')].map(e => [e, e.getBoundingClientRect()])"
        ".filter(([e, r]) => r.width && (r.left < 0 || r.right > 733)).map(([e]) => e.textContent || e.id || e.tagName)"
    )
    assert page.evaluate(beyond) == []
    context.close()


def test_charts_are_drawn_for_the_phone_there(page: Any) -> None:
    """Breaks when a phone shows the desk's chart with letters too small to read."""
    shown = "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('.art')].map(a => a.offsetParent !== null))"
    assert {tuple(pair) for pair in page.evaluate(shown)} == {(True, False)}
    page.set_viewport_size({"width": 390, "height": 800})
    assert {tuple(pair) for pair in page.evaluate(shown)} == {(False, True)}


@pytest.mark.parametrize("width", [390, 320])
def test_a_wide_table_becomes_cards_on_a_phone(page: Any, width: int) -> None:
    """Breaks when a reader on a phone has to scroll a table sideways, or doesn't see what a number is."""
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("dispatchEvent(new Event('resize'))")
    over = (
        "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth + 1).map(b => b.ariaLabel)"
    )
    assert page.evaluate(over) == []
    head = "getComputedStyle(document.querySelector('.stacked #segment-table td:nth-child(2)'), '::before').content"
    assert page.evaluate(head) == '"Customers"'
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("dispatchEvent(new Event('resize'))")
    assert page.evaluate("document.querySelectorAll('.stacked').length") == 0


def test_a_saved_picture_leaves_room_for_wider_letters(page: Any) -> None:
    """Breaks when labels are cut off in a slide, on a machine whose font is wider than the one that was measured with."""
    drawn = page.evaluate("document.querySelector('#rfm-grid .wide svg').viewBox.baseVal.width")
    left, _, width, _ = (
        saved(page, ".export[data-for=rfm-grid] >> text=SVG").decode().split('viewBox="')[1].split('"')[0].split()
    )
    assert float(left) < 0
    assert float(width) >= drawn - 2 * float(left)


def test_a_click_on_a_head_sorts_by_number(page: Any) -> None:
    """Breaks when sorting goes by letters, or the head doesn't say how it is sorted."""
    values = "[...document.querySelectorAll('#segment-table tbody tr')].map(r => +r.cells[1].dataset.v)"
    page.click("#segment-table th >> nth=1")
    assert page.evaluate(values) == sorted(page.evaluate(values), reverse=True)
    page.click("#segment-table th >> nth=1")
    assert page.evaluate(values) == sorted(page.evaluate(values))
    assert page.get_attribute("#segment-table th >> nth=1", "aria-sort") == "ascending"
    page.click("#segment-table th >> nth=0")
    names = page.evaluate("[...document.querySelectorAll('#segment-table tbody tr')].map(r => r.cells[0].dataset.v)")
    assert names[0] == "Regulars"


def test_a_head_can_be_sorted_from_the_keyboard(page: Any) -> None:
    """Breaks when sorting needs a mouse, or a reader of the screen isn't told that the head can be pressed."""
    head = page.get_by_role("button", name="Customers").first
    head.focus()
    page.keyboard.press("Enter")
    assert page.get_attribute("#segment-table th >> nth=1", "aria-sort") == "descending"
    page.keyboard.press("Space")
    assert page.get_attribute("#segment-table th >> nth=1", "aria-sort") == "ascending"


def test_the_head_of_a_table_stays_in_sight(page: Any) -> None:
    """Breaks when a reader of a long table has to scroll up to know what a column is."""
    page.evaluate("scrollTo(0, document.querySelector('#rfm-groups').getBoundingClientRect().top + 150)")
    assert page.evaluate("Math.round(document.querySelector('#rfm-groups th').getBoundingClientRect().top)") == 0


def test_exports_are_what_they_say(page: Any, facts: Any) -> None:
    """Breaks when a button downloads nothing, another chart, or a formula."""
    figure = ".export[data-for=rfm-grid] >> "
    assert saved(page, figure + "text=SVG").startswith(b"<svg")
    assert saved(page, figure + "text=PNG")[:8] == b"\x89PNG\r\n\x1a\n"
    lines = saved(page, figure + "text=CSV").decode().split("\r\n")
    assert lines[0] == "r,fm,group,customers,revenue"
    assert sum(int(line.split(",")[3]) for line in lines[1:] if line) == sum(
        r["customers"] for r in facts.rfm.to_pylist()
    )
    spec = json.loads(saved(page, figure + "text=definition"))
    assert "vega-lite" in spec["$schema"]
    table = saved(page, ".export[data-for=segment-table] >> text=CSV").decode()
    assert table.startswith("Segment,Customers,")
    assert "'=1+1" in table
    assert "\r\n=1+1" not in table


def test_print_cuts_nothing_off(browser: Any, report: Path) -> None:
    """Breaks when a table or chart reaches beyond the paper, or controls are printed."""
    # A4 less the margins of the sheet, in pixels: what lies beyond is cut off.
    context = browser.new_context(viewport={"width": 733, "height": 1000})
    page = context.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    assert "margin: 14mm 8mm 16mm" in report.read_text(encoding="utf-8")
    beyond = page.evaluate(
        "[...document.querySelectorAll('table, svg, svg text, .cards, p')].map(e => [e, e.getBoundingClientRect()])"
        ".filter(([e, r]) => r.width && (r.left < 0 || r.right > 733)).map(([e]) => e.textContent || e.id || e.tagName)"
    )
    assert beyond == []
    assert not page.is_visible(".export button >> nth=0")
    assert page.pdf(format="A4")[:5] == b"%PDF-"
    context.close()


def test_a_table_repeats_its_head_on_the_next_page(browser: Any, report: Path, tmp_path: Path) -> None:
    """Breaks when the rows on a new page stand below nothing: Chromium doesn't repeat a head that holds a button."""
    if shutil.which("pdftotext") is None:
        pytest.skip("There is no pdftotext. Install it with: apt-get install poppler-utils")
    context = browser.new_context()
    page = context.new_page()
    page.goto(report.as_uri())
    page.evaluate("document.querySelector('#rfm-groups tbody').append(...[...Array(6)].flatMap(() => "
                  "[...document.querySelectorAll('#rfm-groups tbody tr')].map(r => r.cloneNode(true))))")  # fmt: skip
    (tmp_path / "report.pdf").write_bytes(page.pdf(prefer_css_page_size=True))
    context.close()
    told = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True
    )
    pages = [page for page in told.stdout.split("\f") if len(re.findall("^Champions ", page, re.M)) > 1]
    assert len(pages) > 1
    assert all(re.search(r"Group +Customers +Share", page) for page in pages)
