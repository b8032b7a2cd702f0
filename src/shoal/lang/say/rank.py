"""Where a customer stands among all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.compare import or_unknown
from shoal.lang.say.literals import number_words
from shoal.lang.say.voice import denies, says

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.Ranked)
def say_ranked(node: n.Ranked, voice: Voice) -> str:
    return f"{voice.say(node.value)} is {_end(node)}"


@denies(n.Ranked)
def deny_ranked(node: n.Ranked, voice: Voice) -> str:
    return f"{voice.say(node.value)} is not {_end(node)}{or_unknown([node.value], voice)}"


@says(n.Percentile)
def say_percentile(node: n.Percentile, voice: Voice) -> str:
    return f"{voice.say(node.value)} is {_range(node)}"


@denies(n.Percentile)
def deny_percentile(node: n.Percentile, voice: Voice) -> str:
    return f"{voice.say(node.value)} is not {_range(node)}{or_unknown([node.value], voice)}"


def _end(node: n.Ranked) -> str:
    return f"in the {node.end} {number_words(node.percent)}% of customers"


def _range(node: n.Percentile) -> str:
    return f"between percentile {number_words(node.low)} and percentile {number_words(node.high)} of customers"
