"""Long questions answered in a process of its own, of low priority: it is a client of the server, as any command is."""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

import shoal
from shoal.errors import ShoalError
from shoal.server.child import NICE
from shoal.server.warm import FAULT, FINE, HEAD, LAST_FAULT, LAST_FINE
from shoal.workspace.questions import answer
from shoal.workspace.served.wire import encode_error

MOST = 1_000
"""So many questions a process answers."""
LARGE = 1 << 30
"""Bytes of memory beyond which a process answers no further one."""
WARMED = (
    "duckdb", "shoal.insight.metrics.figures", "shoal.sql.engine", "shoal.workspace.experiments", "shoal.workspace.journeys",
    "shoal.workspace.metrics", "shoal.workspace.served.workspace",
)  # fmt: skip


def _plain(value: Any) -> Any:
    """As JSON has it: what is no number is null, dates and paths are texts."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def told(root: Path, asked: bytes) -> tuple[bool, bytes]:
    """Whether there is an answer, and the answer as JSON, or the error for ``decode_error``."""
    question = json.loads(asked)
    try:
        # Opened anew for each question: settings and definitions may have changed, and nothing of a customer is kept.
        with shoal.open(root) as workspace:
            return True, json.dumps(_plain(answer(workspace, question["name"], question["asked"]))).encode()
    except ShoalError as error:
        return False, encode_error(error)


def _is_spent(answered: int) -> bool:
    """Whether the process has grown old or large."""
    return answered >= MOST or _resident() > LARGE


def _resident() -> int:
    """Bytes in memory now; 0 where the system doesn't tell.

    Not the most of ``getrusage``: a process inherits that from whoever started it, and a server may be large.
    """
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _answers() -> BinaryIO:
    """Where answers go; what a library prints goes to the log instead."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink


def main() -> int:
    """Answer questions from the standard input, one after the other, until it ends."""
    os.nice(NICE)
    # Ctrl-C in the server's terminal comes here as well; the server ends this process when it stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    root, source, sink = Path(sys.argv[1]), sys.stdin.buffer, _answers()
    # What a question needs is here before the first one comes.
    for name in WARMED:
        import_module(name)
    answered = 0
    while head := source.read(HEAD.size):
        _, length = HEAD.unpack(head)
        fine, body = told(root, source.read(length))
        answered += 1
        spent = _is_spent(answered)
        kind = (LAST_FINE if fine else LAST_FAULT) if spent else (FINE if fine else FAULT)
        sink.write(HEAD.pack(kind, len(body)) + body)
        sink.flush()
        if spent:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
