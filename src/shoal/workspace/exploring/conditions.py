"""What a mark of a page says of customers, as text of the segment language: it holds of exactly those that the mark counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from shoal.lang.lex import name_text, quoted
from shoal.lang.show import show

if TYPE_CHECKING:
    from shoal.lang.nodes import CalendarUnit, Events

_EPOCH = date(1970, 1, 1)
WIDTH = 10_000
"""So wide that a text stays on one line."""


def after(first: date, grain: CalendarUnit, periods: int = 1) -> date:
    """The first date of a later period (negative: of an earlier one).

    >>> after(date(2024, 1, 1), "month"), after(date(2024, 1, 1), "week", -1)
    (datetime.date(2024, 2, 1), datetime.date(2023, 12, 25))
    """
    from shoal.lang.calendar import unit_start

    return _EPOCH + timedelta(days=unit_start((first - _EPOCH).days, grain, -periods))


def between(first: date, until: date) -> str:
    """A window from the start of one date to the start of another.

    >>> between(date(2024, 1, 1), date(2024, 2, 1))
    'between 2024-01-01 and 2024-02-01'
    """
    return f"between {first.isoformat()} and {until.isoformat()}"


def did(events: Events, window: str, *, first: bool = False, negated: bool = False) -> str:
    """That an event happened within a window, or that the first one did."""
    return f"{'not ' if negated else ''}did {'first ' if first else ''}{show(events, width=WIDTH)} {window}"


def followed(events: Events, then: Events, within: str, window: str) -> str:
    """That an event within a window was followed by another in time."""
    return f"did {show(events, width=WIDTH)} then {show(then, width=WIDTH)} within {within} {window}"


def equal(trait: str, value: str | float | bool) -> str:
    """That a trait has a value.

    >>> equal("country", "KE"), equal("rfm_r", 5), equal("vip", True)
    ('country = "KE"', 'rfm_r = 5', 'vip = yes')
    """
    if isinstance(value, bool):
        told = "yes" if value else "no"
    elif isinstance(value, str):
        told = quoted(value)
    else:
        told = f"{value:.6f}".rstrip("0").rstrip(".")
    return f"{name_text(trait)} = {told}"


def member(slug: str) -> str:
    """That somebody is in a segment."""
    return f"member of {quoted(slug)}"


def among(slug: str | None, text: str) -> str:
    """A text, only of the members of a segment.

    >>> among("vip", "a = 1 or b = 1"), among(None, "a = 1"), among("vip", "a = 1 and b = 1")
    ('member of "vip" and (a = 1 or b = 1)', 'a = 1', 'member of "vip" and a = 1 and b = 1')
    """
    if slug is None:
        return text
    return f"{member(slug)} and {f'({text})' if ' or ' in text else text}"


def both(*texts: str) -> str:
    """That all texts hold; none of them is an ``or``."""
    return " and ".join(text for text in texts if text)
