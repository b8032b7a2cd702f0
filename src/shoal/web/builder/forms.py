"""A definition as rows that can be read and changed: groups, conditions, and the blocks of conditions inside them.

A row is words and controls in the order of a sentence (see ``fields``); each control names the place that it changes and the
operation that it does there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from shoal.lang import nodes as n
from shoal.lang.say import say
from shoal.web.builder.moves import JOINS, join_of, parts_path
from shoal.web.builder.paths import at, path_text
from shoal.web.builder.slots import condition_kinds, inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.lang.schema import Schema
    from shoal.web.builder.kinds import Kind
    from shoal.web.builder.paths import Path, Root


@dataclass(frozen=True, slots=True)
class Word:
    """Words between controls; ``turn`` begins a new line."""

    text: str
    turn: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One of what can be chosen."""

    key: str
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """Something that can be changed.

    Args:
        path: the place that it changes, as text.
        op: the operation that it does there.
        label: what it is, for those who don't see where it stands.
        shape: ``choice``, ``menu`` (a choice that shows only an arrow), ``pick`` (of kinds of conditions), ``name``,
            ``text``, ``number``, ``whole``, ``date``, ``moment``, ``flag``, ``button``.
        value: what it holds; a button's is what it does it with.
        options: what can be chosen.
        suggests: whether there are suggestions for what is typed.
        words: what a button or a flag shows.
        rare: whether it is needed so seldom that it stands in the row's menu while it says nothing.
    """

    path: str
    op: str
    label: str
    shape: str
    value: str = ""
    options: tuple[Option, ...] = ()
    suggests: bool = False
    words: str = ""
    rare: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Conditions inside a row, with the words before them."""

    label: str
    item: Item


Piece: TypeAlias = "Word | Control | Block"


@dataclass(frozen=True, slots=True)
class Row:
    """One condition.

    Args:
        path: its place, the ``not`` before it included.
        kind: of the condition itself.
        pieces: words, controls and blocks.
        actions: what can be done to all of it: operations with their values and words.
        sentence: in plain words.
        note: its comment.
    """

    path: str
    kind: str
    pieces: tuple[Piece, ...]
    actions: tuple[Control, ...]
    sentence: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that are joined.

    Args:
        path: its place, the ``not`` before it included.
        join: how they are joined, as a control.
        items: rows and groups.
        adds: what can be added to it.
        actions: what can be done to all of it.
        note: its comment.
    """

    path: str
    join: Control
    items: tuple[Item, ...]
    adds: Control
    actions: tuple[Control, ...]
    note: str | None = None


Item: TypeAlias = "Row | Group"


def tree(root: Root, schema: Schema) -> Item | None:
    """All of a definition; None where there is none yet."""
    return None if root is None else item(root, (), schema)


def beginnings() -> Control:
    """What a definition can begin with."""
    return adding((), condition_kinds(None, ()), "Add a condition")


def item(root: Root, path: Path, schema: Schema) -> Item:
    """The row or the group of the condition at a place."""
    node: n.Condition = at(root, path)
    if join_of(node) is not None:
        return _group(root, path, node, schema)
    return _row(root, path, node, schema)


def _group(root: Root, path: Path, node: n.Condition, schema: Schema) -> Group:
    parts = parts_path(node, path)
    held = at(root, parts)
    inner = node.part if isinstance(node, n.Not) else node
    joins = tuple(Option(key, label) for key, label in JOINS.items())
    return Group(
        path_text(path),
        Control(path_text(path), "join", "How these are joined", "choice", join_of(node) or "", joins),
        tuple(item(root, (*parts, i), schema) for i in range(len(held))),
        adding(parts, condition_kinds(root, (*parts, 0)), "Add a condition"),
        tuple(_actions(root, path)),
        node.note or inner.note,
    )


def _row(root: Root, path: Path, node: n.Condition, schema: Schema) -> Row:
    from shoal.web.builder.fields import pieces

    bare, where = node, path
    while isinstance(bare, n.Not):
        bare, where = bare.part, (*where, "part")
        if join_of(bare) is not None:
            break
    found = pieces(root, path, schema)
    notes = [one for one in (node.note, None if bare is node else bare.note) if one]
    return Row(
        path_text(path), bare.kind, found, tuple(_actions(root, path)), say(node, schema), "\n".join(notes) or None
    )


def adding(path: Path, kinds: Mapping[str, Kind], label: str) -> Control:
    """The choice of what to add at a place."""
    return Control(path_text(path), "add", label, "pick", "", options_of(kinds), words=label)


def options_of(kinds: Mapping[str, Kind]) -> tuple[Option, ...]:
    """Kinds as what can be chosen."""
    return tuple(Option(kind.key, kind.label, kind.group) for kind in kinds.values())


def _actions(root: Root, path: Path) -> Iterator[Control]:
    """What can be done to a whole condition."""
    node: n.Condition = at(root, path)
    where = path_text(path)

    def button(op: str, words: str, value: str = "") -> Control:
        return Control(where, op, words, "button", value, words=words)

    if inside(root, path) == "held":
        return
    offered = condition_kinds(root, path)
    grouped = len(path) >= 2 and path[-2] == "parts"
    if join_of(node) is None:
        yield Control(where, "kind", "Ask something else", "pick", "", options_of(offered), words="Ask something else")
    yield adding(path, offered, "Add a condition after it")
    if join_of(node) is None:
        yield button("negate", "Say it without not" if isinstance(node, n.Not) else "Say the opposite")
    if isinstance(node, n.Not) and join_of(node) is None:
        yield button("wrap", "Say the opposite of that", "not")
    elif join_of(node) is not None:
        yield button("wrap", "Say the opposite of the group", "not")
    yield button("wrap", "Put it into a group: all of …", "all")
    yield button("wrap", "Put it into a group: any of …", "any")
    yield button("wrap", "Put it into a group: none of …", "none")
    if grouped:
        yield button("up", "Move up")
        yield button("down", "Move down")
        yield button("in", "Move into the group beside it")
        yield button("out", "Move out of its group")
        if isinstance(node, n.And | n.Or):
            yield button("unwrap", "Take the group's border away")
    yield button("duplicate", "Duplicate")
    yield button("remove", "Delete")
