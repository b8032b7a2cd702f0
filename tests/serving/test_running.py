"""The thread that runs jobs while a workspace is served, where the store refuses for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import shoal
from shoal.clock import DAY, Clock, StoppedClock
from shoal.server import running
from shoal.workspace.live import Live
from shoal.workspace.scheduling import Scheduler

from .served import shop


def test_jobs_go_on_after_a_store_that_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Breaks if no job runs any more once the history of runs couldn't be read or written, as on a full disk."""
    monkeypatch.setattr(running, "LOOK", 0.05)
    folder = shop(tmp_path / "shop", {})
    with (folder / "shoal.yaml").open("a") as settings:
        settings.write("jobs:\n  copy: {run: backup, every: hour, to: copies}\n")
    with shoal.open(folder) as workspace:
        # Long ago, so that it is due at once.
        Scheduler(workspace, clock=StoppedClock(instant=Clock().now() - 2 * DAY)).run("copy")
        live = Live(workspace, RuntimeError)
        live.start()
        jobs = running.Running(workspace, live)
        other = workspace.store.cursor()
        try:
            other.execute("ALTER TABLE job_runs RENAME TO away")
            with caplog.at_level(logging.ERROR, "shoal.jobs"):
                jobs.start()
                wait_for(lambda: any("tried again" in record.message for record in caplog.records))
            other.execute("ALTER TABLE away RENAME TO job_runs")
            wait_for(lambda: [run.state for run in jobs.scheduler.history("copy")] == ["done", "done"])
        finally:
            jobs.close()
            live.close()
            other.close()
    assert len(list((folder / "copies").glob("*.zip"))) == 2


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
