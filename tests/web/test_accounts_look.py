"""Pages of accounts in a real browser: no complaint, nothing cut off, readable for all."""

from __future__ import annotations

from typing import Any

import pytest

from .browsing import PHONE, WIDE, Web, fits, looked

pytestmark = pytest.mark.browser
PATHS = ("/account", "/people", "/keys", "/audit", "/overview", "/no/such/page")


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (WIDE, True), (PHONE, False)])
def test_pages_of_accounts_can_be_read_by_all(web: Web, width: int, dark: bool) -> None:
    """Breaks when a page complains, has no contrast or names, or is wider than the window."""
    page = web.page(width=width, dark=dark)
    look = f"{width}{'-dark' if dark else ''}"
    for path in PATHS:
        with web.expecting("404"):
            page.goto(path)
        looked(page)
        fits(page)
        web.shot(page, f"accounts{path.replace('/', '-')}-{look}")
    page.goto("/people")
    page.click("text=Vic Viewer")
    looked(page)
    fits(page)
    web.shot(page, f"accounts-person-{look}")


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (PHONE, True)])
def test_who_is_not_signed_in_can_sign_in(web: Web, width: int, dark: bool) -> None:
    """Breaks when the first page that anybody sees can't be used by keyboard or read."""
    page = web.page(None, width=width, dark=dark)
    page.goto("/people")
    looked(page)
    fits(page)
    web.shot(page, f"sign-in-{width}{'-dark' if dark else ''}")
    page.keyboard.press("Tab")
    page.get_by_label("E-mail address").fill("viewer@shop.example")
    page.keyboard.press("Tab")
    page.keyboard.type("not the right one")
    with web.expecting("401"):
        page.keyboard.press("Enter")
        page.get_by_text("isn't right").wait_for()
    assert page.get_by_label("E-mail address").input_value() == "viewer@shop.example"
    looked(page)


def test_a_key_is_made_and_revoked_by_hand(web: Web) -> None:
    """Breaks when the secret isn't shown, or a key is revoked without being asked."""
    page = web.page()
    page.goto("/keys")
    page.get_by_label("What it is for").fill("A key of a test")
    page.get_by_label("collect").check()
    page.get_by_role("button", name="Make the key").click()
    page.get_by_text("Copy it now").wait_for()
    assert page.locator("code").first.inner_text().startswith("shoal_")
    web.shot(page, "key-made")
    looked(page)
    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Revoke").first.click()
    dialog: Any = page.get_by_role("dialog")
    web.shot(page, "key-revoke")
    dialog.get_by_role("button", name="Revoke").click()
    page.get_by_text("The key A key of a test is revoked.").wait_for()
    row = page.locator("tr", has_text="A key of a test")
    assert "revoked" in row.inner_text()
