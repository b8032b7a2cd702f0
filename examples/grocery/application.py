"""The web application on the demo's workspace, in the background: ``start`` and ``stop``; ``make demo-stop`` runs this file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

DEMO = Path(__file__).parents[2] / "demo"
PORTS = range(8000, 8020)
PATIENCE = 120.0
"""Seconds until it has to be ready."""
_begun: list[subprocess.Popen[bytes]] = []
"""Held, since a process that nobody holds is complained of."""


def start(folder: Path) -> str:
    """Serve a workspace in the background, and wait until it is ready.

    Args:
        folder: of the workspace, which nobody serves yet.

    Returns:
        A link that signs the administrator in, once.
    """
    port = next((port for port in PORTS if _is_free(port)), None)
    if port is None:
        sys.exit(f"No port from {PORTS[0]} to {PORTS[-1]} is free; serve on another: shoal -w demo serve --port NUMBER")
    command = [sys.executable, "-m", "shoal.cli", "-w", str(folder)]
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        serving = subprocess.Popen(
            [*command, "serve", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    _begun.append(serving)
    (folder / "server.pid").write_text(str(serving.pid), encoding="ascii")
    _wait(serving, f"http://127.0.0.1:{port}/healthz", folder / "server.log")
    linked = subprocess.run([*command, "accounts", "link"], check=True, capture_output=True, text=True)
    return linked.stdout.strip()


def stop(folder: Path) -> bool:
    """End the server of a workspace, if ``start`` began one; says whether there was one."""
    written = folder / "server.pid"
    try:
        pid = int(written.read_text(encoding="ascii"))
        # Its session is its own: another process that got its number since has another one, mostly.
        running = os.getsid(pid) == pid
    except (OSError, ValueError):
        running = False
    if running:
        os.kill(pid, signal.SIGTERM)
        begun = time.monotonic()
        while _is_running(pid) and time.monotonic() - begun < PATIENCE:
            time.sleep(0.1)
    written.unlink(missing_ok=True)
    return running


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait(serving: subprocess.Popen[bytes], address: str, log: Path) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        if serving.poll() is not None:
            sys.exit(f"The server ended at once:\n{log.read_text(encoding='utf-8')}")
        try:
            with urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            pass
        time.sleep(0.2)
    sys.exit(f"The server isn't ready after {PATIENCE:.0f} s; see {log}.")


def _is_running(pid: int) -> bool:
    for mine in _begun:
        if mine.pid == pid:
            return mine.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    print("The demo's server has ended." if stop(DEMO) else "The demo isn't served.")
