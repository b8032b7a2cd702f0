"""The rows of a source's files on the store's connection, before anything is made of them.

Plain Parquet is scanned where it lies; everything else is staged into a temporary table, which the database moves to
disk when memory runs short. Rows that a reader can't read are put aside in the table ``load_rejects``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.errors import ConfigError, SourceError
from shoal.sources import LINE, Reading, SourceFile, read
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shoal.sources.mapping import SourceSpec
    from shoal.sql.store import Store

FILE, ROW = "__file", "__line"
"""The columns of a staged relation that say where a row came from: the number of the file, and its line."""

_PLAIN = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "DOUBLE",
    "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "VARCHAR[]",
}  # fmt: skip
_WHOLE = ["UTINYINT", "TINYINT", "USMALLINT", "SMALLINT", "UINTEGER", "INTEGER", "UBIGINT", "BIGINT", "HUGEINT"]


@dataclass(frozen=True, slots=True)
class NumberedFile:
    """A file of a source, with the number that its rows bear in the store."""

    no: int
    file: SourceFile


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is.

    Args:
        source: the source at work.
        step: ``reading``, ``judging`` or ``writing``.
        done: bytes read so far, of all sources.
        total: bytes to read, of all sources.
        rows: rows read so far, of all sources.
    """

    source: str
    step: str
    done: int
    total: int
    rows: int


@dataclass(slots=True)
class Staged:
    """A source's rows as a relation of the store.

    Args:
        spec: the source.
        relation: the table or view.
        columns: the database's type of each column, by name as in the files.
        files: what was read.
        absent: for a column that some files lack, the paths of these.
        table: whether it is a table, not a view.
        warnings: what was unclear about the files.
        rejected: rows that couldn't be read.
        scanned: files that are read where they lie; each is checked at the end.
        parts: of those, the query of each file's rows.
    """

    spec: SourceSpec
    relation: str
    columns: dict[str, str]
    files: tuple[NumberedFile, ...]
    absent: dict[str, list[str]] = field(default_factory=dict)
    table: bool = False
    warnings: list[str] = field(default_factory=list)
    rejected: int = 0
    scanned: list[Reading] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def check_unchanged(self) -> None:
        """See that no file changed while it was read.

        Raises:
            SourceError: one did.
        """
        for reading in self.scanned:
            reading.check_unchanged()


@dataclass(slots=True)
class Meter:
    """Tells a callback how far the reading is, over all sources."""

    tell: Callable[[Progress], None]
    total: int
    done: int = 0
    rows: int = 0

    def read(self, source: str, consumed: int, rows: int) -> None:
        """``consumed`` bytes of the present file, ``rows`` more rows."""
        self.rows += rows
        self.tell(Progress(source, "reading", self.done + consumed, self.total, self.rows))

    def finish(self, source: str, file: SourceFile) -> None:
        """The present file is done."""
        self.done += file.size
        self.tell(Progress(source, "reading", self.done, self.total, self.rows))

    def at(self, source: str, step: str) -> None:
        """Another step begins."""
        self.tell(Progress(source, step, self.done, self.total, self.rows))


def name(text: str) -> str:
    """A name as an SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def prepare(store: Store) -> None:
    """Make the table of rows that can't be read."""
    store.execute(
        "CREATE OR REPLACE TEMP TABLE load_rejects (source VARCHAR, path VARCHAR, line BIGINT, code VARCHAR, "
        "reason VARCHAR, content VARCHAR)"
    )


def stage(store: Store, spec: SourceSpec, files: Iterable[NumberedFile], relation: str, meter: Meter) -> Staged:
    """Read files into a relation with the columns ``__file``, ``__line`` and those of the files.

    Args:
        store: the store; the relation is temporary.
        spec: the source.
        files: its files, each with its number.
        relation: the name to give.
        meter: is told of the progress.

    Raises:
        SourceError: a file is broken, changed while it was read, or lacks a column that is used and was there before.
    """
    numbered = tuple(files)
    readings = [read(n.file, spec.format) for n in numbered]
    for reading in readings:
        _refuse_nul(reading)
    schemas = [_schema(store, reading) for reading in readings]
    columns = _united(schemas)
    staged = Staged(spec, relation, columns, numbered)
    for reading, schema in zip(readings, schemas, strict=True):
        staged.warnings += [f"{reading.file.path}: {w}" for w in reading.warnings]
        for column in columns:
            if _of(schema, column) is None:
                staged.absent.setdefault(column, []).append(reading.file.path)
    if all(reading.scan for reading in readings):
        _scan(store, staged, readings, meter)
    else:
        _copy(store, staged, readings, schemas, meter)
    return staged


