"""Starting: what a new process pays for ``import shoal`` and for ``shoal --help``, against a Python that does nothing.

And ``shoal serve`` until it is ready: from a snapshot, against the same from the store.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.senders import cpu_of, server, shoal, under, write_segments

CALLS = (100, 4)
"""Events in a request, and how many connections send, before the server is killed."""
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import shoal": ["-c", "import shoal"],
    "shoal --help": ["-c", "import sys; sys.argv = ['shoal', '--help']; from shoal.cli import main; main()"],
}


def starting(repeats: int = 10) -> dict[str, Any]:
    """The median seconds on the clock and CPU seconds of each command, taken in turns."""
    cost: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, arguments in COMMANDS.items():
            cost[name].append(_once([sys.executable, *arguments]))
    return {
        name: {
            "wall_s": round(statistics.median(wall for wall, _ in found), 3),
            "cpu_s": round(statistics.median(cpu for _, cpu in found), 3),
            "repeats": repeats,
        }
        for name, found in cost.items()
    }


def _once(command: list[str]) -> tuple[float, float]:
    """Seconds on the clock and CPU seconds of one process."""
    before, wall = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    took, after = time.perf_counter() - wall, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def serving(folder: Path, customers: int, segments: int) -> dict[str, Any]:
    """``shoal serve`` until it is ready: from the store, from a snapshot, and from a snapshot and the log after a kill.

    Args:
        folder: a workspace with data, which is changed.
        customers: how many its data has.
        segments: how many of the drawn segments are in force.
    """
    write_segments(folder, segments)
    said = shoal(folder, "keys", "create", "load", "--scope", "collect", "--scope", "read", "--json")
    key = json.loads(said)["secret"]
    found: dict[str, Any] = {"segments": segments}
    for name in ("first", "store", "snapshot", "killed"):
        # The first start compiles loops, and makes the memberships that the others find.
        if name == "store":
            shutil.rmtree(folder / ".shoal" / "snapshots")
        with _Started(folder) as started:
            found[name] = started.cost
            if name == "snapshot":
                found["events"] = under(started.port, started.pid, key, customers, *CALLS, 6.0)["events"]
                time.sleep(2)
                started.kill()
        found[name]["stop_s"] = started.stop_s
    found["snapshot_mb"] = round(sum(f.stat().st_size for f in (folder / ".shoal" / "snapshots").iterdir()) / 1e6)
    return found


class _Started(server):
    """A workspace being served, and what its start cost."""

    def __init__(self, folder: Path) -> None:
        super().__init__([sys.executable, "-m", "shoal.cli", "-w", str(folder), "serve", "--port", "{port}"])

    def __enter__(self) -> _Started:  # type: ignore[override]
        begun = time.perf_counter()
        self.port, self.pid = super().__enter__()
        wall = time.perf_counter() - begun
        status = Path(f"/proc/{self.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        self.cost = {"cpu_s": round(cpu_of(self.pid), 2), "wall_s": round(wall, 2), "peak_mb": round(peak / 1024)}
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *error: object) -> None:
        begun = time.perf_counter()
        super().__exit__(*error)
        self.stop_s = round(time.perf_counter() - begun, 2)
