"""Thousands of odd requests, made from the interface's own description, find no 500."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .served import Served


@pytest.mark.slow
def test_no_request_breaks_the_server(served: Served, tmp_path: Path) -> None:
    """Breaks if a route answers odd input with a traceback instead of a 4xx that says what is wrong."""
    served.track("ann", "Order Completed", revenue=30)
    served.wait_for("buyers", {"ann"})
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{served.http.base_url}/v1/openapi.json",
        "-H", f"Authorization: Bearer {served.key}", "--checks", "not_a_server_error", "--max-examples", "25",
        "--seed", "1", "--generation-deterministic", "--no-shrink", "--max-time", "20",
        # What it follows are redirects and open streams, which never end.
        "--exclude-path", "/v1/changes/stream", "--no-color", "--request-timeout", "10",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert served.http.get("/healthz").status_code == 200
