"""Numbers, dates and lists as readers write them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from shoal.clock import from_instant
from shoal.lang.calendar import zone as zone_rules
from shoal.wording import dated, noun

if TYPE_CHECKING:
    from collections.abc import Sequence

HARD = "\u00a0"
"""A space at which no line breaks."""
SIGNS = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "INR": "₹", "NGN": "₦", "KRW": "₩", "BRL": "R$"}
_WHOLE = {"JPY", "KRW", "UGX", "RWF", "VND", "CLP", "ISK", "XAF", "XOF"}
STEADY = 0.02
"""A change of less than this is called steady."""


def money(value: float | None, currency: str) -> str:
    """An amount with its currency: whole from 1,000 on, with its smallest unit below.

    >>> money(1234.5, "USD"), money(12.5, "GBP"), money(-80, "KES"), money(12.5, "JPY")
    ('$1,234', '£12.50', '−KES\\xa080.00', '¥12')
    """
    if value is None:
        return "–"
    size = abs(value)
    number = f"{size:,.0f}" if size >= 1000 or currency in _WHOLE else f"{size:,.2f}"
    sign = SIGNS.get(currency, f"{currency}{HARD}")
    return f"{'−' if value < 0 else ''}{sign}{number}"


def share(value: float | None) -> str:
    """A share in per cent: whole above ten, one decimal below, never a false zero.

    >>> share(0.1234), share(0.0456), share(0.0001), share(0.0), share(0.998), share(1.0)
    ('12\\xa0%', '4.6\\xa0%', 'under 0.1\\xa0%', '0\\xa0%', '99.8\\xa0%', '100\\xa0%')
    """
    if value is None:
        return "–"
    cent = 100 * value
    if 0 < cent < 0.1:
        return f"under 0.1{HARD}%"
    exact = abs(cent) < 9.95 or 99 < cent < 100
    text = f"{cent:.1f}" if exact and cent else f"{cent:.0f}"
    return f"{text.removesuffix('.0') if exact else text}{HARD}%"


def change(before: float | None, now: float | None) -> float | None:
    """The relative change, or None where it can't be said."""
    return None if not before or before < 0 or now is None else now / before - 1


def rose(by: float) -> str:
    """A relative change in words.

    >>> rose(0.12), rose(-0.034), rose(0.004)
    ('rose 12\\xa0%', 'fell 3.4\\xa0%', 'held steady')
    """
    if abs(by) < STEADY:
        return "held steady"
    return f"{'rose' if by > 0 else 'fell'} {share(abs(by))}"


def signed(by: float) -> str:
    """A relative change with its sign.

    >>> signed(0.12), signed(-0.034)
    ('+12\\xa0%', '−3.4\\xa0%')
    """
    return f"{'+' if by >= 0 else '−'}{share(abs(by))}"


def many(count: float, one: str, more: str | None = None) -> str:
    """A number with its noun.

    >>> many(1, "customer"), many(1200, "customer"), many(2, "query", "queries")
    ('1\\xa0customer', '1,200\\xa0customers', '2\\xa0queries')
    """
    return f"{count:,.0f}{HARD}{noun(count, one, more)}"


def listed(names: Sequence[str]) -> str:
    """Names joined for reading.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def day(at: int | date, zone: str = "UTC") -> str:
    """A date as it is read: ``31 December 2017``; of an instant, the one in the zone."""
    local = at if isinstance(at, date) else local_date(at, zone)
    return dated(local).replace(" ", HARD)


def local_date(at: int, zone: str) -> date:
    """The local date of an instant."""
    return from_instant(at).astimezone(zone_rules(zone).rules).date()


def stamp(at: int, zone: str) -> str:
    """A date with its time and zone: ``31 December 2017, 23:59 (Europe/London)``."""
    local: datetime = from_instant(at).astimezone(zone_rules(zone).rules)
    return f"{day(local.date())}, {local:%H:%M} ({zone})"


def time(at: int, zone: str) -> str:
    """The local time of an instant: ``23:59``."""
    return f"{from_instant(at).astimezone(zone_rules(zone).rules):%H:%M}"


def month(at: date) -> str:
    """A month as it is read: ``December 2017``."""
    return f"{at:%B}{HARD}{at.year}"


def plain(value: float) -> str:
    """Three significant digits, and never a power of ten.

    >>> plain(1234.5), plain(0.01234), plain(12.345)
    ('1,234', '0.0123', '12.3')
    """
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")


def ratio(value: float) -> str:
    """How many times as many: two digits.

    >>> ratio(0.7321), ratio(2.641), ratio(12.2)
    ('0.73', '2.6', '12')
    """
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"
