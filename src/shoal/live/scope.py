"""Where a node is asked: of whom, when, and inside a filter of which event and item."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.lang.references import is_wildcard, plain_event_name
from shoal.live.registry import answer
from shoal.live.state import ACCOUNT_ID
from shoal.live.values import FAR, Valued

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.lang import nodes as n
    from shoal.lang.calendar import Zone
    from shoal.live.state import State
    from shoal.live.table import Entry, Table


@dataclass(frozen=True, slots=True)
class Scope:
    """Of whom and when a node is asked.

    Args:
        state: what is known.
        row: the customer, one who stands for themselves.
        t: the instant.
        event: inside a filter, the event that it speaks of.
        item: inside ``any p ( … )``, the item.
        memo: what was looked up for this customer.
        bit_of: gives the bit of each event that says whether a filter holds, where there is one.
    """

    state: State
    row: int
    t: int
    zone: Zone
    event: Entry | None = None
    item: Mapping[str, Any] | None = None
    memo: dict[Any, Any] = field(default_factory=dict)
    bit_of: Callable[[n.Events], int | None] | None = None

    def of_event(self, event: Entry) -> Scope:
        """Inside a filter."""
        return replace(self, event=event)

    def of_item(self, item: Mapping[str, Any]) -> Scope:
        """Inside ``any p ( … )``."""
        return replace(self, item=item)

    def entries(self, table: Table | None) -> list[Entry]:
        """The customer's entries in a table, in order."""
        if table is None:
            return []
        found: list[Entry] | None = self.memo.get(id(table))
        if found is None:
            found = self.memo[id(table)] = table.entries(self.row)
        return found


class Pool(NamedTuple):
    """Events in order, those to come included, and an instant before which no other can take their place."""

    events: list[Entry]
    until: int


def following(entries: list[Entry], t: int) -> int:
    """The instant of the first entry after ``t``."""
    return next((e.ts for e in entries if e.ts > t), FAR)


def pool(events: n.Events, s: Scope) -> Pool:
    """The events that a node asks for: of its name, the newest few, then those that its filter holds of."""
    found, until = _account_events(events, s) if events.of_account else (_named(events.name, s), FAR)
    if events.newest is not None:
        until = min(until, following(found, s.t))
        found = [e for e in found if e.ts <= s.t][-events.newest :]
    if events.where is None:
        return Pool(found, until)
    bit = None if s.bit_of is None else s.bit_of(events)
    if bit is not None:
        return Pool([event for event in found if event.table.flag(event.ref) >> bit & 1], until)
    kept = []
    for event in found:
        truth, certain = answer(events.where, s.of_event(event))
        until = min(until, certain)
        if truth:
            kept.append(event)
    return Pool(kept, until)


def tables_named(name: str, state: State) -> list[Table]:
    """The tables of the events that a name, or a beginning of names, stands for."""
    plain = plain_event_name(name)
    if is_wildcard(name):
        return [table for known, table in state.events.items() if known.startswith(plain)]
    return [state.events[plain]] if plain in state.events else []


def _named(name: str, s: Scope) -> list[Entry]:
    tables = tables_named(name, s.state)
    if len(tables) == 1:
        return s.entries(tables[0])
    return sorted((e for table in tables for e in s.entries(table)), key=lambda e: (e.ts, e.mid))


def _account_events(events: n.Events, s: Scope) -> Pool:
    account, until = trait_of(ACCOUNT_ID, s)
    if account is None:
        return Pool([], until)
    found: list[Entry] = []
    for row in s.state.belonging.get(account, ()):
        colleague = replace(s, row=row, memo={})
        if s.state.people.gone(row):
            continue
        theirs, certain = trait_of(ACCOUNT_ID, colleague)
        until = min(until, certain)
        if theirs == account:
            found += _named(events.name, colleague)
    return Pool(sorted(found, key=lambda e: (e.ts, e.mid)), until)


def trait_of(name: str, s: Scope) -> Valued:
    """The value of one of the customer's own traits."""
    return _last(s.entries(s.state.traits.get(name)), s.t)


def account_trait_of(name: str, s: Scope) -> Valued:
    """The value of a trait of the customer's account."""
    account, until = trait_of(ACCOUNT_ID, s)
    row = None if account is None else s.state.accounts.known(account)
    if row is None:
        return Valued(None, until)
    found, certain = _last(s.state.entries(s.state.account_traits.get(name), row), s.t)
    return Valued(found, min(until, certain))


def _last(changes: list[Entry], t: int) -> Valued:
    found, until = None, FAR
    for change in changes:
        if change.ts > t:
            until = change.ts
            break
        found = change.get("value")
    return Valued(found, until)
