"""Moving conditions about: into groups and out of them, up and down, twice, the opposite, away."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.web.builder import kinds
from shoal.web.builder.paths import at, gone, put
from shoal.web.builder.slots import CONDITIONS, inside

if TYPE_CHECKING:
    from shoal.web.builder.paths import Path, Root

Moved: TypeAlias = "tuple[Root, Path]"
JOINS = {
    "all": "all of this is true",
    "any": "any of this is true",
    "none": "none of this is true",
    "some not": "not all of this is true",
}
"""How a group joins what is in it, by key."""


def join_of(node: n.Condition) -> str | None:
    """How a group joins what is in it; None for what is no group."""
    match node:
        case n.And():
            return "all"
        case n.Or():
            return "any"
        case n.Not(n.Or()):
            return "none"
        case n.Not(n.And()):
            return "some not"
    return None


def parts_path(node: n.Condition, path: Path) -> Path:
    """Where the parts of the group at a place stand."""
    return (*path, "part", "parts") if isinstance(node, n.Not) else (*path, "parts")


def _group(key: str, parts: tuple[n.Condition, ...]) -> n.Condition:
    if key not in JOINS:
        raise DefinitionError(f"There is no group of the kind {key!r}.", fix=f"Choose one of {', '.join(JOINS)}.")
    inner: n.Condition = n.And(parts) if key in ("all", "some not") else n.Or(parts)
    return n.Not(inner) if key in ("none", "some not") else inner


def _condition(root: Root, path: Path) -> n.Condition:
    found = at(root, path)
    if not isinstance(found, CONDITIONS):
        raise gone(path)
    return cast("n.Condition", found)


def _hole(root: Root, path: Path) -> n.Condition:
    """A condition that is still to be chosen."""
    return cast(
        "n.Condition", (kinds.FILTERS["property"] if inside(root, path) else kinds.CONDITIONS["compare"]).make(None)
    )


def wrap(root: Root, path: Path, key: str) -> Moved:
    """Put a condition into a group of its own beside one that is still to be chosen; ``not`` says its opposite."""
    found = _condition(root, path)
    if key == "not":
        return put(root, path, n.Not(found)), path
    group = _group(key, (found, _hole(root, path)))
    return put(root, path, group), (*parts_path(group, path), 1)


def join(root: Root, path: Path, key: str) -> Moved:
    """Let a group join its parts in another way."""
    found = _condition(root, path)
    if join_of(found) is None:
        raise gone(path)
    inner: Any = found.part if isinstance(found, n.Not) else found
    new = _group(key, inner.parts)
    return put(root, path, dataclasses.replace(new, note=found.note or inner.note)), path


def negate(root: Root, path: Path) -> Moved:
    """Say the opposite."""
    found = _condition(root, path)
    return put(root, path, found.part if isinstance(found, n.Not) else n.Not(found)), path


def _group_of(path: Path) -> tuple[Path, int] | None:
    """The place of the parts among which a condition stands, and which of them it is."""
    if len(path) >= 2 and path[-2] == "parts" and isinstance(path[-1], int):
        return path[:-1], path[-1]
    return None


def _with_parts(root: Root, parts: Path, items: tuple[Any, ...]) -> Root:
    """The tree with other parts in a group; a group of one is that one, and an empty one is gone."""
    group = parts[:-1]
    if not items:
        return delete(root, group)[0]
    if len(items) > 1:
        return put(root, parts, items)
    (last,) = items
    note = at(root, group).note
    return put(root, group, dataclasses.replace(last, note=last.note or note) if note else last)


def delete(root: Root, path: Path) -> Moved:
    """Take a condition away; what can't do without it goes with it."""
    if not path:
        return None, ()
    among = _group_of(path)
    if among is not None:
        parts, index = among
        items = at(root, parts)
        rest = (*items[:index], *items[index + 1 :])
        focus = (*parts, min(index, len(rest) - 1)) if len(rest) > 1 else parts[:-1]
        return _with_parts(root, parts, rest), focus
    holder = at(root, path[:-1])
    if isinstance(holder, n.Events):
        return put(root, path, None), path[:-1]
    if isinstance(holder, CONDITIONS):
        return delete(root, path[:-1])
    raise gone(path)


