"""The inventory of segments and the pages of one: what they show is what the server and the store know."""

from __future__ import annotations

import csv
import io
import re
import time
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.routing import Match

from serving.served import Served, write_segment
from shoal.web.app import routers
from shoal.web.pages import segments_page

from .browsing import PHONE, drawn, fits, looked
from .visiting import peopled, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .browsing import Web
    from .conftest import Shop
    from .visiting import Visitor

PURPOSES = "\ndefault_purpose: email_marketing\n"
BUYERS = 'did "Order Completed"'


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shop without a segment and without data, with somebody of each role."""
    served = Served(peopled(tmp_path_factory.mktemp("segments") / "shop", PURPOSES))
    try:
        yield served.start()
    finally:
        served.close()


def client(web_shop: Shop, role: str = "admin") -> httpx.Client:
    """Somebody of a role in the big shop, without a browser."""
    url = f"http://127.0.0.1:{web_shop.served.port}"
    return httpx.Client(base_url=url, cookies={"shoal_session": web_shop.secrets[role]}, timeout=60)


def text(answer: httpx.Response) -> str:
    """What a page says, without its markup."""
    assert answer.status_code == 200, answer.text[:2000]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


HTMX = {"HX-Request": "true"}


# ---------------------------------------------------------------- in a shop that begins


def test_a_shop_without_a_segment_says_what_to_do_next(small: Served) -> None:
    """Breaks when the empty inventory leads nowhere, or offers a viewer what only editors may."""
    with closing(signed_in(small, "editor")) as editor, closing(signed_in(small, "viewer")) as viewer:
        page = editor.get("/segments").text
        assert "There is no segment yet" in page
        assert 'href="/segments/new"' in page
        assert 'href="/segments/templates"' in page
        assert 'href="/segments/new"' not in viewer.get("/segments").text


def test_a_segment_lives_through_its_pages(small: Served) -> None:
    """Breaks when events don't show in size, flow, freshness, members and file, or consent and audit are passed over."""
    small.track("ann@shop.example", "Order Completed", revenue=40)
    small.track("C-3", "Visited")
    write_segment(small.folder, "buyers", BUYERS)
    write_segment(small.folder, "of-buyers", 'member of "buyers" and did "Visited"')
    write_segment(small.folder, "torn", 'did "Order Completed" at least')
    small.wait_for("buyers", {"ann@shop.example"}, 20)
    for who in ("C-2", "C-3"):
        small.track(who, "Order Completed", revenue=40)
    small.wait_for("buyers", {"ann@shop.example", "C-2", "C-3"}, 20)
    small.wait_for("of-buyers", {"C-3"}, 20)
    small.send("identify", userId="C-2", context={"consent": {"categoryPreferences": {"email_marketing": True}}})
    with closing(signed_in(small, "editor")) as editor, closing(signed_in(small, "viewer")) as viewer:
        _inventory(editor)
        _overview(editor)
        _members(editor, viewer)
        _handed_out(small, editor, viewer)
        _use(editor)


def _inventory(editor: Visitor) -> None:
    said = text(editor.get("/segments", headers=HTMX))
    assert "segments/torn.yaml" in said
    assert "not in force" in said
    rows = {row["slug"]: row for row in csv.DictReader(io.StringIO(editor.get("/segments.csv").text.lstrip("\ufeff")))}
    assert rows["buyers"] | {"changed": ""} == {
        "slug": "buyers", "name": "buyers", "members": "3", "share": "1.0", "change_7_days": "", "change_30_days": "",
        "state": "live", "because": "", "changed": "", "owner": "", "tags": "", "used_by": "1",
    }  # fmt: skip
    assert rows["torn"]["members"] == ""
    assert rows["torn"]["state"] == "not in force"
    faulty = editor.get("/segments", params={"state": "fault"}).text
    assert re.findall(r'<tr data-href="/segments/([\w-]+)"', faulty) == ["torn"]
    broken = text(editor.get("/segments/torn"))
    assert "can't be read" in broken
    assert "segments/torn.yaml:3" in broken


def _overview(editor: Visitor) -> None:
    page = text(editor.get("/segments/buyers"))
    assert "3 members, 100 % of 3 customers" in page
    assert re.search(r"From event to member [\d.]+ m?s in 95 of 100 cases", page), page
    course = text(editor.get("/segments/buyers/course"))
    assert "Entered" in course
    flow = editor.get("/segments/buyers/flow.json").json()["usermeta"]["rows"]
    size = editor.get("/segments/buyers/size.json").json()["usermeta"]["rows"]
    assert size[-1]["size"] == 3
    # Ann was in when the segment was made; who came after that came in.
    assert (flow[-1]["entered"], flow[-1]["left"]) == (2, 0)


