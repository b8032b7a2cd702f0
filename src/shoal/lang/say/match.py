"""What text contains or begins with, what a list holds, and items of a list of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.compare import or_unknown
from shoal.lang.say.literals import name_words
from shoal.lang.say.voice import denies, listed, says

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice

_VERBS = {
    "contains": ("contains", "contain"),
    "starts with": ("starts with", "start with"),
    "ends with": ("ends with", "end with"),
    "matches": ("matches the pattern", "match the pattern"),
    "contains any of": ("contains at least one of", "contain any of"),
    "contains all of": ("contains all of", "contain all of"),
}


@says(n.Match)
def say_match(node: n.Match, voice: Voice) -> str:
    return f"{voice.say(node.value)} {_VERBS[node.op][0]} {_operands(node, voice)}"


@denies(n.Match)
def deny_match(node: n.Match, voice: Voice) -> str:
    verb = _VERBS[node.op][1]
    return f"{voice.say(node.value)} does not {verb} {_operands(node, voice)}{or_unknown([node.value], voice)}"


@says(n.AnyItem)
def say_any(node: n.AnyItem, voice: Voice) -> str:
    return f"{name_words(node.items)} has an item where ({voice.say(node.where)})"


@denies(n.AnyItem)
def deny_any(node: n.AnyItem, voice: Voice) -> str:
    return f"{name_words(node.items)} has no item where ({voice.say(node.where)})"


def _operands(node: n.Match, voice: Voice) -> str:
    word = "and" if node.op == "contains all of" else "or"
    words = listed([voice.say(operand) for operand in node.operands], word)
    return f"{words} (ignoring case)" if node.ignoring_case else words
