"""The vendors' JavaScript libraries, installed once into the test environment from the lock file."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "js"
FOLDER = Path(sys.prefix) / "npm"
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]


def libraries() -> Path:
    """The folder with ``node_modules`` and this folder's scripts; the test is skipped where there is no npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip(
            f"There is no npm. Install it with: apt-get install nodejs npm; then: cd {HERE} && {' '.join(INSTALL)}"
        )
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted, stamp = (HERE / "package-lock.json").read_text(), FOLDER / ".installed"
        for path in HERE.iterdir():
            shutil.copy(path, FOLDER)
        if not stamp.exists() or stamp.read_text() != wanted:
            run(INSTALL)
            stamp.write_text(wanted)
        run(
            [
                "node_modules/.bin/esbuild",
                "page_client.js",
                "--bundle",
                "--format=iife",
                "--outfile=page_client.bundle.js",
            ]
        )
    return FOLDER


def run(command: list[str]) -> str:
    """What a command prints, run in the folder of the libraries."""
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
