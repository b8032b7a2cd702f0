"""JSON arrays and JSON lines: objects become rows, nested objects columns with dots, lists of objects stay lists."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from shoal.errors import SourceError
from shoal.sources import encoding
from shoal.sources.archive import open_stream
from shoal.sources.encoding import Utf8Stream
from shoal.sources.reading import Column, Format, Reading, SourceFile
from shoal.sources.tables import check_names

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ = 1 << 20
_ROWS = 20_000
_DEEPEST = 64
_BLANKS = " \t\r\n,"
_LONGEST = 64 << 20
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


@dataclass(frozen=True, slots=True)
class _Item:
    """A row: where it stands, its object, or why it isn't one."""

    line: int
    value: Any
    fault: str | None = None
    raw: str = ""


@dataclass(slots=True)
class _Kinds:
    """What kinds of values a column holds; ``fields`` are those of the objects in its lists."""

    seen: set[str] = field(default_factory=set)
    fields: dict[str, _Kinds] = field(default_factory=dict)


def read(file: SourceFile, fmt: Format) -> Reading:
    """Open a JSON file: an array of objects, an object that holds one such array, or one object a line.

    The whole file is read once to learn its columns. A column of mixed kinds is text; an object inside a list is
    flattened too.

    Raises:
        SourceError: it is no JSON, cut off, or holds no objects.
    """
    with open_stream(file) as raw:
        head = raw.read(_READ)
    if not head.strip():
        raise SourceError("The file is empty.", place=file.path, fix="Export it again, or take it out of from:.")
    found = encoding.declared(fmt.encoding, head, file.path) if fmt.encoding else encoding.detect(head)
    kinds: dict[str, _Kinds] = {}
    rows = 0
    for item in _items(file, fmt, found.codec):
        if item.fault is None:
            rows += 1
            _learn(item.value, kinds)
    names = check_names(list(kinds), replace(fmt, columns=None), file.path)
    columns = tuple(Column(n, _type(k)) for n, k in zip(names, kinds.values(), strict=True))
    keys = list(kinds)
    return Reading(
        file=file,
        format=replace(fmt, encoding=found.codec),
        columns=columns,
        produce=lambda reading: _batches(reading, keys, found.codec),
        warnings=[found.warning] if found.warning else [],
        rows=rows,
    )


def _items(file: SourceFile, fmt: Format, codec: str) -> Iterator[_Item]:
    with open_stream(file) as raw:
        text = _Text(raw, codec, file.path)
        first = text.peek()
        if first == "[":
            yield from _elements(text, file.path)
        elif first == "{" and fmt.type != "jsonl" and not text.is_an_object_a_line():
            yield from _inside(text, file.path)
        else:
            yield from _lines(text)


class _Text:
    """Decoded text with a position, the line it is in, and more to come."""

    def __init__(self, raw: IO[bytes], codec: str, place: str) -> None:
        self._stream = Utf8Stream(raw, codec)
        self._left = b""
        self.place = place
        self.text = ""
        self.at = 0
        self.line = 1
        self.ended = False

    def more(self) -> bool:
        """Read on; False at the end."""
        chunk = self._stream.read(_READ)
        self.ended = not chunk
        whole = self._left + chunk
        cut = len(whole) if self.ended else _last_character(whole)
        self.text = self.text[self.at :] + whole[:cut].decode("utf-8", "replace")
        self._left, self.at = whole[cut:], 0
        return not self.ended

    def take(self, size: int) -> str:
        """The next characters, moving on."""
        piece = self.text[self.at : self.at + size]
        self.line += piece.count("\n")
        self.at += size
        return piece

    def peek(self, skipped: str = _BLANKS) -> str:
        """The next character that isn't blank, empty at the end; the position is on it."""
        while True:
            rest = self.text[self.at :].lstrip(skipped)
            self.take(len(self.text) - self.at - len(rest))
            if rest or not self.more():
                return rest[:1]

    def is_an_object_a_line(self) -> bool:
        """Whether the first line is a whole object and another object follows."""
        while "\n{" not in self.text[self.at :] and self.more():
            pass
        first, _, rest = self.text[self.at :].partition("\n")
        try:
            return rest.lstrip()[:1] == "{" and isinstance(json.loads(first), dict)
        except ValueError:
            return False

    def rest_of_line(self) -> str:
        """The text up to the end of the line, moving on; empty at the end of the text."""
        begin = self.at
        while (end := self.text.find("\n", begin)) < 0:
            begin = len(self.text) - self.at
            if not self.more():
                return self.take(len(self.text) - self.at)
        return self.take(end + 1 - self.at)


