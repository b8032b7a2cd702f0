"""Whether a segment is live, and if not wholly, which of its conditions aren't and when they are worked out anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.references import references
from shoal.lang.say import say
from shoal.lang.tree import children, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.lang.nodes import Definition, Node
    from shoal.lang.schema import Schema

RANK = "The limit that this compares with is worked out at a publication or recalibration, and stays until the next."
SCORE = "This is a score: a model or a computation writes it at its runs, and it stays until the next."
MICRO = "Customers are put into micro-segments at set times, and stay there until the next."


@dataclass(frozen=True, slots=True)
class Unlive:
    """A condition that doesn't follow each event.

    Args:
        condition: in plain words.
        why: when it is worked out.
        through: the name of the segment that it stands in, where that is another one; else empty.
    """

    condition: str
    why: str
    through: str = ""


def unlive(definition: Definition, definitions: Mapping[str, Definition], schema: Schema) -> list[Unlive]:
    """The conditions of a segment that are worked out at set times; none: it is live as a whole.

    Args:
        definition: of the segment.
        definitions: all that it may name.
        schema: says which traits are scores.
    """
    return list(_of(definition, definitions, schema, "", {definition.slug}))


def _of(
    definition: Definition, definitions: Mapping[str, Definition], schema: Schema, through: str, seen: set[str]
) -> Iterator[Unlive]:
    for node in _leaves(definition.where):
        why = _why(node, schema)
        if why:
            yield Unlive(say(node, schema), why, through)
    for slug in sorted(references(definition.where).segments - seen):
        seen.add(slug)
        if slug in definitions:
            yield from _of(definitions[slug], definitions, schema, definitions[slug].name, seen)


def _leaves(node: Node) -> Iterator[Node]:
    """The conditions that hold no others."""
    if isinstance(node, n.And | n.Or | n.Not):
        for part in children(node):
            yield from _leaves(part)
    else:
        yield node


def _why(node: Node, schema: Schema) -> str:
    if any(isinstance(part, n.Ranked | n.Percentile) for part in walk(node)):
        return RANK
    used = references(node).traits & schema.scores
    if "micro_segment" in used:
        return MICRO
    return SCORE if used else ""
