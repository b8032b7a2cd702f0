"""Runs jobs when they are due: each once, one after the other, and a missed one once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from shoal.clock import SECOND, Clock, iso
from shoal.errors import ShoalError, UnknownName
from shoal.lang.calendar import zone
from shoal.workspace.logs import said
from shoal.workspace.scheduling.runs import DONE, FAILED, INTERRUPTED, Run, Runs
from shoal.workspace.scheduling.work import WORK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.config import Job
    from shoal.sql.store import Store
    from shoal.workspace.opening import Workspace
    from shoal.workspace.scheduling.work import Work

_logger = logging.getLogger("shoal.jobs")


@dataclass(frozen=True, slots=True)
class Due:
    """A job that has to run, and the instant that it was planned for: the last one, where several were missed."""

    job: Job
    at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands: when it is due next (at once, where it is overdue), and its last run."""

    job: Job
    due: int
    last: Run | None

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        last = None if self.last is None else self.last.document()
        return {
            "name": self.job.name,
            "run": self.job.run,
            "every": self.job.every.text,
            "due": iso(self.due),
            "last": last,
        }


class Scheduler:
    """The jobs of a workspace. There is one of these in the process that owns the workspace.

    Jobs follow the real clock also where the workspace's clock stands at the data's end. A schedule counts from when it was
    first seen, so a new job doesn't run for the past. A run by hand counts as having caught up.

    Args:
        workspace: open, and owned by this process.
        store: a connection of its own (a cursor), where jobs run on another thread than those who ask how they stand; the
            workspace's own by default.
        clock: says when a run begins and ends.
        work: what each kind of job does instead of what ``work.WORK`` says.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        work: Mapping[str, Work] | None = None,
    ) -> None:
        self._workspace = workspace
        self._clock = clock or Clock()
        self._work = {**WORK, **(work or {})}
        self._runs = Runs(store or workspace.store)
        self._running = Lock()
        self._handled: dict[str, tuple[str, int]] = {}
        self._runs.interrupt()

    # ------------------------------------------------------------ when

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The jobs of the settings in force."""
        return self._workspace.config.jobs

    def due(self, now: int) -> list[Due]:
        """The jobs that have to run at an instant: the longest overdue first, then in the order of the file."""
        rules = zone(self._workspace.config.zone)
        found = [Due(job, job.every.last(now, rules)) for job in self.jobs.values()]
        return sorted((due for due in found if due.at > self._since(due.job, now)), key=lambda due: due.at)

    def next_due(self, now: int) -> int | None:
        """The earliest instant from ``now`` on at which a job has to run; None where there are no jobs."""
        return min((self._next(job, now) for job in self.jobs.values()), default=None)

    def _next(self, job: Job, now: int) -> int:
        return max(now, job.every.after(self._since(job, now), zone(self._workspace.config.zone)))

    def _since(self, job: Job, now: int) -> int:
        """The instant up to which a job is done; read once, since this process alone runs jobs."""
        known = self._handled.get(job.name)
        if known is None or known[0] != job.every.text:
            known = self._handled[job.name] = (job.every.text, self._runs.handled(job, now))
        return known[1]

    # ------------------------------------------------------------ running

    def run_due(self, now: int) -> list[Run]:
        """Run all that is due at an instant, one after the other; nothing where this is being done already."""
        if not self._running.acquire(blocking=False):
            return []
        try:
            return [self._run(due.job, due.at) for due in self.due(now)]
        finally:
            self._running.release()

    def run(self, name: str) -> Run:
        """Run a job now, whether it is due or not.

        Raises:
            UnknownName: there is no such job.
            ShoalError: another job is running.
        """
        if name not in self.jobs:
            raise UnknownName("job", name, self.jobs)
        if not self._running.acquire(blocking=False):
            raise ShoalError("Another job is running.", fix="Wait until it has finished; shoal jobs shows it.")
        try:
            job, now = self.jobs[name], self._clock.now()
            self._since(job, now)
            return self._run(job, now)
        finally:
            self._running.release()

    def _run(self, job: Job, due: int) -> Run:
        run = self._runs.begin(job.name, due, self._clock.now())
        self._handled[job.name] = (job.every.text, due)
        try:
            state, message = DONE, self._work[job.run](self._workspace, job, run.started)
        except ShoalError as error:
            state, message = FAILED, str(error)
        except Exception as error:
            # Whatever a job meets, the others and the server go on; the history says what it was.
            state, message = FAILED, said(error)
            _logger.error("a job met what it didn't expect", extra={"job": job.name}, exc_info=error)
        except BaseException:
            self._runs.end(run, self._clock.now(), INTERRUPTED, "Stopped.")
            raise
        done = self._runs.end(run, self._clock.now(), state, message)
        _log(job, done)
        return done

    # ------------------------------------------------------------ how they stand

    def table(self, now: int) -> list[Standing]:
        """All jobs, in the order of the file."""
        return [
            Standing(job, self._next(job, now), next(iter(self._runs.newest(name, 1)), None))
            for name, job in self.jobs.items()
        ]

    def history(self, job: str | None = None, limit: int = 20) -> list[Run]:
        """The newest runs, of one job or of all; a job that isn't in the settings any more has its history still."""
        return self._runs.newest(job, limit)


def _log(job: Job, run: Run) -> None:
    """Say how a run went; its message may name files and rows, and stays in the history."""
    seconds = round(((run.finished or run.started) - run.started) / SECOND, 3)
    level = logging.INFO if run.state == DONE else logging.ERROR
    _logger.log(level, "job %s", run.state, extra={"job": job.name, "run": job.run, "seconds": seconds})
