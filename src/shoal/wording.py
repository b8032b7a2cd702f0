"""Counts and dates as sentences have them: one way on every floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


def noun(count: float, one: str, more: str | None = None) -> str:
    """A noun in the number that a count asks for.

    >>> noun(1, "customer"), noun(0, "customer"), noun(2, "category", "categories")
    ('customer', 'customers', 'categories')
    """
    return one if count == 1 else more or f"{one}s"


def counted(count: int, one: str, more: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "person", "people")
    ('1 row', '1,200 rows', '2 people')
    """
    return f"{count:,} {noun(count, one, more)}"


def dated(day: date) -> str:
    """A date as it is read.

    >>> from datetime import date
    >>> dated(date(2017, 12, 31))
    '31 December 2017'
    """
    return f"{day.day} {day:%B} {day.year}"


def duration(seconds: float) -> str:
    """A time in its largest unit.

    >>> duration(40), duration(5400), duration(200_000)
    ('40 s', '1.5 h', '2.31 days')
    """
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= unit * (2 if name == "days" else 1):
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"
