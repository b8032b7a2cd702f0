"""What a node means where it stands: of the customer, an event in a filter, an item inside ``any``, a past value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.sql.plan import refused
from shoal.sql.traits import trait_provider, trait_value

if TYPE_CHECKING:
    from shoal.lang import nodes as n
    from shoal.sql.plan import Plan
    from shoal.sql.rows import EventRows
    from shoal.sql.terms import Sql
    from shoal.sql.values import Value


@dataclass(frozen=True)
class Scope:
    """The scope of a customer at an instant. Others narrow it."""

    plan: Plan

    @property
    def subject(self) -> str:
        """The alias of the one who is asked about."""
        return "m"

    def trait(self, trait: n.Trait) -> Value:
        """The value of a trait at the instant."""
        return trait_value(self.plan, trait.name)

    def property(self, name: str) -> Value:
        """The value of a property of the event, or of a field of the item."""
        raise refused(f"the property {name!r} outside a filter", "Ask it in a filter.")

    def rows(self) -> EventRows:
        """The events that a filter speaks of."""
        raise refused("the local time of an event outside a filter", "Ask it in a filter.")


@dataclass(frozen=True)
class InFilter(Scope):
    """Inside a filter: of one event; the traits are those of the customer at the instant."""

    events: EventRows

    @property
    def subject(self) -> str:
        """The alias of the row, which carries the one who is asked about."""
        return "r"

    def trait(self, trait: n.Trait) -> Value:
        """The value of a trait at the instant, joined to the rows."""
        self.events.trait(trait_provider(self.plan, trait.name))
        return trait_value(self.plan, trait.name)

    def property(self, name: str) -> Value:
        """A property of the event."""
        return self.events.property(name)

    def rows(self) -> EventRows:
        """The events that the filter speaks of."""
        return self.events


@dataclass(frozen=True)
class InItem(InFilter):
    """Inside ``any``: of one item of a list of objects."""

    items: str
    item: Sql

    def property(self, name: str) -> Value:
        """A field of the item."""
        return self.events.field(self.items, name, self.item)


@dataclass(frozen=True)
class OfValue(Scope):
    """A condition on one trait, asked of a given value: what the trait was at some instant."""

    value: Value

    def trait(self, trait: n.Trait) -> Value:
        """The given value."""
        return self.value
