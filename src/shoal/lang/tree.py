"""Ways through a tree: its children, all its nodes, the same tree with some of its nodes replaced."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from shoal.lang.nodes import NODES, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T", bound=Node)

_FIELDS = {
    kind: tuple(spec.name for spec in dataclasses.fields(cls) if spec.name not in ("note", "span"))
    for kind, cls in NODES.items()
}


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below ``node``, in the order of its fields."""
    for name in _FIELDS[node.kind]:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def walk(node: Node) -> Iterator[Node]:
    """``node`` and everything below it, parents before their children.

    >>> from shoal.lang.nodes import Compare, Number, Trait
    >>> [n.kind for n in walk(Compare(Trait("age"), ">", Number(30_000_000)))]
    ['compare', 'trait', 'number']
    """
    yield node
    for child in children(node):
        yield from walk(child)


def rebuild(node: T, change: Callable[[Node], Node]) -> T:
    """The same node with ``change`` applied to each direct child; the node itself where no child changed."""
    changed: dict[str, Any] = {}
    for name in _FIELDS[node.kind]:
        value = getattr(node, name)
        new = _changed(value, change)
        if new is not value:
            changed[name] = new
    return dataclasses.replace(node, **changed) if changed else node


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with ``change`` applied to every node, the deepest first."""
    return change(rebuild(node, lambda child: transform(child, change)))


def without_notes(node: Node) -> Node:
    """The same tree without comments and places, so that it can be written in one way only."""
    return transform(node, lambda at: dataclasses.replace(at, note=None, span=None) if at.note or at.span else at)


def _changed(value: object, change: Callable[[Node], Node]) -> object:
    if isinstance(value, Node):
        return change(value)
    if isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
        new = tuple(change(item) if isinstance(item, Node) else item for item in value)
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value
