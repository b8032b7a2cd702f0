"""When a call happened, by a clock that may be wrong.

A client's clock can be off by years, but it is off by the same amount for ``timestamp`` (when it happened) and ``sentAt``
(when it was sent). So ts = received − (sentAt − timestamp): how long the call waited, counted back from our own clock.
"""

from __future__ import annotations

from datetime import UTC, datetime

from shoal.clock import DAY, SECOND, to_instant

EARLIEST = to_instant(datetime(1990, 1, 1, tzinfo=UTC))
"""No client library ran before; a time below comes from a clock that was never set."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)
_MILLISECONDS_FROM = 100_000_000_000
_LARGEST = 1e15


def instant_of(value: str | float | None) -> int | None:
    """The instant of an ISO text (UTC where it names no zone) or of seconds or milliseconds since 1970; None if unreadable."""
    try:
        if type(value) is str:
            moment = datetime.fromisoformat(value)
            since = moment - (_EPOCH_NAIVE if moment.tzinfo is None else _EPOCH)
            return since.days * DAY + since.seconds * SECOND + since.microseconds
        if value is None or isinstance(value, str) or abs(value) > _LARGEST:
            return None
        return int(value * (1_000 if abs(value) >= _MILLISECONDS_FROM else 1_000_000))
    except (ValueError, OverflowError):
        return None


def happened(timestamp: int | None, sent: int | None, received: int, ahead: int) -> int | None:
    """When a call happened, in order of trust; None if no clock makes sense and the time of receipt must do.

    Args:
        timestamp: when it happened, by the sender's clock.
        sent: when it was sent, by the same clock.
        received: when it arrived, by ours.
        ahead: how far after ``received`` it may lie, in microseconds.
    """
    if timestamp is None:
        return None
    if sent is not None:
        corrected = received - sent + timestamp
        if EARLIEST <= corrected <= received + ahead:
            return corrected
    # The two times don't belong to one clock, or there is only one: it may still be right by itself.
    return timestamp if EARLIEST <= timestamp <= received + ahead else None
