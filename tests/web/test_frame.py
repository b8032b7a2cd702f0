"""The frame of every page: navigation, light and dark, a phone's width, the line to the server, what is said and undone."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from .browsing import PHONE, drawn, fits, looked

if TYPE_CHECKING:
    from .browsing import Web

pytestmark = pytest.mark.browser
LIVE = '[data-line][data-state="live"]'


def focused(page: Any) -> str:
    """The words of what has the focus."""
    return str(page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent.trim()"))


def test_the_first_page_opens_without_complaint(web: Web, page: Any) -> None:
    """Breaks when the policy of pages forbids their own scripts or styles, or one of them fails."""
    page.goto("/overview")
    page.wait_for_selector(LIVE)
    assert page.evaluate("getComputedStyle(document.querySelector('.frame')).display") == "grid"
    looked(page)
    fits(page)


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


def test_the_parts_are_shown_to_an_administrator_alone(web: Web) -> None:
    """Breaks when a page that shows made-up figures can be taken for the shop's by who doesn't know better."""
    with web.http("editor") as editor:
        assert editor.get("/style").status_code == 403
        assert editor.get("/style/charts/rfm-grid.json").status_code == 403


def test_the_chosen_colours_are_kept_and_written_by_the_server(web: Web) -> None:
    """Breaks when a page flashes in the other colours before its script runs, or forgets what was chosen."""
    page = web.page()
    page.goto("/people")
    page.wait_for_selector(LIVE)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Use dark colours").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    answer = page.goto("/keys")
    assert '<html lang="en" data-theme="dark">' in answer.text()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Use light colours").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_a_forged_choice_of_colours_is_no_way_into_the_page(web: Web) -> None:
    """Breaks when the cookie, which any script of the host can write, ends up in the page as it is."""
    with web.http() as client:
        client.cookies.set("theme", '"><script>')
        assert '<html lang="en">' in client.get("/keys").text


def test_the_navigation_folds_on_a_phone(web: Web) -> None:
    """Breaks when a phone shows no way to other pages, or the keyboard gets lost in what is folded away."""
    page = web.page(width=PHONE)
    page.goto("/keys")
    assert not page.is_visible("nav >> text=People")
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    assert page.is_visible("nav >> text=People")
    page.keyboard.press("Escape")
    assert not page.is_visible("nav >> text=People")
    assert focused(page) == "Menu"
    page.keyboard.press("Enter")
    page.click("nav >> text=People")
    page.wait_for_url("**/people")


def test_the_navigation_says_where_a_page_belongs(web: Web) -> None:
    """Breaks when a page of one segment, which has tabs of its own, belongs to nothing in the navigation."""
    page = web.page()
    for path, state in (("/segments", "page"), ("/segments/champions", "true")):
        page.goto(path)
        assert page.locator("#navigation [aria-current]").all_inner_texts() == ["Segments"]
        assert page.get_attribute("#navigation [aria-current]", "aria-current") == state


def test_the_keyboard_skips_the_navigation_and_opens_the_account(web: Web, page: Any) -> None:
    """Breaks when who uses no mouse has to pass every entry of the navigation on each page, or can't sign out."""
    page.goto("/keys")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_label("Ada Admin: account").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Your account"
    page.keyboard.press("Escape")
    assert focused(page) == "Ada Admin: account"
    assert not page.is_visible("text=Your account")


def test_a_term_is_explained_on_hover_on_focus_and_to_readers_of_the_screen(web: Web, page: Any) -> None:
    """Breaks when a term of statistics can be understood with a mouse alone, or its explanation stays in the way."""
    with web.expecting("404"):
        page.goto("/style")
    said = "How many times as common something is among these customers as among all."
    term = page.get_by_role("button", name="lift", exact=True).first
    assert str(term.get_attribute("aria-description")).startswith(said)
    term.hover()
    assert page.inner_text("#tip").startswith(said)
    page.mouse.move(0, 0)
    assert not page.is_visible("#tip")
    term.focus()
    assert page.is_visible("#tip")
    page.keyboard.press("Escape")
    assert not page.is_visible("#tip")


