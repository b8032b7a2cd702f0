"""The files of a log: each holds a run of positions and is named after the first."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from shoal.errors import StoreError
from shoal.log.frames import FILE_HEAD, Damage, damaged, file_head, following, frames, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDING = ".log"
PARTIAL = ".partial"
_STEP = 16 << 10
_BUFFER = 1 << 20


class SegmentInfo(NamedTuple):
    """A file of the log; ``last`` is ``first - 1`` while it holds no position."""

    path: Path
    first: int
    last: int
    size: int


@dataclass(slots=True)
class Segment:
    """One file as far as it is durable: positions from ``first`` to before ``following``, bytes to before ``end``.

    ``positions`` and ``offsets`` say where some of the frames begin, one about every 16 KB, so that a reader needn't
    start at the beginning.
    """

    path: Path
    seed: int
    first: int
    following: int
    end: int = FILE_HEAD.size
    positions: array[int] = field(default_factory=lambda: array("Q"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))

    def note(self, position: int, offset: int) -> None:
        """Remember that the frame of ``position`` begins at ``offset``, if the last one remembered is far enough."""
        if offset - (self.offsets[-1] if self.offsets else FILE_HEAD.size) >= _STEP:
            self.positions.append(position)
            self.offsets.append(offset)

    def before(self, position: int) -> tuple[int, int]:
        """The nearest known place at or before a position: its own position and its byte offset."""
        at = bisect_right(self.positions, position) - 1
        return (self.positions[at], self.offsets[at]) if at >= 0 else (self.first, FILE_HEAD.size)

    def info(self) -> SegmentInfo:
        """What callers may know of this file."""
        return SegmentInfo(self.path, self.first, self.following - 1, self.end)


def create(folder: Path, seed: int, first: int) -> Segment:
    """Make an empty file that is on disk, whole and under its name, when this returns.

    Raises:
        OSError: the disk refuses.
    """
    path = folder / f"{first:020d}{ENDING}"
    with replacing(path) as file:
        file.write(file_head(seed, first))
    sync_folder(folder)
    return Segment(path, seed, first, first)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, sync it and put it there in one step; after an error nothing has changed.

    The caller syncs the folder.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("wb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make new, renamed and deleted names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A descriptor of a file, closed afterwards."""
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def found(folder: Path) -> list[Segment]:
    """The files of a folder in order, their heads read and their frames not yet: ``following`` is where the next begins.

    Raises:
        StoreError: a head is damaged, or a file isn't what its name says.
    """
    segments = [_with_head(path) for path in sorted(folder.glob(f"*{ENDING}"))]
    for segment, after in pairwise(segments):
        segment.following = after.first
    return segments


def _with_head(path: Path) -> Segment:
    with opened(path) as descriptor:
        seed, first = read_head(os.pread(descriptor, FILE_HEAD.size, 0), path)
        size = os.fstat(descriptor).st_size
    if path.name != f"{first:020d}{ENDING}":
        raise StoreError(
            f"The file begins with entry {first}, which its name doesn't say.",
            place=str(path),
            fix=f"If it was renamed, name it {first:020d}{ENDING} again.",
        )
    return Segment(path, seed, first, first, size)


def check(segment: Segment) -> None:
    """Read a file that others follow, so that nothing in it may be unfinished, and remember where its frames begin.

    Raises:
        StoreError: an entry is damaged or missing.
    """
    expected = segment.first
    with opened(segment.path) as descriptor:
        try:
            for frame in frames(descriptor, FILE_HEAD.size, segment.end, segment.seed, segment.first):
                segment.note(frame.position, frame.offset)
                expected = following(frame)
        except Damage as damage:
            raise damaged(segment.path, damage.offset, f"Entry {damage.position}") from None
    if expected != segment.following:
        raise missing(segment.path, segment.end, expected, segment.following)


def missing(path: Path, offset: int, first: int, after: int) -> StoreError:
    """The error for a file that ends too early, or a file that is gone."""
    return StoreError(
        f"Entries {first} to {after - 1} are missing: the next file begins with {after}.",
        place=f"{path}, byte {offset}",
        fix="Restore the log from a backup.",
    )
