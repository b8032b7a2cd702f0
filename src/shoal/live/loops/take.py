"""Events taken in: each into its table, and at once to the memberships of which it changes an answer.

An event leaves most answers as they are, and none certain for shorter: then no segment has to be judged. Where a number of
matches reaches exactly k by it, or a total the amount that is wanted, the segments that ask so are judged once all events of the
batch stand in their tables.
"""
# mypy: ignore-errors
# ruff: noqa: C901

from __future__ import annotations

import numpy as np
from numba import carray, njit

from shoal.live import layout as at
from shoal.live.caching import cached
from shoal.live.loops.insert import add
from shoal.live.loops.memory import (
    MOVED,
    i64,
    instant,
    matches,
    of_atom,
    of_column,
    of_table,
    parts,
    pointer,
    prefetch,
    put_due,
    put_i64,
    rel,
    span,
    u32,
    u64,
    value,
)
from shoal.live.loops.single import judge
from shoal.live.values import FAR

SOON, NEXT, LAST = 12, 6, 3
"""So many events ahead memory is asked for: the customer's places in tables, then what stands there."""


@njit
def reaches(tables, k, flag, begin, end, low, n):
    """Whether exactly n matches of the tail stand between ``low`` and ``end``."""
    i = end
    while i > begin:
        i -= 1
        if instant(tables, k, i, False) < low:
            break
        if matches(tables, k, i, False, flag):
            n -= 1
            if n < 0:
                return False
    return n == 0


@njit
def completes(tables, columns, k, flag, c, begin, end, low, wanted, place):
    """Whether amounts between ``low`` and ``end`` come to what is wanted by the one at ``place`` only."""
    own, known = value(columns, c, place, False)
    if not known:
        return False
    left, i = wanted, end
    while i > begin:
        i -= 1
        if instant(tables, k, i, False) < low:
            break
        if i != place and matches(tables, k, i, False, flag):
            amount, there = value(columns, c, i, False)
            if there:
                if amount >= left:
                    return False
                left -= amount
    return own >= left


@njit
def changes(atoms, a, tables, columns, frames, k, place, begin, end, x, t):
    """Whether an event may have changed an atom's answer, or made it certain for shorter."""
    flag = of_atom(atoms, a, at.FLAG)
    sort, w = of_atom(atoms, a, at.SORT), of_atom(atoms, a, at.WINDOW)
    if sort == at.TOTAL and i64(of_column(columns, of_atom(atoms, a, at.COLUMN), at.SIGNED), 0) != 0:
        return True
    if not matches(tables, k, place, False, flag):
        return False
    if x > t or of_atom(atoms, a, at.BACKWARD) == 0:
        return True
    low = i64(frames, w * 9 + at.LOW_MUL) * t + i64(frames, w * 9 + at.LOW_ADD)
    if x < low:
        return False
    n = of_atom(atoms, a, at.K)
    if sort == at.TOTAL:
        return completes(tables, columns, k, flag, of_atom(atoms, a, at.COLUMN), begin, end, low, n, place)
    if flag >= 0:
        return reaches(tables, k, flag, begin, end, low, n)
    if end - begin < n or instant(tables, k, end - n, False) < low:
        return False
    return end - begin == n or instant(tables, k, end - n - 1, False) < low


@njit
def touch(context, tables, columns, atoms, frames, k, row, place, x, t, dirty, i):
    """Note the segments of which an event may change the answer."""
    begin, end, _ = span(tables, k, row)
    while end > begin and instant(tables, k, end - 1, False) > t:
        end -= 1
    wide, masks = context[at.N_MASKS], carray(pointer(context[at.X_MASKS]), (1 << 30,), np.uint64)
    for p in range(i64(context[at.X_ATOM_STARTS], k), i64(context[at.X_ATOM_STARTS], k + 1)):
        a = i64(context[at.X_TABLE_ATOMS], p)
        if changes(atoms, a, tables, columns, frames, k, place, begin, end, x, t):
            for m in range(wide):
                dirty[i, m] |= masks[a * wide + m]


@njit
def lowest_bit(word):
    """The place of the lowest bit that is set."""
    place, rest = np.int64(0), word
    for step in (32, 16, 8, 4, 2, 1):
        if rest & ((np.uint64(1) << np.uint64(step)) - np.uint64(1)) == 0:
            rest >>= np.uint64(step)
            place += step
    return place


@njit
def ask_dirty(context, row, i, dirty):
    """Have the memberships that an event may change brought into the cache; returns the tables of those segments, a bit each."""
    found = np.uint64(0)
    words, tables = context[at.X_BITS] + (row >> 6) * context[at.N_SLOTS] * 8, context[at.X_TABLES_OF]
    for m in range(context[at.N_MASKS]):
        word = dirty[i, m]
        while word != 0:
            s = m * 64 + lowest_bit(word)
            word &= word - np.uint64(1)
            if s >= context[at.N_SEGMENTS]:
                break
            found |= u64(tables, s)
            prefetch(words + 8 * i64(context[at.X_SLOTS], s))
    return found


