"""What can be done to a definition: each operation takes its tree, a place in it and a value, and gives another tree.

A definition that isn't finished stays a definition: what is still to be chosen is a name that no data bears (``""`` for an
event, `?` for a trait), and what was typed in the wrong form stays as the text that it is. So it can be written, read back
and kept, and the check says of it what is missing where. Only what can't be written at all is refused, with the reason.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.lang.show import show
from shoal.lang.tree import transform
from shoal.web.builder import kinds, moves
from shoal.web.builder.paths import at, follow, gone, path_text, put
from shoal.web.builder.reading import literal, number_of, whole_of
from shoal.web.builder.slots import (
    CONDITIONS,
    LITERALS,
    choices,
    condition_kinds,
    expected,
    field_of,
    hints,
    operators,
    optional,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shoal.lang.nodes import Node
    from shoal.web.builder.paths import Path, Root

_DECIMALS = {"micro", "latitude", "longitude", "radius", "percent"}
_PROPERTY = kinds.NO_NAME


@dataclass(frozen=True, slots=True)
class Setting:
    """What an edit is made against.

    Args:
        schema: the types there are, so that what is typed becomes a number, a date … where one is wanted.
        today: the present day, in days since 1970-01-01, with which windows by date begin.
    """

    schema: Schema = field(default_factory=Schema)
    today: int = 20_000


@dataclass(frozen=True, slots=True)
class Edited:
    """A definition after an edit: its text, its tree read from it, and the place where the work goes on."""

    text: str
    root: Root
    focus: Path = ()
    followed: dict[Path, Path] = field(default_factory=dict)
    """Where the fields stand now that were watched, those that are gone left out."""


def edited(
    text: str,
    op: str,
    path: Path,
    value: str = "",
    setting: Setting | None = None,
    watched: Sequence[Path] = (),
) -> Edited:
    """The definition after one operation.

    Args:
        text: the definition; empty where there is none yet.
        op: one of ``OPERATIONS``.
        path: where.
        value: what with: the key of a kind, or what was typed.
        setting: types and the present day.
        watched: fields that are to be followed, as those in which something can't be written yet.

    Raises:
        DefinitionError: the operation can't be done there, or what was typed can't be written.
    """
    root = parse(text) if text.strip() else None
    if op not in OPERATIONS:
        raise DefinitionError(f"There is nothing to do that is called {op!r}.")
    new, focus = OPERATIONS[op](root, path, value, setting or Setting())
    if new is None:
        return Edited("", None, ())
    shown = show(new)
    # What can't be written is refused by the reader, which says why.
    read = parse(shown)
    if read != new:
        raise DefinitionError(f"This can't be written there ({path_text(path)}).", fix="Choose something else.")
    return Edited(shown, read, focus, dict(_followed(root, new, watched)))


def _followed(old: Root, new: Root, watched: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Where fields stand after an edit: a field is followed by the node that it belongs to."""
    for path in watched:
        where = follow(old, new, path[:-1]) if path else None
        if where is not None:
            yield path, (*where, path[-1])


def _kind(root: Root, path: Path, key: str, setting: Setting) -> moves.Moved:
    """Put another kind at a place; an empty key leaves it out where it may be."""
    if key == "":
        return _cleared(root, path)
    offered = choices(root, path)
    if key not in offered:
        raise DefinitionError(f"{key!r} can't stand here.", fix=f"Choose one of {', '.join(offered)}.")
    old = at(root, path) if root is not None else None
    if isinstance(old, n.Not) and key != "did not":
        # The words before it stay: it is what they speak of that becomes another.
        return _kind(root, (*path, "part"), key, setting)
    return put(root, path, _noted(_made(offered[key].make(old), setting), old)), path


def _made(node: Node, setting: Setting) -> Node:
    """A fresh node with the present day where it begins with a date."""

    def dated(one: Node) -> Node:
        if one == kinds.FIRST_DAY:
            return n.Date(setting.today)
        return n.Instant(setting.today * 86_400_000_000) if one == kinds.FIRST_INSTANT else one

    return transform(node, dated)


