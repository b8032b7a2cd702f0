"""The resident engine tells what the naive evaluator tells: of whole worlds, and step by step as a world comes in.

A story takes a drawn world in the order of its receipt, a few records at a time, while the clock moves by random steps,
merges are made and taken back, and definitions come, change and go. After every step both name the same members, each
change of a membership was told once, and what changed by time did so at its very instant.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from shoal.lang.show import show
from shoal.live import machine
from shoal.live.changes import Change
from shoal.live.engine import BY_TIME, Engine

from . import draw, naive
from .resident import definitions_of, members, resident, schema_of, take
from .until import until
from .wire import Node
from .world import Merge, Published, World
from .zones import DAY

WORLDS = max(1, int(os.environ.get("SHOAL_PROOF_WORLDS", "24")) // 6)
"""A story costs as much as six worlds of the other proofs."""
SEED = int(os.environ.get("SHOAL_PROOF_SEED", "0"))
SEEDS = range(SEED, SEED + WORLDS)
STEPS = 16
PATHS = ("numba", "lanes", "numpy")
FAR = 1400 * DAY


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By compiled loops, customer by customer or in lanes however few there are, and by numpy alone."""
    monkeypatch.setenv("SHOAL_NUMBA", "0" if request.param == "numpy" else "1")
    if request.param == "lanes":
        monkeypatch.setattr(machine, "FEW", 1)
    return str(request.param)


@pytest.mark.parametrize("seed", SEEDS)
def test_members(seed: int, path: str) -> None:
    """An engine that holds all of a world names the members that the naive evaluator names."""
    batch = draw.batch(seed)
    for at, known_at in batch.questions:
        if known_at is None:
            engine = resident(batch.world, at)
            assert differing(engine, batch.world) == []


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_edges(seed: int, path: str) -> None:
    """At the microsecond at which somebody enters or leaves, and the one before, both agree."""
    batch = draw.batch(seed)
    for slug, at in batch.edges[:16]:
        world = batch.world
        wanted = naive.members(world, world.segments[slug], at)
        assert set(resident(world, at).members(slug)) == wanted, (seed, slug, at)


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_until_when(seed: int) -> None:
    """The engine names the very instant at which trying every instant first shows another answer."""
    batch, r = draw.batch(seed), Random(seed)
    world, at = batch.world, batch.questions[0][0]
    engine = resident(world, at)
    assert (engine.evaluator.machine is None) == (os.environ.get("SHOAL_NUMBA") == "0")
    there = sorted(world.as_known().customers)
    for slug in r.sample(sorted(world.segments), 9):
        for customer in r.sample(there, 2):
            found, wanted = engine.until(slug, customer), until(world, world.segments[slug], customer, at)
            if wanted is None and found is not None and found > at + FAR:
                continue
            assert found == wanted, (seed, slug, customer, show(engine.plan.definitions[slug].where), at)


@pytest.mark.parametrize("seed", SEEDS)
def test_story(seed: int, path: str) -> None:
    """After every step of a world's coming in, engine and naive evaluator agree, and the changes add up."""
    story = Story(seed)
    for step in story.steps():
        wrong = differing(story.engine, story.world)
        assert wrong == [], (seed, step, wrong[:3])
        assert story.told == memberships(story.engine), (seed, step)


def differing(engine: Engine, world: World) -> list[object]:
    """The definitions of which engine and naive evaluator name other members at the engine's instant."""
    found = members(engine, world.segments)
    wrong: list[object] = []
    for slug, segment in world.segments.items():
        wanted = naive.members(world, segment, engine.now)
        if wanted != found[slug]:
            text = show(engine.plan.definitions[slug].where)
            wrong.append((slug, text, segment.always, segment.never, engine.now, sorted(wanted), sorted(found[slug])))
    return wrong


def memberships(engine: Engine) -> set[tuple[str, str]]:
    """Every membership there is."""
    return {(customer, slug) for slug in engine.plan.definitions for customer in engine.members(slug)}