@njit
def ask_starts(context, tables, row, asked):
    """Have where a customer's entries begin brought into the cache, of some tables."""
    prefetch(context[at.X_EXISTS] + 8 * row)
    prefetch(context[at.X_DUES] + 8 * row)
    for k in range(context[at.N_TABLES]):
        if asked >> np.uint64(k & 63) & np.uint64(1) != 0 and row < of_table(tables, k, at.ROWS):
            prefetch(of_table(tables, k, at.START) + 4 * row)


@njit
def ask_newest(tables, columns, k, row):
    """And a customer's newest entries, or which run they are."""
    if row >= of_table(tables, k, at.ROWS):
        return
    start = of_table(tables, k, at.START)
    begin, end = np.int64(u32(start, row)), np.int64(u32(start, row + 1))
    if begin >= MOVED:
        prefetch(of_table(tables, k, at.RUN_AT) + 8 * (begin - MOVED))
        prefetch(of_table(tables, k, at.RUN_COUNT) + 8 * (begin - MOVED))
        return
    if end == begin or end >= MOVED:
        return
    last = end - 1
    prefetch(of_table(tables, k, at.TS) + last * of_table(tables, k, at.TS_SIZE))
    if of_table(tables, k, at.LAST_FILTER) > of_table(tables, k, at.FIRST_FILTER):
        prefetch(of_table(tables, k, at.FLAGS) + last * of_table(tables, k, at.FLAG_SIZE))
    first = of_table(tables, k, at.FIRST_COLUMN)
    for c in range(first, first + of_table(tables, k, at.MANY_COLUMNS)):
        prefetch(of_column(columns, c, at.BASE) + last * of_column(columns, c, at.SIZE))


@njit
def ask_run(tables, columns, k, row):
    """And the newest entries of a run."""
    if row >= of_table(tables, k, at.ROWS):
        return
    begin = np.int64(u32(of_table(tables, k, at.START), row))
    if begin < MOVED:
        return
    run = begin - MOVED
    last = i64(of_table(tables, k, at.RUN_AT), run) + i64(of_table(tables, k, at.RUN_COUNT), run) - 1
    prefetch(of_table(tables, k, at.TAIL_TS) + 8 * last)
    if of_table(tables, k, at.LAST_FILTER) > of_table(tables, k, at.FIRST_FILTER):
        prefetch(of_table(tables, k, at.TAIL_FLAGS) + 8 * last)
    first = of_table(tables, k, at.FIRST_COLUMN)
    for c in range(first, first + of_table(tables, k, at.MANY_COLUMNS)):
        prefetch(of_column(columns, c, at.TAIL) + 8 * last)


@njit
def ask_tables(context, tables, columns, row, asked, runs):
    """The newest entries of some tables."""
    for k in range(context[at.N_TABLES]):
        if asked >> np.uint64(k & 63) & np.uint64(1) != 0:
            if runs:
                ask_run(tables, columns, k, row)
            else:
                ask_newest(tables, columns, k, row)


