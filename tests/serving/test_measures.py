"""Metrics over HTTP: figures of what was collected a moment ago, worked out beside the server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

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