def _members(editor: Visitor, viewer: Visitor) -> None:
    page = editor.get("/segments/buyers/members?sort=shown")
    assert "C-2" in page.text
    assert "C-3" in page.text
    for person in (editor, viewer):
        # Neither role sees personal data; the e-mail address that serves as an id is among it.
        said = person.get("/segments/buyers/members").text
        assert "ann@" not in said
        assert "•••••" in said
        assert "Nothing fits" in text(person.get("/segments/buyers/members", params={"search": "shop.example"}))
    assert "40.00" in page.text
    found = text(editor.get("/segments/buyers/members", params={"search": "C-3"}))
    assert "1 of 3 members" in found


def _handed_out(small: Served, editor: Visitor, viewer: Visitor) -> None:
    path = "/segments/buyers/members/file"
    assert viewer.fill(path, purpose="email_marketing").status_code == 403
    answer = editor.fill(path, purpose="email_marketing")
    assert answer.status_code == 200, answer.text[:500]
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [list(row.values()) for row in rows] == [["C-2"]]
    assert not list((small.folder / ".shoal" / "handed-out").iterdir())
    wrong = editor.fill(path, purpose="nothing like it")
    assert wrong.status_code == 422
    assert "Nothing was handed out" in wrong.text
    done = text(editor.get("/segments/buyers/quality/activity"))
    assert "Members handed out by Edith Editor" in done
    assert 'reachable for "email_marketing"' in done
    assert "Version 1 in force" in done


def _use(editor: Visitor) -> None:
    said = text(editor.get("/segments/buyers/quality/uses"))
    assert "of-buyers" in said
    card = text(editor.get("/segments/buyers/quality/card"))
    assert "Everybody is in it, so it tells nobody apart" in card
    assert "1 member is too few" in text(editor.get("/segments/of-buyers/quality/card"))
    assert "Every condition names something that the data has" in card
    assert "of-buyers 1 33 % 100 %" in card


def test_nobody_sees_pages_of_segments_without_signing_in(small: Served) -> None:
    """Breaks when a page or part of it answers somebody who isn't signed in."""
    with httpx.Client(base_url=f"http://127.0.0.1:{small.port}") as nobody:
        for path in (
            "/segments",
            "/segments.csv",
            "/segments/buyers",
            "/segments/buyers/members",
            "/segments/buyers/kpis",
        ):
            assert nobody.get(path).status_code in (303, 401), path


# ---------------------------------------------------------------- on real data


def test_the_inventory_shows_what_the_server_knows(web_shop: Shop) -> None:
    """Breaks when a size, a change, a state or a dependent isn't that of the server; or a filter, a search or an order lies."""
    known = {one["slug"]: one["size"] for one in web_shop.served.get("/v1/segments")["segments"]}
    with client(web_shop, "viewer") as viewer:
        rows = {
            row["slug"]: row for row in csv.DictReader(io.StringIO(viewer.get("/segments.csv").text.lstrip("\ufeff")))
        }
        assert {slug: int(row["members"]) for slug, row in rows.items()} == known
        assert all(row["change_30_days"] for row in rows.values() if row["slug"] in ("champions", "every-week"))
        assert rows["champions"]["state"] == "scheduled"
        assert "RFM" in rows["champions"]["because"]
        assert rows["every-week"]["state"] == "live"
        assert int(rows["slowing-down"]["used_by"]) >= 1
        page = viewer.get("/segments", params={"sort": "-size"}, headers=HTMX).text
        slugs = re.findall(r'<tr data-href="/segments/([\w-]+)"', page)
        assert slugs == sorted(slugs, key=lambda slug: -known[slug])
        assert f'data-live="segment:champions:size">{known["champions"]:,}<' in page
        assert 'class="spark"' in page
        tagged = viewer.get("/segments", params={"tag": "rfm"}).text
        assert re.findall(r'<tr data-href="/segments/([\w-]+)"', tagged) == ["champions"]
        only = viewer.get("/segments", params={"state": "scheduled"}).text
        assert "champions" in only
        assert 'data-href="/segments/every-week"' not in only
        found = viewer.get("/segments", params={"search": "win-back"}).text
        assert "lapsing-regulars" in found
        assert 'data-href="/segments/champions"' not in found


