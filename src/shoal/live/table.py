"""What happened to customers under one name, by customer and time: a packed base, and runs that have grown since.

The base holds each customer's entries together, by ts and then message id. When something is added for a customer, all of
theirs moves into a run of its own with some room, so that a customer's entries always stand side by side in order;
``compact`` packs the runs into the base again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.clock import SECOND
from shoal.live.caching import has_numba
from shoal.live.columns import BLOCK, Column, blocks, grown
from shoal.live.mids import Mids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from shoal.lang.schema import Kind

    Ints = npt.NDArray[Any]

NOBODY = -1
MOVED = 1 << 31
"""Marks the start of a customer whose entries moved into a run; the other bits are the run's number."""
UNSAID = -(1 << 31)
"""The number of a message id that isn't held."""
MOST_FILTERS = 63
MOVES = [0]
"""How often an array of any table was replaced."""


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


class Spans(NamedTuple):
    """Where the entries of some customers stand: of those in the base, and of those in runs."""

    based: npt.NDArray[np.bool_]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


class _Runs(NamedTuple):
    """Runs taken out of a tail: whose, how many entries each, and all of these one behind another."""

    rows: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    tails: dict[str, Ints]
    mids: list[str]


def _ranges(begin: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places ``begin``, ``begin`` + 1 … of each, ``counts`` of them, one behind another."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts) + np.repeat(begin, counts)


def _starts(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Where each customer's entries begin, from the customers of all, in ascending order."""
    size = int(rows[-1]) + 1 if len(rows) else 0
    found = np.zeros(size + 1, np.uint32)
    places = [
        begin + 1 + np.flatnonzero(block[1:] != block[:-1])
        for begin in range(0, len(rows), BLOCK)
        for block in [rows[begin : begin + BLOCK + 1]]
    ]
    firsts = np.concatenate([np.zeros(1, np.int64), *places]) if size else np.zeros(0, np.int64)
    found[rows[firsts] + 1] = np.diff(firsts, append=len(rows))
    return np.cumsum(found, out=found, dtype=np.uint32)


class Table:
    """The rows under one event name, of one trait, of one list …

    Args:
        name: of the events or trait.
        kinds: the type of each column.
        ordered: whether message ids are held; without them the order within one instant is open.
    """

    def __init__(self, name: str, kinds: Mapping[str, Kind] | None = None, *, ordered: bool = True) -> None:
        self.name, self.ordered = name, ordered
        self.columns = {column: Column(kind) for column, kind in (kinds or {}).items()}
        self.fields: dict[str, frozenset[str]] = {}
        """Of columns of lists of objects, the fields that are held; all, where it isn't here."""
        self._version = 0
        self.filters: list[Callable[[Entry], bool]] = []
        self.start: Ints = np.zeros(1, np.uint32)
        self.ts: Ints = np.empty(0, np.int32)
        self.unit, self.zero = SECOND, 0
        """An instant of the base is what stands in ``ts``, times ``unit``, plus ``zero``."""
        self.mids: Mids = Mids()
        self.flags: Ints = np.empty(0, np.uint8)
        self._reset_tail()

    @property
    def version(self) -> int:
        """Counts whenever an array was replaced by another."""
        return self._version

    @version.setter
    def version(self, number: int) -> None:
        self._version = number
        MOVES[0] += 1

    def _reset_tail(self) -> None:
        self.sizes: Ints = np.zeros(2, np.int64)
        """How many entries of the tail belong to a run, or did; and how many runs there are."""
        self.run_row: Ints = np.empty(0, np.int64)
        self.run_at: Ints = np.empty(0, np.int64)
        self.run_count: Ints = np.empty(0, np.int64)
        self.run_room: Ints = np.empty(0, np.int64)
        self.run_base: Ints = np.empty(0, np.int64)
        self.tail_ts: Ints = np.empty(0, np.int64)
        self.tail_origin: Ints = np.empty(0, np.int32)
        self.tail_mid: Ints = np.empty(0, np.int32)
        self.tail_flags: Ints = np.empty(0, np.uint64)
        for column in self.columns.values():
            column.tail = np.empty(0, np.int64)
        self.said: list[str] = []
        self.settled = 0
        """How many entries of the tail the last packing couldn't rid it of."""

    @property
    def used(self) -> int:
        """Entries of the tail that belong to a run, or did."""
        return int(self.sizes[0])

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return int(self.sizes[1])

    def __len__(self) -> int:
        """How many rows of customers it has room for."""
        return len(self.start) - 1

    # ------------------------------------------------------------ filling

    def add_column(self, name: str, kind: Kind) -> None:
        """A property that is new; it is missing in all rows so far."""
        column = self.columns[name] = Column(kind)
        column.blank(len(self.ts))
        column.tail = np.full(len(self.tail_ts), column.missing, np.int64)
        self.version += 1

    def fill(
        self,
        rows: npt.NDArray[np.int64],
        ts: npt.NDArray[np.int64],
        mids: Sequence[str] | Mids,
        columns: Mapping[str, Any],
    ) -> None:
        """Set the base.

        Args:
            rows: the customer of each entry, in ascending order.
            ts: the instants, in ascending order within a customer.
            mids: the message ids, in ascending order within an instant.
            columns: the values (see ``Column.fill``).
        """
        if not has_numba() or not self._pack(rows, ts):
            self.start = _starts(rows)
            self._set_ts(ts)
        self.mids = Mids.of(mids) if self.ordered else Mids()
        self.flags = np.zeros(len(ts), self.flags.dtype)
        for name, column in self.columns.items():
            column.fill(columns[name])
        self._reset_tail()
        self.version += 1

    def _pack(self, rows: npt.NDArray[np.int64], ts: npt.NDArray[np.int64]) -> bool:
        """Set starts and instants in one go; False where instants don't fit 32 bits."""
        from shoal.live.loops import pack

        zero, last = (int(ts.min()), int(ts.max())) if len(ts) else (0, 0)
        unit = 1 if last - zero < 2**31 else SECOND
        if (last - zero) // unit >= 2**31:
            return False
        start, found = np.zeros((int(rows[-1]) if len(rows) else -1) + 2, np.uint32), np.empty(len(ts), np.int32)
        if not pack(rows, ts, zero, unit == SECOND, start, found):
            return False
        self.start, self.ts, self.unit, self.zero = start, found, unit, zero
        return True

    def _set_ts(self, ts: npt.NDArray[np.int64]) -> None:
        """Keep instants in 32 bits where that loses nothing: as seconds, or near each other as they are."""
        self.unit, self.zero = 1, int(ts.min()) if len(ts) else 0
        apart = int(ts.max()) - self.zero if len(ts) else 0
        if apart < 2**31:
            self.ts = (ts - self.zero).astype(np.int32)
        elif apart // SECOND < 2**31 and (found := self._seconds(ts)) is not None:
            self.ts, self.unit = found, SECOND
        else:
            self.ts, self.unit, self.zero = ts.astype(np.int64), 1, 0

    def _seconds(self, ts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32] | None:
        """The instants as seconds after zero; None where that loses something."""
        found = np.empty(len(ts), np.int32)
        for begin, block in zip(range(0, len(ts), BLOCK), blocks(ts), strict=True):
            past = block - self.zero
            seconds = past // SECOND
            if (seconds * SECOND != past).any():
                return None
            found[begin : begin + BLOCK] = seconds
        return found

    def instants(self, places: Any) -> npt.NDArray[np.int64]:
        """The instants of entries of the base."""
        found: npt.NDArray[np.int64] = self.ts[places].astype(np.int64) * self.unit + self.zero
        return found

    def widen(self, rows: int) -> None:
        """Make room for rows of customers without entries."""
        if rows > len(self):
            self.start = grown(self.start, rows + 1, len(self.ts))
            self.version += 1

    # ------------------------------------------------------------ reading

    def spans(self, rows: npt.NDArray[np.int64]) -> Spans:
        """Where the entries of customers stand."""
        inside = rows < len(self)
        safe = np.where(inside, rows, 0)
        if not len(self):
            nothing = np.zeros(len(rows), np.int64)
            return Spans(np.ones(len(rows), np.bool_), nothing, nothing)
        begin, end = self.start[safe].astype(np.int64), self.start[safe + 1].astype(np.int64)
        based = begin < MOVED
        if self.runs:
            late = end >= MOVED
            end[late] = self.run_base[end[late] - MOVED]
            runs = begin[~based] - MOVED
            begin[~based] = self.run_at[runs]
            end[~based] = self.run_at[runs] + self.run_count[runs]
        end[~inside] = begin[~inside] = 0
        based[~inside] = True
        return Spans(based, begin, end)

    def _span(self, row: int) -> tuple[int, int, int]:
        """Where a customer's entries stand: the run (NOBODY: in the base), begin and end."""
        if row >= len(self.start) - 1:
            return NOBODY, 0, 0
        begin = int(self.start[row])
        if begin >= MOVED:
            run = begin - MOVED
            at = int(self.run_at[run])
            return run, at, at + int(self.run_count[run])
        end = int(self.start[row + 1])
        return NOBODY, begin, end if end < MOVED else int(self.run_base[end - MOVED])

    def entries(self, row: int) -> list[Entry]:
        """A customer's entries, by ts and then message id."""
        run, begin, end = self._span(row)
        if run != NOBODY:
            times = self.tail_ts[begin:end].tolist()
            return [Entry(t, self._mid(-1 - i), self, -1 - i) for i, t in enumerate(times, begin)]
        times = self.instants(slice(begin, end)).tolist()
        if not len(self.mids):
            return [Entry(t, "", self, i) for i, t in enumerate(times, begin)]
        return [Entry(t, self.mids[i], self, i) for i, t in enumerate(times, begin)]

    def has(self, row: int) -> bool:
        """Whether a customer has any entry."""
        _, begin, end = self._span(row)
        return end > begin

    def _mid(self, ref: int) -> str:
        if ref < 0:
            number = int(self.tail_mid[-1 - ref])
            if number >= 0:
                return self.said[number]
            if number == UNSAID:
                return ""
            ref = -1 - number
        return self.mids[ref] if len(self.mids) else ""

    # ------------------------------------------------------------ adding

    def insert(self, row: int, ts: int, mid: str, values: Mapping[str, Any], origin: int = NOBODY) -> None:
        """Add an entry at its place in a customer's time.

        Args:
            row: the customer.
            ts: when it was so.
            mid: the message id, which orders entries of one instant.
            values: by column; absent ones are missing.
            origin: of a merged customer's entries, whose it is.
        """
        run = self.room(row, 1)
        at, count = int(self.run_at[run]), int(self.run_count[run])
        place = at + int(np.searchsorted(self.tail_ts[at : at + count], ts, "right"))
        if self.ordered:
            while place > at and self.tail_ts[place - 1] == ts and self._mid(-place) > mid:
                place -= 1
        for _, tail in self._tails():
            tail[place + 1 : at + count + 1] = tail[place : at + count]
        self.tail_ts[place], self.tail_origin[place] = ts, origin
        self.tail_mid[place] = self.say(mid)
        for name, column in self.columns.items():
            column.put(place, values.get(name))
        self.run_count[run] = count + 1
        entry = Entry(ts, mid, self, -1 - place)
        self.tail_flags[place] = self.flags_of(entry)

    def say(self, mid: str) -> int:
        """Hold a message id; returns its number."""
        if not self.ordered or not mid:
            return UNSAID
        self.said.append(mid)
        return len(self.said) - 1

    def flags_of(self, entry: Entry) -> int:
        """Which filters hold of an entry, a bit each."""
        found = 0
        for number, holds in enumerate(self.filters):
            if holds(entry):
                found |= 1 << number
        return found

    def _tails(self) -> Iterator[tuple[str, Ints]]:
        yield "ts", self.tail_ts
        yield "origin", self.tail_origin
        yield "mid", self.tail_mid
        yield "flags", self.tail_flags
        for name, column in self.columns.items():
            yield f"column {name}", column.tail

    def room(self, row: int, more: int) -> int:
        """The run of a customer, made where there is none, with room for more entries."""
        self.widen(row + 1)
        run, begin, end = self._span(row)
        count = end - begin
        if run != NOBODY and count + more <= self.run_room[run]:
            return run
        room = max(4, count + more, count * 2)
        at = self._reserve(room)
        if run == NOBODY:
            self._move(begin, end, at)
            run = self._new_run(row, begin)
        else:
            for _, tail in self._tails():
                tail[at : at + count] = tail[begin:end]
        self.run_at[run], self.run_count[run], self.run_room[run] = at, count, room
        return run

    def _reserve(self, room: int) -> int:
        at = self.used
        self.sizes[0] += room
        self.lengthen(at + room)
        return at

    def lengthen(self, size: int) -> None:
        """Make room in the tail."""
        if size > len(self.tail_ts):
            # Whoever comes first takes all that is theirs along: sooner or later as much as the base holds, and room beside it.
            reserve = 4 * len(self.ts)
            self.tail_ts = grown(self.tail_ts, size, 0, reserve)
            self.tail_origin = grown(self.tail_origin, size, NOBODY, reserve)
            self.tail_mid = grown(self.tail_mid, size, UNSAID, reserve)
            self.tail_flags = grown(self.tail_flags, size, 0, reserve)
            for column in self.columns.values():
                column.tail = grown(column.tail, size, column.missing, reserve)
            self.version += 1

    def more_runs(self, runs: int) -> None:
        """Make room for runs."""
        if runs > len(self.run_at):
            for name in ("run_row", "run_at", "run_count", "run_room", "run_base"):
                setattr(self, name, grown(getattr(self, name), runs, 0, len(self)))
            self.version += 1

    def _new_run(self, row: int, base: int) -> int:
        run = self.runs
        self.sizes[1] += 1
        self.more_runs(run + 1)
        self.run_row[run], self.run_base[run] = row, base
        self.start[row] = MOVED + run
        return run

    def _move(self, begin: int, end: int, at: int) -> None:
        """Copy entries of the base into the tail."""
        to = slice(at, at + end - begin)
        self.tail_ts[to] = self.instants(slice(begin, end))
        self.tail_origin[to] = NOBODY
        self.tail_mid[to] = -1 - np.arange(begin, end) if len(self.mids) else UNSAID
        self.tail_flags[to] = self.flags[begin:end]
        places = np.arange(begin, end)
        for column in self.columns.values():
            column.tail[to] = column.stored(places)

    # ------------------------------------------------------------ merges

    def copy(self, origin: int, into: int) -> None:
        """Give another customer the own entries of one who was merged into them."""
        for entry in self._own(origin):
            values = {name: column.at(entry.ref) for name, column in self.columns.items()}
            self.insert(into, entry.ts, entry.mid, values, origin)

    def _own(self, row: int) -> list[Entry]:
        return [e for e in self.entries(row) if e.ref >= 0 or self.tail_origin[-1 - e.ref] == NOBODY]

    def drop(self, row: int, keep: Callable[[int], bool]) -> None:
        """Take entries out of a customer's run: those whose origin isn't kept (NOBODY for their own)."""
        run, begin, end = self._span(row)
        if run == NOBODY:
            return
        kept = [i for i in range(begin, end) if keep(int(self.tail_origin[i]))]
        for _, tail in self._tails():
            tail[begin : begin + len(kept)] = tail[kept]
        self.run_count[run] = len(kept)

    def clear(self, row: int) -> None:
        """Forget all that is a customer's; the values themselves are overwritten."""
        run, begin, end = self._span(row)
        if run == NOBODY:
            if begin == end:
                return
            run = self.room(row, 1)
            self.ts[begin:end] = 0
            for column in self.columns.values():
                column.base[begin:end] = column.base_missing
            if self.mids.numbers is not None:
                self.mids.numbers[begin:end] = 0
            elif len(self.mids):
                self.mids = Mids.of(["" if begin <= i < end else self.mids[i] for i in range(len(self.mids))])
            begin, end = int(self.run_at[run]), int(self.run_at[run] + self.run_count[run])
        for number in self.tail_mid[begin:end].tolist():
            if number >= 0:
                self.said[number] = ""
        self.run_count[run] = 0
        self._wipe()

    def _wipe(self) -> None:
        """Overwrite what stands in the tail outside of runs: old places of entries."""
        lengths = self.run_count[: self.runs]
        starts = self.run_at[: self.runs]
        used = np.zeros(len(self.tail_ts) + 1, np.int64)
        np.add.at(used, starts, 1)
        np.add.at(used, starts + lengths, -1)
        free = np.cumsum(used)[:-1] == 0
        self.tail_ts[free] = 0
        for column in self.columns.values():
            column.tail[free] = column.missing

    # ------------------------------------------------------------ packing

    @property
    def loose(self) -> int:
        """Entries of the tail that packing would rid it of, used or left behind."""
        return self.used - self.settled

    def compact(self) -> None:
        """Pack the runs into the base; those with entries of merged customers stay runs."""
        if not self.runs:
            return
        size = len(self)
        staying = self._staying()
        spans = self.spans(np.arange(size))
        counts = spans.end - spans.begin
        if staying is not None:
            counts[staying.rows] = 0
        ends = np.cumsum(counts)
        place = _ranges(spans.begin, counts)
        refs = np.where(np.repeat(spans.based, counts), place, -1 - place)
        self._repack(refs, np.concatenate(([0], ends)).astype(np.uint32))
        if staying is not None:
            self._put_back(staying)

    def _staying(self) -> _Runs | None:
        """The runs with entries of merged customers: whose they are has no place in the base."""
        copied = self.tail_origin[: self.used] != NOBODY
        if not copied.any():
            return None
        at, count = self.run_at[: self.runs], self.run_count[: self.runs]
        before = np.concatenate(([0], np.cumsum(copied)))
        held = np.flatnonzero(before[at + count] > before[at])
        places = _ranges(at[held], count[held])
        tails = {name: tail[places] for name, tail in self._tails()}
        mids = [self._mid(ref) for ref in (-1 - places).tolist()] if self.ordered else []
        return _Runs(self.run_row[held], count[held], tails, mids)

    def _put_back(self, staying: _Runs) -> None:
        """Put runs into the empty tail, each with no more room than it takes."""
        many, total = len(staying.rows), int(staying.counts.sum())
        self.sizes[:] = total, many
        self.lengthen(total)
        self.more_runs(many)
        self.run_row[:many], self.run_base[:many] = staying.rows, self.start[staying.rows]
        self.run_count[:many] = self.run_room[:many] = staying.counts
        self.run_at[:many] = np.cumsum(staying.counts) - staying.counts
        self.start[staying.rows] = MOVED + np.arange(many)
        for name, tail in self._tails():
            tail[:total] = staying.tails[name]
        # What stood in the old base by its place is said by itself now.
        self.tail_mid[:total] = [self.say(mid) for mid in staying.mids] if self.ordered else UNSAID
        self.settled = total

    def _repack(self, refs: npt.NDArray[np.int64], start: npt.NDArray[np.uint32]) -> None:
        late = refs < 0
        ts = np.empty(len(refs), np.int64)
        ts[late] = self.tail_ts[-1 - refs[late]]
        ts[~late] = self.instants(refs[~late])
        flags = np.empty(len(refs), self.flags.dtype)
        flags[late] = self.tail_flags[-1 - refs[late]].astype(flags.dtype)
        flags[~late] = self.flags[refs[~late]]
        filled = {name: column.stored(refs) for name, column in self.columns.items()}
        mids = self._packed_mids(refs) if self.ordered else Mids()
        self.start, self.flags, self.mids = start, flags, mids
        self._set_ts(ts)
        for name, column in self.columns.items():
            column.fill(filled[name])
        self._reset_tail()
        self.version += 1

    def _packed_mids(self, refs: npt.NDArray[np.int64]) -> Mids:
        if self.mids.numbers is not None and not self.said:
            late = refs < 0
            places = refs.copy()
            places[late] = -1 - self.tail_mid[-1 - refs[late]].astype(np.int64)
            return Mids(self.mids.numbers[places])
        return Mids.of([self._mid(ref) for ref in refs.tolist()])

    # ------------------------------------------------------------ filters

    def flag(self, ref: int) -> int:
        """The bits of an entry: ``ref`` ≥ 0 in the base, −1 − i in the tail."""
        return int(self.tail_flags[-1 - ref] if ref < 0 else self.flags[ref])

    def add_filter(self, holds: Callable[[Entry], bool], base: Ints, tail: Ints) -> int | None:
        """A condition on single entries, as a bit of each.

        Args:
            holds: whether it holds of one that comes.
            base: whether it holds of each of the base.
            tail: and of each of the tail.

        Returns:
            Its number; None where there are too many.
        """
        number = len(self.filters)
        if number >= MOST_FILTERS:
            return None
        self.filters.append(holds)
        if number >= 8 and self.flags.dtype == np.uint8:
            self.flags = self.flags.astype(np.uint64)
        self.flags |= base.astype(self.flags.dtype) << self.flags.dtype.type(number)
        self.tail_flags[: len(tail)] |= tail.astype(np.uint64) << np.uint64(number)
        self.version += 1
        return number

    def drop_filters(self) -> None:
        """Forget all filters."""
        self.filters = []
        self.flags = np.zeros(len(self.ts), np.uint8)
        self.tail_flags[:] = 0
        self.version += 1

    # ------------------------------------------------------------ size

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        arrays = [self.start, self.ts, self.flags, self.run_row, self.run_at, self.run_count, self.run_room]
        arrays += [tail for _, tail in self._tails()] + [column.base for column in self.columns.values()]
        return sum(array.nbytes for array in arrays) + self.run_base.nbytes + self.mids.nbytes
