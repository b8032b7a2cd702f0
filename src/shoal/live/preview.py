"""One new definition, before it is saved: exactly how many it has, and what each of its conditions does to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import UnknownName
from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.references import references
from shoal.lang.show import flat
from shoal.live.evaluator import Evaluator
from shoal.live.forms import Forms, Sort, atoms_of
from shoal.live.plan import made_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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
    """Who would be in one definition at the engine's instant.

    Bits are packed, 64 customers a word, in the order of the engine's rows; they are a copy, so that nothing that happens
    afterwards changes them.

    Args:
        at: the instant.
        everyone: how many customers there are.
        members: who is in it, lists included.
        parts: the sizes of its conditions.
    """

    at: int
    everyone: int
    members: Words
    parts: Part

    @property
    def count(self) -> int:
        """How many members."""
        return counted(self.members)


def counted(words: Words) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(words).sum())


def rows_of(words: Words) -> npt.NDArray[np.int64]:
    """The rows whose bits are set."""
    blocks = np.flatnonzero(words)
    found = np.unpackbits(words[blocks].view(np.uint8), bitorder="little").reshape(-1, 64)
    which, place = np.nonzero(found)
    return blocks[which] * 64 + place


def trial(engine: Engine, definition: Definition, known: dict[n.Condition, Words] | None = None) -> Trial:
    """Evaluate one definition for everyone at the engine's instant, and change nothing.

    Each condition is worked out once, and groups from the bits of theirs; of segments in force the bits stand already.

    Args:
        engine: settled.
        definition: what is tried.
        known: the bits of conditions that are known already; those that are worked out are added.

    Raises:
        UnknownName: it refers to a segment that isn't there.
    """
    words = {} if known is None else known
    lists = [n.ListedIn(name) for name in (definition.always, definition.never) if name is not None]
    wanted = [leaf for leaf in dict.fromkeys([*leaves_of(definition.where), *lists]) if leaf not in words]
    for leaf in [leaf for leaf in wanted if isinstance(leaf, n.MemberOf)]:
        if leaf.segment not in engine.evaluator.slots:
            raise UnknownName("segment", leaf.segment, engine.plan.definitions)
        words[leaf] = np.ascontiguousarray(engine.evaluator.bits.words[:, engine.evaluator.slots[leaf.segment]])
    rest = [leaf for leaf in wanted if not isinstance(leaf, n.MemberOf)]
    if rest:
        words.update(_evaluated(engine, rest, engine.standing()))
    everyone = _existing(engine)
    found = _joined(definition.where, {leaf: _as_long(words[leaf], len(everyone)) for leaf in words}, everyone)
    members = found[definition.where]
    if definition.always is not None:
        members = members | _as_long(words[n.ListedIn(definition.always)], len(everyone))
    if definition.never is not None:
        members = members & ~_as_long(words[n.ListedIn(definition.never)], len(everyone))
    return Trial(engine.now, counted(everyone), members, _part(definition.where, found, None))


def leaves_of(node: n.Condition) -> list[n.Condition]:
    """The conditions of a tree that aren't and, or, not; each once."""
    return [one for one in _parts_of(node) if not isinstance(one, n.And | n.Or | n.Not)]


def interpreted(engine: Engine, node: n.Condition) -> bool:
    """Whether a condition has to be asked of each customer by itself, which takes many times as long as all else."""
    if isinstance(node, n.MemberOf):
        return False
    forms = Forms(engine.state, engine.zone, engine.evaluator.filters)
    return any(forms.atoms[place].sort is Sort.ASK for place in atoms_of(forms.leaf(node).form))


def unranked(engine: Engine, node: n.Condition) -> bool:
    """Whether a condition asks for a rank that nobody has worked out yet, so that it holds of nobody in memory."""
    if isinstance(node, n.Ranked):
        ranks = [f"{node.end} {decimal_text(node.percent)}"]
    elif isinstance(node, n.Percentile):
        ranks = [f"percentile {decimal_text(part)}" for part in (node.low, node.high)]
    else:
        return False
    return any(engine.state.threshold(flat(node.value), rank, engine.now)[0] is None for rank in ranks)


