"""Segments are built in the browser: by mouse, by keyboard alone, as text; their sizes, faults, drafts and versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from .browsing import PHONE, fits, looked

if TYPE_CHECKING:
    from .browsing import Web

pytestmark = pytest.mark.browser
OFTEN = 'did "Order Completed" at least 3 times in last 90 days'


def opened(page: Any, text: str = "", more: str = "") -> Any:
    """The builder with a text, counted; answers nothing that a hurried hand would meet."""
    page.goto(f"/segments/new?where={text.replace('%', '%25').replace('+', '%2B')}{more}")
    page.wait_for_selector("#count" if text else ".begin")
    return page


def text_of(page: Any) -> str:
    return " ".join(str(page.evaluate("document.getElementById('builder-text').value")).split())


def says(page: Any, text: str) -> None:
    """Wait until the definition is a text."""
    page.wait_for_function(
        "text => document.getElementById('builder-text').value.replace(/\\s+/g, ' ') === text", arg=text, timeout=8_000
    )


def exact(web: Web, text: str) -> int:
    """How many the HTTP interface finds for a text."""
    found = web.served.http.post(
        "/v1/preview", json={"where": text}, headers={"Authorization": f"Bearer {web.served.key}"}
    )
    assert found.status_code == 200, found.text
    return int(found.json()["count"])


def counts(page: Any, number: int) -> None:
    """Wait until the size is a number."""
    page.wait_for_function(
        "n => document.getElementById('count')?.innerText.replaceAll(',', '') === n", arg=str(number), timeout=8_000
    )


def definition(web: Web, slug: str) -> str:
    return (web.folder / "segments" / f"{slug}.yaml").read_text()


def test_a_segment_is_built_from_nothing_by_mouse(web: Web, page: Any) -> None:
    """Breaks when a condition can't be added, chosen from the data, sized exactly, explained or saved as a file."""
    opened(page)
    page.click(".begin >> text=Add a condition")
    page.fill("#pick-conditions input", "number of")
    page.click("#pick-conditions [data-key='did times']")
    event = page.locator("input[aria-label=Event]")
    event.press_sequentially("order")
    page.click("#suggestions li:has-text('Order Completed')")
    says(page, 'did "Order Completed" at least 2 times')
    page.fill("input[aria-label='Number of times']", "3")
    page.select_option("select[aria-label=When]", "last")
    page.fill("input[aria-label='How long']", "90")
    page.keyboard.press("Tab")
    says(page, OFTEN)
    counts(page, exact(web, OFTEN))
    page.click(".b-group-foot > .b-add")
    page.click("#pick-conditions [data-key=compare]")
    page.locator("input[aria-label='What is known of them']").press_sequentially("value")
    page.click("#suggestions li:has(span:text-is('value'))")
    page.locator(".b-row >> nth=1 >> select[aria-label='How it is compared']").select_option(">=")
    page.locator(".b-row >> nth=1 >> input[aria-label=Value]").fill("2000")
    page.keyboard.press("Tab")
    whole = f"{OFTEN} and value >= 2000"
    says(page, whole)
    counts(page, exact(web, whole))
    # Where people are lost, of the base, and each condition by itself.
    alone = exact(web, "value >= 2000")
    assert page.locator(".b-row >> nth=1 >> .b-size").get_attribute("title").startswith(f"{alone:,} by itself")
    lost = page.locator(".waterfall tr").nth(2).inner_text()
    assert f"−{exact(web, 'value is known or value is missing') - exact(web, OFTEN):,}" in lost
    assert "did “Order Completed” at least 3 times" in page.locator("#sentence").inner_text().replace("Did", "did")
    page.wait_for_selector("#reach:not([aria-busy]) td:has-text('Agreed to email_marketing')")
    agreed = exact(web, f'{whole} and consents to "email_marketing"')
    assert (
        f"{agreed:,}" in page.locator("#reach tr", has_text=re.compile(r"^\s*Agreed to email_marketing")).inner_text()
    )
    page.wait_for_selector("#overlap:not([aria-busy]) tr:has-text('Champions')")
    page.wait_for_selector("#members:not([aria-busy])")
    page.click("#members summary >> nth=0")
    assert "value:" in page.locator("#members li").first.inner_text()
    web.shot(page, "builder")
    page.fill("input[name=name]", "Often and much")
    page.click("#save")
    page.wait_for_url(re.compile(r"/segments/often-and-much"))
    assert "value >= 2000" in definition(web, "often-and-much")
    listed = web.served.http.get(
        "/v1/segments/often-and-much", headers={"Authorization": f"Bearer {web.served.key}"}
    ).json()
    assert listed["size"] == exact(web, whole)


