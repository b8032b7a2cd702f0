"""SQL expressions that bring values into the store's physical form (see ``tables``). DuckDB's SQL.

Loaders use them to encode columns in bulk; ``customers.values`` does the same for single values, with equal results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.clock import DAY, SECOND

if TYPE_CHECKING:
    from shoal.lang.calendar import Zone

LIMIT = 10**12
"""Numbers beyond ± this (in whole units) are not stored."""

_DIGITS = 10**12
"""Units of 10^-18 in a millionth."""


def in_millionths(decimal: str) -> str:
    """BIGINT millionths of an expression of type DECIMAL(38, 18), half to even; NULL beyond ± 10^12.

    Text becomes that type by ``TRY_CAST(x AS DECIMAL(38, 18))``; for floats there is ``float_in_millionths``.
    """
    whole = f"CAST(trunc({decimal}) AS HUGEINT)"
    rest_of = f"CAST({decimal} - trunc({decimal}) AS DECIMAL(19, 18))"
    part = f"CAST({rest_of} * CAST(1000000000000000000 AS DECIMAL(19, 0)) AS HUGEINT)"
    fine = f"({whole} * 1000000000000000000 + {part})"
    quotient = f"({fine} // {_DIGITS})"
    rest = f"(abs({fine}) % {_DIGITS})"
    up = f"({rest} * 2 > {_DIGITS} OR ({rest} * 2 = {_DIGITS} AND {quotient} % 2 <> 0))"
    away = f"CASE WHEN {up} THEN CASE WHEN {fine} < 0 THEN -1 ELSE 1 END ELSE 0 END"
    return f"CASE WHEN abs({decimal}) <= {LIMIT} THEN CAST({quotient} + {away} AS BIGINT) END"


def float_in_millionths(number: str) -> str:
    """BIGINT millionths of a DOUBLE, taken for its shortest text: 0.1 is a tenth. NULL if it is no number, or beyond."""
    return in_millionths(f"TRY_CAST(CAST({number} AS VARCHAR) AS DECIMAL(38, 18))")


def text_of_millionths(micro: str) -> str:
    """The shortest decimal text of a BIGINT in millionths: ``1.5``, ``200``."""
    exact = f"CAST(CAST({micro} AS DECIMAL(19, 0)) * CAST(0.000001 AS DECIMAL(6, 6)) AS VARCHAR)"
    return f"rtrim(rtrim({exact}, '0'), '.')"


def offset_case(zone: Zone, instant: str, low: int, high: int) -> str:
    """The zone's offset in seconds at an expression of instants within [low, high]."""
    turns = zone.transitions(low, high)
    if len(turns) == 1:
        return str(turns[0][1])
    return f"({_search(instant, turns)})"


def _search(instant: str, turns: list[tuple[int, int]]) -> str:
    """A balanced tree of CASEs, so that a zone with hundreds of transitions costs few comparisons a row."""
    if len(turns) == 1:
        return str(turns[0][1])
    middle = len(turns) // 2
    below, above = _search(instant, turns[:middle]), _search(instant, turns[middle:])
    return f"CASE WHEN {instant} < {turns[middle][0]} THEN {below} ELSE {above} END"


def local_day(instant: str, offset: str) -> str:
    """The local date (days since 1970-01-01) of an instant, given the zone's offset in seconds there."""
    local = f"({instant} + CAST({offset} AS BIGINT) * {SECOND})"
    # DuckDB's // rounds towards zero, and days before 1970 are negative.
    return f"CAST(({local} - (({local} % {DAY}) + {DAY}) % {DAY}) // {DAY} AS INTEGER)"


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
