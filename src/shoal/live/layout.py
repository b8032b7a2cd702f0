"""What stands where in the rows of integers that compiled loops are given."""

from __future__ import annotations

from shoal.live.forms import Sort
from shoal.live.values import FAR as FAR

MISSING = -(2**63)
UNSAID = -(1 << 31)
"""The number of a message id that isn't held."""
LANES = 64
"""Customers that are judged together."""

# ------------------------------------------------------------ a table
(START, ROWS, TS, TS_SIZE, UNIT, FLAGS, FLAG_SIZE, RUN_ROW, RUN_AT, RUN_COUNT, RUN_ROOM, RUN_BASE) = range(12)
(TAIL_TS, TAIL_ORIGIN, TAIL_MID, TAIL_FLAGS, SIZES, TAIL_ROOM, RUNS_ROOM, ORDERED, HAS_MIDS) = range(12, 21)
(FIRST_COLUMN, MANY_COLUMNS, FIRST_FILTER, LAST_FILTER, ZERO) = range(21, 26)
TABLE_WIDTH = 26

# ------------------------------------------------------------ a column
BASE, SIZE, COLUMN_UNIT, BASE_MISSING, TAIL, TAIL_MISSING, SIGNED = range(7)
COLUMN_WIDTH = 7

# ------------------------------------------------------------ an atom
SORT, TABLE, FLAG, COLUMN, WINDOW, K, WORDS, TRUTH, MANY, OF_MISSING, MAY_ASK, BACKWARD = range(12)
"""Of a date, ``TRUTH`` names the first instants of ``MANY`` dates from ``OF_MISSING`` on. ``BACKWARD``: whether the k-th newest
match, or total, up to the instant itself decides."""
ATOM_WIDTH = 12
ALWAYS, KTH, TOTAL, DAYS, FIRST = (int(s) for s in (Sort.ALWAYS, Sort.KTH, Sort.TOTAL, Sort.DAYS, Sort.FIRST))
AGE_LAST, TRAIT, WHEN = int(Sort.AGE_LAST), int(Sort.TRAIT), int(Sort.WHEN)

# ------------------------------------------------------------ a window (see ``frames``)
LOW_MUL, LOW_ADD, HIGH_MUL, HIGH_ADD, CAP, OUT_MUL, OUT_ADD, IN_MUL, IN_ADD = range(9)

# ------------------------------------------------------------ a step of a segment
PUSH, AND, OR, NOT, UNLESS_FALSE, UNLESS_TRUE = range(6)

# ------------------------------------------------------------ the context
(X_TABLES, X_COLUMNS, X_ATOMS, X_FRAMES, X_ZONE, X_CODE, X_STARTS, X_SLOTS, X_BITS, N_SLOTS) = range(10)
(X_DUES, X_LEAST, X_EXISTS, X_FIRST, X_FILTERS) = range(10, 15)
(N_ATOMS, N_SEGMENTS, X_ATOM_STARTS, X_TABLE_ATOMS, X_MASKS, N_MASKS, N_TABLES, X_TABLES_OF) = range(15, 23)
"""The atoms of each table, and of each atom the segments that hang on it, as words of bits; of each segment the tables."""
CONTEXT_WIDTH = 23
"""The zone's changes of offset: first how many, then of each the instant and microseconds ahead, and where they end."""

# ------------------------------------------------------------ room for a batch of events
(R_STATE, R_ROWS, R_WHICH, R_TS, R_MIDS, R_FLAGS, R_VALUES, R_WIDE, R_DIRTY, R_SEEN, R_ODD, R_NUMBERS) = range(12)
(R_STAMPS, R_STACK, R_OUT, R_MOST, R_ASKED) = range(12, 17)
ODD = 1 << 40
