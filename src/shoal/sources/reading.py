"""The interface of all readers: a file and its format in, Arrow batches and rejected rows out.

    for file in discover("exports/orders-*.csv", root):
        reading = read(file, Format(delimiter=";"))
        for batch in reading.batches():
            ...
        reading.rejects, reading.warnings

A bad row never stops a reading: it is a ``Reject`` with its line and reason. A broken file raises ``SourceError``,
which may also happen in the middle of ``batches``; what was taken of the file until then must be thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

LINE = "_line"
"""The last column of every batch, int64: the line of the file (from 1) where the record begins; the row of an Excel
sheet; the number of the row (from 1) of a table, a Parquet file or a JSON array."""

CELL_LIMIT = 1_000_000
"""The most bytes that one cell may have, unless the format says otherwise."""

SHOWN = 10_000
"""The most characters of a rejected row that are kept."""

FileType: TypeAlias = Literal["csv", "tsv", "parquet", "json", "jsonl", "excel", "sqlite", "postgres"]

READERS: dict[str, str] = {
    "csv": "shoal.sources.delimited",
    "tsv": "shoal.sources.delimited",
    "parquet": "shoal.sources.parquet",
    "json": "shoal.sources.jsonfile",
    "jsonl": "shoal.sources.jsonfile",
    "excel": "shoal.sources.excel",
    "sqlite": "shoal.sources.sqlite",
    "postgres": "shoal.sources.postgres",
}
"""The module that reads each type, with a function ``read(file, fmt) -> Reading``."""


@dataclass(frozen=True, slots=True)
class Format:
    """How the values of a source stand in its files: the keys of ``format:`` in ``shoal.yaml``. None means "detect".

    ``decimal``, ``thousands``, ``dates``, ``timezone``, ``yes`` and ``no`` say how to understand text; the readers
    leave text as it stands, and whoever converts it obeys these.

    Args:
        type: csv, tsv, parquet, json, jsonl, excel, sqlite or postgres.
        delimiter: one character; a blank stands for any run of blanks.
        encoding: a Python codec name, as ``utf-8`` or ``cp1252``.
        quote: the character around cells; ``""`` for none.
        header: the line (from 1) that holds the names; False for none.
        columns: the names, in place of those in the file.
        decimal: ``.`` or ``,``.
        thousands: the character between groups of three digits; ``""`` for none.
        dates: ``iso``, ``day-first``, ``month-first`` or a strptime pattern.
        timezone: IANA name of the zone of times that bear none.
        missing: the texts that mean "not known"; by default the empty text alone. Applied by the readers of text,
            JSON and Excel; Parquet, SQLite and PostgreSQL have nulls of their own.
        yes: words for yes.
        no: words for no.
        skip_initial_space: whether blanks after a delimiter are dropped.
        table: the table of a database.
        sheet: the sheet of a workbook.
        query: SQL to read instead of a table, for SQLite and PostgreSQL.
        cell_limit: the most bytes that one cell may have; a row with a longer one is rejected.
    """

    type: FileType | None = None
    delimiter: str | None = None
    encoding: str | None = None
    quote: str | None = None
    header: int | bool | None = None
    columns: tuple[str, ...] | None = None
    decimal: str | None = None
    thousands: str | None = None
    dates: str | None = None
    timezone: str | None = None
    missing: tuple[str, ...] | None = None
    yes: tuple[str, ...] | None = None
    no: tuple[str, ...] | None = None
    skip_initial_space: bool | None = None
    table: str | None = None
    sheet: str | None = None
    query: str | None = None
    cell_limit: int = CELL_LIMIT

    @property
    def missing_texts(self) -> tuple[str, ...]:
        """The texts that mean "not known"."""
        return ("",) if self.missing is None else self.missing


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One thing to read: a file, a member of an archive, or a database.

    Args:
        path: its name for people and for the store: relative to the root where it lies inside or beside it, ``!member`` in an
            archive; the address of a database without its password.
        type: how it is read, unless the format says otherwise.
        location: the file on disk; for a database server the address with its secrets, never to be shown.
        member: the name inside a zip.
        compression: ``gz`` or ``zip``, None if plain.
        size: bytes on disk; 0 for a server.
        modified: when it was last written, nanoseconds since 1970 UTC; 0 for a server.
    """

    path: str
    type: FileType
    location: str = field(repr=False)
    member: str | None = None
    compression: Literal["gz", "zip"] | None = None
    size: int = 0
    modified: int = 0

    @property
    def stamp(self) -> str:
        """Size and time of the last change: cheap, equal as long as nobody touched the file. Empty for a server."""
        return f"{self.size}-{self.modified}" if self.type != "postgres" else ""

    def fingerprint(self) -> str:
        """BLAKE2b of the content (of the member, in a zip), read as a stream; empty for a server, which has none.

        Equal fingerprints mean equal content, even where ``stamp`` differs because the file was copied or touched.

        Raises:
            SourceError: the file can't be read.
        """
        from shoal.sources.files import digest

        return digest(self)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source."""

    name: str
    type: pa.DataType


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that couldn't be read.

    Args:
        path: the file, as in ``SourceFile.path``.
        line: where the row begins, as in the column ``_line``.
        code: ``ragged``, ``encoding``, ``nul``, ``cell-too-long``, ``quote``, ``json`` or ``value``.
        reason: one sentence for people, with the way to mend it.
        content: the row as text, at most ``SHOWN`` characters.
    """

    path: str
    line: int
    code: str
    reason: str
    content: str


