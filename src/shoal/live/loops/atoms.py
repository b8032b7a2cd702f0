"""Atoms of one customer: the number of each (see ``forms``); 0 means that the interpreter has to be asked."""
# mypy: ignore-errors
# ruff: noqa: C901

from __future__ import annotations

import numpy as np
from numba import njit

from shoal.live import layout as at
from shoal.live.loops.memory import (
    coming_in,
    end_of,
    going,
    i64,
    instant,
    matches,
    of_atom,
    of_column,
    rel,
    span,
    u8,
    until_in,
    upper,
    value,
)
from shoal.live.values import FAR

DAY = 86_400_000_000


@njit
def kth(atoms, a, tables, frames, row, t):
    k, flag, w, n = (
        of_atom(atoms, a, at.TABLE),
        of_atom(atoms, a, at.FLAG),
        of_atom(atoms, a, at.WINDOW),
        of_atom(atoms, a, at.K),
    )
    begin, end_all, based = span(tables, k, row)
    if begin == end_all:
        return np.int64(-FAR)
    low = i64(frames, w * 9 + at.LOW_MUL) * t + i64(frames, w * 9 + at.LOW_ADD)
    end = upper(tables, k, begin, end_all, based, end_of(frames, w, t))
    if flag < 0:
        if end - n >= begin:
            x = instant(tables, k, end - n, based)
            if x >= low:
                return going(frames, w, x, t)
    else:
        left, i = n, end
        while i > begin:
            i -= 1
            if matches(tables, k, i, based, flag):
                left -= 1
                if left == 0:
                    x = instant(tables, k, i, based)
                    if x >= low:
                        return going(frames, w, x, t)
                    break
            elif (i & 7) == 0 and instant(tables, k, i, based) < low:
                break
    if end == end_all:
        return np.int64(-FAR)
    return -until_in(tables, k, end, end_all, based, flag, frames, w, t)


@njit
def total(atoms, a, tables, columns, frames, row, t):
    k, flag, w, x_wanted, c = (
        of_atom(atoms, a, at.TABLE),
        of_atom(atoms, a, at.FLAG),
        of_atom(atoms, a, at.WINDOW),
        of_atom(atoms, a, at.K),
        of_atom(atoms, a, at.COLUMN),
    )
    begin, end_all, based = span(tables, k, row)
    if i64(of_column(columns, c, at.SIGNED), 0) != 0:
        for i in range(begin, end_all):
            amount, known = value(columns, c, i, based)
            if known and amount < 0:
                return np.int64(0)
    if x_wanted <= 0:
        return np.int64(FAR)
    if begin == end_all:
        return np.int64(-FAR)
    low = i64(frames, w * 9 + at.LOW_MUL) * t + i64(frames, w * 9 + at.LOW_ADD)
    end = upper(tables, k, begin, end_all, based, end_of(frames, w, t))
    left, i = x_wanted, end
    while i > begin:
        i -= 1
        x = instant(tables, k, i, based)
        if x < low:
            break
        if matches(tables, k, i, based, flag):
            amount, known = value(columns, c, i, based)
            if known:
                if amount >= left:
                    return going(frames, w, x, t)
                left -= amount
    if end == end_all:
        return np.int64(-FAR)
    for i in range(end, end_all):
        if matches(tables, k, i, based, flag):
            amount, known = value(columns, c, i, based)
            if known:
                return -rel(coming_in(frames, w, instant(tables, k, i, based)), t)
    return np.int64(-FAR)


@njit
def days(atoms, a, tables, frames, turns, row, t):
    k, flag, w, n = (
        of_atom(atoms, a, at.TABLE),
        of_atom(atoms, a, at.FLAG),
        of_atom(atoms, a, at.WINDOW),
        of_atom(atoms, a, at.K),
    )
    begin, end_all, based = span(tables, k, row)
    if begin == end_all:
        return np.int64(-FAR)
    low = i64(frames, w * 9 + at.LOW_MUL) * t + i64(frames, w * 9 + at.LOW_ADD)
    end = upper(tables, k, begin, end_all, based, end_of(frames, w, t))
    last, left, i = np.int64(-(1 << 40)), n, end
    z = i64(turns, 0)
    ahead = i64(turns, 2 * z)
    while i > begin:
        i -= 1
        x = instant(tables, k, i, based)
        if x < low:
            break
        if matches(tables, k, i, based, flag):
            while z > 0 and i64(turns, 2 * z) > x:
                z -= 1
            if z <= 0 or x >= ahead:
                return np.int64(0)
            day = (x + i64(turns, 2 * z + 1)) // DAY
            if day != last:
                last = day
                left -= 1
                if left == 0:
                    return going(frames, w, x, t)
    if end == end_all:
        return np.int64(-FAR)
    return -until_in(tables, k, end, end_all, based, flag, frames, w, t)


