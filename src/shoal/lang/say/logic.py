"""All of, any of, not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, joined, listed, says

if TYPE_CHECKING:
    from shoal.lang.nodes import Condition
    from shoal.lang.say.voice import Voice


@says(n.And)
def say_and(node: n.And, voice: Voice) -> str:
    return _all_segments(node, voice, "and") or joined([_part(part, voice) for part in node.parts], "and")


@says(n.Or)
def say_or(node: n.Or, voice: Voice) -> str:
    return _all_segments(node, voice, "or") or joined([_part(part, voice) for part in node.parts], "or")


@says(n.Not)
def say_not(node: n.Not, voice: Voice) -> str:
    return voice.deny(node.part)


@denies(n.Not)
def deny_not(node: n.Not, voice: Voice) -> str:
    return voice.say(node.part)


@denies(n.And)
def deny_and(node: n.And, voice: Voice) -> str:
    return f"not all of this is true: ({voice.say(node)})"


@denies(n.Or)
def deny_or(node: n.Or, voice: Voice) -> str:
    return f"none of this is true: ({voice.say(node)})"


def _all_segments(node: n.And | n.Or, voice: Voice, word: str) -> str | None:
    """``is in the segment “A” or “B”``, where every part is a segment."""
    names = [voice.segment(part.segment) for part in node.parts if isinstance(part, n.MemberOf)]
    if len(names) < len(node.parts):
        return None
    return f"is in the segment{'s' if word == 'and' else ''} {listed(names, word)}"


def _part(part: Condition, voice: Voice) -> str:
    """Brackets where a part has parts or steps of its own."""
    words = voice.say(part)
    inner = part.part if isinstance(part, n.Not) else part
    if isinstance(part, n.Or) and _all_segments(part, voice, "or"):
        return words
    return f"({words})" if isinstance(part, n.And | n.Or | n.Sequence) or isinstance(inner, n.AnyItem) else words
