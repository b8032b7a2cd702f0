"""A tracking plan and settings that change while the workspace is served, and what didn't fit, counted over restarts."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

from .served import Served, shoal

NAME = "tracking-plan.yaml"
PLAN = """\
events:
  Order Completed:
    properties:
      revenue: {type: number, required: true}
      code: text
traits: {plan: text}
"""


def write_plan(served: Served, text: str) -> None:
    (served.folder / NAME).write_text(text)


def wait_until(found: Callable[[], Any], what: Callable[[Any], bool], seconds: float = 10.0) -> Any:
    """What is found, as soon as it is so."""
    deadline = time.monotonic() + seconds
    while not what(last := found()):
        assert time.monotonic() < deadline, last
        time.sleep(0.05)
    return last


def refused(served: Served, **call: Any) -> dict[str, Any]:
    """What is said of a call that is refused; waits until the plan is in force."""

    def send() -> Any:
        answer = served.send(userId="ann", **call)
        return answer.json() if answer.status_code == 400 else None

    said: dict[str, Any] = wait_until(send, lambda found: found is not None)
    return said


def test_a_plan_is_taken_in_while_serving_and_strict_refuses_with_place_and_fix(served: Served) -> None:
    """Breaks if a plan needs a restart, strict lets through what it mustn't, or doesn't say what to do."""
    assert served.send(userId="ann", event="Order Compleated").status_code == 200
    write_plan(served, f"strict: true\n{PLAN}")
    said = refused(served, event="order_completed")
    assert (said["code"], said["place"]) == ("unknown-event", "event")
    assert 'Did you mean "Order Completed"?' in said["fix"]
    assert NAME in said["fix"]
    said = refused(served, event="Order Completed", properties={"code": "x"})
    assert (said["code"], said["place"]) == ("missing-property", "properties.revenue")
    said = refused(served, event="Order Completed", properties={"revenue": "12"})
    assert (said["code"], said["place"]) == ("wrong-type", "properties.revenue")
    served.track("ann", "Order Completed", revenue=12)
    served.wait_for("buyers", {"ann"})


def test_a_faulty_plan_keeps_the_last_good_one_over_a_restart_too(served: Served) -> None:
    """Breaks if a typo in the plan lets anything through, stays unsaid, or is forgotten by a restart."""
    write_plan(served, f"strict: true\n{PLAN}")
    refused(served, event="Baught")
    write_plan(served, f"strict: true\n{PLAN.replace('number', 'numbr')}")
    health = wait_until(lambda: served.http.get("/healthz").json(), lambda found: NAME in found["faults"])
    assert health["status"] == "ok"
    (fault,) = [fault for fault in served.get("/v1/status")["faults"] if fault["file"] == NAME]
    assert fault["place"].endswith(f"{NAME}:5")
    assert fault["fix"] == 'Did you mean "number"?'
    assert NAME in (served.folder / "serve.log").read_text()
    refused(served, event="Baught")
    assert served.stop() == 0
    served.start()
    refused(served, event="Baught")
    assert served.get("/v1/plan")["events"] == ["Order Completed"]
    assert NAME in served.http.get("/healthz").json()["faults"]


def test_the_plan_says_the_type_before_the_first_value_does(served: Served) -> None:
    """Breaks if one wrong first value makes all right ones after it wrong."""
    write_plan(served, PLAN)
    wait_until(lambda: served.get("/v1/plan"), lambda found: found["events"] == ["Order Completed"])
    wait_until(lambda: served.get("/v1/status")["events"], lambda found: "Order Completed" in found)
    served.track("bob", "Order Completed", revenue="much")
    served.track("ann", "Order Completed", revenue=120)
    served.wait_for("big", {"ann"})


def test_what_did_not_fit_is_counted_by_event_and_outlives_the_server(served: Served) -> None:
    """Breaks if marks are lost with the process, or counted twice for a call that was sent twice."""
    write_plan(served, PLAN)
    wait_until(lambda: served.get("/v1/plan"), lambda found: found["events"] == ["Order Completed"])
    served.send(userId="ann", event="Baught")
    for i in range(3):
        served.send(userId="ann", messageId=f"m{i}", event="Order Completed", properties={"revenue": "12"})
        served.send(userId="ann", messageId=f"m{i}", event="Order Completed", properties={"revenue": "12"})
    served.send(userId="ann", event="Order Completed")
    served.send("identify", userId="ann", traits={"plan": 7})
    served.wait_for("buyers", {"ann"})
    expected = [
        ("Order Completed", "revenue", "wrong-type", 3, '"12"'),
        ("(traits)", "plan", "wrong-type", 1, "7"),
        ("Baught", None, "unknown-event", 1, None),
        ("Order Completed", "revenue", "missing", 1, None),
    ]
    keys = ("event", "property", "problem", "times", "sample")

    def issues(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return [tuple(one[key] for key in keys) for one in found]

    asked = wait_until(lambda: served.get("/v1/plan/issues")["issues"], lambda found: len(found) == 4)
    assert issues(asked) == expected
    figures = served.http.get("/metrics", headers=served.bearer).text
    assert 'shoal_marked_total{mark="wrong-type"}' in figures
    assert served.stop(signal.SIGKILL) != 0
    served.start()
    assert issues(served.get("/v1/plan/issues")["issues"]) == expected
    assert served.stop() == 0
    assert issues(json.loads(shoal(served.folder, "plan", "issues", "--json"))) == expected
    assert "Baught" in shoal(served.folder, "quality")


def test_changed_settings_count_at_once_and_those_of_the_start_are_named(served: Served) -> None:
    """Breaks if a changed setting needs a restart that it doesn't need, or a faulty file takes the server down."""
    settings = served.folder / "shoal.yaml"
    before = settings.read_text()
    origin = {"Origin": "https://elsewhere.example"}
    assert served.http.options("/v1/t", headers=origin).headers["access-control-allow-origin"] != ""
    settings.write_text(f"{before}server:\n  origins: [https://shop.example]\n  rate_per_second: 1\n  port: 9\n")
    wait_until(
        lambda: served.http.post("/v1/t", json={}, headers=origin, auth=(served.write_key, "")).status_code,
        lambda code: code == 403,
    )
    assert served.get("/v1/status")["at_next_start"] == []  # the port was given on the command line
    answers = [served.http.get("/v1/segments", headers=served.bearer) for _ in range(15)]
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert int(limited.headers["retry-after"]) >= 1
    settings.write_text(before.replace("Nairobi", "Cairo") + "sever: {}\n")
    wait_until(lambda: served.http.get("/healthz").json(), lambda found: "shoal.yaml" in found["faults"])
    assert served.http.post("/v1/t", json={}, headers=origin, auth=(served.write_key, "")).status_code == 403
    settings.write_text(before.replace("Nairobi", "Cairo"))
    assert served.process is not None
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: served.http.get("/healthz").json(), lambda found: "shoal.yaml" not in found["faults"])
    assert served.get("/v1/status")["at_next_start"] == ["timezone"]


