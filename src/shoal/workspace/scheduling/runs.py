"""The table ``job_runs``: one row a run, and one of the state ``planned`` where a schedule was first seen."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, iso

if TYPE_CHECKING:
    from shoal.config import Job
    from shoal.sql.store import Store

PLANNED, RUNNING, DONE, FAILED, INTERRUPTED = "planned", "running", "done", "failed", "interrupted"
KEPT = 90 * DAY
"""For so long runs are kept."""
_COLUMNS = "job, due, started, finished, state, message"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a job.

    Args:
        job: its name.
        due: the instant that it was planned for; that of the start where somebody asked for it.
        started: when it began.
        finished: when it ended; None while it runs.
        state: ``running``, ``done``, ``failed``, or ``interrupted`` where the process ended under it.
        message: what it did, or why it failed.
    """

    job: str
    due: int
    started: int
    finished: int | None
    state: str
    message: str

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        return {
            "job": self.job,
            "due": iso(self.due),
            "started": iso(self.started),
            "finished": None if self.finished is None else iso(self.finished),
            "state": self.state,
            "message": self.message,
        }


class Runs:
    """The history of jobs in a store.

    Args:
        store: a connection that nobody else uses meanwhile; threads that ask here take turns.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = Lock()

    def interrupt(self) -> None:
        """Say of runs that nobody is at any more that they were interrupted."""
        with self._turn:
            self._store.execute(
                "UPDATE job_runs SET state = ?, message = 'The process ended under it.' WHERE state = ?",
                [INTERRUPTED, RUNNING],
            )

    def handled(self, job: Job, now: int) -> int:
        """The instant up to which a job has run or was let off; it is planned from ``now`` where its schedule is new.

        Rows of later than ``now`` don't count: a clock went wrong then. A run that was interrupted is due once more.
        """
        with self._turn:
            rows = self._store.rows(
                "SELECT due, state, message FROM job_runs WHERE job = ? AND due <= ? "
                "ORDER BY due DESC, started DESC NULLS LAST",
                [job.name, now],
            )
            planned = next((message for _, state, message in rows if state == PLANNED), None)
            if planned != job.every.text:
                self._add(job.name, now, None, PLANNED, job.every.text)
                return now
        due, state, _ = rows[0]
        again = state == INTERRUPTED and sum(other == due for other, _, _ in rows) == 1
        return int(due) - 1 if again else int(due)

    def begin(self, job: str, due: int, started: int) -> Run:
        """Write down that a run begins."""
        with self._turn:
            self._add(job, due, started, RUNNING, "")
        return Run(job, due, started, None, RUNNING, "")

    def end(self, run: Run, finished: int, state: str, message: str) -> Run:
        """Write down how a run went, and forget old ones of the job."""
        with self._turn, self._store.transaction():
            self._store.execute(
                "UPDATE job_runs SET finished = ?, state = ?, message = ? WHERE job = ? AND due = ? AND started = ? "
                "AND state = ?",
                [finished, state, message, run.job, run.due, run.started, RUNNING],
            )
            self._store.execute(
                "DELETE FROM job_runs WHERE job = ? AND due < ? AND state <> ?", [run.job, run.due - KEPT, PLANNED]
            )
        return Run(run.job, run.due, run.started, finished, state, message)

    def newest(self, job: str | None = None, limit: int = 20) -> list[Run]:
        """The newest runs, of one job or of all, the newest first."""
        which, given = ("", []) if job is None else ("AND job = ?", [job])
        with self._turn:
            rows = self._store.rows(
                f"SELECT {_COLUMNS} FROM job_runs WHERE state <> ? {which} ORDER BY started DESC, due DESC LIMIT ?",
                [PLANNED, *given, limit],
            )
        return [Run(*row) for row in rows]

    def _add(self, job: str, due: int, started: int | None, state: str, message: str) -> None:
        self._store.execute(
            f"INSERT INTO job_runs ({_COLUMNS}) VALUES (?, ?, ?, NULL, ?, ?)", [job, due, started, state, message]
        )
