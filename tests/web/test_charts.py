"""Charts in pages: drawn under the policy that forbids eval, exported, read as tables, gone into by mouse and keyboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shoal.views import theme
from shoal.web import samples
from shoal.web.charts import answer

from .browsing import PHONE, drawn, none_left

if TYPE_CHECKING:
    from .browsing import Web

DARK = Path(__file__).parents[2] / "src" / "shoal" / "web" / "assets" / "dark.json"


@pytest.fixture
def charts(web: Web, page: Any) -> Any:
    """The page with the charts, each of them drawn once it is in sight."""
    with web.expecting("404"):
        page.goto("/style")
    return page


def shown(page: Any, chart: str) -> str:
    """Wait until a chart is drawn; returns its id."""
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    none_left(page, f"#{chart} .art[aria-busy]")
    return chart


def saved(page: Any, chart: str, words: str) -> tuple[str, bytes]:
    """The name and content of what an entry of a chart's menu downloads."""
    page.click(f"#{shown(page, chart)} summary")
    with page.expect_download() as waiting:
        page.click(f"#{chart} .menu >> text={words}")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


@pytest.mark.browser
def test_every_chart_is_drawn_where_eval_is_forbidden(web: Web, charts: Any) -> None:
    """Breaks when a chart needs what the policy of pages forbids, or one of them stays empty."""
    with web.http() as client:
        policy = client.get("/style").headers["content-security-policy"]
    assert "unsafe" not in policy
    drawn(charts)
    for name in samples.CHARTS:
        assert charts.locator(f"#{name} .art svg path").count() > 3, name
        assert charts.locator(f"#{name} h3").inner_text(), name
    assert "There is no order yet." in charts.text_content("#empty .art svg")
    assert "The chart can't be read now." in charts.inner_text("#none")


@pytest.mark.browser
def test_a_chart_is_saved_in_each_form(charts: Any) -> None:
    """Breaks when an entry of the menu saves nothing, another chart, or a picture without its title."""
    name, svg = saved(charts, "lifecycle-bars", "SVG")
    assert name == "lifecycle-bars.svg"
    assert svg.startswith(b"<svg")
    assert b"More are kept each month" in svg
    assert saved(charts, "lifecycle-bars", "PNG")[1][:8] == b"\x89PNG\r\n\x1a\n"
    lines = saved(charts, "lifecycle-bars", "CSV")[1].decode().splitlines()
    assert lines[0] == "complete,month,state,customers,from,to"
    assert len(lines) == 1 + 12 * 4
    definition = json.loads(saved(charts, "lifecycle-bars", "Definition")[1])
    assert "vega-lite" in definition["$schema"]
    assert definition["config"]["background"] == theme.PAPER


@pytest.mark.browser
def test_what_is_saved_in_the_dark_is_for_paper(web: Web) -> None:
    """Breaks when a picture for a slide is white on nothing because its maker likes dark pages."""
    page = web.page(dark=True)
    with web.expecting("404"):
        page.goto("/style")
        shown(page, "size-lines")
    ink = "getComputedStyle(document.querySelector('#size-lines .art .mark-line path')).stroke"
    assert page.evaluate(ink) != "rgb(0, 105, 92)"
    assert theme.GROUPS["Champions"].encode() in saved(page, "size-lines", "SVG")[1]


@pytest.mark.browser
def test_the_colours_follow_the_page(charts: Any) -> None:
    """Breaks when a chart stays light on a dark page until it is loaded anew."""
    line = "#size-lines .art .mark-line path"
    shown(charts, "size-lines")
    before = charts.get_attribute(line, "stroke")
    charts.get_by_role("button", name="Use dark colours").click()
    charts.wait_for_selector(f'{line}:not([stroke="{before}"])')
    assert charts.get_attribute(line, "stroke") == json.loads(DARK.read_text())[before]


@pytest.mark.browser
def test_a_chart_can_be_read_as_a_table(charts: Any) -> None:
    """Breaks when who doesn't see the picture gets no figures, or the table can't be reached by the keyboard."""
    shown(charts, "rfm-grid")
    charts.locator("#rfm-grid summary").focus()
    charts.keyboard.press("Enter")
    charts.keyboard.press("Tab")
    charts.keyboard.press("Enter")
    table = charts.locator("#rfm-grid .as-table table")
    assert table.locator("tbody tr").count() == 25
    heads = table.locator("th").all_inner_texts()
    assert heads[:5] == ["R", "Fm", "Group", "Customers", "Revenue"]
    assert table.locator("a").first.get_attribute("href") == "/style?r=1&fm=1#charts"


