"""A call changes memberships at once, time takes them back, and all of it is told once, over HTTP and to webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import stat
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

from .served import Served, shoal, write_segment


def test_an_event_enters_and_time_alone_leaves(served: Served) -> None:
    """Breaks if a membership waits for a batch, or doesn't end by itself at the very instant."""
    served.track("zoe", "Order Completed", revenue=30)
    served.wait_for("buyers", {"zoe"})
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann", "zoe"})
    served.wait_for_change("just-bought", "ann", "left")
    told = [c for c in served.changes() if c["segment"] == "just-bought" and c["customer"] == "ann"]
    assert [c["change"] for c in told] == ["entered", "left"]
    profile = served.get("/v1/profiles/ann")
    at = profile["events"][0]["at"]
    left = told[1]["at"]
    assert _seconds(left) - _seconds(at) == 2.0
    assert [c["because"] for c in told] == ["event Order Completed", "time"]


def test_a_change_says_what_it_came_from(served: Served) -> None:
    """Breaks if of what came in one request another thing is named than what the segment asks of."""
    served.send("identify", userId="bob", traits={"language": "fr"})
    served.track("bob", "Order Completed", revenue=30)
    served.wait_for("buyers", {"bob"})
    write_segment(served.folder, "swahili", 'language = "sw"')
    write_segment(served.folder, "mailable", 'consents to "email_marketing"')
    served.wait_for("swahili", set())
    consent = {"consent": {"categoryPreferences": {"email_marketing": True}}}
    calls = [
        {"type": "track", "userId": "ann", "event": "Order Completed", "properties": {"revenue": 30}},
        {"type": "identify", "userId": "ann", "traits": {"language": "sw", "plan": "free"}, "context": consent},
        {"type": "track", "userId": "ann", "event": "Signed Out"},
    ]
    assert served.send("batch", batch=calls).status_code == 200
    served.wait_for("swahili", {"ann"})
    served.wait_for("mailable", {"ann"})
    told = {c["segment"]: c["because"] for c in served.changes() if c["customer"] == "ann" and c["because"] != "time"}
    assert told["buyers"] == "event Order Completed"
    assert told["swahili"] == "trait language"
    assert told["mailable"] == "consent email_marketing"


def _seconds(stamp: str) -> float:
    import datetime as dt

    return round(dt.datetime.fromisoformat(stamp).timestamp(), 6)


def test_a_visitor_becomes_known_and_the_past_comes_along(served: Served) -> None:
    """Breaks if what an anonymous visitor did is lost when they log in, or a change is told of the wrong id."""
    served.send(anonymousId="v1", event="Order Completed", properties={"revenue": 60})
    served.wait_for("buyers", {"v1"})
    served.send(userId="ann", event="Order Completed", properties={"revenue": 50})
    served.wait_for("buyers", {"v1", "ann"})
    served.send("identify", userId="ann", anonymousId="v1", traits={"plan": "pro", "email": "Ann@Example.org"})
    served.wait_for("buyers", {"ann"})
    served.wait_for("big-pro", {"ann"})
    for name in ("ann", "v1", "email:ann@example.org", "anonymous_id:v1"):
        assert served.get(f"/v1/profiles/{name}")["id"] == "ann"


