"""What a place of a tree takes: which kinds may stand there, and what the names and literals in it are checked against."""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from shoal.lang import nodes as n
from shoal.lang.check.scope import Scope
from shoal.lang.check.values import kind_of
from shoal.lang.nodes import Node
from shoal.lang.schema import Kind as Type
from shoal.web.builder import kinds
from shoal.web.builder.paths import at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import Schema
    from shoal.web.builder.kinds import Kind
    from shoal.web.builder.paths import Path, Root

LITERALS: tuple[type[Node], ...] = (n.Number, n.Text, n.YesNo, n.Date, n.Instant)
CONDITIONS: tuple[type[Node], ...] = get_args(n.Condition)
COMPARISONS = (n.Compare, n.Between, n.In, n.Match, n.Known, n.When, n.Ranked, n.Percentile)
"""The conditions that one operator tells apart."""
_WINDOWED = (n.Last, n.BeforeLast, n.Since, n.Period, n.This, n.LastCalendar, n.Next)
_EMPTY: dict[str, Kind] = {}


def hints(cls: type[Node]) -> dict[str, Any]:
    """The types of a node's fields."""
    return _hints(cls.kind)


@cache
def _hints(kind: str) -> dict[str, Any]:
    return get_type_hints(n.NODES[kind])


def optional(cls: type[Node], name: str) -> bool:
    """Whether a field may be left out."""
    hint = hints(cls)[name]
    return get_origin(hint) in (Union, UnionType) and type(None) in get_args(hint)


def plain(cls: type[Node], name: str) -> Any:
    """The type of a field without None: a class, or the words that it may be."""
    hint = hints(cls)[name]
    if not optional(cls, name):
        return hint
    rest = [one for one in get_args(hint) if one is not type(None)]
    return rest[0] if len(rest) == 1 else Node


def inside(root: Root, path: Path) -> str:
    """In what a place stands: ``filter`` (of an event or an item), ``held`` or ``""``."""
    found = ""
    node: Any = root
    for step in path:
        if isinstance(node, n.Events) and step == "where":
            found = "filter"
        elif isinstance(node, n.Held) and step == "condition":
            found = "held"
        node = at(node, (step,))
    return found


def scope_at(root: Root, path: Path, schema: Schema) -> Scope:
    """What the check would know at a place."""
    scope = Scope(schema)
    node: Any = root
    for step in path:
        if isinstance(node, n.Events) and step == "where":
            scope = scope.in_filter(node.name)
        elif isinstance(node, n.AnyItem) and step == "where":
            scope = scope.in_items(node.items)
        node = at(node, (step,))
    return scope


def condition_kinds(root: Root, path: Path) -> Mapping[str, Kind]:
    """The conditions that may stand at a place."""
    where = inside(root, path)
    return {"": kinds.CONDITIONS, "filter": kinds.FILTERS, "held": _EMPTY}[where]


def operators(root: Root, path: Path) -> dict[str, Kind]:
    """The operators that the comparison at a place may have."""
    node = at(root, path)
    keys = list(kinds.OPERATORS)
    if inside(root, path):
        keys = list(kinds.ANYWHERE)
    else:
        value = kinds.value_of(node)
        if not isinstance(value, n.Trait):
            keys.remove("when")
        if not isinstance(value, n.Trait | n.Aggregate):
            keys = [key for key in keys if key not in ("top", "bottom", "percentile")]
    return {key: kinds.OPERATORS[key] for key in keys}


def choices(root: Root, path: Path) -> Mapping[str, Kind]:
    """The kinds that may stand at a place that holds a node."""
    parent, name = _parent(root, path)
    if parent is None or name in ("parts", "part", "condition") or (name == "where" and isinstance(parent, Node)):
        return condition_kinds(root, path)
    if name == "window":
        return kinds.TRAIT_WINDOWS if isinstance(parent, n.When) else kinds.WINDOWS
    if name in ("start", "end"):
        return kinds.MOMENTS
    if name in ("options", "before", "after") and not isinstance(parent, n.NotAfter | n.BeforeLast):
        return kinds.LITERALS_ONLY
    if name == "value" and isinstance(parent, n.Ranked | n.Percentile):
        return kinds.RANKED
    if name in ("value", "left", "right", "low", "high"):
        return _value_choices(root, path, parent, str(name))
    return _EMPTY


def _value_choices(root: Root, path: Path, parent: Any, name: str) -> Mapping[str, Kind]:
    where = inside(root, path)
    if where == "":
        return kinds.VALUES
    left = _on_the_left(root, path)
    if where == "held":
        return _EMPTY if left else kinds.LITERALS_ONLY
    return kinds.FILTER_LEFT if left else kinds.FILTER_RIGHT


def _on_the_left(root: Root, path: Path) -> bool:
    """Whether a value stands on the left of its comparison, itself or as a part of what does."""
    for end in range(len(path), 0, -1):
        parent, name = _parent(root, path[:end])
        if isinstance(parent, COMPARISONS):
            return name in ("left", "value")
    return True


def _parent(root: Root, path: Path) -> tuple[Any, str | int | None]:
    """The node that a place belongs to, and the field that it is in."""
    if not path:
        return None, None
    end = len(path) - 1
    while isinstance(path[end], int):
        end -= 1
    return at(root, path[:end]), path[end]


def field_of(root: Root, path: Path) -> tuple[Any, str]:
    """The node and the name of the field at a place, or in whose list the place lies."""
    parent, name = _parent(root, path)
    return parent, str(name)


def expected(root: Root, path: Path, schema: Schema) -> Type | None:
    """The type that a literal at a place should have, as far as it is known."""
    parent, name = _parent(root, path)
    if isinstance(parent, n.Match):
        return Type.TEXT
    scope = scope_at(root, path, schema)
    if isinstance(parent, n.Changed):
        return kind_of(parent.trait, scope)
    if isinstance(parent, n.Compare):
        other = parent.left if name == "right" else parent.right
        return None if isinstance(other, LITERALS) else kind_of(other, scope)
    if isinstance(parent, n.Between | n.In) and name != "value":
        return kind_of(parent.value, scope)
    if isinstance(parent, n.Arithmetic | n.Negative):
        return Type.NUMBER
    return None


def compared_with(root: Root, path: Path) -> Any:
    """The value that a literal at a place is compared with: a trait or a property, whose values may be offered."""
    parent, name = _parent(root, path)
    match parent:
        case n.Compare(left, _, right):
            return left if name == "right" else right
        case n.Between() | n.In() | n.Match():
            return parent.value
        case n.Changed():
            return parent.trait
    return None
