"""Rewrites one file of the log without what must be forgotten."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from shoal.log.frames import FILE_HEAD, Damage, Role, damaged, file_head, frames, whole_frame
from shoal.log.segments import PARTIAL, Segment, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from shoal.log.frames import Frame

_BUFFER = 1 << 20


class Entry(NamedTuple):
    """What was appended, with its position."""

    position: int
    kind: int
    payload: bytes


def rewrite(segment: Segment, change: Callable[[Entry], bytes | None]) -> Segment | None:
    """Write a file of the log anew beside its place: each entry with a new payload, the same, or none; positions stay.

    Args:
        segment: a file that nothing is appended to.
        change: called once for each entry that isn't a hole; what it returns takes the place of the payload, and None
            leaves a hole.

    Returns:
        The new file, on disk under its partial name, or None where nothing changes.

    Raises:
        StoreError: an entry is damaged.
        OSError: the disk refuses.
    """
    partial = segment.path.with_name(segment.path.name + PARTIAL)
    try:
        with opened(segment.path) as descriptor:
            return _rewritten(segment, descriptor, partial, change)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, Damage):
            raise damaged(segment.path, error.offset, f"Entry {error.position}") from None
        raise


def _rewritten(
    segment: Segment, descriptor: int, partial: Path, change: Callable[[Entry], bytes | None]
) -> Segment | None:
    """Copy what comes before the first change, then go on changing: files without any change aren't written."""
    read = frames(descriptor, FILE_HEAD.size, segment.end, segment.seed, segment.first)
    first = _first_change(read, segment.seed, change)
    if first is None:
        return None
    offset, data = first
    before = frames(descriptor, FILE_HEAD.size, offset, segment.seed, segment.first)
    same = ((f.position, _frame(f, segment.seed)) for f in before)
    return _write(partial, segment, chain(same, [data], _changed(read, segment.seed, change)))


def _first_change(
    read: Iterator[Frame], seed: int, change: Callable[[Entry], bytes | None]
) -> tuple[int, tuple[int, bytes]] | None:
    """Where the first frame is that changes, and what it becomes."""
    for frame in read:
        if frame.role == Role.ENTRY:
            payload = change(Entry(frame.position, frame.kind, frame.payload))
            if payload != frame.payload:
                return frame.offset, (frame.position, _with(frame, payload, seed))
    return None


def _changed(read: Iterable[Frame], seed: int, change: Callable[[Entry], bytes | None]) -> Iterator[tuple[int, bytes]]:
    for frame in read:
        if frame.role == Role.ENTRY:
            payload = change(Entry(frame.position, frame.kind, frame.payload))
            yield frame.position, _with(frame, payload, seed)
        else:
            yield frame.position, _frame(frame, seed)


def _with(frame: Frame, payload: bytes | None, seed: int) -> bytes:
    if payload is None:
        return whole_frame(Role.HOLE, 0, frame.position, b"", seed)
    return whole_frame(Role.ENTRY, frame.kind, frame.position, payload, seed)


def _frame(frame: Frame, seed: int) -> bytes:
    return whole_frame(frame.role, frame.kind, frame.position, frame.payload, seed)


def _write(partial: Path, old: Segment, new: Iterable[tuple[int, bytes]]) -> Segment:
    made = Segment(old.path, old.seed, old.first, old.following)
    with partial.open("wb", buffering=_BUFFER) as file:
        file.write(file_head(old.seed, old.first))
        for position, data in new:
            made.note(position, made.end)
            file.write(data)
            made.end += len(data)
        file.flush()
        os.fsync(file.fileno())
    return made
