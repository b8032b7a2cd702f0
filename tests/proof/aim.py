"""Aim drawn literals and instants at what is there, so that leaves stand on edge.

A literal becomes the value that some customer has at one of the questions: the comparison changes its truth as soon as an
evaluator is off by one event. An instant becomes the one at which a membership changes, or the microsecond before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from .naive import Scope, matching_in, value
from .until import until
from .vocabulary import Wire, decimal_text, literal, node
from .wire import EPOCH, MICROSECOND, Moment, decode
from .world import Segment, Threshold, World

OFTEN = 0.7
MOST = 400
"""How many instants are tried to find one at which a membership changes."""
LITERALS = ("number", "text", "date", "instant")
Question = tuple[int, int | None]


class Aim:
    """Aims the literals of a world's definitions."""

    def __init__(self, r: Random, world: World, questions: list[Question]) -> None:
        self.r = r
        self.world = world
        self.questions = questions
        self.known = {known_at: world.as_known(known_at) for _, known_at in questions}

    def world_aimed(self) -> World:
        """The world with its definitions and thresholds aimed."""
        segments = {slug: self._segment(s) for slug, s in self.world.segments.items()}
        return replace(self.world, segments=segments, thresholds=tuple(map(self._threshold, self.world.thresholds)))

    def _segment(self, segment: Segment) -> Segment:
        return replace(segment, where=self._aimed(segment.where))

    def _scope(self) -> Scope | None:
        """Some customer at one of the questions."""
        at, known_at = self.r.choice(self.questions)
        known = self.known[known_at]
        there = [customer for customer, since in known.customers.items() if since <= at]
        return Scope(known, self.r.choice(there), at) if there else None

    def _aimed(self, wire: Any) -> Any:
        if wire["node"] in ("and", "or"):
            return {**wire, "parts": [self._aimed(part) for part in wire["parts"]]}
        if wire["node"] == "not":
            return {**wire, "part": self._aimed(wire["part"])}
        scope = self._scope()
        if scope is None or self.r.random() > OFTEN:
            return wire
        if wire["node"] == "compare" and wire["right"]["node"] in LITERALS:
            found = filter(None, (self._literal(wire["left"], s) for s in [self._scope() for _ in range(6)] if s))
            op = self.r.choice(("=", "!=")) if self.r.random() < 0.2 else wire["op"]
            return {**wire, "op": op, "right": max(found, key=_weight, default=wire["right"])}
        if wire["node"] == "did" and "times" in wire:
            found = decode(wire)
            n = len(matching_in(found.events, found.window, scope))
            return {**wire, "times": {**wire["times"], "n": max(n, 1 if wire["times"]["op"] == "at least" else 0)}}
        return wire

    def _literal(self, side: Wire, scope: Scope) -> Wire | None:
        """The value of a side as a literal, rounded down where a literal can't say it; None for missing and yes/no."""
        found = value(decode(side), scope)
        if isinstance(found, Fraction):
            micro = found * 10**6 // 1
            return node("number", value=decimal_text(Decimal(micro).scaleb(-6)))
        if isinstance(found, Moment):
            return literal(EPOCH + found * MICROSECOND)
        return literal(found) if isinstance(found, str | dt.date) else None

    def _threshold(self, threshold: Threshold) -> Threshold:
        if self.r.random() > OFTEN:
            return threshold
        scopes = [self._scope() for _ in range(4)]
        found = [v for v in (value(threshold.side, s) for s in scopes if s is not None) if v is not None]
        if not found:
            return threshold
        return replace(threshold, number=min(found) if threshold.low_end else max(found))


def _weight(literal_: Wire) -> bool:
    """Nothing is counted, nothing is said: 0 and the empty text make weak literals."""
    return literal_["value"] not in ("0", "")


def edges(seed: int, world: World, questions: tuple[Question, ...], many: int) -> Iterator[tuple[str, int]]:
    """Definitions with the instants at which somebody enters or leaves them, and a microsecond before."""
    r = Random(seed)
    known = world.as_known()
    for slug in r.sample(sorted(world.segments), many):
        at = r.choice(questions)[0]
        there = [customer for customer, since in known.customers.items() if since <= at]
        changes = until(world, world.segments[slug], r.choice(there), at, most=MOST) if there else None
        if changes is not None:
            yield slug, changes
            yield slug, changes - 1
