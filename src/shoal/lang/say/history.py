"""What a trait has been for a time, and how it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, says
from shoal.lang.say.window import window_words

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.Held)
def say_held(node: n.Held, voice: Voice) -> str:
    length = voice.say(node.length)
    return f"it has been true without a break for at least {length} that ({voice.say(node.condition)})"


@denies(n.Held)
def deny_held(node: n.Held, voice: Voice) -> str:
    length = voice.say(node.length)
    return f"it has not been true without a break for at least {length} that ({voice.say(node.condition)})"


@says(n.Changed)
def say_changed(node: n.Changed, voice: Voice) -> str:
    ever = "" if node.window else "ever "
    return f"{voice.say(node.trait)} {ever}changed{_ends(node, voice)}"


@denies(n.Changed)
def deny_changed(node: n.Changed, voice: Voice) -> str:
    how = "did not change" if node.window else "never changed"
    return f"{voice.say(node.trait)} {how}{_ends(node, voice)}"


def _ends(node: n.Changed, voice: Voice) -> str:
    before = f" from {voice.say(node.before)}" if node.before is not None else ""
    after = f" to {voice.say(node.after)}" if node.after is not None else ""
    return f"{before}{after}{window_words(node.window, voice)}"
