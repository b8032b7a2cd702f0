"""Pages of the parts: KPIs, experiments, predictions, groups found, pilots, feedback, data, privacy, jobs, delivery."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import hatch_build
import httpx
import pytest

import shoal
from serving.served import Served
from shoal.workspace.questions import answer

from .browsing import Web, drawn, fits, looked
from .conftest import signed_in
from .shop import ROLES, copied

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANNED = """\
name: Mail with free delivery
hypothesis: Free delivery brings households back.
arms: {control: 50%, mail: 50%}
primary: revenue
secondary: [orders]
minimum_effect: 10%
plan: {kind: fixed, days: 28}
exposure: at start
"""
JOBS = "\njobs:\n  nightly: {run: publish, every: day at 06:00}\n"
WATCHED = "owner: Ann Alder\nalert: {each: month, above: 1}\n"


@pytest.fixture(scope="module")
def parts_shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A shop of its own, since these tests start experiments and fit models in it; and who is signed in."""
    hatch_build.build()
    folder = tmp_path_factory.mktemp("parts") / "shop"
    served = Served(folder, like=copied(request.config.cache.mkdir("web-shop"), folder))
    for name, text in (("experiments/free-delivery", PLANNED), ("metrics/orders", WATCHED)):
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with (folder / "shoal.yaml").open("a") as settings:
        settings.write(JOBS)
    try:
        served.start()
        yield served, {role: signed_in(served, role) for role in ROLES}
    finally:
        served.close()


@pytest.fixture
def parts(parts_shop: Any, browser: Any) -> Iterator[Web]:
    """The shop with browsers that fail where a page complains."""
    served, secrets = parts_shop
    shots = os.environ.get("SHOAL_SHOTS")
    found = Web(served, browser, secrets, Path(shots) if shots else None)
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(parts_shop: Any) -> Iterator[Any]:
    """Gives a client of a role."""
    served, secrets = parts_shop
    made: dict[str, httpx.Client] = {}

    def of(role: str = "editor") -> httpx.Client:
        if role not in made:
            cookies = {"shoal_session": secrets[role]}
            made[role] = httpx.Client(base_url=f"http://127.0.0.1:{served.port}", cookies=cookies, timeout=90)
        return made[role]

    yield of
    for one in made.values():
        one.close()


def part(client: httpx.Client, path: str) -> str:
    """What htmx gets of a page."""
    answer = client.get(path, headers={"HX-Request": "true"})
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return unescape(answer.text)


def post(client: httpx.Client, path: str, **form: Any) -> httpx.Response:
    """Send a form with the token of a page."""
    token = re.search(r'name="token" (?:value|content)="([^"]+)"', client.get("/account").text)
    assert token is not None
    return client.post(path, data={"token": token[1], **form})


# ------------------------------------------------------------ every page

EVERY = (
    ("/kpis/revenue", "Revenue"), ("/kpis/alerts", "Alerts and targets"), ("/kpis/costs", "Costs"),
    ("/experiments", "Experiments"), ("/experiments/free-delivery", "Mail with free delivery"), ("/predictions", "Predictions"),
    ("/predictions/price", "It isn't fitted yet"), ("/predictions/contracts", "Retention"), ("/discovery", "Groups found"),
    ("/pilots", "Pilots"), ("/pilots/scoreboard", "Scoreboard"), ("/feedback", "Feedback"), ("/data", "Data"),
    ("/data/sources/transactions", "completeness"), ("/data/quarantine", "Quarantine"), ("/data/plan", "no tracking plan yet"),
    ("/data/schema", "What there is"), ("/data/events/Order Completed", "product_category"), ("/data/traits/income", "50-74K"),
    ("/privacy", "Privacy"), ("/jobs", "nightly"), ("/delivery", "Nothing is sent anywhere yet"),
)  # fmt: skip
EMPTY = (
    ("/kpis/costs", "No spend is known yet"), ("/predictions", "not fitted yet"), ("/predictions/contracts", "under contract"),
    ("/discovery", "shoal discover"), ("/pilots", "Write pilots/NAME.yaml"), ("/feedback", "Nobody has said anything yet"),
    ("/data/quarantine", "No row is put aside"), ("/data", "transactions"), ("/data/schema", "Coupon Redeemed"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "says"), EVERY)
