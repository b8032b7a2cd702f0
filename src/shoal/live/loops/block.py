"""Segments of many customers, 64 at a time: lanes.

What an atom asks of the past is one instant, that of its k-th newest match: a mark. A table's bounds are looked up once for all
atoms, a filter's matches are walked once for all marks, and a window is a comparison of a mark. A lane in which something lies
ahead of its instant takes the loops of one customer instead (``atoms``).
"""
# mypy: ignore-errors
# ruff: noqa: C901

from __future__ import annotations

import numpy as np
from numba import carray, njit

from shoal.live import layout as at
from shoal.live.caching import cached
from shoal.live.loops.atoms import number
from shoal.live.loops.memory import (
    MOVED,
    base_of,
    i8,
    i32,
    i64,
    integer,
    of_atom,
    of_column,
    of_table,
    parts,
    pointer,
    put_i64,
    rel,
    times_of,
    u8,
    u32,
    value,
)
from shoal.live.values import FAR

LANES = at.LANES
NOTHING = -(3 << 61)
"""Stands for no mark: before every window."""


@njit(inline="always")
def lane(address, place):
    """A lane among many."""
    return carray(pointer(address + place * (8 * LANES)), (LANES,), np.int64)


@njit
def bounds(tables, k, rows, t, size, begin, end, based, ahead):
    """Where the entries of each stand; whether in the base, and whether any lies ahead. Says whether all are in the base."""
    start, many, all_based = of_table(tables, k, at.START), of_table(tables, k, at.ROWS), True
    run_at, run_count = of_table(tables, k, at.RUN_AT), of_table(tables, k, at.RUN_COUNT)
    run_base = of_table(tables, k, at.RUN_BASE)
    ts, wide, unit, zero = times_of(tables, k)
    tail = of_table(tables, k, at.TAIL_TS)
    for i in range(size):
        row = rows[i]
        b, e, base, last = np.int64(0), np.int64(0), True, np.int64(NOTHING)
        if row < many:
            b, e = np.int64(u32(start, row)), np.int64(u32(start, row + 1))
            if b >= MOVED:
                run = b - MOVED
                b = i64(run_at, run)
                e = b + i64(run_count, run)
                base = all_based = False
                if e > b:
                    last = i64(tail, e - 1)
            else:
                if e >= MOVED:
                    e = i64(run_base, e - MOVED)
                if e > b:
                    last = np.int64(i32(ts, e - 1)) * unit + zero if wide == 4 else i64(ts, e - 1)
        begin[i], end[i], based[i], ahead[i] = b, e, base, last > t[i]
    return all_based


@njit(inline="always")
def instant_at(ts, wide, unit, zero, j):
    """The instant of an entry of the base (``wide`` 4 or 8) or of the tail."""
    return np.int64(i32(ts, j)) * unit + zero if wide == 4 else i64(ts, j)


@njit
def newest(tables, k, size, begin, end, based, all_based, wanted, first, last, marks):
    """Marks without a filter."""
    ts, wide, unit, zero = times_of(tables, k)
    tail = of_table(tables, k, at.TAIL_TS)
    for m in range(first, last):
        n, mark = wanted[m], lane(marks, m)
        for i in range(size):
            x = np.int64(NOTHING)
            if end[i] - begin[i] >= n:
                in_base = all_based or based[i]
                x = instant_at(ts, wide, unit, zero, end[i] - n) if in_base else i64(tail, end[i] - n)
            mark[i] = x


@njit
def matching(tables, k, flag, size, begin, end, based, wanted, first, last, lowest, marks):
    """Marks among the matches of a filter."""
    ts, wide, unit, zero = times_of(tables, k)
    base_flags, flag_size = of_table(tables, k, at.FLAGS) + (flag >> 3), of_table(tables, k, at.FLAG_SIZE)
    tail_flags, tail = of_table(tables, k, at.TAIL_FLAGS) + (flag >> 3), of_table(tables, k, at.TAIL_TS)
    bit = np.uint8(1 << (flag & 7))
    for i in range(size):
        m, count, j = first, np.int64(0), end[i]
        flags, step, times, width, scale, origin = base_flags, flag_size, ts, wide, unit, zero
        if not based[i]:
            flags, step, times, width, scale, origin = (
                tail_flags,
                np.int64(8),
                tail,
                np.int64(8),
                np.int64(1),
                np.int64(0),
            )
        low = lowest[i]
        while j > begin[i]:
            j -= 1
            if u8(flags, j * step) & bit:
                count += 1
                if count == wanted[m]:
                    lane(marks, m)[i] = instant_at(times, width, scale, origin, j)
                    m += 1
                    if m == last:
                        break
            elif (j & 7) == 0 and instant_at(times, width, scale, origin, j) < low:
                break
        while m < last:
            lane(marks, m)[i] = NOTHING
            m += 1


