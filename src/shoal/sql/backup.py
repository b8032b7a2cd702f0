"""Backup, restore and compaction: whole copies of a store, written beside their place and put there in one step."""

from __future__ import annotations

import os
import secrets
import shutil
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from shoal.errors import ShoalError, StoreError, StoreLocked
from shoal.sql.duck import DAMAGED, NO_STORE, DuckStore, open_store
from shoal.sql.encode import quoted
from shoal.sql.layout import FOREIGN, layout_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


def restore(
    path: str | Path, target: str | Path, *, replace: bool = False, accept: Callable[[DuckStore], None] | None = None
) -> Path:
    """Put a backup in the place of a store, after making sure that it opens and has a layout that this release knows.

    Args:
        path: the backup; it stays as it is.
        target: where the store shall be.
        replace: a store that is there already is kept beside it, under the name that ``name_aside`` gives.
        accept: is shown the backup, open for reading, and raises where it doesn't belong here; nothing is done then.

    Raises:
        StoreLocked: the store at ``target`` is in use.
        StoreError: the backup is damaged, of a newer release or no store; or there is a store and ``replace`` is false.
    """
    source, place = Path(path), Path(target)
    _verify(source, accept)
    if place.exists():
        if not replace:
            raise StoreError(
                "There is a store already.", place=str(place), fix="Restore elsewhere, or remove it first."
            )
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
    copy = f"shoal_copy_{secrets.token_hex(4)}"
    for file in _files_of(target):
        file.unlink(missing_ok=True)
    store.execute(f"ATTACH {quoted(str(target))} AS {copy}")
    try:
        store.execute(f'COPY FROM DATABASE "{name}" TO {copy}')
        store.execute(f"CHECKPOINT {copy}")
    finally:
        store.execute(f"DETACH {copy}")


def _verify(path: Path, accept: Callable[[DuckStore], None] | None = None) -> None:
    if not path.is_file():
        raise StoreError("There is no backup.", place=str(path), fix="Check the path.")
    try:
        _read_through(path, accept)
    except StoreError as error:
        problem, fix = _OF_A_BACKUP.get(error.problem, (error.problem, error.fix))
        if problem == error.problem:
            raise
        raise StoreError(problem, place=error.place, fix=fix) from error


_NO_BACKUP = ("This is no backup of a Shoal store.", "Give a file that shoal backup made; nothing was changed.")
_OF_A_BACKUP = {
    DAMAGED: ("The backup is damaged.", "Take another backup; nothing was changed."),
    NO_STORE: _NO_BACKUP,
    FOREIGN: _NO_BACKUP,
}
"""What the store's errors say where it is a backup that can't be read: to restore one is no help then."""


def _read_through(path: Path, accept: Callable[[DuckStore], None] | None) -> None:
    store = DuckStore.open(path, read_only=True, temporary="")
    try:
        version = layout_of(store)
        _refuse_newer(version, path)
        # Reading every table finds damage that opening alone doesn't.
        for (table,) in store.rows(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'main' AND table_type = 'BASE TABLE' ORDER BY ALL"
        ):
            store.rows(f"SELECT count(*), bit_xor(hash(t)) FROM {table} AS t")
        if accept is not None:
            accept(store)
    finally:
        store.close()


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
    for old, new in zip(_files_of(place), _files_of(name_aside(place)), strict=True):
        if old.exists():
            os.replace(old, new)


def name_aside(place: Path) -> Path:
    """Where the store that stands at ``place`` would be kept: ``<place>.before``, or the next number that is free."""
    for number in count(1):
        aside = place.with_name(f"{place.name}.before" + (f".{number}" if number > 1 else ""))
        if not any(file.exists() for file in _files_of(aside)):
            break
    return aside


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
    sync(partial)
    os.replace(partial, target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Have the disk keep what was written to a file, or which files a folder has."""
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
