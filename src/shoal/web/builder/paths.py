"""Places in a tree: ``parts.0.left`` is the left side of the first part. What stands there, and the tree with another there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from shoal.errors import DefinitionError
from shoal.lang.nodes import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.nodes import Condition

Path: TypeAlias = "tuple[str | int, ...]"
Root: TypeAlias = "Condition | None"


def read_path(text: str) -> Path:
    """The place that a text names.

    >>> read_path("parts.0.left"), read_path("")
    (('parts', 0, 'left'), ())
    """
    return tuple(int(step) if step.isdigit() else step for step in text.split(".") if step)


def path_text(path: Path) -> str:
    """The text that names a place.

    >>> path_text(("parts", 0, "left"))
    'parts.0.left'
    """
    return ".".join(map(str, path))


def at(root: object, path: Path) -> Any:
    """What stands at a place: a node, a tuple, a plain value or None.

    Raises:
        DefinitionError: there is no such place, as where the definition has become another meanwhile.
    """
    found: Any = root
    for step in path:
        try:
            found = found[step] if isinstance(step, int) else getattr(found, _field(found, step))
        except (IndexError, TypeError, AttributeError):
            raise gone(path) from None
    return found


def gone(path: Path) -> DefinitionError:
    """The error for a place that isn't there."""
    return DefinitionError(
        f"This part of the definition isn't there any more ({path_text(path)}).", fix="Try again on what is shown now."
    )


def put(root: Root, path: Path, value: object) -> Root:
    """The tree with something else at a place."""
    return cast("Root", _put(root, path, value))


def _put(found: Any, path: Path, value: object) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    inner = _put(at(found, (step,)), rest, value)
    if isinstance(step, int):
        return (*found[:step], inner, *found[step + 1 :])
    return dataclasses.replace(found, **{step: inner})


def _field(found: object, name: str) -> str:
    """A field's name, where the node has such a field: nothing else of it can be reached from outside."""
    if isinstance(found, Node) and name in {spec.name for spec in dataclasses.fields(found)} - {"note", "span"}:
        return name
    raise AttributeError(name)


def places(root: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """All nodes with their places, parents before their children."""
    yield path, root
    for spec in dataclasses.fields(root):
        value = getattr(root, spec.name)
        if isinstance(value, Node):
            yield from places(value, (*path, spec.name))
        elif isinstance(value, tuple) and spec.name != "span":
            for i, item in enumerate(value):
                if isinstance(item, Node):
                    yield from places(item, (*path, spec.name, i))


def locate(root: Node, start: int, end: int) -> Path:
    """The place of the smallest node whose text holds what stands between two places of the whole text."""
    best: Path = ()
    for path, node in places(root):
        if node.span is not None and node.span[0] <= start and end <= node.span[1]:
            best = path
    return best


def follow(old: Root, new: Root, path: Path) -> Path | None:
    """Where the part that stood at a place stands in a changed tree; None where it is gone."""
    if old is None or new is None:
        return None
    try:
        wanted = at(old, path)
    except DefinitionError:
        return None
    return next((where for where, node in places(new) if node is wanted), None)
