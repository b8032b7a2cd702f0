"""All event mappings of a source judged in one pass over its rows, into one lean table of the rows that they take.

A source such as a warehouse's table of events is mapped many times, once for each event type. Its files are then decoded
and its faults looked for once, not once a mapping. What is kept is where each row came from, the cells that the mappings
use, and words of bits: the lower half of a word says which mappings take the row, the upper half for which it has a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.customers.load import convert, faults
from shoal.customers.load.rows import ORIGIN, USED
from shoal.customers.load.staging import FILE, ROW, name
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shoal.customers.load.events import Draft, EventPlan
    from shoal.customers.load.rows import Column, Rows
    from shoal.sql.store import Store

_HALF = 16


def take(store: Store, rows: Rows, drafts: Sequence[Draft]) -> None:
    """Judge drafts together: their plans read the table that is made here, and know their days.

    Args:
        store: the store.
        rows: the source's rows.
        drafts: mappings whose rows need nothing beside the source's own relation.
    """
    source = rows.base if all(draft.in_base for draft in drafts) else rows.relation
    words = {f"__takes{i // _HALF}": drafts[i : i + _HALF] for i in range(0, len(drafts), _HALF)}
    table = f"{rows.relation}_taken"
    columns = _columns(drafts)
    _make(store, source, words, columns, f"{table}_rows")
    made = "".join(f", {_physical(c)} AS {c.physical}" for c in columns if _cheap(c) and c.physical != c.raw)
    store.execute(
        f"CREATE OR REPLACE TEMP VIEW {table} AS SELECT *, CAST({ORIGIN} >> 40 AS INTEGER) AS {FILE}, "
        f"{ORIGIN} & {(1 << 40) - 1} AS {ROW}{made} FROM {table}_rows"
    )
    rows.kept = table, frozenset(c.name for c in columns if c.raw is not None)
    for word, members in words.items():
        seen = 0
        for (bits,) in store.rows(f"SELECT DISTINCT {word} FROM {table}_rows"):
            seen |= int(bits)
        for index, draft in enumerate(members):
            if seen >> (_HALF + index) & 1:
                faults.sift(store, rows, source, draft.plan.condition, draft.tests)
                draft.plan.aside = f"(({word} & {1 << (_HALF + index)}) <> 0)"
            draft.plan.relation = draft.plan.lean = table
            draft.plan.bits = word, 1 << index
            draft.plan.condition = taken([draft.plan])


def taken(plans: Iterable[EventPlan]) -> str:
    """The condition that any of some plans takes a row; they read the same relation."""
    bits: dict[str, int] = {}
    parts = []
    for plan in plans:
        if plan.bits:
            bits[plan.bits[0]] = bits.get(plan.bits[0], 0) | plan.bits[1]
        else:
            parts.append(plan.condition)
    parts += [f"({word} & {mask}) <> 0" for word, mask in bits.items()]
    return f"({' OR '.join(parts)})"


def count_days(store: Store, plans: Sequence[EventPlan]) -> None:
    """Note how many events each plan has on each day; one look at the table for all with the same time."""
    by_time: dict[tuple[str, str], list[EventPlan]] = {}
    for plan in plans:
        by_time.setdefault((plan.relation, plan.instant), []).append(plan)
    for (relation, instant), group in by_time.items():
        words = sorted({plan.bits[0] for plan in group if plan.bits})
        shown = ", ".join(words)
        found = store.rows(
            f"SELECT {shown}, ts // {DAY} AS day, min(ts), max(ts), count(*) FROM (SELECT {shown}, {instant} AS ts "
            f"FROM {relation} WHERE {taken(group)}) GROUP BY ALL ORDER BY day"
        )
        for plan in group:
            plan.days = _days(found, plan, words)


def _days(found: list[tuple[int, ...]], plan: EventPlan, words: list[str]) -> list[tuple[int, int, int, int]]:
    word, bit = plan.bits or ("", 0)
    at, days = words.index(word), dict[int, tuple[int, int, int, int]]()
    for row in found:
        if row[at] & bit:
            day, low, high, many = row[-4:]
            _, least, most, before = days.get(day, (day, low, high, 0))
            days[day] = day, min(least, low), max(most, high), before + many
    return list(days.values())


def _make(store: Store, source: str, words: dict[str, Sequence[Draft]], columns: list[Column], table: str) -> None:
    """The table: each row with its bits. Rows that no mapping means stay, since picking the others costs more."""
    kept = ", ".join([ORIGIN, *dict.fromkeys(c for column in columns for c in _cells(column))])
    meant = ", ".join(f"{_meant(members)} AS {word}" for word, members in words.items())
    wrong = ", ".join(f"{word} & ({_faulty(members)}) AS {word}_wrong" for word, members in words.items())
    bits = ", ".join(f"{word} - {word}_wrong + {word}_wrong * {1 << _HALF}::UINTEGER AS {word}" for word in words)
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {kept}, {bits} FROM (SELECT {kept}, {', '.join(words)}, {wrong} "
        f"FROM (SELECT *, {meant} FROM {source}))"
    )


def _meant(members: Sequence[Draft]) -> str:
    """The mappings that mean a row. Those that ask for words in one column share a single look at it."""
    words: dict[str, dict[str, int]] = {}
    parts = []
    for index, draft in enumerate(members):
        column, listed = _asks_for(draft)
        if column is None:
            parts.append(_bits(draft.meant, 1 << index))
        for word in listed:
            masks = words.setdefault(column or "", {})
            masks[word] = masks.get(word, 0) | 1 << index
    for column, masks in words.items():
        arms = " ".join(f"WHEN {word} THEN {mask}::UINTEGER" for word, mask in masks.items())
        parts.append(f"CASE WHEN {USED} THEN CASE {column} {arms} ELSE 0::UINTEGER END ELSE 0::UINTEGER END")
    return " | ".join(parts)


_WORD = r"'(?:[^']|'')*'"
_WORDS = re.compile(
    rf"""\s*(?P<column>\w+|"[^"]+")\s*(?:==?\s*(?P<one>{_WORD})|IN\s*\((?P<many>[^()]*)\))\s*""", re.IGNORECASE
)


