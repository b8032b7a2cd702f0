"""What ``from:`` names: files, globs, directories, archives and databases become a stable list of ``SourceFile``."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from shoal.errors import SourceError, did_you_mean, nearest
from shoal.sources.archive import members, open_stream
from shoal.sources.reading import FileType, SourceFile

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPE_OF_SUFFIX: dict[str, FileType] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
}
_NOT_DATA = re.compile(r"^(\.|~\$|__macosx|readme|licen[cs]e|changelog|data[-_ ]?dictionary)", re.IGNORECASE)
_DATABASE = re.compile(r"^postgres(ql)?://", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CHUNK = 1 << 20


def discover(from_: str, root: Path, type_: str | None = None) -> list[SourceFile]:
    """The files that a ``from:`` names, in the order of their names.

    In a directory (read with its sub-directories) and in a zip, files of unknown kind, hidden files, READMEs and
    licences are left out. ``exports.zip!orders-*.csv`` takes some members of an archive only.

    Args:
        from_: a file, glob, directory, gz, zip, or ``postgresql://…``; ``${NAME}`` stands for an environment variable.
        root: the folder that relative paths start from.
        type_: ``format: type`` of the source: in a directory or zip only files of this type are taken, and a file
            named directly needs no known suffix.

    Raises:
        SourceError: nothing is there (with near names), or it may not be read.
    """
    text = expand(from_)
    if _DATABASE.match(text):
        return [SourceFile(path=without_secret(text), type="postgres", location=text)]
    outer, inner = _outer_and_inner(text, root)
    found: list[SourceFile] = []
    for path, named in _paths(outer, from_, root):
        found += _files(path, root, type_, named=named, inner=inner)
    if not found:
        raise _nothing(outer, from_, root, type_)
    return found


def ignored(root: Path) -> list[str]:
    """The files below a directory that ``discover`` leaves out, relative to it; READMEs and their like aren't named."""
    return [str(p.relative_to(root)) for p in _walk(root) if not (_is_data(p.name) or _NOT_DATA.match(p.name))]


def expand(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Replace ``${NAME}`` by the environment variable of that name.

    Raises:
        SourceError: the variable isn't set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise SourceError(
                f"The environment variable {match[1]} is not set.",
                place=text,
                fix=f"Set it before you start shoal, as in: export {match[1]}=…",
            )
        return environment[match[1]]

    return _VARIABLE.sub(value, text)


def without_secret(address: str) -> str:
    """A database address without its password and without its parameters, fit for messages."""
    plain = address.partition("?")[0]
    return re.sub(r"(//[^/@:]*):.*@", r"\1@", plain)


def digest(file: SourceFile) -> str:
    """BLAKE2b of what is read of a file, as 32 hex digits; empty for a database server.

    Raises:
        SourceError: the file can't be read.
    """
    if file.type == "postgres":
        return ""
    found = hashlib.blake2b(digest_size=16)
    # A gz is hashed as it stands: unpacking would find nothing that its bytes don't tell.
    plain = replace(file, compression=None) if file.compression == "gz" else file
    with open_stream(plain) as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def type_of(name: str) -> FileType | None:
    """The type that a file's name tells, behind ``.gz``; None for an unknown one."""
    path = PurePosixPath(name.lower())
    if path.suffix == ".gz":
        path = PurePosixPath(path.stem)
    return TYPE_OF_SUFFIX.get(path.suffix)


def _is_data(name: str) -> bool:
    if _NOT_DATA.match(name):
        return False
    return type_of(name) is not None or name.lower().endswith(".zip")


def _outer_and_inner(text: str, root: Path) -> tuple[str, str | None]:
    if (root / text).exists():
        return text, None
    outer, _, inner = text.partition("!")
    return outer, inner or None


def _paths(outer: str, shown: str, root: Path) -> list[tuple[Path, bool]]:
    """The paths that a text names, each with whether it was named itself rather than found."""
    path = root / Path(outer).expanduser()
    if path.is_dir():
        return [(p, False) for p in _walk(path) if _is_data(p.name)]
    if path.exists():
        return [(path, True)]
    if not glob.has_magic(outer):
        raise _missing(path, shown)
    matches = sorted(Path(p) for p in glob.glob(str(path), recursive=True))
    everything = Path(outer).name in ("*", "**", "*.*")
    return [
        (p, not everything)
        for p in matches
        if p.is_file() and (_is_data(p.name) if everything else not _NOT_DATA.match(p.name))
    ]


