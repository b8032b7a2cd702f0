"""What definitions ask of the state: which event names, their properties, whether message ids, and which traits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.references import event_names, references
from shoal.lang.schema import Kind
from shoal.lang.tree import walk
from shoal.live.state import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import Schema
    from shoal.live.state import State
    from shoal.live.table import Table


@dataclass(frozen=True, slots=True)
class Needs:
    """What is to be held.

    Args:
        events: the properties of each event name.
        ordered: the event names of which message ids are needed, since the order within an instant matters.
        traits: names, those of accounts with their prefix.
        fields: by event and property, the fields of lists of objects.
    """

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ordered: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    fields: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.events or self.traits)


def needs(definitions: Mapping[str, n.Definition], schema: Schema) -> Needs:
    """What definitions ask of the state."""
    events: dict[str, set[str]] = defaultdict(set)
    ordered: set[str] = set()
    traits: set[str] = set()
    fields: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for definition in definitions.values():
        named = references(definition)
        traits |= named.traits
        if named.account:
            traits.add(ACCOUNT_ID)
        for name, properties in named.events.items():
            for event in event_names(name, schema.events):
                events[event] |= properties & schema.events[event].keys()
        for (name, prop), found in named.fields.items():
            for event in event_names(name, schema.events):
                if (known := schema.events[event].get(prop)) is not None:
                    fields[event][prop] = fields[event].get(prop, frozenset()) | (found & known.fields.keys())
        for name in _ordered(definition):
            ordered.update(event_names(name, schema.events))
    asked = {name: frozenset(found) for name, found in events.items()}
    return Needs(asked, frozenset(ordered), frozenset(traits), fields)


def lacking(wanted: Needs, state: State) -> Needs:
    """What a state doesn't hold of what is wanted; of a table that has to be read anew, what it holds as well."""
    held = {name: table for name, table in state.events.items() if name not in state.unread_events}
    events = {
        name: properties | (held[name].columns.keys() if name in held else frozenset())
        for name, properties in wanted.events.items()
        if name not in held
        or properties - held[name].columns.keys()
        or (name in wanted.ordered and not held[name].ordered)
        or any(asked - _fields(held[name], prop, state) for prop, asked in wanted.fields.get(name, {}).items())
    }
    ordered = wanted.ordered | {name for name in events if name in held and held[name].ordered}
    traits = wanted.traits - ((state.traits.keys() | state.account_traits.keys()) - state.unread_traits)
    fields = {name: dict(wanted.fields.get(name, {})) for name in events}
    for name in events.keys() & held.keys():
        for prop, column in held[name].columns.items():
            if column.kind is Kind.OBJECTS:
                asked = fields[name].get(prop, frozenset())
                fields[name][prop] = asked | _fields(held[name], prop, state)
    return Needs(events, ordered, traits, fields)


def _fields(table: Table, prop: str, state: State) -> frozenset[str]:
    """The fields of a list of objects that a table holds."""
    known = state.schema.events.get(table.name, {}).get(prop)
    return table.fields.get(prop, frozenset() if known is None else frozenset(known.fields))


def _ordered(definition: n.Definition) -> set[str]:
    """The events of which the first, the last or the newest few are asked for."""
    found = set()
    for at in walk(definition.where):
        if isinstance(at, n.Aggregate) and at.fn in ("first", "last"):
            found.add(at.events.name)
        elif isinstance(at, n.Events) and at.newest is not None:
            found.add(at.name)
    return found
