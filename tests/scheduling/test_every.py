"""When jobs are due, held against a clock that is read minute by minute, around every change of the zones' clocks."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proof.vocabulary import ZONES
from shoal.clock import DAY, MINUTE, from_instant, iso, to_instant
from shoal.config.schedule import Every, every_from
from shoal.errors import ConfigError
from shoal.lang.calendar import zone

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SPAN = 40
"""Days after the date of a zone in which its clock changes."""


def due(words: str, zone_name: str, after: str, count: int = 3) -> list[str]:
    """The next due instants after an ISO instant."""
    every, at, found = every_from(words, "every"), to_instant(dt.datetime.fromisoformat(after)), []
    for _ in range(count):
        at = every.after(at, zone(zone_name))
        found.append(iso(at))
    return found


@pytest.mark.parametrize(
    ("words", "zone_name", "after", "expected"),
    [
        ("day at 06:00", "UTC", "2024-03-01T06:00:00Z", ["2024-03-02T06:00:00Z", "2024-03-03T06:00:00Z"]),
        ("monday at 07:30", "Europe/London", "2024-03-29T00:00:00Z", ["2024-04-01T06:30:00Z", "2024-04-08T06:30:00Z"]),
        ("month on 31 at 03:00", "UTC", "2024-01-31T03:00:00Z", ["2024-02-29T03:00:00Z", "2024-03-31T03:00:00Z"]),
        ("month on 1", "UTC", "2023-12-15T00:00:00Z", ["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"]),
        ("15 minutes", "UTC", "2024-01-01T00:07:00Z", ["2024-01-01T00:15:00Z", "2024-01-01T00:30:00Z"]),
        ("hour", "Asia/Kolkata", "2024-01-01T00:00:00Z", ["2024-01-01T00:30:00Z", "2024-01-01T01:30:00Z"]),
        ("7 hours", "UTC", "2024-01-01T20:00:00Z", ["2024-01-01T21:00:00Z", "2024-01-02T00:00:00Z"]),
        # London has no 01:30 on 31 March 2024, and two of them on 27 October.
        ("day at 01:30", "Europe/London", "2024-03-30T12:00:00Z", ["2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"]),
        ("day at 01:30", "Europe/London", "2024-10-26T12:00:00Z", ["2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"]),
        # Beirut's 31 March 2024 begins at 01:00.
        ("day", "Asia/Beirut", "2024-03-30T12:00:00Z", ["2024-03-30T22:00:00Z", "2024-03-31T21:00:00Z"]),
        # Apia had no 30 December 2011: what it missed comes with the first instant of the 31st.
        ("day at 06:00", "Pacific/Apia", "2011-12-29T17:00:00Z", ["2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"]),
        ("day", "Pacific/Apia", "2011-12-29T17:00:00Z", ["2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"]),
    ],
)
def test_examples_that_were_worked_out_by_hand(words: str, zone_name: str, after: str, expected: list[str]) -> None:
    """Breaks when a schedule means something else than docs/operations.md says."""
    assert due(words, zone_name, after, len(expected)) == expected


def drawn() -> st.SearchStrategy[str]:
    """The words of a schedule of dates."""
    clock = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 15, 30, 45, 59)))
    dates = st.one_of(st.just("day"), st.sampled_from(WEEKDAYS), st.integers(1, 31).map("month on {}".format))
    return st.builds("{} at {}".format, dates, clock)


def named(words: str, day: dt.date) -> bool:
    """Whether a date is one of the schedule, read from the words."""
    head = words.split(" at ")[0]
    if head.startswith("month"):
        last = (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
        return day.day == min(int(head.removeprefix("month on ")), last.day)
    return head == "day" or WEEKDAYS[day.weekday()] == head


def naive(words: str, zone_name: str, start: dt.date) -> list[int]:
    """The due instants of the span, found by reading the local clock every minute: due is what it reaches first."""
    rules, hour = ZoneInfo(zone_name), words.split(" at ")[1]
    days = [start + dt.timedelta(days=n) for n in range(SPAN)]
    wanted = [dt.datetime.combine(day, dt.time.fromisoformat(hour)) for day in days if named(words, day)]
    at, found = dt.datetime.combine(start, dt.time(), dt.UTC) - dt.timedelta(hours=15), []
    while wanted:
        if at.astimezone(rules).replace(tzinfo=None) >= wanted[0]:
            wanted.pop(0)
            found.append(to_instant(at))
        else:
            at += dt.timedelta(minutes=1)
    return sorted(set(found))


@settings(max_examples=30)
@given(st.sampled_from(ZONES), drawn())
def test_the_due_instants_are_those_that_a_clock_on_the_wall_reaches(place: tuple[str, dt.date], words: str) -> None:
    """Breaks when a night of change makes a job run twice, or skips it."""
    name, start = place
    expected = naive(words, name, start)
    at, found = (expected or [0])[0] - 1, []
    while expected and (not found or found[-1] < expected[-1]):
        at = every_from(words, "every").after(at, zone(name))
        found.append(at)
    assert found == expected


LENGTHS = st.one_of(st.integers(1, 1440).map("{} minutes".format), st.integers(1, 24).map("{} hours".format))


@given(st.sampled_from(ZONES), st.one_of(drawn(), LENGTHS), st.integers(0, SPAN * 24 * 60 * 60 * 1_000_000))
def test_next_and_last_close_the_gap_between_them(place: tuple[str, dt.date], words: str, into: int) -> None:
    """Breaks when an instant lies between two due ones that aren't neighbours, or time goes back."""
    name, start = place
    every, rules = every_from(words, "every"), zone(name)
    now = to_instant(dt.datetime.combine(start, dt.time(), dt.UTC)) + into
    before, following = every.last(now, rules), every.after(now, rules)
    assert before <= now < following
    assert every.after(before, rules) == following
    assert every.last(following, rules) == following
    assert every.last(following - 1, rules) == before
    assert every.after(following - 1, rules) == following