def test_a_definition_file_is_taken_in_and_a_faulty_one_keeps_the_last_good(served: Served) -> None:
    """Breaks if a saved file needs a restart, or a typo takes a segment out of force."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    write_segment(served.folder, "cheap", 'max(revenue of "Order Completed") < 50')
    served.wait_for("cheap", {"ann"})
    write_segment(served.folder, "cheap", 'max(revenue of "Order Completed") < 50 and nonsense')
    deadline = time.monotonic() + 10
    while "cheap" not in served.get("/v1/segments")["faults"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert served.members("cheap") == {"ann"}


def test_what_was_served_is_in_the_store_afterwards(served: Served) -> None:
    """Breaks if a graceful stop loses something, or live and SQL disagree."""
    served.send("identify", userId="c0", traits={"plan": "pro"})
    for i in range(20):
        served.track(f"c{i % 7}", "Order Completed", revenue=10 * i)
    served.wait_for("buyers", {f"c{i}" for i in range(7)})
    live = {slug: served.members(slug) for slug in ("buyers", "big")}
    assert served.stop() == 0
    rows = json.loads(shoal(served.folder, "segments", "--json"))
    sizes = {row["slug"]: row["size"] for row in rows["segments"]}
    assert {slug: sizes[slug] for slug in live} == {slug: len(who) for slug, who in live.items()}
    assert shoal(served.folder, "why", "c1", "buyers").strip()


def test_a_second_process_is_refused_and_told_where_it_is_served(served: Served) -> None:
    """Breaks if two processes write one store, or the refusal doesn't say who has it."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "shoal.cli", "-w", str(served.folder), "serve", "--port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 5
    assert f"http://127.0.0.1:{served.port}" in done.stderr


def test_a_public_address_needs_an_administrator(tmp_path: Any) -> None:
    """Breaks if a fresh workspace can be opened to the world by a slip."""
    import subprocess
    import sys

    from .served import shop

    folder = shop(tmp_path / "shop", {})
    command = [sys.executable, "-m", "shoal.cli", "-w", str(folder), "serve", "--host", "0.0.0.0", "--port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "--scope admin" in done.stderr


def test_keys_say_who_may_what(served: Served) -> None:
    """Breaks if a key reaches beyond its scopes, or the token can be read by others."""
    anonymous = served.http.get("/v1/segments")
    assert anonymous.status_code == 401
    collect = served.http.get("/v1/segments", headers={"Authorization": f"Bearer {served.write_key}"})
    assert collect.status_code == 403
    assert served.http.post("/v1/track", json={}, auth=("nonsense", "")).status_code == 401
    token = served.folder / ".shoal" / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    own = served.http.get("/v1/segments", headers={"Authorization": f"Bearer {token.read_text()}"})
    assert own.status_code == 200


def test_segments_over_http_are_files_with_versions(served: Served) -> None:
    """Breaks if two editors overwrite each other, or a definition that isn't accepted is saved."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    body = {"name": "Small", "where": 'sum(revenue of "Order Completed") < 50'}
    made = served.http.put("/v1/segments/small", json=body, headers=served.bearer)
    assert made.status_code == 200, made.text
    served.wait_for("small", {"ann"})
    assert (served.folder / "segments" / "small.yaml").exists()
    again = served.http.put("/v1/segments/small", json=body, headers=served.bearer)
    assert again.status_code == 428
    stale = served.http.put("/v1/segments/small", json=body, headers={**served.bearer, "If-Match": '"0"'})
    assert stale.status_code == 412
    wrong = {**body, "where": 'sum(revnue of "Order Completed") < 50'}
    tag = {**served.bearer, "If-Match": made.headers["etag"]}
    refused = served.http.put("/v1/segments/small", json=wrong, headers=tag)
    assert refused.status_code == 422
    assert "revenue" in refused.json()["error"]["fix"]
    assert served.http.delete("/v1/segments/small", headers=tag).status_code == 204
    assert "small" not in {s["slug"] for s in served.get("/v1/segments")["segments"]}


def test_preview_counts_exactly_and_by_part(served: Served) -> None:
    """Breaks if a preview guesses."""
    for i in range(10):
        served.track(f"c{i}", "Order Completed", revenue=10 * i)
    served.wait_for("buyers", {f"c{i}" for i in range(10)})
    where = 'sum(revenue of "Order Completed") >= 50 and sum(revenue of "Order Completed") < 80'
    found = served.http.post("/v1/preview", json={"where": where}, headers=served.bearer).json()
    assert found["count"] == 3
    assert [part["alone"] for part in found["parts"]["parts"]] == [5, 8]
    assert [part["in_place"] for part in found["parts"]["parts"]] == [5, 3]
    assert set(found["sample"]) <= {"c5", "c6", "c7"}


def test_server_sent_events_go_on_where_the_reader_left(served: Served) -> None:
    """Breaks if a reader that comes again misses a change or sees one twice."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for_change("just-bought", "ann", "entered")
    first = _events(served, None, 2)
    served.wait_for("just-bought", set())
    second = _events(served, first[-1]["id"], 1)
    assert [e["id"] for e in (*first, *second)] == [c["id"] for c in served.changes()][: len(first) + len(second)]


def _events(served: Served, after: str | None, many: int) -> list[dict[str, Any]]:
    found = []
    headers = {**served.bearer, **({} if after is None else {"Last-Event-ID": after})}
    params = {"after": "0"} if after is None else {}
    with served.http.stream("GET", "/v1/changes/stream", headers=headers, params=params) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) == many:
                    return found
    return found