def _walk(folder: Path) -> list[Path]:
    found = [
        Path(base) / name
        for base, _, names in os.walk(folder, onerror=_unreadable)
        for name in names
        if not any(part.startswith(".") for part in Path(base).relative_to(folder).parts)
    ]
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def _unreadable(error: OSError) -> None:
    raise SourceError(
        f"The folder can't be read ({error.strerror}).",
        place=str(error.filename),
        fix="Give yourself the right to read it.",
    ) from error


def _files(path: Path, root: Path, type_: str | None, *, named: bool, inner: str | None) -> list[SourceFile]:
    whole = _source_file(path, root)
    if whole.compression != "zip":
        return [whole] if named or type_ in (None, whole.type) else []
    found = []
    for name in members(whole):
        base = PurePosixPath(name).name
        chosen = fnmatch(name, inner) if inner else _is_data(base) and "__MACOSX" not in name
        kind = type_of(base) or "csv"
        if chosen and (inner or type_ in (None, kind)):
            found.append(replace(whole, path=f"{whole.path}!{name}", type=kind, member=name))
    if not found:
        names = members(whole)
        raise SourceError(
            f"No member of the archive fits {inner or type_ or 'a type that Shoal reads'}.",
            place=whole.path,
            fix=did_you_mean(nearest(inner or "", names)) or f"It holds: {', '.join(names[:10]) or 'nothing'}.",
        )
    return sorted(found, key=lambda f: f.path)


def _source_file(path: Path, root: Path) -> SourceFile:
    shown = _shown(path, root)
    try:
        state = path.stat()
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise SourceError(
            f"The file can't be read ({error.strerror}).", place=shown, fix="Give yourself the right to read it."
        ) from error
    bare = SourceFile(shown, "csv", str(path), size=state.st_size, modified=state.st_mtime_ns)
    if head.startswith(b"\x1f\x8b") or path.suffix.lower() == ".gz":
        return replace(bare, type=type_of(path.name) or "csv", compression="gz")
    if path.suffix.lower() == ".zip" and not _is_workbook(head):
        return replace(bare, compression="zip")
    return replace(bare, type=_told_by_content(head) or type_of(path.name) or "csv")


def _told_by_content(head: bytes) -> FileType | None:
    """The type of a binary file, whatever its name says: workbooks named .csv are everyday life."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"SQLite format 3\x00"):
        return "sqlite"
    if head.startswith(b"\xd0\xcf\x11\xe0") or _is_workbook(head):
        return "excel"
    return None


def _is_workbook(head: bytes) -> bool:
    return head.startswith(b"PK") and any(m in head for m in (b"[Content_Types].xml", b"xl/", b"opendocument"))


def _shown(path: Path, root: Path) -> str:
    """The path relative to the root where it lies inside or beside it, so that both can be moved together."""
    absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(root))
    return (
        Path(os.path.relpath(absolute, base)).as_posix()
        if absolute.is_relative_to(base.parent)
        else absolute.as_posix()
    )


def _missing(path: Path, shown: str) -> SourceError:
    folder = path.parent
    if not folder.is_dir():
        return SourceError(f"There is no folder {folder}.", place=shown, fix="Mend the path after from:.")
    return SourceError("There is no such file.", place=shown, fix=_near(path.name, folder))


def _near(name: str, folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir())
    found = did_you_mean(nearest(name, names))
    return found or f"The folder holds: {', '.join(names[:10]) or 'nothing'}."


def _nothing(outer: str, shown: str, root: Path, type_: str | None) -> SourceError:
    path = root / outer
    kinds = f"of type {type_}" if type_ else "of a type that Shoal reads"
    if path.is_dir():
        return SourceError(f"The folder holds no file {kinds}.", place=shown, fix=_near("", path))
    folder = path.parent
    fix = _near(path.name.replace("*", ""), folder) if folder.is_dir() else "Mend the path after from:."
    return SourceError("No file fits this pattern.", place=shown, fix=fix)
