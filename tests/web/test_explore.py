"""What pages explore: each mark leads to a segment of as many customers as it says, or to a list where no condition can."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from .browsing import PHONE, drawn, fits, looked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .browsing import Web
    from .conftest import Shop

STEPS = [("step", "Campaign Sent"), ("step", "Order Completed"), ("step", "Coupon Redeemed")]
PAGES = {
    "rfm": [], "lifecycle": [("grain", "quarter")], "cohorts": [("mode", "on or after")], "funnel": STEPS,
    "paths": [("event", "Campaign Sent"), ("within", "30 days")], "migration": [], "overlap": [], "compare": [], "map": [],
}  # fmt: skip
KEPT = {"funnel", "paths", "migration"}
NEW = "/segments/new?where="


@pytest.fixture(scope="module")
def visit(web_shop: Shop) -> Iterator[httpx.Client]:
    """Somebody who may edit, without a browser."""
    secret = {"shoal_session": web_shop.secrets["editor"]}
    with httpx.Client(base_url=f"http://127.0.0.1:{web_shop.served.port}", cookies=secret, timeout=60) as client:
        yield client


def found(visit: httpx.Client, page: str, asked: list[tuple[str, str]]) -> str:
    """What a page shows of its answer."""
    answer = visit.get(f"/explore/{page}", params=asked, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    assert 'class="empty"' not in answer.text[:400], answer.text
    return answer.text


def charts(visit: httpx.Client, text: str) -> list[dict[str, Any]]:
    """The definitions of the charts of what a page shows."""
    addresses = [unescape(one) for one in re.findall(r'data-chart="([^"]+)"', text)]
    answers = [visit.get(one) for one in addresses]
    assert all(one.status_code == 200 for one in answers)
    return [one.json() for one in answers]


def size(web_shop: Shop, where: str) -> int:
    """How many customers a condition holds of, by the HTTP interface."""
    key = {"Authorization": f"Bearer {web_shop.served.key}"}
    answer = web_shop.served.http.post("/v1/preview", json={"where": where}, headers=key)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["count"])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_there_at_once_and_shows_its_question(visit: httpx.Client, name: str) -> None:
    """Breaks when a page waits for its answer, forgets what was asked, or has no chart, table, n and as-of."""
    page = visit.get(f"/explore/{name}", params=PAGES[name])
    assert page.status_code == 200, page.text
    assert all(f'value="{value}"' in page.text for _, value in PAGES[name])
    assert 'class="lazy"' in page.text
    text = found(visit, name, PAGES[name])
    assert "<table>" in text
    assert re.search(r"n: [^<]*customers[^<]*\. As of 31 December 2017", text.replace("\xa0", " "))
    drawn_ = charts(visit, text)
    assert drawn_
    assert all(one["usermeta"]["rows"] for one in drawn_)


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {"compare"}))
def test_a_mark_leads_to_a_segment_as_large_as_it_says(visit: httpx.Client, web_shop: Shop, name: str) -> None:
    """Breaks when a click on a mark makes a segment of others, or no mark of the page makes any."""
    rows = [row for chart in charts(visit, found(visit, name, PAGES[name])) for row in chart["usermeta"]["rows"]]
    marks = {row["href"]: row for row in rows if row.get("href", "").startswith(NEW)}
    for href, row in list(marks.items())[:: max(1, len(marks) // 4)]:
        (where,) = parse_qs(urlsplit(href).query)["where"]
        said = next(row[key] for key in ("active", "both", "customers") if key in row)
        assert size(web_shop, where) == said, where
    assert bool(marks) is (name not in ("paths", "migration"))
    assert bool([row for row in rows if "/keep?" in row.get("href", "")]) is (name in KEPT)


def test_migration_between_segments_begins_with_the_largest(visit: httpx.Client, web_shop: Shop) -> None:
    """Breaks when the page is empty until segments are named, or a state of now isn't the segment it leads to."""
    asked = [("of", "segments")]
    page = visit.get("/explore/migration", params=asked)
    named = [one for one in re.findall(r'value="([^"]*)"\s+id="segments-', page.text) if one]
    assert len(named) == 4
    text = found(visit, "migration", asked)
    ends = re.findall(r'data-href="/segments/new\?where=([^"]*)".*?data-head="Customers">([\d,]+)<', text, re.DOTALL)
    assert len(ends) > 2
    for where, customers in ends[:2]:
        (said,) = parse_qs(f"where={unescape(where)}")["where"]
        assert size(web_shop, said) == int(customers.replace(",", ""))
    kept = unescape(re.findall(r'data-href="([^"]*/keep\?[^"]*)"', text)[0])
    assert re.search(r"[1-9]", visit.get(kept).text.partition('class="figures"')[2][:400])


def test_marks_of_a_viewer_lead_nowhere(web_shop: Shop) -> None:
    """Breaks when somebody who may not make segments or lists is led to where they are refused."""
    cookies = {"shoal_session": web_shop.secrets["viewer"]}
    with httpx.Client(base_url=f"http://127.0.0.1:{web_shop.served.port}", cookies=cookies, timeout=60) as viewer:
        for name in ("rfm", "paths"):
            text = found(viewer, name, PAGES[name])
            assert NEW not in text
            assert "/keep?" not in text
            assert all("href" not in row for chart in charts(viewer, text) for row in chart["usermeta"]["rows"])
        assert viewer.get("/explore/paths/keep", params={"mark": '["Campaign Sent"]'}).status_code == 403


