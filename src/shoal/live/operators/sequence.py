"""One event after another: then, then not, without, with the same key; and not after."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.operators.window import span
from shoal.live.registry import answers
from shoal.live.scope import following, pool
from shoal.live.values import FAR, Answer

if TYPE_CHECKING:
    from shoal.live.scope import Scope
    from shoal.live.table import Entry


def _ts(entry: Entry) -> int:
    return entry.ts


class _Chain:
    """The later steps of a sequence, over one customer's events."""

    def __init__(self, steps: tuple[n.Step, ...], s: Scope) -> None:
        self.steps, self.t = steps, s.t
        self.until = FAR
        self.found = [self._past(step.events, s) for step in steps]
        self.spoilers = [[] if step.without is None else self._past(step.without, s) for step in steps]

    def _past(self, events: n.Events, s: Scope) -> list[Entry]:
        found, until = pool(events, s)
        self.until = min(self.until, until, following(found, s.t))
        return found[: bisect_right(found, s.t, key=_ts)]

    def goes_on(self, before: Entry, number: int = 0) -> bool:
        """Whether some choice of events makes the steps from ``number`` on hold after ``before``."""
        if number == len(self.steps):
            return True
        step = self.steps[number]
        if step.absent:
            return self._unanswered(before, number)
        answers_ = self._answers(before, number)
        return any(self._clear(before, e, number) and self.goes_on(e, number + 1) for e in answers_)

    def _answers(self, before: Entry, number: int) -> list[Entry]:
        step, found = self.steps[number], self.found[number]
        begin = bisect_right(found, before.ts, key=_ts)
        latest = FAR if step.within is None else before.ts + step.within.micros
        end = bisect_right(found, latest, key=_ts)
        return [e for e in found[begin:end] if all(_same(before, e, key) for key in step.same)]

    def _clear(self, before: Entry, after: Entry, number: int) -> bool:
        """Nothing that spoils stands strictly between the two."""
        spoilers = self.spoilers[number]
        return bisect_right(spoilers, before.ts, key=_ts) >= bisect_left(spoilers, after.ts, key=_ts)

    def _unanswered(self, before: Entry, number: int) -> bool:
        within = self.steps[number].within
        assert within is not None
        due = before.ts + within.micros
        if due > self.t:
            self.until = min(self.until, due)
            return False
        return not self._answers(before, number)


def _same(before: Entry, after: Entry, key: str) -> bool:
    known = before.get(key)
    return known is not None and known == after.get(key)


@answers(n.Sequence)
def sequence(node: n.Sequence, s: Scope) -> Answer:
    """Some first event in the window from which the steps go on."""
    chain = _Chain(node.steps, s)
    found, until = pool(node.first, s)
    begin, end, certain = span(node.window, found, s)
    truth = any(chain.goes_on(first) for first in found[begin:end])
    return Answer(truth, min(until, certain, chain.until))


@answers(n.NotAfter)
def not_after(node: n.NotAfter, s: Scope) -> Answer:
    """Some event in the window with none of the others in the time before it."""
    found, until = pool(node.events, s)
    others, certain = pool(node.before, s)
    until = min(until, certain, following(others, s.t))
    begin, end, certain = span(node.window, found, s)
    length = node.within.micros

    def alone(event: Entry) -> bool:
        low = bisect_left(others, event.ts - length, key=_ts)
        return low == bisect_left(others, event.ts, key=_ts)

    return Answer(any(alone(event) for event in found[begin:end]), min(until, certain))
