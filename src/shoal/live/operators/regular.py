"""Regularly: so many events in each of so many periods of the last few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.registry import answers
from shoal.live.scope import following, pool
from shoal.live.values import Answer

if TYPE_CHECKING:
    from shoal.live.scope import Scope


@answers(n.Regularly)
def regularly(node: n.Regularly, s: Scope) -> Answer:
    """At least k of the last m periods hold n events or more."""
    counts, until = counted(node, s)
    return Answer(len([c for c in counts if c >= node.times]) >= node.periods, until)


def counted(node: n.Regularly, s: Scope) -> tuple[list[int], int]:
    """The events of each period, and until when they are so many; period i is (t − (i+1)·W, t − i·W]."""
    found, until = pool(node.events, s)
    length = node.length.micros
    until = min(until, following(found, s.t))
    counts = [0] * node.of_last
    for event in found:
        period = (s.t - event.ts) // length
        if event.ts <= s.t and period < node.of_last:
            counts[period] += 1
            until = min(until, event.ts + (period + 1) * length)
    return counts, until
