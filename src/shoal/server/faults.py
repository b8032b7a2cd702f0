"""What is said to a sender whose request can't be taken: what is wrong, where, and how to mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

_PATH = re.compile(r" - at `(.*)`$")
_GOT = re.compile(r"Expected `(.*)`, got `(.*)`")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    ``code`` and ``message`` bear the names that the vendors' libraries look for in an error.
    """

    code: str
    message: str
    place: str
    fix: str

    def within(self, place: str) -> Fault:
        """The same fault, its place inside another."""
        inner = place if self.place == "body" else f"{place}.{self.place}"
        return Fault(self.code, self.message, inner, self.fix)


class Refused(Exception):
    """A request, or one call of it, that can't be taken."""

    def __init__(self, status: int, fault: Fault, retry_after: float | None = None) -> None:
        self.status = status
        self.fault = fault
        self.retry_after = retry_after
        super().__init__(fault.message)


def bad(code: str, message: str, place: str, fix: str) -> Refused:
    """A refusal with status 400."""
    return Refused(400, Fault(code, message, place, fix))


def undecodable(error: Exception) -> Refused:
    """Why JSON couldn't be decoded, in the words of a person who sends calls."""
    if isinstance(error, RecursionError):
        return bad("too-deep", "The JSON is nested too deeply.", "body", "Send flat properties and traits.")
    if not isinstance(error, msgspec.ValidationError):
        reason = "It is not UTF-8" if isinstance(error, UnicodeError) else str(error)
        return bad("bad-json", f"The body is not JSON: {reason}.", "body", "Send one JSON object.")
    text = str(error)
    found = _PATH.search(text)
    place = found.group(1).removeprefix("$").removeprefix(".") if found else ""
    problem = text[: found.start()] if found else text
    got = _GOT.fullmatch(problem)
    fix = f"Send {got.group(1).replace(' | ', ' or ')} there." if got else "See the Segment HTTP tracking API."
    return bad("bad-call", f"{problem}.", place or "body", fix)
