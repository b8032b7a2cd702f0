"""Over HTTP: a served workspace that acknowledges after fsync, against an app that answers and does nothing else.

The clients send prepared bytes over open connections, so that they cost little beside the server; each batch has message
ids of its own. Both servers run in processes of their own, one after the other, on the same machine as the clients.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.generate import PRICED, TYPES
from benchmarks.segments import draw, written

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 6.0
PATTERNS = {"100 events a request": (100, 8), "one event a request": (1, 32)}
"""Events in a request, and how many connections send."""
ANSWER = b'{"success":true}'
EMPTY = """
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"16")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"success":true}'})
"""


def serving(folder: Path, customers: int, segments: int) -> dict[str, Any]:
    """Both servers under both patterns.

    Args:
        folder: a workspace with data.
        customers: how many its data has; calls are of them.
        segments: how many of the drawn segments are in force.
    """
    write_segments(folder, segments)
    key = json.loads(shoal(folder, "keys", "create", "load", "--scope", "collect", "--scope", "read", "--json"))[
        "secret"
    ]
    found: dict[str, Any] = {"segments": segments}
    begun = time.perf_counter()
    with server([sys.executable, "-m", "shoal.cli", "-w", str(folder), "serve", "--port", "{port}"]) as (port, pid):
        found["start_s"] = round(time.perf_counter() - begun, 1)
        found["served"] = {name: under(port, pid, key, customers, *p) for name, p in PATTERNS.items()}
        found["delay"] = _delays(port, key)
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
        found["baseline"] = {name: under(port, pid, key, customers, *p) for name, p in PATTERNS.items()}
    return found


def write_segments(folder: Path, many: int) -> None:
    """Put drawn segments in force."""
    for number, tree in enumerate(draw(many)):
        text = f"name: Segment {number}\nwhere: |\n  {written(tree)}\n"
        (folder / "segments" / f"s{number}.yaml").write_text(text, encoding="utf-8")


def shoal(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "shoal.cli", "-w", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class server:  # noqa: N801
    """A server in a process of its own, ready."""

    def __init__(self, command: list[str], *, any_answer: bool = False) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = int(listener.getsockname()[1])
        self._command = [part.replace("{port}", str(self._port)) for part in command]
        self._any = any_answer

    def __enter__(self) -> tuple[int, int]:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._ready():
                return self._port, self._process.pid
            time.sleep(0.05)
        raise RuntimeError("the server didn't start")

    def _ready(self) -> bool:
        import httpx

        try:
            answer = httpx.get(f"http://127.0.0.1:{self._port}/healthz", timeout=5)
        except httpx.TransportError:
            return False
        return self._any or answer.status_code == 200

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(300)


def under(port: int, pid: int, key: str, customers: int, many: int, connections: int) -> dict[str, Any]:
    """The server under one pattern of load."""
    before = cpu_of(pid)
    events, delays, seconds = asyncio.run(_load(port, key, customers, many, connections))
    delays.sort()
    return {
        "events": events,
        "events_per_s": round(events / seconds),
        "events_per_cpu_s": round(events / max(0.01, cpu_of(pid) - before)),
        "p50_ms": round(delays[len(delays) // 2] * 1000, 2),
        "p99_ms": round(delays[len(delays) * 99 // 100] * 1000, 2),
        "refused": events - len(delays) * many,
    }


async def _load(port: int, key: str, customers: int, many: int, connections: int) -> tuple[int, list[float], float]:
    delays: list[float] = []
    loop, begun = asyncio.get_running_loop(), time.perf_counter()
    made = []
    for number in range(connections):
        requests = _requests(Random(number), key, customers, many)
        made.append(
            await loop.create_connection(lambda r=requests: _Sender(r, begun + SECONDS, delays), "127.0.0.1", port)
        )
    await asyncio.gather(*(sender.done for _, sender in made))
    return len(delays) * many, delays, time.perf_counter() - begun


def _requests(random: Random, key: str, customers: int, many: int) -> Iterator[bytes]:
    """Requests without end: the bodies are few and prepared, the message ids are new in each."""
    auth = b64encode(f"{key}:".encode()).decode()
    path = "/v1/batch" if many > 1 else "/v1/track"
    bodies = [_body(random, customers, many) for _ in range(50)]
    while True:
        for pieces in bodies:
            stamp = uuid.uuid4().hex
            body = stamp.join(pieces).encode()
            head = (
                f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {auth}\r\ncontent-type: application/json\r\n"
            )
            yield f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _body(random: Random, customers: int, many: int) -> list[str]:
    """A body in pieces between which the message ids' stamp stands."""
    calls = [_call(random, customers, number) for number in range(many)]
    text = json.dumps({"batch": calls} if many > 1 else calls[0])
    return text.split("STAMP")


def _call(random: Random, customers: int, number: int) -> dict[str, Any]:
    name = random.choices(list(TYPES), list(TYPES.values()))[0]
    rank = int(1_000 * ((customers + 1_000) / 1_000) ** random.random() - 1_000)
    call: dict[str, Any] = {
        "type": "track", "event": name, "userId": str(1 + rank * 7_919 % customers), "messageId": f"STAMP-{number}",
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }  # fmt: skip
    if name in PRICED:
        call["properties"] = {"amount": round(random.lognormvariate(3.7, 1.0), 2)}
    return call


class _Sender(asyncio.Protocol):
    """One connection that sends request after request, each after the answer to the one before."""

    def __init__(self, requests: Iterator[bytes], until: float, delays: list[float]) -> None:
        self._requests, self._until, self._delays = requests, until, delays
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        payload = next(self._requests)
        self._at = time.perf_counter()
        self._transport.write(payload)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if data.endswith(ANSWER):
            self._delays.append(now - self._at)
        if now < self._until:
            # Refused with 429: come again a little later.
            asyncio.get_running_loop().call_later(0 if data.endswith(ANSWER) else 0.1, self._send)
        else:
            self._transport.close()


def _delays(port: int, key: str) -> dict[str, Any]:
    """From a call's arrival until its memberships can be read: the classes of the server's own histogram."""
    import httpx

    text = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=30).text
    rows = [line for line in text.splitlines() if line.startswith("shoal_membership_delay_seconds_bucket")]
    return {line.split('"')[1]: int(float(line.split()[-1])) for line in rows}


def cpu_of(pid: int) -> float:
    """CPU seconds of a process since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