def _refuse_nul(reading: Reading) -> None:
    """No database takes a NUL in a column's name."""
    for column in reading.columns:
        if "\0" in column.name:
            shown = column.name.replace("\0", "\\0")
            raise SourceError(
                f'The name of the column "{shown}" holds a NUL byte.',
                place=reading.file.path,
                fix="Export it again, or take the byte out.",
            )


def check_columns(staged: Staged, used: Iterable[tuple[str, str]], before: Iterable[str]) -> None:
    """See that the columns which the mapping uses are there.

    Args:
        staged: the rows.
        used: each column that is used, and the place in ``shoal.yaml`` that uses it.
        before: the columns that were there at the last load.

    Raises:
        SourceError: a column was there before, or in an earlier file, and isn't any more.
        ConfigError: a column was never there.
    """
    known = {column.casefold() for column in before}
    for column, place in used:
        found = _of(staged.columns, column)
        if found is None and column.casefold() not in known:
            from shoal.errors import did_you_mean, nearest

            fix = did_you_mean(nearest(column, staged.columns)) or f"It has: {', '.join(list(staged.columns)[:30])}."
            raise ConfigError(
                f"The source {staged.spec.name} has no column {column!r}.",
                place=place,
                fix=" ".join([fix, *(staged.warnings if len(staged.columns) == 1 else ())]),
            )
        lacking = _lacking(staged, found, column.casefold() in known)
        if lacking:
            raise SourceError(
                f"The column {column!r}, which was there before, is gone, and {place} uses it. Nothing was loaded.",
                place=lacking,
                fix="Export it again with this column, or change the mapping in shoal.yaml.",
            )


def _lacking(staged: Staged, column: str | None, known: bool) -> str | None:
    """The first file without a column that it should have: one known from earlier, or had by a file before it."""
    if column is None:
        return staged.files[0].file.path
    absent = staged.absent.get(column, [])
    seen = known
    for numbered in staged.files:
        if numbered.file.path not in absent:
            seen = True
        elif seen:
            return numbered.file.path
    return None


def _of(columns: dict[str, str], wanted: str) -> str | None:
    """The column of a name, whatever its case."""
    if wanted in columns:
        return wanted
    return next((c for c in columns if c.casefold() == wanted.casefold()), None)


def _schema(store: Store, reading: Reading) -> dict[str, str]:
    """The database's type of each column of a reading."""
    if reading.scan:
        described = store.rows(f"DESCRIBE SELECT * FROM read_parquet({quoted(reading.scan)})")
    else:
        store.register("empty_batch", reading.schema.empty_table())
        described = store.rows("DESCRIBE SELECT * FROM empty_batch")[: len(reading.columns)]
        store.unregister("empty_batch")
    return {column.name: str(row[1]) for column, row in zip(reading.columns, described, strict=True)}


def _united(schemas: list[dict[str, str]]) -> dict[str, str]:
    """The columns of all files, each with a type that holds the values of all."""
    types: dict[str, set[str]] = {}
    for schema in schemas:
        for column, sql_type in schema.items():
            types.setdefault(_of(dict.fromkeys(types, ""), column) or column, set()).add(_target(sql_type))
    return {column: _common(found) for column, found in types.items()}


def _target(sql_type: str) -> str:
    """The type in which a column is staged: one of a few that conversions know."""
    if sql_type in _PLAIN or sql_type.startswith("DECIMAL"):
        return sql_type
    if sql_type.startswith("TIMESTAMP_"):
        return "TIMESTAMP"
    if sql_type.endswith("[]"):
        return sql_type if sql_type.startswith("STRUCT") else "VARCHAR[]"
    return '"NULL"' if sql_type.strip('"') == "NULL" else "VARCHAR"


