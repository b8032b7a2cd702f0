"""Tables written to files: CSV, Parquet, JSON lines. A file appears whole under its name or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from shoal.errors import ShoalError, Unsupported, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

# A spreadsheet takes a cell that begins like this for a formula and runs it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def defuse(value: object) -> object:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it; all else stays as it is.

    >>> defuse("=HYPERLINK(1)"), defuse("-5"), defuse("Ann"), defuse(-5)
    ("'=HYPERLINK(1)", "'-5", 'Ann', -5)
    """
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return "'" + value
    return value


def write_table(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, format: str | None = None) -> int:  # noqa: A002
    """Write batches to a file; the format follows the name's ending unless it is given.

    Args:
        path: where to; ``.csv``, ``.parquet``, ``.jsonl`` or ``.ndjson``.
        schema: of the batches.
        batches: the rows.
        format: ``csv``, ``parquet`` or ``jsonl``.

    Returns:
        The number of rows.

    Raises:
        Unsupported: for another format.
        ShoalError: where the file can't be written.
    """
    writer = _writer(path, format)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as handle:
            rows = writer(handle, schema, batches)
            handle.flush()
            os.fsync(handle.fileno())
        beside.replace(path)
    except OSError as error:
        raise ShoalError(f"The file can't be written: {error.strerror}.", place=str(path)) from None
    finally:
        beside.unlink(missing_ok=True)
    return rows


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file beside its place and rename it there, so that a reader never sees half of it; folders are made.

    Raises:
        OSError: it can't be written; what stood there before stands there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return path


def _writer(path: Path, format_: str | None) -> Callable[[IO[bytes], pa.Schema, Iterable[pa.RecordBatch]], int]:
    name = (format_ or path.suffix.removeprefix(".")).lower()
    try:
        return FORMATS[name]
    except KeyError:
        raise Unsupported(
            f"Members can't be written as {name or 'a file without an ending'!r}.",
            place=str(path),
            fix=did_you_mean(nearest(name, FORMATS)) or "End the name in .csv, .parquet or .jsonl.",
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _cell(value: Any) -> object:
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, list | dict):
        return defuse(json.dumps(value, ensure_ascii=False, default=_plain))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return defuse(_plain(value))


def _write_csv(handle: IO[bytes], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    import csv
    import io

    text = io.TextIOWrapper(handle, encoding="utf-8", newline="", write_through=True)
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow([defuse(name) for name in schema.names])
    rows = 0
    for batch in batches:
        columns = [[_cell(v) for v in column.to_pylist()] for column in batch.columns]
        out.writerows(zip(*columns, strict=True))
        rows += batch.num_rows
    text.flush()
    text.detach()
    return rows


def _write_parquet(handle: IO[bytes], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(handle, schema, compression="zstd") as out:
        for batch in batches:
            out.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_jsonl(handle: IO[bytes], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    for batch in batches:
        for row in batch.to_pylist():
            handle.write(json.dumps(row, ensure_ascii=False, default=_plain).encode() + b"\n")
        rows += batch.num_rows
    return rows


FORMATS: dict[str, Callable[[IO[bytes], pa.Schema, Iterable[pa.RecordBatch]], int]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "jsonl": _write_jsonl,
    "ndjson": _write_jsonl,
}
"""How each format is written."""
