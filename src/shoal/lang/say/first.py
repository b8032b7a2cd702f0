"""The first time that something was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, says

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.DidFirst)
def say_first(node: n.DidFirst, voice: Voice) -> str:
    return f"did {voice.say(node.events)} for the first time{_window(node, voice)}"


@denies(n.DidFirst)
def deny_first(node: n.DidFirst, voice: Voice) -> str:
    return f"no first {voice.say(node.events)}{_window(node, voice)}"


def _window(node: n.DidFirst, voice: Voice) -> str:
    return "" if node.window is None else f" {voice.say(node.window)}"
