"""One new definition, before it is saved: exactly how many it has, and what each of its conditions does to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import UnknownName
from shoal.lang import nodes as n
from shoal.lang.references import references
from shoal.live.evaluator import Evaluator
from shoal.live.plan import made_ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    import numpy.typing as npt

    from shoal.lang.nodes import Definition
    from shoal.live.engine import Engine

    Words: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Part:
    """One condition of a definition.

    Args:
        node: the condition.
        alone: how many customers it holds of by itself.
        remaining: how many remain of those before it in the same ``and``, with it; of other conditions as ``alone``.
        parts: the conditions below it.
    """

    node: n.Condition
    alone: int
    remaining: int
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a definition would give now.

    Args:
        count: how many members, lists included.
        parts: of its condition, as it was written.
        sample: ids of some members, in the order of their rows.
    """

    count: int
    parts: Part
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """Who would be in one definition, and in others beside it, at the engine's instant.

    Bits are packed, 64 customers a word, in the order of the engine's rows; they are copies, so that nothing that happens
    afterwards changes them.

    Args:
        at: the instant.
        everyone: how many customers there are.
        members: who is in it, lists included.
        parts: the sizes of its conditions.
        beside: who each condition that was asked for beside it holds of.
    """

    at: int
    everyone: int
    members: Words
    parts: Part
    beside: tuple[Words, ...]

    @property
    def count(self) -> int:
        """How many members."""
        return counted(self.members)

    def rows(self, most: int) -> list[int]:
        """The rows of the first members."""
        found: list[int] = []
        for block in np.flatnonzero(self.members)[:most].tolist():
            word = int(self.members[block])
            found += [64 * block + bit for bit in range(64) if word >> bit & 1]
        return found[:most]


def counted(words: Words) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(words).sum())


def trial(engine: Engine, definition: Definition, beside: Sequence[n.Condition] = ()) -> Trial:
    """Evaluate one definition for everyone at the engine's instant, and change nothing.

    Args:
        engine: settled.
        definition: what is tried.
        beside: further conditions, which are evaluated in the same pass.

    Raises:
        UnknownName: it refers to a segment that isn't there.
    """
    nodes = list(dict.fromkeys([*_parts_of(definition.where), *beside]))
    definitions = _referred(definition, {**engine.plan.definitions, definition.slug: definition})
    names = {node: f"\0{i}" for i, node in enumerate(nodes)}
    extra = {name: n.Definition(name, name, node) for node, name in names.items()}
    wanted = frozenset([definition.slug, *extra])
    plan = made_ready({**definitions, **extra})
    tried = Evaluator(engine.state, engine.zone, plan, False, only=wanted, filters=engine.evaluator.filters)
    tried.ensure()
    rows = engine.standing()
    tried.evaluate(rows, np.full(len(rows), engine.now), wanted, whole=True, quiet=True)

    def words(name: str) -> Words:
        return np.ascontiguousarray(tried.bits.words[:, tried.slots[name]])

    found = {node: words(name) for node, name in names.items()}
    members, parts = words(definition.slug), _part(definition.where, found, None)
    return Trial(engine.now, len(rows), members, parts, tuple(found[node] for node in beside))


def preview(engine: Engine, definition: Definition, sample: int = 10) -> Preview:
    """Evaluate one definition for everyone at the engine's instant, and change nothing.

    Raises:
        UnknownName: it refers to a segment that isn't there.
    """
    found = trial(engine, definition)
    ids = engine.state.people.ids
    return Preview(found.count, found.parts, tuple(ids[row] for row in found.rows(sample)))


def _referred(definition: n.Definition, all_: Mapping[str, n.Definition]) -> dict[str, n.Definition]:
    """A definition, and those that it refers to, directly or not."""
    found: dict[str, n.Definition] = {}
    waiting = [definition.slug]
    while waiting:
        slug = waiting.pop()
        if slug not in all_:
            raise UnknownName("segment", slug, all_)
        if slug not in found:
            found[slug] = all_[slug]
            waiting += references(all_[slug]).segments
    return found


def _parts_of(node: n.Condition) -> list[n.Condition]:
    """A condition and all below it, down to its leaves, each once."""
    found: dict[n.Condition, None] = {node: None}
    match node:
        case n.And(parts) | n.Or(parts):
            for part in parts:
                found.update(dict.fromkeys(_parts_of(part)))
        case n.Not(part):
            found.update(dict.fromkeys(_parts_of(part)))
    return list(found)


def _part(node: n.Condition, words: dict[n.Condition, Words], before: Words | None) -> Part:
    own = words[node]
    alone = counted(own)
    remaining = alone if before is None else counted(own & before)
    below: list[Part] = []
    match node:
        case n.And(parts):
            left: Words | None = None
            for part in parts:
                below.append(_part(part, words, left))
                left = words[part] if left is None else left & words[part]
        case n.Or(parts):
            below = [_part(part, words, None) for part in parts]
        case n.Not(part):
            below = [_part(part, words, None)]
    return Part(node, alone, remaining, tuple(below))
