"""An instant in the forms in which callers give it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

from shoal.clock import from_instant, to_instant
from shoal.errors import DefinitionError
from shoal.lang.calendar import zone

When: TypeAlias = str | int | date | datetime | None
"""A date, an instant, the ISO text of either, microseconds since 1970 UTC, or None for now."""

_EPOCH_DAY = date(1970, 1, 1)


def instant_of(when: str | int | date | datetime, zone_name: str) -> int:
    """The instant, in microseconds since 1970 UTC.

    A date is its first instant in the time zone; a time without an offset is local time there.

    >>> instant_of("2017-09-01", "Africa/Nairobi") == instant_of("2017-08-31T21:00:00Z", "UTC")
    True

    Raises:
        DefinitionError: for what is neither a date nor an instant.
    """
    if isinstance(when, int) and not isinstance(when, bool):
        return when
    read = _read(when.strip()) if isinstance(when, str) else when
    rules = zone(zone_name)
    if isinstance(read, datetime):
        return int(to_instant(read if read.tzinfo else read.replace(tzinfo=rules.rules)))
    if isinstance(read, date):
        return rules.starts((read - _EPOCH_DAY).days)
    raise DefinitionError(
        f"{when!r} is not a date or an instant.", fix="Write a date as 2017-09-01, an instant as 2017-09-01T10:00:00Z."
    )


def local_stamp(instant: int, zone_name: str) -> str:
    """An instant as people read it, in the time zone.

    >>> local_stamp(1_504_224_000_000_000, "UTC"), local_stamp(1_504_224_000_000_000, "America/New_York")
    ('2017-09-01 00:00 UTC', '2017-08-31 20:00 EDT')
    """
    return f"{from_instant(instant).astimezone(zone(zone_name).rules):%Y-%m-%d %H:%M %Z}"


def _read(text: str) -> date | datetime | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2017-09-01") else datetime.fromisoformat(text)
    except ValueError:
        return None
