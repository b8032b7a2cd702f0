"""The first time that something was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, says

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.DidFirst)
def say_first(node: n.DidFirst, voice: Voice) -> str:
    return f"did {voice.say(node.events)} for the first time {voice.say(node.window)}"


@denies(n.DidFirst)
def deny_first(node: n.DidFirst, voice: Voice) -> str:
    return f"no first {voice.say(node.events)} {voice.say(node.window)}"
