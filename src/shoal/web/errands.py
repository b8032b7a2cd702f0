"""Long work that a page has done in a process of its own: one at a time, with how far it is, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING

from shoal.errors import Refused
from shoal.server.errand import job_of
from shoal.web.people import now, service_of
from shoal.workspace.scheduling.runs import FAILED, RUNNING

if TYPE_CHECKING:
    from fastapi import Request

    from shoal.server.service import Service


@dataclass(slots=True)
class Errand:
    """One errand.

    Args:
        job: its name among the runs of jobs.
        began: the instant.
        state: running, done or failed.
        step: what it is at.
        done: of ``total``, how much of the step is done.
        total: 0 where nobody knows.
        message: what came of it.
    """

    job: str
    began: int
    state: str = RUNNING
    step: str = "beginning"
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return self.state == RUNNING


class Errands:
    """The errands of a server.

    Args:
        service: the served workspace; what it knew of answers before is forgotten after an errand.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = Lock()
        self._held: dict[str, Errand] = {}

    def of(self, errand: str, about: str) -> Errand | None:
        """The newest errand of this kind since the server started."""
        return self._held.get(job_of(errand, about))

    def start(self, errand: str, about: str) -> Errand:
        """Begin one.

        Raises:
            Refused: another one goes on.
        """
        with self._lock:
            running = next((one for one in self._held.values() if one.runs), None)
            if running is not None:
                raise Refused(f"“{running.job}” is being done.", fix="Wait until it is over.")
            made = self._held[job_of(errand, about)] = Errand(job_of(errand, about), now())
        Thread(target=self._run, args=(made, errand, about), name=f"errand {made.job}", daemon=True).start()
        return made

    def _run(self, made: Errand, errand: str, about: str) -> None:
        root = str(self._service.workspace.config.root)
        command = [sys.executable, "-m", "shoal.server.errand", root, errand, about]
        # The process ends when its standard input does: with this one.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                _take(made, line)
        if made.runs:
            made.message = f"Its process ended with code {process.returncode}; the server's log says why."
            made.state = FAILED
        if self._service.asking is not None:
            self._service.asking.forget()


def _take(made: Errand, line: str) -> None:
    """Take in what the process tells; what a library prints isn't meant for us."""
    try:
        said = json.loads(line)
    except ValueError:
        return
    if isinstance(said, dict):
        for name in ("step", "done", "total", "message", "state"):
            if name in said:
                setattr(made, name, said[name])


_making = Lock()


def errands_of(request: Request) -> Errands:
    """The errands of the server that is asked."""
    state = request.app.state
    with _making:
        if not hasattr(state, "errands"):
            state.errands = Errands(service_of(request))
    found: Errands = state.errands
    return found
