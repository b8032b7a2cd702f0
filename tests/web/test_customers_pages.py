"""Pages of customers: found by any identifier, their whole story, what happens if, identity quality; masked where it must be."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shoal.customers.story import Said
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.web.person_story import first_scores, warnings

from .browsing import PHONE, Web, drawn, fits, looked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.served import Served

    from .conftest import Shop

ANN, BROWSER = "ann.1042", "browser-77"
HOUSEHOLD = "1197"
"""Of the data: a household that orders every other day."""
MAIL, PHONE_NUMBER = "ann.lee@shop.example", "+447400123456"


@pytest.fixture(scope="module")
def ann(web_shop: Shop) -> Served:
    """A shop in which Ann came as a browser, bought, and told who she is."""
    served = web_shop.served
    first = served.send(anonymousId=BROWSER, event="Coupon Redeemed", properties={"till": "one"})
    assert first.status_code == 200
    traits = {"email": MAIL, "phone": PHONE_NUMBER, "city": "Leeds"}
    assert served.send("identify", userId=ANN, anonymousId=BROWSER, traits=traits).status_code == 200
    items = [{"product_id": "p1", "department": "GROCERY", "quantity": 2}]
    bought = {"revenue": 12.5, "order_id": "o-1", "products": items}
    assert served.send(userId=ANN, event="Order Completed", properties=bought).status_code == 200
    known(served, ANN, MAIL)
    return served


def known(served: Served, *identifiers: str) -> None:
    """Wait until what was acknowledged has taken effect."""
    deadline = time.monotonic() + 30
    for one in identifiers:
        while served.http.get(f"/v1/profiles/{one}", headers=served.bearer).status_code != 200:
            assert time.monotonic() < deadline, one
            time.sleep(0.05)


def asked(web_shop: Shop, role: str = "admin") -> httpx.Client:
    """A browser without a browser."""
    url = f"http://127.0.0.1:{web_shop.served.port}"
    return httpx.Client(base_url=url, cookies={"shoal_session": web_shop.secrets[role]}, timeout=60)


@pytest.fixture
def http(web_shop: Shop, ann: Served) -> Iterator[httpx.Client]:
    """The administrator's."""
    with asked(web_shop) as client:
        yield client


def post(client: httpx.Client, path: str, **form: Any) -> httpx.Response:
    """Send a form with its token."""
    token = re.search(r'name="token" (?:value|content)="([^"]+)"', client.get("/account").text)
    assert token is not None
    return client.post(path, data={"token": token[1], **form})


# ---------------------------------------------------------------- finding


@pytest.mark.parametrize(
    "text", [ANN, MAIL, MAIL.upper(), f"email:{MAIL}", PHONE_NUMBER, f"anonymous_id:{BROWSER}", f"id:{ANN}"]
)
def test_one_exact_hit_opens_at_once(http: httpx.Client, text: str) -> None:
    """Breaks when an identifier of any kind doesn't lead to the customer."""
    found = http.get("/customers", params={"q": text})
    assert (found.status_code, found.headers["location"].partition("?")[0]) == (303, f"/customers/{ANN}")


def test_an_old_id_leads_on_with_a_note(http: httpx.Client) -> None:
    """Breaks when an id that was merged away leads nowhere, or nobody is told."""
    for path in (f"/customers?q={BROWSER}", f"/customers/{BROWSER}"):
        found = http.get(path, follow_redirects=True)
        assert str(found.url).endswith(f"/customers/{ANN}?was={BROWSER}")
        assert f"“{BROWSER}” was merged into this customer" in found.text


def test_a_beginning_finds_several_and_nobody_is_told_of(http: httpx.Client) -> None:
    """Breaks when part of an id finds nobody, or a search without a hit doesn't say what it looked for and who is near."""
    assert f'href="/customers/{ANN}"' in http.get("/customers", params={"q": "ann.l"}).text
    nobody = http.get("/customers", params={"q": "ann.1043"}).text
    assert "Nobody bears “ann.1043”" in nobody
    assert f'<a href="/customers/{ANN}">{ANN}</a>' in nobody
    assert http.get("/customers/no-such-one").headers["location"] == "/customers?q=no-such-one"


def test_who_came_lately(http: httpx.Client) -> None:
    """Breaks when the newest event's customer isn't first, or merged ids stand there twice."""
    found = http.get("/customers/lately").text
    assert found.index(ANN) < found.index("data-href", found.index(ANN))
    assert found.count(f'href="/customers/{ANN}"') == 2, "the row and its link"


# ---------------------------------------------------------------- the page


