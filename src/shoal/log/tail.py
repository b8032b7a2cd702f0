"""The end of the last file after a crash: cut where a write never finished, refused where acknowledged bytes are damaged."""

from __future__ import annotations

import mmap
import os
import zlib
from typing import TYPE_CHECKING

from shoal.log.frames import FILE_HEAD, FRAME, MARKER, Damage, Role, damaged, following, frames
from shoal.log.segments import opened

if TYPE_CHECKING:
    from shoal.log.segments import Segment

_BLOCK = 1 << 20


def mend(segment: Segment) -> int:
    """Find the end of the last file, cut what follows it, and make sure that the rest is on disk.

    What is whole stays, acknowledged or not: whoever wrote it was told nothing else.

    Returns:
        How many bytes were cut.

    Raises:
        StoreError: something before a mark is damaged, so the disk had it and lost it.
        OSError: the disk refuses.
    """
    size = segment.end
    with opened(segment.path, os.O_RDWR) as descriptor:
        end = vouched = FILE_HEAD.size
        try:
            for frame in frames(descriptor, end, size, segment.seed, segment.first):
                segment.note(frame.position, frame.offset)
                segment.following, end = following(frame), frame.end
                vouched = end if frame.role == Role.MARK else vouched
        except Damage as damage:
            if _has_mark(descriptor, damage.offset, segment.seed):
                raise damaged(segment.path, damage.offset, f"Entry {damage.position}") from None
        os.ftruncate(descriptor, end)
        _write_again(descriptor, vouched, end)
        os.fsync(descriptor)
    segment.end = end
    return size - end


def _write_again(descriptor: int, start: int, end: int) -> None:
    """Make bytes dirty again: after a failed fsync the cache holds them as clean though the disk hasn't got them."""
    for offset in range(start, end, _BLOCK):
        os.pwrite(descriptor, os.pread(descriptor, min(_BLOCK, end - offset), offset), offset)


def _has_mark(descriptor: int, start: int, seed: int) -> bool:
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        at = data.find(MARKER, start)
        while at >= 0:
            if _is_mark(data[at : at + FRAME.size], seed):
                return True
            at = data.find(MARKER, at + 1)
    return False


def _is_mark(head: bytes, seed: int) -> bool:
    if len(head) < FRAME.size:
        return False
    _, checksum, length, _, role, _ = FRAME.unpack(head)
    return bool(role == Role.MARK and length == 0 and zlib.crc32(head[8:], seed) == checksum)
