"""Puts groups of frames at the end of the last file, begins new files, and knows what the disk has promised."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from shoal.errors import StoreError
from shoal.log.frames import FILE_HEAD, NEXT, Role, whole_frame
from shoal.log.segments import ENDING, create

if TYPE_CHECKING:
    from pathlib import Path

    from shoal.log.segments import Segment

MOST_AT_ONCE = 8 << 20
"""Bytes between two syncs, so that a long queue doesn't make its first entries wait for its last."""

_BUFFERS = int(os.sysconf("SC_IOV_MAX"))


class Writer:
    """The last file of a log, open for writing; used by one thread at a time.

    Attributes:
        segment: the file; others read what it says is durable, so only the log changes that.
        offset: where the next frame goes.
        following: the position that the file goes on with.
        broken: a sync failed. What the disk has is unknown from then on, and only opening the log anew can tell.
        syncs: how often the disk was asked.
    """

    def __init__(self, segment: Segment, segment_bytes: int) -> None:
        self.segment = segment
        self.offset = segment.end
        self.following = segment.following
        self.broken = False
        self.syncs = 0
        self._segment_bytes = segment_bytes
        self._marked = segment.end == FILE_HEAD.size
        self._unsynced = False
        self._descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)

    def fit(self, queue: list[bytes], start: int) -> int:
        """The index after the last frame that goes to disk together with ``queue[start]``."""
        room = min(self._segment_bytes - self.offset, MOST_AT_ONCE)
        if start == 0 and sum(map(len, queue)) <= room:
            return len(queue)
        room -= len(queue[start])
        at = start + 1
        while at < len(queue) and (room := room - len(queue[at])) >= 0:
            at += 1
        return at

    def must_roll(self, size: int) -> bool:
        """Whether a frame of ``size`` bytes begins a new file."""
        return self.offset > FILE_HEAD.size and self.offset + size > self._segment_bytes

    def put(self, first: int, group: list[bytes]) -> None:
        """Write the frames of consecutive positions and sync them: after an error none is in the log, unless ``broken``.

        Raises:
            StoreError: the disk is full or refuses.
        """
        self._still_whole()
        before = [] if self._marked else [self._frame(Role.MARK, self.following)]
        if first != self.following:
            before.append(self._frame(Role.GAP, self.following, NEXT.pack(first)))
        written = self._write(before + group)
        self._sync()
        self.offset += written
        self.following = first + len(group)
        self._marked = False

    def mark(self) -> None:
        """Say that everything so far is on disk. Nothing depends on it, so nothing is said where the disk refuses."""
        if self._marked or self.broken:
            return
        frame = self._frame(Role.MARK, self.following)
        with suppress(OSError):
            if os.pwrite(self._descriptor, frame, self.offset) == len(frame):
                self.offset += len(frame)
                self._marked = self._unsynced = True
                return
        self._take_back()

    def roll(self) -> Segment:
        """Begin a new file and go on in it; the caller makes it known.

        Raises:
            StoreError: the disk is full or refuses; the log goes on in the file that it has, unless ``broken``.
        """
        self._still_whole()
        if self._unsynced:
            self._sync()
        try:
            segment = create(self.segment.path.parent, self.segment.seed, self.following)
            descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            # A file that has its name, but may lose it again in a crash, must not come to hold entries.
            self.broken = self._next_path().exists()
            raise self.refusal(error) from error
        os.close(self._descriptor)
        self._descriptor = descriptor
        self.segment, self.offset = segment, segment.end
        self._marked = True
        return segment

    def close(self) -> None:
        """Mark the end and close the file."""
        self.mark()
        if self._unsynced and not self.broken:
            with suppress(StoreError):
                self._sync()
        os.close(self._descriptor)

    def refusal(self, error: OSError) -> StoreError:
        """What an error of the operating system means for the log."""
        if self.broken:
            problem = f"The disk failed to keep what was written ({error.strerror}); whether it has it is unknown."
            fix = "Check the disk, then open the log again: it keeps what is whole."
        else:
            problem = f"The log can't be written ({error.strerror}); nothing that was acknowledged is lost."
            fix = "Free disk space; the log goes on by itself."
        return StoreError(problem, place=str(self.segment.path), fix=fix)

    def _still_whole(self) -> None:
        if self.broken:
            raise self.refusal(OSError(errno.EIO, "an earlier sync failed"))

    def _next_path(self) -> Path:
        return self.segment.path.with_name(f"{self.following:020d}{ENDING}")

    def _frame(self, role: Role, position: int, payload: bytes = b"") -> bytes:
        return whole_frame(role, 0, position, payload, self.segment.seed)

    def _write(self, buffers: list[bytes]) -> int:
        at = self.offset
        try:
            for i in range(0, len(buffers), _BUFFERS):
                at = _write_all(self._descriptor, buffers[i : i + _BUFFERS], at)
        except OSError as error:
            self._take_back()
            raise self.refusal(error) from error
        return at - self.offset

    def _take_back(self) -> None:
        """Cut what a failed write may have left; a file that another follows must end with its last frame."""
        self._unsynced = True
        try:
            os.ftruncate(self._descriptor, self.offset)
        except OSError:
            self.broken = True

    def _sync(self) -> None:
        self.syncs += 1
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self.broken = True
            raise self.refusal(error) from error
        self._unsynced = False


def _write_all(descriptor: int, buffers: list[bytes], at: int) -> int:
    """Write buffers at an offset in one call, more only where the system took a part; returns the offset after them."""
    size = sum(map(len, buffers))
    done = os.pwritev(descriptor, buffers, at)
    if done < size:
        rest = memoryview(b"".join(buffers))
        while done < size:
            done += os.pwrite(descriptor, rest[done:], at + done)
    return at + size