def test_the_page_tells_who_they_are_and_what_they_are_in(http: httpx.Client) -> None:
    """Breaks when identifiers, memberships with their end, or the reasons aren't on the page."""
    member = http.get("/customers", params={"q": "1"}, follow_redirects=True)
    assert member.status_code == 200
    page = http.get(f"/customers/{ANN}").text
    assert all(text in page for text in (MAIL, PHONE_NUMBER, BROWSER, "Who", "Timeline"))
    why = http.get(f"/customers/{ANN}/why/champions").text
    assert "✗" in why or "✓" in why


def test_traits_say_where_they_are_from(http: httpx.Client) -> None:
    """Breaks when a trait's value, origin or history is missing."""
    known = http.get(f"/customers/{ANN}/known").text
    assert "Leeds" in known
    assert "a call" in known
    assert "Leeds" in http.get(f"/customers/{ANN}/past?trait=city").text
    household_known = http.get(f"/customers/{HOUSEHOLD}/known").text
    assert "consent-synthetic.csv:" in household_known, "the file and line of a word of consent"


def test_the_timeline_is_filtered_paged_and_shows_items(http: httpx.Client) -> None:
    """Breaks when an event, its properties or items are missing, or the filter lets others through."""
    shown = http.get(f"/customers/{ANN}/timeline").text
    assert all(text in shown for text in ("Order Completed", "Coupon Redeemed", "12.5", "GROCERY"))
    only = http.get(f"/customers/{ANN}/timeline", params={"event": "Coupon Redeemed"}).text
    assert "<strong>Order Completed" not in only
    first = http.get(f"/customers/{HOUSEHOLD}/timeline").text
    numbers = re.findall(r'class="name">order_id</span> ([^<]+)<', first)
    assert numbers, "orders have numbers"
    assert all(number.strip().isdecimal() for number in numbers), "a number that names an order isn't grouped"
    further = re.search(r'hx-get="([^"]+before=\d+)"', first)
    assert further is not None, "a household of a year has more than one page"
    earlier = http.get(further[1].replace("&amp;", "&")).text
    assert 'id="events"' not in earlier
    assert set(re.findall("<time>[^<]+", first)).isdisjoint(re.findall("<time>[^<]+", earlier))


def test_nothing_new_is_nothing_to_swap(http: httpx.Client, ann: Served) -> None:
    """Breaks when a page that watches is drawn anew without need, or isn't when an event has come."""
    shown = http.get(f"/customers/{ANN}/timeline").text
    again = re.search(r'hx-get="([^"]+newest=[^"]+)"', shown)
    assert again is not None
    path = again[1].replace("&amp;", "&")
    assert http.get(path).status_code == 204
    ann.track(ANN, "Coupon Redeemed", till="seven")
    assert "seven" in http.get(path).text


def test_next_and_changes_are_told(http: httpx.Client) -> None:
    """Breaks when the part that asks long questions fails where there is neither a model nor an experiment."""
    told = http.get(f"/customers/{ANN}/next").text
    assert "No model is fitted yet" in told
    assert "No experiment runs" in told
    assert http.get(f"/customers/{ANN}/changes").status_code == 200


# ---------------------------------------------------------------- who may see and do what


def test_a_viewer_sees_no_personal_data(web_shop: Shop, ann: Served) -> None:
    """Breaks when an address or a number stands anywhere in what the server sends to a role that needn't see it."""
    with asked(web_shop, "viewer") as client:
        for path in ("", "/known", "/timeline", "/identity", "/past?trait=email"):
            found = client.get(f"/customers/{ANN}{path}")
            assert found.status_code == 200, path
            assert MAIL not in found.text, path
            assert "7400123456" not in found.text, path
        assert "Leeds" in client.get(f"/customers/{ANN}/known").text
        assert f"/customers/{ANN}" not in client.get("/customers", params={"q": "ann.l"}).text, (
            "no part of an address finds"
        )
        assert MAIL not in client.get("/customers/identity/found").text
        page = client.get(f"/customers/{ANN}").text
        assert "Erase" not in page
        for door in (f"/customers/{ANN}/erase", f"/customers/{ANN}/export", "/customers/unmerge", "/customers/merge"):
            assert post(client, door, gone=BROWSER, typed=ANN).status_code == 403, door
        assert "Take apart" not in client.get(f"/customers/{ANN}/identity").text


def test_a_merge_is_taken_back_and_put_back(http: httpx.Client) -> None:
    """Breaks when taking apart, its undo, or its entry in the audit doesn't work."""
    page = http.get(f"/customers/{ANN}/identity").text
    assert "Take apart" in page
    assert 'class="merge"' in page
    assert post(http, "/customers/unmerge", gone=BROWSER).status_code == 303
    assert http.get(f"/customers/{BROWSER}").status_code == 200
    assert post(http, "/customers/unmerge", gone=BROWSER).status_code == 409
    assert post(http, f"/customers/merge?kept={ANN}&gone={BROWSER}").status_code == 303
    assert http.get(f"/customers/{BROWSER}").status_code == 303
    assert "customers taken apart" in http.get("/audit").text
    found = http.get("/customers/identity/found").text
    assert "was taken apart from" in found
    assert "a person said so" in found


