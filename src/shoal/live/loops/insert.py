"""Events into their tables, each at its place in a customer's time."""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from shoal.live import layout as at
from shoal.live.loops.memory import (
    MOVED,
    i32,
    i64,
    instant,
    of_column,
    of_table,
    put_i32,
    put_i64,
    put_u32,
    put_u64,
    span,
    u8,
    u32,
    u64,
    value,
)


@njit
def shift(address, size, place, end):
    """Make room at ``place`` by moving what stands from there on."""
    i = end
    while i > place:
        if size == 4:
            put_i32(address, i, i32(address, i - 1))
        else:
            put_i64(address, i, i64(address, i - 1))
        i -= 1


@njit
def flags_of(simple, begin, end, found, values, i):
    """The bits of the simple filters of an event."""
    for p in range(begin, end):
        x = values[i, simple[p, 1]]
        if simple[p, 2] <= x and x <= simple[p, 3] and x != at.MISSING:
            found |= np.uint64(1) << np.uint64(simple[p, 0])
    return found


@njit
def move(tables, columns, k, row, begin, count, based, run):
    """Copy a customer's entries to the end of the tail, with room for more.

    Returns the run, −1 where there is no room.
    """
    sizes, room = of_table(tables, k, at.SIZES), count + 4 + (count >> 2)
    to = i64(sizes, 0)
    if to + room > of_table(tables, k, at.TAIL_ROOM):
        return np.int64(-1)
    if run < 0 and i64(sizes, 1) >= of_table(tables, k, at.RUNS_ROOM):
        return np.int64(-1)
    put_i64(sizes, 0, to + room)
    ts, origins = of_table(tables, k, at.TAIL_TS), of_table(tables, k, at.TAIL_ORIGIN)
    said, flags = of_table(tables, k, at.TAIL_MID), of_table(tables, k, at.TAIL_FLAGS)
    has_mids, base_flags = of_table(tables, k, at.HAS_MIDS), of_table(tables, k, at.FLAGS)
    wide = of_table(tables, k, at.FLAG_SIZE)
    for j in range(count):
        put_i64(ts, to + j, instant(tables, k, begin + j, based))
        if based:
            put_i32(origins, to + j, -1)
            put_i32(said, to + j, -1 - (begin + j) if has_mids != 0 else -(1 << 31))
            word = np.uint64(u8(base_flags, begin + j)) if wide == 1 else u64(base_flags, begin + j)
            put_u64(flags, to + j, word)
        else:
            put_i32(origins, to + j, i32(origins, begin + j))
            put_i32(said, to + j, i32(said, begin + j))
            put_u64(flags, to + j, u64(flags, begin + j))
    first = of_table(tables, k, at.FIRST_COLUMN)
    for c in range(first, first + of_table(tables, k, at.MANY_COLUMNS)):
        tail, missing = of_column(columns, c, at.TAIL), of_column(columns, c, at.TAIL_MISSING)
        for j in range(count):
            found, known = value(columns, c, begin + j, based)
            put_i64(tail, to + j, found if known else missing)
    if run < 0:
        run = i64(sizes, 1)
        put_i64(sizes, 1, run + 1)
        put_i64(of_table(tables, k, at.RUN_ROW), run, row)
        put_i64(of_table(tables, k, at.RUN_BASE), run, begin)
        put_u32(of_table(tables, k, at.START), row, np.uint32(MOVED + run))
    put_i64(of_table(tables, k, at.RUN_AT), run, to)
    put_i64(of_table(tables, k, at.RUN_ROOM), run, room)
    return run


@njit
def add(tables, columns, simple, k, row, x, mid, flags, values, i):
    """Add an event to its table; returns where it stands in the tail, −1 where that takes more than this loop can do."""
    if row >= of_table(tables, k, at.ROWS):
        return np.int64(-1)
    begin, end, based = span(tables, k, row)
    count, run = end - begin, np.int64(-1)
    if not based:
        run = np.int64(u32(of_table(tables, k, at.START), row)) - MOVED
    place = end
    while place > begin and instant(tables, k, place - 1, based) > x:
        place -= 1
    if of_table(tables, k, at.ORDERED) != 0 and place > begin and instant(tables, k, place - 1, based) == x:
        return np.int64(-1)
    place -= begin
    if run < 0 or count + 1 > i64(of_table(tables, k, at.RUN_ROOM), run):
        run = move(tables, columns, k, row, begin, count, based, run)
        if run < 0:
            return run
        begin = i64(of_table(tables, k, at.RUN_AT), run)
    place += begin
    end = begin + count
    if place < end:
        shift(of_table(tables, k, at.TAIL_TS), 8, place, end)
        shift(of_table(tables, k, at.TAIL_ORIGIN), 4, place, end)
        shift(of_table(tables, k, at.TAIL_MID), 4, place, end)
        shift(of_table(tables, k, at.TAIL_FLAGS), 8, place, end)
    put_i64(of_table(tables, k, at.TAIL_TS), place, x)
    put_i32(of_table(tables, k, at.TAIL_ORIGIN), place, -1)
    put_i32(of_table(tables, k, at.TAIL_MID), place, mid)
    first, last = of_table(tables, k, at.FIRST_FILTER), of_table(tables, k, at.LAST_FILTER)
    put_u64(of_table(tables, k, at.TAIL_FLAGS), place, flags_of(simple, first, last, flags[i], values, i))
    for j in range(of_table(tables, k, at.MANY_COLUMNS)):
        c = of_table(tables, k, at.FIRST_COLUMN) + j
        tail, amount = of_column(columns, c, at.TAIL), values[i, j]
        if place < end:
            shift(tail, 8, place, end)
        put_i64(tail, place, amount if amount != at.MISSING else of_column(columns, c, at.TAIL_MISSING))
        if amount != at.MISSING and amount < 0:
            put_i64(of_column(columns, c, at.SIGNED), 0, 1)
    put_i64(of_table(tables, k, at.RUN_COUNT), run, count + 1)
    return place