def test_the_keyboard_alone_suffices(web: Web, page: Any) -> None:
    """Breaks when a condition can't be reached, added, moved, negated, deleted or saved without a mouse."""
    opened(page)
    keys = page.keyboard
    for _ in range(40):
        keys.press("Tab")
        if page.evaluate("document.activeElement?.dataset.picks === 'conditions'"):
            break
    keys.press("Enter")
    keys.type("in a segment")
    keys.press("Enter")
    page.wait_for_selector("input[aria-label=Segment]")
    keys.type("champ")
    page.wait_for_selector("#suggestions li")
    keys.press("ArrowDown")
    keys.press("Enter")
    says(page, 'member of "champions"')
    page.wait_for_function("() => !document.querySelector('.b-fault')")
    keys.press("Escape")
    keys.press("n")
    says(page, 'not member of "champions"')
    keys.press("a")
    keys.type("agreed")
    keys.press("Enter")
    page.wait_for_selector("input[aria-label=Purpose]")
    keys.type("email_marketing")
    keys.press("Enter")
    says(page, 'not member of "champions" and consents to "email_marketing"')
    keys.press("Escape")
    keys.press("Alt+ArrowUp")
    says(page, 'consents to "email_marketing" and not member of "champions"')
    keys.press("ArrowDown")
    keys.press("d")
    says(page, 'consents to "email_marketing" and not member of "champions" and not member of "champions"')
    keys.press("Delete")
    says(page, 'consents to "email_marketing" and not member of "champions"')
    keys.press("Control+z")
    keys.press("Control+z")
    says(page, 'consents to "email_marketing" and not member of "champions"')
    keys.press("Control+Shift+z")
    keys.press("Control+Shift+z")
    says(page, 'consents to "email_marketing" and not member of "champions"')
    keys.press("?")
    page.wait_for_selector("#keys[open]")
    looked(page)
    keys.press("Escape")
    keys.press("Control+s")
    page.wait_for_selector("#field-name[aria-invalid=true]")
    assert page.evaluate("document.activeElement.name") == "name"
    keys.type("Reachable, not champions")
    keys.press("Control+s")
    page.wait_for_url(re.compile(r"/segments/reachable-not-champions"))


def test_rows_and_text_step_together_and_a_fault_is_marked_where_it_is(web: Web, page: Any) -> None:
    """Breaks when text and rows disagree, a fault is marked elsewhere, or what was typed is lost by one."""
    opened(page, 'did "Order Completed" in last 30 days', "&view=both")
    code = page.locator("#text .cm-content")
    code.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(' and consents to "email_mark')
    page.wait_for_selector(".cm-tooltip-autocomplete li:has-text('email_marketing')")
    # The editor takes no Enter in the moment in which the list comes.
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    says(page, 'did "Order Completed" in last 30 days and consents to "email_marketing"')
    page.wait_for_selector(".b-row >> nth=1")
    page.keyboard.type(" and ag >")
    page.wait_for_selector("#rows .notice.bad")
    assert page.locator(".cm-lintRange-error").count() == 1
    page.keyboard.type(" 3")
    page.wait_for_selector(".b-row >> nth=2")
    assert "Did you mean" in page.locator(".b-row >> nth=2 >> .b-fault").inner_text()
    assert page.locator("#text .cm-lintRange-error").inner_text() == "ag"
    looked(page)
    page.fill("input[aria-label='How long']", "60")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('#text').shadowRoot.textContent.includes('in last 60 days')")
    page.fill(".b-row >> nth=2 >> input[aria-label='What is known of them']", "value")
    page.keyboard.press("Tab")
    says(page, 'did "Order Completed" in last 60 days and consents to "email_marketing" and value > 3')
    page.wait_for_function("() => !document.querySelector('.b-fault')")
    counts(page, exact(web, text_of(page)))


