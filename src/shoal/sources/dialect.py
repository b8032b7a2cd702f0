"""How a delimited file is written, told from its beginning: delimiter, quotes, preamble, header, names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from shoal.errors import SourceError
from shoal.sources.encoding import Utf8Stream
from shoal.sources.records import Chunks, Record, RecordReader, Shape
from shoal.sources.tables import check_names
from shoal.sources.values import NUMBER, looks_like_value

if TYPE_CHECKING:
    from shoal.sources.reading import Format

_DELIMITERS = (",", ";", "\t", "|", "^", ":")
_WORDS = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_HINT = re.compile(r'^"?sep=(.)"?\s*$', re.IGNORECASE)
_TIME = re.compile(
    rb"(?<![\d:])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?![\d:])"
    rb"(?: ?[+-](?:[01]\d|2[0-4]):?[0-5]\d(?![\d:]))?"
)
"""A time of day, with its offset: the signs in it stand between no cells."""
_LOOKED_AT = 200
_SAMPLE = 1 << 18
_UNUSUAL = "~!#%&*+=\\`?<>{}[]"
ONE_COLUMN = (
    "The file seems to have one column. If another sign stands between its cells, say which: format: {delimiter: …}."
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the rows of a file stand.

    Args:
        shape: delimiter and quotes.
        names: the columns.
        header: the line that holds the names, None if there is none.
        first: the line (from 1) at which the rows begin.
        extra: empty cells that every row has behind the last column.
        warnings: what was unclear.
    """

    shape: Shape
    names: tuple[str, ...]
    header: int | None
    first: int
    extra: int
    warnings: tuple[str, ...] = ()


def find_dialect(sample: bytes, fmt: Format, place: str, *, complete: bool) -> Dialect:
    """Tell the dialect from the beginning of a file.

    Args:
        sample: UTF-8 text from the beginning of the file.
        fmt: what is known of the format.
        place: the file, for messages.
        complete: whether the sample is the whole file.

    Raises:
        SourceError: the header isn't there, or two columns have one name.
    """
    if not complete or len(sample) > _SAMPLE:
        sample = sample[:_SAMPLE]
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    shape = _shape(sample, fmt, place)
    records = split(sample, shape)
    hint = 1 if records and _HINT.match(records[0].raw.decode("utf-8", "replace")) else 0
    head = _header(records[hint:], fmt, place)
    body = [r for r in records if head is None or r.line > head.line] if head else records[hint:]
    return _dialect(shape, head, body, fmt, place)


def split(sample: bytes, shape: Shape, most: int = _LOOKED_AT) -> list[Record]:
    """The first records of a text, blank lines left out."""
    chunks = Chunks(Utf8Stream(BytesIO(sample), "utf-8"), "")
    found: list[Record] = []
    for record in RecordReader(chunks, shape).records(len(sample) + 1):
        found.append(record)
        if len(found) == most:
            break
    return found


def _dialect(shape: Shape, head: Record | None, body: list[Record], fmt: Format, place: str) -> Dialect:
    width = _width(body) or (len(head.cells) if head else 0)
    warnings: tuple[str, ...] = ()
    if head is not None:
        given = list(head.cells)
        while len(given) > 1 and not given[-1].strip() and _nothing_behind(body, len(given) - 1):
            given.pop()
    elif fmt.columns is not None:
        given = list(fmt.columns)
    else:
        given = [f"column_{i}" for i in range(1, width + 1)]
        warnings = ("The file has no header; its columns were numbered. Name them under columns: in its format.",)
    if head is not None and len(given) == 1 and re.search(r"\w\W+\w", given[0].replace(" ", "_")):
        warnings = (ONE_COLUMN,)
    spot = f"{place}:{head.line}" if head else place
    names = check_names(given, fmt, spot)
    extra = max(0, width - len(names))
    if extra and not _nothing_behind(body, len(names)):
        raise SourceError(
            f"The header has {len(names)} names, but the rows have {width} cells.",
            place=spot,
            fix=f"Mend the header, or name all {width} columns under columns: and say which line is the header.",
        )
    first = head.line + head.raw.count(b"\n") if head else (body[0].line if body else 1)
    return Dialect(shape, names, head.line if head else None, first, extra, warnings)


def _width(records: list[Record]) -> int:
    """The number of cells that most rows have."""
    counts = Counter(len(r.cells) for r in records if r.fault is None)
    return max(counts, key=lambda n: (counts[n], n), default=0)


def _nothing_behind(records: list[Record], width: int) -> bool:
    return not any(cell.strip() for r in records for cell in r.cells[width:])


def _shape(sample: bytes, fmt: Format, place: str) -> Shape:
    quote = fmt.quote if fmt.quote is not None else _quote(sample)
    delimiter = _one(_WORDS.get(fmt.delimiter or "", fmt.delimiter), "delimiter", place)
    if delimiter is None and fmt.type == "tsv":
        delimiter = "\t"
    hint = _HINT.match(sample.partition(b"\n")[0].decode("utf-8", "replace"))
    if delimiter is None and hint:
        delimiter = hint[1]
    if len(quote) > 1:
        _one(quote, "quote", place)
    return Shape(delimiter or _delimiter(sample, quote), quote, fmt.skip_initial_space or False)


