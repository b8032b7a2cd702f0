"""A server's life as whoever runs it sees it: ready, stopping with readers at the line, its log, and how it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from .served import Served, shoal, shop


def log_of(served: Served) -> list[dict[str, object]]:
    """The lines of the log; each but the command's own two must be JSON."""
    lines = (served.folder / "serve.log").read_text().splitlines()
    return [json.loads(line) for line in lines if not line.startswith(("Serving ", "Sign in, ", "Stopped; "))]


def test_readers_at_the_line_dont_hold_up_a_stop(served: Served) -> None:
    """Breaks if a stop waits for readers of the stream, who never leave by themselves, or ends them with an error."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    with ExitStack() as readers:
        for _ in range(3):
            answer = readers.enter_context(
                served.http.stream("GET", "/v1/changes/stream", params={"after": 0}, headers=served.bearer)
            )
            next(line for line in answer.iter_lines() if line.startswith("data: "))
        begun = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - begun < 8
    assert [line["message"] for line in log_of(served) if line["level"] == "error"] == []


def test_the_log_tells_the_servers_life_and_nothing_of_people(served: Served) -> None:
    """Breaks if a person's data reaches the log, or an operator can't see when it was ready and stopped."""
    person = {"email": "wilhelmina@shop.example", "phone": "+254700123456", "firstName": "Wilhelmina"}
    served.send("identify", userId="wilhelmina-17", traits=person)
    served.send("identify", userId="", traits=person)
    served.http.post("/v1/track", content=b'{"userId": "wilhelmina-17", ', auth=(served.write_key, ""))
    served.http.get("/v1/profiles/wilhelmina@shop.example", headers=served.bearer)
    served.http.get("/v1/profiles/wilhelmina-18", headers=served.bearer)
    served.http.post("/v1/preview", json={"where": 'email = "wilhelmina@shop.example" or'}, headers=served.bearer)
    assert served.stop() == 0
    text = (served.folder / "serve.log").read_text().casefold()
    assert "wilhelmina" not in text
    assert "254700123456" not in text
    told = [line["message"] for line in log_of(served) if line["logger"] == "shoal.server"]
    assert told.index("ready") < told.index("stopping") < told.index("stopped")


def test_refusals_are_of_one_form(served: Served) -> None:
    """Breaks if a client has to understand several forms of error."""
    sender = {"Authorization": f"Bearer {served.write_key}"}
    asked = {
        404: served.http.get("/v1/nothing"),
        401: served.http.get("/v1/segments"),
        403: served.http.get("/v1/segments", headers=sender),
        405: served.http.request("PUT", "/v1/segments", headers=served.bearer),
        428: served.http.put("/v1/segments/buyers", json={"name": "x", "where": "a = 1"}, headers=served.bearer),
        422: served.http.post("/v1/preview", json={}, headers=served.bearer),
    }
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    asked[428] = served.http.put("/v1/segments/buyers", json={"name": "x", "where": "a = 1"}, headers=served.bearer)
    for code, answer in asked.items():
        assert answer.status_code == code, answer.text
        assert answer.json()["error"].keys() >= {"problem", "place", "fix"}, answer.text
        assert answer.json()["error"]["fix"]
    wrong = served.http.get("/v1/track", headers=served.bearer)
    assert (wrong.status_code, wrong.json()["fix"]) == (405, "Use POST.")


def test_a_body_that_isnt_said_to_be_json_is_told_so(served: Served) -> None:
    """Breaks if whoever sends JSON with plain curl is told of dictionaries and objects."""
    given = {"content": b'{"where": "did Order"}', "headers": {**served.bearer, "content-type": "text/plain"}}
    said = served.http.post("/v1/preview", **given).json()["error"]
    assert said["problem"] == "The body is sent as text/plain."
    assert "Content-Type: application/json" in said["fix"]
    said = served.http.post("/v1/preview", json={"when": 1}, headers=served.bearer).json()["error"]
    assert said["place"] == "body.where"
    assert "openapi" in said["fix"]


def test_after_a_kill_the_status_says_what_waits_in_the_log(tmp_path: Path) -> None:
    """Breaks if figures that lack what was acknowledged just before a crash look like a loss."""
    served = Served(shop(tmp_path / "shop", {}))
    with closing(served.start()):
        killed_and_started_again(served)


def killed_and_started_again(served: Served) -> None:
    """Asks for the status after a crash, and after a stop in good order."""
    for number in range(30):
        served.track(f"u{number}", "Order Completed", revenue=1)
    served.stop(signal.SIGKILL)
    told = cli_json(served, "status")
    assert told["untaken"] > 0
    assert told["customers"] + told["untaken"] >= 30
    assert "shoal -w" in shoal(served.folder, "status").split("log:")[1].splitlines()[0]
    served.start()
    assert served.stop() == 0
    told = cli_json(served, "status")
    assert (told["customers"], told["untaken"]) == (30, 0)
    assert "log:" not in shoal(served.folder, "status")


def cli_json(served: Served, command: str) -> dict[str, Any]:
    """What a command prints for programs."""
    return dict(json.loads(shoal(served.folder, command, "--json")))


def test_what_is_no_definition_file_doesnt_stop_the_server(served: Served) -> None:
    """Breaks if an editor's lock beside a file, or one that can't be read, ends the taking of calls."""
    segments = served.folder / "segments"
    (segments / ".#buyers.yaml").symlink_to("somebody@host.4711:1")
    (segments / "odd.yaml").mkdir()
    deadline = time.monotonic() + 30
    while "segments/odd.yaml" not in (told := served.http.get("/healthz").json())["faults"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert told["status"] == "ok"
    assert not any(".#" in fault for fault in told["faults"])
    faults = {one["file"]: one for one in served.get("/v1/status")["faults"]}
    assert "It can't be read: Is a directory." in faults["segments/odd.yaml"]["problem"]
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_the_databases_threads_give_way_to_calls(served: Served) -> None:
    """Breaks if a statement of the store takes a core from who answers calls; or if a thread that may hold the lock gives way."""
    assert served.process is not None
    tasks = Path(f"/proc/{served.process.pid}/task")

    def nice_of(task: Path) -> int:
        return int((task / "stat").read_text().rpartition(")")[2].split()[16])

    deadline = time.monotonic() + 20
    while not any(nice_of(task) > 0 for task in tasks.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert nice_of(tasks / str(served.process.pid)) == 0


def test_a_file_that_is_gone_for_a_moment_moves_nobody(served: Served) -> None:
    """Breaks if a segment whose file git or an editor writes anew loses and regains all members; or if one stays for good."""
    path = served.folder / "segments" / "buyers.yaml"
    text = path.read_text(encoding="utf-8")
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    for _ in range(4):
        path.unlink()
        time.sleep(1.2)
        path.write_text(text, encoding="utf-8")
        time.sleep(1.2)
    told = [one for one in served.get("/v1/changes")["changes"] if one["segment"] == "buyers"]
    assert [(one["customer"], one["change"]) for one in told] == [("ann", "entered")]
    path.unlink()
    deadline = time.monotonic() + 30
    while served.http.get("/v1/segments/buyers", headers=served.bearer).status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_segment_tells_how_it_was_defined_before(served: Served) -> None:
    """Breaks if a change over HTTP loses what was in force before, or a removed segment its history."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    body = {"name": "Small", "where": 'sum(revenue of "Order Completed") < 50'}
    made = served.http.put("/v1/segments/small", json=body, headers=served.bearer)
    tag = {**served.bearer, "If-Match": made.headers["etag"]}
    changed = served.http.put("/v1/segments/small", json={**body, "name": "Smaller"}, headers=tag)
    one = served.http.get("/v1/segments/small", headers=served.bearer)
    assert (one.json()["version"], one.headers["etag"]) == (2, changed.headers["etag"])
    removed = served.http.delete("/v1/segments/small", headers={**served.bearer, "If-Match": one.headers["etag"]})
    assert removed.status_code == 204
    told = served.get("/v1/segments/small/versions")["versions"]
    assert [(v["version"], v["removed"], v.get("name")) for v in told] == [
        (3, True, None), (2, False, "Smaller"), (1, False, "Small"),
    ]  # fmt: skip
    assert served.http.get("/v1/segments/never/versions", headers=served.bearer).status_code == 404


