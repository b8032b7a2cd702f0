"""The tolerant way through delimited text: record by record, with exact lines and a reason for each bad row."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.sources.encoding import Utf8Stream

LONGEST_RECORD = 64 << 20
"""The most bytes of one record; a quote that isn't closed by then is taken for a stray one."""

_READ = 1 << 20
_SOME = 1 << 16
_BLANK_SEPARATED = re.compile(r'"((?:[^"]|"")*)"|([^ \t\r\n]+)')


@dataclass(frozen=True, slots=True)
class Shape:
    """How cells stand in the text.

    Args:
        delimiter: one character; a blank stands for a run of blanks.
        quote: the character around cells, ``""`` for none.
        skip_blanks: whether blanks at the beginning of a cell are dropped.
    """

    delimiter: str = ","
    quote: str = '"'
    skip_blanks: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands: its first line, its cells, its bytes; ``fault`` says why it couldn't be split."""

    line: int
    cells: list[str]
    raw: bytes
    fault: str | None = None


class Chunks:
    """UTF-8 text that is taken piece by piece, with the number of the line at which the next piece begins."""

    def __init__(self, stream: Utf8Stream, place: str) -> None:
        self._stream = stream
        self._place = place
        self._buffer = b""
        self._at = 0
        self.line = 1
        self.ended = False

    def ahead(self, size: int) -> bytes:
        """The next ``size`` bytes (fewer at the end only), not yet taken."""
        self._fill(size)
        return self._buffer[self._at : self._at + size]

    def take(self, size: int) -> None:
        """Move on by ``size`` bytes."""
        self.line += self._buffer.count(b"\n", self._at, self._at + size)
        self._at += size

    def line_at(self, offset: int) -> bytes:
        """The line that begins ``offset`` bytes ahead, with its end; empty at the end of the text.

        Raises:
            SourceError: a line has no end within reason.
        """
        size = max(offset + 4096, len(self._buffer) - self._at)
        while True:
            self._fill(size)
            end = self._buffer.find(b"\n", self._at + offset)
            if end >= 0:
                return self._buffer[self._at + offset : end + 1]
            if self.ended:
                return self._buffer[self._at + offset :]
            if size > offset + LONGEST_RECORD:
                raise SourceError(
                    f"A line is longer than {LONGEST_RECORD >> 20} MB.",
                    place=f"{self._place}:{self.line}",
                    fix="This doesn't look like a table of text; see what the file is.",
                )
            size *= 2

    def lines_at(self, offset: int) -> list[bytes]:
        """The lines that begin ``offset`` bytes ahead, some of them, each with its end; empty at the end of the text."""
        self._fill(offset + _SOME)
        begin = self._at + offset
        end = self._buffer.rfind(b"\n", begin, begin + _SOME) + 1
        if end <= begin:
            line = self.line_at(offset)
            return [line] if line else []
        return [part + b"\n" for part in self._buffer[begin : end - 1].split(b"\n")]

    def _fill(self, size: int) -> None:
        missing = size - (len(self._buffer) - self._at)
        if missing <= 0 or self.ended:
            return
        parts = [self._buffer[self._at :]]
        while missing > 0 and (chunk := self._stream.read(max(missing, _READ))):
            parts.append(chunk)
            missing -= len(chunk)
        self.ended = missing > 0
        self._buffer, self._at = b"".join(parts), 0


class _UnclosedError(Exception):
    """A record ran on past all reason."""


class RecordReader:
    """Splits what ``Chunks`` holds into records.

    A quote that isn't closed, or isn't followed by a delimiter, spoils its own line only: the next record begins on
    the next line.
    """

    def __init__(self, chunks: Chunks, shape: Shape) -> None:
        self._chunks = chunks
        self._shape = shape
        self._lines: list[bytes] = []
        self._taken = 0
        csv.field_size_limit(max(csv.field_size_limit(), 2 * LONGEST_RECORD))

    def records(self, most: int) -> Iterator[Record]:
        """Records until ``most`` bytes have been taken, or the end; blank lines are left out."""
        end = most
        parse = self._by_blanks if self._shape.delimiter == " " else self._by_csv
        for record in parse():
            end -= len(record.raw)
            if not is_blank(record):
                yield record
            if end <= 0:
                return

    def _by_blanks(self) -> Iterator[Record]:
        while raw := self._chunks.line_at(0):
            line = self._chunks.line
            self._chunks.take(len(raw))
            text = raw.decode("utf-8", "surrogateescape")
            cells = [(m[1] or "").replace('""', '"') if m[2] is None else m[2] for m in _BLANK_SEPARATED.finditer(text)]
            yield Record(line, cells, raw)

    def _by_csv(self) -> Iterator[Record]:
        reader = self._reader()
        while True:
            self._lines, self._taken = [], 0
            line = self._chunks.line
            try:
                record = Record(line, next(reader), b"".join(self._lines))
            except StopIteration:
                return
            except (csv.Error, _UnclosedError) as error:
                record = Record(line, [], self._lines[0], _fault(error))
                reader = self._reader()
            self._chunks.take(len(record.raw))
            yield record

    def _reader(self) -> Iterator[list[str]]:
        shape = self._shape
        return csv.reader(
            self._feed(),
            delimiter=shape.delimiter,
            quotechar=shape.quote or None,
            quoting=csv.QUOTE_MINIMAL if shape.quote else csv.QUOTE_NONE,
            skipinitialspace=shape.skip_blanks,
            strict=True,
        )

    def _feed(self) -> Iterator[str]:
        while some := self._chunks.lines_at(self._taken):
            for raw in some:
                self._lines.append(raw)
                self._taken += len(raw)
                if self._taken > LONGEST_RECORD:
                    raise _UnclosedError
                yield raw.decode("utf-8", "surrogateescape")


def is_blank(record: Record) -> bool:
    """Whether a record is an empty line."""
    return record.fault is None and len(record.cells) <= 1 and not record.raw.strip()


def _fault(error: Exception) -> str:
    if "new-line" in str(error):
        return "A carriage return stands in the middle of the row."
    return "A quotation mark is not closed, or text follows a closing one; inside quotes, a quotation mark is doubled."
