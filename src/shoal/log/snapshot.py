"""Snapshots: named arrays and a small head, as they were at one position of the log.

Format 1, little-endian: 16 bytes of head (magic SHOALSNP, u32 format, u32 nothing yet), the arrays, each beginning at a
multiple of 64 bytes, a catalogue in JSON (UTF-8), and 24 bytes at the end (u64 where the catalogue begins, u32 its length,
u32 its CRC-32, magic SHOALEND). The catalogue lists the arrays and the CRC-32 of each block of 8 MB before it, so that a
file of which any byte is wrong or missing is refused as a whole.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import StoreError
from shoal.log.segments import PARTIAL, opened, replacing, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Arrays = Mapping[str, np.ndarray[Any, Any]]

FORMAT = 1
ENDING = ".snapshot"
_MAGIC = b"SHOALSNP"
_END_MAGIC = b"SHOALEND"
_HEAD = struct.Struct("<8sII")
_END = struct.Struct("<QII8s")
_ALIGN = 64
_BLOCK = 8 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a file held: ``arrays`` can be changed in memory, and the file stays as it is."""

    path: Path
    position: int
    head: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, Any]]


def save(
    folder: Path,
    position: int,
    head: Mapping[str, Any],
    arrays: Arrays,
    *,
    keep: int = 2,
    between: Callable[[], object] | None = None,
) -> Path:
    """Write a snapshot that is whole and on disk when this returns, then delete all but the newest ``keep``.

    Args:
        folder: where snapshots are; made where it isn't.
        position: up to which entry of the log the arrays are.
        head: anything small that JSON can hold.
        arrays: of plain types (numbers, booleans, text and bytes of fixed length, instants); they must not change meanwhile.
        keep: how many to keep, this one included.
        between: called after every few megabytes, which are on disk by then; a pause there leaves the disk to others.

    Raises:
        TypeError: an array of Python objects or of records.
        StoreError: the disk is full or refuses; the snapshots that were there still are.
    """
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    path = folder / f"{position:020d}{ENDING}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            checksums, told = _Checksums(), 0
            for piece in _parts(plain):
                file.write(piece)
                checksums.add(piece)
                if between is not None and checksums.size // _BLOCK > told:
                    told = checksums.size // _BLOCK
                    file.flush()
                    os.fdatasync(file.fileno())
                    between()
            file.write(_catalogue(position, head, plain, checksums))
        sync_folder(folder)
        prune(folder, keep=keep)
    except OSError as error:
        raise StoreError(
            f"The snapshot can't be written ({error.strerror}).",
            place=str(path),
            fix="Free disk space; the log still has all.",
        ) from error
    return path


def load(path: Path) -> tuple[Snapshot | None, str]:
    """Map a snapshot into memory after checking every byte of it.

    Returns:
        The snapshot and an empty text, or None and the reason why it can't be used.
    """
    try:
        return _load(path), ""
    except _Unusable as why:
        return None, f"{path}: {why}"
    except OSError as error:
        return None, f"{path}: it can't be read ({error.strerror})."


def newest(folder: Path) -> tuple[Snapshot | None, list[str]]:
    """The newest snapshot that can be used, and why newer ones can't."""
    reasons: list[str] = []
    for path in reversed(_paths(folder)):
        snapshot, reason = load(path)
        if snapshot is not None:
            return snapshot, reasons
        reasons.append(reason)
    return None, reasons


def prune(folder: Path, *, keep: int) -> list[Path]:
    """Delete all but the newest ``keep`` snapshots, and what a crash left of unfinished ones; returns what is gone.

    Raises:
        OSError: the disk refuses.
    """
    paths = _paths(folder)
    gone = [*folder.glob(f"*{ENDING}{PARTIAL}"), *paths[: max(len(paths) - keep, 0)]]
    for path in gone:
        path.unlink()
    if gone:
        sync_folder(folder)
    return gone


class _Unusable(Exception):
    """Why a file isn't a snapshot that can be used; a sentence."""


