"""Named cases of time: windows to the microsecond, calendars, nights on which clocks change, what only time does."""

from __future__ import annotations

import datetime as dt

from .cases import Case, after, became, before, did, q, there

D = dt.date
OPENED = did("ann", "App Opened", "2024-03-01T12:00:00")

CASES = (
    Case(
        "in last: the event is in from its ts on, and out at exactly ts + W",
        'did "App Opened" in last 7 days',
        (there("ann"), OPENED),
        (
            q(before("2024-03-01T12:00:00")),
            q("2024-03-01T12:00:00", "ann"),
            q(before("2024-03-08T12:00:00"), "ann"),
            q("2024-03-08T12:00:00"),
            q(after("2024-03-08T12:00:00")),
        ),
    ),
    Case(
        "zero in a window is entered by time alone, and holds for those without events",
        'count("App Opened" in last 7 days) = 0',
        (there("ann", "bob"), OPENED),
        (
            q("2024-03-01T12:00:00", "bob"),
            q(before("2024-03-08T12:00:00"), "bob"),
            q("2024-03-08T12:00:00", "ann bob"),
        ),
    ),
    Case(
        "before last: t − V − W < ts ≤ t − V",
        'did "App Opened" in 3 days before last 2 days',
        (there("ann"), OPENED),
        (
            q(before("2024-03-03T12:00:00")),
            q("2024-03-03T12:00:00", "ann"),
            q(before("2024-03-06T12:00:00"), "ann"),
            q("2024-03-06T12:00:00"),
        ),
    ),
    Case(
        "since a date begins at the date's first instant in the workspace's zone",
        'did "App Opened" since 2024-03-02',
        (
            did("ann", "App Opened", before("2024-03-02T05:00:00")),
            did("bob", "App Opened", "2024-03-02T05:00:00"),
            did("cat", "App Opened", "2024-03-05T00:00:00"),
        ),
        (q("2024-03-04", "bob"), q("2024-03-05", "bob cat")),
        zone="America/New_York",
    ),
    Case(
        "between D and E: D is in, E is out, and nothing after t",
        'did "App Opened" between 2024-03-02 and 2024-03-05T06:00:00Z',
        (
            did("ann", "App Opened", before("2024-03-02T00:00:00")),
            did("bob", "App Opened", "2024-03-02T00:00:00"),
            did("cat", "App Opened", before("2024-03-05T06:00:00")),
            did("dan", "App Opened", "2024-03-05T06:00:00"),
        ),
        (q("2024-03-03", "bob"), q("2024-03-09", "bob cat")),
    ),
    Case(
        "this month begins at local midnight of the first, in the workspace's zone",
        'did "App Opened" in this month',
        (
            did("ann", "App Opened", before("2024-02-29T21:00:00")),
            did("bob", "App Opened", "2024-02-29T21:00:00"),
        ),
        (
            q("2024-02-29T20:59:59", ""),
            q("2024-02-29T21:00:00", "bob"),
            q(before("2024-03-31T21:00:00"), "bob"),
            q("2024-03-31T21:00:00", ""),
        ),
        zone="Africa/Nairobi",
    ),
    Case(
        "weeks begin on Monday",
        'did "App Opened" in this week',
        (did("ann", "App Opened", "2024-03-03T23:59:59"), did("bob", "App Opened", "2024-03-04T00:00:00")),
        (q("2024-03-03T23:59:59", "ann"), q("2024-03-04", "bob"), q(before("2024-03-11"), "bob"), q("2024-03-11")),
    ),
    Case(
        "last calendar months are whole ones, at the end of a long month after a short one too",
        'did "App Opened" in last 1 calendar month',
        (
            did("ann", "App Opened", before("2024-02-01")),
            did("bob", "App Opened", "2024-02-01"),
            did("cat", "App Opened", "2024-02-29T23:59:59"),
            did("dan", "App Opened", "2024-03-01"),
        ),
        (q("2024-03-31T12:00:00", "bob cat"), q("2024-04-01", "dan"), q("2024-05-01", "")),
    ),
    Case(
        "last calendar quarters reach over the year's end",
        'did "App Opened" in last 2 calendar quarters',
        (
            did("ann", "App Opened", before("2023-07-01")),
            did("bob", "App Opened", "2023-07-01"),
            did("cat", "App Opened", before("2024-01-01")),
            did("dan", "App Opened", "2024-01-01"),
        ),
        (q("2024-02-29", "bob cat"), q("2024-04-01", "cat dan")),
    ),
    Case(
        "this year, and last calendar years, in the workspace's zone",
        'did "App Opened" in last 1 calendar year and not did "App Opened" in this year',
        (
            did("ann", "App Opened", before("2022-12-31T13:00:00")),
            did("bob", "App Opened", "2022-12-31T13:00:00"),
            did("cat", "App Opened", "2023-06-01"),
            did("cat", "App Opened", "2023-12-31T13:00:00"),
        ),
        (q("2024-01-05", "bob"), q(before("2023-12-31T13:00:00"), "ann")),
        zone="Australia/Sydney",
    ),
    Case(
        "a stored future event counts from its ts on",
        'did "App Opened"',
        (there("ann"), did("ann", "App Opened", "2024-05-01", received="2024-03-01")),
        (q(before("2024-05-01")), q("2024-05-01", "ann")),
    ),
    Case(
        "a customer exists from the first ts of an event or a trait change",
        'not did "Order Completed"',
        (did("ann", "App Opened", "2024-03-01"), became("bob", "age", None, "2024-03-02")),
        (q(before("2024-03-01")), q("2024-03-01", "ann"), q(before("2024-03-02"), "ann"), q("2024-03-02", "ann bob")),
    ),
    Case(
        "a late event counts as if it had been there all along, and not before it was received",
        'not did "App Opened" in last 7 days',
        (there("ann"), did("ann", "App Opened", "2024-03-01", received="2024-03-05")),
        (
            q("2024-03-03", ""),
            q("2024-03-03", "ann", known="2024-03-04"),
            q("2024-03-03", "ann", known=before("2024-03-05")),
            q("2024-03-03", "", known="2024-03-05"),
        ),
    ),
    Case(
        "in next: t < value ≤ t + W, of an instant",
        "renewal in next 3 days",
        (there("ann"), became("ann", "renewal", dt.datetime(2024, 3, 10, 6, tzinfo=dt.UTC), "2024-01-01")),
        (
            q(before("2024-03-07T06:00:00")),
            q("2024-03-07T06:00:00", "ann"),
            q(before("2024-03-10T06:00:00"), "ann"),
            q("2024-03-10T06:00:00"),
        ),
    ),
    Case(
        "a date in a window stands for its first instant in the workspace's zone",
        "signed_up in last 2 days",
        (became("ann", "signed_up", D(2024, 3, 10), "2024-01-01"),),
        (
            q(before("2024-03-10T05:00:00")),
            q("2024-03-10T05:00:00", "ann"),
            q(before("2024-03-12T05:00:00"), "ann"),
            q("2024-03-12T05:00:00"),
        ),
        zone="America/New_York",
    ),
    Case(
        "a day on which clocks change is 23 hours long; 1 day stays 24 hours",
        'count("App Opened" in this day) = 1 and count("App Opened" in last 1 day) = 2',
        (
            did("ann", "App Opened", "2024-03-10T04:59:59"),
            did("ann", "App Opened", "2024-03-10T05:00:00"),
        ),
        (q("2024-03-11T03:59:59", "ann"), q("2024-03-11T04:00:00", ""), q("2024-03-11T04:59:59", "")),
        zone="America/New_York",
    ),
    Case(
        "a day that begins at one o'clock, since midnight is skipped, begins at its first instant",
        'did "App Opened" in this day',
        (
            did("ann", "App Opened", before("2024-03-30T22:00:00")),
            did("bob", "App Opened", "2024-03-30T22:00:00"),
        ),
        (
            q("2024-03-30T21:59:59", ""),
            q("2024-03-30T22:00:00", "bob"),
            q(before("2024-03-31T21:00:00"), "bob"),
            q("2024-03-31T21:00:00", ""),
        ),
        zone="Asia/Beirut",
    ),
    Case(
        "the hour that comes twice bears the same local hour and date both times",
        'count("App Opened" where (hour = 1 and date = 2024-11-03)) = 2',
        (
            did("ann", "App Opened", "2024-11-03T05:30:00"),
            did("ann", "App Opened", "2024-11-03T06:30:00"),
            did("bob", "App Opened", "2024-11-03T06:30:00"),
            did("bob", "App Opened", "2024-11-03T07:30:00"),
        ),
        (q("2024-11-04", "ann"),),
        zone="America/New_York",
    ),
    Case(
        "the weekday of an event is that of the workspace's zone",
        'did "App Opened" where weekday = "Sunday"',
        (
            did("ann", "App Opened", "2024-03-02T23:30:00"),
            did("bob", "App Opened", "2024-03-03T21:30:00"),
            did("cat", "App Opened", "2024-03-02T20:30:00"),
        ),
        (q("2024-03-09", "ann"),),
        zone="Africa/Nairobi",
    ),
    Case(
        "active days are dates in the workspace's zone",
        'active days("App Opened" in last 7 days) >= 2',
        (
            did("ann", "App Opened", "2024-03-02T17:00:00"),
            did("ann", "App Opened", "2024-03-02T19:00:00"),
            did("bob", "App Opened", "2024-03-02T00:30:00"),
            did("bob", "App Opened", "2024-03-02T18:29:59"),
        ),
        (q("2024-03-03", "ann"),),
        zone="Asia/Kolkata",
    ),
    Case(
        "an instant is on a date in the workspace's zone, after its end, up to its end",
        "renewal = 2024-03-10 and renewal <= 2024-03-10 and not renewal > 2024-03-10 and renewal < 2024-03-11",
        (
            became("ann", "renewal", dt.datetime(2024, 3, 10, 5, tzinfo=dt.UTC), "2024-01-01"),
            became("bob", "renewal", dt.datetime(2024, 3, 11, 3, 59, 59, 999999, tzinfo=dt.UTC), "2024-01-01"),
            became("cat", "renewal", dt.datetime(2024, 3, 11, 4, tzinfo=dt.UTC), "2024-01-01"),
            became("dan", "renewal", dt.datetime(2024, 3, 10, 4, 59, 59, tzinfo=dt.UTC), "2024-01-01"),
        ),
        (q("2024-02-01", "ann bob"),),
        zone="America/New_York",
    ),
    Case(
        "an instant against the end of a date: > D only after the last microsecond of D",
        "renewal > 2024-03-10 or renewal != 2024-03-10 and renewal >= 2024-03-10",
        (
            became("ann", "renewal", dt.datetime(2024, 3, 11, 3, 59, 59, 999999, tzinfo=dt.UTC), "2024-01-01"),
            became("bob", "renewal", dt.datetime(2024, 3, 11, 4, tzinfo=dt.UTC), "2024-01-01"),
            became("cat", "renewal", None, "2024-01-01"),
        ),
        (q("2024-02-01", "bob"),),
        zone="America/New_York",
    ),
    Case(
        "days since counts fractions; its edge is a microsecond wide",
        'days since last "App Opened" > 2.5',
        (
            there("bob"),
            did("ann", "App Opened", "2024-03-01T00:00:00"),
            did("ann", "App Opened", "2024-03-01T12:00:00"),
        ),
        (q("2024-03-04T00:00:00"), q(after("2024-03-04T00:00:00"), "ann")),
    ),
    Case(
        "days since first keeps to the earliest, and equals a whole number for a microsecond only",
        'days since first "App Opened" = 3',
        (did("ann", "App Opened", "2024-03-01"), did("ann", "App Opened", "2024-03-02")),
        (q(before("2024-03-04")), q("2024-03-04", "ann"), q(after("2024-03-04"))),
    ),
    Case(
        "days since a date to come is below zero; unary minus turns it round",
        "-days since signed_up = 1.5 or days since signed_up = 0",
        (became("ann", "signed_up", D(2024, 3, 10), "2024-01-01"), there("bob")),
        (q("2024-03-08T09:00:00", "ann"), q(after("2024-03-08T09:00:00")), q("2024-03-09T21:00:00", "ann")),
        zone="Africa/Nairobi",
    ),
    Case(
        "days until turns negative once the date has passed; a date is its first local instant",
        "days until signed_up < 0",
        (became("ann", "signed_up", D(2024, 3, 10), "2024-01-01"), there("bob")),
        (q("2024-03-09T21:00:00"), q(after("2024-03-09T21:00:00"), "ann")),
        zone="Africa/Nairobi",
    ),
    Case(
        "anniversary: N dates that begin with today, in the workspace's zone",
        "anniversary of birthday in next 2 days",
        (became("ann", "birthday", D(1990, 3, 10), "2020-01-01"), became("bob", "birthday", None, "2020-01-01")),
        (
            q(before("2024-03-08T21:00:00")),
            q("2024-03-08T21:00:00", "ann"),
            q(before("2024-03-10T21:00:00"), "ann"),
            q("2024-03-10T21:00:00"),
        ),
        zone="Africa/Nairobi",
    ),
    Case(
        "29 February falls on the 28th in a common year, and on the 29th in a leap year",
        "anniversary of birthday in next 1 days",
        (
            became("ann", "birthday", D(1992, 2, 29), "2020-01-01"),
            became("bob", "birthday", D(1993, 2, 28), "2020-01-01"),
        ),
        (
            q("2023-02-28", "ann bob"),
            q("2023-03-01", ""),
            q("2024-02-28", "bob"),
            q("2024-02-29", "ann"),
            q("2024-03-01", ""),
        ),
    ),
    Case(
        "an anniversary is looked for over the year's end, and never in a year before the date's",
        "anniversary of birthday in next 10 days",
        (
            became("ann", "birthday", D(1990, 1, 3), "2020-01-01"),
            became("bob", "birthday", D(2026, 1, 3), "2020-01-01"),
            became("cat", "birthday", D(2025, 1, 3), "2020-01-01"),
        ),
        (q("2024-12-24", ""), q("2024-12-25", "ann cat"), q("2025-12-25", "ann bob cat")),
    ),
    Case(
        "an anniversary within 366 days always comes",
        "anniversary of birthday in next 366 days",
        (became("ann", "birthday", D(1992, 2, 29), "2020-01-01"),),
        (q("2024-02-29", "ann"), q("2024-03-01", "ann"), q("2027-03-01", "ann")),
    ),
    Case(
        "regularly: period i is (t − (i+1)·W, t − i·W]",
        'did "App Opened" at least 1 time in 2 of last 2 periods of 1 day',
        (did("ann", "App Opened", "2024-03-01T12:00:00"), did("ann", "App Opened", "2024-03-02T12:00:00")),
        (
            q(before("2024-03-02T12:00:00")),
            q("2024-03-02T12:00:00", "ann"),
            q(before("2024-03-03T12:00:00"), "ann"),
            q("2024-03-03T12:00:00"),
        ),
    ),
    Case(
        "regularly: k of m periods with n events each, whichever they are",
        'did "App Opened" at least 2 times in 2 of last 3 periods of 1 day',
        (
            *(did("ann", "App Opened", f"2024-03-0{d}T{h}:00:00") for d in (1, 3) for h in ("06", "18")),
            *(did("bob", "App Opened", f"2024-03-0{d}T06:00:00") for d in (1, 2, 3)),
        ),
        (q("2024-03-04", "ann"),),
    ),
    Case(
        "stopped, and restarted",
        'did "App Opened" in last 14 days and not did "App Opened" in last 7 days',
        (OPENED, did("ann", "App Opened", "2024-03-12T12:00:00")),
        (
            q(before("2024-03-08T12:00:00")),
            q("2024-03-08T12:00:00", "ann"),
            q(before("2024-03-12T12:00:00"), "ann"),
            q("2024-03-12T12:00:00"),
            q("2024-03-19T12:00:00", "ann"),
            q("2024-03-26T12:00:00"),
        ),
    ),
    Case(
        "first: a late earlier event takes it back, a filter is part of it",
        'did first "Order Completed" where revenue > 0 in last 3 days',
        (
            did("ann", "Order Completed", "2024-03-05", revenue=10),
            did("ann", "Order Completed", "2024-03-01", revenue=0),
            did("bob", "Order Completed", "2024-03-05", revenue=10),
            did("bob", "Order Completed", "2024-03-01", received="2024-03-06", revenue=10),
        ),
        (
            q("2024-03-05", "ann"),
            q("2024-03-05", "ann bob", known="2024-03-05"),
            q("2024-03-06", "ann", known="2024-03-06"),
            q("2024-03-08", ""),
        ),
    ),
)
