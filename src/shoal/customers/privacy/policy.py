"""Which tables hold persons, and the columns that name them: every table of the store is declared here or by its domain.

A test asserts that, so a new table can't be forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shoal.customers.identity.tables import PERSONAL as IDENTITY
from shoal.sql.registry import CUSTOMER

if TYPE_CHECKING:
    from shoal.sql.registry import Registry

PERSONAL: dict[str, tuple[str, ...]] = {
    **IDENTITY,
    "consents": ("customer",),
    "list_changes": ("customer",),
    "membership_changes": ("customer",),
    "merges": ("kept", "gone"),
    "customers": ("key",),
}
"""Tables whose rows belong to a customer, with the columns that hold keys of customers. ``customers`` comes last."""

LOOSE: dict[str, str] = {"quarantine": "content", "dead_letters": "body", "issues_seen": "sample"}
"""Tables in which a text may speak of anybody, and the column with that text."""

FREE: dict[str, str] = {
    "meta": "it speaks of the store",
    "accounts": "companies; whom they belong to stands in a trait of the customer",
    "event_types": "names of events",
    "properties": "names of properties",
    "item_fields": "names of fields",
    "traits": "names of traits",
    "lists": "names of lists",
    "thresholds": "cut points over all customers",
    "definitions": "segments and metrics; no customer's data stands in them",
    "calendar": "dates",
    "files": "paths of sources",
    "spend": "amounts by day and channel",
    "loads": "counts",
    "quality": "measures of whole columns",
    "api_keys": "programs of the workspace's own",
    "people": "those who work with the workspace, whom an administrator removes",
    "sign_ins": "of those who work with the workspace",
    "sign_in_links": "of those who work with the workspace",
    "audit": "what those who work with the workspace did; a customer stands there as a number that nobody bears once erased",
    "drafts": "what those who work with the workspace are making",
    "webhooks": "receivers of the workspace's own",
    "tombstones": "keyed hashes, kept so that the erased stay erased",
    "job_runs": "runs of jobs",
}
"""Tables without customers, each with the reason."""


class Held(NamedTuple):
    """A table that holds persons: its name, the columns that name them, and what people call it."""

    table: str
    columns: tuple[str, ...]
    title: str


def held(registry: Registry) -> list[Held]:
    """All tables that hold persons by key: those of events and customers' traits, then the others."""
    found = [Held(event.table, ("customer",), f"event {event.name}") for event in registry.events.values()]
    found += [Held(t.table, ("owner",), f"trait {t.name}") for t in registry.traits.values() if t.scope == CUSTOMER]
    return found + [Held(table, columns, table.replace("_", " ")) for table, columns in PERSONAL.items()]
