"""Every page of the navigation, and the first thing that its table leads to: whole, light enough, and for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shoal.web.navigation import SECTIONS

from .browsing import PHONE, WIDE, drawn, fits, looked

if TYPE_CHECKING:
    from .browsing import Web

pytestmark = pytest.mark.browser
PATHS = [entry.path for section in SECTIONS for entry in section.entries]
MOST = 300_000
"""Bytes of a page, compressed and with all that it loads, besides what draws charts."""


def sizes(page: Any) -> dict[str, int]:
    """Collects how many bytes came by each address."""
    found: dict[str, int] = {}

    def note(request: Any) -> None:
        found[request.url] = request.sizes()["responseBodySize"] if "/live?" not in request.url else 0

    page.on("requestfinished", note)
    return found


def tried(page: Any, *, desk: bool = True) -> None:
    """A page as it is on a desk in the light, and on a phone in the dark."""
    drawn(page)
    assert page.locator("h1").count() == 1, f"{page.url} has not exactly one heading"
    if desk:
        looked(page)
    fits(page)
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)
    drawn(page)
    looked(page)
    fits(page)
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole_small_and_for_everybody(web: Web, path: str) -> None:
    """Breaks when a page complains, is too heavy, can't be read in the dark, by a phone's reader or by a screen reader."""
    page = web.page()
    came = sizes(page)
    answer = page.goto(path)
    assert answer.status == 200
    tried(page)
    heavy = {url: size for url, size in came.items() if "/static/chart-" not in url}
    assert sum(heavy.values()) < MOST, sorted(heavy.items(), key=lambda one: -one[1])[:5]
    row = page.query_selector("tr[data-href]")
    if row is not None:
        page.goto(row.get_attribute("data-href"))
        tried(page, desk=False)
