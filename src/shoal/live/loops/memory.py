"""What compiled loops read and write: arrays at addresses that rows of integers name (``layout``)."""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from shoal.live import layout as at
from shoal.live.values import FAR

MOVED = 1 << 31


@intrinsic
def pointer(typingctx, address):
    """An address as a pointer."""

    def codegen(target, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


@intrinsic
def prefetch(typingctx, address):
    """Ask for a line of memory that is read soon."""

    def codegen(context, builder, signature, arguments):
        word = ir.IntType(32)
        place = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, word, word, word])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(ask, [place, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


def loader(kind):
    size = 1 << 60

    @njit(inline="always")
    def load(address, index):
        return carray(pointer(address), (size,), kind)[index]

    return load


def storer(kind):
    size = 1 << 60

    @njit(inline="always")
    def store(address, index, value):
        carray(pointer(address), (size,), kind)[index] = value

    return store


i8, u8, i32, u32 = loader(np.int8), loader(np.uint8), loader(np.int32), loader(np.uint32)
i64, u64 = loader(np.int64), loader(np.uint64)
put_i32, put_u32 = storer(np.int32), storer(np.uint32)
put_i64, put_u64 = storer(np.int64), storer(np.uint64)


@njit
def integer(address, size, index):
    if size == 4:
        return np.int64(i32(address, index))
    if size == 8:
        return i64(address, index)
    return np.int64(i8(address, index))


@njit
def of_table(tables, k, what):
    return i64(tables, k * at.TABLE_WIDTH + what)


@njit
def of_column(columns, c, what):
    return i64(columns, c * at.COLUMN_WIDTH + what)


@njit
def of_atom(atoms, a, what):
    return i64(atoms, a * at.ATOM_WIDTH + what)


@njit
def span(tables, k, row):
    """Where a customer's entries stand: begin, end, and whether in the base."""
    if row >= of_table(tables, k, at.ROWS):
        return np.int64(0), np.int64(0), True
    begin = np.int64(u32(of_table(tables, k, at.START), row))
    if begin < MOVED:
        end = np.int64(u32(of_table(tables, k, at.START), row + 1))
        if end >= MOVED:
            end = i64(of_table(tables, k, at.RUN_BASE), end - MOVED)
        return begin, end, True
    run = begin - MOVED
    begin = i64(of_table(tables, k, at.RUN_AT), run)
    return begin, begin + i64(of_table(tables, k, at.RUN_COUNT), run), False


@njit
def instant(tables, k, i, based):
    if based:
        if of_table(tables, k, at.TS_SIZE) == 4:
            return np.int64(i32(of_table(tables, k, at.TS), i)) * i64(tables, k * at.TABLE_WIDTH + at.UNIT) + of_table(
                tables, k, at.ZERO
            )
        return i64(of_table(tables, k, at.TS), i)
    return i64(of_table(tables, k, at.TAIL_TS), i)


@njit
def matches(tables, k, i, based, flag):
    if flag < 0:
        return True
    if not based:
        return (u64(of_table(tables, k, at.TAIL_FLAGS), i) >> np.uint64(flag)) & np.uint64(1) != 0
    if of_table(tables, k, at.FLAG_SIZE) == 1:
        return (np.int64(u8(of_table(tables, k, at.FLAGS), i)) >> flag) & 1 != 0
    return (u64(of_table(tables, k, at.FLAGS), i) >> np.uint64(flag)) & np.uint64(1) != 0


@njit
def value(columns, c, i, based):
    """A column's value as in the tail, and whether it is known."""
    if based:
        found = integer(of_column(columns, c, at.BASE), of_column(columns, c, at.SIZE), i)
        if found == of_column(columns, c, at.BASE_MISSING):
            return np.int64(0), False
        return found * of_column(columns, c, at.COLUMN_UNIT), True
    found = i64(of_column(columns, c, at.TAIL), i)
    return found, found != of_column(columns, c, at.TAIL_MISSING)


@njit
def rel(until, t):
    if until >= FAR:
        return np.int64(FAR)
    return max(until - t, np.int64(1))


@njit
def end_of(frames, w, t):
    return min(i64(frames, w * 9 + at.HIGH_MUL) * t + i64(frames, w * 9 + at.HIGH_ADD), i64(frames, w * 9 + at.CAP))


@njit
def coming_in(frames, w, x):
    if x >= i64(frames, w * 9 + at.CAP):
        return np.int64(FAR)
    return i64(frames, w * 9 + at.IN_MUL) * x + i64(frames, w * 9 + at.IN_ADD)


@njit
def going(frames, w, x, t):
    return rel(i64(frames, w * 9 + at.OUT_MUL) * x + i64(frames, w * 9 + at.OUT_ADD), t)


@njit
def until_in(tables, k, end, end_all, based, flag, frames, w, t):
    """How long until the next match beyond the window comes in."""
    for i in range(end, end_all):
        if matches(tables, k, i, based, flag):
            return rel(coming_in(frames, w, instant(tables, k, i, based)), t)
    return np.int64(FAR)


@njit
def upper(tables, k, begin, end, based, high):
    """Where the entries before ``high`` end."""
    if end == begin or instant(tables, k, end - 1, based) < high:
        return end
    low, top = begin, end - 1
    while low < top:
        middle = (low + top) >> 1
        if instant(tables, k, middle, based) < high:
            low = middle + 1
        else:
            top = middle
    return low


@njit
def parts(context):
    """The addresses that a context names."""
    return (
        context[at.X_TABLES],
        context[at.X_COLUMNS],
        context[at.X_ATOMS],
        context[at.X_FRAMES],
        context[at.X_ZONE],
        context[at.X_CODE],
    )


@njit
def times_of(tables, k):
    """Where the instants of a table's base stand, in how many bytes, their unit and zero."""
    return (
        of_table(tables, k, at.TS),
        of_table(tables, k, at.TS_SIZE),
        of_table(tables, k, at.UNIT),
        of_table(tables, k, at.ZERO),
    )


@njit
def base_of(columns, c):
    """Where the values of a column's base stand, in how many bytes, what is missing, and their unit."""
    return (
        of_column(columns, c, at.BASE),
        of_column(columns, c, at.SIZE),
        of_column(columns, c, at.BASE_MISSING),
        of_column(columns, c, at.COLUMN_UNIT),
    )


@njit
def put_due(context, row, due):
    """Note that a customer is due, where that is earlier than what is known."""
    if due < i64(context[at.X_DUES], row):
        put_i64(context[at.X_DUES], row, due)
        if due < i64(context[at.X_LEAST], row >> 10):
            put_i64(context[at.X_LEAST], row >> 10, due)
