"""CSV, TSV and their kin: Arrow's parser for pieces that are well formed, record by record for the others.

Both ways give the same rows; only the way through Python knows what to say about a bad one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from shoal.errors import SourceError
from shoal.sources import encoding
from shoal.sources.archive import open_stream
from shoal.sources.dialect import Dialect, find_dialect
from shoal.sources.encoding import Utf8Stream
from shoal.sources.reading import Column, Format, Reading, SourceFile
from shoal.sources.records import Chunks, Record, RecordReader
from shoal.sources.tables import to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK = 16 << 20
"""The bytes that are parsed at once."""

_SAMPLE = 1 << 20
_TOLERANT_ROWS = 20_000
_NEWLINE, _RETURN = 10, 13
_LOOKED_AT = 1 << 16
_CONTROL = [bytes([c]) for c in (*range(9), *range(14, 32), 127)]
_BINARY = 0.05
"""The share of control characters above which nobody would call it text."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is needed to read the rows of one file."""

    codec: str
    carriage_returns: bool
    dialect: Dialect
    missing: tuple[str, ...]
    cell_limit: int
    fast: bool = True


def read(file: SourceFile, fmt: Format, *, fast: bool = True) -> Reading:
    """Open a delimited file; its columns are text.

    Args:
        file: what to read.
        fmt: what is known of its format.
        fast: whether Arrow's parser may be used; the rows are the same without it.

    Raises:
        SourceError: it is empty, damaged, of another encoding than declared, or its header can't be used.
    """
    samples, complete = _samples(file)
    if not samples[0].strip(b"\xef\xbb\xbf \r\n\t\0"):
        raise SourceError("The file is empty.", place=file.path, fix="Export it again, or take it out of from:.")
    found = encoding.declared(fmt.encoding, samples[0], file.path) if fmt.encoding else encoding.detect(*samples)
    text = _decoded(samples[0], found.codec)
    returns = b"\r" in text and b"\n" not in text
    text = text.replace(b"\r", b"\n") if returns else text
    if fmt.delimiter is None or fmt.delimiter.encode() not in _CONTROL:
        _refuse_binary(text, file.path)
    dialect = find_dialect(text, fmt, file.path, complete=complete)
    if any("\0" in name for name in dialect.names):
        raise SourceError(
            "The header holds a NUL byte.",
            place=f"{file.path}:{dialect.header or 1}",
            fix="Export the file again, or take the byte out.",
        )
    plan = _Plan(found.codec, returns, dialect, fmt.missing_texts, fmt.cell_limit, fast)
    return Reading(
        file=file,
        format=_with_detected(fmt, plan),
        columns=tuple(Column(name, pa.string()) for name in dialect.names),
        produce=lambda reading: _batches(reading, plan),
        warnings=[w for w in (found.warning, *dialect.warnings) if w],
    )


def _refuse_binary(text: bytes, place: str) -> None:
    """Refuse what can't be meant as text: many control characters, already in what would be the header."""
    first = text[: text.find(b"\n") + 1] or text
    if all(
        sum(piece.count(c) for c in _CONTROL) > _BINARY * len(piece)
        for piece in (first[:_LOOKED_AT], text[:_LOOKED_AT])
    ):
        raise SourceError(
            "This is not text.", place=f"{place}:1", fix="Export it as CSV, or say what it is with type: in its format."
        )


def _with_detected(fmt: Format, plan: _Plan) -> Format:
    shape = plan.dialect.shape
    return replace(
        fmt,
        encoding=plan.codec,
        delimiter=shape.delimiter,
        quote=shape.quote,
        header=plan.dialect.header or False,
        columns=plan.dialect.names if plan.dialect.header is None else fmt.columns,
    )


