"""The frame of every page: navigation, light and dark, a phone's width, the line to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .browsing import fits, looked

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
