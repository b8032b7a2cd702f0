"""Metrics over HTTP: figures of what was collected a moment ago, worked out beside the server."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .served import shoal

if TYPE_CHECKING:
    from .served import Served


def _figure(served: Served, **asked: object) -> dict[str, object]:
    told = served.get("/v1/figures", **asked)
    (metric,) = told["metrics"]
    found: dict[str, object] = metric["figures"][-1]
    return found


def test_figures_hold_what_was_acknowledged(served: Served) -> None:
    """Breaks when a figure lags behind the calls, or an old answer is given after a new call."""
    served.track("ann", "Order Completed", revenue=30.25)
    served.wait_for("buyers", {"ann"})
    first = _figure(served, metric="revenue", grain="year")
    assert (first["value"], first["n"], first["finished"]) == (30.25, 1, False)
    served.track("bob", "Order Completed", revenue=10)
    served.wait_for("buyers", {"ann", "bob"})
    again = _figure(served, metric="revenue", grain="year", segment="buyers")
    assert (again["segment"], again["value"], again["n"]) == ("buyers", 40.25, 2)
    listed = served.get("/v1/metrics")
    assert "revenue" in {one["slug"] for one in listed["metrics"]}
    assert listed["lacking"]["nps"] == "no answer on recommending"


def test_equal_questions_share_an_answer(served: Served) -> None:
    """Breaks when ten dashboards that open together make ten processes, or one of them is refused."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(lambda _: _figure(served, metric="orders", grain="year")["value"], range(10)))
    assert told == [1.0] * 10


def test_a_wrong_question_says_what_is_wrong(served: Served) -> None:
    """Breaks when a mistake in a question is an error of the server."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    wrong = {"metric": "revenu", "segment": "byers", "by": "store", "from": "2024-13-01"}
    codes = {key: served.http.get("/v1/figures", params={"metric": "revenue", key: value}, headers=served.bearer)
             for key, value in wrong.items()}  # fmt: skip
    assert {key: answer.status_code for key, answer in codes.items()} == {
        "metric": 404, "segment": 404, "by": 422, "from": 422
    }  # fmt: skip
    assert "revenue" in codes["metric"].json()["error"]["fix"]
    assert served.http.get("/v1/figures").status_code == 401


EXPERIMENT = """\
name: Offer
population: buyers
arms: {control: 50%, offer: 50%}
primary: orders
plan: {kind: fixed, days: 14}
"""


def test_a_page_asks_for_the_arm_of_a_visitor(served: Served) -> None:
    """Breaks when the arm over HTTP is another than the workspace's own, or who is outside the population gets one."""
    (served.folder / "experiments").mkdir()
    everybody = EXPERIMENT.replace("population: buyers\n", "").replace("Offer", "Colour")
    for slug, text in (("offer", EXPERIMENT), ("colour", everybody)):
        (served.folder / "experiments" / f"{slug}.yaml").write_text(text)
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    assert served.get("/v1/profiles/ann/arms")["arms"] == {}
    for slug in ("offer", "colour"):
        shoal(served.folder, "experiment", "start", slug)
    time.sleep(2.1)
    told = served.get("/v1/profiles/ann/arms")
    assert told["known"]
    for slug in ("offer", "colour"):
        assigned = json.loads(shoal(served.folder, "experiment", "assign", slug, "ann", "--json"))
        assert told["arms"][slug]["arm"] in ("control", "offer")
        assert assigned[0]["arm"] == told["arms"][slug]["arm"]
    visitor = served.get("/v1/profiles/v-17/arms")
    assert not visitor["known"]
    assert visitor["arms"]["colour"]["arm"] in ("control", "offer")
    assert visitor["arms"]["offer"] == {"arm": None, "because": "they aren't in the population"}
    listed = served.get("/v1/experiments")["experiments"]
    assert {one["slug"]: one["state"] for one in listed} == {"offer": "running", "colour": "running"}
    answer = served.http.get("/v1/experiments/nope/result", headers=served.bearer)
    assert answer.status_code == 404


def test_alerts_and_causes_have_routes(served: Served) -> None:
    """Breaks when what is watched, or why a metric changed, can only be seen at the command line."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    assert served.get("/v1/alerts", all=True) == {"alerts": [], "targets": []}
    answer = served.http.get("/v1/metrics/revenue/causes", params={"grain": "day"}, headers=served.bearer)
    assert answer.status_code in (200, 400)
    assert "problem" in answer.json().get("error", {"problem": ""})


def test_a_funnel_and_uplift_have_routes(served: Served) -> None:
    """Breaks when a step is lost on its way through the query, or a refusal is an error of the server."""
    served.track("ann", "Product Viewed", price=12)
    served.track("ann", "Order Completed", revenue=30)
    served.track("bob", "Product Viewed", price=3)
    served.wait_for("buyers", {"ann"})
    asked = ['"Product Viewed" where price > 2', "Order Completed"]
    told = served.get("/v1/funnel", step=asked, within="7 days")
    assert [step["customers"] for step in told["steps"]] == [2, 1]
    answer = served.http.get("/v1/experiments/nope/uplift", headers=served.bearer)
    assert (answer.status_code, answer.json()["error"]["problem"]) == (404, "There is no experiment 'nope'.")


def test_a_period_that_is_over_follows_late_calls_and_erasure(served: Served) -> None:
    """Breaks when a figure that is kept outlives a late call or a person, or beside a server no version is noted."""
    kept = served.folder / ".shoal" / "figures.json"

    def late(who: str, revenue: int) -> None:
        sent = {
            "userId": who,
            "event": "Order Completed",
            "timestamp": "2025-05-05T10:00:00Z",
            "messageId": f"{who}-late",
        }
        assert served.send(**sent, properties={"revenue": revenue}).status_code == 200
        served.wait_for_change("buyers", who, "entered")

    def asked() -> object:
        told = json.loads(
            shoal(served.folder, "kpi", "show", "revenue", "--from", "2025-05-01", "--to", "2025-05-31", "--json")
        )
        (one,) = told["metrics"][0]["figures"]
        return one["finished"], one["value"], one["n"]

    late("ann", 30)
    assert asked() == (True, 30.0, 1)
    assert kept.exists()
    late("bob", 12)
    assert asked() == asked() == (True, 42.0, 2)
    gone = served.http.delete("/v1/profiles/ann", headers=served.bearer)
    assert gone.status_code == 200, gone.text
    assert not kept.exists()
    assert asked() == (True, 12.0, 1)
    told = json.loads(shoal(served.folder, "kpi", "history", "revenue", "--json"))
    assert [one["number"] for one in told["versions"]] == [1]