def _asks_for(draft: Draft) -> tuple[str | None, list[str]]:
    """The column and the quoted words, where the condition is ``event = 'x'`` or ``event IN ('x', 'y')`` over text."""
    rows, found = draft.plan.rows, _WORDS.fullmatch(draft.plan.map.when or "")
    wanted = found["column"].strip('"') if found else ""
    if found is None or not rows.has(wanted) or draft.customer.name in rows.hidden:
        return None, []
    column = rows.find(wanted, draft.plan.map.place)
    listed = [found["one"]] if found["one"] else re.findall(_WORD, found["many"])
    plain = found["one"] or re.fullmatch(rf"\s*{_WORD}(\s*,\s*{_WORD})*\s*", found["many"])
    if column.kind is not Kind.TEXT or column.sql_type != "VARCHAR" or not plain:
        return None, []
    return name(column.name), listed


def _faulty(members: Sequence[Draft]) -> str:
    """The mappings that have a fault with a row, whether or not they mean it; tests that several share are made once."""
    masks: dict[str, int] = {}
    for index, draft in enumerate(members):
        for test in draft.tests:
            masks[test.condition] = masks.get(test.condition, 0) | 1 << index
    by_mask: dict[int, list[str]] = {}
    for condition, mask in masks.items():
        if condition != "false":
            by_mask.setdefault(mask, []).append(f"({condition})")
    return " | ".join(_bits(" OR ".join(tests), mask) for mask, tests in by_mask.items()) or "0::UINTEGER"


def _bits(condition: str, mask: int) -> str:
    # Shifting a condition that was cast to a number takes twice as long.
    return f"CASE WHEN {condition} THEN {mask}::UINTEGER ELSE 0::UINTEGER END"


# ------------------------------------------------------------------- the cells that are kept


def _columns(drafts: Sequence[Draft]) -> list[Column]:
    return list({column.name: column for draft in drafts for column in draft.columns}.values())


def _cheap(column: Column) -> bool:
    """Whether the physical form is made from the cell whenever it is read; texts are taken apart only once."""
    return column.raw is not None and (column.sql_type != "VARCHAR" or column.kind is Kind.TEXT)


def _physical(column: Column) -> str:
    return convert.physical(column.raw or "", column.sql_type, column.kind, column.writing)


def _cells(column: Column) -> list[str]:
    if column.raw is None:
        # Decimals that were derived are rounded only after they were summed up or multiplied.
        return [column.physical, *([name(column.name)] if column.sql_type.startswith("DECIMAL") else [])]
    return [column.raw] if _cheap(column) else [column.raw, column.physical]
