"""What a definition is checked against: the types of traits and event properties, and the names that exist."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.nodes import Definition


class Kind(StrEnum):
    """The types of the language."""

    TEXT = "text"
    NUMBER = "number"
    YESNO = "yes/no"
    DATE = "date"
    INSTANT = "instant"
    TEXTS = "list of text"
    OBJECTS = "list of objects"
    POINT = "geo point"


class Basis(StrEnum):
    """On what ground a purpose stands: unknown means no, yes until objected, or analysis only."""

    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate-interest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PropertyType:
    """The type of an event's property; ``fields`` are those of the objects of a list of objects."""

    kind: Kind
    fields: Mapping[str, Kind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything a definition may name.

    Args:
        traits: type by name; traits of accounts bear the prefix ``account.``.
        events: for each event name, the type of each property.
        lists: names of the customer lists in the store.
        segments: the workspace's definitions by slug.
        purposes: basis by name.
        zone: IANA name of the workspace's time zone.
        scores: the traits that models or computations write; a membership on them holds "unless rescored".
    """

    traits: Mapping[str, Kind] = field(default_factory=dict)
    events: Mapping[str, Mapping[str, PropertyType]] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    segments: Mapping[str, Definition] = field(default_factory=dict)
    purposes: Mapping[str, Basis] = field(default_factory=dict)
    zone: str = "UTC"
    scores: frozenset[str] = frozenset()

    def fixed(self) -> Schema:
        """The same names and types, which what is learned meanwhile on another thread doesn't change."""
        # Copying a dict is one step of the interpreter; going through one isn't, since a collection of cycles may come between.
        events = dict(self.events)
        return replace(self, traits=dict(self.traits), events={name: dict(types) for name, types in events.items()})
