"""A table's base out of rows that stand in order."""
# mypy: ignore-errors

from __future__ import annotations

from shoal.live.caching import cached

SECOND = 1_000_000


@cached
def pack(rows, ts, zero, whole, start, found):
    """Where each customer's entries begin, and instants after ``zero``, as seconds where ``whole``.

    Returns whether seconds lose nothing.
    """
    before, lossless = -1, True
    for i in range(rows.size):
        row = rows[i]
        if row != before:
            for each in range(before + 1, row + 1):
                start[each] = i
            before = row
        past = ts[i] - zero
        if whole:
            seconds = past // SECOND
            lossless = lossless and seconds * SECOND == past
            past = seconds
        found[i] = past
    start[before + 1] = rows.size
    return lossless