def words_of(rows: npt.NDArray[np.int64], size: int) -> Words:
    """Bits that are set for some rows, in so many words."""
    bits = np.zeros(64 * size, np.uint8)
    bits[rows[rows < len(bits)]] = 1
    return np.packbits(bits, bitorder="little").view(np.uint64)


def _existing(engine: Engine) -> Words:
    """Everybody who is there at the engine's instant and stands for themselves."""
    rows = engine.standing()
    return words_of(rows[engine.state.people.exists[rows] <= engine.now], -(-len(engine.state.people) // 64))


def _as_long(words: Words, size: int) -> Words:
    """Bits in so many words; who came since isn't known of."""
    if len(words) >= size:
        return words[:size]
    longer = np.zeros(size, np.uint64)
    longer[: len(words)] = words
    return longer


def _joined(node: n.Condition, leaves: Mapping[n.Condition, Words], everyone: Words) -> dict[n.Condition, Words]:
    """The bits of a condition and of all below it."""
    found = dict(leaves)

    def of(one: n.Condition) -> Words:
        if one not in found:
            match one:
                case n.And(parts):
                    found[one] = np.bitwise_and.reduce([of(part) for part in parts])
                case n.Or(parts):
                    found[one] = np.bitwise_or.reduce([of(part) for part in parts])
                case n.Not(part):
                    found[one] = everyone & ~of(part)
        return found[one]

    of(node)
    return found


def among(engine: Engine, members: Words, conditions: Sequence[n.Condition]) -> list[int]:
    """How many of some customers each condition holds of, at the engine's instant."""
    asked = list(dict.fromkeys(conditions))
    found = _evaluated(engine, asked, rows_of(members))
    return [counted(found[node]) for node in conditions]


def shared(engine: Engine, members: Words) -> dict[str, tuple[int, int]]:
    """For each segment in force its size, and how many of some customers are in it."""
    bits, slots = engine.evaluator.bits.words, engine.evaluator.slots
    own = np.zeros(len(bits), np.uint64)
    own[: len(members)] = members[: len(bits)]
    sizes = np.bitwise_count(bits).sum(axis=0, dtype=np.int64)
    both = np.bitwise_count(bits & own[:, None]).sum(axis=0, dtype=np.int64)
    return {slug: (int(sizes[slot]), int(both[slot])) for slug, slot in slots.items()}


def _evaluated(engine: Engine, nodes: Sequence[n.Condition], rows: npt.NDArray[np.int64]) -> dict[n.Condition, Words]:
    """The bits of some conditions, of some customers; the others have none."""
    names = {node: f"\0{i}" for i, node in enumerate(nodes)}
    drafts = {name: n.Definition(name, name, node) for node, name in names.items()}
    plan = made_ready(_referred(drafts, {**engine.plan.definitions, **drafts}))
    wanted = frozenset(drafts)
    tried = Evaluator(engine.state, engine.zone, plan, False, only=wanted, filters=engine.evaluator.filters)
    tried.ensure()
    tried.evaluate(rows, np.full(len(rows), engine.now), wanted, whole=True, quiet=True)
    return {node: np.ascontiguousarray(tried.bits.words[:, tried.slots[name]]) for node, name in names.items()}


def preview(engine: Engine, definition: Definition, sample: int = 10) -> Preview:
    """Evaluate one definition for everyone at the engine's instant, and change nothing.

    Raises:
        UnknownName: it refers to a segment that isn't there.
    """
    found = trial(engine, definition)
    ids = engine.state.people.ids
    return Preview(found.count, found.parts, tuple(ids[row] for row in rows_of(found.members)[:sample].tolist()))


def _referred(asked: Iterable[str], all_: Mapping[str, n.Definition]) -> dict[str, n.Definition]:
    """Some definitions, and those that they refer to, directly or not."""
    found: dict[str, n.Definition] = {}
    waiting = list(asked)
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
