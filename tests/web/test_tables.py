"""Tables: sorted, searched and paged by the address, by mouse and keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from shoal.web.sparks import spark
from shoal.web.tables import Column, Listing, listed

from .browsing import PHONE

if TYPE_CHECKING:
    from .browsing import Web

COLUMNS = (Column("name", "Name"), Column("size", "Size", "count"), Column("trend", "Trend", "spark"))
ROWS = [
    {"name": "beta", "size": 3, "trend": []},
    {"name": "Alpha", "size": None, "trend": []},
    {"name": "gamma", "size": 12, "trend": []},
]


def asked(query: str, **more: Any) -> Listing:
    scope = {"type": "http", "method": "GET", "path": "/segments", "query_string": query.encode(), "headers": []}
    return listed(Request(scope), "t", COLUMNS, ROWS, sort="-size", label="segments", search=("name",), **more)


def names(listing: Listing) -> list[str]:
    return [row["name"] for row in listing.rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["gamma", "beta", "Alpha"]),
        ("sort=size", ["beta", "gamma", "Alpha"]),
        ("sort=name", ["Alpha", "beta", "gamma"]),
        ("sort=-name", ["gamma", "beta", "Alpha"]),
        ("sort=trend", ["gamma", "beta", "Alpha"]),
        ("sort=nonsense&page=-3", ["gamma", "beta", "Alpha"]),
        ("search=+A+", ["gamma", "beta", "Alpha"]),
        ("search=PHA", ["Alpha"]),
        ("search=nothing", []),
    ],
)
def test_the_address_says_what_a_table_shows(query: str, expected: list[str]) -> None:
    """Breaks when letters sort by case, what is missing counts as least, or a forged address fails."""
    assert names(asked(query)) == expected


def test_a_page_that_isnt_there_is_the_last_one() -> None:
    """Breaks when a link from before some rows went shows an empty table."""
    listing = asked("page=99", size=2)
    assert (listing.page, listing.first, listing.last, names(listing)) == (2, 3, 3, ["Alpha"])


def test_links_keep_the_rest_of_the_address() -> None:
    """Breaks when sorting loses the search, or a search stays on a page that it no longer has."""
    listing = asked("search=a&grain=week&page=2", size=2)
    assert listing.sorted_by(COLUMNS[1]) == "/segments?search=a&grain=week&sort=size"
    assert listing.sorted_by(COLUMNS[0]) == "/segments?search=a&grain=week&sort=name"
    assert listing.at(1) == "/segments?search=a&grain=week"
    assert listing.others == [("grain", "week")]
    assert listing.told == "3 of 3\xa0segments"


def test_a_small_line_has_gaps_where_nothing_is_known() -> None:
    """Breaks when a missing value is drawn as a line across it, or what never changes as a fall."""
    drawn = spark([1, 2, None, 4])
    assert drawn.count("M") == 2
    assert 'cy="10.0"' in spark([5, 5])
    assert spark([None]) == ""


@pytest.mark.browser
def test_a_head_sorts_and_the_address_says_so(web: Web, page: Any) -> None:
    """Breaks when a sorted table can't be sent to somebody, or the way back doesn't lead back."""
    with web.expecting("404"):
        page.goto("/style")
    first = page.locator("#segments tbody tr td.first a").first
    assert first.inner_text() == "Champions"
    head = page.locator("#segments").get_by_role("link", name="Customers", exact=True)
    head.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/style?sort=size")
    assert page.get_attribute('#segments th:has-text("Customers")', "aria-sort") == "ascending"
    assert first.inner_text() == "New"
    with web.expecting("404"):
        page.go_back()
        page.wait_for_url("**/style")
    assert first.inner_text() == "Champions"


@pytest.mark.browser
def test_a_search_keeps_the_focus_and_says_how_many_fit(web: Web, page: Any) -> None:
    """Breaks when each letter takes the cursor out of the box, or a search that finds nothing is a dead end."""
    with web.expecting("404"):
        page.goto("/style")
    page.get_by_label("Search segments").press_sequentially("sat", delay=20)
    page.wait_for_url("**/style?*search=sat*")
    assert page.locator("#segments tbody tr").count() == 1
    assert page.inner_text("#segments .much") == "1 of 10\xa0segments"
    page.keyboard.type("urnine", delay=10)
    page.get_by_text("Nothing fits “saturnine”.").wait_for()
    with web.expecting("404"):
        page.get_by_role("link", name="Show all 10").click()
    page.wait_for_selector("#segments tbody tr >> nth=5")


@pytest.mark.browser
def test_a_click_on_a_row_opens_it_but_not_one_that_selects_text(web: Web, page: Any) -> None:
    """Breaks when a row doesn't open, or a figure can't be copied out of it."""
    with web.expecting("404"):
        page.goto("/style")
        cell = page.locator("#segments tbody tr").nth(1).locator("td").nth(4)
        cell.scroll_into_view_if_needed()
        box = cell.bounding_box()
        page.mouse.move(box["x"] + box["width"] - 50, box["y"] + 16)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 22, box["y"] + 16, steps=4)
        page.mouse.up()
        assert page.evaluate("String(getSelection()).trim()") in "$30,125"
        assert page.url.endswith("/style")
        page.evaluate("getSelection().removeAllRanges()")
        cell.click()
        page.wait_for_url("**/style?segment=1")


@pytest.mark.browser
def test_pages_follow_one_another(web: Web, page: Any) -> None:
    """Breaks when the second page shows the first one's rows, or there is no way back."""
    with web.expecting("404"):
        page.goto("/style")
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**/style?page=2")
    assert page.locator("#segments tbody tr").count() == 4
    assert page.inner_text(".pager span") == "7 to 10 of 10"
    page.get_by_role("link", name="Previous").click()
    page.wait_for_url("**/style")


@pytest.mark.browser
def test_the_head_stays_in_sight_and_a_phone_gets_cards(web: Web, page: Any) -> None:
    """Breaks when a reader of a long table has to scroll up to know what a column is, or sideways to see it."""
    with web.expecting("404"):
        page.goto("/style")
        page.evaluate("scrollTo(0, document.querySelector('#segments table').getBoundingClientRect().top + 60)")
        assert page.evaluate("document.querySelector('#segments th').getBoundingClientRect().top") == 56
        phone = web.page(width=PHONE)
        phone.goto("/style")
    head = "getComputedStyle(document.querySelector('.stacked td:nth-child(2)'), '::before').content"
    phone.wait_for_selector(".stacked")
    assert phone.evaluate(head) == '"Customers"'
