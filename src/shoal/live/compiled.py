"""Loops for numba: atoms of one customer, segments of many, and events into tables. See ``machine`` for what they are given.

Everything stands at addresses that rows of integers name (``layout``), so that a call takes a handful of arguments however
many tables there are. Each loop gives the numbers of ``plain``; 0 means that the interpreter has to be asked.
"""
# mypy: ignore-errors
# ruff: noqa: C901

from __future__ import annotations

import numpy as np
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from shoal.live import layout as at
from shoal.live.caching import cached
from shoal.live.values import FAR

DAY = 86_400_000_000
MOVED = 1 << 31
NO_FLAG = -1


@intrinsic
def _pointer(typingctx, address):
    """An address as a pointer."""

    def codegen(target, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


def _loader(kind):
    size = 1 << 60

    @njit(inline="always")
    def load(address, index):
        return carray(_pointer(address), (size,), kind)[index]

    return load


def _storer(kind):
    size = 1 << 60

    @njit(inline="always")
    def store(address, index, value):
        carray(_pointer(address), (size,), kind)[index] = value

    return store


_i8, _u8, _i32, _u32 = _loader(np.int8), _loader(np.uint8), _loader(np.int32), _loader(np.uint32)
_i64, _u64 = _loader(np.int64), _loader(np.uint64)
_put_i32, _put_u32 = _storer(np.int32), _storer(np.uint32)
_put_i64, _put_u64 = _storer(np.int64), _storer(np.uint64)


@njit
def _integer(address, size, index):
    if size == 4:
        return np.int64(_i32(address, index))
    if size == 8:
        return _i64(address, index)
    return np.int64(_i8(address, index))


@njit
def _of_table(tables, k, what):
    return _i64(tables, k * at.TABLE_WIDTH + what)


@njit
def _of_column(columns, c, what):
    return _i64(columns, c * at.COLUMN_WIDTH + what)


@njit
def _of_atom(atoms, a, what):
    return _i64(atoms, a * at.ATOM_WIDTH + what)


@njit
def _span(tables, k, row):
    """Where a customer's entries stand: begin, end, and whether in the base."""
    if row >= _of_table(tables, k, at.ROWS):
        return np.int64(0), np.int64(0), True
    begin = np.int64(_u32(_of_table(tables, k, at.START), row))
    if begin < MOVED:
        end = np.int64(_u32(_of_table(tables, k, at.START), row + 1))
        if end >= MOVED:
            end = _i64(_of_table(tables, k, at.RUN_BASE), end - MOVED)
        return begin, end, True
    run = begin - MOVED
    begin = _i64(_of_table(tables, k, at.RUN_AT), run)
    return begin, begin + _i64(_of_table(tables, k, at.RUN_COUNT), run), False


@njit
def _ts(tables, k, i, based):
    if based:
        if _of_table(tables, k, at.TS_SIZE) == 4:
            return np.int64(_i32(_of_table(tables, k, at.TS), i)) * _i64(
                tables, k * at.TABLE_WIDTH + at.UNIT
            ) + _of_table(tables, k, at.ZERO)
        return _i64(_of_table(tables, k, at.TS), i)
    return _i64(_of_table(tables, k, at.TAIL_TS), i)


@njit
def _matches(tables, k, i, based, flag):
    if flag < 0:
        return True
    if not based:
        return (_u64(_of_table(tables, k, at.TAIL_FLAGS), i) >> np.uint64(flag)) & np.uint64(1) != 0
    if _of_table(tables, k, at.FLAG_SIZE) == 1:
        return (np.int64(_u8(_of_table(tables, k, at.FLAGS), i)) >> flag) & 1 != 0
    return (_u64(_of_table(tables, k, at.FLAGS), i) >> np.uint64(flag)) & np.uint64(1) != 0


@njit
def _value(columns, c, i, based):
    """A column's value as in the tail, and whether it is known."""
    if based:
        found = _integer(_of_column(columns, c, at.BASE), _of_column(columns, c, at.SIZE), i)
        if found == _of_column(columns, c, at.BASE_MISSING):
            return np.int64(0), False
        return found * _of_column(columns, c, at.COLUMN_UNIT), True
    found = _i64(_of_column(columns, c, at.TAIL), i)
    return found, found != _of_column(columns, c, at.TAIL_MISSING)


@njit
def _rel(until, t):
    if until >= FAR:
        return np.int64(FAR)
    return max(until - t, np.int64(1))


@njit
def _high(frames, w, t):
    return min(_i64(frames, w * 9 + at.HIGH_MUL) * t + _i64(frames, w * 9 + at.HIGH_ADD), _i64(frames, w * 9 + at.CAP))


@njit
def _coming_in(frames, w, x):
    if x >= _i64(frames, w * 9 + at.CAP):
        return np.int64(FAR)
    return _i64(frames, w * 9 + at.IN_MUL) * x + _i64(frames, w * 9 + at.IN_ADD)


@njit
def _going(frames, w, x, t):
    return _rel(_i64(frames, w * 9 + at.OUT_MUL) * x + _i64(frames, w * 9 + at.OUT_ADD), t)


@njit
def _until_in(tables, k, end, end_all, based, flag, frames, w, t):
    """How long until the next match beyond the window comes in."""
    for i in range(end, end_all):
        if _matches(tables, k, i, based, flag):
            return _rel(_coming_in(frames, w, _ts(tables, k, i, based)), t)
    return np.int64(FAR)


@njit
def _upper(tables, k, begin, end, based, high):
    """Where the entries before ``high`` end."""
    if end == begin or _ts(tables, k, end - 1, based) < high:
        return end
    low, top = begin, end - 1
    while low < top:
        middle = (low + top) >> 1
        if _ts(tables, k, middle, based) < high:
            low = middle + 1
        else:
            top = middle
    return low


@njit
def _kth(atoms, a, tables, frames, row, t):
    k, flag, w, n = (
        _of_atom(atoms, a, at.TABLE),
        _of_atom(atoms, a, at.FLAG),
        _of_atom(atoms, a, at.WINDOW),
        _of_atom(atoms, a, at.K),
    )
    begin, end_all, based = _span(tables, k, row)
    if begin == end_all:
        return np.int64(-FAR)
    low = _i64(frames, w * 9 + at.LOW_MUL) * t + _i64(frames, w * 9 + at.LOW_ADD)
    end = _upper(tables, k, begin, end_all, based, _high(frames, w, t))
    if flag < 0:
        if end - n >= begin:
            x = _ts(tables, k, end - n, based)
            if x >= low:
                return _going(frames, w, x, t)
    else:
        left, i = n, end
        while i > begin:
            i -= 1
            if _matches(tables, k, i, based, flag):
                left -= 1
                if left == 0:
                    x = _ts(tables, k, i, based)
                    if x >= low:
                        return _going(frames, w, x, t)
                    break
            elif (i & 7) == 0 and _ts(tables, k, i, based) < low:
                break
    if end == end_all:
        return np.int64(-FAR)
    return -_until_in(tables, k, end, end_all, based, flag, frames, w, t)


@njit
def _total(atoms, a, tables, columns, frames, row, t):
    k, flag, w, x_wanted, c = (
        _of_atom(atoms, a, at.TABLE),
        _of_atom(atoms, a, at.FLAG),
        _of_atom(atoms, a, at.WINDOW),
        _of_atom(atoms, a, at.K),
        _of_atom(atoms, a, at.COLUMN),
    )
    begin, end_all, based = _span(tables, k, row)
    if _i64(_of_column(columns, c, at.SIGNED), 0) != 0:
        for i in range(begin, end_all):
            amount, known = _value(columns, c, i, based)
            if known and amount < 0:
                return np.int64(0)
    if x_wanted <= 0:
        return np.int64(FAR)
    if begin == end_all:
        return np.int64(-FAR)
    low = _i64(frames, w * 9 + at.LOW_MUL) * t + _i64(frames, w * 9 + at.LOW_ADD)
    end = _upper(tables, k, begin, end_all, based, _high(frames, w, t))
    left, i = x_wanted, end
    while i > begin:
        i -= 1
        x = _ts(tables, k, i, based)
        if x < low:
            break
        if _matches(tables, k, i, based, flag):
            amount, known = _value(columns, c, i, based)
            if known:
                if amount >= left:
                    return _going(frames, w, x, t)
                left -= amount
    if end == end_all:
        return np.int64(-FAR)
    for i in range(end, end_all):
        if _matches(tables, k, i, based, flag):
            amount, known = _value(columns, c, i, based)
            if known:
                return -_rel(_coming_in(frames, w, _ts(tables, k, i, based)), t)
    return np.int64(-FAR)


@njit
def _days(atoms, a, tables, frames, turns, row, t):
    k, flag, w, n = (
        _of_atom(atoms, a, at.TABLE),
        _of_atom(atoms, a, at.FLAG),
        _of_atom(atoms, a, at.WINDOW),
        _of_atom(atoms, a, at.K),
    )
    begin, end_all, based = _span(tables, k, row)
    if begin == end_all:
        return np.int64(-FAR)
    low = _i64(frames, w * 9 + at.LOW_MUL) * t + _i64(frames, w * 9 + at.LOW_ADD)
    end = _upper(tables, k, begin, end_all, based, _high(frames, w, t))
    last, left, i = np.int64(-(1 << 40)), n, end
    z = _i64(turns, 0)
    ahead = _i64(turns, 2 * z)
    while i > begin:
        i -= 1
        x = _ts(tables, k, i, based)
        if x < low:
            break
        if _matches(tables, k, i, based, flag):
            while z > 0 and _i64(turns, 2 * z) > x:
                z -= 1
            if z <= 0 or x >= ahead:
                return np.int64(0)
            day = (x + _i64(turns, 2 * z + 1)) // DAY
            if day != last:
                last = day
                left -= 1
                if left == 0:
                    return _going(frames, w, x, t)
    if end == end_all:
        return np.int64(-FAR)
    return -_until_in(tables, k, end, end_all, based, flag, frames, w, t)


@njit
def _stands(frames, w, x, t):
    """Whether an instant is in the window, and until when."""
    if x < _i64(frames, w * 9 + at.LOW_MUL) * t + _i64(frames, w * 9 + at.LOW_ADD):
        return np.int64(-FAR)
    if x >= _high(frames, w, t):
        return -_rel(_coming_in(frames, w, x), t)
    return _going(frames, w, x, t)


@njit
def _first(atoms, a, tables, frames, row, t):
    k = _of_atom(atoms, a, at.TABLE)
    begin, end, based = _span(tables, k, row)
    for i in range(begin, end):
        if _matches(tables, k, i, based, _of_atom(atoms, a, at.FLAG)):
            return _stands(frames, _of_atom(atoms, a, at.WINDOW), _ts(tables, k, i, based), t)
    return np.int64(-FAR)


@njit
def _age(atoms, a, tables, row, t):
    k, flag, n = (
        _of_atom(atoms, a, at.TABLE),
        _of_atom(atoms, a, at.FLAG),
        _of_atom(atoms, a, at.K),
    )
    begin, end_all, based = _span(tables, k, row)
    end = _upper(tables, k, begin, end_all, based, t + 1)
    coming = np.int64(FAR)
    for i in range(end, end_all):
        if _matches(tables, k, i, based, flag):
            coming = _ts(tables, k, i, based)
            break
    place = np.int64(-1)
    if _of_atom(atoms, a, at.SORT) == at.AGE_LAST:
        i = end
        while i > begin:
            i -= 1
            if _matches(tables, k, i, based, flag):
                place = i
                break
    else:
        for i in range(begin, end):
            if _matches(tables, k, i, based, flag):
                place = i
                break
    if place < 0:
        return -_rel(coming, t)
    x = _ts(tables, k, place, based)
    if t - x >= n:
        return _rel(coming, t) if _of_atom(atoms, a, at.SORT) == at.AGE_LAST else np.int64(FAR)
    return -_rel(min(coming, x + n), t)


@njit
def _trait(atoms, a, tables, columns, frames, row, t):
    k, c = _of_atom(atoms, a, at.TABLE), _of_atom(atoms, a, at.COLUMN)
    begin, end_all, based = _span(tables, k, row)
    end = _upper(tables, k, begin, end_all, based, t + 1)
    coming = np.int64(FAR)
    if end < end_all:
        coming = _ts(tables, k, end, based)
    coming = _rel(coming, t)
    known, found = False, np.int64(0)
    if end > begin:
        found, known = _value(columns, c, end - 1, based)
    sort = _of_atom(atoms, a, at.SORT)
    if sort == at.TRAIT:
        truth = _of_atom(atoms, a, at.OF_MISSING) != 0
        if known:
            truth = False
            if _of_atom(atoms, a, at.WORDS) != 0:
                if found >= _of_atom(atoms, a, at.MANY):
                    return np.int64(0)
                truth = _u8(_of_atom(atoms, a, at.TRUTH), found) != 0
            else:
                for i in range(_of_atom(atoms, a, at.MANY)):
                    first = _i64(_of_atom(atoms, a, at.TRUTH), 2 * i)
                    truth = truth or (first <= found and found <= _i64(_of_atom(atoms, a, at.TRUTH), 2 * i + 1))
        return coming if truth else -coming
    if not known:
        return -coming
    if _of_atom(atoms, a, at.MANY) > 0:
        if found < _of_atom(atoms, a, at.OF_MISSING) or found >= _i64(
            atoms, a * at.ATOM_WIDTH + at.OF_MISSING
        ) + _of_atom(atoms, a, at.MANY):
            return np.int64(0)
        found = _i64(_of_atom(atoms, a, at.TRUTH), found - _of_atom(atoms, a, at.OF_MISSING))
    if sort == at.WHEN:
        number = _stands(frames, _of_atom(atoms, a, at.WINDOW), found, t)
        return min(number, coming) if number > 0 else max(number, -coming)
    if t - found >= _of_atom(atoms, a, at.K):
        return coming
    return -min(coming, found + _of_atom(atoms, a, at.K) - t)


@njit
def _number(atoms, a, tables, columns, frames, turns, row, t):
    sort = _of_atom(atoms, a, at.SORT)
    if sort == at.KTH:
        return _kth(atoms, a, tables, frames, row, t)
    if sort == at.TOTAL:
        return _total(atoms, a, tables, columns, frames, row, t)
    if sort >= at.TRAIT:
        return _trait(atoms, a, tables, columns, frames, row, t)
    if sort == at.DAYS:
        return _days(atoms, a, tables, frames, turns, row, t)
    if sort == at.FIRST:
        return _first(atoms, a, tables, frames, row, t)
    if sort == at.ALWAYS:
        return np.int64(FAR)
    return _age(atoms, a, tables, row, t)


@njit
def _base(tables, k):
    """The starts, instants and flags of a base that holds instants in 32 bits and eight filters at most."""
    start = carray(_pointer(_of_table(tables, k, at.START)), (1 << 40,), np.uint32)
    ts = carray(_pointer(_of_table(tables, k, at.TS)), (1 << 40,), np.int32)
    return start, ts, carray(_pointer(_of_table(tables, k, at.FLAGS)), (1 << 40,), np.uint8)


@njit
def _kth_column(atoms, a, tables, columns, frames, turns, rows, t, out, size):
    """``_kth`` of many: without ado of those in a narrow base of whom nothing lies ahead."""
    k, flag, w, n = (
        _of_atom(atoms, a, at.TABLE),
        _of_atom(atoms, a, at.FLAG),
        _of_atom(atoms, a, at.WINDOW),
        _of_atom(atoms, a, at.K),
    )
    start, ts, flags = _base(tables, k)
    low_mul, low_add = _i64(frames, w * 9 + at.LOW_MUL), _i64(frames, w * 9 + at.LOW_ADD)
    high_mul, high_add, cap = (
        _i64(frames, w * 9 + at.HIGH_MUL),
        _i64(frames, w * 9 + at.HIGH_ADD),
        _i64(frames, w * 9 + at.CAP),
    )
    out_mul, out_add = _i64(frames, w * 9 + at.OUT_MUL), _i64(frames, w * 9 + at.OUT_ADD)
    unit, zero, many = (
        _of_table(tables, k, at.UNIT),
        _of_table(tables, k, at.ZERO),
        _of_table(tables, k, at.ROWS),
    )
    bit = np.uint8(1 << max(flag, 0))
    for i in range(size):
        row, now = rows[i], t[i]
        if row >= many:
            out[i] = -FAR
            continue
        begin, end = np.int64(start[row]), np.int64(start[row + 1])
        if end - begin < n and end < MOVED:
            out[i] = -FAR
            continue
        high = min(high_mul * now + high_add, cap)
        if begin >= MOVED or end >= MOVED or (np.int64(ts[end - 1]) * unit + zero) >= high:
            out[i] = _kth(atoms, a, tables, frames, row, now)
            continue
        low = low_mul * now + low_add
        number = np.int64(-FAR)
        if flag < 0:
            if end - n >= begin:
                x = np.int64(ts[end - n]) * unit + zero
                if x >= low:
                    number = _rel(out_mul * x + out_add, now)
        elif end - begin >= n:
            left, j = n, end
            while j > begin:
                j -= 1
                if flags[j] & bit:
                    left -= 1
                    if left == 0:
                        x = np.int64(ts[j]) * unit + zero
                        if x >= low:
                            number = _rel(out_mul * x + out_add, now)
                        break
                elif (j & 7) == 0 and (np.int64(ts[j]) * unit + zero) < low:
                    break
        out[i] = number


@njit
def _total_column(atoms, a, tables, columns, frames, turns, rows, t, out, size):
    """``_total`` of many, likewise, where no amount is below 0 and each has 32 bits."""
    k, flag, w, wanted = (
        _of_atom(atoms, a, at.TABLE),
        _of_atom(atoms, a, at.FLAG),
        _of_atom(atoms, a, at.WINDOW),
        _of_atom(atoms, a, at.K),
    )
    c = _of_atom(atoms, a, at.COLUMN)
    start, ts, flags = _base(tables, k)
    amounts = carray(_pointer(_of_column(columns, c, at.BASE)), (1 << 40,), np.int32)
    missing = _of_column(columns, c, at.BASE_MISSING)
    enough = -(-wanted // _of_column(columns, c, at.COLUMN_UNIT))
    low_mul, low_add = _i64(frames, w * 9 + at.LOW_MUL), _i64(frames, w * 9 + at.LOW_ADD)
    high_mul, high_add, cap = (
        _i64(frames, w * 9 + at.HIGH_MUL),
        _i64(frames, w * 9 + at.HIGH_ADD),
        _i64(frames, w * 9 + at.CAP),
    )
    out_mul, out_add = _i64(frames, w * 9 + at.OUT_MUL), _i64(frames, w * 9 + at.OUT_ADD)
    unit, zero, many = (
        _of_table(tables, k, at.UNIT),
        _of_table(tables, k, at.ZERO),
        _of_table(tables, k, at.ROWS),
    )
    bit = np.uint8(1 << max(flag, 0))
    for i in range(size):
        row, now = rows[i], t[i]
        if row >= many:
            out[i] = -FAR
            continue
        begin, end = np.int64(start[row]), np.int64(start[row + 1])
        if begin == end:
            out[i] = -FAR
            continue
        high = min(high_mul * now + high_add, cap)
        if begin >= MOVED or end >= MOVED or (np.int64(ts[end - 1]) * unit + zero) >= high:
            out[i] = _total(atoms, a, tables, columns, frames, row, now)
            continue
        low = low_mul * now + low_add
        number, left, j = np.int64(-FAR), enough, end
        while j > begin:
            j -= 1
            x = np.int64(ts[j]) * unit + zero
            if x < low:
                break
            if flag < 0 or flags[j] & bit:
                amount = np.int64(amounts[j])
                if amount >= left:
                    number = _rel(out_mul * x + out_add, now)
                    break
                if amount != missing:
                    left -= amount
        out[i] = number


@njit
def _trait_column(atoms, a, tables, columns, frames, turns, rows, t, out, size):
    """``_trait`` of many, likewise: words by their truth, integers by one range."""
    k, c = _of_atom(atoms, a, at.TABLE), _of_atom(atoms, a, at.COLUMN)
    start, ts, _ = _base(tables, k)
    base, wide, missing, scale = (
        _of_column(columns, c, at.BASE),
        _of_column(columns, c, at.SIZE),
        _of_column(columns, c, at.BASE_MISSING),
        _of_column(columns, c, at.COLUMN_UNIT),
    )
    unit, zero, many = (
        _of_table(tables, k, at.UNIT),
        _of_table(tables, k, at.ZERO),
        _of_table(tables, k, at.ROWS),
    )
    words, of_missing = (
        _of_atom(atoms, a, at.WORDS) != 0,
        _of_atom(atoms, a, at.OF_MISSING) != 0,
    )
    truths = carray(_pointer(_of_atom(atoms, a, at.TRUTH)), (1 << 40,), np.uint8)
    ranges = carray(_pointer(_of_atom(atoms, a, at.TRUTH)), (1 << 40,), np.int64)
    known_words = _of_atom(atoms, a, at.MANY)
    low, high = (np.int64(0), np.int64(0)) if words else (ranges[0], ranges[1])
    for i in range(size):
        row, now = rows[i], t[i]
        begin, end = np.int64(0), np.int64(0)
        if row < many:
            begin, end = np.int64(start[row]), np.int64(start[row + 1])
        if begin >= MOVED or end >= MOVED or (end > begin and (np.int64(ts[end - 1]) * unit + zero) > now):
            out[i] = _trait(atoms, a, tables, columns, frames, row, now)
            continue
        truth = of_missing
        if end > begin:
            found = _integer(base, wide, end - 1)
            if found != missing:
                if words:
                    if found >= known_words:
                        out[i] = 0
                        continue
                    truth = truths[found] != 0
                else:
                    found *= scale
                    truth = low <= found and found <= high
        out[i] = FAR if truth else -FAR


@njit
def _column(atoms, a, tables, columns, frames, turns, rows, t, out, size):
    """An atom's numbers of some customers."""
    sort, k = _of_atom(atoms, a, at.SORT), _of_atom(atoms, a, at.TABLE)
    narrow = _of_table(tables, k, at.TS_SIZE) == 4 and _of_table(tables, k, at.FLAG_SIZE) == 1
    if sort == at.KTH and narrow:
        _kth_column(atoms, a, tables, columns, frames, turns, rows, t, out, size)
        return
    if sort == at.TOTAL and narrow and _of_atom(atoms, a, at.K) > 0:
        c = _of_atom(atoms, a, at.COLUMN)
        if _of_column(columns, c, at.SIZE) == 4 and _i64(_of_column(columns, c, at.SIGNED), 0) == 0:
            _total_column(atoms, a, tables, columns, frames, turns, rows, t, out, size)
            return
    if sort == at.TRAIT and narrow and (_of_atom(atoms, a, at.WORDS) != 0 or _of_atom(atoms, a, at.MANY) == 1):
        _trait_column(atoms, a, tables, columns, frames, turns, rows, t, out, size)
        return
    if sort >= at.TRAIT:
        for i in range(size):
            out[i] = _trait(atoms, a, tables, columns, frames, rows[i], t[i])
        return
    for i in range(size):
        out[i] = _number(atoms, a, tables, columns, frames, turns, rows[i], t[i])


@njit
def _parts(context):
    """The addresses that a context names."""
    return (
        context[at.X_TABLES],
        context[at.X_COLUMNS],
        context[at.X_ATOMS],
        context[at.X_FRAMES],
        context[at.X_ZONE],
        context[at.X_CODE],
    )


@cached
def block(context, segments, asked, rows, t, lanes, stack, odd, out, filled, quiet):
    """Judge segments of many customers: lanes of 128, every atom once.

    Returns how many customers are done: fewer than all where ``out`` is full.
    """
    tables, columns, atoms, frames, turns, code = _parts(context)
    wide = context[at.N_SLOTS]
    words = carray(_pointer(context[at.X_BITS]), (1 << 50, wide), np.uint64)
    starts = carray(_pointer(context[at.X_STARTS]), (1 << 40,), np.int64)
    slots = carray(_pointer(context[at.X_SLOTS]), (1 << 40,), np.int64)
    width = lanes.shape[1]
    shortest = np.empty(width, np.int64)
    exists = np.empty(width, np.int64)
    bad = np.zeros(width, np.bool_)
    for first in range(0, rows.size, width):
        size = min(width, rows.size - first)
        if out.shape[0] - filled[0] < size * segments.size and not quiet:
            return first
        r, at_ = rows[first : first + size], t[first : first + size]
        bad[:] = False
        for i in range(size):
            e = _i64(context[at.X_EXISTS], r[i])
            exists[i] = FAR if e <= at_[i] else -_rel(e, at_[i])
            shortest[i] = FAR
        for a in asked:
            _column(atoms, a, tables, columns, frames, turns, r, at_, lanes[a], size)
            if _of_atom(atoms, a, at.MAY_ASK) != 0:
                for i in range(size):
                    if lanes[a, i] == 0:
                        bad[i] = True
        straight = size == 64 and r[0] & 63 == 0 and r[63] == r[0] + 63
        for s in segments:
            sp = 0
            for p in range(starts[s], starts[s + 1]):
                op, arg = _i32(code, 2 * p), np.int64(_i32(code, 2 * p + 1))
                if op == at.PUSH:
                    stack[sp, :size] = lanes[arg, :size]
                    sp += 1
                elif op == at.AND:
                    sp -= 1
                    for i in range(size):
                        stack[sp - 1, i] = min(stack[sp - 1, i], stack[sp, i])
                elif op == at.OR:
                    sp -= 1
                    for i in range(size):
                        stack[sp - 1, i] = max(stack[sp - 1, i], stack[sp, i])
                elif op == at.NOT:
                    for i in range(size):
                        stack[sp - 1, i] = -stack[sp - 1, i]
            slot = slots[s]
            word = np.uint64(0)
            for i in range(size):
                number = min(stack[0, i], exists[i])
                stack[0, i] = number
                shortest[i] = min(shortest[i], abs(number))
                word |= np.uint64(number > 0) << np.uint64(i & 63)
            if straight and quiet:
                words[r[0] >> 6, slot] = word
                continue
            if straight and word == words[r[0] >> 6, slot]:
                continue
            for i in range(size):
                if bad[i]:
                    continue
                truth = stack[0, i] > 0
                bit = np.uint64(1) << np.uint64(r[i] & 63)
                if truth != (words[r[i] >> 6, slot] & bit != 0):
                    words[r[i] >> 6, slot] ^= bit
                    if not quiet:
                        o = filled[0]
                        out[o, 0], out[o, 1], out[o, 2] = r[i], 2 * s + truth, at_[i]
                        filled[0] = o + 1
        for i in range(size):
            odd[first + i] = bad[i]
            if shortest[i] < FAR and not bad[i]:
                due = at_[i] + shortest[i]
                if due < _i64(context[at.X_DUES], r[i]):
                    _put_i64(context[at.X_DUES], r[i], due)
    return rows.size


@njit
def _judge(atoms, tables, columns, frames, turns, code, begin, end, row, t, values, stamps, stamp, stack):
    """One segment of one customer, only the atoms that it takes; 0: ask the interpreter."""
    sp, p = 0, begin
    while p < end:
        op, arg = _i32(code, 2 * p), np.int64(_i32(code, 2 * p + 1))
        p += 1
        if op == at.PUSH:
            if stamps[arg] != stamp:
                stamps[arg] = stamp
                values[arg] = _number(atoms, arg, tables, columns, frames, turns, row, t)
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
    tables, columns, atoms, frames, turns, code = _parts(context)
    words = carray(_pointer(context[at.X_BITS]), (1 << 50, context[at.N_SLOTS]), np.uint64)
    for i in range(rows.size):
        row, t = rows[i], now[i] if now.size > 1 else now[0]
        stamps[stamps.size - 1] += 1
        stamp = stamps[stamps.size - 1]
        begin, end = bounds[which[i]], bounds[which[i] + 1]
        if out.shape[0] - filled[0] < end - begin:
            return i
        e = _i64(context[at.X_EXISTS], row)
        exists = np.int64(FAR) if e <= t else -_rel(e, t)
        shortest = np.int64(FAR)
        bit = np.uint64(1) << np.uint64(row & 63)
        odd[i] = False
        for j in range(begin, end):
            s = lists[j]
            code_begin, code_end = _i64(context[at.X_STARTS], s), _i64(context[at.X_STARTS], s + 1)
            number = _judge(
                atoms, tables, columns, frames, turns, code, code_begin, code_end, row, t, values, stamps, stamp, stack
            )
            if number == 0:
                odd[i] = True
                continue
            number = min(number, exists)
            shortest = min(shortest, abs(number))
            slot = _i64(context[at.X_SLOTS], s)
            truth = number > 0
            if truth != (words[row >> 6, slot] & bit != 0):
                words[row >> 6, slot] ^= bit
                o = filled[0]
                out[o, 0], out[o, 1], out[o, 2] = row, 2 * s + truth, t
                filled[0] = o + 1
        if shortest < FAR:
            due = t + shortest
            if due < _i64(context[at.X_DUES], row):
                _put_i64(context[at.X_DUES], row, due)
                if due < _i64(context[at.X_LEAST], row >> 10):
                    _put_i64(context[at.X_LEAST], row >> 10, due)
    return rows.size


@njit
def _shift(address, size, place, end):
    """Make room at ``place`` by moving what stands from there on."""
    i = end
    while i > place:
        if size == 4:
            _put_i32(address, i, _i32(address, i - 1))
        else:
            _put_i64(address, i, _i64(address, i - 1))
        i -= 1


@njit
def _flags_of(simple, begin, end, found, values, i):
    """The bits of the simple filters of an event."""
    for p in range(begin, end):
        x = values[i, simple[p, 1]]
        if simple[p, 2] <= x and x <= simple[p, 3] and x != at.MISSING:
            found |= np.uint64(1) << np.uint64(simple[p, 0])
    return found


@cached
def insert(context, first, rows, which, ts, mids, flags, values, everything):
    """Add events to their tables, from the one at ``first`` on.

    Returns how many are added; fewer than all where one needs more room in its table, or its message id compared.
    """
    tables, columns, _, _, _, _ = _parts(context)
    simple = carray(_pointer(context[at.X_FILTERS]), (1 << 40, 4), np.int64)
    for i in range(first, rows.size):
        k, row, x = which[i], rows[i], ts[i]
        if row >= _of_table(tables, k, at.ROWS):
            return i
        begin, end, based = _span(tables, k, row)
        count = end - begin
        sizes = _of_table(tables, k, at.SIZES)
        run = np.int64(-1)
        if not based:
            run = np.int64(_u32(_of_table(tables, k, at.START), row)) - MOVED
        place = end
        while place > begin and _ts(tables, k, place - 1, based) > x:
            place -= 1
        if _of_table(tables, k, at.ORDERED) != 0 and place > begin and _ts(tables, k, place - 1, based) == x:
            return i
        place -= begin
        if run < 0 or count + 1 > _i64(_of_table(tables, k, at.RUN_ROOM), run):
            room = max(np.int64(4), 2 * (count + 1))
            to = _i64(sizes, 0)
            if to + room > _of_table(tables, k, at.TAIL_ROOM) or (
                run < 0 and _i64(sizes, 1) >= _of_table(tables, k, at.RUNS_ROOM)
            ):
                return i
            _put_i64(sizes, 0, to + room)
            for j in range(count):
                _put_i64(_of_table(tables, k, at.TAIL_TS), to + j, _ts(tables, k, begin + j, based))
                if based:
                    _put_i32(_of_table(tables, k, at.TAIL_ORIGIN), to + j, -1)
                    mid = -1 - (begin + j) if _of_table(tables, k, at.HAS_MIDS) != 0 else -(1 << 31)
                    _put_i32(_of_table(tables, k, at.TAIL_MID), to + j, mid)
                    word = (
                        np.uint64(_u8(_of_table(tables, k, at.FLAGS), begin + j))
                        if _of_table(tables, k, at.FLAG_SIZE) == 1
                        else _u64(_of_table(tables, k, at.FLAGS), begin + j)
                    )
                    _put_u64(_of_table(tables, k, at.TAIL_FLAGS), to + j, word)
                else:
                    _put_i32(
                        _of_table(tables, k, at.TAIL_ORIGIN),
                        to + j,
                        _i32(_of_table(tables, k, at.TAIL_ORIGIN), begin + j),
                    )
                    _put_i32(
                        _of_table(tables, k, at.TAIL_MID),
                        to + j,
                        _i32(_of_table(tables, k, at.TAIL_MID), begin + j),
                    )
                    _put_u64(
                        _of_table(tables, k, at.TAIL_FLAGS),
                        to + j,
                        _u64(_of_table(tables, k, at.TAIL_FLAGS), begin + j),
                    )
            for c in range(
                _of_table(tables, k, at.FIRST_COLUMN),
                _of_table(tables, k, at.FIRST_COLUMN) + _of_table(tables, k, at.MANY_COLUMNS),
            ):
                for j in range(count):
                    found, known = _value(columns, c, begin + j, based)
                    _put_i64(
                        _of_column(columns, c, at.TAIL),
                        to + j,
                        found if known else _of_column(columns, c, at.TAIL_MISSING),
                    )
            if run < 0:
                run = _i64(sizes, 1)
                _put_i64(sizes, 1, run + 1)
                _put_i64(_of_table(tables, k, at.RUN_ROW), run, row)
                _put_i64(_of_table(tables, k, at.RUN_BASE), run, begin)
                _put_u32(_of_table(tables, k, at.START), row, np.uint32(MOVED + run))
            _put_i64(_of_table(tables, k, at.RUN_AT), run, to)
            _put_i64(_of_table(tables, k, at.RUN_ROOM), run, room)
            begin = to
        place += begin
        end = begin + count
        _shift(_of_table(tables, k, at.TAIL_TS), 8, place, end)
        _shift(_of_table(tables, k, at.TAIL_ORIGIN), 4, place, end)
        _shift(_of_table(tables, k, at.TAIL_MID), 4, place, end)
        _shift(_of_table(tables, k, at.TAIL_FLAGS), 8, place, end)
        _put_i64(_of_table(tables, k, at.TAIL_TS), place, x)
        _put_i32(_of_table(tables, k, at.TAIL_ORIGIN), place, -1)
        _put_i32(_of_table(tables, k, at.TAIL_MID), place, mids[i])
        word = _flags_of(
            simple,
            _of_table(tables, k, at.FIRST_FILTER),
            _of_table(tables, k, at.LAST_FILTER),
            flags[i],
            values,
            i,
        )
        _put_u64(_of_table(tables, k, at.TAIL_FLAGS), place, word)
        for j in range(_of_table(tables, k, at.MANY_COLUMNS)):
            c = _of_table(tables, k, at.FIRST_COLUMN) + j
            _shift(_of_column(columns, c, at.TAIL), 8, place, end)
            known = values[i, j] != at.MISSING
            _put_i64(
                _of_column(columns, c, at.TAIL),
                place,
                values[i, j] if known else _of_column(columns, c, at.TAIL_MISSING),
            )
            if known and values[i, j] < 0:
                _put_i64(_of_column(columns, c, at.SIGNED), 0, 1)
        _put_i64(_of_table(tables, k, at.RUN_COUNT), run, count + 1)
        everything[i] = x < _i64(context[at.X_EXISTS], row)
        if x < _i64(context[at.X_FIRST], row):
            _put_i64(context[at.X_FIRST], row, x)
        if everything[i]:
            _put_i64(context[at.X_EXISTS], row, x)
    return rows.size
