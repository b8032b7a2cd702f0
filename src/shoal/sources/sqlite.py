"""SQLite: a table or a query, read-only."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa

from shoal.errors import SourceError, did_you_mean, nearest
from shoal.sources.archive import as_path
from shoal.sources.reading import Column, Format, Reading, SourceFile
from shoal.sources.tables import check_names, to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 50_000
_TYPES = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}


def read(file: SourceFile, fmt: Format) -> Reading:
    """Open a table or a query of a SQLite file.

    SQLite keeps a type for each value, not for each column: a column that mixes texts with numbers comes as text.

    Raises:
        SourceError: it is no database, the table isn't there, or the query fails.
    """
    with _opened(file) as database:
        sql = _sql(database, fmt, file)
        raw = _names(database, sql, file)
        names = check_names(raw, fmt, file.path)
        types, rows = _types(database, sql, len(raw))
    return Reading(
        file=file,
        format=fmt if fmt.query or fmt.table else replace(fmt, table=_only_table(file)),
        columns=tuple(Column(n, t) for n, t in zip(names, types, strict=True)),
        produce=lambda reading: _batches(reading, sql),
        rows=rows,
    )


def tables(file: SourceFile) -> list[str]:
    """The names of the tables of a database, sorted.

    Raises:
        SourceError: it can't be read.
    """
    with _opened(file) as database:
        return _tables(database)


@contextmanager
def _opened(file: SourceFile) -> Iterator[sqlite3.Connection]:
    with as_path(file) as path:
        try:
            address = f"file:{quote(str(path.resolve()))}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as database:
                database.execute("PRAGMA query_only = 1")
                database.execute("BEGIN")
                database.text_factory = _text
                yield database
        except sqlite3.Error as error:
            raise SourceError(
                f"The database can't be read: {error}.", place=file.path, fix="See the file, and table: or query:."
            ) from error


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _tables(database: sqlite3.Connection) -> list[str]:
    found = database.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return sorted(name for (name,) in found)


def _only_table(file: SourceFile) -> str:
    return tables(file)[0]


def _sql(database: sqlite3.Connection, fmt: Format, file: SourceFile) -> str:
    if fmt.query:
        return fmt.query.strip().rstrip(";")
    known = _tables(database)
    if fmt.table is None and len(known) == 1:
        return f"SELECT * FROM {_quoted(known[0])}"
    if fmt.table is None:
        raise SourceError(
            f"The database holds {len(known)} tables.",
            place=file.path,
            fix=f"Say which one in the format, as table: NAME. It holds: {', '.join(known) or 'nothing'}.",
        )
    if fmt.table.casefold() not in (name.casefold() for name in known):
        near = did_you_mean(nearest(fmt.table, known))
        raise SourceError(
            f"There is no table {fmt.table!r}.",
            place=file.path,
            fix=near or f"It holds: {', '.join(known) or 'nothing'}.",
        )
    return f"SELECT * FROM {_quoted(fmt.table)}"


def _names(database: sqlite3.Connection, sql: str, file: SourceFile) -> list[str]:
    with closing(database.execute(sql)) as cursor:
        if cursor.description is None:
            raise SourceError("The query gives no rows.", place=file.path, fix="Write a SELECT.")
        return [column[0] for column in cursor.description]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _types(database: sqlite3.Connection, sql: str, width: int) -> tuple[list[pa.DataType], int]:
    """The Arrow type of each column, from the types of all its values; and the number of rows."""
    # Columns are addressed by position: a query may name two of them alike, which check_names reports in its words.
    aliases = ", ".join(f"c{i}" for i in range(width))
    kinds = ", ".join(f"max(typeof(c{i}) = '{kind}')" for i in range(width) for kind in _TYPES)
    query = f'WITH "shoal reading"({aliases}) AS ({sql}) SELECT count(*), {kinds} FROM "shoal reading"'
    count, *flags = database.execute(query).fetchone()
    step = len(_TYPES)
    return [_one_type(flags[i * step : (i + 1) * step]) for i in range(width)], count


def _one_type(flags: list[int | None]) -> pa.DataType:
    present = [kind for kind, flag in zip(_TYPES, flags, strict=True) if flag]
    if present == ["integer", "real"]:
        return pa.float64()
    return _TYPES[present[0]] if len(present) == 1 else pa.string()


def _batches(reading: Reading, sql: str) -> Iterator[pa.RecordBatch]:
    schema, line = reading.schema, 1
    texts = [i for i, column in enumerate(reading.columns) if pa.types.is_string(column.type)]
    with _opened(reading.file) as database:
        cursor = database.execute(sql)
        while rows := cursor.fetchmany(_ROWS):
            values = [_as_texts(row, texts) for row in rows]
            yield to_batch(values, range(line, line + len(rows)), schema)
            line += len(rows)


def _as_texts(row: tuple[Any, ...], texts: list[int]) -> list[Any]:
    cells = list(row)
    for i in texts:
        if not (cells[i] is None or isinstance(cells[i], str)):
            cells[i] = cells[i].decode("utf-8", "replace") if isinstance(cells[i], bytes) else str(cells[i])
    return cells
