"""What definitions ask of the state: which event names, their properties, whether message ids, and which traits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.references import event_names, references
from shoal.lang.tree import walk
from shoal.live.state import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import Schema


@dataclass(frozen=True, slots=True)
class Needs:
    """What is to be held.

    Args:
        events: the properties of each event name.
        ordered: the event names of which message ids are needed, since the order within an instant matters.
        traits: names, those of accounts with their prefix.
    """

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ordered: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.events or self.traits)


def needs(definitions: Mapping[str, n.Definition], schema: Schema) -> Needs:
    """What definitions ask of the state."""
    events: dict[str, set[str]] = defaultdict(set)
    ordered: set[str] = set()
    traits: set[str] = set()
    for definition in definitions.values():
        named = references(definition)
        traits |= named.traits
        if named.account:
            traits.add(ACCOUNT_ID)
        for name, properties in named.events.items():
            for event in event_names(name, schema.events):
                events[event] |= properties & schema.events[event].keys()
        for name in _ordered(definition):
            ordered.update(event_names(name, schema.events))
    return Needs({name: frozenset(found) for name, found in events.items()}, frozenset(ordered), frozenset(traits))


def _ordered(definition: n.Definition) -> set[str]:
    """The events of which the first, the last or the newest few are asked for."""
    found = set()
    for at in walk(definition.where):
        if isinstance(at, n.Aggregate) and at.fn in ("first", "last"):
            found.add(at.events.name)
        elif isinstance(at, n.Events) and at.newest is not None:
            found.add(at.name)
    return found
