"""The periods of the calendar over which figures are worked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.errors import Refused
from shoal.lang.calendar import unit_start

if TYPE_CHECKING:
    from shoal.lang.calendar import Zone
    from shoal.lang.nodes import CalendarUnit

MOST = 1_000
"""So many periods at most in one question."""
USUAL = {"day": 28, "week": 13, "month": 13, "quarter": 9, "year": 5}
"""How many periods are shown where nobody says from when on."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period of the calendar.

    Args:
        first: its first local date, in days since 1970.
        last: its last one.
        begin: its first instant.
        end: the first instant after it.
        finished: whether all of it lies before the instant that the figures are as of.
    """

    first: int
    last: int
    begin: int
    end: int
    finished: bool

    def at(self, now: int) -> int:
        """The instant as of which its figures are: its last one, or now."""
        return min(self.end - 1, now)


def period_of(day: int, grain: CalendarUnit, zone: Zone, now: int) -> Period:
    """The period that holds a local date."""
    first = unit_start(day, grain)
    after = unit_start(day, grain, -1)
    begin, end = zone.starts(first), zone.starts(after)
    return Period(first, after - 1, begin, end, end <= now)


def before(period: Period, grain: CalendarUnit, zone: Zone) -> Period:
    """The period before."""
    return period_of(period.first - 1, grain, zone, period.begin)


def periods(start: int, end: int, grain: CalendarUnit, zone: Zone, now: int) -> list[Period]:
    """The periods from the one that holds ``start`` to the one that holds ``end``, both local dates.

    Raises:
        Refused: the end comes before the start, or there are too many.
    """
    if end < start:
        raise Refused(
            "The last period would come before the first.",
            fix="Take an earlier start, or a later end; figures go up to now.",
        )
    found = []
    day = start
    while day <= end:
        found.append(period_of(day, grain, zone, now))
        day = found[-1].last + 1
        if len(found) > MOST:
            raise Refused(f"These are more than {MOST} periods.", fix="Take longer periods, or a later start.")
    return found
