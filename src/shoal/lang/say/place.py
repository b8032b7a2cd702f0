"""How far away a customer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.say.literals import number_words
from shoal.lang.say.voice import denies, says

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice

_FAR = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@says(n.Distance)
def say_distance(node: n.Distance, voice: Voice) -> str:
    return _distance(node, node.op, voice)


@denies(n.Distance)
def deny_distance(node: n.Distance, voice: Voice) -> str:
    return f"{_distance(node, _OPPOSITE[node.op], voice)} (or is unknown)"


def _distance(node: n.Distance, op: str, voice: Voice) -> str:
    place = f"({decimal_text(node.latitude)}, {decimal_text(node.longitude)})"
    return f"{voice.say(node.trait)} is {_FAR[op]} {number_words(node.radius)} {node.unit} from {place}"