def test_a_viewer_may_look_at_every_page(client: Any, path: str, says: str) -> None:
    """Breaks when a page of the parts can't be opened, or needs a right to be looked at."""
    answer = client("viewer").get(path)
    assert answer.status_code == 200, answer.text
    assert says in unescape(answer.text)


@pytest.mark.parametrize(("path", "says"), EMPTY)
def test_what_isnt_there_says_what_to_do(client: Any, path: str, says: str) -> None:
    """Breaks when an empty part is blank instead of saying what is missing."""
    assert says in part(client("viewer"), path)


@pytest.mark.parametrize("path", [
    "/experiments/free-delivery/start", "/experiments/new", "/predictions/churn/fit", "/discovery/fit", "/kpis/alerts/check",
    "/data/load", "/jobs/nightly/run", "/delivery", "/pilots/any/start",
])  # fmt: skip
def test_a_viewer_changes_nothing(client: Any, path: str) -> None:
    """Breaks when somebody who may only look can start, fit, load or send."""
    assert post(client("viewer"), path).status_code == 403


def test_personal_data_needs_its_right(client: Any) -> None:
    """Breaks when rows as they came, or who asked to be erased, can be had without the right to personal data."""
    for path in ("/data/quarantine.csv", "/privacy/requests"):
        assert client("editor").get(path).status_code == 403
        assert client("privacy officer").get(path).status_code == 200


# ------------------------------------------------------------ KPIs


def test_the_catalogue_has_the_figures_of_the_interface(client: Any, parts_shop: Any) -> None:
    """Breaks when the page shows another figure than programs get, or hides who relies on a metric."""
    served, _ = parts_shop
    found = served.get("/v1/figures", metric="revenue")["metrics"][0]["figures"]
    newest = [row for row in found if row["finished"]][-1]
    text = part(client("viewer"), "/kpis?search=revenue")
    assert f"${newest['value']:,.0f}" in text
    assert "Mail with free delivery" in text
    trend = client("viewer").get("/kpis/revenue/trend.json?grain=month").json()
    drawn_ = {row["period"]: row["value"] for row in trend["usermeta"]["rows"]}
    assert drawn_ == {row["period"]: row["value"] for row in found}


def test_an_alert_is_raised_taken_up_and_kept_quiet(client: Any) -> None:
    """Breaks when the button checks nothing, or what was done of an alert is lost."""
    editor = client()
    assert post(editor, "/kpis/alerts/check").status_code == 303
    text = part(editor, "/kpis/alerts")
    alert = re.search(r"/kpis/alerts/([a-z0-9]+)/acknowledge", text)
    assert alert is not None, text
    assert post(editor, f"/kpis/alerts/{alert[1]}/acknowledge", said="Ann looks at it").status_code == 303
    text = part(editor, "/kpis/alerts")
    assert "Ann looks at it" in text
    assert "somebody is at it" in text
    assert post(editor, f"/kpis/alerts/{alert[1]}/snooze", until="2000-01-01").status_code == 303
    assert "quiet for now" not in part(editor, "/kpis/alerts")


# ------------------------------------------------------------ experiments

DRAFT = {"name": "Two vouchers", "primary": "revenue", "arms": "control: 50%, voucher: 50%", "minimum_effect": "20%",
         "plan": "fixed", "days": "28", "exposure": "at start"}  # fmt: skip


def test_a_wrong_draft_says_so_beside_the_field_and_loses_nothing(client: Any) -> None:
    """Breaks when a fault of the file isn't laid at the field that it comes from, or what was typed is gone."""
    for wrong, field in (({"arms": "control: 50%, voucher: 20%"}, "arms"), ({"population": "no such"}, "population"),
                         ({"primary": ""}, "primary")):  # fmt: skip
        answer = post(client(), "/experiments/new", **(DRAFT | {"hypothesis": "Kept <all>"} | wrong), do="save")
        assert answer.status_code == 422
        assert f'id="field-{field}-error"' in answer.text
        assert "Kept <all>" in unescape(answer.text)


