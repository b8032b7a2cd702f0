"""Backup, restore and compaction: whole copies of a store, written beside their place and put there in one step."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from shoal.errors import ShoalError, StoreError, StoreLocked
from shoal.sql.duck import DuckStore, open_store
from shoal.sql.encode import quoted
from shoal.sql.layout import layout_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_COPY = "shoal_copy"


def backup(store: DuckStore, path: str | Path, *, replace: bool = False) -> Path:
    """Copy a store as it is at this moment into a file of its own, on disk when this returns.

    Args:
        store: the open store; others may go on writing through cursors.
        path: the file to make.
        replace: write over an older backup.

    Raises:
        StoreError: there is a file already, or no room for one; then nothing is left behind.
    """
    target = Path(path)
    if target.exists() and not replace:
        raise StoreError("There is a file already.", place=str(target), fix="Choose another name, or remove it first.")
    partial = _partial(target)
    try:
        _copy_database(store, partial)
        _put(partial, target)
    except BaseException as error:
        for file in _files_of(partial):
            file.unlink(missing_ok=True)
        if isinstance(error, StoreError) and "disk is full" in error.problem:
            # The store's own errors name the store, but here it is the copy that finds no room.
            raise StoreError(error.problem, place=str(target), fix=error.fix) from error
        raise
    return target


def restore(path: str | Path, target: str | Path, *, replace: bool = False) -> Path:
    """Put a backup in the place of a store, after making sure that it opens and has a layout that this release knows.

    Args:
        path: the backup; it stays as it is.
        target: where the store shall be.
        replace: a store that is there already is kept beside it as ``<target>.before``.

    Raises:
        StoreLocked: the store at ``target`` is in use.
        StoreError: the backup is damaged, of a newer release or no store; or there is a store and ``replace`` is false.
    """
    source, place = Path(path), Path(target)
    _verify(source)
    if place.exists():
        if not replace:
            raise StoreError("There is a store already.", place=str(place), fix="Restore elsewhere, or remove it first.")
        _refuse_if_in_use(place)
    partial = _partial(place)
    try:
        _copy_file(source, partial)
        _verify(partial)
        if place.exists():
            _set_aside(place)
        _put(partial, place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return place


def compact(path: str | Path) -> None:
    """Rewrite a closed store without what was deleted: the bytes of erased customers leave the file.

    Raises:
        StoreLocked: the store is in use.
    """
    place = Path(path)
    partial = _partial(place)
    partial.unlink(missing_ok=True)
    with open_store(place) as store:
        _copy_database(store, partial)
    _put(partial, place)


def _copy_database(store: DuckStore, target: Path) -> None:
    ((name,),) = store.rows("SELECT current_database()")
    for file in _files_of(target):
        file.unlink(missing_ok=True)
    store.execute(f"ATTACH {quoted(str(target))} AS {_COPY}")
    try:
        store.execute(f'COPY FROM DATABASE "{name}" TO {_COPY}')
        store.execute(f"CHECKPOINT {_COPY}")
    finally:
        store.execute(f"DETACH {_COPY}")


def _verify(path: Path) -> None:
    if not path.is_file():
        raise StoreError("There is no backup.", place=str(path), fix="Check the path.")
    store = DuckStore.open(path, read_only=True, temporary="")
    try:
        version = layout_of(store)
        # Reading every table finds damage that opening alone doesn't.
        for (table,) in store.rows(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'main' AND table_type = 'BASE TABLE' ORDER BY ALL"
        ):
            store.rows(f"SELECT count(*), bit_xor(hash(t)) FROM {table} AS t")
    finally:
        store.close()
    _refuse_newer(version, path)


def _refuse_newer(version: int, path: Path) -> None:
    from shoal.sql.tables import LAYOUT

    if version > LAYOUT:
        raise StoreError(
            f"The backup has layout {version}, made by a newer release of Shoal; this one knows up to {LAYOUT}.",
            place=str(path),
            fix="Upgrade Shoal.",
        )


def _refuse_if_in_use(place: Path) -> None:
    try:
        DuckStore.open(place, temporary="").close()
    except StoreLocked:
        raise
    except ShoalError:
        # A damaged store is what a backup is restored over.
        return


def _set_aside(place: Path) -> None:
    """Move a store and its log out of the way; a log left behind would be replayed onto the backup."""
    before = place.with_name(place.name + ".before")
    for file in _files_of(before):
        file.unlink(missing_ok=True)
    for old, new in zip(_files_of(place), _files_of(before), strict=True):
        if old.exists():
            os.replace(old, new)


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise StoreError(
            f"The backup can't be copied: {error.strerror or error}.", place=str(target), fix="Free disk space, or "
            "choose another place.",
        ) from error  # fmt: skip


def _put(partial: Path, target: Path) -> None:
    """Bring a finished file to its place so that a crash leaves either the old or the new one."""
    _sync(partial)
    os.replace(partial, target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _files_of(path: Path) -> Iterator[Path]:
    yield path
    yield path.with_name(path.name + ".wal")
