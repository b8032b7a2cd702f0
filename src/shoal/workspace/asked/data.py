"""The data as its pages show it: sources and loads, quality, quarantine, the plan's violations, and what there is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from shoal.errors import UnknownName
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.sql.registry import Property, Trait
    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]

_LOADS, _COMMON = 30, 12
_LISTED = (Kind.TEXT, Kind.YESNO)
_MICRO = 1e6
_USER = re.compile(r"://[^/@]*@")
"""A name and a password in the address of a database."""


def sources(workspace: Workspace) -> Told:
    """Each source with how good its rows were, the loads, and how fresh each event is."""
    door, config = workspace.data, workspace.config
    measured: dict[str, Told] = {}
    for row in door.quality():
        measured.setdefault(row["source"], {})[row["measure"]] = row
    waiting: dict[str, int] = {}
    for row in door.quarantine_counts():
        waiting[row["source"]] = waiting.get(row["source"], 0) + row["rows"]
    return door.status() | {
        "sources": [
            {"name": name, "from": _USER.sub("://", str(spec.from_)), "reference": spec.reference,
             "waiting": waiting.get(name, 0),             **_measures(measured.get(name, {}))}
            for name, spec in config.sources.items()
        ],
        "loads": [_load(*row) for row in workspace.store.rows(
            "SELECT id, started, finished, state, summary FROM loads ORDER BY id DESC LIMIT ?", [_LOADS]
        )],
    }  # fmt: skip


def _measures(found: Mapping[str, Told]) -> Told:
    """The measures of a source in words, with the worst verdict."""
    from shoal.workspace.data import figure

    said = {name: figure(name, found[name]["value"]) if name in found else "–"
            for name in ("score", "rows", "quarantined", "duplicates", "freshness")}  # fmt: skip
    verdicts = [row["verdict"] for row in found.values()]
    worst = next((word for word in ("stop", "warn") if word in verdicts), "ok" if verdicts else "")
    return said | {
        "verdict": worst,
        "notes": [row["note"] for row in found.values() if row["verdict"] != "ok" and row["note"]],
    }


def _load(number: int, started: int, finished: int | None, state: str, summary: str | None) -> Told:
    said = json.loads(summary) if summary else {}
    rows = sum(one.get("rows", 0) for one in said.get("sources", {}).values()) if isinstance(said, dict) else 0
    return {"number": number, "started": started, "finished": finished, "state": state, "rows": rows}


def source(workspace: Workspace, *, name: str) -> Told:
    """The checks of one source and of its columns, and how many of its rows wait in quarantine."""
    from shoal.workspace.data import figure

    rows = [row | {"shown": figure(row["measure"], row["value"])} for row in workspace.data.quality(name)]
    return {"name": name, "checks": rows, "waiting": workspace.data.quarantine_counts(name)}


def quarantine(workspace: Workspace, *, search: str, source: str, code: str, most: int, skip: int = 0) -> Told:
    """Rows in quarantine that a search finds."""
    where, given = ["resolved IS NULL"], []
    for word in search.lower().split():
        where.append("contains(lower(concat_ws(' ', source, path, code, reason, content)), ?)")
        given.append(word)
    for column, value in (("source", source), ("code", code)):
        if value:
            where.append(f"{column} = ?")
            given.append(value)
    condition = " AND ".join(where)
    rows = workspace.store.rows(
        "SELECT id, source, path, line, code, reason, content, received FROM quarantine "
        f"WHERE {condition} ORDER BY source, path, line, id LIMIT ? OFFSET ?", [*given, most, skip],
    )  # fmt: skip
    ((found,),) = workspace.store.rows(f"SELECT count(*) FROM quarantine WHERE {condition}", given)
    head = ("id", "source", "path", "line", "code", "reason", "content", "received")
    return {"rows": [dict(zip(head, row, strict=True)) for row in rows], "found": found,
            "counts": workspace.data.quarantine_counts()}  # fmt: skip


def schema(workspace: Workspace) -> Told:
    """Events with how many there are and how new, and traits with how many customers have them."""
    from shoal.sql.registry import Registry

    registry, store = Registry.load(workspace.store), workspace.store
    events = []
    for name, event in registry.events.items():
        ((many, first, last),) = store.rows(
            f"SELECT count(*), min(ts), max(ts) FROM {event.table} WHERE retired IS NULL"
        )
        events.append({"name": name, "count": many, "first": first, "last": last, "properties": len(event.properties)})
    notes = dict(store.rows("SELECT name, note FROM traits WHERE scope = 'customer'"))
    traits = []
    for trait in _traits(registry):
        ((many,),) = store.rows(f"SELECT count(DISTINCT owner) FROM {trait.table} WHERE retired IS NULL")
        said = json.loads(notes.get(trait.name) or "{}")
        traits.append({"name": trait.name, "kind": trait.kind.value, "customers": many, "score": trait.score,
                       "says": said.get("computed", "")})  # fmt: skip
    return {"events": events, "traits": traits}


def _traits(registry: Any) -> list[Trait]:
    found: list[Trait] = [one for one in registry.traits.values() if one.scope == "customer" and not one.unset]
    return sorted(found, key=lambda one: one.name)


def event(workspace: Workspace, *, name: str) -> Told:
    """One event: each property with its type, how often it is there, and its common values."""
    from shoal.sql.registry import Registry

    registry = Registry.load(workspace.store)
    if name not in registry.events:
        raise UnknownName("event", name, registry.events)
    held = registry.events[name]
    ((many, first, last, who),) = workspace.store.rows(
        f"SELECT count(*), min(ts), max(ts), count(DISTINCT customer) FROM {held.table} WHERE retired IS NULL"
    )
    found = [_property(workspace, held.table, one, many) for one in held.properties.values()]
    return {"name": name, "count": many, "first": first, "last": last, "customers": who, "properties": found}


def _property(workspace: Workspace, table: str, prop: Property, many: int) -> Told:
    ((there,),) = workspace.store.rows(f"SELECT count({prop.col}) FROM {table} WHERE retired IS NULL")
    said: Told = {"name": prop.name, "kind": prop.kind.value, "share": there / many if many else None,
                  "declared": prop.declared, "fields": [f.name for f in prop.fields.values()]}  # fmt: skip
    return said | _values(workspace, f"SELECT {prop.col} AS value FROM {table} WHERE retired IS NULL", prop.kind)


def _values(workspace: Workspace, rows: str, kind: Kind) -> Told:
    """The commonest values of what has few, the least and the largest of numbers."""
    if kind in _LISTED:
        found = workspace.store.rows(
            f"SELECT CAST(value AS VARCHAR), count(*) AS n FROM ({rows}) WHERE value IS NOT NULL "
            "GROUP BY 1 ORDER BY n DESC, 1 LIMIT ?", [_COMMON],
        )  # fmt: skip
        return {"common": [list(one) for one in found]}
    if kind is Kind.NUMBER:
        ((low, middle, high),) = workspace.store.rows(
            f"SELECT min(value) / {_MICRO}, quantile_cont(value, 0.5) / {_MICRO}, max(value) / {_MICRO} FROM ({rows})"
        )
        return {"range": [low, middle, high]}
    return {}


def trait(workspace: Workspace, *, name: str) -> Told:
    """One trait: who has it, and its common values."""
    from shoal.customers.profiles import current_values
    from shoal.sql.registry import Registry

    registry = Registry.load(workspace.store)
    held = registry.trait(name)
    if held is None:
        raise UnknownName("trait", name, [one.name for one in _traits(registry)])
    rows = current_values(workspace.store, held, workspace.now())
    ((many,),) = workspace.store.rows(f"SELECT count(value) FROM ({rows})")
    notes = workspace.store.rows("SELECT note FROM traits WHERE name = ? AND scope = 'customer'", [name])
    said = json.loads(notes[0][0] or "{}") if notes else {}
    return {"name": name, "kind": held.kind.value, "customers": many, "score": held.score, "says": said.get("computed", ""),
            "by": said.get("by", ""), **_values(workspace, rows, held.kind)}  # fmt: skip


QUESTIONS: Mapping[str, Answer] = {
    "sources told": sources,
    "source told": source,
    "quarantine told": quarantine,
    "schema told": schema,
    "event told": event,
    "trait told": trait,
}
