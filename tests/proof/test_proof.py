"""The proof: in random worlds, at random instants, the SQL engine and the naive evaluator name the same members.

The seeds are fixed, so the run is the same everywhere; ``SHOAL_PROOF_WORLDS`` and ``SHOAL_PROOF_SEED`` make it longer,
or another. A failure prints the smallest case it could find. The run prints how often each operator was true, false and
flipped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from shoal.clock import iso
from shoal.lang.check import definition_faults
from shoal.lang.show import show

from . import draw, naive
from .product import Product, product
from .shrink import shrunk
from .tally import Tally
from .world import World

WORLDS = int(os.environ.get("SHOAL_PROOF_WORLDS", "16"))
SEED = int(os.environ.get("SHOAL_PROOF_SEED", "0"))
UNTIL = 12
"""Pairs of a definition and a customer in each world of which until when is asked."""


@dataclass(frozen=True)
class Difference:
    """Where the two evaluators disagree."""

    slug: str
    at: int
    known_at: int | None
    naive: frozenset[str]
    sql: frozenset[str]


def differences(engine: Product, at: int, known_at: int | None) -> list[Difference]:
    """All definitions of a world at an instant, evaluated together by SQL and one by one by the naive evaluator."""
    world = engine.world
    found = engine.members(world.segments, at, known_at)
    result = []
    for slug, segment in world.segments.items():
        wanted = naive.members(world, segment, at, known_at)
        if wanted != found[slug]:
            result.append(Difference(slug, at, known_at, frozenset(wanted), frozenset(found[slug])))
    return result


def report(world: World, d: Difference, seed: int) -> str:
    """A difference in its smallest form, as a person reads it."""

    def differs(smaller: World) -> bool:
        with product(smaller) as engine:
            faulty = any(definition_faults(x, engine.schema) for x in engine.definitions.values())
            return not faulty and any(x.slug == d.slug for x in differences(engine, d.at, d.known_at))

    small = shrunk(world, d.slug, differs)
    with product(small) as engine:
        again = next(iter(x for x in differences(engine, d.at, d.known_at) if x.slug == d.slug), d)
        texts = [
            f"{slug}: {show(x.where)}  (always {x.always}, never {x.never})" for slug, x in engine.definitions.items()
        ]
    parts = (small.records, small.consents, small.lists, small.merges, small.thresholds, small.published)
    rows = [f"  {row}" for part in parts for row in part]
    known = "" if d.known_at is None else f" as known at {iso(d.known_at)} ({d.known_at})"
    head = f"seed {seed}, {d.slug} at {iso(d.at)} ({d.at}){known} in {world.zone}"
    return "\n".join([head, *texts, *rows, f"naive: {sorted(again.naive)}", f"sql:   {sorted(again.sql)}"])


@pytest.mark.parametrize("seed", range(SEED, SEED + WORLDS))
def test_members(seed: int) -> None:
    """SQL names exactly the members that the naive evaluator names."""
    batch = draw.batch(seed)
    with product(batch.world) as engine:
        for definition in engine.definitions.values():
            assert definition_faults(definition, engine.schema) == [], show(definition.where)
        found = [d for at, known_at in batch.questions for d in differences(engine, at, known_at)]
    if found:
        pytest.fail("\n\n".join([report(batch.world, found[0], seed), *map(repr, found[1:10])]))


def test_every_operator_is_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """Each operator is true, and false, in at least 5 % of the trials of this run; else the run proves little of it."""
    tally = Tally()
    for seed in range(SEED, SEED + WORLDS):
        batch = draw.batch(seed)
        for at, known_at in batch.questions:
            for segment in batch.world.segments.values():
                naive.members(batch.world, segment, at, known_at, tally.trace)
        tally.next_world()
    with capsys.disabled():
        print(f"\n{tally.table()}")
    assert tally.weak() == []