PARTS = {
    "/kpis?grain=month": ("Revenue per active customer", "beyond chance", "1 November 2017 to 30 November 2017"),
    "/difference/traits": ("Only what chance doesn't explain", "No trait sets them apart"),
    "/difference/behaviour": ("Over the last 365 days", "Orders in 365 days", "Coupon Redeemed"),
    "/personas": ("There are no micro-segments yet", "Its members belong"),
    "/moves/found?days=30": ("Came from", "Went to", "Stayed"),
    "/moves/found?days=12": ("Came from",),
    "/quality/card": ("members are enough to measure on", "Overlap with other segments", "Email marketing"),
    "/quality/uses": ("Nothing names it yet", "its condition names"),
}  # fmt: skip
EITHER = ("/difference/traits", "/personas", "/quality/uses")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_page_tells_what_it_is_of(web_shop: Shop, part: str) -> None:
    """Breaks when a part of a segment's page can't be told, or lacks what it is for."""
    with client(web_shop, "viewer") as viewer:
        said = text(viewer.get(f"/segments/champions{part}", headers=HTMX))
    held = [one in said for one in PARTS[part]]
    assert (any if part in EITHER else all)(held), (PARTS[part], said)


def test_the_chart_of_moves_adds_up(web_shop: Shop) -> None:
    """Breaks when the ribbons aren't the members of both dates, or a segment has another colour than elsewhere."""
    size = web_shop.served.get("/v1/segments/champions")["size"]
    with client(web_shop) as admin:
        answer = admin.get("/segments/champions/moves.json", params={"days": 30, "width": 800}).json()
    rows = answer["usermeta"]["rows"]
    assert abs(sum(row["customers"] for row in rows if row["after"] == "Champions") - size) <= 1
    assert {"before", "after", "customers", "revenue"} <= set(rows[0])


def test_a_segment_that_is_not_there_says_so(web_shop: Shop) -> None:
    """Breaks when an unknown segment is a fault of the server, or a name doesn't lead to its slug."""
    with client(web_shop) as admin:
        assert admin.get("/segments/champion").status_code == 404
        assert admin.get("/segments/Champions").headers["location"] == "/segments/champions"


# ---------------------------------------------------------------- in a browser


@pytest.mark.browser
def test_a_segment_is_found_opened_and_read(web: Web) -> None:
    """Breaks when a row doesn't open, a part of a page never comes, or an event isn't seen without loading anew."""
    page = web.page("editor")
    page.goto("/segments")
    drawn(page)
    looked(page)
    page.fill("#segments-search", "coupon")
    page.wait_for_url("**search=coupon**")
    page.click('tr[data-href="/segments/coupon-users"]')
    page.wait_for_url("**/segments/coupon-users")
    drawn(page)
    looked(page)
    size = page.locator('[data-live="segment:coupon-users:size"]').first
    before = int(size.inner_text().replace(",", ""))
    web.served.track(f"new-{time.time_ns()}", "Coupon Redeemed", campaign="99")
    _until(lambda: int(size.inner_text().replace(",", "")) == before + 1)
    for tab in ("What is different", "Where they came from", "Members", "Quality and use"):
        page.click(f"nav.tabs >> text={tab}")
        drawn(page)
        looked(page)
    web.shot(page, "segment-quality")


@pytest.mark.browser
def test_segments_fit_a_phone_in_the_dark(web: Web) -> None:
    """Breaks when a page of segments is wider than a phone, or can't be read in the dark."""
    page = web.page("viewer", width=PHONE, dark=True)
    for path in ("/segments", "/segments/champions", "/segments/champions/moves", "/segments/champions/members"):
        page.goto(path)
        drawn(page)
        fits(page)
        looked(page)


def _until(holds: Any, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_whatever_names_a_segment_has_a_page_to_open() -> None:
    """Breaks when the link of a metric, job … that uses a segment leads nowhere."""
    routes = [route for router in routers() for route in router.routes if "GET" in getattr(route, "methods", ())]
    for kind, path in segments_page._PAGES.items():
        scope = {"type": "http", "path": path.format(slug="some"), "method": "GET"}
        assert any(route.matches(scope)[0] is Match.FULL for route in routes), kind