def test_who_may_be_one_is_asked_of(http: httpx.Client, ann: Served) -> None:
    """Breaks when two who share an address in a trait aren't told of, or a refused merge isn't."""
    for who in ("twin-a", "twin-b"):
        assert ann.send("identify", userId=who, traits={"mobile phone": "+447400999888"}).status_code == 200
    assert ann.send("identify", userId="thief", traits={"email": MAIL}).status_code == 200
    known(ann, "thief")
    found = http.get("/customers/identity/found").text
    alike = found[found.index("May be one person") : found.index("Refused merges")]
    assert "twin-a" in alike
    assert "twin-b" in alike
    refused = found[found.index("Refused merges") : found.index("Merges lately")]
    assert "thief" in refused
    assert ANN in refused


def test_ids_that_are_addresses_stay_hidden_from_an_editor(web_shop: Shop, ann: Served) -> None:
    """Breaks when a button's hidden field bears an id that the page around it hides."""
    for who in ("zoe@shop.example", "zed@shop.example"):
        traits = {"mobile phone": "+447400111222"}
        assert ann.send("identify", userId=who, traits=traits).status_code == 200
    known(ann, "zoe@shop.example", "zed@shop.example")
    with asked(web_shop, "editor") as client:
        found = client.get("/customers/identity/found").text
        lately = client.get("/customers/lately").text
    assert "May be one person" in found
    assert not [name for name in ("zoe@", "zed@", "1112") if name in found + lately]
    with asked(web_shop) as client:
        assert "zoe@shop.example" in client.get("/customers/identity/found").text


def test_an_officer_hands_out_and_erases(web_shop: Shop, ann: Served) -> None:
    """Breaks when an export lacks the person, an erasure goes through without their id typed, or isn't noted."""
    ann.track("goner-1", "Coupon Redeemed", coupon="c3")
    known(ann, "goner-1")
    with asked(web_shop, "privacy officer") as client:
        handed = post(client, "/customers/goner-1/export")
        assert handed.content[:2] == b"PK"
        assert post(client, "/customers/goner-1/erase", typed="goner").status_code == 303
        assert client.get("/customers/goner-1").status_code == 200, "nothing was erased"
        assert post(client, "/customers/goner-1/erase", typed="goner-1").headers["location"] == "/customers"
        assert client.get("/customers/goner-1").status_code == 303
        assert "was erased" in client.get("/customers", params={"q": "goner-1"}).text
    with asked(web_shop) as client:
        assert "customer erased" in client.get("/audit").text


# ---------------------------------------------------------------- what happens if


def test_what_if_is_what_happens(ann: Served) -> None:
    """Breaks when what the interface foretells differs from what is published once the event is really sent."""
    bought = {"revenue": 180.0, "order_id": "o-2"}
    body = {"events": [{"event": "Order Completed", "properties": bought}]}
    answer = ann.http.post(f"/v1/profiles/{ANN}/what-if", json=body, headers=ann.bearer)
    assert answer.status_code == 200, answer.text
    foretold = answer.json()
    before = {one["segment"] for one in ann.get(f"/v1/profiles/{ANN}")["memberships"]}
    assert {one["segment"] for one in foretold["before"]} == before, "nothing of it is kept"
    assert foretold["changes"], "an order of 180 changes something"
    ann.track(ANN, "Order Completed", **bought)
    after = wait_for_memberships(ann, {one["segment"] for one in foretold["after"]})
    ends = {one["segment"]: one["until"] for one in after}
    assert ends.keys() == {one["segment"] for one in foretold["after"]}
    assert {slug: day(at) for slug, at in ends.items()} == {
        one["segment"]: day(one["until"]) for one in foretold["after"]
    }


def wait_for_memberships(served: Served, wanted: set[str]) -> list[dict[str, Any]]:
    """The memberships, once they are as wanted, or after a while."""
    deadline = time.monotonic() + 10
    while True:
        found: list[dict[str, Any]] = served.get(f"/v1/profiles/{ANN}")["memberships"]
        if {one["segment"] for one in found} == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def day(at: str | None) -> datetime | None:
    """The minute of an instant: the event came a moment after it was asked of."""
    return None if at is None else datetime.fromisoformat(at).astimezone(UTC).replace(second=0, microsecond=0)