class _Receiver(BaseHTTPRequestHandler):
    taken: ClassVar[list[tuple[str, bytes]]] = []
    refusing: ClassVar[int] = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if type(self).refusing:
            type(self).refusing -= 1
            self.send_response(503)
        else:
            self.taken.append((self.headers["shoal-signature"], body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_a_webhook_gets_each_change_once_signed_and_again_after_a_refusal(served: Served) -> None:
    """Breaks if a refusal loses a change, order is lost, or a receiver can't check who sent it."""
    _Receiver.taken, _Receiver.refusing = [], 1
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{receiver.server_port}/changes"
        made = served.http.post(
            "/v1/webhooks", json={"url": url, "segments": ["buyers"], "after": 0}, headers=served.bearer
        )
        assert made.status_code == 201
        served.track("ann", "Order Completed", revenue=30)
        served.track("bob", "Order Completed", revenue=30)
        served.wait_for("buyers", {"ann", "bob"})
        deadline = time.monotonic() + 15
        while sum(len(json.loads(body)["changes"]) for _, body in _Receiver.taken) < 2:
            assert time.monotonic() < deadline, _Receiver.taken
            time.sleep(0.05)
    finally:
        receiver.shutdown()
        receiver.server_close()
    told = [c for _, body in _Receiver.taken for c in json.loads(body)["changes"]]
    assert told == [c for c in served.changes() if c["segment"] == "buyers"]
    signature, body = _Receiver.taken[0]
    at, digest = (part.partition("=")[2] for part in signature.split(","))
    expected = hmac.new(made.json()["secret"].encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert digest == expected


def test_it_stops_on_both_signals(served: Served) -> None:
    """Breaks if Ctrl-C or a service manager leaves a half-open workspace."""
    served.track("ann", "Order Completed", revenue=30)
    assert served.stop(signal.SIGINT) == 0
    served.start()
    assert served.members("buyers") == {"ann"}


def test_a_segment_may_ask_for_what_came_before_anybody_asked(served: Served) -> None:
    """Breaks if what came live is read from the store for somebody else, or a property that no segment named is lost."""
    for i in (5, 3, 9, 1, 7):
        served.send("track", userId=f"c{i}", event="Coupon Used", properties={"worth": i, "code": f"k{i}"})
    served.send("identify", userId="c3", anonymousId="v3", traits={"tier": "gold"})
    write_segment(served.folder, "worthy", 'max(worth of "Coupon Used") >= 5')
    served.wait_for("worthy", {"c5", "c7", "c9"})
    write_segment(served.folder, "coded", 'last(code of "Coupon Used") in ("k3", "k9") and not tier = "silver"')
    served.wait_for("coded", {"c3", "c9"})
    found = served.http.post("/v1/preview", json={"where": 'tier = "gold"'}, headers=served.bearer).json()
    assert (found["count"], found["sample"]) == (1, ["c3"])


def test_a_server_that_cannot_come_to_life_ends_and_says_why(served: Served) -> None:
    """Breaks if a server whose log is damaged stays up and says for ever that it is starting."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    served.stop(signal.SIGKILL)
    for file in (served.folder / ".shoal" / "log").glob("*.log"):
        file.write_bytes(b"not a log" * 20)
    command = [sys.executable, "-m", "shoal.cli", "-w", str(served.folder), "serve", "--port", str(served.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode not in (0, 1)
    assert str(served.folder / ".shoal" / "log") in done.stderr