@dataclass(slots=True)
class Reading:
    """An opened source.

    Args:
        file: what is read.
        format: the format with what was detected filled in.
        columns: names and Arrow types, without ``_line``; text for delimited files.
        produce: makes the batches; called anew by each ``batches``.
        rejects: rows that couldn't be read; filled while reading. A caller may empty it between batches.
        warnings: what was unclear about the file, one sentence each.
        scan: a path that DuckDB can scan by itself (plain Parquet), None elsewhere. Whoever scans calls
            ``check_unchanged`` at the end.
        rows: the number of rows, where it is known beforehand.
        consumed: bytes of ``file.size`` read so far.
    """

    file: SourceFile
    format: Format
    columns: tuple[Column, ...]
    produce: Callable[[Reading], Iterator[pa.RecordBatch]] = field(repr=False)
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    scan: str | None = None
    rows: int | None = None
    consumed: int = 0

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every batch: the columns, then ``_line``."""
        import pyarrow as pa

        return pa.schema([*((c.name, c.type) for c in self.columns), (LINE, pa.int64())])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, from the beginning each time it is called.

        Raises:
            SourceError: the file is broken, can't be read any more, or changed while it was read.
        """
        self.rejects.clear()
        self.consumed = 0
        self.check_unchanged()
        yield from self.produce(self)
        self.check_unchanged()
        self.consumed = self.file.size

    def reject(self, line: int, code: str, reason: str, content: str) -> None:
        """Put a row aside."""
        self.rejects.append(Reject(self.file.path, line, code, reason, content[:SHOWN]))

    def check_unchanged(self) -> None:
        """See that the file is still the one that was discovered.

        Raises:
            SourceError: its size or the time of its last change differs.
        """
        if self.file.type == "postgres":
            return
        try:
            now = Path(self.file.location).stat()
        except OSError as error:
            raise SourceError(
                f"The file can't be read any more ({error.strerror}).", place=self.file.path, fix="Load again."
            ) from error
        if (now.st_size, now.st_mtime_ns) != (self.file.size, self.file.modified):
            raise SourceError(
                "The file changed while it was being read, so nothing of it was taken.",
                place=self.file.path,
                fix="Wait until whatever writes it is done, then load again.",
            )


def read(file: SourceFile, fmt: Format | None = None) -> Reading:
    """Open a file; its names, types and format are known when this returns, its rows come from ``batches``.

    Args:
        file: from ``discover``.
        fmt: what is known of its format; the rest is detected.

    Raises:
        SourceError: the file is broken, empty, or its header can't be used.
    """
    fmt = fmt or Format()
    kind = fmt.type or file.type
    module = import_module(READERS[kind])
    reading: Reading = module.read(file, replace(fmt, type=kind))
    return reading
