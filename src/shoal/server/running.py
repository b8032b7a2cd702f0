"""The jobs of a served workspace, on a thread of their own."""

from __future__ import annotations

import logging
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING

from shoal.clock import SECOND, Clock
from shoal.server.child import in_child
from shoal.workspace.scheduling import Scheduler
from shoal.workspace.scheduling.work import WORK

if TYPE_CHECKING:
    from shoal.config import Job
    from shoal.workspace import Workspace
    from shoal.workspace.live import Live
    from shoal.workspace.scheduling.work import Work

CHANGING = ("expire",)
"""The kinds of jobs that change the store in this process: memberships are read anew after them."""
LONG = ("load", "publish", "recalibrate", "predict", "assign", "feedback", "report")
"""The kinds that work long, in a process of their own."""
_logger = logging.getLogger("shoal.jobs")
LOOK = 30.0
"""Seconds between two looks at the calendar at most."""


class Running:
    """Runs what is due while the workspace is served.

    Args:
        workspace: its own connection is used by jobs alone, once it is live.
        live: is paused by jobs that change the store.
    """

    def __init__(self, workspace: Workspace, live: Live) -> None:
        self._clock = Clock()
        self._cursor = workspace.store.cursor()
        self._stop = Flag()
        work = {kind: (_exclusive if kind in CHANGING else _alone)(live, do) for kind, do in WORK.items()}
        work |= dict.fromkeys(LONG, in_child(self._stop))
        self.scheduler = Scheduler(workspace, store=self._cursor, clock=self._clock, work=work)
        self._thread = Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def close(self) -> None:
        """Finish the job that runs, or end its process, and end."""
        self._stop.set()
        self._thread.join()
        self._cursor.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait = self._run_due()
            except Exception:
                # As where the disk is full and the history can't be written: without its thread no job would run again.
                _logger.exception("jobs can't be run at present; they are tried again")
                wait = LOOK
            self._stop.wait(max(0.05, wait))

    def _run_due(self) -> float:
        """Run what is due; returns for how many seconds nothing is."""
        self.scheduler.run_due(self._clock.now())
        due = self.scheduler.next_due(self._clock.now())
        return LOOK if due is None else min(LOOK, max(0.0, (due - self._clock.now()) / SECOND))


def _exclusive(live: Live, work: Work) -> Work:
    def run(workspace: Workspace, job: Job, at: int) -> str:
        return live.exclusively(lambda: work(workspace, job, at))

    return run


def _alone(live: Live, work: Work) -> Work:
    def run(workspace: Workspace, job: Job, at: int) -> str:
        with live.own:
            live.settle(None)
            return work(workspace, job, at)

    return run