def _last_character(raw: bytes) -> int:
    """Where the last whole UTF-8 character ends."""
    for back in range(1, min(4, len(raw)) + 1):
        lead = raw[-back]
        if lead < 0x80:
            return len(raw)
        if lead >= 0xC0:
            size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return len(raw) - back if back < size else len(raw)
    return len(raw)


def _elements(text: _Text, place: str) -> Iterator[_Item]:
    """The elements of an array, one at a time."""
    text.take(1)
    number = 0
    while (first := text.peek()) != "]":
        if not first:
            raise _broken("The array isn't closed: the file was cut off.", text, place)
        number += 1
        value, size = _decode(text, place)
        raw = text.take(size)
        yield _object(number, value, raw)


def _decode(text: _Text, place: str) -> tuple[Any, int]:
    while True:
        try:
            value, end = _DECODER.raw_decode(text.text, text.at)
        except json.JSONDecodeError as error:
            if not _may_be_cut(error, text) or not text.more():
                raise _broken(f"This is not JSON ({str(error).partition(':')[0]}).", text, place) from error
        except RecursionError as error:
            raise _broken("Objects are nested too deeply.", text, place) from error
        else:
            # A number at the very end of the text may go on in the next piece.
            if end < len(text.text) or not text.more():
                return value, end - text.at


def _may_be_cut(error: json.JSONDecodeError, text: _Text) -> bool:
    """Whether an element may be faulty only because the text that was read so far ends in it."""
    if error.msg.startswith("Unterminated string"):
        return len(text.text) - text.at < _LONGEST
    return error.pos >= len(text.text) - 16


def _inside(text: _Text, place: str) -> Iterator[_Item]:
    """The rows of a file that is one object: those of its only list of objects, else the object itself."""
    while text.more():
        pass
    try:
        whole = _DECODER.decode(text.text[text.at :])
    except ValueError as error:
        raise _broken(f"This is not JSON ({error}).", text, place) from error
    lists = [v for v in whole.values() if isinstance(v, list) and v and all(isinstance(e, dict) for e in v)]
    rows = lists[0] if len(lists) == 1 and len(whole) <= 10 else [whole]
    for number, value in enumerate(rows, start=1):
        yield _object(number, value, "")


def _lines(text: _Text) -> Iterator[_Item]:
    while True:
        line = text.line
        raw = text.rest_of_line()
        if not raw:
            return
        if not raw.strip():
            continue
        try:
            yield _object(line, _DECODER.decode(raw), raw)
        except (ValueError, RecursionError) as error:
            if isinstance(error, json.JSONDecodeError) and _breaks_off(raw, error):
                text.line = line
                raise _broken("The last line breaks off: the file was cut off.", text, text.place) from error
            yield _Item(line, None, f"The line is not JSON ({str(error).partition(':')[0]}).", raw)


def _breaks_off(raw: str, error: json.JSONDecodeError) -> bool:
    """Whether a line without an end is faulty only because something is missing behind it."""
    unended = not raw.endswith("\n") and raw.lstrip().startswith("{")
    return unended and (error.msg.startswith("Unterminated string") or error.pos >= len(raw.rstrip()) - len("false"))


def _object(line: int, value: Any, raw: str) -> _Item:
    if not isinstance(value, dict):
        return _Item(line, None, "This is no object, as {…}.", raw)
    if "�" in raw:
        return _Item(line, None, "The row can't be decoded; say the right encoding: in the format.", raw)
    return _Item(line, dict(_flat(value)), None, raw)


