"""The jobs of a served workspace: its server runs them, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.workspace.scheduling import Run, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.config import Job
    from shoal.workspace.served.link import Link


class ServedJobs:
    """What ``scheduling.Scheduler`` offers, answered by the server's own scheduler."""

    def __init__(self, jobs: Mapping[str, Job], link: Link) -> None:
        self._jobs = jobs
        self._link = link

    def table(self, now: int) -> list[Standing]:
        """All jobs that the server knows of, in the order of the file."""
        rows = self._link.ask("jobs", now=now)
        return [
            Standing(self._jobs[name], due, None if last is None else Run(*last))
            for name, due, last in rows
            if name in self._jobs
        ]

    def run(self, name: str) -> Run:
        """Run a job now, in the server, and wait for it."""
        return Run(*self._link.ask("run", leave=True, name=name))

    def run_due(self, now: int) -> list[Run]:
        """Run all that is due, in the server, and wait; nothing where the server is at it already."""
        return [Run(*run) for run in self._link.ask("run_due", leave=True, now=now)]

    def history(self, job: str | None = None, limit: int = 20) -> list[Run]:
        """The newest runs, of one job or of all."""
        return [Run(*run) for run in self._link.ask("history", job=job, limit=limit)]
