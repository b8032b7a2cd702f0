"""What a question of one customer is answered with: values with their types, and how long an answer is certain.

Texts are ``str``, yes/no is ``bool``, a list of text a tuple of ``str``, a geo point a tuple of three integers, a list of
objects a tuple of dicts. Numbers, dates and instants are integers of three types, so that none is taken for another.
None is missing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

FAR = 1 << 62
"""Later than every instant: an answer that holds until then changes only by something received."""


class Micro(int):
    """A number in millionths."""

    __slots__ = ()


class Day(int):
    """A date in days since 1970-01-01."""

    __slots__ = ()


class Moment(int):
    """An instant in microseconds since 1970 UTC."""

    __slots__ = ()


class Answer(NamedTuple):
    """The truth of a condition at an instant, and an instant before which it can't change if nothing is received."""

    truth: bool
    until: int = FAR


class Valued(NamedTuple):
    """The value of a node at an instant (None: missing), and an instant before which it can't change."""

    value: Any
    until: int = FAR


def opposite(answer: Answer) -> Answer:
    """The answer to the opposite question."""
    return Answer(not answer.truth, answer.until)
