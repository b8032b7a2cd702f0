"""Rows that can't be used, each with a code, a reason, its file and line, and its content: the quarantine.

A cell that doesn't convert is missing and counted; only what the mapping needs (customer, time, id, group, numbers
within the range, numbers that are summed up, a rate for money) sends a row to quarantine, and with it the other rows of
its group. The same row is put there once for each code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.customers.load.rows import USED, Column, Rows
from shoal.customers.load.staging import FILE, ROW, name
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shoal.sql.store import Store

_AT_ONCE, _BATCH = 40_000_000, 1_000_000
"""Hashes that are sorted at once (320 MB, and as much for a copy), and that are fetched at once."""

REASONS = {
    "no-customer": "No customer: {0} is empty. Fill it, or leave such rows out with where:.",
    "no-account": "No account: {0} is empty. Fill it, or leave such rows out with where:.",
    "no-time": "No time: {0} is empty. Fill it, or leave such rows out with where:.",
    "bad-time": "{0} is no date or time in the order of this source. Mend it, or set format: dates:.",
    "impossible-date": "{0} is outside the years 1900 to 2199. Mend the date.",
    "no-id": "No id: {0} is empty. Fill it, or map another column as id:.",
    "no-group": "No group: {0} is empty, so it can't be said which rows belong together.",
    "mixed-group": "The rows of this group name another customer in {0} than its first row does. Mend one of them.",
    "incomplete": "Another row of this group can't be used ({0}), so the whole group waits. Mend that row.",
    "no-currency": "No currency: {0} is empty. Fill it, or give one code for all rows as currency:.",
    "no-rate": "There is no rate for the currency in {0} on or before this day. Add it to the rate file.",
    "out-of-range": "{0} holds a number beyond ± 1,000,000,000,000. Mend it.",
    "no-number": "{0} is no number, so the sum over its group can't be told. Mend it, or name such words as missing:.",
    "no-amount": "{0} is empty or no number. Fill it.",
    "bad-count": "{0} is no whole number of 0 or more. Mend it, or leave it empty where it isn't known.",
    "bad-consent": "{0} is neither yes nor no. Set format: yes: and no:, or mend it.",
    "no-purpose": "No purpose: {0} is empty. Fill it.",
}


@dataclass(frozen=True, slots=True)
class Test:
    """A fault that a row may have: the condition in SQL, its code, and the column that is to blame."""

    condition: str
    code: str
    column: str


def prepare(store: Store) -> None:
    """Make the table of faulty rows."""
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE load_faults (source VARCHAR, {FILE} INTEGER, {ROW} BIGINT, code VARCHAR, col VARCHAR)"
    )


def sift(store: Store, rows: Rows, relation: str, condition: str, tests: Iterable[Test]) -> str:
    """Record the rows that fail a test, and give the condition of those that pass all.

    Args:
        store: the store.
        rows: the rows.
        relation: a relation over them.
        condition: which of them are meant.
        tests: the first that a row fails speaks.
    """
    cases = [f"WHEN {t.condition} THEN {quoted(f'{t.code} {t.column}')}" for t in tests if t.condition != "false"]
    if not cases:
        return condition
    fault = f"CASE {' '.join(cases)} END"
    ((count,),) = store.rows(
        f"INSERT INTO load_faults SELECT {quoted(rows.spec.name)}, {FILE}, {ROW}, split_part(fault, ' ', 1), "
        f"substr(fault, instr(fault, ' ') + 1) FROM (SELECT {FILE}, {ROW}, {fault} AS fault FROM {relation} "
        f"WHERE {condition}) WHERE fault IS NOT NULL"
    )
    return f"({condition} AND ({fault}) IS NULL)" if count else condition


def needs(column: Column, code: str) -> Test:
    """An id must be there."""
    return Test("false" if column.complete else f"{column.whole} IS NULL", code, column.name)


def within(columns: Iterable[Column]) -> list[Test]:
    """Numbers must not be too large."""
    unique = {c.name: c for c in columns}
    return [Test(c.beyond, "out-of-range", c.name) for c in unique.values()]


def contents(store: Store, rows: Rows) -> None:
    """Write the faulty rows of a source, and those that couldn't be read, into the table ``load_quarantined``.

    It has the columns source, path, line, code, reason, content; content is the row as JSON.
    """
    store.execute(
        "CREATE TEMP TABLE IF NOT EXISTS load_quarantined (source VARCHAR, path VARCHAR, line BIGINT, code VARCHAR, "
        "reason VARCHAR, content VARCHAR)"
    )
    reason = " ".join(
        f"WHEN {quoted(code)} THEN replace({quoted(text)}, '{{0}}', col)" for code, text in REASONS.items()
    )
    paths = " ".join(f"WHEN {n.no} THEN {quoted(n.file.path)}" for n in rows.staged.files)
    cells = ", ".join(f"{quoted(c.name)}, {c.raw}" for c in rows.columns.values() if c.raw is not None)
    source = quoted(rows.spec.name)
    mine = f"FROM load_faults WHERE source = {source}"
    store.execute(
        f"INSERT INTO load_quarantined SELECT {source}, CASE {FILE} {paths} END, {ROW}, code, "
        f"CASE code {reason} END, content FROM (SELECT {FILE}, {ROW}, code, min(col) AS col {mine} GROUP BY ALL) "
        f"JOIN (SELECT {FILE}, {ROW}, CAST(json_object({cells}) AS VARCHAR) AS content FROM {rows.base} "
        f"SEMI JOIN (SELECT {FILE}, {ROW} {mine}) USING ({FILE}, {ROW})) USING ({FILE}, {ROW})"
    )
    store.execute(
        "INSERT INTO load_quarantined SELECT source, path, line, code, reason, CAST(json_object('row', content) AS VARCHAR) "
        f"FROM load_rejects WHERE source = {source}"
    )


def first_of_each(store: Store, sources: Sequence[str], most: int = 4) -> list[str]:
    """The first faulty row of each reason with its place, the most frequent reasons first."""
    inside = ", ".join(quoted(source) for source in sources)
    rows = store.rows(
        "SELECT path, line, reason, count(*) OVER (PARTITION BY source, code) AS n FROM load_quarantined "
        f"WHERE source IN ({inside}) QUALIFY row_number() OVER (PARTITION BY source, code ORDER BY path, line) = 1 "
        f"ORDER BY n DESC, path, line LIMIT {most}"
    )
    return [
        f"{path}:{line}: {reason.rstrip('.')} ({n:,} {'row' if n == 1 else 'rows'})" for path, line, reason, n in rows
    ]


def unused(store: Store, rows: Rows) -> int:
    """How many rows ``where:`` leaves out."""
    if rows.spec.where is None:
        return 0
    return int(store.rows(f"SELECT count(*) FROM {rows.base} WHERE NOT {USED}")[0][0])


def find_repeated(store: Store, rows: Rows, total: int) -> int:
    """Find the rows of a file that repeat an earlier row of it exactly.

    Equal hashes are looked at closely; most sources have none, and finding that out is all that they pay.

    Args:
        store: the store.
        rows: the rows.
        total: how many there are.

    Returns:
        How many there are.
    """
    import pyarrow as pa

    cells = ", ".join(name(c) for c in rows.staged.columns)
    raws = ", ".join(c.raw or c.physical for c in rows.columns.values() if c.raw is not None)
    table = _repeated(rows)
    hashes = _equal_hashes(store, f"SELECT hash({FILE}, {raws}) AS h FROM {rows.relation}", total) if cells else None
    if hashes is None or not len(hashes):
        return 0
    store.register("equal_hashes", pa.table({"h": hashes}))
    store.execute(f"CREATE OR REPLACE TEMP TABLE {table}_hashes AS FROM equal_hashes")
    store.unregister("equal_hashes")
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {FILE}, {ROW} FROM (SELECT * FROM {rows.relation} "
        f"SEMI JOIN {table}_hashes ON hash({FILE}, {raws}) = h) "
        f"QUALIFY row_number() OVER (PARTITION BY {FILE}, {raws} ORDER BY {ROW}) > 1"
    )
    return int(store.rows(f"SELECT count(*) FROM {table}")[0][0])


def drop_repeated(store: Store, rows: Rows) -> None:
    """Leave out the rows that ``find_repeated`` found; the first of each stays."""
    step = f"{rows.relation}_once"
    store.execute(
        f"CREATE OR REPLACE TEMP VIEW {step} AS SELECT * FROM {rows.relation} ANTI JOIN {_repeated(rows)} "
        f"USING ({FILE}, {ROW})"
    )
    rows.relation = step


def _repeated(rows: Rows) -> str:
    return f"{rows.relation}_repeated"


def _equal_hashes(store: Store, sql: str, total: int) -> NDArray[np.uint64]:
    """The hashes that a query gives more than once: sorted by numpy, in parts that fit into memory.

    For 30 million rows that takes 10 CPU seconds less than letting the database group them.
    """
    import numpy as np

    parts, found = total // _AT_ONCE + 1, []
    for part in range(parts):
        chosen = f"SELECT h FROM ({sql}) WHERE h % {parts} = {part}" if parts > 1 else sql
        batches = [batch.column(0).to_numpy() for batch in store.batches(chosen, _BATCH)]
        if batches:
            hashes = np.sort(np.concatenate(batches))
            found.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
    return np.concatenate(found) if found else np.array([], dtype=np.uint64)
