"""Many events at once: as columns, into their tables and at once to memberships."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.live.columns import MISSING
from shoal.live.plan import Touch
from shoal.live.table import UNSAID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.live.engine import Change, Engine
    from shoal.live.machine import Machine
    from shoal.live.table import Table

    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Events:
    """Events as columns, one place an event.

    Args:
        customers: ids; or rows, as ``People.row`` gives them.
        names: of the events.
        ts: when each happened.
        mids: message ids; empty where none is needed.
        values: by property, a value or None for each event, as ``live.values`` has them; integers as plain integers.
    """

    customers: Sequence[str] | npt.NDArray[np.int64]
    names: Sequence[str]
    ts: Sequence[int] | npt.NDArray[np.int64]
    mids: Sequence[str] = ()
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def apply(engine: Engine, events: Events, because: str) -> list[Change]:
    """Take events in and evaluate who is touched."""
    machine = engine.evaluator.machine
    if machine is None or engine.evaluator.shares:
        return _one_by_one(engine, events, because)
    people = engine.state.people
    if isinstance(events.customers, np.ndarray):
        rows = events.customers
    else:
        rows = np.fromiter(map(people.row, events.customers), np.int64, len(events.customers))
    if people.merges and any(map(people.gone, rows.tolist())):
        # Whoever was merged away keeps their own entries, and who stands for them gets copies.
        return _one_by_one(engine, events, because)
    for name in set(events.names):
        engine.state.event_table(name)
    engine.evaluator.ensure()
    machine.bind(engine.evaluator.frames(engine.now))
    ts = np.asarray(events.ts, np.int64)
    which = np.fromiter(map(machine.place_of_event.__getitem__, events.names), np.int64, len(events.names))
    new = _insert(engine, machine, events, rows, which, ts)
    return _judge(engine, machine, events.names, rows, new, because)


def _one_by_one(engine: Engine, events: Events, because: str) -> list[Change]:
    ids = engine.state.people.ids
    for i, name in enumerate(events.names):
        who = events.customers[i]
        values = {p: column[i] for p, column in events.values.items() if column[i] is not None}
        mid = events.mids[i] if len(events.mids) else ""
        engine.add_event(who if isinstance(who, str) else ids[int(who)], name, int(events.ts[i]), mid, values)
    return engine.settle(because)


def _insert(
    engine: Engine, machine: Machine, events: Events, rows: Ints, which: Ints, ts: Ints
) -> npt.NDArray[np.bool_]:
    """Add events to their tables; says of which a customer is there from an earlier instant on."""
    tables = machine.tables
    values = _values(machine, events, which)
    mids = np.full(len(rows), UNSAID, np.int32)
    flags = np.zeros(len(rows), np.uint64)
    if len(events.mids) or machine.asked_filters:
        _words(machine, events, which, ts, mids, flags)
    new = np.zeros(len(rows), np.bool_)
    done = 0
    while True:
        done = machine.loops.insert(machine.context, done, rows, which, ts, mids, flags, values, new)
        if done >= len(rows):
            return new
        new[done] = _by_hand(engine, tables[which[done]], events, done, int(rows[done]), int(ts[done]))
        done += 1
        machine.bind(engine.evaluator.frames(engine.now))
        if done >= len(rows):
            return new


def _words(machine: Machine, events: Events, which: Ints, ts: Ints, mids: npt.NDArray[Any], flags: Any) -> None:
    """Hold message ids, and ask filters that aren't ranges of one number."""
    for i, place in enumerate(which.tolist()):
        table = machine.tables[place]
        if table.ordered and len(events.mids):
            mids[i] = table.say(events.mids[i])
        for bit in machine.asked_filters.get(place, ()):
            held = {p: column[i] for p, column in events.values.items()}
            if machine.forms.filter_of(table, bit).holds(_Coming(int(ts[i]), held)):
                flags[i] |= np.uint64(1 << bit)


class _Coming:
    """An event that a filter is asked of before it has a place."""

    def __init__(self, ts: int, values: Mapping[str, Any]) -> None:
        self.ts, self._values = ts, values

    def get(self, name: str) -> Any:
        """The value of a property."""
        return self._values.get(name)


def _values(machine: Machine, events: Events, which: Ints) -> npt.NDArray[np.int64]:
    """The values as they stand in the tail, by the place of the property in its table."""
    tables = machine.tables
    found = np.full((len(which), machine.widest), MISSING, np.int64)
    if events.values:
        places = which.tolist()
        for name, column in events.values.items():
            for i, value in enumerate(column):
                order = machine.orders[places[i]]
                if value is not None and name in order:
                    found[i, order[name]] = tables[places[i]].columns[name].encode(value)
    return found


def _by_hand(engine: Engine, table: Table, events: Events, i: int, row: int, ts: int) -> bool:
    """An event that needs more room, or whose message id has to be compared."""
    values = {p: column[i] for p, column in events.values.items() if column[i] is not None}
    earlier = ts < engine.state.people.exists_from(row)
    table.lengthen(table.used + 1024 + table.used // 2)
    table.more_runs(table.runs + 256 + table.runs // 2)
    table.widen(len(engine.state.people.exists))
    table.insert(row, ts, events.mids[i] if len(events.mids) else "", values)
    engine.state.people.seen(row, ts)
    return earlier


def _judge(
    engine: Engine,
    machine: Machine,
    names: Sequence[str],
    rows: Ints,
    new: npt.NDArray[np.bool_],
    because: str,
) -> list[Change]:
    evaluator = engine.evaluator
    lists, rests = _lists(engine, machine, names, new)
    slow = [(int(rows[i]), rest) for i, rest in rests]
    flips, odd = machine.judge_each(rows, lists, engine.now)
    found = evaluator.flips_of(flips)
    slow += [(row, engine.plan.everything) for row in odd.tolist()]
    for each in found:
        evaluator.record(each)
        if more := evaluator.slow_dependents(each.slug):
            slow += [(row, more) for row in each.rows.tolist()]
    if odd.size:
        machine.forget_truths()
    for row, slugs in slow:
        engine.mark(row, slugs)
    changes = engine.told(found, because)
    return [*changes, *engine.settle(because)] if slow or engine.has_touched else changes


def _lists(
    engine: Engine, machine: Machine, names: Sequence[str], new: npt.NDArray[np.bool_]
) -> tuple[Ints, list[tuple[int, frozenset[str]]]]:
    """Of each event the list of segments that loops judge, and where there are any, the others."""
    known = machine.lists_of_events
    for name in names:
        if name not in known:
            fast, rest = engine.evaluator.divided(engine.plan.touched_by(Touch("event", name)))
            known[name] = machine.list_of(fast), rest
    lists = np.fromiter((known[name][0] for name in names), np.int64, len(names))
    if any(rest for _, rest in known.values()):
        rests = [(i, known[name][1]) for i, name in enumerate(names) if known[name][1]]
    else:
        rests = []
    if new.any():
        fast, rest = engine.evaluator.divided(engine.plan.everything)
        lists[new] = machine.list_of(fast)
        rests += [(i, rest) for i in np.flatnonzero(new).tolist() if rest]
    return lists, rests