def _common(found: set[str]) -> str:
    found = found - {'"NULL"'}
    if len(found) == 1:
        return found.pop()
    if found and found <= set(_WHOLE):
        return max(found, key=_WHOLE.index)
    if found and found <= {*_WHOLE, "DOUBLE", "FLOAT"}:
        return "DOUBLE"
    if found == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    return "VARCHAR"


def _cast(expression: str, sql_type: str, wanted: str) -> str:
    if sql_type == wanted:
        return expression
    if sql_type.startswith(("STRUCT", "MAP")) and wanted == "VARCHAR":
        return f"CAST(to_json({expression}) AS VARCHAR)"
    return f"CAST({expression} AS {wanted})"


def _scan(store: Store, staged: Staged, readings: list[Reading], meter: Meter) -> None:
    """A view over Parquet files where they lie."""
    staged.scanned = readings
    for numbered, reading in zip(staged.files, readings, strict=True):
        described = store.rows(f"DESCRIBE SELECT * FROM read_parquet({quoted(reading.scan or '')})")
        inside = {c.name: (row[0], str(row[1])) for c, row in zip(reading.columns, described, strict=True)}
        chosen = [
            f"{_cast(name(inside[c][0]), inside[c][1], t)} AS {name(c)}" if c in inside else f"NULL AS {name(c)}"
            for c, t in staged.columns.items()
        ]
        staged.parts.append(
            f"SELECT {numbered.no} AS {FILE}, file_row_number + 1 AS {ROW}, {', '.join(chosen)} "
            f"FROM read_parquet({quoted(reading.scan or '')}, file_row_number = true)"
        )
        meter.read(staged.spec.name, reading.file.size, reading.rows or 0)
        meter.finish(staged.spec.name, reading.file)
    store.execute(f"CREATE OR REPLACE TEMP VIEW {staged.relation} AS {' UNION ALL '.join(staged.parts)}")


def _copy(store: Store, staged: Staged, readings: list[Reading], schemas: list[dict[str, str]], meter: Meter) -> None:
    """A table with the rows of the files."""
    staged.table = True
    declared = "".join(f", {name(c)} {t}" for c, t in staged.columns.items())
    store.execute(f"CREATE OR REPLACE TEMP TABLE {staged.relation} ({FILE} INTEGER, {ROW} BIGINT{declared})")
    for numbered, reading, schema in zip(staged.files, readings, schemas, strict=True):
        chosen = "".join(
            f", {_cast(name(c), schema[c], t)}" if c in schema else ", NULL" for c, t in staged.columns.items()
        )
        with store.transaction():
            for batch in reading.batches():
                store.register("incoming_batch", _as_table(batch))
                store.execute(f"INSERT INTO {staged.relation} SELECT {numbered.no}, {LINE}{chosen} FROM incoming_batch")
                store.unregister("incoming_batch")
                _put_aside(store, staged, reading)
                meter.read(staged.spec.name, reading.consumed, batch.num_rows)
            _put_aside(store, staged, reading)
        meter.finish(staged.spec.name, reading.file)


def _as_table(batch: object) -> object:
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _put_aside(store: Store, staged: Staged, reading: Reading) -> None:
    """Move the rows that couldn't be read into their table."""
    import pyarrow as pa

    if not reading.rejects:
        return
    rejects, staged.rejected = reading.rejects, staged.rejected + len(reading.rejects)
    table = pa.table(
        {
            "source": [staged.spec.name] * len(rejects),
            "path": [r.path for r in rejects],
            "line": [r.line for r in rejects],
            "code": [r.code for r in rejects],
            "reason": [r.reason for r in rejects],
            "content": [r.content for r in rejects],
        }
    )
    store.register("incoming_rejects", table)
    store.execute("INSERT INTO load_rejects SELECT * FROM incoming_rejects")
    store.unregister("incoming_rejects")
    reading.rejects.clear()