def test_a_draft_is_planned_and_then_written(client: Any, parts_shop: Any) -> None:
    """Breaks when planning writes a file, or the file isn't the experiment that was planned."""
    served, _ = parts_shop
    path = served.folder / "experiments" / "two-vouchers.yaml"
    answer = post(client(), "/experiments/new", **DRAFT, do="plan")
    assert answer.status_code == 200
    assert "all arms together" in answer.text
    assert not path.exists()
    assert post(client(), "/experiments/new", **DRAFT, do="save").status_code == 303
    held = next(one for one in served.get("/v1/experiments")["experiments"] if one["slug"] == "two-vouchers")
    assert (held["primary"], held["minimum_effect"], held["state"]) == ("revenue", "20%", "planned")
    assert path.exists()
    again = post(client(), "/experiments/new", **DRAFT, do="save")
    assert again.status_code == 422
    assert "There is an experiment" in unescape(again.text)


def test_programs_start_and_stop_too(client: Any, parts_shop: Any) -> None:
    """Breaks when the interface can't begin and end an experiment, or does so twice."""
    served, _ = parts_shop
    (served.folder / "experiments" / "by-program.yaml").write_text(PLANNED.replace("Mail with", "Programs, with"))
    path = "/v1/experiments/by-program"
    started = served.http.post(f"{path}/start", headers=served.bearer)
    assert (started.status_code, started.json()["state"]) == (200, "running")
    assert served.http.post(f"{path}/start", headers=served.bearer).status_code >= 400
    stopped = served.http.post(f"{path}/stop", json={"because": "enough"}, headers=served.bearer)
    assert (stopped.json()["state"], stopped.json()["because"]) == ("stopped", "enough")


def test_an_experiment_is_started_looked_at_and_stopped(parts: Web) -> None:
    """Breaks when the buttons don't begin and end it, when it doesn't ask before, or when pages can't be read by all."""
    page = parts.page("editor")
    page.goto("/experiments")
    drawn(page)
    looked(page)
    page.click("text=Mail with free delivery")
    page.get_by_text("What it takes").wait_for()
    drawn(page)
    looked(page)
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator("dialog[open]").get_by_role("button", name="Start").click()
    page.get_by_text("It runs: the arms are drawn from now on.").wait_for()
    page.locator(".tag", has_text="running").wait_for()
    drawn(page)
    looked(page)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.fill("dialog[open] [name=because]", "The budget is spent")
    page.locator("dialog[open]").get_by_role("button", name="Stop").click()
    page.get_by_text("It is over.").wait_for()
    assert page.get_by_text("The budget is spent").is_visible()
    assert page.get_by_role("button", name="Start", exact=True).count() == 0


# ------------------------------------------------------------ predictions


def test_a_model_is_fitted_and_its_bars_are_segments(client: Any, parts_shop: Any) -> None:
    """Breaks when the fit isn't done or kept, or when a bar's segment has other customers than the bar."""
    served, _ = parts_shop
    editor = client()
    assert post(editor, "/predictions/churn/fit").status_code == 303
    until = time.monotonic() + 120
    while "What came of it" not in (told := part(editor, "/predictions/churn/fit")) and time.monotonic() < until:
        time.sleep(0.5)
    assert "Version 1 of churn scores" in told
    assert "fit churn" in editor.get("/jobs").text
    assert "chart-churn-calibration" in editor.get("/predictions/churn").text
    rows = editor.get("/predictions/churn/spread.json?score=churn_90d").json()["usermeta"]["rows"]
    for row in rows:
        where = parse_qs(urlsplit(row["href"]).query)["where"][0]
        asked = served.http.post("/v1/preview", json={"where": where}, headers=served.bearer)
        assert asked.json()["count"] == row["customers"], where
    assert sum(row["customers"] for row in rows) > 600
    answer = editor.get("/predictions/churn/segment?score=churn_90d&low=20%25&high=")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["where"] == ["churn_90d >= 0.2"]


# ------------------------------------------------------------ data, privacy, jobs, delivery