def _samples(file: SourceFile) -> tuple[list[bytes], bool]:
    """The beginning of a file and, of a large plain one, pieces from all over it; and whether that is all."""
    with open_stream(file) as stream:
        head = stream.read(_SAMPLE)
        complete = len(head) < _SAMPLE
        if complete or file.compression is not None:
            return [head], complete
        return [head, *islice(_telling(stream, file.size), 16)], False


def _telling(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Pieces that hold more than ASCII: of all of a file up to 256 MB, else from all over it."""
    step = max(_SAMPLE, size // 256)
    for begin in range(_SAMPLE, size, step):
        stream.seek(begin)
        piece = stream.read(_SAMPLE)
        if not piece.isascii():
            yield piece


def _decoded(sample: bytes, codec: str) -> bytes:
    return Utf8Stream(BytesIO(sample), codec).read(len(sample))


def _batches(reading: Reading, plan: _Plan) -> Iterator[pa.RecordBatch]:
    with open_stream(reading.file) as raw:
        chunks = Chunks(Utf8Stream(raw, plan.codec, carriage_returns=plan.carriage_returns), reading.file.path)
        while chunks.line < plan.dialect.first and (line := chunks.line_at(0)):
            chunks.take(len(line))
        records = RecordReader(chunks, plan.dialect.shape)
        while block := chunks.ahead(BLOCK):
            table = _fast(block, chunks, plan) if plan.fast else None
            yield from table if table is not None else _tolerant(records, reading, plan)
            if reading.file.compression is None:
                reading.consumed = raw.tell()


def _fast(block: bytes, chunks: Chunks, plan: _Plan) -> list[pa.RecordBatch] | None:
    """The rows of a block, cut behind its last whole record; None where anything is odd."""
    cut = _well_formed(block, chunks.ended and len(block) < BLOCK, plan)
    if cut is None:
        return None
    size, lines = cut
    table = _parse(block[:size], plan)
    if table is None or table.num_rows != len(lines):
        return None
    numbered = table.append_column("_line", pa.array(lines + chunks.line, pa.int64()))
    chunks.take(size)
    batches: list[pa.RecordBatch] = numbered.combine_chunks().to_batches()
    return batches


def _well_formed(block: bytes, last: bool, plan: _Plan) -> tuple[int, NDArray[np.int64]] | None:
    """Where the last whole record of a block ends, and the line of each record (from 0); None where anything is odd."""
    quote = plan.dialect.shape.quote.encode()
    if b"\0" in block or not plan.dialect.shape.delimiter.isascii():
        return None
    if last and quote and block.count(quote) % 2:
        return None
    at = np.frombuffer(block, np.uint8)
    newlines = np.flatnonzero(at == _NEWLINE)
    ends = _record_ends(at, newlines, block, plan)
    if ends is None or not (len(ends) or last):
        return None
    size = len(block) if last else int(ends[-1]) + 1
    starts = np.concatenate([[0], ends + 1])
    starts = starts[starts < size]
    lengths = np.diff(np.append(starts, size))
    returns = np.flatnonzero(at[:size] == _RETURN)
    if len(returns) and (returns[-1] + 1 >= size or (at[returns + 1] != _NEWLINE).any()):
        return None
    if len(lengths) and lengths.max() > plan.cell_limit:
        return None
    first = at[starts]
    filled = (first != _NEWLINE) & ~((first == _RETURN) & (lengths <= 2))
    return size, np.searchsorted(newlines, starts[filled])


def _record_ends(
    at: NDArray[np.uint8], newlines: NDArray[np.int64], block: bytes, plan: _Plan
) -> NDArray[np.int64] | None:
    """The newlines that aren't inside quotes; None if a quote stands where none belongs."""
    shape = plan.dialect.shape
    quote = shape.quote.encode()
    if not quote or quote not in block:
        return newlines
    if shape.delimiter == " " or shape.skip_blanks or len(quote) > 1:
        return None
    quotes = np.flatnonzero(at == quote[0])
    if len(quotes) % 2:
        # The last record of the block is cut inside quotes: judge what lies before its opening one.
        quotes = quotes[:-1]
        newlines = newlines[: np.searchsorted(newlines, block.rfind(quote))]
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    beside = np.isin(np.arange(256), [quote[0], shape.delimiter.encode()[0], _NEWLINE, _RETURN])
    padded = np.concatenate([[_NEWLINE], at, [_NEWLINE]]).astype(np.uint8)
    opened_well = beside[padded[quotes[::2]]].all()
    closed_well = beside[padded[quotes[1::2] + 2]].all()
    return ends if opened_well and closed_well else None


def _parse(block: bytes, plan: _Plan) -> pa.Table | None:
    dialect = plan.dialect
    if dialect.shape.delimiter == " ":
        block = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", block))
    hidden = [f"\0{i}" for i in range(dialect.extra)]
    names = [*dialect.names, *hidden]
    blanks = dialect.shape.skip_blanks
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(column_names=names, block_size=max(1 << 20, min(len(block) + 1, 4 << 20))),
            arrow_csv.ParseOptions(
                delimiter=dialect.shape.delimiter,
                quote_char=dialect.shape.quote or False,
                newlines_in_values=dialect.shape.quote.encode() in block,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[] if blanks else list(plan.missing),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return _as_tolerant(table, plan, blanks=blanks)


def _as_tolerant(table: pa.Table, plan: _Plan, *, blanks: bool) -> pa.Table | None:
    """What the tolerant way would have made of the same rows; None if that can't be told here."""
    names = list(plan.dialect.names)
    if any(_filled(table.column(i)) for i in range(len(names), table.num_columns)):
        return None
    kept = table.select(range(len(names)))
    if len(names) == 1 and pc.any(pc.match_substring_regex(kept[0], r"^\s+$")).as_py():
        return None
    if not blanks:
        return kept
    columns = [pc.utf8_ltrim(column, characters=" ") for column in kept.columns]
    missing = pa.array(plan.missing, pa.string())
    return pa.table([pc.if_else(pc.is_in(c, missing), None, c) for c in columns], names=names)


def _filled(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column.drop_null()), "")).as_py())


