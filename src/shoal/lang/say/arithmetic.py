"""Numbers worked out of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import says

if TYPE_CHECKING:
    from shoal.lang.nodes import Value
    from shoal.lang.say.voice import Voice

_WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


@says(n.Arithmetic)
def say_arithmetic(node: n.Arithmetic, voice: Voice) -> str:
    return f"{_operand(node.left, voice, left=True)} {_WORDS[node.op]} {_operand(node.right, voice)}"


@says(n.Negative)
def say_negative(node: n.Negative, voice: Voice) -> str:
    if isinstance(node.value, n.Number):
        return voice.say(n.Number(-node.value.micro))
    return f"minus {_operand(node.value, voice, left=True)}"


def _operand(value: Value, voice: Voice, *, left: bool = False) -> str:
    """Brackets where the reader could not tell what belongs together: a window's end runs into the next word."""
    words = voice.say(value)
    longer = n.Arithmetic | n.Aggregate | n.DaysSinceEvent | n.DaysSince | n.DaysUntil if left else n.Arithmetic
    return f"({words})" if isinstance(value, longer | n.Negative) else words
