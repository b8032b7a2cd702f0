"""Comments find their node.

A comment on a line of its own, or after an opening word, belongs to the condition that begins next; a comment at the
end of a line to the condition that stands before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.parse_values import CONDITIONS
from shoal.lang.tree import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.lang.lex import Comment, Token
    from shoal.lang.nodes import Node

_OPENING = ("", "(", "and", "or", "not")


def attach(root: Node, comments: Sequence[Comment], tokens: Sequence[Token]) -> None:
    """Write each comment into the note of its condition, or of a value without one.

    ``root`` has just been made and nobody else holds it.
    """
    if not comments:
        return
    # A value alone may have no condition in it: the comment is its own then.
    conditions = [node for node in walk(root) if isinstance(node, CONDITIONS)] or [root]
    notes: dict[int, tuple[Node, list[str]]] = {}
    for comment in comments:
        node = _target(comment, conditions, tokens)
        notes.setdefault(id(node), (node, []))[1].append(comment.text)
    for node, lines in notes.values():
        # Nodes are frozen so that nobody changes a shared tree; this one isn't shared yet, and a copy of all would be.
        object.__setattr__(node, "note", "\n".join(lines))


def _target(comment: Comment, conditions: list[Node], tokens: Sequence[Token]) -> Node:
    ahead = next(i for i, token in enumerate(tokens) if token.start > comment.start or token.kind == "end")
    if comment.leading or ahead == 0 or tokens[ahead - 1].key in _OPENING[1:]:
        while tokens[ahead].key in ("and", "or"):
            ahead += 1
        following = next((c for c in conditions if _begins(c, tokens[ahead].start)), None)
        if following is not None:
            return following
    parts = [c for c in conditions if not isinstance(c, n.And | n.Or)]
    before = [c for c in parts if _start(c) < comment.start]
    return max(before, key=_start) if before else parts[0]


def _begins(condition: Node, start: int) -> bool:
    """Whether this is the condition that begins here; a chain of and, or begins only at its own parenthesis."""
    if _start(condition) != start:
        return False
    return not isinstance(condition, n.And | n.Or) or _start(condition.parts[0]) != start


def _start(node: Node) -> int:
    return node.span[0] if node.span else 0