def test_consent_is_counted_as_it_was_given(client: Any, parts_shop: Any) -> None:
    """Breaks when the page counts other consents than the file holds, or withholds others than the segment does."""
    served, _ = parts_shop
    with (served.folder / "data" / "consent-synthetic.csv").open() as file:
        given = {row["household_id"]: row["granted"] for row in csv.DictReader(file)}
    text = part(client("viewer"), "/privacy")
    agreed = [int(one.replace(",", "")) for one in re.findall(r'class="value">([\d,]+)<', text)]
    known = set(served.get("/v1/segments/champions/members", limit=10_000)["members"])
    chart = client("viewer").get("/privacy/consents.json?purpose=email_marketing").json()["usermeta"]["rows"]
    assert agreed[:2] == [row["size"] for row in chart[-2:]]
    reachable = sum(given.get(one) == "yes" for one in known)
    row = re.search(r"Champions.*?</tr>", part(client("viewer"), "/privacy/withheld"), re.DOTALL)
    assert row is not None
    assert [f"{len(known):,}", f"{reachable:,}"] == re.findall(r'class="number"[^>]*>([\d,]+)<', row[0])[:2]


def test_a_job_is_run_by_hand(client: Any) -> None:
    """Breaks when the button runs nothing, or what came of the run isn't shown."""
    assert post(client(), "/jobs/nightly/run").status_code == 303
    until = time.monotonic() + 30
    while "entered a segment" not in (text := client().get("/jobs").text) and time.monotonic() < until:
        time.sleep(0.2)
    assert "entered a segment" in text
    assert post(client(), "/jobs/none/run").status_code == 404


def test_a_webhook_is_added_and_removed(client: Any) -> None:
    """Breaks when a wrong address is taken, the secret is shown twice, or a webhook can't be got rid of."""
    admin = client("admin")
    wrong = post(admin, "/delivery", url="mailto:ann", segments="")
    assert wrong.status_code == 422
    assert 'id="field-url-error"' in wrong.text
    wrong = post(admin, "/delivery", url="https://shop.example/changes", segments="nowhere")
    assert 'id="field-segments-error"' in wrong.text
    made = post(admin, "/delivery", url="http://127.0.0.1:9/changes", segments="champions")
    assert "Its secret signs what is sent" in made.text
    shown = admin.get("/delivery").text
    assert "Its secret signs what is sent" not in shown
    webhook = re.search(r'href="/delivery/([0-9a-f]+)"', shown)
    assert webhook is not None
    assert "Everything was taken" in admin.get(f"/delivery/{webhook[1]}").text
    assert post(admin, f"/delivery/{webhook[1]}/remove").status_code == 303
    assert webhook[1] not in admin.get("/delivery").text


def test_pages_can_be_read_by_all_and_on_a_phone(parts: Web) -> None:
    """Breaks when axe-core finds something serious on a page, or a page is wider than a phone."""
    page = parts.page("admin", width=390)
    for path in ("/kpis", "/experiments/new", "/predictions", "/data", "/privacy", "/jobs", "/delivery"):
        page.goto(path)
        drawn(page)
        looked(page)
        fits(page)
        parts.shot(page, f"parts{path.replace('/', '-')}-phone")


def test_what_customers_say_and_rows_put_aside_are_told(tmp_path: Path) -> None:
    """Breaks when feedback, quarantine or the browser of the schema can't be told of a shop that has them."""
    exports = Path(__file__).parents[2] / "examples" / "corner-shop" / "exports"
    command = [sys.executable, "-m", "shoal.cli"]
    subprocess.run([*command, "init", str(tmp_path / "shop"), "--from", str(exports)], check=True, capture_output=True)
    subprocess.run([*command, "-w", str(tmp_path / "shop"), "load"], check=True, capture_output=True)
    with shoal.open(tmp_path / "shop") as workspace:
        said = answer(workspace, "feedback told", {})
        assert said["any"]
        assert said["blocks"][0]["kind"] == "chart"
        found = answer(workspace, "quarantine told", {"search": "bad-time", "source": "", "code": "", "most": 10})
        everything = answer(workspace, "quarantine told", {"search": "", "source": "", "code": "", "most": 10})
        assert 0 < found["found"] < everything["found"] == sum(one["rows"] for one in everything["counts"])
        schema = answer(workspace, "schema told", {})
        for event in schema["events"]:
            assert answer(workspace, "event told", {"name": event["name"]})["count"] == event["count"]
        for trait in schema["traits"]:
            assert answer(workspace, "trait told", {"name": trait["name"]})["customers"] <= 180
