"""Calls go before the database's helpers: with few cores, whoever answers a request would wait for parts of a statement."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import enumerate as python_threads

GIVES_WAY = 10
"""How nice the database's threads are: they get about a tenth of a core that others want, and all of one that nobody does."""


def put_python_first() -> int:
    """Lower the priority of all threads of this process that aren't Python's own: DuckDB's, Arrow's.

    Python's own keep theirs, since each of them may hold the interpreter's lock. Linux alone has priorities of threads;
    elsewhere nothing is changed.

    Returns:
        How many threads give way now.
    """
    if sys.platform != "linux":
        return 0
    own = {thread.native_id for thread in python_threads()}
    lowered = 0
    for task in Path("/proc/self/task").iterdir():
        number = int(task.name)
        if number in own:
            continue
        try:
            os.setpriority(os.PRIO_PROCESS, number, GIVES_WAY)
        except OSError:
            # It has ended since, or a container forbids it: then everything is as it was.
            continue
        lowered += 1
    return lowered
