"""The only file that asks for the time. Everywhere else time is an argument.

Instants are integers: microseconds since 1970-01-01T00:00:00Z.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """A workspace's clock: real time plus a fixed offset in microseconds.

    ``Clock(0)`` is real time. ``Clock.showing(instant)`` reads ``instant`` now and runs on from there, which is what
    ``clock: data-end`` means for data from the past.
    """

    offset: int = 0

    @classmethod
    def showing(cls, instant: int) -> Clock:
        """A clock that reads ``instant`` at this moment."""
        return cls(instant - _real_now())

    def now(self) -> int:
        """The current instant in microseconds since 1970 UTC."""
        return _real_now() + self.offset


@dataclass(frozen=True, slots=True)
class StoppedClock(Clock):
    """A clock that always reads the same instant, for scenarios and ``--as-of``."""

    instant: int = 0

    def now(self) -> int:
        """The instant that the clock was stopped at."""
        return self.instant


def _real_now() -> int:
    return time.time_ns() // 1_000


def stopwatch() -> float:
    """Seconds on a clock that never goes back, for measuring durations."""
    return time.perf_counter()


def to_instant(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime.

    Raises:
        ValueError: if ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_instant(instant: int) -> datetime:
    """The aware UTC datetime of an instant.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=instant)


def iso(instant: int) -> str:
    """``2017-09-01T00:00:00Z``; microseconds are written only where there are any."""
    moment = from_instant(instant).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds") + "Z"
