"""All, some, not: how long the whole is certain follows from the parts that decide it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.registry import answer, answers
from shoal.live.values import FAR, Answer, opposite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.live.scope import Scope


def decided(parts: Iterable[Answer], by: bool) -> Answer:
    """One part of truth ``by`` decides: it is ``by`` while one of them is, else not ``by`` while none turns.

    ``and`` is decided by false, ``or`` by true.
    """
    together, longest = FAR, -1
    for truth, until in parts:
        if truth is by:
            if until >= FAR:
                return Answer(by)
            longest = max(longest, until)
        else:
            together = min(together, until)
    return Answer(by, longest) if longest >= 0 else Answer(not by, together)


@answers(n.And)
def all_of(node: n.And, s: Scope) -> Answer:
    """All parts hold."""
    return decided((answer(part, s) for part in node.parts), by=False)


@answers(n.Or)
def any_of(node: n.Or, s: Scope) -> Answer:
    """A part holds."""
    return decided((answer(part, s) for part in node.parts), by=True)


@answers(n.Not)
def not_(node: n.Not, s: Scope) -> Answer:
    """The part doesn't hold."""
    return opposite(answer(node.part, s))
