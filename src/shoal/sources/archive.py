"""gz and zip: the bytes of a file or a member as a stream, or as a temporary file for drivers that need one."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from shoal.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.sources.reading import SourceFile

_DAMAGED = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile)


def members(file: SourceFile) -> list[str]:
    """The names of the files in a zip, sorted.

    Raises:
        SourceError: it is no zip, or damaged.
    """
    with whole(file), zipfile.ZipFile(file.location) as archive:
        return sorted(i.filename for i in archive.infolist() if not i.is_dir())


@contextmanager
def open_stream(file: SourceFile) -> Iterator[IO[bytes]]:
    """The unpacked bytes of a file or member.

    Raises:
        SourceError: it can't be opened; or, while it is read, is damaged or ends too early.
    """
    with whole(file):
        if file.compression == "gz":
            with gzip.open(file.location, "rb") as packed:
                yield packed  # type: ignore[misc]
        elif file.compression == "zip":
            with zipfile.ZipFile(file.location) as archive, archive.open(file.member or "") as member:
                yield member
        else:
            with Path(file.location).open("rb") as plain:
                yield plain


@contextmanager
def as_path(file: SourceFile) -> Iterator[Path]:
    """A plain file on disk with the unpacked bytes: the file itself, or a temporary one that is removed at the end."""
    if file.compression is None:
        yield Path(file.location)
        return
    with tempfile.TemporaryDirectory(prefix="shoal-") as folder:
        target = Path(folder) / "unpacked"
        with open_stream(file) as packed, target.open("wb") as out:
            shutil.copyfileobj(packed, out)
        yield target


@contextmanager
def whole(file: SourceFile) -> Iterator[None]:
    """Turn the errors of a damaged, locked or unreadable file into ``SourceError``."""
    try:
        yield
    except _DAMAGED as error:
        raise SourceError(_damage(file, error), place=file.path, fix="Fetch or export the file again.") from error
    except RuntimeError as error:
        if "password" not in str(error) and "encrypted" not in str(error):
            raise
        raise SourceError(
            "The archive is locked with a password.", place=file.path, fix="Unpack it, and name the folder instead."
        ) from error
    except OSError as error:
        raise SourceError(
            f"The file can't be read ({error.strerror or error}).",
            place=file.path,
            fix="See that it is there and that you may read it.",
        ) from error


def _damage(file: SourceFile, error: Exception) -> str:
    kind = "gz" if file.compression == "gz" else "zip"
    if isinstance(error, EOFError):
        return f"The {kind} file ends too early: it was cut off."
    if "not a zip" in str(error).lower() or "not a gzipped" in str(error).lower():
        return f"This is not a {kind} file, though its name says so."
    return f"The {kind} file is damaged ({error})."
