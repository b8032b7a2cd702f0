"""A small world on a real store: records in, the members of a text out."""

from __future__ import annotations

from typing import Any

from shoal.clock import to_instant
from shoal.customers.writer import write_records
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.shapes import Event, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.engine import SqlEngine
from shoal.sql.registry import learned_schema


def at(text: str) -> int:
    """The instant of an ISO text; without an offset it is UTC."""
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(text)
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class World:
    """A store in memory, what is written to it, and questions in the language."""

    def __init__(self, zone: str = "UTC", **schema: Any) -> None:
        self.zone = zone
        self.store: DuckStore = create_store(":memory:", zone=zone, now=0, memory="1GB", threads=1)
        self._more = schema
        self.definitions: dict[str, Definition] = {}

    def write(self, *records: Any, received: int = 0) -> World:
        """Write records as the product does."""
        write_records(self.store, records, zone=self.zone, received=received)
        return self

    def did(self, customer: str, name: str, when: str | int, *, message: str | None = None, **properties: Any) -> World:
        """Write one event."""
        ts = when if isinstance(when, int) else at(when)
        return self.write(Event(customer, name, ts, properties, message))

    def has(self, customer: str, trait: str, value: Any, when: str | int = "2020-01-01") -> World:
        """Write one trait change."""
        ts = when if isinstance(when, int) else at(when)
        return self.write(TraitChange(customer, trait, value, ts))

    def segment(self, slug: str, where: str, **lists: str) -> World:
        """Define a segment that others may name."""
        self.definitions[slug] = Definition(slug, slug, parse(where), **lists)
        return self

    @property
    def schema(self) -> Schema:
        """What was learnt, and what the test declared."""
        traits, events = learned_schema(self.store)
        more = dict(self._more)
        traits.update(more.pop("traits", {}))
        return Schema(traits=traits, events=events, zone=self.zone, segments=self.definitions, **more)

    @property
    def engine(self) -> SqlEngine:
        """The engine over what was written so far."""
        return SqlEngine(self.store, self.schema)

    def members(self, where: str, when: str | int, *, known_at: int | None = None, **lists: str) -> set[str]:
        """The ids for which a text holds at an instant."""
        ts = when if isinstance(when, int) else at(when)
        definition = Definition("asked", "asked", parse(where), **lists)
        found = self.engine.evaluate({"asked": definition}, ts, known_at=known_at)
        try:
            return set(found.members("asked").column("id").to_pylist())
        finally:
            found.close()
