"""A definition in the making, read and checked: its rows with their faults, and what of it can be evaluated already.

What isn't finished is left out of the sizes and said to be; the rest counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.check import doubts, faults
from shoal.lang.parse import parse
from shoal.lang.say import say
from shoal.lang.tree import walk
from shoal.web.builder.kinds import NO_NAME
from shoal.web.builder.moves import join_of, parts_path
from shoal.web.builder.paths import Path, at, locate, path_text
from shoal.web.builder.slots import CONDITIONS

if TYPE_CHECKING:
    from shoal.lang.schema import Schema
    from shoal.web.builder.paths import Root


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, or that can hardly have been meant.

    Args:
        path: of the row that it is in, as text.
        place: of what is at fault itself, as text.
        start: where it stands in the text.
        end: where it ends.
        problem: one sentence.
        fix: what to do.
        unfinished: whether something is still to be chosen there, rather than wrong.
        doubt: whether the definition is accepted all the same.
    """

    path: str
    place: str
    start: int
    end: int
    problem: str
    fix: str | None
    unfinished: bool = False
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A condition that can be evaluated, with its place in the definition as it was written."""

    node: n.Condition
    places: tuple[Path, ...]
    parts: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A text as it was read.

    Args:
        text: as it was given.
        root: its tree; None where there is none, or it can't be read.
        faults: what is wrong with it, in the order of the text.
        kept: what can be evaluated of it.
        left_out: the rows that can't be, as text.
        sentence: in plain words, of what is whole.
    """

    text: str
    root: Root
    faults: tuple[Fault, ...] = ()
    kept: Kept | None = None
    left_out: tuple[str, ...] = ()
    sentence: str = ""
    broken: bool = field(default=False)

    @property
    def whole(self) -> bool:
        """Whether it can be saved."""
        return self.root is not None and all(fault.doubt for fault in self.faults)


def read(text: str, schema: Schema, slug: str | None = None) -> Reading:
    """Read a text and check it.

    Args:
        text: of a definition; it may be empty, unfinished or wrong.
        schema: what it may name.
        slug: the segment that it defines, where it has one already.
    """
    if not text.strip():
        return Reading(text, None)
    try:
        root = parse(text)
    except DefinitionError as error:
        return Reading(text, None, (_fault(None, error),), broken=True)
    found = [_fault(root, each) for each in faults(root, schema, text=text, slug=slug)]
    found += [_fault(root, each, doubt=True) for each in doubts(root, schema, text=text)]
    wrong = frozenset(fault.path for fault in found if not fault.doubt)
    kept = _kept(root, (), wrong)
    left_out = tuple(sorted(wrong))
    sentence = "" if kept is None else say(kept.node, schema)
    return Reading(text, root, tuple(sorted(found, key=lambda one: one.start)), kept, left_out, sentence)


def _fault(root: n.Condition | None, error: DefinitionError, *, doubt: bool = False) -> Fault:
    start, end = error.start or 0, error.end or error.start or 0
    if root is None:
        return Fault("", "", start, end, error.problem, error.fix)
    place = locate(root, start, end)
    unfinished = not doubt and _has_hole(at(root, place))
    problem, fix = (_missing(at(root, place)), None) if unfinished else (error.problem, error.fix)
    return Fault(path_text(row_of(root, place)), path_text(place), start, end, problem, fix, unfinished, doubt)


def row_of(root: n.Condition, place: Path) -> Path:
    """The row outside filters that a place belongs to, with the ``not`` before it."""
    best: Path = ()
    node: Any = root
    for i, step in enumerate((*place, None)):
        if isinstance(node, CONDITIONS) and join_of(cast("n.Condition", node)) is None and _starts_row(place[:i]):
            best = place[:i]
        if step is None or isinstance(node, n.Events | n.Held):
            break
        node = at(node, (step,))
    return best


def _starts_row(path: Path) -> bool:
    return not path or path[-1] != "part"


def _has_hole(node: Any) -> bool:
    """Whether something in it is still to be chosen."""
    holes = (
        n.Trait(NO_NAME), n.Property(NO_NAME), n.Text(""), n.MemberOf(""), n.ListedIn(""), n.Consents(""),
    )  # fmt: skip
    for one in walk(node):
        if one in holes or (isinstance(one, n.Events | n.Entered | n.Left) and _unnamed(one)):
            return True
        if isinstance(one, n.Aggregate) and one.of == NO_NAME:
            return True
    return False


def _unnamed(node: n.Events | n.Entered | n.Left) -> bool:
    return (node.name if isinstance(node, n.Events) else node.segment) == ""


def _missing(node: Any) -> str:
    """What is still to be chosen, in words."""
    for one in walk(node):
        match one:
            case n.Events(""):
                return "Choose an event."
            case n.Trait("?"):
                return "Choose what is asked of them."
            case n.Property("?"):
                return "Choose a property of the event."
            case n.Aggregate(of="?"):
                return "Choose the property that is summed up."
            case n.MemberOf("") | n.Entered("") | n.Left(""):
                return "Choose a segment."
            case n.ListedIn(""):
                return "Choose a list."
            case n.Consents(""):
                return "Choose a purpose."
    return "Fill in the value."


def _kept(node: n.Condition, path: Path, wrong: frozenset[str]) -> Kept | None:
    """What of a condition can be evaluated: all rows but those that are wrong; a group of one is that one."""
    if path_text(path) in wrong and join_of(node) is None:
        return None
    if join_of(node) is None:
        if isinstance(node, n.Not):
            return Kept(node, (path,), (Kept(node.part, ((*path, "part"),)),))
        return Kept(node, (path,))
    parts = at(node, parts_path(node, ()))
    found = [_kept(part, (*parts_path(node, path), i), wrong) for i, part in enumerate(parts)]
    held = [one for one in found if one is not None]
    if not held:
        return None
    inner: n.Condition = node.part if isinstance(node, n.Not) else node
    if len(held) == 1:
        group = Kept(held[0].node, (path, *held[0].places), held[0].parts)
    else:
        joined = tuple(one.node for one in held)
        group = Kept(n.And(joined) if isinstance(inner, n.And) else n.Or(joined), (path,), tuple(held))
    if not isinstance(node, n.Not):
        return group
    return Kept(n.Not(group.node), (path,), (Kept(group.node, group.places[1:], group.parts),))