def test_customers_of_a_path_become_a_list_and_a_segment(visit: httpx.Client, web_shop: Shop) -> None:
    """Breaks when the list of a path holds others than the path counts, or its name is taken twice, or nobody notes it."""
    text = found(visit, "paths", PAGES["paths"])
    href, customers = next(
        (unescape(href), int(count.replace(",", "")))
        for href, count in re.findall(
            r'data-href="([^"]*/keep\?[^"]*)".*?data-head="Customers">([\d,]+)<', text, re.DOTALL
        )
    )
    page = visit.get(href)
    assert f">{customers:,}<" in page.text
    form = {
        "token": re.findall(r'name="token" value="([^"]+)"', page.text)[0],
        "mark": unescape(re.findall(r'name="mark" value="([^"]+)"', page.text)[0]),
    }
    action = unescape(re.findall(r'action="(/explore/paths/keep[^"]*)"', page.text)[0])
    assert visit.post(action, data=form | {"list": " "}).status_code == 422
    made = visit.post(action, data=form | {"list": "mailed buyers"})
    assert made.status_code == 303, made.text
    (where,) = parse_qs(urlsplit(made.headers["location"]).query)["where"]
    assert where == 'listed in "mailed buyers"'
    assert size(web_shop, where) == customers > 0
    again = visit.post(action, data=form | {"list": "mailed buyers"})
    assert again.status_code == 422
    assert "There is a list of this name already" in again.text
    cookies = {"shoal_session": web_shop.secrets["admin"]}
    with httpx.Client(base_url=visit.base_url, cookies=cookies, timeout=60) as admin:
        assert "mailed buyers" in admin.get("/audit").text


def test_what_is_wrong_stands_beside_its_field(visit: httpx.Client) -> None:
    """Breaks when a wrong name, time or date loses what was typed, or gives figures of something else."""
    asked = [
        ("step", "Campaign Sentt"),
        ("step", "Order Completed"),
        ("within", "30"),
        ("segment", "nobody"),
        ("from", "soon"),
    ]
    page = visit.get("/explore/funnel", params=asked)
    assert page.status_code == 422
    for name in ("step-0", "within", "segment", "from"):
        assert f'id="{name}-error"' in page.text
    assert all(f'value="{value}"' in page.text for _, value in asked)
    assert 'class="lazy"' not in page.text
    nobody = visit.get(
        "/explore/rfm", params={"segment": "weekend-only", "nothing": "x"}, headers={"HX-Request": "true"}
    )
    assert nobody.status_code == 200
    assert visit.get("/explore/nowhere").status_code == 404


def test_a_lifecycle_has_the_periods_that_are_asked_for(visit: httpx.Client) -> None:
    """Breaks when dates of a question are passed over, or dates without data give an empty picture without a word."""
    asked = [("from", "2017-05-01"), ("to", "2017-06-30")]
    (chart,) = charts(visit, found(visit, "lifecycle", asked))
    assert {row["period"] for row in chart["usermeta"]["rows"]} == {"2017-05-01", "2017-06-01"}
    later = visit.get("/explore/lifecycle", params=[("from", "2030-01-01")], headers={"HX-Request": "true"})
    assert "No period begins within these dates: the data has 2017-01-01 to 2017-12-01" in later.text


def test_steps_are_added_moved_and_taken_out(visit: httpx.Client) -> None:
    """Breaks when the steps of a funnel can't be built in the page without a script."""

    def steps(*changes: tuple[str, str]) -> list[str]:
        text = visit.get("/explore/funnel", params=[*STEPS, *changes]).text
        return re.findall(r'<input type="text" value="([^"]*)"\s+id="step-', text)

    names = [value for _, value in STEPS]
    assert steps() == names
    assert steps(("change", "add")) == [*names, ""]
    assert steps(("change", "up-2")) == [names[0], names[2], names[1]]
    assert steps(("change", "drop-0")) == names[1:]


def test_the_index_leads_to_each_page(visit: httpx.Client) -> None:
    """Breaks when a page can't be found from the index, or the index from the navigation."""
    text = visit.get("/explore").text
    assert {f"/explore/{name}" for name in PAGES} <= set(re.findall(r'href="(/explore/\w+)"', text))
    assert text.count('class="picture"') == len(PAGES)
    assert 'href="/explore"' in visit.get("/overview").text


@pytest.mark.browser
def test_a_cell_is_clicked_and_reached_by_keyboard(web: Web, page: Any) -> None:
    """Breaks when a mark can't be clicked, or reached by keys alone, or doesn't bring its condition to the builder."""
    page.goto("/explore/rfm")
    drawn(page)
    looked(page)
    web.shot(page, "explore-rfm")
    marks = page.locator(".art [role=link]")
    assert marks.count() == 25
    said = int(re.search(r"customers:? ([\d,]+)", str(marks.first.get_attribute("aria-label")))[1].replace(",", ""))  # type: ignore[index]
    marks.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/segments/new?where=*")
    page.wait_for_selector("#count")
    assert int(page.inner_text("#count").replace(",", "")) == said
    page.go_back()
    drawn(page)
    page.locator(".art [role=link]").nth(3).click()
    page.wait_for_url("**/segments/new?where=*")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("names", "width", "dark"), [(("funnel", "overlap"), PHONE, False), (("migration",), 1280, True)]
)
def test_pages_can_be_read_on_a_phone_and_in_the_dark(web: Web, names: tuple[str, ...], width: int, dark: bool) -> None:
    """Breaks when a page is wider than the phone, or has too little contrast."""
    page = web.page(width=width, dark=dark)
    for name in names:
        page.goto(f"/explore/{name}?{urlencode(PAGES[name])}")
        drawn(page)
        web.shot(page, f"explore-{name}-{'dark' if dark else 'phone'}")
        looked(page)
        fits(page)