def beside(root: Root, path: Path, new: n.Condition) -> Moved:
    """Put a condition after another: into its group, or into a new one of both, of which all have to be true."""
    among = _group_of(path)
    if among is None:
        return put(root, path, n.And((_condition(root, path), new))), (*path, "parts", 1)
    parts, index = among
    items = at(root, parts)
    return put(root, parts, (*items[: index + 1], new, *items[index + 1 :])), (*parts, index + 1)


def duplicate(root: Root, path: Path) -> Moved:
    """The same once more, after it."""
    return beside(root, path, dataclasses.replace(_condition(root, path), note=None))


def unwrap(root: Root, path: Path) -> Moved:
    """Take the border of a group away: its parts go to where it stands."""
    found = _condition(root, path)
    if isinstance(found, n.Not):
        return put(root, path, found.part), path
    among = _group_of(path)
    if among is None or not isinstance(found, n.And | n.Or):
        raise DefinitionError("This group isn't in another one.", fix="Delete what isn't wanted in it.")
    parts, index = among
    items = at(root, parts)
    return put(root, parts, (*items[:index], *found.parts, *items[index + 1 :])), (*parts, index)


def up(root: Root, path: Path) -> Moved:
    """Before the one before it; out of its group where there is none."""
    return _shifted(root, path, -1)


def down(root: Root, path: Path) -> Moved:
    """After the one after it; out of its group where there is none."""
    return _shifted(root, path, 1)


def _shifted(root: Root, path: Path, by: int) -> Moved:
    among = _group_of(path)
    if among is None:
        raise DefinitionError("There is nowhere to move this to.")
    parts, index = among
    items = list(at(root, parts))
    if not 0 <= index + by < len(items):
        return out(root, path, before=by < 0)
    items[index], items[index + by] = items[index + by], items[index]
    return put(root, parts, tuple(items)), (*parts, index + by)


def into(root: Root, path: Path) -> Moved:
    """Into the group before it, or else into the one after it."""
    among = _group_of(path)
    if among is None:
        raise DefinitionError("There is no group beside this to move it into.")
    parts, index = among
    items = at(root, parts)
    for beside_it in (index - 1, index + 1):
        if 0 <= beside_it < len(items) and join_of(items[beside_it]) is not None:
            return _entered(root, parts, index, beside_it)
    raise DefinitionError(
        "There is no group beside this to move it into.", fix="Make one: put its neighbour in a group."
    )


def _entered(root: Root, parts: Path, index: int, target: int) -> Moved:
    items = at(root, parts)
    group = items[target]
    inner = parts_path(group, ())
    held = at(group, inner)
    first = target > index
    filled = put(group, inner, (items[index], *held) if first else (*held, items[index]))
    rest = [filled if i == target else one for i, one in enumerate(items) if i != index]
    place = 0 if first else len(held)
    if len(rest) == 1:
        # The group is all there is now, and stands where both stood.
        return _with_parts(root, parts, tuple(rest)), (*parts[:-1], *inner, place)
    return put(root, parts, tuple(rest)), (*parts, target - (target > index), *inner, place)


def out(root: Root, path: Path, *, before: bool = False) -> Moved:
    """Out of its group, to behind it (or before it), where that is in a group too."""
    among = _group_of(path)
    if among is None:
        raise DefinitionError("This isn't in a group.")
    parts, index = among
    group = parts[:-1]
    while group and group[-1] == "part":
        group = group[:-1]
    outer = _group_of(group)
    if outer is None:
        raise DefinitionError("There is no group around this one to move it to.")
    found = at(root, path)
    rest = [one for i, one in enumerate(at(root, parts)) if i != index]
    shrunk = _with_parts(root, parts, tuple(rest))
    outer_parts, place = outer
    items = list(at(shrunk, outer_parts))
    where = place if before else place + 1
    items.insert(where, found)
    return put(shrunk, outer_parts, tuple(items)), (*outer_parts, where)
