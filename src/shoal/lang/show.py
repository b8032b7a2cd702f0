"""The printer: a tree as canonical text, with as few parentheses as its meaning allows.

What it writes reads back as an equal tree, comments included. A text that is longer than the width, or that has
comments, stands on several lines: one part of ``and`` and ``or`` a line, groups and filters indented.

>>> from shoal.lang.parse import parse
>>> print(show(parse('did "Order Completed" where (a = 1 and b = 2) in last 7 days and age > 30'), width=40))
did "Order Completed"
    where (a = 1 and b = 2)
    in last 7 days
and age > 30
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from shoal.lang import nodes as n
from shoal.lang.pieces import BREAK, TURN, Block, pieces
from shoal.lang.tree import children, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.nodes import Node

_STEP = "    "
_NARROWEST = 24
_GROUPS = (n.And, n.Or)
_CONDITIONS = get_args(n.Condition)


def show(node: Node, *, width: int = 100) -> str:
    """The canonical text of a tree or of any part of it.

    Args:
        node: a condition, value, window or other node.
        width: characters a line should not exceed; texts and names are never broken.
    """
    line = flat(node)
    if len(line) <= width and not _noted(node):
        return line
    return "\n".join((*_notes(node), *_body(node, width, in_filter=False)))


def flat(node: Node, *, in_filter: bool = False) -> str:
    """The canonical text on one line, without comments: a key for equal trees.

    Args:
        node: any node.
        in_filter: whether the names in it are an event's, so that traits need the word ``trait``.
    """
    match node:
        case n.And(parts):
            return " and ".join([_grouped(p, in_filter, isinstance(p, _GROUPS)) for p in parts])
        case n.Or(parts):
            return " or ".join([_grouped(p, in_filter, isinstance(p, n.Or)) for p in parts])
        case n.Not(part):
            return "not " + _grouped(part, in_filter, isinstance(part, _GROUPS))
    return "".join([_flat_piece(p) for p in pieces(node, in_filter=in_filter)])


def _grouped(part: Node, in_filter: bool, closed: bool) -> str:
    text = flat(part, in_filter=in_filter)
    return f"({text})" if closed else text


def _flat_piece(piece: str | Block) -> str:
    if isinstance(piece, str):
        return " " if piece in (BREAK, TURN) else piece
    return _grouped(piece.condition, True, piece.closed)


# ---------------------------------------------------------------- comments


def _noted(node: Node) -> bool:
    return any(inner.note is not None for inner in walk(node))


def _notes(node: Node) -> Iterator[str]:
    """The comment lines before a condition: its own, and those of the parts that have no line of their own."""
    if node.note is not None:
        for line in node.note.split("\n"):
            # A comment ends with its line, so no other kind of line break may stand in it.
            yield f"// {' '.join(line.splitlines()).strip()}".rstrip()
    if not isinstance(node, _GROUPS):
        for child in children(node):
            if not _has_lines(node, child):
                yield from _notes(child)


def _has_lines(node: Node, child: Node) -> bool:
    """Whether a child is set in lines of its own when there are comments: a group, or the condition of a filter."""
    if isinstance(node, n.Not):
        return isinstance(child, _GROUPS)
    return isinstance(child, _CONDITIONS) and not isinstance(node, n.Held)


# ---------------------------------------------------------------- lines


def _body(node: Node, width: int, *, in_filter: bool) -> list[str]:
    """The lines of a node, without the comments that stand before it."""
    width = max(width, _NARROWEST)
    if isinstance(node, _GROUPS):
        return _chain(node, width, in_filter)
    if isinstance(node, n.Not):
        return _behind("not ", node.part, isinstance(node.part, _GROUPS), width, in_filter)
    return _filled(pieces(node, in_filter=in_filter), width)


def _chain(node: n.And | n.Or, width: int, in_filter: bool) -> list[str]:
    lines: list[str] = []
    for i, part in enumerate(node.parts):
        word = f"{node.kind} " if i else ""
        lines += _notes(part)
        lines += _behind(word, part, _closed_in_chain(node, part, width - len(word), in_filter), width, in_filter)
    return lines


def _closed_in_chain(node: n.And | n.Or, part: Node, width: int, in_filter: bool) -> bool:
    """``and`` within ``or`` needs no parentheses, but on several lines they help the eye."""
    if not isinstance(part, _GROUPS):
        return False
    if isinstance(part, n.Or) or isinstance(node, n.And):
        return True
    return _noted(part) or len(flat(part, in_filter=in_filter)) > width


def _behind(word: str, part: Node, closed: bool, width: int, in_filter: bool) -> list[str]:
    """The lines of a part behind its word, its comments having been written."""
    if not closed:
        first, *rest = _body(part, width - len(word), in_filter=in_filter)
        return [word + first, *rest]
    notes = [] if word != "not " else list(_notes(part))
    line = f"{word}({flat(part, in_filter=in_filter)})"
    if len(line) <= width and not notes and not any(_noted(child) for child in children(part)):
        return [line]
    inner = notes + _body(part, width - len(_STEP), in_filter=in_filter)
    return [word + "(", *(_STEP + line for line in inner), ")"]


def _filled(parts: list[str | Block], width: int) -> list[str]:
    """The lines of a leaf: on one if it fits, else with a new line at each turn."""
    line = "".join([_flat_piece(p) for p in parts])
    if len(line) <= width and not _noted_blocks(parts):
        return [line]
    first, *rest = _split(parts, TURN)
    lines = _set(first, width)
    for chunk in rest:
        lines += [_STEP + line for line in _set(chunk, width - len(_STEP))]
    return lines


def _set(parts: list[str | Block], width: int) -> list[str]:
    """Pieces set into lines, broken only where they allow it or where a block needs lines of its own."""
    lines: list[str] = []
    line = ""
    for run in _split(parts, BREAK):
        text = "".join([_flat_piece(p) for p in run])
        noted = _noted_blocks(run)
        joint = f"{line} {text}" if line else text
        if not noted and len(joint) <= width:
            line = joint
        elif line and not noted and (len(_STEP + text) <= width or not any(isinstance(p, Block) for p in run)):
            lines.append(line)
            line = _STEP + text
        else:
            line = _opened(run, lines, f"{line} " if line else "", width)
    return [*lines, line]


def _noted_blocks(parts: list[str | Block]) -> bool:
    return any(isinstance(p, Block) and _noted(p.condition) for p in parts)


def _opened(run: list[str | Block], lines: list[str], line: str, width: int) -> str:
    """Set a run with its blocks on lines of their own where they have to be; the last line is returned."""
    for piece in run:
        text = _flat_piece(piece)
        if isinstance(piece, str) or (len(line + text) <= width and not _noted(piece.condition)):
            line += text
            continue
        indent = line[: len(line) - len(line.lstrip(" "))]
        inner = (*_notes(piece.condition), *_body(piece.condition, width - len(indent + _STEP), in_filter=True))
        lines.append(line + "(")
        lines.extend(indent + _STEP + each for each in inner)
        line = indent + ")"
    return line


def _split(parts: list[str | Block], mark: str) -> list[list[str | Block]]:
    runs: list[list[str | Block]] = [[]]
    for piece in parts:
        if piece == mark:
            runs.append([])
        else:
            runs[-1].append(piece)
    return runs
