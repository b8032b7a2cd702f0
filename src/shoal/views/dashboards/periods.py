"""The period that a dashboard looks at, as it is written: ``last 12 months``, or two dates and the length of a step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, cast

from shoal.errors import Refused

if TYPE_CHECKING:
    from shoal.lang.nodes import CalendarUnit

PERIODS = ("last 28 days", "last 13 weeks", "last 12 months", "last 24 months", "last 8 quarters", "last 5 years")
"""Those that are offered."""
_LAST = re.compile(r"last (\d{1,3}) (day|week|month|quarter|year)s?")
_BETWEEN = re.compile(r"(\d{4}-\d\d-\d\d) to (\d{4}-\d\d-\d\d) by (day|week|month|quarter|year)")
_MOST = {"day": 400, "week": 260, "month": 120, "quarter": 60, "year": 30}
_HOW = "Write it as last 12 months, last 8 weeks, or 2017-01-01 to 2017-06-30 by week."


@dataclass(frozen=True, slots=True)
class Span:
    """A period, read.

    Args:
        grain: the length of a step.
        count: how many steps back from the newest; None where dates are given.
        first: the first date; None where it is counted back.
        last: the last one.
    """

    grain: CalendarUnit
    count: int | None = None
    first: date | None = None
    last: date | None = None


def read_period(text: str) -> Span:
    """Read a period.

    >>> read_period("last 8 weeks")
    Span(grain='week', count=8, first=None, last=None)

    Raises:
        Refused: it isn't one, or too long.
    """
    match = _LAST.fullmatch(text.strip())
    if match is not None:
        grain, count = cast("CalendarUnit", match[2]), int(match[1])
        if not 1 <= count <= _MOST[grain]:
            raise Refused(f"{text!r} is too long or too short.", fix=f"Take 1 to {_MOST[grain]} {grain}s.")
        return Span(grain, count)
    match = _BETWEEN.fullmatch(text.strip())
    if match is None:
        raise Refused(f"{text!r} is no period.", fix=_HOW)
    try:
        first, last = date.fromisoformat(match[1]), date.fromisoformat(match[2])
    except ValueError:
        raise Refused(f"{text!r} names a date that isn't in the calendar.", fix=_HOW) from None
    days = (last - first).days
    if days < 0 or days > 31 * _MOST["month"]:
        raise Refused(f"{text!r} ends before it begins, or is too long.", fix=_HOW)
    return Span(cast("CalendarUnit", match[3]), None, first, last)
