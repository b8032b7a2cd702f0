"""Dates and times as SQL: texts in several orders, and local times of a zone as instants.

A local time that the zone skipped stands for the first instant after the gap; one that it had twice stands for the
first of the two. The rules of zones come from ``lang.calendar``, never from the database.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from shoal.clock import DAY, SECOND
from shoal.lang.calendar import Zone, zone

_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = ((date(year, 1, 1) - _EPOCH).days * DAY for year in (1900, 2100))

ISO = r"^\s*\d{4}([-/])\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}([.]\d+)?)?\s*(Z|UTC|[+-]\d{2}(:?\d{2})?)?)?\s*$"
_ZONED = r":\d{2}([.]\d+)?\s*(Z|UTC|[+-]\d{2}(:?\d{2})?)\s*$"
SLASHED = r"^\s*\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})(\D.*)?$"
WORDED = r"(?i)^\s*(\d{1,2}[-/. ]+)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[[:alpha:]]*[-/. ]+\d"

_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_WORDS = ("%d-%b-%y", "%d-%b-%Y", "%d-%B-%Y", "%b-%d-%Y", "%B-%d-%Y")


def _texts(order: str) -> str:
    days = {"day-first": ("%d-%m-%y", "%d-%m-%Y"), "month-first": ("%m-%d-%y", "%m-%d-%Y"), "words": _WORDS}[order]
    return "[" + ", ".join(f"'{day}{time}'" for time in _TIMES for day in days) + "]"


def slashed(text: str, order: str) -> str:
    """TIMESTAMP as written of a text such as 5/1/2017 10:20, in an order; NULL for anything else."""
    plain = f"translate(trim({text}), './,', '--')"
    return f"CASE WHEN regexp_matches({text}, '{SLASHED}') THEN try_strptime({plain}, {_texts(order)}) END"


def worded(text: str) -> str:
    """TIMESTAMP as written of a text such as 5 January 2017 or Jan 5, 2017; NULL for anything else."""
    # The blanks between the parts of the date become hyphens, the one before the time stays.
    parts = rf"regexp_replace(translate(trim({text}), './,', '--'), '^(\w+)[- ]+(\w+)[- ]+(\d+)', '\1-\2-\3')"
    return f"CASE WHEN regexp_matches({text}, '{WORDED}') THEN try_strptime({parts}, {_texts('words')}) END"


def iso(text: str) -> str:
    """TIMESTAMP as written of a text such as 2017-01-05T10:20:30+02:00; its zone is not looked at."""
    return f"CASE WHEN regexp_matches({text}, '{ISO}') THEN TRY_CAST(trim({text}) AS TIMESTAMP) END"


def is_zoned(text: str) -> str:
    """Whether an ISO text says its zone."""
    return f"regexp_matches({text}, '{_ZONED}')"


def _zoned_micros(text: str) -> str:
    plain = rf"regexp_replace(replace(trim({text}), '/', '-'), '\s*(UTC)?$', '')"
    spaced = rf"regexp_replace({plain}, '\s+([+-]\d)', '\1')"
    zone_ = f"CASE WHEN trim({text}) LIKE '%UTC' THEN 'Z' ELSE '' END"
    return f"instant_of({spaced} || {zone_})"


def written(text: str, dates: str | None) -> str:
    """TIMESTAMP as written of a text, by the source's ``dates`` setting (None: ISO and months as words)."""
    if dates and "%" in dates:
        pattern = dates.replace("'", "''")
        return f"CAST(try_strptime(trim({text}), '{pattern}') AS TIMESTAMP)"
    ways = [iso(text)]
    if dates in ("day-first", "month-first"):
        ways.append(slashed(text, dates))
    ways.append(worded(text))
    return f"coalesce({', '.join(ways)})"


def instant_of_text(text: str, dates: str | None, rules: Zone) -> str:
    """BIGINT instant of a text; a time without a zone is local in ``rules``."""
    if dates and "%z" in dates:
        pattern = dates.replace("'", "''")
        return f"epoch_us(try_strptime(trim({text}), '{pattern}'))"
    local = local_to_instant(f"epoch_us({written(text, dates)})", rules)
    if dates and "%" in dates:
        return local
    zoned = f"regexp_matches({text}, '{ISO}') AND {is_zoned(text)}"
    return f"CASE WHEN {zoned} THEN {_zoned_micros(text)} ELSE {local} END"


def local_to_instant(local: str, rules: Zone, span: tuple[int, int] | None = None) -> str:
    """BIGINT instant of a local time in microseconds, by a balanced tree over the zone's transitions.

    Args:
        local: the local time.
        rules: the zone.
        span: the least and the greatest local time there is, where that is known; it makes the tree small.
    """
    low, high = span or (_FIRST, _LAST)
    turns = _transitions(rules, low - 2 * DAY, high + 2 * DAY)
    if len(turns) == 1:
        return f"({local} - ({turns[0][1] * SECOND}))"
    return f"({_search(local, turns, 0, len(turns))})"


@lru_cache(maxsize=64)
def _transitions(rules: Zone, low: int, high: int) -> list[tuple[int, int]]:
    return rules.transitions(low, high)


def _search(local: str, turns: list[tuple[int, int]], low: int, high: int) -> str:
    if high - low == 1:
        change, offset = turns[low]
        at = f"({local} - ({offset * SECOND}))"
        # At or after the change; before it only where the clock went forward and the time was skipped.
        return at if low == 0 else f"CASE WHEN {at} < {change} THEN {change} ELSE {at} END"
    middle = (low + high) // 2
    border = turns[middle][0] + turns[middle - 1][1] * SECOND
    before, after = _search(local, turns, low, middle), _search(local, turns, middle, high)
    return f"CASE WHEN {local} < {border} THEN {before} ELSE {after} END"


def day_of_micros(local: str) -> str:
    """INTEGER date (days since 1970-01-01) of a local time in microseconds."""
    # DuckDB's // rounds towards zero, and days before 1970 are negative.
    return f"CAST(({local} - ((({local}) % {DAY}) + {DAY}) % {DAY}) // {DAY} AS INTEGER)"


def zone_named(name: str) -> Zone:
    """The zone of a name; cached."""
    return zone(name)
