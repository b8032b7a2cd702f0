"""The proposed mapping of one source, and its YAML text with comments."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.lang.schema import Kind
from shoal.sources.propose.meaning import snake, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shoal.sources.guess import ColumnGuess
    from shoal.sources.propose.look import Look

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_/]|[A-Za-z]")
_SPOKEN = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}


@dataclass(slots=True)
class Draft:
    """A source as it is proposed; the fields are the keys of the contract.

    Args:
        look: the table.
        role: what a row is, for the comment.
        needed: lookups name it, so it stays although nothing else is made of it.
    """

    look: Look
    role: str
    format: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    derive: dict[str, str] = field(default_factory=dict)
    lookup: list[dict[str, Any]] = field(default_factory=list)
    duplicates: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    traits: list[dict[str, Any]] = field(default_factory=list)
    consent: list[dict[str, Any]] = field(default_factory=list)
    spend: list[dict[str, Any]] = field(default_factory=list)
    reference: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The source's name."""
        return self.look.name

    def new_column(self, name: str, sql: str) -> str:
        """Derive a column; its name, with a number where the table has one of that name."""
        taken = {column.casefold() for column in self.look.columns} | {
            n for n, known in self.derive.items() if known != sql
        }
        own, number = name, 2
        while own.casefold() in taken:
            own, number = f"{name}_{number}", number + 1
        self.derive[own] = sql
        return own

    def used(self) -> set[str]:
        """The columns of the table that the mapping names."""
        text = json.dumps(
            [self.events, self.traits, self.consent, self.spend, self.derive, self.lookup], ensure_ascii=False
        )
        return {column for column in self.look.columns if json.dumps(column, ensure_ascii=False)[1:-1] in text}

    def lines(self) -> Iterator[str]:
        """The YAML of the source, indented below ``sources:``."""
        for note in self.notes:
            yield f"  # {note}"
        yield f"  {_key(self.name)}:  # {self.role}"
        yield f"    from: {scalar(self.look.from_)}"
        for name in ("format", "types"):
            if getattr(self, name):
                yield f"    {name}: {flow(getattr(self, name))}"
        if self.derive:
            yield "    derive:"
            yield from (f"      {_key(name)}: {scalar(sql)}" for name, sql in self.derive.items())
        if self.lookup:
            yield "    lookup:"
            yield from (f"      - {flow(one)}" for one in self.lookup)
        if self.duplicates:
            yield f"    duplicates: {self.duplicates}"
        for part in ("events", "traits", "consent", "spend"):
            if getattr(self, part):
                yield f"    {part}:"
                for one in getattr(self, part):
                    yield from _item(one)
        if self.reference:
            yield "    reference: true"


