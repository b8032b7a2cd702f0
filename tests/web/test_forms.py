"""Forms: a fault stands beside its field, and what was typed isn't lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .browsing import looked

if TYPE_CHECKING:
    from .browsing import Web

pytestmark = pytest.mark.browser


@pytest.fixture
def form(web: Web, page: Any) -> Any:
    """The page with the form."""
    with web.expecting("404|422"):
        page.goto("/style#forms")
    return page


def test_a_fault_stands_beside_the_field_and_nothing_typed_is_lost(form: Any) -> None:
    """Breaks when a form comes back empty, doesn't say where the fault is, or says it only in colour."""
    form.fill("[name=days]", "sixty <b>")
    form.fill("[name=why]", "They would\nbuy again")
    form.select_option("[name=channel]", "sms")
    form.get_by_role("button", name="Send").click()
    form.wait_for_selector("[aria-invalid]")
    said = form.inner_text("#field-days-error")
    assert "sixty <b>" in said
    assert form.evaluate("document.activeElement.name") == "days"
    assert "field-days-error" in form.get_attribute("[name=days]", "aria-describedby")
    typed = form.evaluate("Object.fromEntries(new FormData(document.querySelector('form[data-guard]')))")
    assert (typed["days"], typed["why"], typed["channel"]) == ("sixty <b>", "They would\nbuy again", "sms")
    looked(form)


def test_who_leaves_with_something_unsaved_is_asked(form: Any) -> None:
    """Breaks when a click on the navigation throws away what was typed."""
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    form.on("dialog", stay)
    form.fill("[name=why]", "half a thought")
    assert form.is_visible("text=Not saved yet")
    form.click("nav >> text=Keys", no_wait_after=True)
    form.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    assert form.input_value("[name=why]") == "half a thought"


def test_who_has_sent_it_isnt_asked(web: Web, form: Any) -> None:
    """Breaks when saving itself asks whether to leave."""
    form.on("dialog", lambda dialog: pytest.fail("It asked."))
    form.fill("[name=name]", "Another")
    with web.expecting("404"):
        form.get_by_role("button", name="Send").click()
        form.get_by_text("Nothing is kept of “Another” here.").wait_for()
    form.click("nav >> text=Keys")
    form.wait_for_url("**/keys")


def test_a_form_is_sent_once(web: Web, form: Any) -> None:
    """Breaks when an impatient double click makes two of what should be one."""
    sent: list[str] = []
    form.on("request", lambda request: sent.append(request.method))
    with web.expecting("404"):
        form.get_by_role("button", name="Send").dblclick()
        form.get_by_text("Nothing is kept of").wait_for()
    assert sent.count("POST") == 1


def test_a_change_without_a_server_says_that_nothing_was_changed(web: Web, form: Any) -> None:
    """Breaks when a click that the server never got looks as if it had worked."""
    with web.expecting("ERR_INTERNET_DISCONNECTED|htmx:"):
        form.context.set_offline(True)
        form.click("text=Do what can be undone")
        form.get_by_text("The server can't be reached. Nothing was changed; try again.").wait_for()
        form.context.set_offline(False)