def test_a_webhook_is_refused_where_no_request_could_reach_it(served: Served) -> None:
    """Breaks if an address that can't be read ends the thread that should deliver, in silence."""
    for url in ("http://[", "https://", "ftp://shop.example", "shop.example"):
        answer = served.http.post("/v1/webhooks", json={"url": url}, headers=served.bearer)
        assert answer.status_code == 400, (url, answer.text)
    assert served.get("/v1/webhooks")["webhooks"] == []


def test_the_description_says_how_to_bear_a_key(served: Served) -> None:
    """Breaks if clients made from the description can't bear a key, or a route needs one and doesn't say so."""
    told = served.get("/v1/openapi.json")
    assert told["components"]["securitySchemes"]["key"] == {
        "type": "http", "scheme": "bearer", "description": "A key of the scope that the route needs.",
    }  # fmt: skip
    open_to_all = {
        path for path, methods in told["paths"].items() for route in methods.values() if not route.get("security")
    }
    assert "/healthz" in open_to_all
    assert {path for path in open_to_all if "session" not in path} == {"/healthz"}


def test_the_settings_bound_what_a_call_may_weigh(served: Served) -> None:
    """Breaks if the limits of calls can't be set, or robots of one's own can't be named."""
    settings = served.folder / "shoal.yaml"
    settings.write_text(settings.read_text() + "server: {call_bytes: 300, bots: [shop-monitor]}\n")
    assert served.stop() == 0
    served.start()
    assert served.send(userId="ann", event="Order Completed", properties={"note": "x" * 400}).status_code == 413
    monitor = {"userId": "bot", "event": "Order Completed"}
    auth = (served.write_key, "")
    answer = served.http.post("/v1/track", json=monitor, auth=auth, headers={"User-Agent": "Shop-Monitor/1"})
    assert answer.status_code == 200
    served.track("ann", "Order Completed")
    served.wait_for("buyers", {"ann"})


def test_a_taken_port_is_said_at_once(served: Served, tmp_path: Path) -> None:
    """Breaks if a start reads everything before it finds that another program listens there, or says so only in its log."""
    other = shop(tmp_path / "other", {})
    command = [sys.executable, "-m", "shoal.cli", "-w", str(other), "serve", "--port", str(served.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert f"Nobody can listen on port {served.port} of 127.0.0.1: Address already in use." in done.stderr
