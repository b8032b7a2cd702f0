"""When a job is due: the words of ``every:``, and the instants that they stand for in a time zone.

``day at 06:00`` is the first instant whose local time is 06:00 or later. So a time that a night of change leaves out comes
at the next instant there is, and one that the night has twice comes once, the first time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.clock import DAY, HOUR, MINUTE, SECOND
from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.lang.calendar import WEEKDAYS, unit_start

if TYPE_CHECKING:
    from shoal.lang.calendar import Zone

Unit: TypeAlias = Literal["length", "day", "week", "month"]
_DAYS = tuple(name.lower() for name in WEEKDAYS)
_WORDS = ("minute", "minutes", "hour", "hours", "day", "month on 1", *_DAYS)
_LENGTH = re.compile(r"(?:(\d{1,4}) )?(minute|hour)s?")
_DATE = re.compile(rf"(day|{'|'.join(_DAYS)}|month on (\d\d?))(?: at (\d\d?):(\d\d))?")
_EXAMPLES = 'Write it as "day at 06:00", "monday at 07:30", "month on 1 at 03:00", "hour" or "15 minutes".'
_WIDEST = 16 * HOUR
"""No zone was ever further from UTC than this."""


@dataclass(frozen=True, slots=True)
class Every:
    """A schedule.

    Args:
        text: the words, as written.
        unit: ``length`` counts from the beginning of each local day; the others are dates.
        minutes: the length, or the time of day as minutes after midnight.
        on: the weekday (0 is Monday) or the day of the month; a month without that day takes its last.
    """

    text: str
    unit: Unit
    minutes: int
    on: int = 0

    def after(self, instant: int, zone: Zone) -> int:
        """The first due instant after ``instant``."""
        if self.unit == "length":
            begin = _begin(instant, zone)
            length = self.minutes * MINUTE
            following = begin + ((instant - begin) // length + 1) * length
            return min(following, _next_begin(begin, zone))
        # Days before the local date of an instant are over by then, whatever the zone did.
        day = zone.day(instant)
        while True:
            day = self._from(day)
            due = _local(day, self.minutes, zone)
            if due > instant:
                return due
            day += 1

    def last(self, instant: int, zone: Zone) -> int:
        """The last due instant at or before ``instant``."""
        if self.unit == "length":
            begin = _begin(instant, zone)
            length = self.minutes * MINUTE
            return begin + (instant - begin) // length * length
        # One day later, because the night may have brought the date before back.
        day = zone.day(instant) + 1
        while True:
            day = self._until(day)
            due = _local(day, self.minutes, zone)
            if due <= instant:
                return due
            day -= 1

    def _from(self, day: int) -> int:
        """The first date of the schedule at or after a date."""
        if self.unit == "month":
            here = self._of_month(day)
            return here if here >= day else self._of_month(unit_start(day, "month", -1))
        return day if self.unit == "day" else day + (self.on - _weekday(day)) % 7

    def _until(self, day: int) -> int:
        """The last date of the schedule at or before a date."""
        if self.unit == "month":
            here = self._of_month(day)
            return here if here <= day else self._of_month(unit_start(day, "month", 1))
        return day if self.unit == "day" else day - (_weekday(day) - self.on) % 7

    def _of_month(self, day: int) -> int:
        """The date of the schedule in the month that holds a date."""
        first, following = unit_start(day, "month"), unit_start(day, "month", -1)
        return min(first + self.on - 1, following - 1)


def _weekday(day: int) -> int:
    return (day + 3) % 7


def _begin(instant: int, zone: Zone) -> int:
    """Where the lengths of the day that holds an instant are counted from."""
    day = zone.day(instant)
    while zone.starts(day + 1) <= instant:
        day += 1
    return zone.starts(day)


def _next_begin(begin: int, zone: Zone) -> int:
    """The beginning of the day after the one that begins at an instant."""
    day = zone.day(begin) + 1
    while zone.starts(day) <= begin:
        day += 1
    return zone.starts(day)


def _local(day: int, minutes: int, zone: Zone) -> int:
    """The first instant whose local date and time is this one or later."""
    wanted = day * DAY + minutes * MINUTE
    turns = zone.transitions(wanted - _WIDEST, wanted + _WIDEST)
    ends = [since for since, _ in turns[1:]]
    for (since, offset), end in zip(turns, [*ends, wanted + DAY], strict=True):
        found = max(since, wanted - offset * SECOND)
        if found < end:
            return found
    raise AssertionError("a local time comes within a day of its name in UTC")


def every_from(text: str, place: str) -> Every:
    """Read the words of ``every:``.

    Args:
        text: as ``day at 06:00``.
        place: the path of the key, which errors begin with.

    Raises:
        ConfigError: with the words that would do.
    """
    words = " ".join(text.lower().split())
    if found := _LENGTH.fullmatch(words):
        return _length(text, int(found[1] or 1), found[2], place)
    if not (found := _DATE.fullmatch(words)):
        raise ConfigError(f"{text!r} says no time.", place=place, fix=_advice(words))
    hour, minute = int(found[3] or 0), int(found[4] or 0)
    if hour > 23 or minute > 59:
        raise ConfigError(f"{text!r}: there is no {hour}:{minute:02} o'clock.", place=place, fix="Use 00:00 to 23:59.")
    at = hour * 60 + minute
    if found[1] == "day":
        return Every(text, "day", at)
    if found[2] is None:
        return Every(text, "week", at, _DAYS.index(found[1]))
    if not 1 <= int(found[2]) <= 31:
        raise ConfigError(f"{text!r}: no month has such a day.", place=place, fix="Use 1 to 31; 31 is always the last.")
    return Every(text, "month", at, int(found[2]))


def _length(text: str, count: int, unit: str, place: str) -> Every:
    minutes = count * (60 if unit == "hour" else 1)
    if not 1 <= minutes <= 24 * 60:
        raise ConfigError(f"{text!r} is not from a minute to a day.", place=place, fix=_EXAMPLES)
    return Every(text, "length", minutes)


def _advice(words: str) -> str:
    head = re.split(r" at | on ", words)[0]
    near = nearest(head.lstrip("0123456789 "), [w for w in _WORDS if " " not in w], most=1)
    return f"{did_you_mean(near)} {_EXAMPLES}" if near and near[0] != head else _EXAMPLES
