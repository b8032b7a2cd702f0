"""The types of what comes in live: fixed at first sight, as the store's registry fixes them when it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.customers.values import LIMIT, kind_of, storable
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ACCOUNT_PREFIX, Event, TraitChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.shapes import ConsentChange, ListChange, Merge


class Types:
    """The types known so far; ``learn`` adds what records show.

    Args:
        traits: type by name, those of accounts with their prefix.
        events: for each event name, the type of each property.
    """

    def __init__(self, traits: Mapping[str, Kind], events: Mapping[str, Mapping[str, PropertyType]]) -> None:
        self.traits: dict[str, Kind] = dict(traits)
        self.events: dict[str, dict[str, PropertyType]] = {name: dict(known) for name, known in events.items()}

    def learn(self, records: Iterable[Event | TraitChange | ConsentChange | ListChange | Merge]) -> bool:
        """Fix the types of what is new; says whether anything was."""
        found = False
        for record in records:
            if isinstance(record, Event):
                found |= self._event(record)
            elif isinstance(record, TraitChange):
                name = ACCOUNT_PREFIX + record.name if record.scope == "account" else record.name
                kind = kind_of(record.value)
                if name not in self.traits and kind is not None and kind is not Kind.OBJECTS:
                    self.traits[name] = kind
                    found = True
        return found

    def fits(self, name: str, properties: Mapping[str, Any]) -> bool:
        """Whether an event is known with all its properties, and each value as it came is of its type and can be stored.

        True is certain. What is typed, learned or refused first, and what is rare, is False.
        """
        known = self.events.get(name)
        if known is None:
            return False
        for prop, value in properties.items():
            there = known.get(prop)
            if there is None:
                return False
            shape = type(value)
            if shape is str:
                if there.kind is not Kind.TEXT or not storable(value):
                    return False
            elif shape is float or shape is int:
                if there.kind is not Kind.NUMBER or not -LIMIT <= value <= LIMIT:
                    return False
            elif shape is bool:
                if there.kind is not Kind.YESNO:
                    return False
            elif value is not None:
                return False
        return True

    def _event(self, record: Event) -> bool:
        known = self.events.get(record.name)
        found = known is None
        if known is None:
            known = self.events[record.name] = {}
        for name, value in record.properties.items():
            there = known.get(name)
            if there is None:
                kind = kind_of(value)
                if kind is not None:
                    known[name] = PropertyType(kind, _fields({}, value) if kind is Kind.OBJECTS else {})
                    found = True
            elif there.kind is Kind.OBJECTS and kind_of(value) is Kind.OBJECTS:
                fields = _fields(there.fields, value)
                if len(fields) > len(there.fields):
                    known[name] = PropertyType(Kind.OBJECTS, fields)
                    found = True
        return found


def _fields(known: Mapping[str, Kind], items: Any) -> dict[str, Kind]:
    """The fields known, and those that objects show besides."""
    found = dict(known)
    for item in items:
        for name, value in item.items() if hasattr(item, "items") else ():
            kind = kind_of(value)
            if name not in found and kind is not None and kind is not Kind.OBJECTS:
                found[name] = kind
    return found
