"""Ways through a tree: its children, all its nodes, how deep it is. None recurses, so no tree is too deep for them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from shoal.lang.nodes import NODES, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_DEPTH = 100
"""How many nodes may stand inside one another. What is deeper is refused wherever a definition comes in."""

TOO_DEEP = f"The definition is nested more than {MOST_DEPTH} deep."
LESS_DEEP = "Give inner parts a segment of their own and write: member of."


_FIELDS = {
    cls: tuple(f.name for f in dataclasses.fields(cls) if f.name not in ("note", "span")) for cls in NODES.values()
}


def children(node: Node) -> Iterator[Node]:
    """The nodes directly inside, in the order of the fields, which is that of the text."""
    for name in _FIELDS[type(node)]:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (v for v in value if isinstance(v, Node))


def walk(node: Node) -> Iterator[Node]:
    """The node and everything inside it; a node comes before its children, and they in order."""
    ahead = [node]
    while ahead:
        current = ahead.pop()
        yield current
        ahead.extend(reversed(list(children(current))))


def depth(node: Node) -> int:
    """How many nodes stand inside one another; a single node has depth 1.

    >>> from shoal.lang.nodes import Negative, Trait
    >>> depth(Negative(Trait("age")))
    2
    """
    deepest = 0
    ahead = [(node, 1)]
    while ahead:
        current, level = ahead.pop()
        deepest = max(deepest, level)
        ahead.extend((child, level + 1) for child in children(current))
    return deepest