@njit
def adding(tables, columns, k, flag, c, size, begin, end, based, wanted, first, last, lowest, marks):
    """Marks of totals: where the newest amounts come to so much; none is below 0."""
    ts, wide, unit, zero = times_of(tables, k)
    base_flags, flag_size = of_table(tables, k, at.FLAGS) + (max(flag, 0) >> 3), of_table(tables, k, at.FLAG_SIZE)
    tail_flags, tail = of_table(tables, k, at.TAIL_FLAGS) + (max(flag, 0) >> 3), of_table(tables, k, at.TAIL_TS)
    base, broad, missing, step = base_of(columns, c)
    bit = np.uint8(1 << (max(flag, 0) & 7))
    for i in range(size):
        m, total, j, in_base, low = first, np.int64(0), end[i], based[i], lowest[i]
        while j > begin[i] and m < last:
            j -= 1
            x = instant_at(ts, wide, unit, zero, j) if in_base else i64(tail, j)
            if x < low:
                break
            if flag >= 0 and not (u8(base_flags, j * flag_size) if in_base else u8(tail_flags, j * 8)) & bit:
                continue
            if in_base and broad == 4:
                amount = np.int64(i32(base, j))
                if amount == missing:
                    continue
                amount *= step
            else:
                amount, known = value(columns, c, j, in_base)
                if not known:
                    continue
            while m < last and amount >= wanted[m] - total:
                lane(marks, m)[i] = x
                m += 1
            total += amount if m < last else 0
        while m < last:
            lane(marks, m)[i] = NOTHING
            m += 1


@njit
def standing(columns, c, size, begin, end, based, mark):
    """The value that stands, as in the tail."""
    base, broad, missing, step = base_of(columns, c)
    for i in range(size):
        found = np.int64(at.MISSING)
        if end[i] > begin[i]:
            if based[i]:
                found = np.int64(i8(base, end[i] - 1)) if broad == 1 else integer(base, broad, end[i] - 1)
                found = at.MISSING if found == missing else found * step
            else:
                there, known = value(columns, c, end[i] - 1, False)
                if known:
                    found = there
        mark[i] = found


@njit
def compared(frames, w, mark, t, out):
    """How long a mark stands in a window yet, where nothing lies ahead."""
    low_mul, low_add = i64(frames, w * 9 + at.LOW_MUL), i64(frames, w * 9 + at.LOW_ADD)
    out_mul, out_add = i64(frames, w * 9 + at.OUT_MUL), i64(frames, w * 9 + at.OUT_ADD)
    if low_mul == 1 and out_mul == 1:
        for i in range(LANES):
            past = max(mark[i], np.int64(NOTHING)) - t[i]
            out[i] = max(past + out_add, np.int64(1)) if past >= low_add else np.int64(-FAR)
    elif low_mul == 0 and out_mul == 0 and out_add >= FAR:
        for i in range(LANES):
            out[i] = FAR if mark[i] >= low_add else -FAR
    else:
        for i in range(LANES):
            number_ = np.int64(-FAR)
            if mark[i] >= low_mul * t[i] + low_add:
                number_ = rel(out_mul * mark[i] + out_add, t[i])
            out[i] = number_


