"""A small shop: files in a folder, a mapping as YAML text, a real store in memory."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shoal.clock import iso
from shoal.customers.load import LoadReport, load, reload_quarantine
from shoal.lang.schema import Kind
from shoal.sources.mapping import parse_sources
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shoal.customers.load import Progress

DAY = 86_400_000_000
START = 1_500_000_000_000_000
"""An instant in 2017 that counts as the first load's now."""


@dataclass
class Shop:
    """A workspace in small. ``now`` moves a day ahead with each load."""

    root: Path
    store: DuckStore
    zone: str = "UTC"
    now: int = START
    mapping: str = ""
    seen: list[Progress] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        """Write a file of the shop."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def load(self, mapping: str | None = None, **settings: Any) -> LoadReport:
        """Load by a mapping, which later calls use too."""
        self.mapping = mapping or self.mapping
        return self._run(load, settings)

    def retry(self, mapping: str | None = None, **settings: Any) -> LoadReport:
        """Try the rows in quarantine again."""
        self.mapping = mapping or self.mapping
        return self._run(reload_quarantine, settings)

    def _run(self, what: Any, settings: dict[str, Any]) -> LoadReport:
        self.now += DAY
        sources = parse_sources(yaml.safe_load(self.mapping))
        usual = {"root": self.root, "zone": self.zone, "currency": "EUR", "now": self.now, "progress": self.seen.append}
        report: LoadReport = what(self.store, sources, **{**usual, **settings})
        return report

    def events(self, name: str, condition: str = "retired IS NULL") -> list[dict[str, Any]]:
        """Events as plain values, in the order of time and id."""
        event = Registry.load(self.store).events.get(name)
        if event is None:
            return []
        columns = {
            "customer": "c.id",
            "ts": "e.ts",
            "id": "e.message_id",
            "received": "e.received",
            "origin": "e.origin",
        }
        columns |= {name: f"e.{p.col}" for name, p in event.properties.items()}
        rows = self.store.rows(
            f"SELECT {', '.join(columns.values())} FROM {event.table} AS e JOIN customers AS c ON c.key = e.customer "
            f"WHERE {condition} ORDER BY e.ts, e.message_id, e.origin"
        )
        kinds = {name: p.kind for name, p in event.properties.items()}
        fields = {n: {f.col: (f.name, f.kind) for f in p.fields.values()} for n, p in event.properties.items()}
        return [
            {
                name: iso(value) if name == "ts" else _plain(value, kinds.get(name), fields.get(name, {}))
                for name, value in zip(columns, row, strict=True)
            }
            for row in rows
        ]

    def trait(self, name: str, scope: str = "customer") -> list[tuple[str, Any, str]]:
        """The changes of a trait in force: owner, value, time."""
        trait = Registry.load(self.store).traits[scope, name]
        owners = "accounts" if scope == "account" else "customers"
        rows = self.store.rows(
            f"SELECT o.id, t.value, t.ts FROM {trait.table} AS t JOIN {owners} AS o ON o.key = t.owner "
            "WHERE t.retired IS NULL ORDER BY o.id, t.ts"
        )
        return [(owner, _plain(value, trait.kind, {}), iso(ts)) for owner, value, ts in rows]

    def quarantine(self, condition: str = "resolved IS NULL") -> list[tuple[str, int, str]]:
        """Path, line and code of the rows in quarantine."""
        return self.store.rows(f"SELECT path, line, code FROM quarantine WHERE {condition} ORDER BY path, line, code")

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the store, to see that nothing changed."""
        tables = [
            n for (n,) in self.store.rows("SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY 1")
        ]
        return {t: self.store.rows(f"SELECT * FROM {t} ORDER BY ALL") for t in tables if t != "calendar"}

    def leftovers(self) -> list[str]:
        """Temporary tables and views that a load forgot."""
        rows = self.store.rows(
            "SELECT table_name FROM duckdb_tables() WHERE temporary UNION ALL "
            "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal"
        )
        return [name for (name,) in rows]


def _plain(value: Any, kind: Kind | None, fields: dict[str, tuple[str, Kind]]) -> Any:
    if value is None:
        return None
    if kind is Kind.NUMBER:
        number = Decimal(value).scaleb(-6).normalize()
        return int(number) if number == int(number) else number
    if kind is Kind.OBJECTS:
        return [{name: _plain(item[col], k, {}) for col, (name, k) in fields.items()} for item in value]
    return value


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop without files yet."""
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        yield Shop(tmp_path, store)


@pytest.fixture
def new_shop(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    """Makes shops over one folder, each with a store and a time zone of its own."""
    with ExitStack() as stack:

        def make(zone: str) -> Shop:
            return Shop(tmp_path, stack.enter_context(create_store(":memory:", zone=zone, now=0, threads=1)), zone=zone)

        yield make


def content(shop: Shop) -> list[dict[str, Any]]:
    """What the rows in quarantine hold."""
    return [json.loads(c) for (c,) in shop.store.rows("SELECT content FROM quarantine ORDER BY path, line")]
