"""Load on the collection server alone: a server process with an intake that keeps nothing, and this process as its clients.

    python -m tests.server.load [--seconds 5] [--connections 16]

It prints events a second, the time from sending to the answer, and the CPU time of the server, for 100 events a request
and for one. The clients send prepared bytes over open connections, so that they cost little beside the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from shoal.customers.tracking import Call, encode
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.server.app import collection_app, server
from shoal.server.intake import FixedKeys
from shoal.server.plan import Plan

KEY = "wk_load"
SCHEMA = Schema(
    events={
        "Order Completed": {
            "revenue": PropertyType(Kind.NUMBER), "currency": PropertyType(Kind.TEXT),
            "category": PropertyType(Kind.TEXT), "quantity": PropertyType(Kind.NUMBER),
        }
    }
)  # fmt: skip


class Nothing:
    """An intake that makes the log's bytes and drops them."""

    def submit(self, calls: Sequence[Call], done: Callable[[BaseException | None], None]) -> None:
        encode(calls)
        done(None)


def event(number: int) -> dict[str, object]:
    """A track call as the vendors' server libraries send it, about 360 bytes."""
    return {
        "type": "track", "event": "Order Completed", "userId": f"user-{number}", "messageId": str(uuid.uuid4()),
        "timestamp": "2026-11-27T00:46:00.123Z", "integrations": {},
        "properties": {"revenue": 12.5, "currency": "KES", "category": "shoes", "quantity": 2, "coupon": None},
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }  # fmt: skip


def request(many: int) -> bytes:
    sent = {"sentAt": "2026-11-27T00:46:01.000Z"}
    batch = {"batch": [event(i) for i in range(many)], **sent}
    body = json.dumps(batch if many > 1 else {**event(0), **sent}).encode()
    path = "/v1/batch" if many > 1 else "/v1/track"
    auth = b64encode(f"{KEY}:".encode()).decode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {auth}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Sender(asyncio.Protocol):
    """One connection that sends the same request over and over, each after the answer to the one before."""

    def __init__(self, payload: bytes, until: float, delays: list[float]) -> None:
        self._payload, self._until, self._delays = payload, until, delays
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._at = time.perf_counter()
        self._transport.write(self._payload)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not data.endswith(b'{"success":true}'):
            return
        now = time.perf_counter()
        self._delays.append(now - self._at)
        if now < self._until:
            self._send()
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


async def load(port: int, many: int, connections: int, seconds: float) -> tuple[int, list[float], float]:
    delays: list[float] = []
    loop, started = asyncio.get_running_loop(), time.perf_counter()
    payload = request(many)
    made = [
        await loop.create_connection(lambda: Sender(payload, started + seconds, delays), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(sender.done for _, sender in made))
    return len(delays) * many, sorted(delays), time.perf_counter() - started


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--connections", type=int, default=16)
    options.add_argument("--serve", type=int)
    chosen = options.parse_args()
    if chosen.serve:
        server(collection_app(Nothing(), FixedKeys([KEY]), plan=Plan(SCHEMA)), port=chosen.serve).run()
        return
    import uvloop

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen([sys.executable, "-m", "tests.server.load", "--serve", str(port)])
    try:
        time.sleep(2)
        for many in (100, 1):
            before = cpu_seconds(served.pid)
            events, delays, took = uvloop.run(load(port, many, chosen.connections, chosen.seconds))
            cpu = cpu_seconds(served.pid) - before
            at = [delays[int(len(delays) * q)] * 1e3 for q in (0.5, 0.95, 0.99)]
            print(
                f"{many:>4} a request: {events / took:>9,.0f} events/s, {events / cpu:>9,.0f} per CPU-s of the server; "
                f"answer after {at[0]:.1f} ms (p50), {at[1]:.1f} (p95), {at[2]:.1f} (p99)"
            )
    finally:
        served.terminate()
        served.wait()


if __name__ == "__main__":
    main()
