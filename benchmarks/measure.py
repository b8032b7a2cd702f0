"""What a measurement costs: CPU seconds of all threads, seconds on the clock, and memory at its peak, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIBRARIES = ("duckdb", "pyarrow", "numpy", "sqlglot")


@dataclass
class Cost:
    """CPU seconds of all threads of this process, and seconds on the clock, of each repeat."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add one repeat."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)

    def document(self) -> dict[str, Any]:
        """The medians, as JSON."""
        return {
            "cpu_s": round(statistics.median(self.cpu), 3),
            "wall_s": round(statistics.median(self.wall), 3),
            "repeats": len(self.cpu),
        }


def timed(action: Callable[[], object], repeats: int = 1) -> dict[str, Any]:
    """The cost of an action."""
    cost = Cost()
    for _ in range(repeats):
        with cost.measured():
            action()
    return cost.document()


def apart(action: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """Run an action in a new process and add its peak memory to what it returns (``peak_mb``).

    Raises:
        RuntimeError: the process failed; its own words stand on standard error.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(theirs, action, arguments))
    process.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv()
    except EOFError:
        raise RuntimeError(f"{action.__module__}.{action.__name__} failed") from None
    finally:
        process.join()
    return found


def _report(pipe: Any, action: Callable[..., dict[str, Any]], arguments: tuple[object, ...]) -> None:
    found = action(*arguments)
    # Linux gives kilobytes, macOS bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    pipe.send({**found, "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)})


def surroundings() -> dict[str, Any]:
    """Commit, date, machine and libraries."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "src") else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
        "load_1m": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in LIBRARIES},
    }


def _git(*arguments: str) -> str:
    folder = Path(__file__).parent.parent
    found = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
