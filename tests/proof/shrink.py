"""Make a found difference small: drop records and parts of the definition as long as the two evaluators differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .world import Segment, World

Differs = Callable[[World], bool]
PARTS = ("records", "consents", "lists", "merges", "thresholds", "published")
OPTIONAL = ("where", "without", "window", "times", "newest", "of_account", "within", "same")
WITH_OPTIONS = ("events", "aggregate", "did", "sequence", "step", "not after")


def shrunk(world: World, slug: str, differs: Differs) -> World:
    """The smallest world that could be found in which the definition still gives two answers."""
    world = _only(world, slug)
    if not differs(world):
        return world
    for _ in range(3):
        before = world
        world = _smaller_definition(world, slug, differs)
        for part in PARTS:
            world = _fewer(world, part, differs)
        if world == before:
            break
    return world


def _only(world: World, slug: str) -> World:
    """The world with this definition and those that it refers to."""
    wanted = [slug]
    for name in wanted:
        wanted += [s for s in _references(world.segments[name].where) if s not in wanted]
    return replace(world, segments={s: world.segments[s] for s in world.segments if s in wanted})


def _references(wire: Any) -> Iterator[str]:
    if isinstance(wire, list):
        for part in wire:
            yield from _references(part)
    elif isinstance(wire, dict):
        if "segment" in wire:
            yield wire["segment"]
        yield from _references([v for v in wire.values() if isinstance(v, dict | list)])


def _fewer(world: World, part: str, differs: Differs) -> World:
    """Drop halves, quarters … and single records."""
    rows = list(getattr(world, part))
    size = max(1, len(rows) // 2)
    while rows:
        i = 0
        while i < len(rows):
            fewer = rows[:i] + rows[i + size :]
            if differs(replace(world, **{part: tuple(fewer)})):
                rows = fewer
            else:
                i += size
        if size == 1:
            break
        size //= 2
    return replace(world, **{part: tuple(rows)})


def _smaller_definition(world: World, slug: str, differs: Differs) -> World:
    """Put simpler conditions in the definition's place, the simplest first."""
    segment = world.segments[slug]
    for simpler in (*_simpler_segments(segment),):
        candidate = replace(world, segments={**world.segments, slug: simpler})
        if differs(candidate):
            return _smaller_definition(_only(candidate, slug), slug, differs)
    return world


def _simpler_segments(segment: Segment) -> Iterator[Segment]:
    if segment.always is not None:
        yield replace(segment, always=None)
    if segment.never is not None:
        yield replace(segment, never=None)
    for wire in _simpler(segment.where):
        yield replace(segment, where=wire)


def _of_itself(wire: dict[str, Any]) -> Iterator[Any]:
    """One of its parts in its place, or one optional field less."""
    if wire["node"] in ("and", "or"):
        yield from wire["parts"]
    if wire["node"] == "not":
        yield wire["part"]
    for name in OPTIONAL if wire["node"] in WITH_OPTIONS else ():
        if name in wire:
            yield {k: v for k, v in wire.items() if k != name}
    if wire["node"] == "sequence" and len(wire["steps"]) > 1:
        yield {**wire, "steps": wire["steps"][:-1]}


def _simpler(wire: Any) -> Iterator[Any]:
    """Wire forms with one thing less."""
    if not isinstance(wire, dict):
        return
    yield from _of_itself(wire)
    for name, value in wire.items():
        if isinstance(value, dict):
            for simpler in _simpler(value):
                yield {**wire, name: simpler}
        elif isinstance(value, list):
            for i, part in enumerate(value):
                for simpler in _simpler(part):
                    yield {**wire, name: [*value[:i], simpler, *value[i + 1 :]]}
