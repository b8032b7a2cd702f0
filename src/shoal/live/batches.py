"""Many events at once: as columns, into their tables and at once to memberships."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.live.changes import Changes
from shoal.live.columns import MISSING
from shoal.live.layout import ODD
from shoal.live.plan import Touch
from shoal.live.table import UNSAID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.live.engine import Engine
    from shoal.live.machine import Machine
    from shoal.live.room import Room

    Ints = npt.NDArray[np.int64]

_FEW = 8
"""So few values are set one by one."""

_MORE = 1 << 13
"""Entries that a table gets room for at most at once."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events as columns, one place an event.

    Args:
        customers: ids; or rows, as ``People.row`` gives them.
        names: of the events.
        ts: when each happened.
        mids: message ids; empty where none is needed.
        values: by property, a value or None for each event, as ``live.values`` has them, integers as plain integers; or an array
            of int64 in which ``columns.MISSING`` is missing.
    """

    customers: Sequence[str] | npt.NDArray[np.int64]
    names: Sequence[str]
    ts: Sequence[int] | npt.NDArray[np.int64]
    mids: Sequence[str] = ()
    values: Mapping[str, Sequence[Any] | npt.NDArray[np.int64]] = field(default_factory=dict)

    def value(self, name: str, i: int) -> Any:
        """The value of a property of one event; None is missing."""
        column = self.values[name]
        if not isinstance(column, np.ndarray):
            return column[i]
        found = int(column[i])
        return None if found == MISSING else found

    def values_of(self, i: int) -> dict[str, Any]:
        """The values of one event that aren't missing."""
        return {name: value for name in self.values if (value := self.value(name, i)) is not None}


def apply(engine: Engine, events: Events, because: str) -> Changes:
    """Take events in and evaluate who is touched."""
    evaluator, people = engine.evaluator, engine.state.people
    machine = evaluator.machine
    if machine is None or evaluator.shares:
        return _one_by_one(engine, events, because)
    rows = events.customers if isinstance(events.customers, np.ndarray) else people.rows(events.customers)
    if people.merges and any(map(people.gone, rows.tolist())):
        # Whoever was merged away keeps their own entries, and who stands for them gets copies.
        return _one_by_one(engine, events, because)
    caught = engine.catch_up(rows)
    if len(rows) == 1 and not len(caught.rows):
        alone = _alone(engine, machine, events, int(rows[0]), because)
        if alone is not None:
            return alone
    room = _filled(engine, machine, events, rows)
    flips = _taken(engine, machine, events, room, len(rows))
    changes = _told(engine, machine, events, room, flips, because)
    return Changes.joined((caught, changes)) if len(caught.rows) else changes


def _alone(engine: Engine, machine: Machine, events: Events, row: int, because: str) -> Changes | None:
    """Take in a single event by as little as needed; None, and nothing is done, where that isn't enough."""
    _bind(engine, machine)
    evaluator = engine.evaluator
    place = machine.place_of_event.get(events.names[0])
    room = machine.room_for(1)
    if place is None or place in machine.asked_filters or not room.clean:
        return None
    table, mid = machine.tables[place], UNSAID
    room.clean = False
    for name, column in events.values.items():
        order = machine.orders_of(name).known.get(place)
        if order is not None and (value := column[0]) is not None and value != MISSING:
            room.values[0, order] = table.columns[name].encode(value)
    if table.ordered and len(events.mids):
        mid = table.say(events.mids[0])
    many = machine.alone(room, row, place, int(events.ts[0]), mid, engine.now)
    if many < 0:
        flips = _taken(engine, machine, events, room, 1)
        return _told(engine, machine, events, room, flips, because)
    room.clean = True
    flips = room.out[: many & (ODD - 1)].copy()
    if many >= ODD or machine.has_slow or len(evaluator.followed) or engine.has_touched:
        return _told(engine, machine, events, room, flips, because)
    return engine.changed(flips, because)


def _one_by_one(engine: Engine, events: Events, because: str) -> Changes:
    ids = engine.state.people.ids
    for i, name in enumerate(events.names):
        who = events.customers[i]
        mid = events.mids[i] if len(events.mids) else ""
        customer = who if isinstance(who, str) else ids[int(who)]
        engine.add_event(customer, name, int(events.ts[i]), mid, events.values_of(i))
    return engine.settle(because)


# ------------------------------------------------------------ what loops read


def _filled(engine: Engine, machine: Machine, events: Events, rows: Ints) -> Room:
    """The events as loops read them."""
    many = len(rows)
    _bind(engine, machine)
    places = machine.place_of_event
    try:
        which = [places[name] for name in events.names]
    except KeyError:
        for name in set(events.names):
            engine.state.event_table(name)
        _bind(engine, machine)
        which = [machine.place_of_event[name] for name in events.names]
    room = machine.room_for(many)
    room.clear()
    if many == 1:
        room.rows[0], room.which[0], room.ts[0] = rows[0], which[0], events.ts[0]
    else:
        room.rows[:many], room.which[:many], room.ts[:many] = rows, which, events.ts
    if events.values:
        _set_values(machine, events, which, room)
    if len(events.mids):
        tables, ordered = machine.tables, machine.ordered
        for i, place in enumerate(which):
            if place in ordered:
                room.mids[i] = tables[place].say(events.mids[i])
    if machine.asked_filters:
        _ask_filters(machine, events, which, room)
    return room