def test_a_lost_line_is_shown_and_taken_up_again(web: Web, page: Any) -> None:
    """Breaks when old figures look live while the server is away, or the page has to be loaded anew afterwards."""
    page.goto("/keys")
    page.wait_for_selector(LIVE)
    with web.expecting("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|503"):
        web.served.stop()
        page.wait_for_selector('[data-line][data-state="lost"]')
        assert "Connection lost" in page.inner_text("[data-line]")
        web.served.start()
        page.wait_for_selector(LIVE, timeout=20_000)
    assert page.inner_text("[data-line]") == "Live"


def test_a_page_that_nobody_looks_at_gives_its_line_back(web: Web, page: Any) -> None:
    """Breaks when six open tabs take all of a browser's lines to the server, and the seventh shows nothing."""
    context = page.context
    page.goto("/keys")
    page.wait_for_selector(LIVE)
    others = [context.new_page() for _ in range(8)]
    for other in others:
        page.evaluate("Object.defineProperty(document, 'visibilityState', { get: () => 'hidden', configurable: true });"
                      "document.dispatchEvent(new Event('visibilitychange'))")  # fmt: skip
        other.goto("/keys")
        other.wait_for_selector(LIVE)
        page = other


def test_a_figure_changes_on_the_page_as_customers_come(web: Web, page: Any) -> None:
    """Breaks when a live figure is that of the moment at which the page was loaded."""
    with web.expecting("404"):
        page.goto("/style")
    figure = page.locator('[data-live="customers"]')
    before = int(figure.inner_text().replace(",", ""))
    web.served.track(f"somebody-{time.time_ns()}", "Order Completed", revenue=12)
    page.wait_for_selector(f'[data-live="customers"]:text-is("{before + 1:,}")')


def test_what_was_done_is_said_and_can_be_undone(web: Web, page: Any) -> None:
    """Breaks when a change passes without a word, or the way back leads nowhere."""
    with web.expecting("404"):
        page.goto("/style")
    page.click("text=Do what can be undone")
    toast = page.get_by_role("status").filter(has_text="The segment was archived.")
    toast.get_by_role("button", name="Undo").click()
    page.get_by_role("status").filter(has_text="It is as it was before.").wait_for()
    assert not page.get_by_text("The segment was archived.").is_visible()


def test_what_was_done_is_said_on_the_page_that_follows(web: Web, page: Any) -> None:
    """Breaks when the word about a change is lost on the way to the next page, or comes back on each one after."""
    with web.expecting("404"):
        page.goto("/style")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("Nothing is kept of “Win back” here.").wait_for()
        page.reload()
    page.wait_for_selector(LIVE)
    assert page.get_by_text("Nothing is kept of").count() == 0


def test_what_changes_something_asks_once(web: Web, page: Any) -> None:
    """Breaks when a slip of the mouse archives a segment, or the question can't be left by the keyboard."""
    with web.expecting("404"):
        page.goto("/style")
    page.get_by_role("button", name="Archive").first.click()
    dialog = page.get_by_role("dialog", name="Archive “Champions”?")
    assert dialog.is_visible()
    looked(page)
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.get_by_role("button", name="Archive").first.click()
    dialog.get_by_role("button", name="Cancel").click()
    assert not dialog.is_visible()


def test_a_part_that_comes_later_replaces_its_shape_or_says_why_not(web: Web, page: Any) -> None:
    """Breaks when a slow part never comes, or a failed one looks as if it were still loading."""
    page.route(re.compile("/style/later"), lambda route: route.fulfill(status=500, body="no"), times=1)
    with web.expecting("404|500"):
        page.goto("/style")
        page.get_by_text("This part can't be shown now.").wait_for()
        page.goto("/style")
    page.get_by_text("It came after the page.").wait_for()


def test_paper_bears_the_page_without_its_frame(web: Web) -> None:
    """Breaks when a printed page bears the navigation, dark ground, or a chart that wasn't in sight and isn't drawn."""
    page = web.page(dark=True)
    with web.expecting("404"):
        page.goto("/style")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.wait_for_selector("#overlap-grid svg")
    page.emulate_media(media="print")
    assert not page.is_visible(".side")
    assert not page.is_visible(".top")
    assert not page.is_visible("text=Do what can be undone")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 39, 51)"