def _one(text: str | None, key: str, place: str) -> str | None:
    if text is not None and (len(text) != 1 or text in "\r\n\0"):
        raise SourceError(f"The {key} {text!r} is not one character.", place=place, fix=f'Write it as {key}: ";"')
    return text


def _quote(sample: bytes) -> str:
    """The double quotation mark, unless cells stand in single ones and none in double ones."""
    single = re.search(rb"(^|[,;\t|])'[^'\n]*'([,;\t|]|\r?$)", sample, re.MULTILINE)
    return "'" if single and b'"' not in sample else '"'


def _delimiter(sample: bytes, quote: str) -> str:
    """The character that splits the most rows into the same number of cells, and the line above them too."""
    known = (*_DELIMITERS, *_unusual(sample))
    timeless = _TIME.sub(b"0", sample)
    scored = [(_score(timeless, Shape(d, quote)), -i, d) for i, d in enumerate(known)]
    (share, _, width), _, best = max(scored)
    if width > 1 and share >= 0.5:
        return best
    if _split_by_blanks(sample, quote):
        return " "
    return best if width > 1 else ","


def _unusual(sample: bytes) -> list[str]:
    """Other signs in the first line that may stand between cells, as ~ does now and then."""
    line = sample.lstrip(b"\xef\xbb\xbf \r\n").partition(b"\n")[0].decode("utf-8", "replace")
    return [sign for sign in dict.fromkeys(line) if sign in _UNUSUAL]


def _score(sample: bytes, shape: Shape) -> tuple[float, int, int]:
    """How well a delimiter splits: the share of rows that it makes as wide as most, minus where they begin, and how wide.

    The line of names is split by the right delimiter, and not by one that cells have in them, as decimal commas: of two
    that split all rows, the one counts whose rows begin earlier.
    """
    records = split(sample, shape, most=100)
    widths = Counter(len(r.cells) for r in records if r.fault is None)
    split_rows = {w: n for w, n in widths.items() if w > 1}
    if not split_rows:
        return 0.0, -len(records), 1
    width = max(split_rows, key=lambda w: (split_rows[w], w))
    first = next(i for i, r in enumerate(records) if len(r.cells) == width and r.fault is None)
    # Steps of a tenth: a few bad rows must not make a worse delimiter win.
    return round(split_rows[width] / len(records), 1), -first, width


def _split_by_blanks(sample: bytes, quote: str) -> bool:
    records = split(sample, Shape(" ", quote), most=100)
    width = _width(records)
    same = [r for r in records if len(r.cells) == width]
    cells = [cell for r in same for cell in r.cells]
    numbers = sum(bool(NUMBER.fullmatch(cell)) for cell in cells)
    return width > 1 and len(same) >= 0.9 * len(records) and numbers * 2 >= len(cells)


def _header(records: list[Record], fmt: Format, place: str) -> Record | None:
    if fmt.header is False:
        return None
    if fmt.header is None or fmt.header is True:
        found = _find_header(records, must=fmt.header is True)
        if found is None and not records and fmt.columns is None:
            raise SourceError("The file is empty.", place=place, fix="Export it again, or take it out of from:.")
        return found
    at = [r for r in records if r.line == fmt.header]
    if not at or at[0].fault:
        raise SourceError(
            f"No names can be read in line {fmt.header}, which header: names.",
            place=f"{place}:{fmt.header}",
            fix="Write the number of the line that holds the names of the columns.",
        )
    return at[0]


def _find_header(records: list[Record], *, must: bool) -> Record | None:
    """The first row that is as wide as the rows after it and holds names rather than values."""
    width = _width(records)
    # Rows may end in a delimiter where the header doesn't, so cells that are empty everywhere don't count.
    filled = [i for r in records if len(r.cells) == width for i, cell in enumerate(r.cells, start=1) if cell.strip()]
    least = max(filled, default=1)
    for index, record in enumerate(records):
        named = sum(bool(cell.strip()) for cell in record.cells)
        if record.fault is None and len(record.cells) >= least and named >= 0.6 * least:
            if must or _holds_names(record, records[index + 1 :]):
                return record
            # Several names above narrower than the rows: a header that doesn't fit, which is told as such.
            return records[index - 1] if index and len(records[index - 1].cells) > 1 else None
    return None


def _holds_names(head: Record, body: list[Record]) -> bool:
    """Whether a row holds names: no value where the rows below hold values too, no text that comes back below."""
    again = 0
    for position, cell in enumerate(head.cells):
        below = [r.cells[position] for r in body if position < len(r.cells)]
        values = sum(looks_like_value(other) for other in below)
        if looks_like_value(cell) and values * 2 >= len(below):
            return False
        again += bool(cell.strip()) and cell in below
    return again == 0 or again == len(head.cells)
