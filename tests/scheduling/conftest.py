"""A small workspace with jobs, and a clock that the test moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from shoal.clock import StoppedClock, to_instant
from shoal.sql.store import Store
from shoal.workspace import Workspace, create_workspace, open_workspace
from shoal.workspace.scheduling import Run, Scheduler

HEAD = """\
shoal: 1
timezone: Europe/London
sources:
  orders:
    from: orders.csv
    events:
      - {event: Order Completed, customer: who, at: day, id: number, properties: {total: total}}
"""
ORDERS = "who,day,number,total\nann,2024-03-01,1,20\nbob,2024-03-02,2,30\n"


QUICK = dict.fromkeys(("load", "publish", "recalibrate"), lambda workspace, job, when: "Done.")
"""Work that takes no time, for tests of when it is done."""


def at(text: str) -> int:
    """The instant of an ISO text in UTC."""
    return to_instant(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))


@dataclass
class Shop:
    """A workspace's folder, and how its jobs are driven."""

    root: Path

    def write(self, jobs: str) -> None:
        """Make these the jobs, as lines of YAML."""
        (self.root / "shoal.yaml").write_text(f"{HEAD}jobs:\n{jobs}" if jobs else HEAD, encoding="utf-8")

    def open(self) -> Workspace:
        return open_workspace(self.root)

    def run_due(self, when: str, *, work: Mapping[str, object] | None = None) -> list[Run]:
        """What a process does that is started at an instant, as cron does; the work is real unless it is given."""
        with self.open() as workspace:
            return scheduler(workspace, when, work=work).run_due(at(when))

    def rows(self) -> list[tuple[str, str]]:
        """Job and state of all rows, in order."""
        with self.open() as workspace:
            return states(workspace.store)


def scheduler(workspace: Workspace, when: str, **options: object) -> Scheduler:
    """A scheduler whose clock stands at an instant."""
    return Scheduler(workspace, clock=StoppedClock(instant=at(when)), **options)  # type: ignore[arg-type]


def states(store: Store) -> list[tuple[str, str]]:
    return [(job, state) for job, state in store.rows("SELECT job, state FROM job_runs ORDER BY due, rowid")]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    create_workspace(tmp_path / "shop", HEAD)
    (tmp_path / "shop" / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return Shop(tmp_path / "shop")
