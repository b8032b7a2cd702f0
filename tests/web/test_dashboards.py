"""Dashboards in the web application: the ready ones, what is behind a mark, building one, and handing it out."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from shoal.views.dashboards.catalogue import READY

from .browsing import drawn, fits, looked, none_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from .browsing import Web


@pytest.fixture
def admin(web: Web) -> Iterator[httpx.Client]:
    """The administrator's client."""
    with web.http() as client:
        yield client


def token(client: httpx.Client) -> str:
    """A token for changes."""
    found = re.search(r'name="token" content="([^"]+)"', client.get("/dashboards").text)
    assert found is not None
    return found[1]


def saved(client: httpx.Client, slug: str, document: dict[str, Any], base: str = "", **more: str) -> httpx.Response:
    """What saving a dashboard answers."""
    sent = {"document": json.dumps(document), "base": base, **more}
    return client.post(f"/dashboards/{slug}/save", data=sent, headers={"X-Shoal-Token": token(client)})


def tile(client: httpx.Client, path: str) -> str:
    """The fragment of a tile."""
    answer = client.get(path, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    return answer.text


def ready(page: Any) -> None:
    """Wait until all tiles and charts are there; figures that nobody asked for before take a while."""
    none_left(page, '.lazy:not([hx-trigger="never"])', 90)
    drawn(page)


def test_all_that_ship_are_listed_and_open(admin: httpx.Client) -> None:
    """Breaks when one of the ready dashboards can't be read, or has no page."""
    listed = admin.get("/dashboards").text
    for slug in READY:
        assert f'href="/dashboards/{slug}"' in listed
        assert f"/dashboards/{slug}/tiles/0?" in admin.get(f"/dashboards/{slug}").text


def test_a_tile_has_its_figure_n_and_time(admin: httpx.Client) -> None:
    """Breaks when a figure stands alone: without what it rests on, its interval and the time that it reaches to."""
    text = tile(admin, "/dashboards/value/tiles/2")
    assert re.search(r'class="big".*\$[\d.]+', text)
    assert re.search(r"n = [\d,]+ customers", text)
    assert "95 %" in text
    assert "newest event" in text


def test_what_the_data_lacks_is_said(admin: httpx.Client) -> None:
    """Breaks when a tile that the data can't bear is empty, or an error."""
    text = tile(admin, "/dashboards/value/tiles/3")
    assert "no cost data" in text
    assert "metrics/margin.yaml" in text


def test_filters_stand_in_the_address_and_count(admin: httpx.Client) -> None:
    """Breaks when a segment or period in the address isn't looked at, or a wrong one isn't told."""
    every = tile(admin, "/dashboards/overview/tiles/2?segment=&period=last+12+months")
    some = tile(admin, "/dashboards/overview/tiles/2?segment=coupon-users&period=last+12+months")
    number = re.compile(r'class="big">(?:<a[^>]*>)?([\d,]+)')
    assert int(number.search(some)[1].replace(",", "")) < int(number.search(every)[1].replace(",", ""))  # type: ignore[index]
    page = admin.get("/dashboards/overview?segment=no-such&period=last+99999+months").text
    assert "no-such" in page or "is no period" in page


def test_a_mark_leads_to_its_customers_and_on_to_a_segment(admin: httpx.Client) -> None:
    """Breaks when the customers behind a cell aren't as many as the cell says, or no segment can be made of them."""
    spec = admin.get("/dashboards/overview/tiles/7/chart.json?width=600").json()
    rows = spec["usermeta"]["rows"]
    cell = next(row for row in rows if row["r"] == 5 and row["fm"] == 5)
    page = admin.get(cell["href"]).text
    assert re.search(rf'class="value">\s*{cell["customers"]:,}\s*<', page)
    assert "/segments/new?where=rfm_r%20%3D%205%20and%20rfm_fm%20%3D%205" in page


def test_a_tile_is_saved_as_csv_svg_png_and_yaml(admin: httpx.Client) -> None:
    """Breaks when a file of a tile isn't what its name says."""
    base = "/dashboards/overview/tiles/1/file"
    csv = admin.get(f"{base}.csv").text.splitlines()
    assert csv[0] == "Period,Value,95 % interval,n"
    assert len(csv) > 10
    assert admin.get(f"{base}.svg").text.startswith("<svg")
    assert admin.get(f"{base}.png").content.startswith(b"\x89PNG")
    assert "metric: revenue" in admin.get(f"{base}.yaml").text


def test_a_dashboard_is_handed_out(admin: httpx.Client) -> None:
    """Breaks when an export is no PDF, lacks a tile's title, or asks for something from elsewhere."""
    pdf = admin.get("/dashboards/data-quality/export/pdf")
    assert pdf.content.startswith(b"%PDF")
    html = admin.get("/dashboards/data-quality/export/html").text
    assert "How good each source is" in html
    assert not re.search(r'(?:src|href)="https?://', html)


def test_saving_is_checked_locked_and_audited(web: Web, admin: httpx.Client) -> None:
    """Breaks when a wrong tile is saved, a change of somebody else is overwritten, or comments go without a word."""
    document = {
        "title": "Locked",
        "filters": {},
        "tiles": [{"kind": "figure", "at": [0, 0, 3, 2], "metric": "revenue"}],
    }
    made = saved(admin, "new", document)
    assert made.json() == {"href": "/dashboards/locked"}
    file = web.folder / "dashboards" / "locked.yaml"
    assert "metric: revenue" in file.read_text()
    wrong = saved(admin, "locked", document | {"tiles": [{"kind": "figure", "at": [0, 0, 3, 2]}]})
    assert wrong.status_code == 422
    assert wrong.json()["tile"] == 0
    stale = saved(admin, "locked", document, base="0123456789abcdef")
    assert (stale.status_code, stale.json()["why"]) == (409, "changed")
    file.write_text("# of the shop\n" + file.read_text() + "# why: the board asks\n")
    base = re.search(r'data-base="([^"]+)"', admin.get("/dashboards/locked/edit").text)[1]  # type: ignore[index]
    lost = saved(admin, "locked", document, base=base)
    assert (lost.status_code, lost.json()["why"]) == (409, "comments")
    assert saved(admin, "locked", document, base=base, lose="yes").status_code == 200
    assert file.read_text().startswith("# of the shop\n")
    assert "dashboard saved" in admin.get("/audit").text
    gone = admin.post("/dashboards/locked/remove", data={"token": token(admin)})
    assert gone.status_code == 303
    assert not file.exists()


def test_a_viewer_looks_and_may_not_change(web: Web) -> None:
    """Breaks when a viewer finds an editor, or is let into one."""
    with web.http("viewer") as viewer:
        page = viewer.get("/dashboards/value").text
        assert "/dashboards/value/edit" not in page
        assert viewer.get("/dashboards/value/edit").status_code == 403
        where = "/dashboards/value/customers?where=rfm_r+%3D+5"
        assert "Make a segment" not in viewer.get(where).text


def test_a_dashboard_is_built_from_nothing_looked_at_drilled_into_and_exported(web: Web) -> None:
    """Breaks when a marketer can't put a dashboard together by mouse and by keyboard, undo, save, and use it."""
    page = web.page()
    page.goto("/dashboards")
    page.get_by_role("link", name="New dashboard").click()
    page.get_by_label("Title", exact=True).fill("Morning")
    page.get_by_role("button", name="Figure").click()
    page.get_by_label("Metric", exact=True).select_option("revenue")
    page.locator("#preview .big").wait_for()
    page.get_by_role("button", name="RFM").click()
    page.locator("#preview .art svg").wait_for()
    tiles = page.locator("#tiles .tile")
    assert tiles.count() == 2
    # By keyboard: to the right, and wider.
    figure = tiles.nth(0)
    figure.focus()
    for key in ("ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert "column 2, row 1, 4 wide" in tiles.nth(0).text_content()
    # By mouse: the grid goes two rows down.
    box = tiles.nth(1).bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 20 + 2 * 76, steps=4)
    page.mouse.up()
    row = re.search(r"row (\d+)", tiles.nth(1).text_content())[1]
    assert int(row) > 1
    page.get_by_role("button", name="Text", exact=True).click()
    assert tiles.count() == 3
    page.get_by_role("button", name="Undo").click()
    assert tiles.count() == 2
    web.shot(page, "dashboard-editor")
    looked(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/dashboards/morning")
    ready(page)
    looked(page)
    web.shot(page, "dashboard-built")
    text = (web.folder / "dashboards" / "morning.yaml").read_text()
    assert "kind: rfm" in text
    assert "at: [1, 0, 4, 2]" in text
    with page.expect_download() as download:
        page.get_by_text("Export", exact=True).click()
        page.get_by_role("link", name="PDF, one page").click()
    assert download.value.suggested_filename == "morning.pdf"
    page.locator("#tile-1 .art [role=link]").first.press("Enter")
    page.wait_for_url("**/customers?**")
    web.shot(page, "dashboard-customers")
    looked(page)
    page.get_by_role("link", name="Make a segment of them").click()
    page.wait_for_url("**/segments/new?**")


def test_the_page_on_a_phone_in_the_dark_and_live(web: Web) -> None:
    """Breaks when tiles are wider than a phone, or a live figure has no line to the server."""
    page = web.page("viewer", width=390, dark=True)
    page.goto("/dashboards/data-quality")
    ready(page)
    web.shot(page, "dashboard-phone")
    fits(page)
    looked(page)
    for _ in range(40):
        if page.locator('[data-live="rate"]').inner_text() != "–":
            break
        time.sleep(0.25)
    assert page.locator('[data-live="rate"]').inner_text() == "0"
    none_left(page, ".lazy")
