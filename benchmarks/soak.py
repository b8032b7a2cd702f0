"""The long runs: worlds drawn at random against four evaluators, and many kills. ``python -m benchmarks.soak``.

``SHOAL_PROOF_WORLDS`` (2,000) and ``SHOAL_KILLS`` (60) say how long; ``SHOAL_PROOF_SEED`` draws other worlds. What came of it is
written to ``benchmarks/results/soak.md``, green or red.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import surroundings

LENGTHS = {"SHOAL_PROOF_WORLDS": "2000", "SHOAL_KILLS": "60", "SHOAL_PROOF_SEED": "0"}
RUNS = {
    "worlds against naive, SQL and both resident paths": ["tests/proof"],
    "the store, killed": ["tests/store"],
    "the log, killed": ["tests/log"],
    "a server under load, killed": ["tests/serving/test_crashes.py"],
}
PAGE = Path(__file__).parent / "results" / "soak.md"


def main() -> int:
    """Run all and write the page; the exit code is 1 where anything failed."""
    lengths = {name: os.environ.get(name, usual) for name, usual in LENGTHS.items()}
    rows, failed = [], False
    for what, paths in RUNS.items():
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", *paths, "-n", "auto", "-q", "-p", "no:randomly"]
        done = subprocess.run(command, env={**os.environ, **lengths}, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        failed |= done.returncode != 0
        rows.append((what, _last(done.stdout), f"{(time.monotonic() - begun) / 60:.0f} min"))
    PAGE.write_text(_page(lengths, rows), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(Path.cwd())}")
    return int(failed)


def _last(output: str) -> str:
    """What pytest says in the end: so many passed, so many failed."""
    found = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", output.strip().splitlines()[-1])
    return ", ".join(found) or "nothing ran"


def _page(lengths: dict[str, str], rows: list[tuple[str, str, str]]) -> str:
    about = ", ".join(f"{name} {value}" for name, value in surroundings().items())
    said = ", ".join(f"`{name}={value}`" for name, value in lengths.items())
    lines = ["# The last soak", "", about, "", said, "", "| what | tests | took |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {what} | {found} | {took} |" for what, found, took in rows), ""])


if __name__ == "__main__":
    sys.exit(main())
