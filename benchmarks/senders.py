"""Clients and servers for the benchmarks over HTTP: prepared bytes over open connections, so that they cost little."""

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

ANSWER = b'{"success":true}'
_POOL = 20_000
"""Events that are prepared; requests repeat them with message ids of their own."""


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


def under(
    port: int,
    pid: int,
    key: str,
    customers: int,
    many: int,
    connections: int,
    seconds: float,
    rate: float | None = None,
) -> dict[str, Any]:
    """The server under load: as much as it takes, or at a rate.

    Args:
        port: of the server.
        pid: of the server.
        key: a write key.
        customers: whom the events are of, a few of them most.
        many: events in a request.
        connections: each sends a request after the answer to the one before.
        seconds: for how long.
        rate: events a second; None for as many as are answered.
    """
    before = cpu_of(pid)
    delays, refused, took = asyncio.run(_load(port, key, customers, many, connections, seconds, rate))
    if not delays:
        raise RuntimeError(f"the server took none of {refused} requests")
    delays.sort()
    events = len(delays) * many
    return {
        "events": events,
        "seconds": round(took, 2),
        "events_per_s": round(events / took),
        "events_per_cpu_s": round(events / max(0.01, cpu_of(pid) - before)),
        "p50_ms": round(delays[len(delays) // 2] * 1000, 2),
        "p99_ms": round(delays[len(delays) * 99 // 100] * 1000, 2),
        "refused": refused * many,
    }


async def _load(
    port: int, key: str, customers: int, many: int, connections: int, seconds: float, rate: float | None
) -> tuple[list[float], int, float]:
    random = Random(connections)
    bodies = [_body(random, customers, many) for _ in range(max(100, _POOL // many))]
    loop, begun = asyncio.get_running_loop(), time.perf_counter()
    pause = None if rate is None else connections * many / rate
    senders = [_Sender(_requests(Random(n), key, bodies, many), begun + seconds, pause) for n in range(connections)]
    for number, sender in enumerate(senders):
        if pause is not None:
            await asyncio.sleep(pause / connections if number else 0)
        await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(sender.done for sender in senders))
    took = time.perf_counter() - begun
    return [delay for sender in senders for delay in sender.delays], sum(s.refused for s in senders), took


def _requests(random: Random, key: str, bodies: list[list[str]], many: int) -> Iterator[bytes]:
    """Requests without end: the bodies are prepared, the message ids are new in each."""
    auth = b64encode(f"{key}:".encode()).decode()
    path = "/v1/batch" if many > 1 else "/v1/track"
    while True:
        stamp = uuid.uuid4().hex
        body = stamp.join(random.choice(bodies)).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {auth}\r\ncontent-type: application/json\r\n"
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
    """One connection that sends request after request, each after the answer to the one before and, at a rate, a pause."""

    def __init__(self, requests: Iterator[bytes], until: float, pause: float | None) -> None:
        self._requests, self._until, self._pause = requests, until, pause
        self.delays: list[float] = []
        self.refused = 0
        self._got = b""
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
        self._got += data
        if not _is_whole(self._got):
            return
        now, taken = time.perf_counter(), self._got.endswith(ANSWER)
        self._got = b""
        if taken:
            self.delays.append(now - self._at)
        else:
            # Refused with 429: come again a little later.
            self.refused += 1
        if now >= self._until:
            self._transport.close()
            return
        wait = 0.1 if not taken else 0.0 if self._pause is None else max(0.0, self._at + self._pause - now)
        asyncio.get_running_loop().call_later(wait, self._send)


def _is_whole(answer: bytes) -> bool:
    """Whether an answer has come with all of its body; head and body are sent one after the other."""
    head, end, body = answer.partition(b"\r\n\r\n")
    said = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return bool(end) and len(body) >= int(said or 0)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
