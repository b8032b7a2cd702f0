"""The proof proves something: each operator broken on purpose is noticed in the proof's own worlds and questions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from shoal.sql.duck import DuckStore

from . import draw, naive
from .mutants import MUTANTS, Mutant, mutated
from .product import Evaluator, Product
from .tally import operators
from .world import World

WORLDS = 24
"""As many of the proof's worlds as it runs at least."""


@cache
def batch(seed: int) -> draw.Batch:
    """The proof's batch of a seed."""
    return draw.batch(seed)


@cache
def spoken_in(seed: int) -> dict[str, set[str]]:
    """The operators that each definition of a world speaks of."""
    return {slug: operators(segment) for slug, segment in batch(seed).world.segments.items()}


@cache
def answer(seed: int, slug: str, at: int, known_at: int | None) -> frozenset[str]:
    """What the naive evaluator says, worked out once for all mutants."""
    world = batch(seed).world
    return frozenset(naive.members(world, world.segments[slug], at, known_at))


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[int, Product]]:
    """The stores of the proof's worlds, written by the sound product, opened as they are needed."""
    found: dict[int, Product] = {}
    yield found
    for each in found.values():
        each.store.close()


def test_there_are_enough() -> None:
    """At least twenty operators are broken, each under a name of its own."""
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant, worlds: dict[int, Product]) -> None:
    """The broken engine disagrees with the naive evaluator somewhere in the proof's first worlds."""
    for seed in range(WORLDS):
        if seed not in worlds:
            worlds[seed] = opened(batch(seed).world)
        if disagrees(mutant, seed, worlds[seed]):
            return
    pytest.fail("the proof didn't notice")


def disagrees(mutant: Mutant, seed: int, sound: Product) -> bool:
    """Whether the broken engine names other members at one of the world's questions, or breaks down."""
    slugs = [slug for slug, spoken in spoken_in(seed).items() if any(o.startswith(mutant.operator) for o in spoken)]
    if not slugs:
        return False
    trials = [([slug], at, None) for slug, at in batch(seed).edges if slug in slugs]
    trials += [(slugs, at, known_at) for at, known_at in batch(seed).questions]
    with mutated(mutant):
        broken = Evaluator(sound.world, sound.store)
        return any(notices(broken, seed, *trial) for trial in trials)


def notices(broken: Evaluator, seed: int, slugs: list[str], at: int, known_at: int | None) -> bool:
    """Whether the broken engine breaks down or names other members."""
    try:
        found = broken.members(slugs, at, known_at)
    except Exception:  # whatever it is that breaks, the mutant is noticed
        return True
    return any(found[slug] != answer(seed, slug, at, known_at) for slug in slugs)


def opened(world: World) -> Product:
    """A world in a store of its own."""
    return Product(world, DuckStore.open(":memory:", memory="1GB", threads=1))