def test_what_came_is_proposed_as_a_plan_that_is_accepted(served: Served) -> None:
    """Breaks if the first plan misses what was seen, or the workspace itself doesn't take it."""
    batch = [
        {
            "type": "track",
            "userId": f"u{i % 20}",
            "event": "Order Completed",
            "properties": {"revenue": i, "items": [{"sku": "a"}]},
        }
        for i in range(120)
    ]
    batch[3]["properties"]["code"] = "X"  # type: ignore[index]
    assert served.send("batch", batch=batch).status_code == 200
    served.send("identify", userId="u1", traits={"plan": "pro"})
    served.send("group", userId="u1", groupId="g", traits={"size": 4})
    served.wait_for("buyers", {f"u{i}" for i in range(20)})
    assert served.stop() == 0
    assert "Wrote" in shoal(served.folder, "plan", "propose")
    text = (served.folder / NAME).read_text()
    for part in ("revenue:", "required: true", "code: text", "sku: text", "plan: text", "size: number"):
        assert part in text
    assert "1 event" in shoal(served.folder, "plan", "check")
    served.start()
    served.send(userId="u1", event="Order Completed", properties={"revenue": 1})
    wait_until(
        lambda: [(one["property"], one["problem"]) for one in served.get("/v1/plan/issues")["issues"]],
        lambda found: ("items", "missing") in found,
    )


def test_a_new_purpose_counts_at_once(served: Served) -> None:
    """Breaks if a purpose that was added needs a restart before a segment may serve it, or a consent be kept."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    segment = served.folder / "segments" / "textable.yaml"
    segment.write_text('name: Textable\npurpose: sms\nwhere: consents to "sms"\n')
    wait_until(lambda: served.get("/v1/segments")["faults"], lambda found: "textable" in found)
    settings = served.folder / "shoal.yaml"
    settings.write_text(settings.read_text().replace("purposes:\n", "purposes:\n  sms: consent\n"))
    wait_until(lambda: served.get("/v1/segments")["faults"], lambda found: "textable" not in found)
    consent = {"consent": {"categoryPreferences": {"sms": True}}}
    assert served.send(userId="ann", event="Order Completed", context=consent).status_code == 200
    served.wait_for("textable", {"ann"})


def test_an_erased_persons_value_stays_as_no_sample(served: Served) -> None:
    """Breaks if what a person sent outlives them as the sample of what didn't fit."""
    write_plan(served, PLAN.replace("traits: {plan: text}", "traits: {height: number}"))
    wait_until(lambda: served.get("/v1/plan")["traits"], lambda found: found == {"height": "number"})
    served.send("identify", userId="ann", traits={"height": "Qvarnstedt tall"})
    wait_until(lambda: served.get("/v1/plan/issues")["issues"], lambda found: found and "Qvarn" in found[0]["sample"])
    assert served.http.delete("/v1/profiles/ann", headers=served.bearer).status_code == 200
    (left,) = served.get("/v1/plan/issues")["issues"]
    assert (left["times"], left["sample"]) == (1, None)
    assert served.stop() == 0
    holding = [p.name for p in served.folder.rglob("*") if p.is_file() and b"Qvarnstedt" in p.read_bytes()]
    assert holding == []