@njit
def stands(frames, w, x, t):
    """Whether an instant is in the window, and until when."""
    if x < i64(frames, w * 9 + at.LOW_MUL) * t + i64(frames, w * 9 + at.LOW_ADD):
        return np.int64(-FAR)
    if x >= end_of(frames, w, t):
        return -rel(coming_in(frames, w, x), t)
    return going(frames, w, x, t)


@njit
def first_match(atoms, a, tables, frames, row, t):
    k = of_atom(atoms, a, at.TABLE)
    begin, end, based = span(tables, k, row)
    for i in range(begin, end):
        if matches(tables, k, i, based, of_atom(atoms, a, at.FLAG)):
            return stands(frames, of_atom(atoms, a, at.WINDOW), instant(tables, k, i, based), t)
    return np.int64(-FAR)


@njit
def age(atoms, a, tables, row, t):
    k, flag, n = (
        of_atom(atoms, a, at.TABLE),
        of_atom(atoms, a, at.FLAG),
        of_atom(atoms, a, at.K),
    )
    begin, end_all, based = span(tables, k, row)
    end = upper(tables, k, begin, end_all, based, t + 1)
    coming = np.int64(FAR)
    for i in range(end, end_all):
        if matches(tables, k, i, based, flag):
            coming = instant(tables, k, i, based)
            break
    place = np.int64(-1)
    if of_atom(atoms, a, at.SORT) == at.AGE_LAST:
        i = end
        while i > begin:
            i -= 1
            if matches(tables, k, i, based, flag):
                place = i
                break
    else:
        for i in range(begin, end):
            if matches(tables, k, i, based, flag):
                place = i
                break
    if place < 0:
        return -rel(coming, t)
    x = instant(tables, k, place, based)
    if t - x >= n:
        return rel(coming, t) if of_atom(atoms, a, at.SORT) == at.AGE_LAST else np.int64(FAR)
    return -rel(min(coming, x + n), t)


@njit
def trait(atoms, a, tables, columns, frames, row, t):
    k, c = of_atom(atoms, a, at.TABLE), of_atom(atoms, a, at.COLUMN)
    begin, end_all, based = span(tables, k, row)
    end = upper(tables, k, begin, end_all, based, t + 1)
    coming = np.int64(FAR)
    if end < end_all:
        coming = instant(tables, k, end, based)
    coming = rel(coming, t)
    known, found = False, np.int64(0)
    if end > begin:
        found, known = value(columns, c, end - 1, based)
    sort = of_atom(atoms, a, at.SORT)
    if sort == at.TRAIT:
        truth = of_atom(atoms, a, at.OF_MISSING) != 0
        if known:
            truth = False
            if of_atom(atoms, a, at.WORDS) != 0:
                if found >= of_atom(atoms, a, at.MANY):
                    return np.int64(0)
                truth = u8(of_atom(atoms, a, at.TRUTH), found) != 0
            else:
                for i in range(of_atom(atoms, a, at.MANY)):
                    first = i64(of_atom(atoms, a, at.TRUTH), 2 * i)
                    truth = truth or (first <= found and found <= i64(of_atom(atoms, a, at.TRUTH), 2 * i + 1))
        return coming if truth else -coming
    if not known:
        return -coming
    if of_atom(atoms, a, at.MANY) > 0:
        if found < of_atom(atoms, a, at.OF_MISSING) or found >= i64(atoms, a * at.ATOM_WIDTH + at.OF_MISSING) + of_atom(
            atoms, a, at.MANY
        ):
            return np.int64(0)
        found = i64(of_atom(atoms, a, at.TRUTH), found - of_atom(atoms, a, at.OF_MISSING))
    if sort == at.WHEN:
        number = stands(frames, of_atom(atoms, a, at.WINDOW), found, t)
        return min(number, coming) if number > 0 else max(number, -coming)
    if t - found >= of_atom(atoms, a, at.K):
        return coming
    return -min(coming, found + of_atom(atoms, a, at.K) - t)


@njit
def number(atoms, a, tables, columns, frames, turns, row, t):
    sort = of_atom(atoms, a, at.SORT)
    if sort == at.KTH:
        return kth(atoms, a, tables, frames, row, t)
    if sort == at.TOTAL:
        return total(atoms, a, tables, columns, frames, row, t)
    if sort >= at.TRAIT:
        return trait(atoms, a, tables, columns, frames, row, t)
    if sort == at.DAYS:
        return days(atoms, a, tables, frames, turns, row, t)
    if sort == at.FIRST:
        return first_match(atoms, a, tables, frames, row, t)
    if sort == at.ALWAYS:
        return np.int64(FAR)
    return age(atoms, a, tables, row, t)