def _noted(new: Any, old: Any) -> Any:
    """What takes the place of a condition keeps its comment."""
    note = getattr(old, "note", None)
    return dataclasses.replace(new, note=note) if note and not new.note else new


def _cleared(root: Root, path: Path) -> moves.Moved:
    """Leave out what may be left out; a condition is deleted."""
    parent, name = field_of(root, path)
    if parent is not None and optional(type(parent), name):
        return put(root, path, None), path
    if not isinstance(at(root, path), CONDITIONS):
        raise DefinitionError("This can't be left out.", fix="Choose something else in its place.")
    return moves.delete(root, path)


def _operator(root: Root, path: Path, key: str, setting: Setting) -> moves.Moved:
    """Compare in another way."""
    offered, old = operators(root, path), at(root, path)
    if key not in offered:
        raise DefinitionError(f"{key!r} can't compare this.", fix=f"Choose one of {', '.join(offered)}.")
    return put(root, path, _noted(_made(offered[key].make(old), setting), old)), path


def _set(root: Root, path: Path, raw: str, setting: Setting) -> moves.Moved:
    """Write a name, a number, a word or a literal."""
    found = at(root, path)
    if isinstance(found, LITERALS):
        kind = expected(root, path, setting.schema)
        parent, _ = field_of(root, path)
        if isinstance(parent, n.Match):
            return put(root, path, n.Text(raw)), path
        return put(root, path, literal(raw, found, kind)), path
    parent, name = field_of(root, path)
    if parent is None:
        raise gone(path)
    value = _plain(type(parent), name, raw, path)
    return put(root, path[: _depth(path)], _consistent(parent, name, value, path)), path


def _depth(path: Path) -> int:
    """How long the place of the node is to which a field belongs."""
    end = len(path) - 1
    while isinstance(path[end], int):
        end -= 1
    return end


def _plain(cls: type[Node], name: str, raw: str, path: Path) -> Any:
    """What was typed, as the type of a field."""
    hint = plain(cls, name)
    if get_origin(hint) is tuple:
        return raw or _PROPERTY
    if raw == "" and optional(cls, name):
        return None
    if get_origin(hint) is Literal:
        if raw not in get_args(hint):
            raise DefinitionError(f"{raw!r} is not one of {', '.join(get_args(hint))}.")
        return raw
    if hint is bool:
        return raw in ("yes", "true", "on", "1")
    if hint is int:
        decimal = name in _DECIMALS or (cls is n.Percentile and name in ("low", "high"))
        return number_of(raw) if decimal else whole_of(raw)
    # Names can't be empty where they stand in backticks; texts can.
    named = (cls, name) in _NAMES
    return raw if raw or not named else _PROPERTY


_NAMES = {(n.Trait, "name"), (n.Property, "name"), (n.Aggregate, "of"), (n.AnyItem, "items")}


def _consistent(parent: Any, name: str, value: Any, path: Path) -> Any:
    """The node with a field changed, and what hangs on that field with it."""
    if path[-1] != name:
        items = list(getattr(parent, name))
        items[cast("int", path[-1])] = value
        return dataclasses.replace(parent, **{name: tuple(items)})
    changed: dict[str, Any] = {name: value}
    if isinstance(parent, n.Aggregate) and name == "fn":
        changed["of"] = None if value in ("count", "active days") else parent.of or _PROPERTY
    elif isinstance(parent, n.Step) and name == "absent" and value:
        changed |= {"without": None, "within": parent.within or n.Duration(1, "day")}
    elif isinstance(parent, n.Regularly) and name == "of_last":
        changed["periods"] = min(parent.periods, value)
    elif isinstance(parent, n.Regularly) and name == "periods":
        changed["of_last"] = max(parent.of_last, value)
    return dataclasses.replace(parent, **changed)


