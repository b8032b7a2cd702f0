"""Scenario files: events, a clock that moves, definitions, expected members and changes. Every evaluator plays them.

A step says what is received at an instant, and what holds then. ``changes`` are all that were told since the step before,
by instant; those by time bear the instant at which they were due.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from shoal.lang.document import to_document
from shoal.lang.parse import parse
from shoal.live.changes import Change
from shoal.live.engine import Engine

from . import naive
from .product import product
from .resident import schema_of, take
from .wire import EPOCH, MICROSECOND, moment
from .world import ConsentChange, Event, ListChange, Merge, Published, Segment, TraitChange, World

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))
WORDS = {"who", "event", "ts", "id"}


@dataclass
class Step:
    """What is received at an instant, and what holds then."""

    at: int
    records: list[Any] = field(default_factory=list)
    unmerged: list[str] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)
    changes: list[str] | None = None


def instant(value: Any) -> int:
    """An instant as YAML reads it, or as text."""
    when = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return int(moment(when if when.tzinfo else when.replace(tzinfo=dt.UTC)))


def world_of(document: dict[str, Any]) -> World:
    """The empty world of a scenario."""
    segments = {}
    for slug, said in document["segments"].items():
        said = {"where": said} if isinstance(said, str) else said
        segments[slug] = Segment(to_document(parse(said["where"])), said.get("always"), said.get("never"))
    types = document.get("types", {})
    return World(
        zone=document.get("zone", "UTC"),
        traits=types.get("traits", {}),
        events=types.get("events", {}),
        purposes=document.get("purposes", {}),
        segments=segments,
    )


def steps_of(document: dict[str, Any]) -> list[Step]:
    """The steps of a scenario."""
    found = []
    for number, said in enumerate(document["steps"]):
        step = Step(instant(said["at"]))
        step.records = [*_records(said, step.at, f"m{number:03d}")]
        step.unmerged = [said["unmerge"]] if "unmerge" in said else []
        step.members = {slug: set(who) for slug, who in said.get("members", {}).items()}
        step.changes = said.get("changes")
        found.append(step)
    return found


def _records(said: dict[str, Any], at: int, prefix: str) -> list[Any]:
    records: list[Any] = []
    for i, e in enumerate(said.get("events", ())):
        ts = instant(e["ts"]) if "ts" in e else at
        properties = {k: v for k, v in e.items() if k not in WORDS}
        records.append(Event(e["who"], e["event"], ts, properties, e.get("id", f"{prefix}e{i}"), at))
    for i, t in enumerate(said.get("traits", ())):
        ts = instant(t["ts"]) if "ts" in t else at
        for name, value in t.items():
            if name not in WORDS:
                scope, _, plain = name.rpartition(".")
                records.append(TraitChange(t["who"], plain, value, ts, f"{prefix}t{i}{name}", at, scope or "customer"))
    for i, c in enumerate(said.get("consents", ())):
        records += [ConsentChange(c["who"], p, g, at, f"{prefix}c{i}{p}", at) for p, g in c.items() if p not in WORDS]
    for change in said.get("lists", ()):
        records.append(ListChange(change["list"], change["who"], change.get("added", True), at, at))
    if "merge" in said:
        records.append(Merge(said["merge"]["kept"], said["merge"]["gone"], at))
    return records


PARTS = {ConsentChange: "consents", ListChange: "lists", Merge: "merges"}


def grown(world: World, step: Step, seen: set[str]) -> World:
    """The world after a step; of equal message ids the first copy stays."""
    for record in step.records:
        part = PARTS.get(type(record), "records")
        if part == "records":
            if record.message_id in seen:
                continue
            seen.add(record.message_id)
        world = replace(world, **{part: (*getattr(world, part), record)})
    for gone in step.unmerged:
        world = replace(world, merges=tuple(m for m in world.merges if m.gone != gone))
    return world


class Played:
    """A scenario played by the resident engine, step by step."""

    def __init__(self, world: World) -> None:
        self.engine = Engine(schema_of(world), dict(schema_of(world).segments), 0)
        self.engine.build()
        self.told: list[str] = []
        self.published: list[Published] = []
        self._seen: set[str] = set()

    def step(self, step: Step) -> None:
        """Let time pass, take in what comes, and remember what was told."""
        changes = self.engine.advance(step.at)
        for record in step.records:
            if isinstance(record, Merge):
                changes += self.engine.merge(record.kept, record.gone)
            elif getattr(record, "message_id", None) not in self._seen:
                take(self.engine, record)
                self._seen.add(getattr(record, "message_id", "") or repr(record))
        for gone in step.unmerged:
            changes += self.engine.unmerge(gone)
        changes += self.engine.settle()
        assert [c.at for c in changes] == sorted(c.at for c in changes)
        self.told = sorted(map(written, changes), key=_by_instant)
        self.published += [
            Published(c.segment, c.customer, c.what, c.at, step.at) for c in changes if c.what in ("entered", "left")
        ]


def written(change: Change) -> str:
    """A change as a scenario writes it."""
    when = (EPOCH + change.at * MICROSECOND).replace(tzinfo=None)
    stamp = when.isoformat(timespec="microseconds" if when.microsecond else "seconds")
    return f"{change.customer} {change.what} {change.segment} at {stamp}Z"


def _by_instant(text: str) -> tuple[str, str]:
    """What changed at one instant has no order of its own."""
    return text.rpartition(" at ")[2], text


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_scenario(path: Path) -> None:
    """Naive evaluator, SQL and resident engine name the expected members at each step, and the changes are told once."""
    document = yaml.safe_load(path.read_text())
    world, seen = world_of(document), set[str]()
    played = Played(world)
    for step in steps_of(document):
        world = grown(world, step, seen)
        played.step(step)
        world = replace(world, published=tuple(played.published))
        place = f"{path.stem} at {(EPOCH + step.at * MICROSECOND).isoformat()}"
        if step.changes is not None:
            assert played.told == sorted(step.changes, key=_by_instant), place
        with product(world) as sql:
            by_sql = sql.members(step.members, step.at)
        for slug, wanted in step.members.items():
            assert naive.members(world, world.segments[slug], step.at) == wanted, f"naive: {slug}, {place}"
            assert by_sql[slug] == wanted, f"SQL: {slug}, {place}"
            assert set(played.engine.members(slug)) == wanted, f"resident: {slug}, {place}"


def test_there_are_scenarios() -> None:
    """Breaks when the folder is moved and nothing is played any more."""
    assert len(FILES) >= 8