def _flat(value: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, dict) and inner and depth < _DEEPEST:
            yield from _flat(inner, f"{name}.", depth + 1)
        elif isinstance(inner, list) and inner and all(isinstance(e, dict) for e in inner):
            yield name, [dict(_flat(e)) for e in inner]
        else:
            yield name, inner


def _learn(row: dict[str, Any], kinds: dict[str, _Kinds]) -> None:
    for name, value in row.items():
        if name not in kinds:
            kinds[name] = _Kinds()
        kind = _kind(value)
        if kind is None:
            continue
        kinds[name].seen.add(kind)
        if kind == "objects":
            for element in value:
                _learn(element, kinds[name].fields)


def _kind(value: Any) -> str | None:
    """The kind of a value; None where it tells nothing."""
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, bool):
        return "yes/no"
    if isinstance(value, int):
        return "whole" if -(2**63) <= value < 2**63 else "text"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else "text"
    if isinstance(value, list):
        return "objects" if all(isinstance(e, dict) for e in value) else "texts"
    return "text"


def _type(kinds: _Kinds) -> pa.DataType:
    if kinds.seen == {"yes/no"}:
        return pa.bool_()
    if kinds.seen == {"whole"}:
        return pa.int64()
    if kinds.seen and kinds.seen <= {"whole", "number"}:
        return pa.float64()
    if kinds.seen == {"texts"}:
        return pa.list_(pa.string())
    if kinds.seen == {"objects"}:
        return pa.list_(pa.struct([(name, _type(inner)) for name, inner in kinds.fields.items()]))
    return pa.string()


def _batches(reading: Reading, keys: list[str], codec: str) -> Iterator[pa.RecordBatch]:
    missing = frozenset(reading.format.missing_texts)
    rows: list[_Item] = []
    for item in _items(reading.file, reading.format, codec):
        fault = _fault(item, reading.format.cell_limit)
        if fault is not None:
            reading.reject(item.line, *fault, (item.raw or str(item.value)).strip())
            continue
        rows.append(item)
        if len(rows) == _ROWS:
            yield _batch(rows, keys, reading, missing)
            rows = []
    if rows:
        yield _batch(rows, keys, reading, missing)


def _fault(item: _Item, limit: int) -> tuple[str, str] | None:
    if item.fault is not None:
        return ("encoding" if "decoded" in item.fault else "json"), item.fault
    if "\0" in item.raw or "\\u0000" in item.raw:
        return "nul", "The row holds a NUL character; export it again, or take it out."
    long = len(item.raw) * 4 > limit and any(len(_text(v).encode()) > limit for v in item.value.values())
    return (
        ("cell-too-long", f"A value has more than {limit:,} bytes; raise cell_limit: if it is meant.") if long else None
    )


def _batch(rows: list[_Item], keys: list[str], reading: Reading, missing: frozenset[str]) -> pa.RecordBatch:
    arrays = []
    for key, column in zip(keys, reading.columns, strict=True):
        values = (_fit(item.value.get(key), column.type) for item in rows)
        arrays.append(pa.array([None if isinstance(v, str) and v in missing else v for v in values], column.type))
    lines = pa.array([item.line for item in rows], pa.int64())
    return pa.RecordBatch.from_arrays([*arrays, lines], schema=reading.schema)


def _fit(value: Any, kind: pa.DataType) -> Any:
    """A value as its column's type holds it."""
    if value is None or value == {}:
        return None
    if pa.types.is_string(kind):
        return _text(value) if value != [] else None
    if pa.types.is_list(kind):
        inner = kind.value_type
        if pa.types.is_struct(inner):
            return [{f.name: _fit(element.get(f.name), f.type) for f in inner} for element in value]
        return [_text(element) for element in value if element is not None]
    return float(value) if pa.types.is_floating(kind) and value != [] else None if value == [] else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _broken(problem: str, text: _Text, place: str) -> SourceError:
    return SourceError(problem, place=f"{place}:{text.line}", fix="Fetch or export the file again.")
