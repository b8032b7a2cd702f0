"""Long work that somebody asked for on a page, in a process of its own and of low priority: a client of the server.

It tells how far it is, a line of JSON each time, and stands among the runs of jobs, so that what came of it is kept.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import shoal
from shoal.clock import Clock
from shoal.errors import ShoalError, UnknownName
from shoal.server.child import NICE
from shoal.wording import counted
from shoal.workspace.scheduling.runs import DONE, FAILED, Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.workspace import Workspace

    Step = Callable[[str, int, int], None]
    Errand = Callable[[Workspace, str, Step], str]


def _fit(workspace: Workspace, about: str, step: Step) -> str:
    done = workspace.models.predict([about], refit=True, progress=step)
    said = [f"Version {v.number} of {name} scores" for name, v in done.versions.items()]
    said += [f"{counted(sum(done.changed.values()), 'score')} changed"]
    said += [f"{done.entered:,} entered a segment by it, {done.left:,} left one"]
    said += [f"{name} not written: {why}" for name, why in done.skipped.items()]
    return f"{'; '.join(said)}."


def _discover(workspace: Workspace, about: str, step: Step) -> str:
    done = (
        workspace.discovery.accept(progress=step)
        if about == "proposal"
        else workspace.discovery.discover(progress=step)
    )
    return f"{counted(len(done.found.segments), 'micro-segment')}, version {done.version}; {done.found.verdict}."


def _load(workspace: Workspace, about: str, step: Step) -> str:
    return " ".join(workspace.load(only=[about] if about else None, progress=step).lines())


def _retry(workspace: Workspace, about: str, step: Step) -> str:
    return " ".join(workspace.data.retry_quarantine(about or None, progress=step).lines())


ERRANDS: Mapping[str, Errand] = {"fit": _fit, "discover": _discover, "load": _load, "retry": _retry}
"""By name; each gets what it is about, and gives back a sentence."""


def job_of(errand: str, about: str) -> str:
    """What a run is called among those of jobs.

    >>> job_of("fit", "churn")
    'fit churn'
    """
    return f"{errand} {about}".strip()


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """End when the server does: it holds the other end of the standard input."""
    sys.stdin.buffer.read()
    os._exit(1)


def _do(workspace: Workspace, errand: str, about: str) -> None:
    runs, clock = Runs(workspace.store), Clock()
    run = runs.begin(job_of(errand, about), clock.now(), clock.now())
    try:
        state, message = DONE, ERRANDS[errand](workspace, about, lambda w, d, t: _tell(step=w, done=d, total=t))
    except ShoalError as error:
        state, message = FAILED, str(error)
    runs.end(run, clock.now(), state, message)
    _tell(state=state, message=message)


def main() -> int:
    """Do one errand: ``ROOT ERRAND ABOUT``."""
    os.nice(NICE)
    root, errand, about = sys.argv[1:]
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        if errand not in ERRANDS:
            raise UnknownName("errand", errand, ERRANDS)
        with shoal.open(Path(root)) as workspace:
            _do(workspace, errand, about)
    except ShoalError as error:
        _tell(state=FAILED, message=str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
