"""Filters that speak of the event alone, worked out once: a bit of each event.

Properties of numbers are compared in one go, texts once per distinct word, local time once per hour, weekday or date; what
remains is asked of event by event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY, SECOND
from shoal.lang import nodes as n
from shoal.lang.tree import walk
from shoal.live.columns import MISSING
from shoal.live.intervals import INTEGERS, Range, inside, ranges
from shoal.live.registry import answer
from shoal.live.scope import Scope
from shoal.live.table import Entry
from shoal.live.words import Lists

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from shoal.lang.calendar import Zone
    from shoal.live.columns import Column
    from shoal.live.state import State
    from shoal.live.table import Table

    Truths = npt.NDArray[np.bool_]

HOUR = 3_600 * SECOND


def is_static(where: n.Node) -> bool:
    """Whether a filter's answer of an event never changes."""
    return not any(isinstance(node, n.Trait | n.Aggregate) for node in walk(where))


class Pretended:
    """Stands for an event in the question of one property's value, or of its local time."""

    def __init__(self, ts: int = 0, values: dict[str, Any] | None = None) -> None:
        self.ts = ts
        self._values = values or {}

    def get(self, name: str) -> Any:
        """The value."""
        return self._values.get(name)


class Filter:
    """One filter of one table's events.

    Args:
        where: the condition.
        table: whose events.
        state: what is known.
        zone: of local time.
    """

    def __init__(self, where: n.Node, table: Table, state: State, zone: Zone) -> None:
        self.where, self.table, self.zone = where, table, zone
        self._scope = Scope(state, 0, 0, zone)

    def holds(self, entry: Entry) -> bool:
        """Whether it holds of an event."""
        return answer(self.where, self._scope.of_event(entry)).truth

    def truths(self, refs: npt.NDArray[np.int64]) -> Truths:
        """Whether it holds of each of the events that stand there (see ``Column.at``)."""
        return self._of(self.where, refs)

    def of_base(self) -> Truths:
        """Whether it holds of each event of the base."""
        simple = self.simple()
        if simple is not None:
            return inside_base(self.table.columns[simple[0]], simple[1])
        return self.truths(np.arange(len(self.table.ts)))

    def simple(self) -> tuple[str, list[tuple[int, int]]] | None:
        """The property and the ranges in which it must be, where that is all the filter says."""
        properties = {node.name for node in walk(self.where) if isinstance(node, n.Property)}
        if len(properties) != 1:
            return None
        (name,) = properties
        column = self.table.columns.get(name)
        if column is None or column.kind not in INTEGERS:
            return None
        found = ranges(self.where, n.Property(name), column.kind, self.zone)
        return None if found is None else (name, found)

    def _of(self, node: n.Node, refs: npt.NDArray[np.int64]) -> Truths:
        match node:
            case n.And(parts):
                return _all(np.logical_and, [self._of(part, refs) for part in parts])
            case n.Or(parts):
                return _all(np.logical_or, [self._of(part, refs) for part in parts])
            case n.Not(part):
                return ~self._of(part, refs)
        subjects = set(_subjects(node))
        if len(subjects) == 1:
            (subject,) = subjects
            if isinstance(subject, n.LocalTime):
                return self._of_time(node, subject, refs)
            assert isinstance(subject, n.Property)
            return self._of_property(node, subject, refs)
        return self._one_by_one(node, refs)

    def _of_property(self, node: n.Node, subject: n.Property, refs: npt.NDArray[np.int64]) -> Truths:
        column = self.table.columns.get(subject.name)
        if column is None:
            return np.full(len(refs), self._judged(node, Pretended()))
        if column.kind in INTEGERS:
            found = ranges(node, subject, column.kind, self.zone)
            if found is not None:
                stored = column.stored(refs)
                truths: Truths = inside(stored, found) & (stored != MISSING)
                return truths
        stored = column.stored(refs)
        if isinstance(column.words, Lists) and isinstance(node, n.AnyItem):
            return self._of_items(node, subject.name, column.words)[stored]
        distinct, places = np.unique(stored, return_inverse=True)
        judged = [self._judged(node, Pretended(0, {subject.name: column.decode(int(one))})) for one in distinct]
        return _spread(judged, places)

    def _of_items(self, node: n.AnyItem, name: str, words: Lists) -> Truths:
        """Of each list whether the condition holds of an item, and last of a missing one: items are asked once each."""
        items = [self._judged(node, Pretended(0, {name: (item,)})) for item in words.items.values()]
        missing = self._judged(node, Pretended(0, {name: None}))
        return np.append(words.any_of(np.array(items, np.bool_)), missing)

    def _of_time(self, node: n.Node, subject: n.LocalTime, refs: npt.NDArray[np.int64]) -> Truths:
        ts = times(self.table, refs)
        local = ts + offsets(ts, self.zone)
        part = local % DAY // HOUR if subject.part == "hour" else local // DAY
        if subject.part == "weekday":
            part %= 7
        _, first, places = np.unique(part, return_index=True, return_inverse=True)
        judged = [self._judged(node, Pretended(int(ts[i]))) for i in first]
        return _spread(judged, places)

    def _one_by_one(self, node: n.Node, refs: npt.NDArray[np.int64]) -> Truths:
        ts = times(self.table, refs)
        entries = (Entry(t, "", self.table, ref) for t, ref in zip(ts.tolist(), refs.tolist(), strict=True))
        return np.fromiter((self._judged(node, entry) for entry in entries), np.bool_, len(refs))

    def _judged(self, node: n.Node, event: Any) -> bool:
        return answer(node, self._scope.of_event(event)).truth


