"""A look at a folder: each table in it with a sample and a guess for each column."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from shoal.errors import SourceError
from shoal.sources import excel, postgres, sqlite
from shoal.sources.files import discover
from shoal.sources.guess import ColumnGuess, guess_columns
from shoal.sources.propose.meaning import Meanings, meanings
from shoal.sources.reading import Format, Reading, SourceFile, read

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = 50_000
"""The rows that are looked at from the beginning; as many again come from all over the rest."""

_STRAY = 2_000
_MOST_ROWS = 3_000_000


@dataclass(slots=True)
class Look:
    """One table.

    Args:
        name: what its source may be called.
        from_: what ``from:`` says.
        files: its files, several where they are parts of one export.
        given: the format that it was opened with: table or sheet.
        detected: the format that was found.
        sample: rows, with ``_line``.
        columns: the guess for each column.
        means: what the columns mean.
        rows: how many rows there are; None where only part was read.
        warnings: what readers found unclear.
    """

    name: str
    from_: str
    files: list[SourceFile]
    given: Format
    detected: Format
    sample: pa.Table
    columns: dict[str, ColumnGuess]
    means: Meanings
    rows: int | None
    warnings: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """What people call it: the name of the file, with its table or sheet."""
        part = self.given.table or self.given.sheet
        name = self.files[0].path if self.files[0].type == "postgres" else self.from_.rpartition("/")[2]
        return f"{name} ({part})" if part else name

    def known(self, column: str) -> pa.ChunkedArray:
        """The known values of a column of the sample."""
        return self.sample.column(column).drop_null()

    def readings(self) -> Iterator[Reading]:
        """The files of the table, opened anew."""
        for file in self.files:
            yield read(file, self.given)


def look_around(root: Path, base: Path) -> tuple[list[Look], list[str]]:
    """All tables below a folder, and what couldn't be read, a sentence each.

    Args:
        root: the folder, or one file.
        base: the folder that the paths of ``from:`` start from.
    """
    looks: list[Look] = []
    broken: list[str] = []
    try:
        found = discover(".", root) if root.is_dir() else discover(root.name, root.parent)
    except SourceError as error:
        raise SourceError(error.problem, place=str(root), fix=error.fix) from None
    for file in found:
        try:
            for fmt in _parts(file):
                look = _look(file, fmt, root, base)
                if not _joins_another(look, looks):
                    looks.append(look)
        except SourceError as error:
            broken.append(f"{error} It was left out.")
    return looks, broken


def look_at_database(address: str) -> tuple[list[Look], list[str]]:
    """All tables of a PostgreSQL database; ``address`` may hold ``${NAME}``, which stays as it is in ``from:``."""
    (file,) = discover(address, Path())
    looks = []
    broken = []
    for table in postgres.tables(file):
        try:
            look = _sampled(file, Format(table=table), address)
        except SourceError as error:
            broken.append(f"{error} It was left out.")
        else:
            looks.append(look)
    return looks, broken


def _parts(file: SourceFile) -> list[Format]:
    """The formats by which the tables of a file are opened: one a table or sheet."""
    if file.type == "sqlite":
        return [Format(table=table) for table in sqlite.tables(file)]
    if file.type == "excel":
        names = excel.sheets(file)
        return [Format(sheet=name) for name in names] if len(names) > 1 else [Format()]
    return [Format()]


def _look(file: SourceFile, fmt: Format, root: Path, base: Path) -> Look:
    folder = root if root.is_dir() else root.parent
    outer, _, inner = file.path.partition("!")
    path = _written(folder / outer, base)
    return _sampled(file, fmt, f"{path}!{inner}" if inner else path)


def _written(path: Path, base: Path) -> str:
    """A path from a folder, so that both can be moved together; as it is where they share no folder at all."""
    whole = path.resolve()
    far = os.path.commonpath([whole, base.resolve()]) == whole.anchor
    return (str(whole) if far else os.path.relpath(whole, base.resolve())).replace(os.sep, "/")


def _sampled(file: SourceFile, fmt: Format, from_: str) -> Look:
    reading = read(file, fmt)
    sample, rows = _sample(reading)
    columns = {guess.name: guess for guess in guess_columns(sample)}
    return Look(
        name=fmt.table or fmt.sheet or re.split(r"[/!]", from_)[-1],
        from_=from_,
        files=[file],
        given=fmt,
        detected=reading.format,
        sample=sample,
        columns=columns,
        means=meanings(columns),
        rows=rows,
        warnings=reading.warnings,
    )


def _sample(reading: Reading) -> tuple[pa.Table, int | None]:
    """The first rows, some of each later batch, and how many there are."""
    taken: list[pa.RecordBatch] = []
    seen = kept = 0
    for batch in reading.batches():
        size = SAMPLE - kept if kept < SAMPLE else _STRAY if kept < 2 * SAMPLE else 0
        taken.append(batch.slice(0, size))
        kept += len(taken[-1])
        seen += batch.num_rows
        if seen > _MOST_ROWS:
            return _plain(pa.Table.from_batches(taken, reading.schema)), reading.rows
    return _plain(pa.Table.from_batches(taken, reading.schema)), seen


def _plain(table: pa.Table) -> pa.Table:
    """The same with one type for all texts, and no dictionaries."""
    return table.cast(pa.schema([(f.name, _plain_type(f.type)) for f in table.schema]))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_null(kind) else kind


def _joins_another(look: Look, looks: list[Look]) -> bool:
    """Whether a file is a part of the export that an earlier one began: orders-2020-02.csv after orders-2020-01.csv."""
    for other in looks:
        mask = _mask(look.from_)
        if mask != look.from_ and mask == _mask(other.from_) and list(look.columns) == list(other.columns):
            other.files += look.files
            other.from_ = _common(other.from_, look.from_)
            other.rows = None if other.rows is None or look.rows is None else other.rows + look.rows
            if other.sample.num_rows < 2 * SAMPLE and other.sample.schema.equals(look.sample.schema):
                other.sample = pa.concat_tables([other.sample, look.sample.slice(0, SAMPLE)])
                other.columns = {guess.name: guess for guess in guess_columns(other.sample)}
            return True
    return False


def _mask(path: str) -> str:
    """A path with ``*`` for the digits (and what is between them) in the name of the file."""
    folder, sign, name = re.fullmatch(r"(?:(.*)([/!]))?([^/!]*)", path).groups()  # type: ignore[union-attr]
    return f"{folder or ''}{sign or ''}{re.sub(r'[0-9*]+([-_.]?[0-9*]+)*', '*', name)}"


def _common(first: str, second: str) -> str:
    return _mask(first) if "*" not in first else first if _mask(first) == _mask(second) else second


def name_all(looks: list[Look]) -> None:
    """Give each look a name of its own that can stand in YAML and in SQL."""
    used: set[str] = set()
    for look in looks:
        stem = re.sub(r"\.(csv|tsv|txt|tab|jsonl?|ndjson|parquet|pq|xls[xmb]?|ods|sqlite3?|db|gz)\b", "", look.name)
        stem = _mask(stem) if "*" in look.from_ else stem
        slug = re.sub(r"_+", "_", re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem))).strip("_").lower()
        slug = slug or "source"
        name, number = slug, 2
        while name in used:
            name, number = f"{slug}_{number}", number + 1
        used.add(name)
        look.name = name


def drop_copies(looks: list[Look]) -> tuple[list[Look], list[str]]:
    """Leave out tables that hold what another holds too, such as an export in two formats; say so."""
    kept: list[Look] = []
    notes: list[str] = []
    for look in sorted(looks, key=lambda n: n.detected.type != "parquet"):
        twin = next((k for k in kept if set(k.columns) == set(look.columns) and k.rows == look.rows), None)
        if twin is None:
            kept.append(look)
        else:
            notes.append(f"{look.shown} holds the same columns and as many rows as {twin.shown}, so it was left out.")
    return [look for look in looks if look in kept], notes
