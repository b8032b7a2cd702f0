"""What was done in period after period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, says, times

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.Regularly)
def say_regularly(node: n.Regularly, voice: Voice) -> str:
    return f"{_in_each(node, voice)} {_periods(node, 'at least', node.periods, voice)}"


@denies(n.Regularly)
def deny_regularly(node: n.Regularly, voice: Voice) -> str:
    return f"{_in_each(node, voice)} {_periods(node, 'fewer than', node.periods, voice)}"


def _in_each(node: n.Regularly, voice: Voice) -> str:
    return f"did {voice.say(node.events)} at least {times(node.times)}"


def _periods(node: n.Regularly, how: str, periods: int, voice: Voice) -> str:
    many = "each" if how == "at least" and periods == node.of_last else f"{how} {periods:,}"
    return f"in {many} of the last {node.of_last:,} periods of {voice.say(node.length)}"
