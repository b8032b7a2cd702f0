"""Until when an answer holds, by trying: every instant that any constant or any record could make, ± 1 µs.

Nothing is derived: the membership is asked again at each of those instants, and the first that differs is the answer.
Between them, only values that grow with time itself (``days since`` …) can move; where two such sides of a comparison
change places is found by halving.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from .naive import Scope, falls_in, is_member, value
from .wire import Moment, Node, length
from .world import Event, Segment, TraitChange, World
from .zones import DAY, as_instant, day_start, local, unit_start

GROWING = ("days since event", "days since", "days until")
HORIZON = 1500 * DAY
"""How far ahead of the last instant that anything names an answer is looked for."""


def until(
    world: World, definition: Segment, customer: str, at: int, known_at: int | None = None, most: int | None = None
) -> int | None:
    """The earliest instant after ``at`` at which the membership would change if nothing more were received.

    None: never, as far as the horizon shows, or within the first ``most`` instants tried. ``known_at`` limits what is
    known, as in ``members``.
    """
    scope = Scope(world.as_known(known_at), customer, at)
    now = is_member(definition, scope)
    for instant in candidates(definition, scope)[:most]:
        if is_member(definition, replace(scope, at=instant)) != now:
            return instant
    return None


def candidates(definition: Segment, s: Scope) -> list[int]:
    """The instants after ``at`` at which anything in the definition might change, in order."""
    nodes = list(_walk(definition, s))
    base = sorted(_instants(nodes, s))
    shifts = _shifts(nodes)
    steps = {b + shift for b in base for shift in shifts} | set(_calendar(nodes, s))
    last = max([*steps, s.at])
    found = {s.at, *(step + d for step in steps for d in (-1, 0, 1)), last + HORIZON}
    pieces = sorted(f for f in found if f >= s.at)
    for left, right in _growing_pairs(nodes):
        found |= set(_crossings(left, right, pieces, s))
    return sorted(f for f in found if f > s.at)


def _walk(definition: Segment, s: Scope) -> Iterator[Node]:
    """Every node of a definition, and of those that it refers to."""
    for node in _below(definition.condition):
        yield node
        if node.kind == "member of":
            yield from _walk(s.known.world.segments[node.segment], s)


def _below(node: Node) -> Iterator[Node]:
    yield node
    for part in node.fields.values():
        for one in part if isinstance(part, tuple) else (part,):
            if isinstance(one, Node):
                yield from _below(one)


def _instants(nodes: list[Node], s: Scope) -> Iterator[int]:
    """Every instant that a record or a literal names."""
    world, ids = s.known.world, s.known.ids[s.customer]
    account = any("account" in str(node.fields.get("name")) or node.fields.get("of_account") for node in nodes)
    for r in s.known.records:
        if account or (r.customer if isinstance(r, Event) else r.owner) in ids:
            yield from _of_record(r, s.zone)
    for c in (*world.consents, *world.lists, *world.published):
        if c.customer in ids:
            yield c.ts
    yield from (t.ts for t in world.thresholds)
    for node in nodes:
        if node.kind in ("date", "instant"):
            yield as_instant(node.value, s.zone)
            if node.kind == "date":
                yield day_start(s.zone, node.value + dt.timedelta(days=1))


def _of_record(r: Event | TraitChange, zone: str) -> Iterator[int]:
    yield r.ts
    if isinstance(r, TraitChange) and isinstance(r.value, Moment | dt.date):
        yield as_instant(r.value, zone)


def _shifts(nodes: list[Node]) -> set[int]:
    """How far from an instant a window's edge may lie."""
    found = {0}
    for node in nodes:
        if node.kind == "duration":
            found |= {length(node), -length(node)}
        if node.kind == "before last":
            found.add(length(node.before) + length(node.length))
        if node.kind == "regularly":
            found |= {i * length(node.length) for i in range(node.of_last + 1)}
    inner = {length(n.within) for n in nodes if n.kind == "step" and n.within is not None}
    return found | {a + b for a in found for b in inner}


def _calendar(nodes: list[Node], s: Scope) -> Iterator[int]:
    """The beginnings of the days, weeks, months … that the definition speaks of, a good year ahead."""
    units = {node.unit for node in nodes if node.kind in ("this", "last calendar")}
    if any(node.kind == "anniversary" for node in nodes):
        units.add("day")
    today = local(s.zone, s.at).date()
    for ahead in range(400 if units else 0):
        day = today + dt.timedelta(days=ahead)
        if any(unit_start(day, unit) == day for unit in units):
            yield day_start(s.zone, day)
    yield from _anniversaries(nodes, s)


def _anniversaries(nodes: list[Node], s: Scope) -> Iterator[int]:
    """The days around the first anniversaries of dates that lie more than a year ahead."""
    for node in nodes:
        born = value(node.trait, s) if node.kind == "anniversary" else None
        if isinstance(born, dt.date):
            for year in (born.year, born.year + 1):
                yield day_start(s.zone, falls_in(born, year) - dt.timedelta(days=node.days - 1))
                yield day_start(s.zone, falls_in(born, year) + dt.timedelta(days=1))


def _growing_pairs(nodes: list[Node]) -> Iterator[tuple[Node, Node]]:
    """The two sides of each comparison in which time itself is counted."""
    for node in nodes:
        if node.kind in ("compare", "between") and any(n.kind in GROWING for n in _below(node)):
            if node.kind == "compare":
                yield node.left, node.right
            else:
                yield node.value, node.low
                yield node.value, node.high


def _crossings(left: Node, right: Node, pieces: list[int], s: Scope) -> Iterator[int]:
    """The instants at which one side passes the other, between two neighbouring pieces."""

    def order(at: int) -> int | None:
        one, two = value(left, replace(s, at=at)), value(right, replace(s, at=at))
        return None if one is None or two is None else (one > two) - (one < two)

    for low, high in pairwise(pieces):
        before, after = order(low), order(high - 1)
        if before == after:
            continue
        a, b = low, high - 1
        while b - a > 1:
            middle = (a + b) // 2
            a, b = (middle, b) if order(middle) == before else (a, middle)
        yield from (a, b, b + 1)