def _tolerant(records: RecordReader, reading: Reading, plan: _Plan) -> Iterator[pa.RecordBatch]:
    rows: list[list[str | None]] = []
    lines: list[int] = []
    missing = frozenset(plan.missing)
    for record in records.records(BLOCK):
        cells = _accepted(record, reading, plan)
        if cells is None:
            continue
        rows.append([None if cell in missing else cell for cell in cells])
        lines.append(record.line)
        if len(rows) >= _TOLERANT_ROWS:
            yield to_batch(rows, lines, reading.schema)
            rows, lines = [], []
    if rows:
        yield to_batch(rows, lines, reading.schema)


def _accepted(record: Record, reading: Reading, plan: _Plan) -> list[str] | None:
    """The cells of a good record; None for one that was rejected."""
    width = len(plan.dialect.names)
    cells, fault = record.cells, None
    if b"\0" in record.raw:
        fault = ("nul", "The row holds a NUL byte; export it again, or take the byte out.")
    elif not record.raw.isascii() and not _is_utf8(record.raw):
        fault = ("encoding", f"The row can't be decoded as {plan.codec}; say the right encoding: in the format.")
    elif record.fault:
        fault = ("quote", record.fault)
    elif len(record.raw) > plan.cell_limit and max(len(c.encode()) for c in cells) > plan.cell_limit:
        fault = ("cell-too-long", f"A cell has more than {plan.cell_limit:,} bytes; raise cell_limit: if it is meant.")
    elif len(cells) != width and (len(cells) < width or any(c.strip() for c in cells[width:])):
        fault = ("ragged", f"The row has {len(cells)} cells, the header {width}.")
    if fault is None:
        return cells[:width]
    reading.reject(record.line, *fault, record.raw[:40_000].decode("utf-8", "replace").rstrip("\r\n"))
    return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
