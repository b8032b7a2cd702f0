"""What opening a log needs: its folder, the lock on it, its files made sound; and errors of the operating system."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from typing import TYPE_CHECKING

from shoal.errors import StoreError, StoreLocked
from shoal.log.segments import PARTIAL, Segment, check, create, found, sync_folder
from shoal.log.tail import mend

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path) -> None:
    """Make a folder whose name, and those of the folders above it, a crash doesn't take away."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
        sync_folder(path.parent)


def take(folder: Path) -> int:
    """Lock a folder for this process; closing the descriptor lets it go.

    Raises:
        StoreLocked: somebody has it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise StoreLocked(
            "The log is open already.", place=str(folder), fix="Close it there; one process at a time has it."
        ) from None
    return descriptor


def load(folder: Path, first: int, check_all: bool) -> tuple[list[Segment], int]:
    """The files of a folder, sound, and how many bytes were cut at the end."""
    for partial in folder.glob(f"*{PARTIAL}"):
        partial.unlink()
    segments = found(folder)
    if not segments:
        return [create(folder, secrets.randbits(32), first)], 0
    if check_all:
        for segment in segments[:-1]:
            check(segment)
    return segments, mend(segments[-1])


def free(folder: Path) -> int:
    """Bytes of room that the disk says it has."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def refused(path: Path, error: OSError) -> StoreError:
    """What an error of the operating system becomes."""
    return StoreError(
        f"The disk refuses ({error.strerror}).", place=str(path), fix="Check its room and permissions, then try again."
    )


def dropped_error(folder: Path, after: int, first: int) -> StoreError:
    """The error for reading on after a position whose followers were dropped."""
    return StoreError(
        f"Entries {after + 1} to {first - 1} were dropped; the oldest there is is {first}.",
        place=str(folder),
        fix="Begin from a snapshot or a store that is newer.",
    )