def test_what_cant_be_written_stays_in_its_field_with_the_reason(web: Web, page: Any) -> None:
    """Breaks when a wrong number disappears, or an edit elsewhere loses it or moves it to another row."""
    opened(page, 'did "Order Completed" in last 30 days and value > 3')
    page.fill("input[aria-label='How long']", "a month")
    page.keyboard.press("Tab")
    page.wait_for_selector(".b-value .error:has-text('not a whole number')")
    assert page.input_value("input[aria-label='How long']") == "a month"
    page.click(".b-row >> nth=0 >> .b-more summary")
    page.click(".b-row >> nth=0 >> text=Move down")
    says(page, 'value > 3 and did "Order Completed" in last 30 days')
    assert page.input_value(".b-row >> nth=1 >> input[aria-label='How long']") == "a month"
    page.fill(".b-row >> nth=0 >> input[aria-label=Value]", "many")
    page.keyboard.press("Tab")
    page.wait_for_selector(".b-row >> nth=0 >> .b-fault")
    assert page.input_value(".b-row >> nth=0 >> input[aria-label=Value]") == "many"
    # The row that has a fault doesn't count, the other does.
    counts(page, exact(web, 'did "Order Completed" in last 30 days'))
    page.fill("input[aria-label='How long']", "28")
    page.keyboard.press("Tab")
    says(page, 'value > "many" and did "Order Completed" in last 28 days')
    assert page.locator(".b-value .error").count() == 0


def test_a_draft_outlives_the_page_and_a_lost_line(web: Web, page: Any) -> None:
    """Breaks when a reload, or a connection that is lost for a while, loses what was made."""
    opened(page, "value > 10")
    page.fill("input[name=name]", "Half made")
    page.fill("input[aria-label=Value]", "20")
    page.keyboard.press("Tab")
    page.wait_for_url(re.compile("draft="))
    page.wait_for_function("() => document.getElementById('kept').textContent === 'Kept as a draft'")
    page.reload()
    page.wait_for_selector("#count")
    assert (text_of(page), page.input_value("input[name=name]")) == ("value > 20", "Half made")
    with web.expecting("ERR_INTERNET_DISCONNECTED"):
        page.context.set_offline(True)
        page.fill("input[aria-label=Value]", "30")
        page.keyboard.press("Tab")
        page.wait_for_selector('[data-line][data-state="lost"]')
        page.context.set_offline(False)
        says(page, "value > 30")
        counts(page, exact(web, "value > 30"))
    page.wait_for_function("() => document.getElementById('kept').textContent === 'Kept as a draft'")
    page.goto("/segments/templates")
    page.wait_for_selector(".card")
    looked(page)
    web.shot(page, "templates")
    draft = page.locator(".draft", has_text="Half made")
    draft.locator("text=Discard").click()
    page.wait_for_selector(".card")
    assert page.locator(".draft", has_text="Half made").count() == 0


