"""Atoms worked out for many customers at once by numpy alone.

Of a filter's matches, their instants and the running totals of their amounts stand in streams, so that the k-th newest match,
and the one that brings a total to k, are found by looking up and halving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from shoal.live.columns import MISSING
from shoal.live.filters import offsets
from shoal.live.forms import Sort
from shoal.live.frames import CAP, HIGH_ADD, HIGH_MUL, IN_ADD, IN_MUL, LOW_ADD, LOW_MUL, OUT_ADD, OUT_MUL
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from shoal.lang.calendar import Zone
    from shoal.live.forms import Atom
    from shoal.live.state import State
    from shoal.live.table import Table

    Ints: TypeAlias = npt.NDArray[np.int64]
    Bools: TypeAlias = npt.NDArray[np.bool_]

DAY = 86_400_000_000
_MOST = 1 << 62


class Stream(NamedTuple):
    """The entries of a base, or of a tail, that match."""

    places: Ints | None
    """Where each stands; None: all."""
    ts: Ints
    totals: Ints | None = None
    """Running totals of amounts, 0 first."""
    below: Ints | None = None
    """Where amounts below 0 stand."""


class Spanned(NamedTuple):
    """The matches of some customers: the places of the customers among all asked, and where their matches are."""

    which: Ints
    begin: Ints
    end: Ints
    stream: Stream
    odd: Bools | None


class Plain:
    """Works atoms out.

    Args:
        state: what is known.
        zone: of local time.
    """

    def __init__(self, state: State, zone: Zone) -> None:
        self.state, self.zone = state, zone
        self._streams: dict[tuple[Table, int, str | None, bool], tuple[tuple[int, int, int], Stream]] = {}

    def forget(self) -> None:
        """Tables were replaced."""
        self._streams.clear()

    def numbers(self, atom: Atom, rows: Ints, t: Ints, frame: Ints | None) -> tuple[Ints, Bools | None]:
        """The number of each customer, and for whom the interpreter has to be asked instead (None: for nobody).

        Args:
            atom: the question.
            rows: the customers.
            t: the instant of each.
            frame: the window's.
        """
        if atom.sort is Sort.ALWAYS:
            return np.full(len(rows), FAR), None
        assert atom.table is not None
        if atom.sort in _OF_TRAITS:
            return _OF_TRAITS[atom.sort](self, atom, rows, t, frame), self._odd(atom, rows)
        found, odd = np.empty(len(rows), np.int64), None
        for part in self._spanned(atom, rows):
            found[part.which] = _OF_EVENTS[atom.sort](self, atom, part, t[part.which], frame)
            if part.odd is not None:
                odd = np.zeros(len(rows), np.bool_) if odd is None else odd
                odd[part.which] = part.odd
        return found, odd

    def _odd(self, atom: Atom, rows: Ints) -> Bools | None:
        """Lists and consents are asked of each of a customer's ids."""
        standing = self.state.people.standing_rows if atom.single else []
        return np.isin(rows, standing) if standing else None

    # ------------------------------------------------------------ streams

    def _spanned(self, atom: Atom, rows: Ints) -> list[Spanned]:
        """The customers whose entries stand in the base, and those whose entries stand in runs."""
        table = atom.table
        assert table is not None
        spans = table.spans(rows)
        found = []
        for based in (True, False):
            which = np.flatnonzero(spans.based == based)
            if not len(which):
                continue
            stream = self._stream(table, atom, based)
            begin, end = spans.begin[which], spans.end[which]
            odd = None
            if stream.below is not None:
                odd = np.searchsorted(stream.below, begin) < np.searchsorted(stream.below, end)
            if stream.places is not None:
                begin, end = np.searchsorted(stream.places, begin), np.searchsorted(stream.places, end)
            found.append(Spanned(which, begin, end, stream, odd))
        return found

    def _stream(self, table: Table, atom: Atom, based: bool) -> Stream:
        column = atom.column if atom.sort is Sort.TOTAL else None
        key = (table, atom.flag, column, based)
        stamp = (table.version, table.used, int(table.run_count[: table.runs].sum()))
        known = self._streams.get(key)
        if based and known is not None and known[0][0] == stamp[0]:
            return known[1]
        made = _stream(table, atom.flag, column, based)
        if based:
            self._streams[key] = stamp, made
        return made

    # ------------------------------------------------------------ events

    def _kth(self, atom: Atom, part: Spanned, t: Ints, frame: Ints | None) -> Ints:
        low, end = _bounds(part, t, frame)
        return _held(part, end, end - atom.k, low, t, frame)

    def _total(self, atom: Atom, part: Spanned, t: Ints, frame: Ints | None) -> Ints:
        low, end = _bounds(part, t, frame)
        if atom.k <= 0:
            return np.full(len(t), FAR)
        totals = part.stream.totals
        assert totals is not None
        place = np.searchsorted(totals, totals[end] - atom.k, "right") - 1
        return _held(part, end, place, low, t, frame)

    def _days(self, atom: Atom, part: Spanned, t: Ints, frame: Ints | None) -> Ints:
        low, end = _bounds(part, t, frame)
        place = np.full(len(t), -1, np.int64)
        for i in np.flatnonzero(end - part.begin >= atom.k).tolist():
            ts = part.stream.ts[part.begin[i] : end[i]].astype(np.int64)
            days = (ts + offsets(ts, self.zone)) // DAY
            newest = np.flatnonzero(np.append(days[1:] != days[:-1], True))
            if len(newest) >= atom.k:
                place[i] = part.begin[i] + newest[-atom.k]
        return _held(part, end, place, low, t, frame)

    def _first(self, atom: Atom, part: Spanned, t: Ints, frame: Ints | None) -> Ints:
        any_ = part.end > part.begin
        x = _at(part.stream.ts, part.begin, any_)
        return _stands(x, any_, t, frame)

    def _age(self, atom: Atom, part: Spanned, t: Ints, frame: Ints | None) -> Ints:
        ts = part.stream.ts
        end = _upper(part, t + 1)
        past = end > part.begin
        place = end - 1 if atom.sort is Sort.AGE_LAST else part.begin
        x = _at(ts, place, past)
        coming = _at(ts, end, end < part.end)
        old = past & (t - x >= atom.k)
        until = np.where(past, np.minimum(coming, x + atom.k), coming)
        if atom.sort is Sort.AGE_FIRST:
            return np.where(old, FAR, -_rel(until, t))
        return np.where(old, _rel(coming, t), -_rel(until, t))

    # ------------------------------------------------------------ traits

    def _standing(self, atom: Atom, rows: Ints, t: Ints) -> tuple[Ints, Ints]:
        """The value that stands at t (``Column.missing``: none), and when the next one comes (FAR: never)."""
        table = atom.table
        assert table is not None
        assert atom.column is not None
        column = table.columns[atom.column]
        spans = table.spans(rows)
        value, coming = np.full(len(rows), column.missing, np.int64), np.full(len(rows), FAR, np.int64)
        for based in (True, False):
            which = np.flatnonzero(spans.based == based)
            ts, unit, zero = (table.ts, table.unit, table.zero) if based else (table.tail_ts, 1, 0)
            part = Spanned(which, spans.begin[which], spans.end[which], Stream(None, ts), None)
            end = _upper(part, (t[which] - zero) // unit + 1)
            past = end > part.begin
            refs = end[past] - 1
            value[which[past]] = column.stored(refs if based else -1 - refs)
            more = end < part.end
            coming[which[more]] = ts[end[more]].astype(np.int64) * unit + zero
        return value, coming

    def _trait(self, atom: Atom, rows: Ints, t: Ints, frame: Ints | None) -> Ints:
        value, coming = self._standing(atom, rows, t)
        table = atom.table
        assert atom.truth is not None
        assert table is not None
        truth = atom.truth.of(value, table, table.columns[str(atom.column)], self.state, self.zone)
        until = _rel(coming, t)
        return np.where(truth, until, -until)

    def _instant(self, atom: Atom, rows: Ints, t: Ints) -> tuple[Ints, Bools, Ints]:
        value, coming = self._standing(atom, rows, t)
        known = value != MISSING
        table = atom.table
        assert table is not None
        if table.columns[str(atom.column)].kind == "date":
            days, places = np.unique(value[known], return_inverse=True)
            value[known] = np.array([self.zone.starts(day) for day in days.tolist()], np.int64)[places]
        return value, known, _rel(coming, t)

    def _when(self, atom: Atom, rows: Ints, t: Ints, frame: Ints | None) -> Ints:
        x, known, coming = self._instant(atom, rows, t)
        found = _stands(x, known, t, frame)
        return np.sign(found) * np.minimum(np.abs(found), coming)

    def _trait_age(self, atom: Atom, rows: Ints, t: Ints, frame: Ints | None) -> Ints:
        x, known, coming = self._instant(atom, rows, t)
        x = np.where(known, x, 0)
        old = known & (t - x >= atom.k)
        crossing = np.where(known & ~old, x + atom.k - t, FAR)
        return np.where(old, coming, -np.minimum(coming, crossing))


_OF_EVENTS: dict[Sort, Callable[[Plain, Atom, Spanned, Ints, Ints | None], Ints]] = {
    Sort.KTH: Plain._kth,
    Sort.TOTAL: Plain._total,
    Sort.DAYS: Plain._days,
    Sort.FIRST: Plain._first,
    Sort.AGE_LAST: Plain._age,
    Sort.AGE_FIRST: Plain._age,
}
_OF_TRAITS: dict[Sort, Callable[[Plain, Atom, Ints, Ints, Ints | None], Ints]] = {
    Sort.TRAIT: Plain._trait,
    Sort.WHEN: Plain._when,
    Sort.TRAIT_AGE: Plain._trait_age,
}


def _stream(table: Table, flag: int, column: str | None, based: bool) -> Stream:
    ts = table.instants(slice(None)) if based else table.tail_ts[: table.used]
    if flag < 0 and column is None:
        return Stream(None, ts)
    matches = np.ones(len(ts), np.bool_)
    if flag >= 0:
        flags = table.flags if based else table.tail_flags[: table.used]
        matches = (flags >> flags.dtype.type(flag)) & flags.dtype.type(1) != 0
    if column is None:
        places = np.flatnonzero(matches)
        return Stream(places, ts[places])
    whole = np.arange(len(ts))
    amounts = table.columns[column].stored(whole if based else -1 - whole)
    places = np.flatnonzero(matches & (amounts != MISSING))
    below = np.flatnonzero((amounts < 0) & (amounts != MISSING))
    found = np.maximum(amounts[places], 0)
    if float(found.sum(dtype=np.float64)) > _MOST:
        return Stream(places, ts[places], np.zeros(len(places) + 1, np.int64), np.arange(len(ts)))
    totals = np.concatenate(([0], np.cumsum(found)))
    return Stream(places, ts[places], totals, below if len(below) else None)


def _rel(until: Ints, t: Ints) -> Ints:
    """How long, from t on; FAR stays."""
    return np.where(until >= FAR, FAR, np.maximum(until - t, 1))


def _at(ts: Ints, places: Ints, there: Bools) -> Ints:
    """The instants at the places; FAR where there is none."""
    found = np.full(len(places), FAR, np.int64)
    found[there] = ts[places[there]]
    return found


def _upper(part: Spanned, high: Ints) -> Ints:
    """Where the matches before ``high`` end."""
    ts, low, top = part.stream.ts, part.begin, part.end.copy()
    late = np.flatnonzero(top > low)
    late = late[ts[top[late] - 1] >= high[late]]
    if len(late):
        begin, end, bound = low[late].copy(), top[late], high[late]
        while (open_ := begin < end).any():
            middle = (begin + end) // 2
            before = open_ & (ts[np.minimum(middle, len(ts) - 1)] < bound)
            begin = np.where(before, middle + 1, begin)
            end = np.where(open_ & ~before, middle, end)
        top[late] = begin
    return top


def _bounds(part: Spanned, t: Ints, frame: Ints | None) -> tuple[Ints, Ints]:
    """The beginning of the window, and where the matches before its end stop."""
    assert frame is not None
    high = np.minimum(frame[HIGH_MUL] * t + frame[HIGH_ADD], frame[CAP])
    return frame[LOW_MUL] * t + frame[LOW_ADD], _upper(part, high)


def _coming_in(x: Ints, frame: Ints) -> Ints:
    return np.where(x >= frame[CAP], FAR, frame[IN_MUL] * x + frame[IN_ADD])


def _held(part: Spanned, end: Ints, place: Ints, low: Ints, t: Ints, frame: Ints | None) -> Ints:
    """True while the match at ``place`` stands in the window; false until the next one comes in."""
    assert frame is not None
    ts = part.stream.ts
    x = _at(ts, place, (place >= part.begin) & (place < end))
    truth = (x < FAR) & (x >= low)
    going = _rel(np.where(truth, frame[OUT_MUL] * x + frame[OUT_ADD], FAR), t)
    coming = _at(ts, end, end < part.end)
    return np.where(truth, going, -_rel(_coming_in(coming, frame), t))


def _stands(x: Ints, known: Bools, t: Ints, frame: Ints | None) -> Ints:
    """Whether an instant is in the window, and until when."""
    assert frame is not None
    low = frame[LOW_MUL] * t + frame[LOW_ADD]
    high = np.minimum(frame[HIGH_MUL] * t + frame[HIGH_ADD], frame[CAP])
    x = np.where(known, x, 0)
    truth = known & (x >= low) & (x < high)
    going = frame[OUT_MUL] * x + frame[OUT_ADD]
    coming = np.where(known & (x >= high), _coming_in(x, frame), FAR)
    return np.where(truth, _rel(going, t), -_rel(coming, t))
