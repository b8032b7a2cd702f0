"""Over HTTP: a served workspace that acknowledges after fsync, against an app that answers and does nothing else.

Each batch has message ids of its own. Both servers run in processes of their own, one after the other, on the same machine
as the clients. What a customer's change takes is measured twice: by the server's own histogram under load, and by a reader of
the stream of changes from outside.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

from benchmarks.senders import cpu_of, server, shoal, under, write_segments
from shoal import open as open_workspace

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 6.0
WARM = 6.0
"""Seconds of load before anything is measured: many customers come back from a long silence, each into many segments."""
PATTERNS = {"100 events a request": (100, 4), "one event a request": (1, 64)}
"""Events in a request, and how many connections send."""
FLOORS = {"100 events a request": 60_000, "one event a request": 10_000}
"""Events a second that have to be taken at least; the time to the answer is measured at that rate too, beside the most."""
SOON, WAVE = 3, 20
"""Seconds of the windows whose end is measured: of some customers one after the other, and of many at once."""
MOST_IN_WAVE = 100_000
EMPTY = """
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"16")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"success":true}'})
"""


def serving(
    folder: Path, customers: int, segments: int, seconds: float = SECONDS, warm: float = WARM
) -> dict[str, Any]:
    """Both servers under both patterns; and of ours the delays: under half of the load, at the end of a window, in a wave.

    Args:
        folder: a workspace with data.
        customers: how many its data has; calls are of them.
        segments: how many of the drawn segments are in force.
        seconds: of each pattern.
        warm: seconds of load before.
    """
    write_segments(folder, segments)
    for name, window in (("Soon", SOON), ("Wave", WAVE)):
        text = f'name: {name}\nwhere: |\n  did "{name} Over" in last {window} seconds\n'
        (folder / "segments" / f"{name.lower()}.yaml").write_text(text, encoding="utf-8")
    # Members are published beforehand, as a load publishes them; else the server begins with millions of changes.
    with open_workspace(folder) as workspace:
        workspace.segments.publish(because="benchmark")
    said = shoal(folder, "keys", "create", "load", "--scope", "collect", "--scope", "read", "--json")
    key = json.loads(said)["secret"]
    found: dict[str, Any] = {"segments": segments, "customers": customers}
    begun = time.perf_counter()
    with server([sys.executable, "-m", "shoal.cli", "-w", str(folder), "serve", "--port", "{port}"]) as (port, pid):
        found["start_s"] = round(time.perf_counter() - begun, 1)
        seen = _Seen(port, pid, key)
        time.sleep(2)
        found["idle_share"] = seen.idle(min(10.0, 2 * seconds))
        under(port, pid, key, customers, *PATTERNS["100 events a request"], warm)
        seen.drained()
        found["served"], found["half"] = {}, {}
        for name, pattern in PATTERNS.items():
            full = under(port, pid, key, customers, *pattern, seconds)
            took = seen.drained()
            found["served"][name] = {**full, "applied_per_s": round(full["events"] / (full["seconds"] + took))}
        for name, pattern in PATTERNS.items():
            rate = found["served"][name]["applied_per_s"] / 2
            before = seen.delays()
            half = under(port, pid, key, customers, *pattern, seconds, rate)
            seen.drained()
            found["half"][name] = {**half, "published_ms": _between(before, seen.delays())}
        found["floor"] = {
            name: under(port, pid, key, customers, *pattern, seconds, FLOORS[name])
            for name, pattern in PATTERNS.items()
            if found["served"][name]["events_per_s"] > FLOORS[name]
        }
        seen.drained()
        found["fitting"] = _while_fitting(folder, port, pid, key, customers, seen, found)
        found["expiry"] = seen.expiries(min(300, customers))
        found["wave"] = seen.wave(min(MOST_IN_WAVE, customers), customers)
    place = folder.parent / "empty_app.py"
    place.write_text(EMPTY, encoding="utf-8")
    empty = [
        "-m",
        "uvicorn",
        "empty_app:app",
        "--app-dir",
        str(folder.parent),
        "--port",
        "{port}",
        "--log-level",
        "error",
    ]
    with server([sys.executable, *empty], any_answer=True) as (port, pid):
        found["baseline"] = {name: under(port, pid, key, customers, *p, seconds) for name, p in PATTERNS.items()}
    return found


def _while_fitting(
    folder: Path, port: int, pid: int, key: str, customers: int, seen: _Seen, found: dict[str, Any]
) -> dict[str, Any]:
    """Delays at half of the load, one event a request, while a model is fitted beside it and its scores are written."""
    pattern = "one event a request"
    rate = found["served"][pattern]["applied_per_s"] / 2
    before, begun = seen.delays(), time.perf_counter()
    command = ["nice", "-n", "10", sys.executable, "-m", "shoal.cli", "-w", str(folder), "predict", "churn", "--json"]
    parts = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fitting:
        while fitting.poll() is None:
            parts.append(under(port, pid, key, customers, *PATTERNS[pattern], 3.0, rate))
        took = time.perf_counter() - begun
        told = json.loads(fitting.stdout.read()) if fitting.stdout and fitting.returncode == 0 else {}
    seen.drained()
    return {
        "seconds": round(took, 1),
        "scored": max(told["changed"].values()) if told else None,
        "events_per_s": round(sum(p["events"] for p in parts) / sum(p["seconds"] for p in parts)),
        "p50_ms": sorted(p["p50_ms"] for p in parts)[len(parts) // 2],
        "p99_ms": max(p["p99_ms"] for p in parts),
        "published_ms": _between(before, seen.delays()),
    }


def _between(before: dict[str, int], after: dict[str, int]) -> dict[str, float]:
    """Classes that hold 50 and 99 of 100 calls which came between two looks, by their upper ends in milliseconds."""
    counts = {bound: after[bound] - before.get(bound, 0) for bound in after}
    total = counts["+Inf"]
    found = {}
    for share in (50, 99):
        bound = next(bound for bound, count in counts.items() if count * 100 >= total * share)
        found[f"p{share}"] = float(bound) * 1000
    return found


class _Seen:
    """What can be seen of the server from outside."""

    def __init__(self, port: int, pid: int, key: str) -> None:
        import httpx

        self._pid, self._key, self._port = pid, key, port
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120)
        self._ahead = min((self._difference() for _ in range(50)), key=lambda pair: pair[0])[1]
        """Seconds by which the workspace's clock is ahead of ours: it goes on from the data's end."""

    def _difference(self) -> tuple[float, float]:
        """How long a question took, and the difference of the clocks by it."""
        begun = time.time()
        now = datetime.fromisoformat(self._http.get("/healthz").json()["now"]).timestamp()
        took = time.time() - begun
        return took, now - begun - took / 2

    def _figures(self, name: str) -> dict[str, float]:
        rows = [line for line in self._http.get("/metrics").text.splitlines() if line.startswith(name)]
        return {line.rpartition(" ")[0].removeprefix(name): float(line.rpartition(" ")[2]) for line in rows}

    def drained(self) -> float:
        """Seconds until all calls have taken effect."""
        begun = time.perf_counter()
        while self._figures("shoal_waiting_calls")[""]:
            time.sleep(0.02)
        return time.perf_counter() - begun

    def delays(self) -> dict[str, int]:
        """How many calls could be read of within each bound, in seconds."""
        found = self._figures("shoal_membership_delay_seconds_bucket")
        return {label.split('"')[1]: int(count) for label, count in found.items()}

    def idle(self, seconds: float) -> float:
        """The share of a core that a server takes of which nobody asks anything."""
        before = cpu_of(self._pid)
        time.sleep(seconds)
        return round((cpu_of(self._pid) - before) / seconds, 4)

    def _known(self, event: str, slug: str) -> None:
        """Make the event known, and wait until the segment that names it is in force."""
        self._send([{"type": "track", "userId": "first", "event": event, "messageId": event}])
        while self._http.get(f"/v1/segments/{slug}").status_code != 200:
            time.sleep(0.1)

    def _send(self, calls: list[dict[str, Any]]) -> None:
        answer = self._http.post("/v1/batch", json={"batch": calls}, headers={}, auth=(self._key, ""))
        answer.raise_for_status()

    def expiries(self, many: int) -> dict[str, float]:
        """Customers whose window ends one after the other: from the exact instant until a reader of the stream has it."""
        self._known("Soon Over", "soon")
        time.sleep(SOON + 1)
        late: dict[str, list[float]] = {"entered": [], "left": []}
        reader = Thread(target=self._read, args=("soon", 2 * many, late), daemon=True)
        reader.start()
        time.sleep(0.5)
        for number in range(many):
            self._send(
                [{"type": "track", "userId": str(1 + number), "event": "Soon Over", "messageId": f"soon-{number}"}]
            )
            time.sleep(0.01)
        reader.join(SOON + 30)
        found = {}
        for what, delays in late.items():
            delays.sort()
            found[f"{what}_p50_ms"] = round(delays[len(delays) // 2] * 1000, 1)
            found[f"{what}_p99_ms"] = round(delays[len(delays) * 99 // 100] * 1000, 1)
        return found

    def _read(self, slug: str, many: int, late: dict[str, list[float]]) -> None:
        """Read the stream of changes, and note how long after its instant each came."""
        with self._http.stream("GET", "/v1/changes/stream") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    change = json.loads(line.removeprefix("data: "))
                    if change["segment"] == slug:
                        at = datetime.fromisoformat(change["at"]).timestamp()
                        late[change["change"]].append(time.time() + self._ahead - at)
                        if sum(map(len, late.values())) >= many:
                            return

    def wave(self, many: int, customers: int) -> dict[str, Any]:
        """Many windows that end at one instant: how long until all have left, and what calls wait for meanwhile."""
        self._known("Wave Over", "wave")
        stamp = datetime.now(UTC)
        when, begun = stamp.isoformat(), time.time()
        for first in range(0, many, 500):
            self._send(
                [
                    {
                        "type": "track",
                        "userId": str(1 + n),
                        "event": "Wave Over",
                        "messageId": f"wave-{n}",
                        "timestamp": when,
                    }
                    for n in range(first, min(many, first + 500))
                ]
            )
        self.drained()
        inside = self._http.get("/v1/segments/wave").json()["size"]
        due = begun + WAVE
        time.sleep(max(0.0, due - time.time() - 0.5))
        before = self.delays()
        gone: list[float] = []
        watch = Thread(target=self._watch, args=(due, gone), daemon=True)
        watch.start()
        single = under(self._port, self._pid, self._key, customers, 1, 4, 4.0, 200)
        watch.join(60)
        return {
            "customers": inside, "all_left_s": round(gone[0], 2) if gone else None, "calls": single["events"],
            "published_ms": _between(before, self.delays()),
        }  # fmt: skip

    def _watch(self, due: float, gone: list[float]) -> None:
        while self._http.get("/v1/segments/wave").json()["size"]:
            time.sleep(0.05)
        gone.append(time.time() - due)