@pytest.mark.browser
def test_a_click_on_a_mark_opens_what_is_behind_it(web: Web, charts: Any) -> None:
    """Breaks when a chart is a dead end."""
    shown(charts, "rfm-grid")
    with web.expecting("404"):
        charts.locator('#rfm-grid [role="link"]').nth(7).click()
        charts.wait_for_url("**/style?r=2&fm=3#charts")


@pytest.mark.browser
def test_marks_are_reached_by_the_keyboard(web: Web, charts: Any) -> None:
    """Breaks when what a click opens can't be opened without a mouse, or a grid takes twenty-five stops of the Tab key."""
    shown(charts, "rfm-grid")
    marks = charts.locator('#rfm-grid [role="link"]')
    assert marks.count() == 25
    assert charts.locator('#rfm-grid [role="link"][tabindex="0"]').count() == 1
    marks.first.focus()
    charts.keyboard.press("ArrowRight")
    assert re.search(r"customers 19", charts.inner_text("#tip"))
    with web.expecting("404"):
        charts.keyboard.press("Enter")
        charts.wait_for_url("**/style?r=1&fm=2#charts")


@pytest.mark.browser
def test_a_chart_is_as_wide_as_its_place(web: Web, charts: Any) -> None:
    """Breaks when a chart is cut off or leaves half of its place empty after the window has changed."""
    wide = "(art => Math.abs(art.querySelector('svg').clientWidth - art.clientWidth))(document.querySelector('#kpi-lines .art'))"
    shown(charts, "kpi-lines")
    assert charts.evaluate(wide) <= 2
    with charts.expect_response("**/kpi-lines.json?width=*"):
        charts.set_viewport_size({"width": PHONE, "height": 844})
    charts.wait_for_timeout(300)
    assert charts.evaluate(wide) <= 2


@pytest.mark.browser
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Auckland"])
def test_a_day_is_the_same_day_everywhere(web: Web, zone: str) -> None:
    """Breaks when a reader west of Greenwich sees each month as the one before."""
    page = web.page(timezone_id=zone)
    with web.expecting("404"):
        page.goto("/style")
        shown(page, "kpi-lines")
    dates = page.locator("#kpi-lines .art .role-axis-label text").all_text_contents()
    assert "Jan 25" in dates
    assert not any("24" in date for date in dates)


def test_every_colour_of_charts_has_one_for_the_dark() -> None:
    """Breaks when a colour is added to the theme and charts show it unchanged on a dark page."""
    held = json.loads(DARK.read_text())
    named = {theme.INK, theme.MUTED, theme.HAIRLINE, theme.PAPER, theme.ACCENT, theme.BASE}
    named |= {*theme.PALETTE, *theme.GROUPS.values(), *theme.STATES.values(), *theme.SEQUENTIAL, *theme.DIVERGING}
    assert named <= held.keys()
    assert theme.ON_LIGHT not in held
    assert len({held[one] for one in theme.PALETTE}) == len(theme.PALETTE)


def test_a_definition_bears_the_rows_for_reading() -> None:
    """Breaks when a table beside a chart shows the chart's helper columns, or a missing number makes it unreadable."""
    made = answer({"$schema": "x"}, [{"day": "2025-01-01", "n": float("nan")}], {"n": "Customers"})
    assert json.loads(bytes(made.body))["usermeta"] == {
        "rows": [{"day": "2025-01-01", "n": None}],
        "heads": {"n": "Customers"},
    }


@pytest.mark.browser
def test_a_chart_is_drawn_only_when_it_comes_into_sight(web: Web, page: Any) -> None:
    """Breaks when each page loads what draws charts, whether it has one in sight or not."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with web.expecting("404"):
        page.goto("/style")
        page.wait_for_selector('[data-line][data-state="live"]')
        assert not [url for url in asked if "/chart-" in url]
        shown(page, "size-lines")
    assert [url for url in asked if "/chart-" in url]