def test_a_wrong_what_if_says_so(ann: Served, http: httpx.Client) -> None:
    """Breaks when a question that can't be answered fails with a trace, or the page loses what was typed."""
    path = f"/v1/profiles/{ANN}/what-if"
    for body, fault in (({"until": "soon"}, "no instant"), ({"until": "2999-01-01T00:00:00Z"}, "too far")):
        answer = ann.http.post(path, json=body, headers=ann.bearer)
        assert answer.status_code == 400
        assert fault in answer.json()["error"]["problem"]
    assert ann.http.post("/v1/profiles/nobody-here/what-if", json={}, headers=ann.bearer).status_code == 404
    asked = {"event": "Order Completed", "p:revenue": "many", "days": "1.5"}
    page = http.get(f"/customers/{ANN}/what-if", params=asked)
    assert page.status_code == 422
    assert "isn’t one" in page.text or "isn&#39;t one" in page.text
    assert 'value="many"' in page.text
    assert "whole number of days" in page.text
    far = http.get(f"/customers/{ANN}/what-if/found", params={"event": "Order Completed", "at": "2999-01-01T00:00"})
    assert "too far ahead" in far.text


def test_scores_are_told_with_their_ends() -> None:
    """Breaks when the scores that people ask for first aren't told, or without their interval, unit or reason."""

    def score(name: str, value: Any) -> Said:
        return Said(name, value, 0, 0, "computed", "c1", True, 1)

    scores = [
        score("value_predicted_365d", Decimal("120.5")), score("value_predicted_365d_low", Decimal(80)),
        score("value_predicted_365d_high", Decimal(160)), score("churn_90d", Decimal("0.25")),
        score("churn_90d_reason", "last order long ago"), score("next_order_on", date(2026, 3, 1)),
        score("next_order_from", date(2026, 2, 20)), score("next_order_until", date(2026, 3, 9)), score("taste", "tea"),
    ]  # fmt: skip
    first, everything = first_scores(scores, "GBP", "UTC")
    told = {one.label: (one.value, one.interval.replace("\N{NO-BREAK SPACE}", " "), one.note) for one in first}
    assert told["Value of the next 365 days"][1] == "£80.00 to £160.00"
    assert told["Chance of no order in 90 days"][2] == "last order long ago"
    assert told["Next order"] == ("1 March 2026", "20 February 2026 to 9 March 2026", "")
    assert len(everything) == len(scores)


def test_who_must_not_be_written_to_is_warned_of() -> None:
    """Breaks when somebody dead, on a list that keeps them out, or who refuses is written to without a warning."""
    dead = Said("deceased", True, 0, 0, "api", "c1", False, 1)
    alive = Said("deceased", False, 0, 0, "api", "c1", False, 1)
    kept_out = {"vip": Definition("vip", "VIP", parse("age > 1"), never="staff")}
    assert warnings([alive], {"mail": True}, ["friends"], kept_out) == []
    found = " ".join(warnings([dead], {"mail": False}, ["staff"], kept_out))
    assert all(text in found for text in ("deceased", "keeps them out of VIP", "refuse mail"))


# ---------------------------------------------------------------- in a browser


def test_a_marketer_looks_at_a_customer(web: Web, ann: Served) -> None:
    """Breaks when somebody can't find a customer, see an event come in, or try one out; at any width, light or dark."""
    page = web.page()
    page.goto("/customers")
    drawn(page)
    looked(page)
    web.shot(page, "customers")
    page.fill('input[name="q"] >> nth=0', MAIL)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/customers/{ANN}")
    page.locator("#events").wait_for()
    drawn(page)
    looked(page)
    web.shot(page, "customer")
    ann.track(ANN, "Campaign Sent", note="live-one")
    page.locator("#events", has_text="live-one").wait_for(timeout=15_000)
    page.get_by_role("link", name="What happens if").click()
    page.fill("#field-event", "Order Completed")
    page.keyboard.press("Tab")
    page.get_by_label("revenue").fill("400")
    page.fill("#field-days", "60")
    page.get_by_role("button", name="See what changes").click()
    page.locator("#changes li").first.wait_for()
    looked(page)
    web.shot(page, "customer-what-if")
    page.get_by_role("link", name="How they were joined").click()
    page.locator("svg.joined").wait_for()
    looked(page)
    web.shot(page, "customer-identity")


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(web: Web, ann: Served, dark: bool) -> None:
    """Breaks when a page of customers is wider than a phone, or can't be read in the dark."""
    page = web.page("admin", width=PHONE, dark=dark)
    shade = "dark" if dark else "phone"
    for name, path in (
        ("customer", f"/customers/{ANN}"),
        ("customer-what-if", f"/customers/{ANN}/what-if?event=Order+Completed&days=90"),
        ("customer-identity", f"/customers/{ANN}/identity"),
        ("identity", "/customers/identity"),
    ):
        page.goto(path)
        drawn(page)
        fits(page)
        if dark:
            looked(page)
        web.shot(page, f"{name}-{shade}")