def _part(root: Root, path: Path, key: str, setting: Setting) -> moves.Moved:
    """Give an optional part its beginning: a filter, a window, a number of times, a time within …"""
    if key == "":
        return _cleared(root, path)
    parent, name = field_of(root, path)
    if parent is None or name not in hints(type(parent)):
        raise gone(path)
    begins: dict[str, Callable[[], Any]] = {
        "times": lambda: n.Times("at least", 2),
        "within": lambda: n.Duration(1, "day"),
        "without": lambda: n.Events(""),
        "newest": lambda: 5,
        "before": lambda: n.Text(""),
        "after": lambda: n.Text(""),
        "where": lambda: n.Compare(n.Property(_PROPERTY), "=", n.Text("")),
        "window": lambda: n.Last(kinds.MONTH),
    }
    if name not in begins:
        raise gone(path)
    return put(root, path, begins[name]()), path


def _more(root: Root, path: Path, key: str, setting: Setting) -> moves.Moved:
    """One more of a list: a condition of a group, a step, a value to choose among, a property that stays the same."""
    if root is None:
        return _made(kinds.CONDITIONS[_known(kinds.CONDITIONS, key)].make(None), setting), ()  # type: ignore[return-value]
    found, name = at(root, path), field_of(root, path)[1]
    if not isinstance(found, tuple):
        return moves.beside(root, path, _fresh(root, path, key, setting))
    fresh: dict[str, Callable[[], Any]] = {
        "steps": lambda: n.Step(n.Events("")),
        "options": lambda: n.Text(""),
        "operands": lambda: n.Text(""),
        "same": lambda: _PROPERTY,
    }
    item = _fresh(root, (*path, 0), key, setting) if name == "parts" else fresh[name]()
    return put(root, path, (*found, item)), (*path, len(found))


def _fresh(root: Root, path: Path, key: str, setting: Setting) -> Any:
    """A condition that has just been added beside the one at a place."""
    offered = condition_kinds(root, path)
    return _made(offered[_known(offered, key)].make(None), setting)


def _known(offered: Any, key: str) -> str:
    if key in offered:
        return key
    raise DefinitionError(f"{key!r} can't stand here.", fix=f"Choose one of {', '.join(offered)}.")


def _remove(root: Root, path: Path, key: str, setting: Setting) -> moves.Moved:
    """Take away one of a list, an optional part or a condition."""
    if not path:
        return None, ()
    if not isinstance(path[-1], int) or path[-2] == "parts":
        return _cleared(root, path)
    items = at(root, path[:-1])
    rest = (*items[: path[-1]], *items[path[-1] + 1 :])
    parent, name = field_of(root, path)
    if name == "steps" and not rest:
        return put(root, path[:-2], n.Did(parent.first, None, parent.window)), path[:-2]
    if not rest and name in ("options", "operands"):
        rest = (n.Text(""),)
    return put(root, path[:-1], rest), path[:-2]


def _placed(
    work: Callable[[Root, Path], moves.Moved],
) -> Callable[[Root, Path, str, Setting], moves.Moved]:
    return lambda root, path, key, setting: work(root, path)


OPERATIONS: dict[str, Callable[[Root, Path, str, Setting], moves.Moved]] = {
    "kind": _kind,
    "operator": _operator,
    "set": _set,
    "part": _part,
    "add": _more,
    "remove": _remove,
    "wrap": lambda root, path, key, setting: moves.wrap(root, path, key),
    "join": lambda root, path, key, setting: moves.join(root, path, key),
    "negate": _placed(moves.negate),
    "unwrap": _placed(moves.unwrap),
    "duplicate": _placed(moves.duplicate),
    "up": _placed(moves.up),
    "down": _placed(moves.down),
    "in": _placed(moves.into),
    "out": _placed(moves.out),
}
"""What can be done, by name."""