class Story:
    """A drawn world coming in."""

    def __init__(self, seed: int) -> None:
        self.r = Random(seed)
        batch = draw.batch(seed)
        self.whole = batch.world
        self.instants = sorted(at for at, _ in batch.questions)
        self.world = replace(
            batch.world, records=(), consents=(), lists=(), merges=(), thresholds=(), published=(), segments={}
        )
        self.told: set[tuple[str, str]] = set()
        first = min((record.ts for record in self.whole.records), default=0)
        self.engine = Engine(schema_of(self.whole), {}, first)
        self._define(dict(list(self.whole.segments.items())[: len(self.whole.segments) // 2]))
        self.told_of(self.engine.build())

    def steps(self) -> Iterator[str]:
        """Take the next step, and say what it was."""
        coming = self._coming()
        size = max(1, len(coming) // STEPS)
        while coming:
            now, coming = coming[:size], coming[size:]
            yield self._pass_time()
            for record in now:
                self._take(record)
            self.told_of(self.engine.settle("received"))
            yield f"{len(now)} records"
            if self.r.random() < 0.2:
                yield self._edit()
            if self.r.random() < 0.15:
                yield self._unmerge()

    def _coming(self) -> list[object]:
        w = self.whole
        seen: set[str] = set()
        records = [x for x in w.records if not (x.message_id in seen or seen.add(x.message_id))]  # type: ignore[func-returns-value]
        all_ = [*records, *w.consents, *w.lists, *w.thresholds, *(replace(m, undone=None) for m in w.merges)]
        return sorted(all_, key=lambda x: x.received)

    def _pass_time(self) -> str:
        """Move the clock: by a little, to an instant that is due, right before it, or far."""
        engine = self.engine
        due = engine.next_due()
        ways = [engine.now + self.r.randrange(1, DAY), engine.now + self.r.randrange(1, 3 * DAY), engine.now]
        if due < engine.now + 40 * DAY:
            ways += [due, due - 1, due]
        to = max(engine.now, self.r.choice(ways))
        before = engine.now
        changes = engine.advance(to)
        for change in changes:
            assert before < change.at <= to
        self._held_to_their_instants(changes)
        self.told_of(changes)
        return f"time from {before} to {to}"

    def _held_to_their_instants(self, changes: list[Change]) -> None:
        """What changed by time differs between the instant and the microsecond before it."""
        for change in changes[:6]:
            segment = self.world.segments[change.segment]
            if speaks_of_history(segment.condition):
                continue
            at, before = (naive.members(self.world, segment, t) for t in (change.at, change.at - 1))
            assert change.because == BY_TIME
            assert (change.customer in at) is (change.what == "entered"), change
            assert (change.customer in before) is (change.what == "left"), change

    def _take(self, record: object) -> None:
        w = self.world
        name = {"ConsentChange": "consents", "ListChange": "lists", "Threshold": "thresholds", "Merge": "merges"}.get(
            type(record).__name__, "records"
        )
        if isinstance(record, Merge):
            if w.as_known().survivor(record.kept) == w.as_known().survivor(record.gone) or self._gone(record.gone):
                return
            self.told_of(self.engine.merge(record.kept, record.gone))
        else:
            take(self.engine, record)
        self.world = replace(w, **{name: (*getattr(w, name), record)})

    def _gone(self, customer: str) -> bool:
        return any(m.gone == customer and m.undone is None for m in self.world.merges)

    def _unmerge(self) -> str:
        merged = [m for m in self.world.merges if m.undone is None]
        if not merged:
            return "nothing to unmerge"
        merge = self.r.choice(merged)
        self.world = replace(self.world, merges=tuple(m for m in self.world.merges if m is not merge))
        self.told_of(self.engine.unmerge(merge.gone))
        self.told_of(self.engine.settle("unmerged"))
        return f"unmerge {merge}"

    def _edit(self) -> str:
        """Put some definitions in force, take some out."""
        segments = dict(self.world.segments)
        segments.update(self.r.sample(list(self.whole.segments.items()), 6))
        for slug in self.r.sample(sorted(segments), 2):
            segments.pop(slug)
        self._define(segments)
        return "edit"

    def _define(self, segments: dict[str, object]) -> None:
        whole = replace(self.whole, segments=segments)  # type: ignore[arg-type]
        needed = {slug: s for slug, s in whole.segments.items() if refers(whole, slug) <= segments.keys()}
        gone = self.world.segments.keys() - needed.keys()
        self.told = {(customer, slug) for customer, slug in self.told if slug not in gone}
        self.world = replace(self.world, segments=needed)
        self.engine.define(definitions_of(self.world))
        self.told_of(self.engine.settle("defined"))

    def told_of(self, changes: list[Change]) -> None:
        """Add the changes up; none may be told twice."""
        published = []
        for change in changes:
            key = change.customer, change.segment
            if change.what in ("entered", "unmerged"):
                assert key not in self.told, change
                self.told.add(key)
            else:
                assert key in self.told, change
                self.told.remove(key)
            if change.what in ("entered", "left"):
                published.append(Published(change.segment, change.customer, change.what, change.at, change.at))
        self.world = replace(self.world, published=(*self.world.published, *published))


def refers(world: World, slug: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The segments that a definition needs, itself among them; one that isn't there is named too."""
    if slug not in world.segments:
        return {slug}
    found = {slug}
    for node in below(world.segments[slug].condition):
        if node.kind in ("member of", "entered", "left") and node.segment not in seen:
            found |= refers(world, node.segment, seen | {slug})
    return found


def below(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for part in node.fields.values():
        for one in part if isinstance(part, tuple) else (part,):
            if isinstance(one, Node):
                yield from below(one)


def speaks_of_history(node: Node) -> bool:
    """Whether a definition depends on other segments, whose published history grows within the step."""
    return any(n.kind in ("member of", "entered", "left") for n in below(node))
