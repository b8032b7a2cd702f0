"""The types of text columns, learned from a sample, and the order of dates.

A column is a number if nearly all of its known cells are (99 in 100 of at least 100, else all), none begins with a
zero before other digits and none is longer than 15 digits, for those are codes. Yes and no are learned from words,
never from 0 and 1. Where the source doesn't say which sign stands before decimals, that is looked at column by column, as
``shoal init`` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoal.customers.load import convert, times
from shoal.customers.load.staging import ROW, name
from shoal.lang.schema import Kind
from shoal.sources.guess import guess_column
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.customers.load.convert import Writing
    from shoal.sql.store import Store

SAMPLE = 20_000
_ENOUGH = 100
_SHARE = 0.99
_MAY_BE = 0.8
"""From this share of cells with digits on, a column is looked at for numbers written otherwise."""
_WORDS = ("yes", "no", "y", "n", "true", "false")


@dataclass(frozen=True, slots=True)
class Learned:
    """What a text column holds.

    Args:
        kind: its type.
        dates: the order of its dates, None where they are ISO or words.
        doubt: for dates, why the order can't be told: ``ambiguous`` or ``mixed``.
        empty: no cell holds anything, so that the type isn't known yet.
        decimal: the sign before decimals, where the cells tell another than the source's; None elsewhere.
        thousands: the sign between groups of digits, likewise.
        unsure: what of that can't be told, one sentence.
    """

    kind: Kind
    dates: str | None = None
    doubt: str | None = None
    empty: bool = False
    decimal: str | None = None
    thousands: str | None = None
    unsure: str | None = None


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many of the known cells of a sample are what."""

    known: int
    numbers: int
    codes: int
    words: int
    iso: int
    worded: int
    dates: int
    timed: int
    day_first: int
    month_first: int
    only_day_first: int
    only_month_first: int
    dotted: int
    separated: int


def learn(
    store: Store, relation: str, columns: Sequence[str], how: Writing, *, looked: bool = False
) -> dict[str, Learned]:
    """The type of each text column of a relation.

    Args:
        store: the store.
        relation: the staged rows.
        columns: text columns.
        how: how the source writes numbers and dates, as far as it says.
        looked: whether the signs in numbers are looked for, since the source doesn't say them.
    """
    if not columns:
        return {}
    rows = int(store.rows(f"SELECT count(*) FROM {relation}")[0][0])
    sample = f"{relation} WHERE hash({ROW}) % {rows // SAMPLE + 1} = 0" if rows > SAMPLE else relation
    found = {}
    for column, counts in _count(store, sample, columns, how).items():
        found[column] = _judged(counts, how)
        apart = counts.separated and counts.numbers + counts.separated >= _MAY_BE * counts.known
        if looked and apart and found[column].kind is Kind.TEXT:
            found[column] = _with_signs(store, sample, column, how) or found[column]
    return found


def _with_signs(store: Store, sample: str, column: str, how: Writing) -> Learned | None:
    """What a column holds by the signs that stand in its numbers; None where they tell nothing."""
    import pyarrow as pa

    cells = store.rows(f"SELECT {name(column)} FROM (SELECT * FROM {sample})")
    guess = guess_column(column, pa.array([cell for (cell,) in cells], pa.string()))
    if guess.kind is not Kind.NUMBER or guess.pattern.decimal is None:
        return None
    decimal, thousands = guess.pattern.decimal, guess.pattern.thousands
    own = replace(how, decimal=decimal, thousands=thousands)
    learned = _judged(_count(store, sample, [column], own)[column], own)
    return replace(learned, decimal=decimal, thousands=thousands, unsure=guess.unsure)


def _count(store: Store, sample: str, columns: Sequence[str], how: Writing) -> dict[str, _Counts]:
    found = {}
    for column in columns:
        cell = f"CASE WHEN trim({name(column)}) <> '' THEN {name(column)} END"
        measures = ", ".join(f"coalesce(sum(CASE WHEN {m} THEN 1 ELSE 0 END), 0)" for m in _measures(how))
        row = store.rows(f"SELECT {measures} FROM (SELECT {cell} AS x FROM {sample})")[0]
        found[column] = _Counts(*(int(v) for v in row))
    return found


def _measures(how: Writing) -> list[str]:
    words = [w for w in (*_WORDS, *how.yes, *how.no) if not w.isdigit() and (len(w) > 1 or w in "yn")]
    day, month = times.slashed("x", "day-first"), times.slashed("x", "month-first")
    pattern = how.dates is not None and "%" in how.dates
    return [
        "x IS NOT NULL",
        f"{convert.looks_number('x', how)}",
        "regexp_matches(x, '^\\s*[+-]?(0[0-9]|[0-9]{16})')",
        f"lower(trim(x)) IN ({', '.join(quoted(w) for w in words)})",
        f"{times.iso('x')} IS NOT NULL",
        f"{times.worded('x')} IS NOT NULL",
        f"{times.written('x', how.dates)} IS NOT NULL" if pattern else "false",
        "contains(x, ':')",
        f"{day} IS NOT NULL",
        f"{month} IS NOT NULL",
        f"{day} IS NOT NULL AND {month} IS NULL",
        f"{month} IS NOT NULL AND {day} IS NULL",
        "regexp_matches(x, '^\\s*[0-9]{1,2}[.][0-9]{1,2}[.]')",
        "regexp_matches(x, '[0-9][,''\u00a0\u202f ][0-9]|[0-9][.][0-9]{3}[.,]')",
    ]


def _judged(counts: _Counts, how: Writing) -> Learned:
    if counts.known == 0:
        return Learned(Kind.TEXT, how.dates, empty=True)
    order, doubt = _order(counts, how)
    if counts.words == counts.known:
        return Learned(Kind.YESNO, order)
    if _nearly_all(counts.numbers, counts.known) and counts.codes == 0:
        return Learned(Kind.NUMBER, order)
    slashed = counts.month_first if order == "month-first" else counts.day_first
    if doubt == "mixed":
        slashed = counts.day_first + counts.only_month_first
    dates = counts.dates if order and "%" in order else counts.iso + counts.worded + (slashed if order or doubt else 0)
    if _nearly_all(dates, counts.known):
        return Learned(Kind.INSTANT if counts.timed else Kind.DATE, order, doubt)
    return Learned(Kind.TEXT, order, doubt)


def _order(counts: _Counts, how: Writing) -> tuple[str | None, str | None]:
    """The order of slashed dates, and why it can't be told."""
    if how.dates is not None:
        return how.dates, None
    if counts.only_day_first and counts.only_month_first:
        return None, "mixed"
    if counts.only_month_first:
        return "month-first", None
    if counts.only_day_first or (counts.dotted and counts.dotted == counts.day_first):
        return "day-first", None
    return None, "ambiguous" if counts.day_first else None


def _nearly_all(many: int, known: int) -> bool:
    return many == known or (known >= _ENOUGH and many >= _SHARE * known)
