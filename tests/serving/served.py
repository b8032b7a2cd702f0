"""Starts ``shoal serve`` as a process of its own, and talks to it as a client would."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

SETTINGS = """\
shoal: 1
name: shop
timezone: Africa/Nairobi
purposes:
  email_marketing: consent
"""


def shop(folder: Path, segments: dict[str, str]) -> Path:
    """A workspace with definitions and no data."""
    (folder / "segments").mkdir(parents=True)
    (folder / "shoal.yaml").write_text(SETTINGS)
    for slug, where in segments.items():
        write_segment(folder, slug, where)
    return folder


def write_segment(folder: Path, slug: str, where: str) -> None:
    """A definition file."""
    (folder / "segments" / f"{slug}.yaml").write_text(f"name: {slug}\nwhere: |\n  {where}\n")


def shoal(folder: Path, *args: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "shoal.cli", "-w", str(folder), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Served:
    """A workspace being served.

    Args:
        folder: the workspace.
        like: of which it is a copy, so that there are keys already.
    """

    def __init__(self, folder: Path, like: Served | None = None) -> None:
        self.folder = folder
        if like is None:
            made = json.loads(shoal(folder, "keys", "create", "web", "--scope", "collect", "--json"))
            self.write_key = made["secret"]
            self.key = json.loads(shoal(folder, "keys", "create", "ops", "--scope", "admin", "--json"))["secret"]
        else:
            self.write_key, self.key = like.write_key, like.key
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> Served:
        """Start the server, with further options, and wait until it is ready."""
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shoal.cli", "-w", str(self.folder), "serve", "--port", str(self.port),
                 *options],
                stdout=log, stderr=log, env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "serve.log").read_text()
            try:
                if self.http.get("/healthz").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError((self.folder / "serve.log").read_text())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the server; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process = None
        return code

    def close(self) -> None:
        """End what still runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.http.close()

    # ------------------------------------------------------------ sending and asking

    def send(self, kind: str = "track", **call: Any) -> httpx.Response:
        """Send one call."""
        return self.http.post(f"/v1/{kind}", json=call, auth=(self.write_key, ""))

    def track(self, who: str, event: str, **properties: Any) -> None:
        """Send an event, which must be taken."""
        assert self.send(userId=who, event=event, properties=properties).status_code == 200

    def get(self, path: str, **params: Any) -> Any:
        """What a route answers."""
        answer = self.http.get(path, params=params, headers=self.bearer)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def bearer(self) -> dict[str, str]:
        """The header of the administrator's key."""
        return {"Authorization": f"Bearer {self.key}"}

    def members(self, slug: str) -> set[str]:
        """Who is in."""
        return set(self.get(f"/v1/segments/{slug}/members", limit=10_000)["members"])

    def wait_for_change(self, slug: str, customer: str, change: str, seconds: float = 30) -> None:
        """Wait until a change was told; a membership that is soon over can't be waited for on a busy machine."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (slug, customer, change) in {(c["segment"], c["customer"], c["change"]) for c in self.changes()}:
                return
            time.sleep(0.02)
        raise AssertionError(f"{customer} hasn't {change} {slug}")

    def wait_for(self, slug: str, members: set[str], seconds: float = 10.0) -> None:
        """Wait until exactly these are in."""
        deadline = time.monotonic() + seconds
        found: set[str] | None = None
        while time.monotonic() < deadline:
            answer = self.http.get(f"/v1/segments/{slug}/members", params={"limit": 10_000}, headers=self.bearer)
            if answer.status_code == 200:
                found = set(answer.json()["members"])
                if found == members:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{slug}: {found} instead of {members}")

    def changes(self, after: int = 0) -> list[dict[str, Any]]:
        """All changes after a number."""
        found: list[dict[str, Any]] = []
        while page := self.get("/v1/changes", after=after)["changes"]:
            found += page
            after = int(page[-1]["id"])
        return found
