"""One process owns a workspace: an operating-system lock that names its owner; a dead owner's lock is free."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, NoReturn

from shoal.errors import StoreLocked

if TYPE_CHECKING:
    from pathlib import Path

_SERVES = ", which serves it on "


class Served(StoreLocked):
    """A server has the workspace open, and says where it serves it.

    Args:
        address: as ``http://127.0.0.1:8000``.
    """

    def __init__(self, problem: str, *, address: str, place: str | None = None, fix: str | None = None) -> None:
        super().__init__(problem, place=place, fix=fix)
        self.address = address


class WorkspaceLock:
    """An exclusive lock on a file, held until ``release`` or the end of the process.

    Args:
        path: the lock file; it is made where it is missing and stays afterwards.
        wait: seconds to wait for another owner to finish.

    Raises:
        StoreLocked: if another process still holds it; the message names that process.
        Served: if that is a server; it isn't waited for.
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
                owner = self._owner()
                if _SERVES in owner or time.monotonic() >= deadline:
                    self._refuse(path, owner)
                time.sleep(0.05)
        self.tell()

    def tell(self, address: str = "") -> None:
        """Write down who holds the lock, and under which address it serves."""
        self._handle.seek(0)
        self._handle.truncate()
        self._handle.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._handle.write(f"{_SERVES}{address}" if address else "")
        self._handle.flush()

    def _owner(self) -> str:
        self._handle.seek(0)
        return self._handle.read().strip() or "another process"

    def _refuse(self, path: Path, owner: str) -> NoReturn:
        self._handle.close()
        problem, place = f"The workspace is in use by {owner}.", str(path.parent.parent)
        _, serves, address = owner.partition(_SERVES)
        if serves:
            raise Served(problem, address=address, place=place, fix="Stop that server first; nothing was changed.")
        raise StoreLocked(
            problem, place=place, fix="Wait until it has finished, or stop that process; nothing was changed."
        )

    def release(self) -> None:
        """Let others in."""
        self._handle.close()
