"""The proof: in random worlds, at random instants, the SQL engine and the naive evaluator name the same members.

The seeds are fixed, so the run is the same everywhere; ``SHOAL_PROOF_WORLDS`` and ``SHOAL_PROOF_SEED`` make it longer,
or another. A failure prints the smallest case it could find. The run prints how often each operator was true, false and
flipped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import pytest

from shoal.clock import iso
from shoal.lang.check import definition_faults
from shoal.lang.document import to_document
from shoal.lang.show import show

from . import draw, naive
from .product import Product, product, rank_text, side_text
from .shrink import shrunk
from .tally import Tally
from .until import until
from .wire import Node, decode
from .world import Knowledge, World
from .zones import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shoal.sql.explain import Explanation

WORLDS = int(os.environ.get("SHOAL_PROOF_WORLDS", "16"))
SEED = int(os.environ.get("SHOAL_PROOF_SEED", "0"))
SEEDS = range(SEED, SEED + WORLDS)
DEFINITIONS_AHEAD, CUSTOMERS_AHEAD = 9, 2
"""Of how many definitions and customers of each world until when is asked."""
DEFINITIONS_WHY = 6
FAR = 1400 * DAY
"""Beyond this, the naive evaluator has tried too little to say that nothing changes."""


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


@pytest.mark.parametrize("seed", SEEDS)
def test_members(seed: int) -> None:
    """SQL names exactly the members that the naive evaluator names."""
    batch = draw.batch(seed)
    with product(batch.world) as engine:
        for definition in engine.definitions.values():
            assert definition_faults(definition, engine.schema) == [], show(definition.where)
        found = [d for at, known_at in batch.questions for d in differences(engine, at, known_at)]
    if found:
        pytest.fail("\n\n".join([report(batch.world, found[0], seed), *map(repr, found[1:10])]))


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_edges(seed: int) -> None:
    """Evaluated alone, at the microsecond at which somebody enters or leaves, and the one before, both agree."""
    batch = draw.batch(seed)
    with product(batch.world) as engine:
        for slug, at in batch.edges:
            wanted = naive.members(batch.world, batch.world.segments[slug], at)
            found = engine.members([slug], at)[slug]
            if found != wanted:
                difference = Difference(slug, at, None, frozenset(wanted), frozenset(found))
                pytest.fail(report(batch.world, difference, seed))


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_until_when(seed: int) -> None:
    """SQL names the very instant at which trying every instant first shows another answer."""
    batch, r = draw.batch(seed), Random(seed)
    at, known_at = batch.questions[seed % len(batch.questions)]
    slugs = r.sample(sorted(batch.world.segments), DEFINITIONS_AHEAD)
    customers = r.sample(sorted(batch.world.as_known(known_at).customers), CUSTOMERS_AHEAD)
    with product(batch.world) as engine:
        found = engine.until(slugs, customers, at, known_at)
        for (slug, customer), instant in found.items():
            wanted = until(batch.world, batch.world.segments[slug], customer, at, known_at)
            if wanted is None and instant is not None and instant > at + FAR:
                continue
            text = f"seed {seed}, {slug}, {customer}: {show(engine.definitions[slug].where)}"
            assert instant == wanted, f"{text} at {at}, known at {known_at}"


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_why(seed: int) -> None:
    """Every part of an explanation says of its condition what the naive evaluator says."""
    batch, r = draw.batch(seed), Random(seed)
    world, (at, known_at) = batch.world, batch.questions[(seed + 1) % len(batch.questions)]
    known = world.as_known(known_at)
    there = [customer for customer, since in known.customers.items() if since <= at]
    with product(world) as engine:
        for slug in r.sample(sorted(world.segments), DEFINITIONS_WHY) if there else ():
            customer = r.choice(there)
            scope = naive.Scope(known, customer, at)
            told = engine.why(slug, customer, at, known_at)
            assert told.truth == naive.is_member(world.segments[slug], scope), (seed, slug, customer)
            for part in parts_of(told):
                condition = decode(to_document(part.node))
                assert part.truth == naive.holds(condition, scope), (seed, slug, customer, part.text)


def parts_of(told: Explanation) -> Iterator[Explanation]:
    """All parts below the top of an explanation; below another segment its lists count, so those tell by themselves."""
    for part in told.parts:
        yield part
        if part.node.kind != "member of":
            yield from parts_of(part)


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_thresholds(seed: int) -> None:
    """A refresh records, for every rank, the value that counting by hand gives."""
    batch = draw.batch(seed)
    world, (at, _) = batch.world, batch.questions[0]
    known = world.as_known()
    with product(world) as engine:
        engine.store.execute("DELETE FROM thresholds")
        engine.engine.refresh_thresholds(engine.definitions, at, at)
        rows = engine.store.rows("SELECT value, rank, num, den, n FROM thresholds")
        found = {(value, rank): (Fraction(num, den), n) for value, rank, num, den, n in rows}
        wanted = {}
        for wire, rank in (pair for s in world.segments.values() for pair in draw.ranks_in(s.where)):
            values = values_of(decode(wire), known, at)
            end, q = rank.split(" ")
            number = naive.rank_threshold(values, end, Fraction(q))
            if number is not None:
                wanted[side_text(wire), rank_text(rank)] = (number, len(values))
        assert found == wanted


def values_of(side: Node, known: Knowledge, at: int) -> list[Fraction]:
    """The values of all customers who exist and have one."""
    there = [customer for customer, since in known.customers.items() if since <= at]
    values = [naive.value(side, naive.Scope(known, customer, at)) for customer in there]
    return [v for v in values if v is not None]


def test_every_operator_is_tried(record_property: Callable[[str, object], None]) -> None:
    """Each operator is true, and false, in at least 5 % of the trials of this run; else the run proves little of it."""
    tally = Tally()
    for seed in SEEDS:
        batch = draw.batch(seed)
        for at, known_at in batch.questions:
            for segment in batch.world.segments.values():
                naive.members(batch.world, segment, at, known_at, tally.trace)
        tally.next_world()
    record_property("shown: how often each operator was true, false and flipped in the proof's worlds", tally.table())
    assert tally.weak() == []