@njit
def told(atoms, a, mark, size, out):
    """Whether the value that stands makes it true."""
    truth, many = of_atom(atoms, a, at.TRUTH), of_atom(atoms, a, at.MANY)
    of_missing = np.int64(FAR if of_atom(atoms, a, at.OF_MISSING) != 0 else -FAR)
    if of_atom(atoms, a, at.WORDS) != 0:
        for i in range(size):
            found = mark[i]
            if found < 0:
                out[i] = of_missing
            elif found >= many:
                out[i] = 0
            else:
                out[i] = FAR if u8(truth, found) != 0 else -FAR
        return
    if many == 1:
        low, high = i64(truth, 0), i64(truth, 1)
        for i in range(LANES):
            found = mark[i]
            out[i] = of_missing if found == at.MISSING else FAR if low <= found and found <= high else -FAR
        return
    for i in range(size):
        found, inside = mark[i], False
        for p in range(many):
            inside = inside or (i64(truth, 2 * p) <= found and found <= i64(truth, 2 * p + 1))
        out[i] = of_missing if found == at.MISSING else FAR if inside else -FAR


@njit
def lowest_of(frames, reach, first, last, t, out):
    """Before which instants no window of a stream looks."""
    for i in range(LANES):
        out[i] = FAR
    for r in range(first, last):
        w = reach[r]
        low_mul, low_add = i64(frames, w * 9 + at.LOW_MUL), i64(frames, w * 9 + at.LOW_ADD)
        for i in range(LANES):
            out[i] = min(out[i], low_mul * t[i] + low_add)


@njit
def worked_out(code, begin, end, lanes, stack, tops):
    """A segment's numbers: where they stand."""
    sp = 0
    for p in range(begin, end):
        op, arg = i32(code, 2 * p), np.int64(i32(code, 2 * p + 1))
        if op == at.PUSH:
            tops[sp] = lanes + arg * (8 * LANES)
            sp += 1
            continue
        if op != at.AND and op != at.OR and op != at.NOT:
            continue
        if op != at.NOT:
            sp -= 1
        to, first = lane(stack, sp - 1), lane(tops[sp - 1], 0)
        if op == at.AND:
            other = lane(tops[sp], 0)
            for i in range(LANES):
                to[i] = min(first[i], other[i])
        elif op == at.OR:
            other = lane(tops[sp], 0)
            for i in range(LANES):
                to[i] = max(first[i], other[i])
        else:
            for i in range(LANES):
                to[i] = -first[i]
        tops[sp - 1] = stack + (sp - 1) * (8 * LANES)
    return tops[0]


