"""One process owns a workspace: an operating-system lock that names its owner; a dead owner's lock is free."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

from shoal.errors import StoreLocked

if TYPE_CHECKING:
    from pathlib import Path


class WorkspaceLock:
    """An exclusive lock on a file, held until ``release`` or the end of the process.

    Args:
        path: the lock file; it is made where it is missing and stays afterwards.
        wait: seconds to wait for another owner to finish.

    Raises:
        StoreLocked: if another process still holds it; the message names that process.
    """

    def __init__(self, path: Path, *, wait: float = 10.0) -> None:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    self._refuse(path)
                time.sleep(0.05)
        self.tell()

    def tell(self, address: str = "") -> None:
        """Write down who holds the lock, and under which address it serves."""
        self._handle.seek(0)
        self._handle.truncate()
        self._handle.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._handle.write(f", which serves it on {address}" if address else "")
        self._handle.flush()

    def _refuse(self, path: Path) -> None:
        self._handle.seek(0)
        owner = self._handle.read().strip() or "another process"
        self._handle.close()
        raise StoreLocked(
            f"The workspace is in use by {owner}.",
            place=str(path.parent.parent),
            fix="Wait until it has finished, or stop that process; nothing was changed.",
        )

    def release(self) -> None:
        """Let others in."""
        self._handle.close()
