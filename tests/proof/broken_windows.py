"""Operators broken on purpose. Windows, calendars and what is right now, each off by little."""

from __future__ import annotations

from .mutants import Mutant

CALENDAR = "shoal.lang.calendar"
WINDOW = "shoal.sql.emit.window"
FRAME = "shoal.sql.frame"

MUTANTS = (
    Mutant(
        "last: in at exactly ts + W",
        "window last",
        CALENDAR,
        "return at - length.micros + 1, at + 1",
        "return at - length.micros, at + 1",
    ),
    Mutant(
        "before last: its newer end is out",
        "window before last",
        CALENDAR,
        "- length.micros + 1, at - before.micros + 1",
        "- length.micros + 1, at - before.micros",
    ),
    Mutant(
        "between: its end is forgotten", "window period", CALENDAR, "min(literal_instant(end, zone), at + 1)", "at + 1"
    ),
    Mutant("weeks begin on Sunday", "window", CALENDAR, "day - (day + 3) % 7", "day - (day + 4) % 7"),
    Mutant(
        "this day begins at midnight UTC",
        "window this",
        CALENDAR,
        "return zone.starts(unit_start(zone.day(at), unit)), at + 1",
        "return unit_start(at // DAY, unit) * DAY, at + 1",
    ),
    Mutant(
        "between: its end is in",
        "window period",
        CALENDAR,
        "min(literal_instant(end, zone), at + 1)",
        "min(literal_instant(end, zone) + 1, at + 1)",
    ),
    Mutant(
        "between: its start is out",
        "window period",
        CALENDAR,
        "return literal_instant(start, zone), min(",
        "return literal_instant(start, zone) + 1, min(",
    ),
    Mutant(
        "between: a time to come is in already",
        "when",
        CALENDAR,
        "min(literal_instant(end, zone), at + 1)",
        "literal_instant(end, zone)",
    ),
    Mutant(
        "since: its start is out",
        "window since",
        CALENDAR,
        "return literal_instant(start, zone), at + 1",
        "return literal_instant(start, zone) + 1, at + 1",
    ),
    Mutant(
        "last: what is right now is out",
        "window last",
        CALENDAR,
        "return at - length.micros + 1, at + 1",
        "return at - length.micros + 1, at",
    ),
    Mutant(
        "before last: its older end is in",
        "window before last",
        CALENDAR,
        "return at - before.micros - length.micros + 1,",
        "return at - before.micros - length.micros,",
    ),
    Mutant(
        "this day: its first instant is out",
        "window this",
        CALENDAR,
        "return zone.starts(unit_start(zone.day(at), unit)), at + 1",
        "return zone.starts(unit_start(zone.day(at), unit)) + 1, at + 1",
    ),
    Mutant(
        "last calendar: its first instant is out",
        "window last calendar",
        CALENDAR,
        "return zone.starts(unit_start(today, unit, amount)), zone",
        "return zone.starts(unit_start(today, unit, amount)) + 1, zone",
    ),
    Mutant(
        "last calendar: the first instant of the current one is in",
        "window last calendar",
        CALENDAR,
        "amount)), zone.starts(unit_start(today, unit))",
        "amount)), zone.starts(unit_start(today, unit)) + 1",
    ),
    Mutant(
        "next: right now is in",
        "window next",
        CALENDAR,
        "return at + 1, at + length.micros + 1",
        "return at, at + length.micros + 1",
    ),
    Mutant(
        "next: at exactly t + W is out",
        "window next",
        CALENDAR,
        "return at + 1, at + length.micros + 1",
        "return at + 1, at + length.micros",
    ),
    Mutant("a quarter has four months", "window", CALENDAR, '"quarter": 3', '"quarter": 4'),
    Mutant(
        "the day of a change of clocks begins with the change",
        "window|when|anniversary|compare|value days",
        CALENDAR,
        "    if old < change:\n        return old\n",
        "",
    ),
    Mutant(
        "the day of a change of clocks begins by its later offset",
        "window|when|anniversary|compare|value days",
        CALENDAR,
        "        return old\n    return max",
        "        return midnight - after * SECOND\n    return max",
    ),
    Mutant(
        "today is the date of UTC",
        "window|anniversary",
        CALENDAR,
        "return (instant + self.offset(instant) * SECOND) // DAY",
        "return instant // DAY",
    ),
    Mutant(
        "no anniversary in the year of the date itself",
        "anniversary",
        WINDOW,
        's.compared(year, "<=", in_year)',
        's.compared(year, "<", in_year)',
    ),
    Mutant(
        "what is received at K isn't known at K", "did", FRAME, '"received", alias), "<="', '"received", alias), "<"'
    ),
    Mutant(
        "an anniversary is looked for a day too far",
        "anniversary",
        FRAME,
        "end = first + timedelta(days=days - 1)",
        "end = first + timedelta(days=days)",
    ),
    Mutant(
        "what is right now doesn't count yet",
        "did|value",
        FRAME,
        's.column("ts", "e"), "<=", s.integer(self.start)',
        's.column("ts", "e"), "<", s.integer(self.start)',
    ),
    Mutant(
        "29 February isn't kept in common years",
        "anniversary",
        FRAME,
        "229 if last == 228 and not isleap(year) else last",
        "last",
    ),
)
