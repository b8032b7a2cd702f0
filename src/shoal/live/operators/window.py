"""Windows: which of the events in order stand in one, and when the next comes in or goes out."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, timedelta
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.calendar import bounds, unit_start
from shoal.live.registry import answers, value
from shoal.live.values import FAR, Answer, Day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.lang.calendar import Zone
    from shoal.live.scope import Scope
    from shoal.live.table import Entry

_EPOCH = date(1970, 1, 1)


def turn(window: n.Window | None, x: int, t: int, zone: Zone) -> int:
    """The first instant after ``t`` at which ``x`` comes into the window or goes out of it; FAR for never."""
    return next((u for u in _turns(window, x, zone) if u > t), FAR)


def _turns(window: n.Window | None, x: int, zone: Zone) -> tuple[int, ...]:
    """When an instant comes into a window, and when it goes out."""
    match window:
        case None:
            return (x,)
        case n.Last(length):
            return x, x + length.micros
        case n.BeforeLast(length, before):
            return x + before.micros, x + before.micros + length.micros
        case n.Next(length):
            return x - length.micros, x
        case n.This(unit):
            return x, zone.starts(unit_start(zone.day(x), unit, -1))
        case n.LastCalendar(amount, unit):
            day = zone.day(x)
            return zone.starts(unit_start(day, unit, -1)), zone.starts(unit_start(day, unit, -amount - 1))
    low, high = bounds(window, FAR, zone)
    return (x,) if low is not None and low <= x < high else ()


def span(window: n.Window | None, events: Sequence[Entry], s: Scope) -> tuple[int, int, int]:
    """Which of the events in order stand in the window, as [begin, end), and until when none comes or goes."""
    low, high = bounds(window, s.t, s.zone)
    begin = 0 if low is None else bisect_left(events, low, key=_ts)
    end = max(begin, bisect_left(events, high, key=_ts))
    until = turn(window, events[begin].ts, s.t, s.zone) if begin < end else FAR
    # Events of one instant come and go together, and windows only move on.
    if end < len(events):
        until = min(until, turn(window, events[end].ts, s.t, s.zone))
    return begin, end, until


def _ts(entry: Entry) -> int:
    return entry.ts


def instant_of(found: int, s: Scope) -> int:
    """A date is its first instant in the workspace's zone."""
    return s.zone.starts(found) if isinstance(found, Day) else int(found)


@answers(n.When)
def when(node: n.When, s: Scope) -> Answer:
    """A date or instant trait falls in the window."""
    found, until = value(node.trait, s)
    if found is None:
        return Answer(False, until)
    x = instant_of(found, s)
    low, high = bounds(node.window, s.t, s.zone)
    return Answer((low is None or low <= x) and x < high, min(until, turn(node.window, x, s.t, s.zone)))


@answers(n.Anniversary)
def anniversary(node: n.Anniversary, s: Scope) -> Answer:
    """The date falls again on one of the dates that begin with today."""
    found, until = value(node.trait, s)
    if found is None:
        return Answer(False, until)
    born = _EPOCH + timedelta(days=found if isinstance(found, Day) else s.zone.day(found))
    today = s.zone.day(s.t)
    ahead = _next_on(born, today) - today
    if ahead < node.days:
        return Answer(True, min(until, s.zone.starts(today + ahead + 1)))
    return Answer(False, min(until, s.zone.starts(today + ahead - node.days + 1)))


def _next_on(born: date, today: int) -> int:
    """The first day from today on, not before its own year, on which a date falls."""
    year = max(born.year, (_EPOCH + timedelta(days=today)).year)
    found = _falls_in(born, year)
    return found if found >= today else _falls_in(born, year + 1)


def _falls_in(born: date, year: int) -> int:
    leap = born.month == 2 and born.day == 29 and not _is_leap(year)
    return (date(year, born.month, 28 if leap else born.day) - _EPOCH).days


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
