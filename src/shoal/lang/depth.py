"""How deep a tree is, and how deep one may be: what recurses over trees can rely on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.tree import children

if TYPE_CHECKING:
    from shoal.lang.nodes import Node

MOST_DEPTH = 100
"""How many nodes may stand inside one another. What is deeper is refused wherever a definition comes in."""

TOO_DEEP = f"The definition is nested more than {MOST_DEPTH} deep."
LESS_DEEP = "Give inner parts a segment of their own and write: member of."


def depth(node: Node) -> int:
    """How many nodes stand inside one another; a single node has depth 1. It doesn't recurse, so no tree is too deep.

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
