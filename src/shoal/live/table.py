"""What happened to customers under one name, by customer and time: a sorted base that doesn't change, and a short tail.

The base holds each customer's rows together, by ts and then message id. What comes later stands in the tail, a linked
list per customer, newest first. ``compact`` sorts the tail into the base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.live.columns import Column, grown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from shoal.lang.schema import Kind

NOBODY = -1


class Entry(NamedTuple):
    """One row of one customer: its instant, its place among those of one instant, its table and where it stands."""

    ts: int
    mid: str
    table: Table
    ref: int

    def get(self, name: str) -> Any:
        """The value of a property; None is missing."""
        column = self.table.columns.get(name)
        return None if column is None else column.at(self.ref)


class Table:
    """The rows under one event name, of one trait, of one list …

    Args:
        name: of the events or trait.
        kinds: the type of each column.
    """

    def __init__(self, name: str, kinds: Mapping[str, Kind] | None = None) -> None:
        self.name = name
        self.columns = {column: Column(kind) for column, kind in (kinds or {}).items()}
        self.ts: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.mids: Sequence[str] = ()
        self.start: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.stop: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.head: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.tail_ts: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.tail_next: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.tail_origin: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.tail_mids: list[str] = []

    def add_column(self, name: str, kind: Kind) -> None:
        """A property that is new; it is missing in all rows so far."""
        column = self.columns[name] = Column(kind)
        column.base = np.full(len(self.ts), column.missing, column.base.dtype)

    def fill(
        self,
        rows: npt.NDArray[np.int64],
        ts: npt.NDArray[np.int64],
        mids: Sequence[str],
        columns: Mapping[str, Any],
    ) -> None:
        """Set the base.

        Args:
            rows: the customer of each entry, in ascending order.
            ts: the instants, in ascending order within a customer.
            mids: the message ids, in ascending order within an instant.
            columns: the values (see ``Column.fill``).
        """
        self.ts, self.mids = ts, mids
        size = int(rows[-1]) + 1 if len(rows) else 0
        self.start = np.searchsorted(rows, np.arange(size), "left")
        self.stop = np.searchsorted(rows, np.arange(size), "right")
        for name, column in self.columns.items():
            column.fill(columns[name])

    def insert(self, row: int, ts: int, mid: str, values: Mapping[str, Any], origin: int = NOBODY) -> None:
        """Add an entry at its place in a customer's time.

        Args:
            row: the customer.
            ts: when it was so.
            mid: the message id, which orders entries of one instant.
            values: by column; absent ones are missing.
            origin: of a merged customer's entries, whose it is.
        """
        index = len(self.tail_mids)
        self.tail_ts = grown(self.tail_ts, index + 1)
        self.tail_next = grown(self.tail_next, index + 1, NOBODY)
        self.tail_origin = grown(self.tail_origin, index + 1, NOBODY)
        self.head = grown(self.head, row + 1, NOBODY)
        self.tail_ts[index], self.tail_origin[index] = ts, origin
        self.tail_mids.append(mid)
        for name, column in self.columns.items():
            column.put(index, values.get(name))
        self._link(row, index, ts, mid)

    def _link(self, row: int, index: int, ts: int, mid: str) -> None:
        before, after = NOBODY, int(self.head[row])
        while after != NOBODY and (self.tail_ts[after], self.tail_mids[after]) > (ts, mid):
            before, after = after, int(self.tail_next[after])
        self.tail_next[index] = after
        if before == NOBODY:
            self.head[row] = index
        else:
            self.tail_next[before] = index

    def entries(self, row: int) -> list[Entry]:
        """A customer's entries, by ts and then message id."""
        found: list[Entry] = []
        if row < len(self.start):
            low, high = int(self.start[row]), int(self.stop[row])
            found = [Entry(int(self.ts[i]), self.mids[i], self, i) for i in range(low, high)]
        if row >= len(self.head) or self.head[row] == NOBODY:
            return found
        index = int(self.head[row])
        while index != NOBODY:
            found.append(Entry(int(self.tail_ts[index]), self.tail_mids[index], self, -1 - index))
            index = int(self.tail_next[index])
        return sorted(found, key=lambda e: (e.ts, e.mid))

    def copy(self, origin: int, into: int) -> None:
        """Give another customer the own entries of one who was merged into them."""
        for entry in self._own(origin):
            values = {name: column.at(entry.ref) for name, column in self.columns.items()}
            self.insert(into, entry.ts, entry.mid, values, origin)

    def _own(self, row: int) -> list[Entry]:
        return [e for e in self.entries(row) if e.ref >= 0 or self.tail_origin[-1 - e.ref] == NOBODY]

    def drop(self, row: int, keep: Callable[[int], bool]) -> None:
        """Take entries out of a customer's tail: those whose origin isn't kept (NOBODY for their own)."""
        if row >= len(self.head):
            return
        kept = []
        index = int(self.head[row])
        while index != NOBODY:
            if keep(int(self.tail_origin[index])):
                kept.append(index)
            index = int(self.tail_next[index])
        self._chain(row, kept)

    def _chain(self, row: int, indices: Iterable[int]) -> None:
        before = NOBODY
        self.head[row] = NOBODY
        for index in indices:
            if before == NOBODY:
                self.head[row] = index
            else:
                self.tail_next[before] = index
            self.tail_next[index] = NOBODY
            before = index

    def clear(self, row: int) -> None:
        """Forget all that is a customer's; the values themselves are overwritten."""
        if row < len(self.start):
            low, high = int(self.start[row]), int(self.stop[row])
            self.ts[low:high] = 0
            for column in self.columns.values():
                column.base[low:high] = column.missing
            if not isinstance(self.mids, list):
                self.mids = list(self.mids)
            self.mids[low:high] = [""] * (high - low)
            self.stop[row] = self.start[row]
        self._clear_tail(row)

    def _clear_tail(self, row: int) -> None:
        if row >= len(self.head):
            return
        index = int(self.head[row])
        while index != NOBODY:
            self.tail_ts[index] = 0
            self.tail_mids[index] = ""
            for column in self.columns.values():
                column.tail[index] = column.missing
            index = int(self.tail_next[index])
        self.head[row] = NOBODY