def test_who_saves_second_is_told_and_versions_can_be_compared_and_restored(web: Web, page: Any) -> None:
    """Breaks when one person's change overwrites another's in silence, or an older version can't be gone back to."""
    other = web.page("editor")
    for one in (page, other):
        one.goto("/segments/new?where=value > 500&name=Five hundred" if one is page else "/segments/five-hundred/edit")
        one.wait_for_selector("#count")
        if one is page:
            one.click("#save")
            one.wait_for_url(re.compile("/segments/five-hundred"))
    page.goto("/segments/five-hundred/edit")
    page.wait_for_selector("#count")
    for one, number in ((other, "600"), (page, "700")):
        one.fill("input[aria-label=Value]", number)
        one.keyboard.press("Tab")
        says(one, f"value > {number}")
    left = exact(web, "value > 500 and not value > 700")
    # What stood there before the last change may still stand there.
    page.wait_for_selector(f"#difference:not([aria-busy]) td:has-text('−{left:,}')")
    assert f"−{left:,}" in page.locator("#difference").inner_text()
    other.click("#save")
    other.wait_for_url(re.compile(r"/segments/five-hundred(/versions)?$"))
    page.click("#save")
    page.wait_for_selector("#conflict[open]")
    assert page.locator("#theirs").inner_text() == "value > 600"
    page.click("#save-anyway")
    page.wait_for_url(re.compile(r"/segments/five-hundred(/versions)?$"))
    assert "value > 700" in definition(web, "five-hundred")
    page.goto("/segments/five-hundred/versions")
    assert page.locator(".versions > li").count() == 3
    assert (
        page.locator(".versions > li").first.locator(".difference .gone").inner_text().strip().endswith("value > 600")
    )
    page.click(".versions > li:last-child >> text=Who would enter and leave")
    page.wait_for_selector(f"#difference-1 .up:has-text('+{exact(web, 'value > 500 and not value > 700'):,}')")
    looked(page)
    web.shot(page, "versions")
    page.click(".versions > li:last-child >> text=Restore")
    page.wait_for_function("() => document.querySelectorAll('.versions > li').length === 4")
    assert "value > 500" in definition(web, "five-hundred")


def test_a_segment_that_others_name_cant_be_deleted_and_another_can(web: Web, page: Any) -> None:
    """Breaks when deleting a segment leaves others without what they name, or can't be done at all."""
    for text, name in (("value > 1", "Inner one"), ('member of "inner-one" and value > 2', "Outer one")):
        opened(page, text, f"&name={name}")
        page.click("#save")
        page.wait_for_url(re.compile(r"/segments/(inner|outer)-one"))
    page.goto("/segments/inner-one/versions")
    assert "Outer one" in page.locator(".notice").inner_text()
    assert page.locator("button:has-text('Delete')").count() == 0
    page.goto("/segments/outer-one/versions")
    page.click("button:has-text('Delete') >> nth=0")
    page.click("dialog >> text=Delete it")
    page.wait_for_load_state()
    assert not (web.folder / "segments" / "outer-one.yaml").exists()


def test_a_similar_segment_is_warned_of(web: Web, page: Any) -> None:
    """Breaks when somebody makes the same segment a second time without knowing it."""
    opened(page, "rfm_fm >= 4 and rfm_r >= 4")
    page.wait_for_selector("#overlap .notice:has-text('asks the same already')")


def test_on_a_phone_and_in_the_dark_it_fits_and_reads(web: Web) -> None:
    """Breaks when rows reach beyond a phone's width, or colours can't be read."""
    text = (
        'value > 100 and (did "Order Completed" then not "Order Completed" within 30 days or not member of "champions")'
    )
    small = opened(web.page(width=PHONE, height=844), text)
    fits(small)
    looked(small)
    web.shot(small, "builder-phone")
    dark = opened(web.page(dark=True), text, "&view=both")
    dark.wait_for_selector("#text .cm-content")
    looked(dark)
    web.shot(dark, "builder-dark")


def test_who_may_only_look_sees_templates_and_builds_nothing(web: Web) -> None:
    """Breaks when a viewer can open the builder or change a segment by its address."""
    viewer = web.page("viewer")
    with web.expecting("403"):
        viewer.goto("/segments/new")
        assert "may" in viewer.locator("main").inner_text()
    viewer.goto("/segments/templates")
    viewer.wait_for_selector(".card")
    assert viewer.locator("text=Begin with it").count() == 0
    with web.http("viewer") as client:
        assert client.post("/segments/build/save", data={"name": "x", "text": "value > 1"}).status_code == 403
