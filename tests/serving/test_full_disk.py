"""The log's disk is full while calls come: nothing is acknowledged that isn't kept, and it goes on when there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import Served, shop

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Served]:
    """A served shop whose log lies on a small file system of its own."""
    folder = shop(tmp_path / "shop", {"buyers": 'did "Order Completed"'})
    place = folder / ".shoal" / "log"
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    served = Served(folder)
    try:
        yield served.start()
    finally:
        served.close()
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_calls_and_takes_them_again_without_a_restart(cramped: Served) -> None:
    """Breaks if a call is acknowledged that isn't kept, or only a restart helps once there is room again."""
    place = cramped.folder / ".shoal" / "log"
    cramped.track("ann", "Order Completed", revenue=1)
    cramped.wait_for("buyers", {"ann"})
    (place / "ballast").write_bytes(bytes(max(0, shutil.disk_usage(place).free - 100_000)))
    call = {"userId": "bob", "event": "Order Completed", "properties": {"note": "x" * 20_000}}
    codes = [cramped.send(**call, messageId=f"m{n}").status_code for n in range(12)]
    assert codes[-1] in (429, 503)
    kept = codes.count(200)
    assert cramped.http.get("/healthz").status_code == 503
    (place / "ballast").unlink()
    deadline = time.monotonic() + 30
    while (again := cramped.send(**call, messageId="later").status_code) != 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert again == 200
    cramped.wait_for("buyers", {"ann", "bob"})
    events = cramped.get("/v1/profiles/bob")["events"]
    assert len(events) == kept + 1
