"""Plain Python values as literals, durations and windows."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from shoal.clock import to_instant
from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.document import micro_of
from shoal.lang.lex import MOST_NUMBER
from shoal.lang.parse_windows import CALENDAR, IN_DAYS, SLIDING, plural

if TYPE_CHECKING:
    from shoal.lang.nodes import CalendarUnit

Plain: TypeAlias = bool | int | Decimal | float | str | date | datetime
"""What stands for a literal. A text is a text literal, never a trait."""

_EPOCH_DAY = date(1970, 1, 1)


def micro(value: object, what: str) -> int:
    """Millionths of a number; a float is rounded half to even.

    Raises:
        DefinitionError: if it is no number, not finite or beyond 10^12.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise DefinitionError(f"{value!r} is not {what}.", fix="Give an int, a Decimal or a float.")
    number = value * n.MICRO if isinstance(value, int) else micro_of(str(value))
    if abs(number) > MOST_NUMBER:
        raise DefinitionError(f"{value} is beyond 10^12.", fix="Use a smaller number.")
    return number


def literal_node(value: object) -> n.Literal_:
    """The literal of a plain Python value.

    Raises:
        DefinitionError: if it has none: of another type, or an instant without a zone.
    """
    if isinstance(value, bool):
        return n.YesNo(value)
    if isinstance(value, int | Decimal | float):
        return n.Number(micro(value, "a number"))
    if isinstance(value, str):
        return n.Text(value)
    if isinstance(value, date):
        return moment(value)
    fix = "Use is_missing() or is_known()." if value is None else "Give a bool, number, text, date or aware datetime."
    raise DefinitionError(f"{value!r} has no literal in the language.", fix=fix)


def moment(value: object) -> n.Date | n.Instant:
    """A date or an aware datetime as a literal.

    Raises:
        DefinitionError: if it is neither.
    """
    if isinstance(value, n.Date | n.Instant):
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise DefinitionError(f"{value.isoformat()} has no time zone.", fix="Add one, as tzinfo=datetime.UTC.")
        return n.Instant(to_instant(value))
    if isinstance(value, date):
        return n.Date((value - _EPOCH_DAY).days)
    raise DefinitionError(f"{value!r} is neither a date nor an instant.", fix="Give a date or an aware datetime.")


def text_of(value: object, what: str) -> str:
    """A text.

    Raises:
        DefinitionError: if it is something else.
    """
    if isinstance(value, str):
        return value
    raise DefinitionError(f"{value!r} can't be {what}.", fix="Give a text.")


def name_of(value: object, what: str) -> str:
    """The name of a trait, property or other thing, which can't be empty.

    Raises:
        DefinitionError: if it isn't one.
    """
    if isinstance(value, str) and value:
        return value
    raise DefinitionError(f"{value!r} is not the name of a {what}.", fix="Give a text that isn't empty.")


# ---------------------------------------------------------------- durations and windows


def duration(amount: int, unit: str) -> n.Duration:
    """A length of time: whole seconds, minutes, hours, 24-hour days or 7-day weeks.

    Raises:
        DefinitionError: for a month, a quarter or a year, which have no fixed length, and what is no length at all.
    """
    _hold_amount(amount)
    if unit in SLIDING:
        return n.Duration(amount, SLIDING[unit])
    if unit in CALENDAR:
        whole = CALENDAR[unit]
        other = f"last_calendar({amount}, '{plural(amount, whole)}')"
        fix = f"Write {amount * IN_DAYS[whole]}, 'days'; in a window, {other}."
        raise DefinitionError(f"{amount} {unit} has no fixed length.", fix=fix)
    raise DefinitionError(f"{unit!r} is not a unit of time.", fix=did_you_mean(nearest(unit, SLIDING)))


def duration_node(value: object) -> n.Duration:
    """The duration itself, held to be one.

    Raises:
        DefinitionError: if it isn't one, as where a window was given.
    """
    if isinstance(value, n.Duration):
        return value
    raise DefinitionError(f"{value!r} is not a duration.", fix="Write duration(1, 'hour').")


def last(amount: int, unit: str) -> n.Last:
    """``in last 30 days``."""
    return n.Last(duration(amount, unit))


def before_last(length: n.Duration, before: n.Duration) -> n.BeforeLast:
    """``in W before last V``."""
    return n.BeforeLast(duration_node(length), duration_node(before))


def since(start: date | datetime | n.Date | n.Instant) -> n.Since:
    """``since D``."""
    return n.Since(moment(start))


def period(start: date | datetime | n.Date | n.Instant, end: date | datetime | n.Date | n.Instant) -> n.Period:
    """``between D and E``: from D on, and before E."""
    return n.Period(moment(start), moment(end))


def this(unit: str) -> n.This:
    """``in this month``."""
    return n.This(_calendar_unit(unit))


def last_calendar(amount: int, unit: str) -> n.LastCalendar:
    """``in last 3 calendar months``."""
    _hold_amount(amount)
    return n.LastCalendar(amount, _calendar_unit(unit))


def next_(amount: int, unit: str) -> n.Next:
    """``in next 14 days``, for a date or instant trait."""
    return n.Next(duration(amount, unit))


def _hold_amount(amount: object) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
        raise DefinitionError(f"{amount!r} is not a length.", fix="Lengths are whole and at least 1.")


def _calendar_unit(unit: str) -> CalendarUnit:
    if unit in CALENDAR:
        return CALENDAR[unit]
    raise DefinitionError(f"{unit!r} is not a unit of the calendar.", fix=did_you_mean(nearest(unit, CALENDAR)))
