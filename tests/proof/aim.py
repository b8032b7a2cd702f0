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

from .bounds import moved
from .naive import Scope, matching_in, value
from .until import until
from .vocabulary import Wire, decimal_text, literal, node
from .wire import EPOCH, MICROSECOND, Moment, decode
from .world import Segment, Threshold, World
from .zones import day_start, local

OFTEN = 0.7
TRIES, MOST = 3, 150
"""Of how many customers, and at how many instants each, a change of membership is looked for."""
SCOPES = 24
"""Of how many customers a definition is asked to find one who stands at the end of a written window."""
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
            op = self.r.choice(("=", "!=")) if self.r.random() < 0.2 else wire["op"]
            return {**wire, "op": op, "right": self._torn(wire["left"], op) or self._near(wire)}
        if wire["node"] == "did" and "times" in wire:
            found = decode(wire)
            n = len(matching_in(found.events, found.window, scope))
            return {**wire, "times": {**wire["times"], "n": max(n, 1 if wire["times"]["op"] == "at least" else 0)}}
        return wire

    def _near(self, wire: Wire) -> Wire:
        """A literal that is the value of some customer, or the smallest step beside it."""
        left, scopes = decode(wire["left"]), [self._scope() for _ in range(6)]
        values = [value(left, s) for s in scopes if s]
        if wire["right"]["node"] == "date" and any(isinstance(v, Moment) for v in values):
            return self._day_of([v for v in values if v is not None])
        found = filter(None, map(_written, values))
        # Beside a quotient, one digit more could need over 38.
        if left.kind == "arithmetic":
            found = filter(_is_short, found)
        chosen: Wire = max(found, key=_weight, default=wire["right"])
        step = self.r.choice((-1, 1)) if self.r.random() < 0.35 and left.kind != "arithmetic" else 0
        return _stepped(chosen, step) if step else chosen

    def _day_of(self, instants: list[Moment]) -> Wire:
        """The date of an instant, best of one at which a date begins or ends, or the date before."""
        zone = self.world.zone

        def since_begin(v: Moment) -> int:
            return v - day_start(zone, local(zone, v).date())

        chosen = min(instants, key=lambda v: min(since_begin(v), since_begin(Moment(v + 1))))
        return literal(local(zone, chosen).date() - dt.timedelta(days=self.r.choice((0, 1))))

    def _torn(self, side: Wire, op: str) -> Wire | None:
        """A literal that tells a side from itself with its written windows moved by a microsecond; None where none does.

        Of a customer with something right at the end of a window the two differ, and the literal stands between them.
        """
        zone = self.world.zone
        if moved(side, 1, zone) == side or side["node"] == "arithmetic":
            return None
        here, *others = (decode(moved(side, by, zone)) for by in (0, 1, -1))
        for scope in filter(None, (self._scope() for _ in range(SCOPES))):
            values = [value(here, scope), *(value(other, scope) for other in others)]
            differing = [v for v in values[1:] if v != values[0]]
            if differing:
                both = sorted(v for v in (values[0], differing[0]) if v is not None)
                return _written(both[0], up=True) if op in (">", "<=") else _written(both[-1])
        return None

    def _threshold(self, threshold: Threshold) -> Threshold:
        if self.r.random() > 0.8:
            return threshold
        scopes = [self._scope() for _ in range(4)]
        found = [v for v in (value(threshold.side, s) for s in scopes if s is not None) if v is not None]
        if not found:
            return threshold
        step = Fraction(self.r.choice((-1, 1)), 10**6) if self.r.random() < 0.2 else 0
        return replace(threshold, number=(min(found) if threshold.low_end else max(found)) + step)


def _written(found: Any, up: bool = False) -> Wire | None:
    """A value as a literal, rounded down (or up) where a literal can't say it; None for missing and yes/no."""
    if isinstance(found, Fraction):
        micro = -(-found * 10**6 // 1) if up else found * 10**6 // 1
        return node("number", value=decimal_text(Decimal(micro).scaleb(-6)))
    if isinstance(found, Moment):
        return literal(EPOCH + found * MICROSECOND)
    return literal(found) if isinstance(found, str | dt.date) else None


def _stepped(wire: Wire, by: int) -> Wire:
    """A literal moved by the smallest step there is; a text stays."""
    found = decode(wire).value
    if isinstance(found, Fraction):
        return _written(found + Fraction(by, 10**6)) or wire
    if isinstance(found, Moment):
        return _written(Moment(found + by)) or wire
    return literal(found + dt.timedelta(days=by)) if isinstance(found, dt.date) else wire


def _is_short(wire: Wire) -> bool:
    """Whether a literal has three places after the point at most."""
    return len(str(wire.get("value", "")).partition(".")[2]) <= 3


def _weight(literal_: Wire) -> bool:
    """Nothing is counted, nothing is said: 0 and the empty text make weak literals."""
    return literal_["value"] not in ("0", "")


def edges(seed: int, world: World, questions: tuple[Question, ...]) -> Iterator[tuple[str, int]]:
    """Definitions with the instants at which somebody enters or leaves them, and a microsecond before."""
    r = Random(seed)
    known = world.as_known()
    for slug, segment in world.segments.items():
        at = r.choice(questions)[0]
        there = [customer for customer, since in known.customers.items() if since <= at]
        found = (until(world, segment, who, at, most=MOST) for who in r.sample(there, min(TRIES, len(there))))
        changes = next((instant for instant in found if instant is not None), None)
        if changes is not None:
            yield slug, changes
            yield slug, changes - 1
