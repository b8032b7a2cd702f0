"""Text into tokens, and the words of the language.

Names, text literals, numbers, dates, instants and signs. Comments are kept beside the tokens. Every fault is a
``DefinitionError`` with its place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.clock import from_instant
from shoal.errors import DefinitionError
from shoal.lang.document import days_of, micro_of, micros_of
from shoal.lang.nodes import MICRO

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CHARACTERS = 100_000
"""The longest definition."""

MOST_NUMBER = 10**12 * MICRO
"""The largest number, in millionths."""

_WORDS = """
    and or not in is between where any did then with within without at exactly held changed from to for member listed
    entered left consents bucket distance anniversary since until contains starts ends matches ignoring yes no trait
    percentile of true false null
"""
RESERVED = frozenset(_WORDS.split())
"""Words that stand in backticks when they are names."""

FUNCTIONS = ("count", "sum", "avg", "min", "max", "first", "last", "most frequent", "distinct", "active days")
LOCAL_TIME = ("hour", "weekday", "date")
# A function word is a function only before "(", so it may be a bare name; what we print has backticks all the same.
_IN_BACKTICKS = RESERVED | {word for name in FUNCTIONS for word in name.split()} | {"days"}

TokenKind: TypeAlias = Literal["word", "name", "text", "number", "date", "instant", "sign", "end"]

_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<instant>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?
        (?:Z|[+-][0-9]{2}:[0-9]{2})(?![\w.]))
  | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w.]))
  | (?P<number>(?![0-9]{4}-[0-9]{2}-[0-9]{2})[0-9]+(?:\.[0-9]+)?(?![\w.]))
  | (?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")
  | (?P<name>`(?:[^`]|``)*`)
  | (?P<sign><=|>=|!=|<(?!>)|>|=(?![=<>])|[+\-*/(),%])
  | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ADVICE = {
    "'": 'A text stands in double quotes, as "KE".',
    "‘": 'A text stands in double quotes, as "KE".',
    "’": 'A text stands in double quotes, as "KE".',
    "“": 'Use straight double quotes, as "KE".',
    "”": 'Use straight double quotes, as "KE".',
    "„": 'Use straight double quotes, as "KE".',
    "≥": "Write >=.",
    "≤": "Write <=.",
    "≠": "Write !=.",
    "×": "Write *.",
    "÷": "Write /.",
    "−": "Write -.",
    "–": "Write -.",
    "!": "Write != for 'not equal', and not before a condition.",
    "&": "Write and.",
    "|": "Write or.",
    "[": "Lists stand in parentheses, as (1, 2).",
    "{": "Groups stand in parentheses.",
    "#": "A comment begins with //.",
    ";": "Join conditions with and, or.",
    "$": "Write the number alone.",
    "€": "Write the number alone.",
    "£": "Write the number alone.",
    ".": "A fraction has a digit before its point, as 0.5.",
    "<": "Write != for 'not equal'.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text. ``key`` is the text of a bare word or sign, and empty for all else."""

    kind: TokenKind
    key: str
    value: str | int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Comment:
    """What stands behind ``//``; ``leading`` where nothing stands before it on its line."""

    text: str
    start: int
    leading: bool


def read_tokens(text: str, place: str | None = None) -> tuple[list[Token], list[Comment]]:
    """The tokens of a text, closed by one of kind ``end``, and its comments.

    Raises:
        DefinitionError: at the first thing that is no word of the language.
    """
    if len(text) > MOST_CHARACTERS:
        raise DefinitionError(
            f"The definition has {len(text):,} characters; at most {MOST_CHARACTERS:,} are read.",
            place=place,
            fix="Put long lists of customers into a list and write: listed in.",
        )
    lexer = _Lexer(text, place)
    return lexer.read()