@given(st.sampled_from(ZONES), LENGTHS, st.integers(0, SPAN))
def test_a_length_begins_anew_with_each_local_day(place: tuple[str, dt.date], words: str, days: int) -> None:
    """Breaks when a length drifts away from the local day, or leaves a longer gap than it says."""
    name, start = place
    every, rules = every_from(words, "every"), zone(name)
    day = (start - dt.date(1970, 1, 1)).days + days
    begin, end = rules.starts(day), rules.starts(day + 1)
    found, at = [], begin - 1
    while at < end:
        at = every.after(at, rules)
        found.append(at)
    assert found[0] == begin
    assert found[-1] == end
    length = every.minutes * MINUTE
    assert all(b - a == length for a, b in pairwise(found[:-1]))
    assert begin == end or 0 < found[-1] - found[-2] <= length


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("daily", 'Write it as "day at 06:00"'),
        ("mondy at 07:30", 'Did you mean "monday"?'),
        ("15 minuts", 'Did you mean "minutes"?'),
        ("day at 24:00", "there is no 24:00 o'clock"),
        ("day at 6", 'Write it as "day at 06:00"'),
        ("month on 32", "no month has such a day"),
        ("0 minutes", "not from a minute to a day"),
        ("25 hours", "not from a minute to a day"),
        ("30 seconds", 'Write it as "day at 06:00"'),
        ("", 'Write it as "day at 06:00"'),
    ],
)
def test_words_that_say_no_time_are_refused_with_what_would_do(words: str, said: str) -> None:
    """Breaks when a slip of the pen becomes a schedule, or the advice doesn't help."""
    with pytest.raises(ConfigError) as caught:
        every_from(words, "jobs.nightly.every")
    assert said in str(caught.value)
    assert str(caught.value).startswith("jobs.nightly.every: ")


def test_case_and_space_say_nothing() -> None:
    assert every_from(" Monday  AT 7:30 ", "every") == Every(" Monday  AT 7:30 ", "week", 450, 0)


def test_the_last_of_a_minute_job_is_found_at_once_after_ten_years() -> None:
    """Breaks when what was missed is stepped through one by one."""
    now = 20_000 * DAY + 30
    assert from_instant(every_from("minute", "every").last(now, zone("Europe/London"))) == from_instant(20_000 * DAY)
