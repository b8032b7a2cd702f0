"""Segments of one customer, each atom only where it is needed."""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import carray, njit

from shoal.live import layout as at
from shoal.live.caching import cached
from shoal.live.loops.atoms import number
from shoal.live.loops.memory import i32, i64, parts, pointer, put_due, rel
from shoal.live.values import FAR


@njit
def judge(atoms, tables, columns, frames, turns, code, begin, end, row, t, values, stamps, stamp, stack):
    """One segment of one customer, only the atoms that it takes; 0: ask the interpreter."""
    sp, p = 0, begin
    while p < end:
        op, arg = i32(code, 2 * p), np.int64(i32(code, 2 * p + 1))
        p += 1
        if op == at.PUSH:
            if stamps[arg] != stamp:
                stamps[arg] = stamp
                values[arg] = number(atoms, arg, tables, columns, frames, turns, row, t)
            if values[arg] == 0:
                return np.int64(0)
            stack[sp] = values[arg]
            sp += 1
        elif op == at.AND:
            sp -= 1
            stack[sp - 1] = min(stack[sp - 1], stack[sp])
        elif op == at.OR:
            sp -= 1
            stack[sp - 1] = max(stack[sp - 1], stack[sp])
        elif op == at.NOT:
            stack[sp - 1] = -stack[sp - 1]
        elif (op == at.UNLESS_FALSE and stack[sp - 1] == -FAR) or (op == at.UNLESS_TRUE and stack[sp - 1] == FAR):
            p = arg
    return stack[0]


@cached
def single(context, lists, bounds, rows, which, now, values, stamps, stack, out, filled, odd):
    """Judge, customer by customer, the segments of a list: ``lists[bounds[which[i]] : bounds[which[i] + 1]]``.

    Returns how many customers are done: fewer than all where ``out`` is full.
    """
    tables, columns, atoms, frames, turns, code = parts(context)
    words = carray(pointer(context[at.X_BITS]), (1 << 50, context[at.N_SLOTS]), np.uint64)
    for i in range(rows.size):
        row, t = rows[i], now[i] if now.size > 1 else now[0]
        stamps[stamps.size - 1] += 1
        stamp = stamps[stamps.size - 1]
        begin, end = bounds[which[i]], bounds[which[i] + 1]
        if out.shape[0] - filled[0] < end - begin:
            return i
        e = i64(context[at.X_EXISTS], row)
        exists = np.int64(FAR) if e <= t else -rel(e, t)
        shortest = np.int64(FAR)
        bit = np.uint64(1) << np.uint64(row & 63)
        odd[i] = False
        for j in range(begin, end):
            s = lists[j]
            code_begin, code_end = i64(context[at.X_STARTS], s), i64(context[at.X_STARTS], s + 1)
            found = judge(
                atoms, tables, columns, frames, turns, code, code_begin, code_end, row, t, values, stamps, stamp, stack
            )
            if found == 0:
                odd[i] = True
                continue
            found = min(found, exists)
            shortest = min(shortest, abs(found))
            slot = i64(context[at.X_SLOTS], s)
            truth = found > 0
            if truth != (words[row >> 6, slot] & bit != 0):
                words[row >> 6, slot] ^= bit
                o = filled[0]
                out[o, 0], out[o, 1], out[o, 2] = row, 4 * s + truth, t
                filled[0] = o + 1
        if shortest < FAR:
            put_due(context, row, t + shortest)
    return rows.size
