"""Jobs that work long, in a process of their own and of low priority: it is a client of the server, as any command is.

So reading files, drawing reports and fitting hold up no event: what such a job reads comes from a connection of its own, and
the effect of calls is paused only while it writes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import shoal
from shoal.errors import ShoalError, StoreError, UnknownName
from shoal.workspace.scheduling.work import WORK
from shoal.workspace.served.wire import decode, decode_error, encode, encode_error

if TYPE_CHECKING:
    from threading import Event as Flag

    from shoal.config import Job
    from shoal.workspace import Workspace
    from shoal.workspace.scheduling.work import Work

NICE = 10
"""By so much the process gives way to others."""
LOOK = 0.2
"""Seconds between two looks whether the server stops."""


def in_child(stop: Flag) -> Work:
    """What runs a job in a process of its own.

    Args:
        stop: ends it; the job counts as failed then.
    """

    def run(workspace: Workspace, job: Job, at: int) -> str:
        command = [sys.executable, "-m", "shoal.server.child", str(workspace.config.root), job.name, str(at)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            while True:
                try:
                    told, _ = process.communicate(timeout=LOOK)
                    break
                except subprocess.TimeoutExpired:
                    if stop.is_set():
                        process.terminate()
        if process.returncode == 0:
            return str(decode(told))
        if process.returncode == 1 and told:
            raise decode_error(told)
        if stop.is_set():
            raise StoreError(
                "The server was stopped meanwhile. What was written is whole for each customer.", fix="Run it again."
            )
        raise StoreError(
            f"The job's process ended with code {process.returncode}. What was written is whole for each customer.",
            fix="Look at the server's log; a process that is short of memory is ended by the system.",
        )

    return run


def main() -> int:
    """Do one job; what it has to say goes to the standard output, for ``in_child``."""
    os.nice(NICE)
    root, name, at = sys.argv[1:]
    try:
        with shoal.open(Path(root)) as workspace:
            job = workspace.config.jobs.get(name)
            if job is None:
                raise UnknownName("job", name, workspace.config.jobs)
            told, code = encode(WORK[job.run](workspace, job, int(at))), 0
    except ShoalError as error:
        told, code = encode_error(error), 1
    sys.stdout.buffer.write(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