def format_of(look: Look, columns: Iterable[str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """What ``format:`` and ``types:`` have to say so that the named columns are understood, and what is unclear."""
    found: dict[str, Any] = {}
    given, detected = look.given, look.detected
    if detected.type in ("csv", "tsv"):
        found |= _written(look)
    if given.table:
        found["table"] = given.table
    if given.sheet:
        found["sheet"] = given.sheet
    types: dict[str, str] = {}
    unsure: list[str] = []
    for column in columns:
        guess = look.columns[column]
        pattern = guess.pattern
        texts = look.sample.schema.field(column).type == "string"
        if guess.unsure:
            unsure.append(f"{look.shown}, column {column}: {guess.unsure}")
        if texts and guess.kind is Kind.NUMBER and pattern.decimal == ",":
            found["decimal"] = ","
        if texts and pattern.thousands:
            found["thousands"] = pattern.thousands
        if texts and pattern.dates in ("day-first", "month-first"):
            found["dates"] = pattern.dates
        if guess.kind is not Kind.TEXT and pattern.missing:
            found["missing"] = sorted({"", *found.get("missing", ()), *pattern.missing})
        if type_ := _declared(guess, texts=texts):
            types[column] = type_
    return found, types, unsure


def _declared(guess: ColumnGuess, *, texts: bool) -> str | None:
    """The type that has to be said of a column, since the load wouldn't find it by itself; None for others."""
    pattern, timed = guess.pattern, guess.kind in (Kind.DATE, Kind.INSTANT)
    if texts and guess.kind is Kind.TEXT and guess.looks == "code":
        return "text"
    undated = guess.kind is Kind.INSTANT and texts and not pattern.dates and not guess.unsure
    mixed = texts and guess.odd > 0 and (timed or guess.kind is Kind.NUMBER)
    return guess.kind.value if pattern.dates == "%Y%m%d" or undated or mixed else None


def _written(look: Look) -> dict[str, Any]:
    detected = look.detected
    found: dict[str, Any] = {}
    if detected.delimiter not in (",", None) and not (detected.type == "tsv" and detected.delimiter == "\t"):
        found["delimiter"] = detected.delimiter
    if detected.encoding not in ("utf-8", None):
        found["encoding"] = detected.encoding
    if detected.quote not in ('"', None):
        found["quote"] = detected.quote
    if detected.header is False:
        found |= {"header": False, "columns": list(look.columns)}
    elif detected.header != 1:
        found["header"] = detected.header
    return found


def sql_name(column: str) -> str:
    """A column as SQL names it: in quotes unless it is a plain word."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", column) and column.lower() not in _RESERVED
    return column if plain else '"' + column.replace('"', '""') + '"'


_RESERVED = {
    "order", "group", "select", "from", "where", "table", "user", "case", "end", "when", "then", "else", "and", "or",
    "not", "in", "is", "null", "like", "limit", "desc", "asc", "all", "any", "union", "join", "on", "as", "default",
    "check", "column", "references", "primary", "foreign", "to", "with", "using", "having", "distinct", "offset",
}  # fmt: skip


def sql_text(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def named(columns: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A property or trait name of its own for each column."""
    used = set(taken)
    found: dict[str, str] = {}
    for column in columns:
        name, number = snake(column), 2
        while name in used:
            name, number = f"{snake(column)}_{number}", number + 1
        used.add(name)
        found[name] = column
    return found


_LATITUDE, _LONGITUDE = r"\b(lat|latitude)\b", r"\b(lon|lng|long|longitude)\b"


def described(look: Look, columns: Iterable[str], taken: Iterable[str] = ()) -> dict[str, Any]:
    """The same, with one place on earth where there are a latitude and a longitude."""
    chosen = list(columns)
    degrees = {c: words(c) for c in chosen if look.columns[c].kind is Kind.NUMBER}
    points: dict[str, list[str]] = {}
    for latitude, text in degrees.items():
        rest = re.sub(_LATITUDE, "", text).split()
        longitude = next(
            (c for c, t in degrees.items() if re.sub(_LONGITUDE, "", t).split() == rest != t.split()), None
        )
        if rest != text.split() and longitude and _within(look, latitude, 90) and _within(look, longitude, 180):
            points["_".join([*rest, "location"])] = [latitude, longitude]
    spent = {column for pair in points.values() for column in pair}
    return points | named([c for c in chosen if c not in spent], {*taken, *points})


def _within(look: Look, column: str, limit: float) -> bool:
    guess = look.columns[column]
    return guess.low is not None and guess.high is not None and -limit <= guess.low <= guess.high <= limit


def scalar(value: object) -> str:
    """A plain value in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _SPOKEN and "  " not in text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _key(text: str) -> str:
    # YAML takes a bare `on` for "true"; the reader of the section knows that, and it reads better without quotes.
    return text if text == "on" else scalar(text)


def flow(value: object) -> str:
    """A value on one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return scalar(value)


def _item(one: Mapping[str, Any]) -> Iterator[str]:
    """An entry of a list, one key a line; mappings are opened up where they are long."""
    start = "      - "
    for key, value in one.items():
        if isinstance(value, dict) and len(flow(value)) > 80:
            yield f"{start}{key}:"
            yield from _block(value, 10)
        else:
            yield f"{start}{key}: {flow(value)}"
        start = "        "


def _block(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, inner in value.items():
        if isinstance(inner, dict) and len(flow(inner)) > 80:
            yield f"{' ' * indent}{_key(key)}:"
            yield from _block(inner, indent + 2)
        else:
            yield f"{' ' * indent}{_key(key)}: {flow(inner)}"
