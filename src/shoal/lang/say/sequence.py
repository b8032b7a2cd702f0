"""One event after another, and what did not come between, after or before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.literals import name_words
from shoal.lang.say.voice import denies, listed, says
from shoal.lang.say.window import window_words

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.Sequence)
def say_sequence(node: n.Sequence, voice: Voice) -> str:
    return f"did {_chain(node, voice)}"


@denies(n.Sequence)
def deny_sequence(node: n.Sequence, voice: Voice) -> str:
    return f"did not do this: ({_chain(node, voice)})"


@says(n.Step)
def say_step(node: n.Step, voice: Voice) -> str:
    later = "" if node.within or node.absent else "later "
    words = f"then {later}{'no ' if node.absent else ''}{voice.say(node.events)}"
    if node.same:
        words += f" with the same {listed([name_words(name) for name in node.same], 'and')}"
    if node.within is not None:
        words += f" within {voice.say(node.within)}"
    return f"{words} without {voice.say(node.without)} in between" if node.without is not None else words


@says(n.NotAfter)
def say_not_after(node: n.NotAfter, voice: Voice) -> str:
    return f"did {_not_after(node, voice)}"


@denies(n.NotAfter)
def deny_not_after(node: n.NotAfter, voice: Voice) -> str:
    return f"did not do this: ({_not_after(node, voice)})"


def _chain(node: n.Sequence, voice: Voice) -> str:
    first = f"{voice.say(node.first)}{window_words(node.window, voice)}"
    return ", ".join([first, *(voice.say(step) for step in node.steps)])


def _not_after(node: n.NotAfter, voice: Voice) -> str:
    first = f"{voice.say(node.events)}{window_words(node.window, voice)}"
    return f"{first} without {voice.say(node.before)} in the {voice.say(node.within)} before it"
