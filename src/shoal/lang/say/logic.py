"""All of, any of, not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, joined, says

if TYPE_CHECKING:
    from shoal.lang.nodes import Condition
    from shoal.lang.say.voice import Voice


@says(n.And)
def say_and(node: n.And, voice: Voice) -> str:
    return joined([_part(part, voice) for part in node.parts], "and")


@says(n.Or)
def say_or(node: n.Or, voice: Voice) -> str:
    return joined([_part(part, voice) for part in node.parts], "or")


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


def _part(part: Condition, voice: Voice) -> str:
    """Brackets where a part has parts or steps of its own."""
    words = voice.say(part)
    return f"({words})" if isinstance(part, n.And | n.Or | n.Sequence) else words
