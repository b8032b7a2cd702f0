"""Starting: what a new process pays for ``import shoal`` and for ``shoal --help``, against a Python that does nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

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
