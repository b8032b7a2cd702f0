"""A workspace whose clock is set by its first load, and a server: which of them comes first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal
from shoal.errors import ConfigError

from .served import Served, shop

SEGMENTS = {"lately": 'did "Order Completed" in last 30 days'}
SOURCES = """\
clock: data-end
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: amount}}]
"""
ORDERS = "customer,at,amount\nann,2011-03-01T12:00:00+00:00,10\nbob,2010-03-01T12:00:00+00:00,20\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = shop(tmp_path / "shop", SEGMENTS)
    (folder / "orders.csv").write_text(ORDERS)
    found = Served(folder)
    yield found
    found.close()


def add(folder: Path, text: str) -> None:
    """Further settings."""
    with (folder / "shoal.yaml").open("a") as settings:
        settings.write(text)


def test_a_server_waits_for_the_load_that_sets_its_clock(served: Served) -> None:
    """Breaks if calls are taken by the real clock, and lie years ahead once the data's end is now."""
    add(served.folder, SOURCES)
    command = [sys.executable, "-m", "shoal.cli", "-w", str(served.folder), "serve", "--port", str(served.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "shoal.yaml:6" in done.stderr
    assert "Load first" in done.stderr
    with shoal.open(served.folder) as workspace:
        workspace.load()
    served.start()
    assert served.members("lately") == {"ann"}
    served.track("bob", "Order Completed", revenue=5)
    served.wait_for("lately", {"ann", "bob"})
    # Later loads go beside the server.
    (served.folder / "orders.csv").write_text(ORDERS + "cid,2011-02-20T12:00:00+00:00,20\n")
    with shoal.open(served.folder) as workspace:
        workspace.load()
    served.wait_for("lately", {"ann", "bob", "cid"})


def test_a_running_server_refuses_the_load_that_would_set_its_clock(served: Served) -> None:
    """Breaks if a clock that was changed in the settings is set beside a server, which goes on by another."""
    served.start()
    add(served.folder, SOURCES)
    with shoal.open(served.folder) as workspace, pytest.raises(ConfigError, match="Stop the server"):
        workspace.load()
    served.track("bob", "Order Completed", revenue=5)
    served.wait_for("lately", {"bob"})
