"""The frame of every page: navigation, light and dark, a phone's width, the line to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .browsing import PHONE, drawn, fits, looked

if TYPE_CHECKING:
    from .browsing import Web

pytestmark = pytest.mark.browser


def test_the_first_page_opens_without_complaint(web: Web, page: Any) -> None:
    """Breaks when the policy of pages forbids their own scripts or styles, or one of them fails."""
    page.goto("/overview")
    page.wait_for_selector('[data-line][data-state="live"]')
    assert page.evaluate("getComputedStyle(document.querySelector('.frame')).display") == "grid"
    looked(page)
    fits(page)
    web.shot(page, "overview")


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [("light", 1280, False), ("dark", 1280, True), ("phone", PHONE, False), ("phone-dark", PHONE, True)],
)
def test_every_part_can_be_read_and_reached(web: Web, name: str, width: int, dark: bool) -> None:
    """Breaks when a part of pages has too little contrast, no name for who can't see it, or is wider than the phone."""
    page = web.page(width=width, dark=dark)
    with web.expecting("404"):  # one of the charts can't be read, to show what it looks like then
        page.goto("/style")
        drawn(page)
    web.shot(page, f"style-{name}")
    looked(page)
    fits(page)
