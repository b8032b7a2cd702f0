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
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.lang.nodes import Definition
    from shoal.live.engine import Engine


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


def preview(engine: Engine, definition: Definition, sample: int = 10) -> Preview:
    """Evaluate one definition for everyone at the engine's instant, and change nothing.

    Raises:
        UnknownName: it refers to a segment that isn't there.
    """
    slugs = _parts_of(definition.where)
    definitions = _referred(definition, {**engine.plan.definitions, definition.slug: definition})
    names = {node: f"\0{i}" for i, node in enumerate(slugs)}
    extra = {name: n.Definition(name, name, node) for node, name in names.items()}
    wanted = frozenset([definition.slug, *extra])
    plan = made_ready({**definitions, **extra})
    trial = Evaluator(engine.state, engine.zone, plan, False, only=wanted, filters=engine.evaluator.filters)
    trial.ensure()
    rows = engine.standing()
    trial.evaluate(rows, np.full(len(rows), engine.now), wanted, whole=True, quiet=True)
    words = {node: trial.bits.words[:, trial.slots[name]] for node, name in names.items()}
    members = trial.bits.rows(trial.slots[definition.slug])
    ids = engine.state.people.ids
    return Preview(
        trial.bits.count(trial.slots[definition.slug]),
        _part(definition.where, words, None),
        tuple(ids[row] for row in members[:sample].tolist()),
    )


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


def _part(
    node: n.Condition, words: dict[n.Condition, npt.NDArray[np.uint64]], before: npt.NDArray[np.uint64] | None
) -> Part:
    own = words[node]
    alone = int(np.bitwise_count(own).sum())
    remaining = alone if before is None else int(np.bitwise_count(own & before).sum())
    below: list[Part] = []
    match node:
        case n.And(parts):
            left: npt.NDArray[np.uint64] | None = None
            for part in parts:
                below.append(_part(part, words, left))
                left = words[part] if left is None else left & words[part]
        case n.Or(parts):
            below = [_part(part, words, None) for part in parts]
        case n.Not(part):
            below = [_part(part, words, None)]
    return Part(node, alone, remaining, tuple(below))
