"""One customer of an engine by themselves: an engine of its own that goes on exactly as the whole one would for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shoal.live.engine import Engine
from shoal.live.state import ACCOUNT_ID
from shoal.live.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import Schema
    from shoal.live.state import State

    Places = Mapping[int, int]
    """The places in the copy by the rows in the engine."""


def alone(engine: Engine, customer: str, schema: Schema | None = None) -> Engine:
    """A copy of an engine in which there is one customer, and whom they share accounts with where definitions ask of those.

    Nothing that happens to the copy changes the engine. Settle the engine first, and let nobody change it meanwhile.

    Args:
        engine: settled.
        customer: by any of their ids.
        schema: that the copy may grow by itself; None for the engine's own, which must not grow then.

    Raises:
        UnknownName: there is no such customer.
    """
    rows = _rows(engine, engine.row(customer))
    places = {row: place for place, row in enumerate(rows)}
    made = Engine(engine.schema if schema is None else schema, {}, engine.now, recording=engine.recording)
    _copy_people(engine.state, made.state, places)
    _copy_tables(engine.state, made.state, places)
    _copy_accounts(engine.state, made.state, rows)
    _copy_rest(engine.state, made.state, places)
    made.state.belong_again()
    made.define(engine.plan.definitions)
    _copy_memberships(engine, made, places)
    return made


def _rows(engine: Engine, row: int) -> list[int]:
    """The rows of a customer and of all merged into them; then of their colleagues', where definitions ask of accounts."""
    state = engine.state
    found = dict.fromkeys(state.people.members(row))
    if engine.plan.shared:
        for account in _accounts(state, list(found)):
            for other in sorted(state.belonging.get(account, ())):
                found.update(dict.fromkeys(state.people.members(state.people.survivor(other))))
    return list(found)


def _accounts(state: State, rows: list[int]) -> list[str]:
    """The accounts that customers ever were of."""
    table = state.traits.get(ACCOUNT_ID)
    values = (entry.get("value") for row in rows for entry in state.entries(table, row))
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))


def _copy_people(state: State, into: State, places: Places) -> None:
    rows = np.fromiter(places, np.int64, len(places))
    into.people.fill(state.people.ids.texts(rows), state.people.first[rows].copy())
    merges = state.people.merges
    into.people.join_all({place: places[merges[row]] for row, place in places.items() if row in merges})


def _copy_tables(state: State, into: State, places: Places) -> None:
    for group in ("events", "traits", "consents", "lists"):
        held: dict[str, Table] = getattr(into, group)
        for name, table in getattr(state, group).items():
            held[name] = _copied(table, places)


def _copied(table: Table, places: Places) -> Table:
    made = Table(table.name, {name: column.kind for name, column in table.columns.items()}, ordered=table.ordered)
    made.fields = dict(table.fields)
    for row, place in places.items():
        for entry in table.entries(row):
            made.insert(place, entry.ts, entry.mid, {name: entry.get(name) for name in table.columns})
    return made


def _copy_accounts(state: State, into: State, rows: list[int]) -> None:
    known = {name: row for name in _accounts(state, rows) if (row := state.accounts.known(name)) is not None}
    into.accounts.fill(list(known), np.empty(0, np.int64))
    places = {row: place for place, row in enumerate(known.values())}
    for name, table in state.account_traits.items():
        into.account_traits[name] = _copied(table, places)


def _copy_rest(state: State, into: State, places: Places) -> None:
    for (segment, what), happened in state.published.items():
        history = into.published_table(segment, what)
        for row, place in places.items():
            for at in happened.instants(row):
                history.insert(place, at)
    into.thresholds.update({key: list(refreshes) for key, refreshes in state.thresholds.items()})
    into.unread_events, into.unread_traits = set(state.unread_events), set(state.unread_traits)
    into.unread_properties = dict(state.unread_properties)


def _copy_memberships(engine: Engine, made: Engine, places: Places) -> None:
    made.evaluator.ensure()
    bits, slots = engine.evaluator.bits, engine.evaluator.slots
    for slug, slot in made.evaluator.slots.items():
        for row, place in places.items():
            if bits.get(row, slots[slug]):
                made.evaluator.bits.put(place, slot, True)
    rows = np.fromiter(places, np.int64, len(places))
    made.evaluator.dues.put(np.arange(len(rows)), engine.evaluator.dues.at[rows])
    made.behind = engine.behind