class _Lexer:
    def __init__(self, text: str, place: str | None) -> None:
        self.text = text
        self.place = place
        self.readers: dict[str, Callable[[str, int], Token]] = {
            "text": self.text_literal,
            "name": self.quoted_name,
            "number": self.number,
            "date": self.date,
            "instant": self.instant,
            "stray": self.stray,
        }

    def read(self) -> tuple[list[Token], list[Comment]]:
        tokens: list[Token] = []
        comments: list[Comment] = []
        for match in _TOKEN.finditer(self.text):
            kind, raw, start = match.lastgroup, match.group(), match.start()
            if kind == "word":
                tokens.append(Token("word", raw, raw, start, match.end()))
            elif kind == "sign":
                tokens.append(Token("sign", raw, raw, start, match.end()))
            elif kind == "comment":
                comments.append(Comment(raw[2:].strip(), start, self.leads(start)))
            elif kind is not None and kind != "space":
                tokens.append(self.readers[kind](raw, start))
        tokens.append(Token("end", "", "", len(self.text), len(self.text)))
        return tokens, comments

    def leads(self, start: int) -> bool:
        return not self.text[self.text.rfind("\n", 0, start) + 1 : start].strip()

    def fault(self, problem: str, start: int, end: int, fix: str | None = None) -> DefinitionError:
        return DefinitionError(problem, start=start, end=end, text=self.text, place=self.place, fix=fix)

    def text_literal(self, raw: str, start: int) -> Token:
        end = start + len(raw)
        value = raw[1:-1]
        if "\\" in value:
            try:
                value = json.loads(raw)
            except ValueError:
                fix = r"Inside a text, write \" for a quote, \\ for a backslash and \n for a line break."
                raise self.fault(f"{raw} has an escape that means nothing.", start, end, fix) from None
        self.hold_encodable(value, start, end)
        return Token("text", "", value, start, end)

    def quoted_name(self, raw: str, start: int) -> Token:
        value = raw[1:-1].replace("``", "`")
        end = start + len(raw)
        if not value:
            raise self.fault("A name can't be empty.", start, end, "Write the name between the backticks.")
        self.hold_encodable(value, start, end)
        return Token("name", "", value, start, end)

    def hold_encodable(self, value: str, start: int, end: int) -> None:
        if value.isascii():
            return
        try:
            value.encode()
        except UnicodeEncodeError:
            fix = "Write the character itself, or both halves of its pair."
            raise self.fault("This holds half a character.", start, end, fix) from None

    def number(self, raw: str, start: int) -> Token:
        end = start + len(raw)
        micro = int(raw) * MICRO if len(raw) <= 13 and "." not in raw else self.long_number(raw, start)
        if micro > MOST_NUMBER:
            raise self.fault("Numbers reach up to 1000000000000 (10^12).", start, end, "Use a smaller number.")
        return Token("number", "", micro, start, end)

    def long_number(self, raw: str, start: int) -> int:
        try:
            return micro_of(raw)
        except DefinitionError:
            raise self.fault("This number is too long.", start, start + len(raw), "Use fewer digits.") from None

    def date(self, raw: str, start: int) -> Token:
        try:
            return Token("date", "", days_of(raw), start, start + len(raw))
        except DefinitionError:
            raise self.fault(f"There is no date {raw}.", start, start + len(raw), "Write it as 2017-09-01.") from None

    def instant(self, raw: str, start: int) -> Token:
        try:
            micros = micros_of(raw)
            from_instant(micros)
        except (DefinitionError, OverflowError):
            fix = "Write it as 2017-09-01T00:00:00Z, with Z or an offset."
            raise self.fault(f"There is no instant {raw}.", start, start + len(raw), fix) from None
        return Token("instant", "", micros, start, start + len(raw))

    def stray(self, raw: str, start: int) -> Token:
        """Nothing of the language begins here: say what was probably meant."""
        if raw == '"' or raw == "`":
            raise self.unclosed(raw, start)
        if "0" <= raw <= "9":
            raise self.odd_number(start)
        if raw.isalpha():
            end = start + len(re.match(r"[\w.]+", self.text[start:]).group())  # type: ignore[union-attr]
            start -= len(re.search(r"[\w.]*$", self.text[:start]).group())  # type: ignore[union-attr]
            shown = self.text[start:end]
            fix = f"Names with other than the letters A to Z stand in backticks: `{shown}`."
            raise self.fault(f"{shown!r} is not a bare name.", start, end, fix)
        raise self.fault(f"{shown_character(raw)} means nothing here.", start, start + 1, self.advice(raw, start))

    def advice(self, raw: str, start: int) -> str | None:
        if self.text.startswith("==", start):
            return "Write one =."
        if raw == "." and re.search(r"\w$", self.text[:start]):
            return "A name goes on after its point."
        return _ADVICE.get(raw, "Write >= or <=." if raw == "=" else None)

    def unclosed(self, raw: str, start: int) -> DefinitionError:
        what = "text" if raw == '"' else "name in backticks"
        close = self.text.find(raw, start + 1)
        broken = re.search(r"[\x00-\x1f]", self.text[start + 1 : close]) if raw == '"' and close > 0 else None
        if broken:
            spot = start + 1 + broken.start()
            fix = r"Close the text before it, or write \n for a line break and \t for a tab."
            return self.fault(f"A text can't hold {shown_character(broken.group())}.", spot, spot + 1, fix)
        line_end = self.text.find("\n", start)
        end = len(self.text) if line_end < 0 else line_end
        return self.fault(f"This {what} is not closed.", start, end, f"Add {raw} where it ends.")

    def odd_number(self, start: int) -> DefinitionError:
        shown = re.match(r"[\w.:+-]+", self.text[start:]).group()  # type: ignore[union-attr]
        end = start + len(shown)
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]", shown):
            fix = "Write it as 2017-09-01T00:00:00Z, with Z or an offset as +03:00."
            return self.fault(f"{shown!r} is not an instant.", start, end, fix)
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", shown):
            return self.fault(f"{shown!r} is not a date.", start, end, "Write it as 2017-09-01.")
        fix = "Write digits with an optional fraction, as 12 or 0.5, and a space before what follows."
        return self.fault(f"{shown!r} is not a number.", start, end, fix)


def shown_character(character: str) -> str:
    """A character for a message, by its number where it can't be seen."""
    if character == "\n":
        return "a line break"
    return f"{character!r}" if character.isprintable() else f"the character U+{ord(character):04X}"


def name_text(name: str) -> str:
    """A name as it stands in a definition.

    >>> name_text("account.industry"), name_text("where"), name_text("a `b`")
    ('account.industry', '`where`', '`a ``b```')
    """
    if _BARE_NAME.fullmatch(name) and name not in _IN_BACKTICKS:
        return name
    return "`" + name.replace("`", "``") + "`"


def quoted(value: str) -> str:
    """A text literal: a JSON string, with what can't be seen as escapes.

    >>> quoted('Größe "L"')
    '"Größe \\\\"L\\\\""'
    """
    literal = json.dumps(value, ensure_ascii=False)
    return literal if literal.isprintable() else "".join(map(_escaped, literal))


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
