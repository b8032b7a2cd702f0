"""The proof proves something: each operator broken on purpose is noticed in its own worlds and questions.

Nearly all are noticed in the drawn worlds that every run goes through; where none of those has what it takes, in the
world of a named case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from shoal.sql.duck import DuckStore

from . import broken_events, broken_records, broken_values, broken_windows, draw, naive, test_named
from .mutants import Mutant, mutated
from .product import Evaluator, Product
from .tally import operators
from .world import World

WORLDS = 24
"""As many of the proof's worlds as it runs at least."""
MUTANTS = (*broken_windows.MUTANTS, *broken_events.MUTANTS, *broken_values.MUTANTS, *broken_records.MUTANTS)
CASES = {case.name: case for case in test_named.CASES}
Key: TypeAlias = int | str
"""A drawn world's seed, or the name of a case."""
TOLD: dict[str, Key] = json.loads(Path(__file__).with_name("told.json").read_text())
"""The world that told of each mutant when this was written (``python -m tests.proof.told``), to save time."""
SHOWN = "shown: operators broken on purpose, and the proof's world that told"


@cache
def batch(key: Key) -> draw.Batch:
    """The proof's batch of a seed, or the world of a case with its questions."""
    if isinstance(key, int):
        return draw.batch(key)
    asked = tuple((asked.when, asked.known) for asked in CASES[key].asked)
    return draw.Batch(0, test_named.world_of(CASES[key]), asked)


@cache
def spoken_in(key: Key) -> dict[str, set[str]]:
    """The operators that each definition of a world speaks of."""
    return {slug: operators(segment) for slug, segment in batch(key).world.segments.items()}


@cache
def answer(key: Key, slug: str, at: int, known_at: int | None) -> frozenset[str]:
    """What the naive evaluator says, worked out once for all mutants."""
    world = batch(key).world
    return frozenset(naive.members(world, world.segments[slug], at, known_at))


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[Key, Product]]:
    """The stores of the proof's worlds, written by the sound product, opened as they are needed."""
    found: dict[Key, Product] = {}
    yield found
    for each in found.values():
        each.store.close()


def test_there_are_enough() -> None:
    """At least twenty operators are broken, each under a name of its own."""
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(
    mutant: Mutant, worlds: dict[Key, Product], record_property: Callable[[str, object], None]
) -> None:
    """The broken engine disagrees with the naive evaluator somewhere in the proof's first worlds."""
    key = told_by(mutant, worlds)
    assert key is not None, "the proof didn't notice"
    record_property(SHOWN, f"{mutant.name:62} {key}")


def told_by(mutant: Mutant, worlds: dict[Key, Product]) -> Key | None:
    """The first world in which the broken engine is found out; the one that told of it last is asked first."""
    last = TOLD.get(mutant.name)
    first = () if last is None else (last,)
    for key in (*first, *(key for key in (*range(WORLDS), *CASES) if key != last)):
        if key not in worlds:
            worlds[key] = opened(batch(key).world)
        if disagrees(mutant, key, worlds[key]):
            return key
    return None


def disagrees(mutant: Mutant, key: Key, sound: Product) -> bool:
    """Whether the broken engine names other members at one of the world's questions, or breaks down."""
    slugs = [slug for slug, spoken in spoken_in(key).items() if mutant.touches(spoken)]
    if not slugs:
        return False
    with mutated(mutant):
        broken = Evaluator(sound.world, sound.store)
        return any(notices(broken, key, *trial) for trial in trials(key, slugs))


def trials(key: Key, slugs: list[str]) -> Iterator[tuple[list[str], int, int | None]]:
    """The definitions, all at each question and each at its own edges, with the instant and what is known."""
    yield from ((slugs, at, known_at) for at, known_at in batch(key).questions)
    if isinstance(key, int):
        yield from (([slug], at, None) for slug, at in batch(key).edges if slug in slugs)


def notices(broken: Evaluator, key: Key, slugs: list[str], at: int, known_at: int | None) -> bool:
    """Whether the broken engine breaks down or names other members."""
    try:
        found = broken.members(slugs, at, known_at)
    except Exception:  # whatever it is that breaks, the mutant is noticed
        return True
    return any(found[slug] != answer(key, slug, at, known_at) for slug in slugs)


def opened(world: World) -> Product:
    """A world in a store of its own."""
    return Product(world, DuckStore.open(":memory:", memory="1GB", threads=1))