@cached
def take(context, room, many, now):
    """Take in events, then judge who is touched.

    Args:
        context: addresses (``layout``).
        room: addresses, and sizes (``room``).
        many: how many events there are.
        now: the instant at which they are judged.

    Returns:
        Whether all is done; else an event takes more than this loop can do (the next one to be added), or ``out`` is full.
    """
    state = carray(pointer(room[at.R_STATE]), (5,), np.int64)
    rows, which = (
        carray(pointer(room[at.R_ROWS]), (many,), np.int64),
        carray(pointer(room[at.R_WHICH]), (many,), np.int64),
    )
    ts, mids = carray(pointer(room[at.R_TS]), (many,), np.int64), carray(pointer(room[at.R_MIDS]), (many,), np.int32)
    flags = carray(pointer(room[at.R_FLAGS]), (many,), np.uint64)
    values = carray(pointer(room[at.R_VALUES]), (many, room[at.R_WIDE]), np.int64)
    dirty = carray(pointer(room[at.R_DIRTY]), (many, context[at.N_MASKS]), np.uint64)
    seen, odd = carray(pointer(room[at.R_SEEN]), (many,), np.bool_), carray(pointer(room[at.R_ODD]), (many,), np.bool_)
    numbers = carray(pointer(room[at.R_NUMBERS]), (context[at.N_ATOMS] + 1,), np.int64)
    stamps = carray(pointer(room[at.R_STAMPS]), (context[at.N_ATOMS] + 1,), np.int64)
    stack = carray(pointer(room[at.R_STACK]), (1 << 20,), np.int64)
    asked = carray(pointer(room[at.R_ASKED]), (many,), np.uint64)
    out = carray(pointer(room[at.R_OUT]), (room[at.R_MOST], 3), np.int64)
    tables, columns, atoms, frames, turns, code = parts(context)
    simple = carray(pointer(context[at.X_FILTERS]), (1 << 40, 4), np.int64)
    if state[0] == 0 and state[1] == 0:
        dirty[:many] = 0
        seen[:many] = False
        odd[:many] = False
    few, everything = many <= NEXT, ~np.uint64(0)
    for i in range(many if few else 0):
        ask_starts(context, tables, rows[i], everything)
    while state[0] < many:
        i = state[0]
        if not few:
            if i + SOON < many:
                r = rows[i + SOON]
                prefetch(context[at.X_EXISTS] + 8 * r)
                if r < of_table(tables, which[i + SOON], at.ROWS):
                    prefetch(of_table(tables, which[i + SOON], at.START) + 4 * r)
            if i + NEXT < many:
                ask_newest(tables, columns, which[i + NEXT], rows[i + NEXT])
            if i + LAST < many:
                ask_run(tables, columns, which[i + LAST], rows[i + LAST])
        row, x = rows[i], ts[i]
        place = add(tables, columns, simple, which[i], row, x, mids[i], flags, values, i)
        if place < 0:
            return False
        if few:
            ask_tables(context, tables, columns, row, everything, False)
        if x < i64(context[at.X_FIRST], row):
            put_i64(context[at.X_FIRST], row, x)
        if x < i64(context[at.X_EXISTS], row):
            put_i64(context[at.X_EXISTS], row, x)
            seen[i] = True
            state[4] += 1
            for m in range(context[at.N_MASKS]):
                dirty[i, m] = ~np.uint64(0)
        else:
            touch(context, tables, columns, atoms, frames, which[i], row, place, x, now, dirty, i)
        state[0] = i + 1
    words = carray(pointer(context[at.X_BITS]), (1 << 50, context[at.N_SLOTS]), np.uint64)
    segments = context[at.N_SEGMENTS]
    for i in range(state[1], min(many, state[1] + SOON)):
        asked[i] = ask_dirty(context, rows[i], i, dirty)
        ask_starts(context, tables, rows[i], asked[i])
    while state[1] < many:
        i = state[1]
        if i + SOON < many:
            asked[i + SOON] = ask_dirty(context, rows[i + SOON], i + SOON, dirty)
            if asked[i + SOON] != 0:
                ask_starts(context, tables, rows[i + SOON], asked[i + SOON])
        if i + NEXT < many and asked[i + NEXT] != 0:
            ask_tables(context, tables, columns, rows[i + NEXT], asked[i + NEXT], False)
        if i + LAST < many and asked[i + LAST] != 0:
            ask_tables(context, tables, columns, rows[i + LAST], asked[i + LAST], True)
        if asked[i] == 0:
            state[1] = i + 1
            continue
        if out.shape[0] - state[2] < segments:
            return False
        row = rows[i]
        stamps[context[at.N_ATOMS]] += 1
        stamp = stamps[context[at.N_ATOMS]]
        e = i64(context[at.X_EXISTS], row)
        exists = np.int64(FAR) if e <= now else -rel(e, now)
        shortest, bit, place = np.int64(FAR), np.uint64(1) << np.uint64(row & 63), row >> 6
        for m in range(context[at.N_MASKS]):
            word = dirty[i, m]
            while word != 0:
                s = m * 64 + lowest_bit(word)
                word &= word - np.uint64(1)
                if s >= segments:
                    break
                begin, end = i64(context[at.X_STARTS], s), i64(context[at.X_STARTS], s + 1)
                found = judge(
                    atoms,
                    tables,
                    columns,
                    frames,
                    turns,
                    code,
                    begin,
                    end,
                    row,
                    now,
                    numbers,
                    stamps,
                    stamp,
                    stack,
                )
                if found == 0:
                    state[3] += 0 if odd[i] else 1
                    odd[i] = True
                    continue
                found = min(found, exists)
                shortest = min(shortest, abs(found))
                slot, truth = i64(context[at.X_SLOTS], s), found > 0
                if truth != (words[place, slot] & bit != 0):
                    words[place, slot] ^= bit
                    o = state[2]
                    out[o, 0], out[o, 1], out[o, 2] = row, 4 * s + truth, now
                    state[2] = o + 1
        if shortest < FAR:
            put_due(context, row, now + shortest)
        state[1] = i + 1
    mids[:many] = at.UNSAID
    flags[:many] = 0
    values[:many] = at.MISSING
    return True


@cached
def alone(context, room, row, which, ts, mid, now):
    """Take in one event, of which flags and values stand in the room, and judge whom it touches.

    Returns:
        How many memberships changed, with the bit ``ODD`` where the interpreter has to be asked; −1 where it takes more than
        this loop can do.
    """
    state = carray(pointer(room[at.R_STATE]), (5,), np.int64)
    state[:] = 0
    carray(pointer(room[at.R_ROWS]), (1,), np.int64)[0] = row
    carray(pointer(room[at.R_WHICH]), (1,), np.int64)[0] = which
    carray(pointer(room[at.R_TS]), (1,), np.int64)[0] = ts
    carray(pointer(room[at.R_MIDS]), (1,), np.int32)[0] = mid
    if not take(context, room, 1, now):
        return -1
    return state[2] | (at.ODD if state[3] + state[4] != 0 else 0)
