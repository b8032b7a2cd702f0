"""A backup: one file with store, log and definitions as they were at one instant, each with its checksum.

It is a ZIP archive with a ``manifest.json``. What a server has acknowledged before the backup began is in the copy of the store,
which a server brings up to that first; so the log is empty then. Where no server stopped in good order, the log has entries
that the store hasn't taken, and its files are in the archive, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from shoal import __version__
from shoal.clock import Clock, iso
from shoal.config import FILE_NAME
from shoal.errors import ShoalError, StoreError, unwritten
from shoal.sql.backup import sync
from shoal.workspace.opening import STATE, STORE
from shoal.workspace.privacy import KEY_FILE, LOG_FOLDER
from shoal.workspace.untaken import untaken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.workspace.opening import Workspace

FORMAT = 1
MANIFEST = "manifest.json"
SEGMENTS = "segments"
FOLDERS = (SEGMENTS, "metrics", "experiments", "pilots")
"""Where definition files stand, beside the settings."""
_PIECE = 1 << 20
_ALLOWED = re.compile(
    rf"{re.escape(STORE)}|{re.escape(KEY_FILE)}|{LOG_FOLDER}/[^/]+\.log|(({'|'.join(FOLDERS)})/)?[^/]+\.ya?ml"
)


def definition_files(root: Path) -> list[Path]:
    """The files that say what a workspace does: its settings and definitions, not its data."""
    patterns = ("*.yaml", *(f"{folder}/*.yaml" for folder in FOLDERS))
    return sorted(p for pattern in patterns for p in root.glob(pattern) if p.is_file())


def write_backup(workspace: Workspace, path: str | Path) -> Path:
    """Write a backup of an open workspace to a file that isn't there yet; only its owner can read it.

    Raises:
        StoreError: if there is a file already, or no room; nothing is left behind then.
    """
    target = Path(path)
    if target.exists():
        raise StoreError("There is a file already.", place=str(target), fix="Choose another name, or remove it first.")
    try:
        # A folder that nobody else can look into, on the disk of the backup.
        apart = Path(tempfile.mkdtemp(prefix=".shoal-backup-", dir=target.absolute().parent))
    except OSError as error:
        raise unwritten(error, target) from error
    try:
        _write(workspace, apart)
        (apart / "archive").replace(target)
        sync(target.absolute().parent)
    except OSError as error:
        raise unwritten(error, target) from error
    finally:
        shutil.rmtree(apart, ignore_errors=True)
    return target


def _write(workspace: Workspace, apart: Path) -> None:
    root = workspace.config.root
    made = Clock().now()
    texts = {str(PurePosixPath(p.relative_to(root))): p.read_bytes() for p in definition_files(root)}
    key = root / STATE / KEY_FILE
    if key.exists():
        texts[KEY_FILE] = key.read_bytes()
    workspace.copy_store(apart / STORE)
    files = {STORE: apart / STORE}
    if untaken(workspace, check_all=True):
        files |= {f"{LOG_FOLDER}/{p.name}": p for p in sorted((root / STATE / LOG_FOLDER).glob("*.log"))}
    sums: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(apart / "archive", "x") as archive:
        for name, file in files.items():
            with file.open("rb") as source, archive.open(name, "w", force_zip64=True) as out:
                sums[name] = _copied(source, out)
        for name, text in texts.items():
            archive.writestr(name, text, zipfile.ZIP_DEFLATED)
            sums[name] = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        manifest = {
            "shoal_backup": FORMAT, "release": __version__, "made": iso(made), "workspace": workspace.config.name,
            "files": sums,
        }  # fmt: skip
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2), zipfile.ZIP_DEFLATED)
    os.chmod(apart / "archive", 0o600)
    sync(apart / "archive")


class Archive:
    """A backup that is read: see ``opened``.

    Args:
        path: of the file.
        manifest: what it says of itself.
    """

    def __init__(self, path: Path, zipped: zipfile.ZipFile, manifest: Mapping[str, Any]) -> None:
        self.path, self._zipped = path, zipped
        self._sums: dict[str, dict[str, Any]] = manifest["files"]

    @property
    def names(self) -> list[str]:
        """The files in it."""
        return list(self._sums)

    def text(self, name: str) -> bytes | None:
        """A small file, None where there is none."""
        return self._zipped.read(name) if name in self._sums else None

    def verify(self) -> None:
        """Read all of it.

        Raises:
            StoreError: it isn't what was written.
        """
        for name, said in self._sums.items():
            with self._zipped.open(name) as source:
                if _copied(source, None) != said:
                    raise damaged(self.path, name)

    def extract(self, folder: Path) -> None:
        """Write all files into a folder, on disk when this returns."""
        for name in self._sums:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with self._zipped.open(name) as source, file.open("xb") as out:
                _copied(source, out)
            file.chmod(0o600 if name == KEY_FILE else 0o644)
            sync(file)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A backup that is whole and that this release can read.

    Raises:
        StoreError: there is none, it is damaged, of a newer release or no backup; the message says which.
    """
    if not path.is_file():
        raise StoreError("There is no backup.", place=str(path), fix="Check the path.")
    try:
        with zipfile.ZipFile(path) as zipped:
            archive = Archive(path, zipped, _manifest(path, zipped))
            archive.verify()
            yield archive
    except ShoalError:
        raise
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        if _is_zip(path):
            raise damaged(path) from error
        raise _no_backup(path) from error


def _manifest(path: Path, zipped: zipfile.ZipFile) -> Mapping[str, Any]:
    try:
        found = json.loads(zipped.read(MANIFEST))
        version, names = found["shoal_backup"], set(found["files"])
    except (KeyError, ValueError, TypeError):
        raise _no_backup(path) from None
    if version > FORMAT:
        raise StoreError(
            f"The backup has format {version}, made by a newer release of Shoal; this one knows up to {FORMAT}.",
            place=str(path),
            fix="Upgrade Shoal.",
        )
    there = set(zipped.namelist()) - {MANIFEST}
    if names != there or not {STORE, FILE_NAME} <= names or not all(_ALLOWED.fullmatch(name) for name in names):
        raise damaged(path)
    checked: Mapping[str, Any] = found
    return checked


def damaged(path: Path, name: str = "") -> StoreError:
    """What is said of a backup that isn't what was written."""
    which = f" {name} in it isn't what was written." if name else ""
    return StoreError(
        f"The backup is damaged.{which}", place=str(path), fix="Take another backup; nothing was changed."
    )


def _no_backup(path: Path) -> StoreError:
    return StoreError(
        "This is no backup of a Shoal workspace.",
        place=str(path),
        fix="Give a file that shoal backup made; nothing was changed.",
    )


def _is_zip(path: Path) -> bool:
    """Whether a file begins as a ZIP archive does: one that was cut off still does."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _copied(source: IO[bytes], out: IO[bytes] | None) -> dict[str, Any]:
    """Copy; the size and the checksum of what was read."""
    digest, size = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        digest.update(piece)
        size += len(piece)
        if out is not None:
            out.write(piece)
    return {"bytes": size, "sha256": digest.hexdigest()}