def inside_base(column: Column, found: list[Range]) -> Truths:
    """Which of a column's base stand in one of the ranges; compared as narrow as they stand."""
    base, missing = column.base, column.base_missing
    truth = np.zeros(len(base), np.bool_)
    most = int(np.iinfo(base.dtype).max)
    for low, high in found:
        # The least number of the type is what is missing.
        least, greatest = max(-(-low // column.unit), missing + 1), min(high // column.unit, most)
        if least <= greatest:
            truth |= (base >= base.dtype.type(least)) & (base <= base.dtype.type(greatest))
    return truth


def _all(join: np.ufunc, parts: list[Truths]) -> Truths:
    found: Truths = join.reduce(parts)
    return found


def _spread(judged: list[bool], places: npt.NDArray[Any]) -> Truths:
    """The truth of each, from those of the distinct values."""
    found: Truths = np.array(judged, np.bool_)[places]
    return found


def _subjects(node: n.Node) -> list[n.Node]:
    """The properties, and parts of local time, that a condition speaks of; inside ``any`` the list itself."""
    if isinstance(node, n.AnyItem):
        return [n.Property(node.items)]
    found: list[n.Node] = []
    for child in walk(node):
        if isinstance(child, n.AnyItem) and child is not node:
            return [*found, n.Property(child.items), n.LocalTime("hour"), n.LocalTime("date")]
        if isinstance(child, n.Property | n.LocalTime):
            found.append(child)
    return found or [n.LocalTime("hour"), n.LocalTime("date")]


def times(table: Table, refs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The instants of entries."""
    found = np.empty(len(refs), np.int64)
    late = refs < 0
    found[late] = table.tail_ts[-1 - refs[late]]
    found[~late] = table.instants(refs[~late])
    return found


def offsets(ts: npt.NDArray[np.int64], zone: Zone) -> npt.NDArray[np.int64]:
    """Microseconds that local time is ahead of UTC at each instant."""
    if not len(ts):
        return np.zeros(0, np.int64)
    turns = zone.transitions(int(ts.min()), int(ts.max()))
    at = np.array([turn for turn, _ in turns], np.int64)
    ahead = np.array([seconds * SECOND for _, seconds in turns], np.int64)
    return ahead[np.searchsorted(at, ts, "right") - 1]


def number_of(table: Table, where: n.Node, state: State, zone: Zone, known: dict[Any, Any]) -> int | None:
    """The bit of a table's events that says whether a filter holds, worked out where it is new; None: too many."""
    key = (table.name, where)
    if key not in known:
        made = Filter(where, table, state, zone)
        holds: Callable[[Entry], bool] = made.holds
        number = table.add_filter(holds, made.of_base(), made.truths(-1 - np.arange(table.used)))
        known[key] = (number, made)
    found: int | None = known[key][0]
    return found