def _bind(engine: Engine, machine: Machine) -> None:
    if machine.is_bound(engine.now):
        return
    engine.evaluator.ensure()
    machine.bind(engine.evaluator.frames(engine.now))


def _set_values(machine: Machine, events: Events, which: list[int], room: Room) -> None:
    """The values as they stand in the tail, by the place of the property in its table."""
    for name, column in events.values.items():
        orders = machine.orders_of(name)
        if not orders.known:
            continue
        if len(which) > _FEW and not orders.words:
            if not isinstance(column, np.ndarray):
                column = np.array([MISSING if value is None else value for value in column], np.int64)
            order = orders.places[which]
            there = np.flatnonzero(order >= 0)
            room.values[there, order[there]] = column[there]
            continue
        values: Any = column.tolist() if isinstance(column, np.ndarray) else column
        for i, value in enumerate(values):
            found = orders.known.get(which[i])
            if found is not None and value is not None and value != MISSING:
                room.values[i, found] = machine.tables[which[i]].columns[name].encode(value)


def _ask_filters(machine: Machine, events: Events, which: list[int], room: Room) -> None:
    """Ask filters that aren't ranges of one number."""
    for i, place in enumerate(which):
        for bit, filter_ in machine.asked_filters.get(place, ()):
            coming = _Coming(int(room.ts[i]), {name: events.value(name, i) for name in events.values})
            if filter_.holds(coming):  # type: ignore[arg-type]
                room.flags[i] |= np.uint64(1 << bit)


class _Coming:
    """An event that a filter is asked of before it has a place."""

    def __init__(self, ts: int, values: Mapping[str, Any]) -> None:
        self.ts, self._values = ts, values

    def get(self, name: str) -> Any:
        """The value of a property."""
        return self._values.get(name)


# ------------------------------------------------------------ taking in


def _taken(engine: Engine, machine: Machine, events: Events, room: Room, many: int) -> Ints:
    """Add events to their tables and judge whom they touch; returns what changed."""
    found, state = [], room.state
    while not machine.take(room, many, engine.now):
        if state[0] < many:
            _by_hand(engine, machine, events, room, int(state[0]))
            state[0] += 1
            machine.bind(engine.evaluator.frames(engine.now))
        else:
            found.append(room.out[: state[2]].copy())
            state[2] = 0
    room.clean = True
    last = room.out[: state[2]]
    return np.concatenate([*found, last]) if found else last.copy()


def _by_hand(engine: Engine, machine: Machine, events: Events, room: Room, i: int) -> None:
    """An event that needs more room, or whose message id has to be compared; all segments are judged."""
    table, row, ts = machine.tables[room.which[i]], int(room.rows[i]), int(room.ts[i])
    table.lengthen(table.used + 1024 + min(table.used // 2, _MORE))
    table.more_runs(table.runs + 256 + min(table.runs // 2, _MORE))
    table.widen(len(engine.state.people.exists))
    if room.mids[i] != UNSAID:
        # It was said already, and insert says it again.
        table.said.pop() if room.mids[i] == len(table.said) - 1 else None
    table.insert(row, ts, events.mids[i] if len(events.mids) else "", events.values_of(i))
    if ts < engine.state.people.exists_from(row):
        room.seen[i] = True
        room.state[4] += 1
    room.dirty[i] = ~np.uint64(0)
    engine.state.people.seen(row, ts)


def _told(engine: Engine, machine: Machine, events: Events, room: Room, flips: Ints, because: str) -> Changes:
    """The changes, and those of whom the interpreter has to be asked."""
    evaluator, many = engine.evaluator, len(events.names)
    slow: list[tuple[int, frozenset[str]]] = []
    if machine.has_slow:
        slow = _left_out(engine, machine, events.names, room)
    if room.state[3]:
        slow += [(row, engine.plan.everything) for row in room.rows[:many][room.odd[:many]].tolist()]
        machine.forget_truths()
    changes = engine.changed(flips, because)
    if len(flips) and len(evaluator.followed):
        for row, number in flips[np.isin(flips[:, 1] >> 2, evaluator.followed)][:, :2].tolist():
            slow.append((row, evaluator.slow_dependents(evaluator.names[number >> 2])))
    for row, slugs in slow:
        engine.mark(row, slugs)
    return Changes.joined((changes, engine.settle(because))) if slow or engine.has_touched else changes


def _left_out(engine: Engine, machine: Machine, names: Sequence[str], room: Room) -> list[tuple[int, frozenset[str]]]:
    """Of each customer the segments that loops don't judge."""
    known, plan, many = machine.slow_of_events, engine.plan, len(names)
    for name in names:
        if name not in known:
            known[name] = engine.evaluator.divided(plan.touched_by(Touch("event", name)))[1]
    rows = room.rows[:many].tolist()
    found = [(row, known[name]) for row, name in zip(rows, names, strict=True) if known[name]]
    if room.state[4] and (rest := engine.evaluator.divided(plan.everything)[1]):
        found += [(row, rest) for row in room.rows[:many][room.seen[:many]].tolist()]
    return found
