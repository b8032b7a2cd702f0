"""The earliest event that matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.operators.window import span
from shoal.live.registry import answers
from shoal.live.scope import pool
from shoal.live.values import Answer

if TYPE_CHECKING:
    from shoal.live.scope import Scope


@answers(n.DidFirst)
def did_first(node: n.DidFirst, s: Scope) -> Answer:
    """It falls in the window."""
    found, until = pool(node.events, s)
    begin, end, certain = span(node.window, found[:1], s)
    return Answer(end > begin, min(until, certain))
