"""PostgreSQL: a table or a query, through a cursor on the server. Needs the extra ``postgres``."""

from __future__ import annotations

import re
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from shoal.errors import SourceError, did_you_mean, nearest
from shoal.sources.reading import Column, Format, Reading, SourceFile
from shoal.sources.tables import check_names, to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_ROWS = 20_000
_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "float4": pa.float64(),
    "float8": pa.float64(),
    "numeric": pa.decimal128(38, 6),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "_text": pa.list_(pa.string()),
    "_varchar": pa.list_(pa.string()),
}
_AS_TEXT = ("json", "jsonb")
_MILLIONTH = Decimal("0.000001")
_LARGEST = Decimal(10) ** 32


class _Refused(Exception):
    """A value that no column can hold."""


def read(file: SourceFile, fmt: Format) -> Reading:
    """Open a table or a query. A table with a primary key is read in its order, so that rows keep their numbers.

    Raises:
        SourceError: no server answers, the table isn't there, or the query fails. The password is never in it.
    """
    with _connected(file) as connection:
        sql = _sql(connection, fmt, file)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({sql}) AS t LIMIT 0".encode())
            described = list(cursor.description or ())
            types = [_type(connection, column.type_code) for column in described]
    names = check_names([column.name for column in described], fmt, file.path)
    return Reading(
        file=file,
        format=fmt,
        columns=tuple(Column(n, t) for n, t in zip(names, types, strict=True)),
        produce=lambda reading: _batches(reading, sql),
    )


def tables(file: SourceFile) -> list[str]:
    """The tables and views that may be read, sorted; those outside ``public`` with their schema.

    Raises:
        SourceError: no server answers.
    """
    with _connected(file) as connection:
        return _tables(connection)


@contextmanager
def _connected(file: SourceFile) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    try:
        import psycopg
    except ImportError as error:
        raise SourceError(
            "Reading PostgreSQL needs a driver that isn't installed.",
            place=file.path,
            fix='Install it: pip install "shoal[postgres]"',
        ) from error
    try:
        with psycopg.connect(file.location, connect_timeout=15, application_name="shoal") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            _load_gently(connection)
            yield connection
    except psycopg.Error as error:
        raise SourceError(
            f"PostgreSQL says: {_harmless(str(error), file.location)}.",
            place=file.path,
            fix="See the address, the rights of the user, and table: or query:.",
        ) from None


def _harmless(message: str, address: str) -> str:
    """The first line of a message, without the password in any spelling."""
    text = " ".join(message.strip().splitlines()[:1]).rstrip(".")
    for secret in re.findall(r"//[^/@:]*:(.*)@|[?&]password=([^&]*)", address):
        for form in {*secret, *(unquote(s) for s in secret)} - {""}:
            text = text.replace(form, "***")
    return text


def _load_gently(connection: psycopg.Connection[Any]) -> None:
    """Let dates that Python can't hold, such as ``infinity``, through as text, to be rejected in their row."""
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    for name, base in (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
        connection.adapters.register_loader(name, _gentle(base))
    for name in _AS_TEXT:
        from psycopg.types.string import TextLoader

        connection.adapters.register_loader(name, TextLoader)


def _gentle(base: Any) -> Any:
    class Gentle(base):  # type: ignore[misc]
        """Gives the text where the value isn't in the years 1 to 9999."""

        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except Exception:  # the driver raises its own DataError as well as ValueError and OverflowError
                return bytes(data).decode()

    return Gentle


def _tables(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    rows = connection.execute(
        "SELECT CASE WHEN table_schema = 'public' THEN table_name ELSE table_schema || '.' || table_name END"
        " FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
    )
    return [name for (name,) in rows]


def _sql(connection: psycopg.Connection[tuple[Any, ...]], fmt: Format, file: SourceFile) -> str:
    if fmt.query:
        return fmt.query.strip().rstrip(";")
    known = _tables(connection)
    table = fmt.table or (known[0] if len(known) == 1 else None)
    if table is None:
        raise SourceError(
            f"The database holds {len(known)} tables.",
            place=file.path,
            fix=f"Say which one in the format, as table: NAME. It holds: {', '.join(known[:20]) or 'nothing'}.",
        )
    if table not in known:
        near = did_you_mean(nearest(table, known)) or f"It holds: {', '.join(known[:20]) or 'nothing'}."
        raise SourceError(f"There is no table {table!r}.", place=file.path, fix=near)
    quoted = ".".join(_quoted(part) for part in table.split(".", 1))
    key = _primary_key(connection, quoted)
    return f"SELECT * FROM {quoted}" + (f" ORDER BY {', '.join(map(_quoted, key))}" if key else "")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _primary_key(connection: psycopg.Connection[tuple[Any, ...]], quoted: str) -> list[str]:
    rows = connection.execute(
        "SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, n), pg_attribute a"
        " WHERE i.indrelid = %s::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " ORDER BY k.n",
        [quoted],
    )
    return [name for (name,) in rows]


def _type(connection: psycopg.Connection[Any], oid: int) -> pa.DataType:
    info = connection.adapters.types.get(oid)
    if info is None:
        return pa.string()
    array = oid == info.array_oid
    return _TYPES.get(f"_{info.name}" if array else info.name, pa.string())


def _batches(reading: Reading, sql: str) -> Iterator[pa.RecordBatch]:
    types = [column.type for column in reading.columns]
    line = 0
    with _connected(reading.file) as connection, connection.cursor("shoal_reading") as cursor:
        cursor.itersize = _ROWS
        cursor.execute(sql.encode())
        while rows := cursor.fetchmany(_ROWS):
            kept, lines = [], []
            for row in rows:
                line += 1
                cells = _row(row, types, line, reading)
                if cells is not None:
                    kept.append(cells)
                    lines.append(line)
            if kept:
                yield to_batch(kept, lines, reading.schema)


def _row(row: tuple[Any, ...], types: list[pa.DataType], line: int, reading: Reading) -> list[Any] | None:
    limit = reading.format.cell_limit
    try:
        cells = [_cell(value, kind) for value, kind in zip(row, types, strict=True)]
    except _Refused as refused:
        reading.reject(line, "value", str(refused), str(row))
        return None
    if any(isinstance(c, str) and len(c) * 4 > limit and len(c.encode()) > limit for c in cells):
        reason = f"A cell has more than {limit:,} bytes; raise cell_limit: if it is meant."
        reading.reject(line, "cell-too-long", reason, str(row))
        return None
    return cells


def _cell(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else value.hex() if isinstance(value, bytes) else str(value)
    if isinstance(value, str) and (pa.types.is_temporal(kind)):
        raise _Refused(f"{value!r} is no date between the years 1 and 9999.")
    if isinstance(value, Decimal):
        return _fixed(value)
    if isinstance(value, list):
        return [element for element in value if element is not None]
    return value


def _fixed(value: Decimal) -> Decimal:
    """A number in millionths, rounded half to even."""
    if not value.is_finite() or abs(value) >= _LARGEST:
        raise _Refused(f"{value} is no number that can be stored.")
    with localcontext(prec=60, rounding=ROUND_HALF_EVEN):
        return value.quantize(_MILLIONTH)
