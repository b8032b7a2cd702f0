"""Local time and windows, worked out once in Python from the ``tzdata`` package and handed to the engines as instants.

A day begins at its first instant; weeks begin on Monday. Dates are days since 1970-01-01, instants microseconds since then.
"""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shoal.clock import DAY, SECOND, from_instant
from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.lang import nodes as n

if TYPE_CHECKING:
    from shoal.lang.nodes import CalendarUnit, Window

_EPOCH_DAY = date(1970, 1, 1)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DECADE = 3_653 * DAY
_FIRST, _LAST = datetime(1, 1, 3), datetime(9999, 12, 29)


def tzdata_version() -> str:
    """The release of the time-zone rules in use, as ``2026.1``."""
    import tzdata

    return str(tzdata.__version__)


@lru_cache(maxsize=64)
def zone(name: str) -> Zone:
    """The zone of an IANA name.

    Raises:
        ConfigError: if the tzdata package has no such zone.
    """
    try:
        parts = name.split("/")
        resource = importlib.resources.files("tzdata.zoneinfo").joinpath(*parts)
        with resource.open("rb") as handle:
            return Zone(name, ZoneInfo.from_file(handle, key=name))
    except (OSError, ValueError, IsADirectoryError):
        known = importlib.resources.files("tzdata").joinpath("zones").read_text().split()
        raise ConfigError(
            f"There is no time zone {name!r}.",
            fix=did_you_mean(nearest(name, known)) or "Use an IANA name, as Africa/Nairobi or Europe/London.",
        ) from None


@dataclass(frozen=True)
class Zone:
    """A time zone's rules."""

    name: str
    rules: ZoneInfo

    def offset(self, instant: int) -> int:
        """Seconds that local time is ahead of UTC at an instant."""
        moment = min(max(from_instant(instant).replace(tzinfo=None), _FIRST), _LAST).replace(tzinfo=UTC)
        delta = moment.astimezone(self.rules).utcoffset() or timedelta()
        return delta.days * 86_400 + delta.seconds

    def day(self, instant: int) -> int:
        """The local date of an instant, in days since 1970-01-01."""
        return (instant + self.offset(instant) * SECOND) // DAY

    def starts(self, day: int) -> int:
        """The first instant whose local date is ``day``, or a later date where the zone skipped that day."""
        return _starts(self, day)

    def first_day_from(self, instant: int) -> int:
        """The earliest date that starts at or after an instant."""
        day = instant // DAY - 2
        while self.starts(day) < instant:
            day += 1
        return day

    def transitions(self, low: int, high: int) -> list[tuple[int, int]]:
        """The offsets in force in [low, high]: (first instant, seconds), the first pair standing for ``low`` itself."""
        decades = range(low // _DECADE, high // _DECADE + 1)
        turns = [turn for decade in decades for turn in _turns(self, decade) if low < turn[0] <= high]
        return [(low, self.offset(low)), *turns]

    def _change(self, low: int, high: int) -> int:
        """The first instant in (low, high] whose offset differs from that at ``low``; transitions fall on whole seconds."""
        before = self.offset(low)
        left, right = low // SECOND, -(-high // SECOND)
        while right - left > 1:
            middle = (left + right) // 2
            if self.offset(middle * SECOND) == before:
                left = middle
            else:
                right = middle
        return right * SECOND


@lru_cache(maxsize=1_000)
def _turns(zone: Zone, decade: int) -> tuple[tuple[int, int], ...]:
    """The instants of a decade at which the offset changes, each with the new one, found day by day."""
    at, end = decade * _DECADE - 1, (decade + 1) * _DECADE - 1
    found: list[tuple[int, int]] = []
    offset = zone.offset(at)
    while at < end:
        ahead = min(at + DAY, end)
        if zone.offset(ahead) != offset:
            at = zone._change(at, ahead)
            offset = zone.offset(at)
            found.append((at, offset))
        else:
            at = ahead
    return tuple(found)


@lru_cache(maxsize=200_000)
def _starts(zone: Zone, day: int) -> int:
    midnight = day * DAY
    before, after = zone.offset(midnight - DAY), zone.offset(midnight + DAY)
    old = midnight - before * SECOND
    if before == after:
        return old
    change = zone._change(midnight - DAY, midnight + DAY)
    if old < change:
        return old
    return max(change, midnight - zone.offset(change) * SECOND)


def unit_start(day: int, unit: CalendarUnit, back: int = 0) -> int:
    """The first day of the calendar unit that holds ``day``, ``back`` units earlier (negative: later)."""
    if unit == "day":
        return day - back
    if unit == "week":
        return day - (day + 3) % 7 - 7 * back
    at = _EPOCH_DAY + timedelta(days=day)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    index = (at.year * 12 + at.month - 1) // months * months - back * months
    return (date(index // 12, index % 12 + 1, 1) - _EPOCH_DAY).days


def literal_instant(literal: n.Date | n.Instant, zone: Zone) -> int:
    """A date literal is its first instant in the workspace's zone."""
    return zone.starts(literal.days) if isinstance(literal, n.Date) else literal.micros


def bounds(window: Window | None, at: int, zone: Zone) -> tuple[int | None, int]:
    """The window at the instant ``at`` as a half-open range [low, high) of instants; low None is "from the beginning".

    An event is in the window exactly if low ≤ ts < high.
    """
    match window:
        case None:
            return None, at + 1
        case n.Last(length):
            return at - length.micros + 1, at + 1
        case n.BeforeLast(length, before):
            return at - before.micros - length.micros + 1, at - before.micros + 1
        case n.Since(start):
            return literal_instant(start, zone), at + 1
        case n.Period(start, end):
            return literal_instant(start, zone), min(literal_instant(end, zone), at + 1)
        case n.This(unit):
            return zone.starts(unit_start(zone.day(at), unit)), at + 1
        case n.LastCalendar(amount, unit):
            today = zone.day(at)
            return zone.starts(unit_start(today, unit, amount)), zone.starts(unit_start(today, unit))
        case n.Next(length):
            return at + 1, at + length.micros + 1


def day_bounds(window: Window, at: int, zone: Zone) -> tuple[int | None, int]:
    """The same window for a date trait: the dates [low, high) whose first instant falls in it."""
    low, high = bounds(window, at, zone)
    return (None if low is None else zone.first_day_from(low)), zone.first_day_from(high)
