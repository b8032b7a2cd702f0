"""The naive evaluator's own rules of local time: ``zoneinfo`` over ``tzdata``, searched by trying instants."""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from .wire import EPOCH, MICROSECOND, Moment, Node, length

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@cache
def rules(zone: str) -> ZoneInfo:
    """The rules of a zone, from the tzdata package alone."""
    with files("tzdata.zoneinfo").joinpath(*zone.split("/")).open("rb") as handle:
        return ZoneInfo.from_file(handle, key=zone)


def local(zone: str, at: int) -> dt.datetime:
    """What a clock on the wall shows at an instant."""
    return (EPOCH + at * MICROSECOND).astimezone(rules(zone)).replace(tzinfo=None)


@cache
def day_start(zone: str, day: dt.date) -> Moment:
    """The first instant of a day, found by looking at every minute around it.

    A day that the zone skipped begins where the day after it does.
    """
    at = (dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) - EPOCH) // MICROSECOND - 15 * HOUR
    while local(zone, at).date() < day:
        at += MINUTE
    return Moment(at)


def unit_start(day: dt.date, unit: str, back: int = 0) -> dt.date:
    """The first date of the calendar unit that holds a date, some units back."""
    if unit == "day":
        return day - dt.timedelta(days=back)
    if unit == "week":
        return day - dt.timedelta(days=day.weekday() + 7 * back)
    size = {"month": 1, "quarter": 3, "year": 12}[unit]
    months = day.year * 12 + day.month - 1
    months = months - months % size - back * size
    return dt.date(months // 12, months % 12 + 1, 1)


def as_instant(value: Moment | dt.date, zone: str) -> Moment:
    """A date used as an instant is its first instant in the workspace's zone."""
    return value if isinstance(value, Moment) else day_start(zone, value)


def in_window(ts: int, window: Node | None, at: int, zone: str) -> bool:
    """Whether an instant falls in a window at ``at``: the table of the language page, row by row."""
    if window is None:
        return ts <= at
    if window.kind == "last":
        return at - length(window.length) < ts <= at
    if window.kind == "before last":
        v, w = length(window.before), length(window.length)
        return at - v - w < ts <= at - v
    if window.kind == "since":
        return as_instant(window.start.value, zone) <= ts <= at
    if window.kind == "period":
        return as_instant(window.start.value, zone) <= ts < as_instant(window.end.value, zone) and ts <= at
    if window.kind == "next":
        return at < ts <= at + length(window.length)
    today = local(zone, at).date()
    current = day_start(zone, unit_start(today, window.unit))
    if window.kind == "this":
        return current <= ts <= at
    assert window.kind == "last calendar"
    return day_start(zone, unit_start(today, window.unit, window.amount)) <= ts < current