class _Checksums:
    """The CRC-32 of each block of what is added, whatever the pieces."""

    def __init__(self) -> None:
        self.size = 0
        self.blocks: list[int] = []

    def add(self, piece: memoryview | bytes) -> None:
        view = memoryview(piece)
        while view.nbytes:
            within = self.size % _BLOCK
            if within == 0:
                self.blocks.append(0)
            taken = view[: _BLOCK - within]
            self.blocks[-1] = zlib.crc32(taken, self.blocks[-1])
            self.size += taken.nbytes
            view = view[taken.nbytes :]


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{ENDING}"))


def _plain(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.hasobject or array.dtype.names is not None:
        raise TypeError(f"the array {name!r} has a type that a snapshot can't hold: {array.dtype}")
    return np.asarray(array, order="C")


def _pieces(arrays: Arrays) -> Iterator[memoryview | bytes]:
    """The file up to its catalogue."""
    yield _HEAD.pack(_MAGIC, FORMAT, 0)
    offset = _HEAD.size
    for (_, start), array in zip(_places(arrays), arrays.values(), strict=True):
        yield bytes(start - offset)
        if array.nbytes:
            yield array.reshape(-1).view(np.uint8).data
        offset = start + array.nbytes


def _parts(arrays: Arrays) -> Iterator[memoryview | bytes]:
    """The same in pieces of a block at most."""
    for piece in _pieces(arrays):
        view = memoryview(piece)
        for begin in range(0, view.nbytes, _BLOCK):
            yield view[begin : begin + _BLOCK]


def _places(arrays: Arrays) -> list[tuple[str, int]]:
    places, offset = [], _HEAD.size
    for name, array in arrays.items():
        start = -(-offset // _ALIGN) * _ALIGN
        places.append((name, start))
        offset = start + array.nbytes
    return places


def _catalogue(position: int, head: Mapping[str, Any], arrays: Arrays, checksums: _Checksums) -> bytes:
    listed = [
        {"name": name, "type": arrays[name].dtype.str, "shape": arrays[name].shape, "offset": start}
        for name, start in _places(arrays)
    ]
    catalogue = {"position": position, "head": head, "arrays": listed, "block": _BLOCK, "checksums": checksums.blocks}
    data = json.dumps(catalogue, ensure_ascii=False, allow_nan=False).encode()
    return data + _END.pack(checksums.size, len(data), zlib.crc32(data), _END_MAGIC)


def _load(path: Path) -> Snapshot:
    with opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size < _HEAD.size + _END.size:
            raise _Unusable("it is cut off.")
        # Private pages: the state may be changed where it lies, and the file never is.
        data = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
    data.madvise(mmap.MADV_WILLNEED)
    catalogue, end = _read_catalogue(data)
    _compare(data, end, catalogue["block"], catalogue["checksums"])
    arrays = {a["name"]: _array(data, a["type"], tuple(a["shape"]), a["offset"]) for a in catalogue["arrays"]}
    return Snapshot(path, catalogue["position"], catalogue["head"], arrays)


def _read_catalogue(data: mmap.mmap) -> tuple[dict[str, Any], int]:
    magic, version, _ = _HEAD.unpack(data[: _HEAD.size])
    if magic != _MAGIC:
        raise _Unusable("it isn't a snapshot of Shoal, or its beginning is damaged.")
    if version != FORMAT:
        raise _Unusable(f"it has format {version}, and this release knows format {FORMAT}.")
    start, length, checksum, end_magic = _END.unpack(data[-_END.size :])
    if end_magic != _END_MAGIC or start + length + _END.size != len(data):
        raise _Unusable("it is cut off, or its end is damaged.")
    text = data[start : start + length]
    if zlib.crc32(text) != checksum:
        raise _Unusable("its catalogue is damaged.")
    return json.loads(text), start


def _compare(data: mmap.mmap, end: int, block: int, checksums: list[int]) -> None:
    """Check all blocks, on two threads because a checksum lets other threads run."""
    edges = list(pairwise([*range(0, end, block), end]))
    with memoryview(data) as view, ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda edge: zlib.crc32(view[edge[0] : edge[1]]), edges))
    if seen != checksums:
        raise _Unusable("its arrays are damaged.")


def _array(data: mmap.mmap, kind: str, shape: tuple[int, ...], offset: int) -> np.ndarray[Any, Any]:
    dtype = np.dtype(kind)
    count = int(np.prod(shape, dtype=np.int64))
    if count * dtype.itemsize == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(data, dtype, count, offset).reshape(shape)
