"""The bytes of a log file, format 1. All numbers are little-endian.

A file begins with a head of 32 bytes:

    8 bytes   magic SHOALLOG
    u32       format
    u32       seed of the checksums, drawn at random when the log is made
    u64       first position
    u32       nothing yet
    u32       CRC-32 of the 28 bytes before

Frames follow, each a head of 24 bytes and a payload:

    4 bytes   marker
    u32       CRC-32, started with the seed, of the payload and then of the next 16 bytes
    u32       length of the payload
    u16       kind, the caller's
    u8        role: entry, hole, gap or mark
    u8        nothing yet
    u64       position

A *hole* is an entry whose payload was erased. A *gap* stands for positions that were given out and never became durable;
its payload is the next position (u64). A *mark* takes no position: it says that everything before it was on disk when it
was written, so damage before a mark is damage, and damage after the last one is a write that never finished. The seed
keeps payloads from passing for frames: whoever sends them doesn't know it.
"""

from __future__ import annotations

import os
import struct
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
MAGIC = b"SHOALLOG"
MARKER = b"\xf1Sh\xc7"
FILE_HEAD = struct.Struct("<8sIIQII")
FRAME = struct.Struct("<4sIIHBxQ")
NEXT = struct.Struct("<Q")
MOST_PAYLOAD = 1 << 30
MOST_KIND = (1 << 16) - 1
_BODY = struct.Struct("<IHBxQ")
_CHECKED_FROM = 8
_BLOCK = 1 << 20


class Role(IntEnum):
    """What a frame is; the numbers are part of the format."""

    ENTRY = 0
    HOLE = 1
    GAP = 2
    MARK = 3


class Frame(NamedTuple):
    """A frame as it was read, with its place in the file."""

    offset: int
    position: int
    kind: int
    role: int
    payload: bytes

    @property
    def end(self) -> int:
        """The byte after this frame."""
        return self.offset + FRAME.size + len(self.payload)


class Damage(Exception):
    """No whole frame begins at ``offset``, where ``position`` was expected; the caller decides what that means."""

    def __init__(self, offset: int, position: int) -> None:
        super().__init__(offset, position)
        self.offset = offset
        self.position = position


def file_head(seed: int, first: int) -> bytes:
    """The head of a file whose first position is ``first``."""
    body = FILE_HEAD.pack(MAGIC, FORMAT, seed, first, 0, 0)[:-4]
    return body + struct.pack("<I", zlib.crc32(body))


def read_head(data: bytes, path: Path) -> tuple[int, int]:
    """The seed and the first position in the head of a file.

    Raises:
        StoreError: it is no log file, of a newer format, or damaged.
    """
    if len(data) < FILE_HEAD.size or data[:8] != MAGIC:
        raise StoreError(
            "This isn't a log file of Shoal, or its beginning is damaged.",
            place=f"{path}, byte 0",
            fix="Restore the log from a backup, or move the file away if it doesn't belong here.",
        )
    _, version, seed, first, _, checksum = FILE_HEAD.unpack(data[: FILE_HEAD.size])
    if zlib.crc32(data[: FILE_HEAD.size - 4]) != checksum:
        raise damaged(path, 0, "The head of the file")
    if version != FORMAT:
        raise StoreError(
            f"The log has format {version}; this release knows format {FORMAT}.",
            place=str(path),
            fix="Upgrade Shoal: pip install --upgrade shoal.",
        )
    return seed, first


def damaged(path: Path, offset: int, what: str) -> StoreError:
    """The error for bytes that were acknowledged and aren't what was written."""
    return StoreError(
        f"{what} is damaged: the checksum doesn't fit the bytes.",
        place=f"{path}, byte {offset}",
        fix="Everything before it is whole. Check the disk and restore the log from a backup.",
    )


def frame_head(role: int, kind: int, position: int, length: int, payload_checksum: int) -> bytes:
    """The head of a frame, given the payload's CRC-32 started with the seed."""
    body = _BODY.pack(length, kind, role, position)
    return MARKER + zlib.crc32(body, payload_checksum).to_bytes(4, "little") + body


def whole_frame(role: int, kind: int, position: int, payload: bytes, seed: int) -> bytes:
    """A frame with its payload."""
    return frame_head(role, kind, position, len(payload), zlib.crc32(payload, seed)) + payload


def following(frame: Frame) -> int:
    """The position that the next frame must have."""
    if frame.role == Role.MARK:
        return frame.position
    if frame.role == Role.GAP:
        return int(NEXT.unpack(frame.payload)[0])
    return frame.position + 1


def frames(descriptor: int, start: int, end: int, seed: int, expected: int) -> Iterator[Frame]:
    """Every frame between two byte offsets, each checked.

    Args:
        descriptor: an open file.
        start: where a frame begins.
        end: where to stop; frames must not reach beyond.
        seed: the file's seed.
        expected: the position of the first frame.

    Raises:
        Damage: at the first place where no whole frame with the expected position is.
    """
    offset = base = start
    block = b""
    while offset < end:
        at = offset - base
        if at + FRAME.size > len(block):
            block, base, at = _block(descriptor, offset, end, FRAME.size), offset, 0
        if len(block) - at < FRAME.size:
            raise Damage(offset, expected)
        marker, checksum, length, kind, role, position = FRAME.unpack_from(block, at)
        size = FRAME.size + length
        if marker != MARKER or position != expected or offset + size > end:
            raise Damage(offset, expected)
        if at + size > len(block):
            block, base, at = _block(descriptor, offset, end, size), offset, 0
        payload = block[at + FRAME.size : at + size]
        if zlib.crc32(block[at + _CHECKED_FROM : at + FRAME.size], zlib.crc32(payload, seed)) != checksum:
            raise Damage(offset, expected)
        frame = Frame(offset, position, kind, role, payload)
        yield frame
        expected = position + 1 if role == Role.ENTRY else following(frame)
        offset += size


def _block(descriptor: int, offset: int, end: int, least: int) -> bytes:
    return os.pread(descriptor, min(max(least, _BLOCK), end - offset), offset)
