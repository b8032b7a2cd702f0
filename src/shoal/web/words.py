"""Numbers and dates in templates: ``|count``, ``|share``, ``|money``, ``|days``, ``|when``, ``|day``, ``|ago``, ``|ms``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, HOUR, MINUTE, SECOND, Clock
from shoal.lang.calendar import zone as zone_rules
from shoal.views import words
from shoal.wording import noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.config import Config

NONE = "–"


def count(value: float | None) -> str:
    """A number of things.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    return NONE if value is None else f"{value:,.0f}".replace("-", "−")


def signed(value: float | None) -> str:
    """A change in a number of things.

    >>> signed(12), signed(-1200), signed(0)
    ('+12', '−1,200', '0')
    """
    if value is None:
        return NONE
    return count(value) if value <= 0 else f"+{count(value)}"


def days(value: float | None) -> str:
    """A number of days.

    >>> days(1), days(12.4), days(0.4)
    ('1\\xa0day', '12\\xa0days', '0.4\\xa0days')
    """
    if value is None:
        return NONE
    told = f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
    return f"{told}{words.HARD}{noun(float(told.replace(',', '')), 'day')}"


def ago(at: int | None, now: int) -> str:
    """How long ago an instant is, in its largest unit; or how far ahead.

    >>> ago(0, 90 * 1_000_000), ago(0, 5), ago(3 * 86_400_000_000, 0), ago(None, 0)
    ('1 minute ago', 'just now', 'in 3 days', '–')
    """
    if at is None:
        return NONE
    away = abs(now - at)
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if away >= size:
            told = f"{away // size:,} {noun(away // size, name)}"
            return f"{told} ago" if at <= now else f"in {told}"
    return "just now" if at <= now or away < SECOND else "in a moment"


def seconds(value: float | None) -> str:
    """A short time, in milliseconds or seconds.

    >>> seconds(0.0042), seconds(0.25), seconds(3.21), seconds(None)
    ('4.2\\xa0ms', '250\\xa0ms', '3.2\\xa0s', '–')
    """
    if value is None or value != value:
        return NONE
    if value < 1:
        told = value * 1_000
        return f"{told:.1f}{words.HARD}ms" if told < 10 else f"{told:.0f}{words.HARD}ms"
    return f"{value:.1f}{words.HARD}s" if value < 60 else f"{value / 60:.1f}{words.HARD}min"


def filters(config: Callable[[], Config]) -> dict[str, Callable[..., Any]]:
    """The filters of a workspace: amounts in its currency, instants in its time zone.

    Args:
        config: gives its settings as they are now.
    """

    def money(value: float | None) -> str:
        return words.money(value, config().currency)

    def when(at: int | None) -> str:
        if at is None:
            return NONE
        local = zone_rules(config().zone)
        return f"{words.day(at, local.name)}, {words.time(at, local.name)}"

    def day(at: int | None) -> str:
        return NONE if at is None else words.day(at, config().zone)

    def ago_(at: int | None, now: int | None = None) -> str:
        return ago(at, Clock().now() if now is None else now)

    return {
        "count": count, "signed": signed, "share": words.share, "money": money, "days": days, "when": when,
        "day": day, "ago": ago_, "seconds": seconds, "plain": words.plain, "listed": words.listed, "many": words.many,
        "ratio": words.ratio,
    }  # fmt: skip
