"""How far away a place is."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.places import chord_limit, unit_vector
from shoal.live.registry import answers, value
from shoal.live.values import Answer

if TYPE_CHECKING:
    from shoal.live.scope import Scope

_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@answers(n.Distance)
def distance(node: n.Distance, s: Scope) -> Answer:
    """Squared chords between unit vectors × 10^9 compare as distances do."""
    found, until = value(node.trait, s)
    if found is None:
        return Answer(False, until)
    here = unit_vector(node.latitude, node.longitude)
    chord = sum((a - b) ** 2 for a, b in zip(found, here, strict=True))
    return Answer(_OPERATORS[node.op](chord, chord_limit(node.radius, node.unit)), until)