@cached
def block(
    context,
    segments,
    spans,
    streams,
    wanted,
    reach,
    compares,
    truths,
    others,
    work,
    tops,
    rows,
    t,
    odd,
    out,
    filled,
    quiet,
):
    """Judge segments of many customers.

    Args:
        context: addresses (``layout``).
        segments: the segments.
        spans, streams, wanted, reach, compares, truths, others: what their atoms ask (``work.Work``).
        work: room for the lanes of atoms, marks and the stack.
        tops: room for the stack's addresses.
        rows, t: the customers, and the instant of each.
        odd: set where the interpreter has to be asked.
        out, filled: what changed, and how much of it.
        quiet: whether what changes isn't told.

    Returns:
        How many customers are done: fewer than all where ``out`` is full.
    """
    tables, columns, atoms, frames, turns, code = parts(context)
    words = carray(pointer(context[at.X_BITS]), (1 << 50, context[at.N_SLOTS]), np.uint64)
    starts = carray(pointer(context[at.X_STARTS]), (1 << 40,), np.int64)
    slots = carray(pointer(context[at.X_SLOTS]), (1 << 40,), np.int64)
    lanes = work.ctypes.data
    marks = lanes + context[at.N_ATOMS] * (8 * LANES)
    stack = marks + (wanted.size + 1) * (8 * LANES)
    many = spans.size
    begin, end = np.empty((many, LANES), np.int64), np.empty((many, LANES), np.int64)
    based, ahead = np.ones((many, LANES), np.bool_), np.zeros((many, LANES), np.bool_)
    all_based, any_ahead = np.zeros(many, np.bool_), np.zeros(many, np.bool_)
    shortest, exists, now = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    lowest, numbers, bad = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64), np.zeros(LANES, np.bool_)
    for first in range(0, rows.size, LANES):
        size = min(LANES, rows.size - first)
        if out.shape[0] - filled[0] < size * segments.size and not quiet:
            return first
        r = rows[first : first + size]
        for i in range(size):
            now[i] = t[first + i]
            e = i64(context[at.X_EXISTS], r[i])
            exists[i] = FAR if e <= now[i] else -rel(e, now[i])
            bad[i] = False
        for i in range(LANES):
            shortest[i] = FAR
        for s in range(many):
            all_based[s] = bounds(tables, spans[s], r, now, size, begin[s], end[s], based[s], ahead[s])
            any_ahead[s] = ahead[s, :size].any()
        for s in range(streams.shape[0]):
            sort, p, k, flag, c = streams[s, 0], streams[s, 1], streams[s, 2], streams[s, 3], streams[s, 4]
            m0, m1, r0, r1 = streams[s, 5], streams[s, 6], streams[s, 7], streams[s, 8]
            if sort == at.TRAIT:
                standing(columns, c, size, begin[p], end[p], based[p], lane(marks, m0))
            elif sort == at.KTH and flag < 0:
                newest(tables, k, size, begin[p], end[p], based[p], all_based[p], wanted, m0, m1, marks)
            else:
                lowest_of(frames, reach, r0, r1, now, lowest)
                if sort == at.KTH:
                    matching(tables, k, flag, size, begin[p], end[p], based[p], wanted, m0, m1, lowest, marks)
                else:
                    adding(tables, columns, k, flag, c, size, begin[p], end[p], based[p], wanted, m0, m1, lowest, marks)
        for j in range(compares.shape[0]):
            a, p, m, w, checked = compares[j, 0], compares[j, 1], compares[j, 2], compares[j, 3], compares[j, 4]
            to, mark = lane(lanes, a), lane(marks, m)
            compared(frames, w, mark, now, to)
            c = compares[j, 5]
            signed = c >= 0 and i64(of_column(columns, c, at.SIGNED), 0) != 0
            if any_ahead[p] or checked != 0 or signed:
                for i in range(size):
                    if ahead[p, i] or signed or (checked != 0 and mark[i] > now[i]):
                        to[i] = number(atoms, a, tables, columns, frames, turns, r[i], now[i])
                        bad[i] |= to[i] == 0
        for j in range(truths.shape[0]):
            a, p, m = truths[j, 0], truths[j, 1], truths[j, 2]
            to = lane(lanes, a)
            told(atoms, a, lane(marks, m), size, to)
            for i in range(size):
                if ahead[p, i]:
                    to[i] = number(atoms, a, tables, columns, frames, turns, r[i], now[i])
                bad[i] |= to[i] == 0
        for a in others:
            to = lane(lanes, a)
            for i in range(size):
                to[i] = number(atoms, a, tables, columns, frames, turns, r[i], now[i])
                bad[i] |= to[i] == 0
        straight = size == LANES and r[0] & 63 == 0 and r[LANES - 1] == r[0] + 63
        for s in segments:
            found = lane(worked_out(code, starts[s], starts[s + 1], lanes, stack, tops), 0)
            for i in range(LANES):
                least = min(found[i], exists[i])
                numbers[i] = least
                shortest[i] = min(shortest[i], abs(least))
            word = np.uint64(0)
            for i in range(LANES):
                word |= np.uint64(numbers[i] > 0) << np.uint64(i)
            slot = slots[s]
            if straight and (quiet or word == words[r[0] >> 6, slot]):
                words[r[0] >> 6, slot] = word
                continue
            for i in range(size):
                truth = word >> np.uint64(i) & np.uint64(1)
                place, here = r[i] >> 6, np.uint64(r[i] & 63)
                if truth != words[place, slot] >> here & np.uint64(1) and not bad[i]:
                    words[place, slot] ^= np.uint64(1) << here
                    if not quiet:
                        o = filled[0]
                        out[o, 0], out[o, 1], out[o, 2] = r[i], 4 * s + np.int64(truth), now[i]
                        filled[0] = o + 1
        for i in range(size):
            odd[first + i] = bad[i]
            if shortest[i] < FAR and not bad[i]:
                due = now[i] + shortest[i]
                if due < i64(context[at.X_DUES], r[i]):
                    put_i64(context[at.X_DUES], r[i], due)
    return rows.size
