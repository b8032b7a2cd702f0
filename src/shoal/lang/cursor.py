"""The reader's place in the tokens: look, take, need, and say what was expected when something else stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.lang.lex import MOST_NUMBER, RESERVED, Token, name_text, read_tokens
from shoal.lang.nodes import MICRO

if TYPE_CHECKING:
    from shoal.lang.lex import TokenKind

_ARTICLES = {"text": "a text", "number": "a number", "date": "a date", "instant": "an instant"}


class Cursor:
    """A place in the tokens of one text.

    ``expected`` gathers the words that were looked for at this place, for the message if none of them is there.
    """

    def __init__(self, text: str, place: str | None) -> None:
        self.text = text
        self.place = place
        self.tokens, self.comments = read_tokens(text, place)
        self.index = 0
        self.token = self.tokens[0]
        self.expected: list[str] = []

    # ------------------------------------------------------------ moving

    def advance(self) -> Token:
        """Step over the current token and return it."""
        token = self.token
        if token.kind != "end":
            self.index += 1
            self.token = self.tokens[self.index]
        self.expected.clear()
        return token

    def peek(self, ahead: int = 1) -> Token:
        """The token that many places on; the last one is of kind ``end``."""
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def at(self, *keys: str) -> bool:
        """Whether one of these words or signs stands here."""
        if self.token.key in keys:
            return True
        self.expected.extend(keys)
        return False

    def take(self, key: str) -> bool:
        """Step over this word or sign if it stands here."""
        if self.at(key):
            self.advance()
            return True
        return False

    def need(self, key: str) -> Token:
        """Step over this word or sign, which must stand here."""
        if not self.at(key):
            raise self.unexpected()
        return self.advance()

    def span(self, start: int) -> tuple[int, int]:
        """From ``start`` to the end of the last token that was taken."""
        return start, self.tokens[self.index - 1].end

    # ------------------------------------------------------------ plain words

    def need_text(self, what: str) -> str:
        """A text literal."""
        if self.token.kind == "text":
            return str(self.advance().value)
        fix = None
        if self.token.kind in ("word", "name"):
            fix = f'Texts stand in double quotes: "{self.token.value}".'
        raise self.fault_here(f"Expected {what} in double quotes here, not {self.shown()}.", fix)

    def need_name(self, what: str) -> str:
        """A bare name or one in backticks."""
        token = self.token
        if token.kind == "name" or (token.kind == "word" and token.key not in RESERVED):
            return str(self.advance().value)
        if token.kind == "word":
            raise self.reserved(token)
        fix = f"Names stand without quotes: {name_text(str(token.value))}." if token.kind == "text" else None
        raise self.fault_here(f"Expected {what} here, not {self.shown()}.", fix)

    def reserved(self, token: Token) -> DefinitionError:
        """A word of the language where a name should stand."""
        fix = f"If it is a name, write it in backticks: `{token.key}`."
        return self.fault_here(f"{token.key!r} is a word of the language and can't stand here.", fix)

    def need_whole(self, what: str, least: int, most: int = 10**12) -> int:
        """A whole number in a range."""
        micro = self.need_number(what)
        number, rest = divmod(micro, MICRO)
        if rest or not least <= number <= most:
            last = self.tokens[self.index - 1]
            bounds = f"from {least} to {most}" if most < 10**12 else f"of {least} or more"
            raise self.fault(f"Expected {what} here: a whole number {bounds}.", last.start, last.end)
        return number

    def need_number(self, what: str, least: int = 0, most: int = MOST_NUMBER) -> int:
        """A number in millionths, without a sign; ``least`` and ``most`` in millionths too."""
        if self.token.kind != "number":
            raise self.fault_here(f"Expected {what} here, a number, not {self.shown()}.")
        token = self.advance()
        micro = int(token.value)
        if not least <= micro <= most:
            problem = f"Expected {what} here: from {least // MICRO} to {most // MICRO}."
            raise self.fault(problem, token.start, token.end)
        return micro

    # ------------------------------------------------------------ faults

    def fault(self, problem: str, start: int, end: int, fix: str | None = None) -> DefinitionError:
        """A fault between two places in the text."""
        return DefinitionError(problem, start=start, end=max(end, start), text=self.text, place=self.place, fix=fix)

    def fault_here(self, problem: str, fix: str | None = None) -> DefinitionError:
        """A fault at the current token."""
        return self.fault(problem, self.token.start, self.token.end, fix)

    def unexpected(self, *more: str) -> DefinitionError:
        """What stands here is none of what was looked for; a near word is offered."""
        wanted = list(dict.fromkeys((*self.expected, *more)))
        fix = did_you_mean(nearest(self.token.key, wanted, most=2)) if self.token.kind == "word" else None
        return self.fault_here(f"Expected {_listed(wanted)} here, not {self.shown()}.", fix)

    def shown(self, token: Token | None = None) -> str:
        """A token as a message names it."""
        token = token or self.token
        if token.kind == "end":
            return "the end of the text"
        raw = self.text[token.start : token.end]
        raw = raw if len(raw) <= 40 else raw[:37] + "..."
        return f"{_ARTICLES[token.kind]}, {raw}" if token.kind in _ARTICLES else f"'{raw}'"

    def describes(self, kind: TokenKind) -> bool:
        """Whether a token of this kind stands here."""
        return self.token.kind == kind


def _listed(words: list[str]) -> str:
    shown = [f"'{w}'" for w in words[:7]]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " or " + shown[-1]
