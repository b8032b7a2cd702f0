"""The first instant at which each part of a definition changes, for one or many customers at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.lang import nodes as n
from shoal.lang.tree import walk
from shoal.sql.candidates import Candidates
from shoal.sql.crossing import Moving, changes, combined, negative
from shoal.sql.emit.registry import value
from shoal.sql.moments import Column, ask
from shoal.sql.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.sql.explain import Part
    from shoal.sql.facts import Facts
    from shoal.sql.plan import Plan

FIRST_ROUND, GROWTH = 64, 4
"""How many instants a customer is asked at in the first round, and how many times more in each later one."""
LAST_INSTANT = 253_402_300_799_999_999
"""The end of the year 9999; what would change later never does."""
_GROWING = (n.DaysSince, n.DaysUntil, n.DaysSinceEvent)


@dataclass
class Answer:
    """What is known of one part for one customer so far."""

    now: bool
    until: int | None = None


@dataclass
class Ahead:
    """The instants that one customer is still to be asked at, and the answers for their parts."""

    who: int
    exists_from: int | None
    instants: list[int]
    answers: dict[int, Answer] = field(default_factory=dict)


def look_ahead(
    plan: Plan, facts: Facts, tops: Sequence[Part], leaves: Sequence[n.Node], first_seen: Mapping[int, int], whole: bool
) -> dict[int, dict[int, Answer]]:
    """For each customer, the answer of each part by its identity.

    Args:
        plan: a plan of moments whose leaves the parts read; the frame's start is "now".
        facts: what is recorded of the customers.
        tops: the parts that stand for whole definitions.
        leaves: all leaves of the parts.
        first_seen: from when on each customer exists.
        whole: whether only the tops are asked for, not the parts below them.
    """
    at = plan.frame.start
    found = _instants(plan, facts, leaves)
    for who, first in first_seen.items():
        found[who] |= {first} if first > at else set()
    waiting = [Ahead(who, first_seen.get(who), [at, *sorted(instants)]) for who, instants in found.items()]
    answers = {one.who: one.answers for one in waiting}
    size = FIRST_ROUND
    while waiting:
        _ask_round(plan, waiting, tops, size, whole)
        waiting = [one for one in waiting if one.instants and any(a.until is None for a in one.answers.values())]
        size *= GROWTH
    return answers


def _ask_round(plan: Plan, waiting: list[Ahead], tops: Sequence[Part], size: int, whole: bool) -> None:
    moments = [(one.who, t) for one in waiting for t in one.instants[:size]]
    columns = ask(plan, moments)
    row = 0
    for one in waiting:
        for t in one.instants[:size]:
            for top in tops:
                _note(one, top, columns, row, t, top=True, whole=whole)
            row += 1
        del one.instants[:size]


def _note(
    one: Ahead, part: Part, columns: dict[str, list[Any]], row: int, t: int, *, top: bool = False, whole: bool = False
) -> None:
    truth = part.judge(columns, row)
    if top:
        truth = truth and one.exists_from is not None and one.exists_from <= t
    answer = one.answers.setdefault(id(part), Answer(truth))
    if answer.until is None and truth != answer.now:
        answer.until = t
    if not whole:
        for inner in part.parts:
            _note(one, inner, columns, row, t)


def _instants(plan: Plan, facts: Facts, leaves: Sequence[n.Node]) -> dict[int, set[int]]:
    """For each customer, all instants at which a leaf may change, crossings included."""
    now = plan.frame.start
    each = {who: Candidates(plan, facts, who, now) for who in facts.customers}
    found: dict[int, set[int]] = {who: set() for who in each}
    for node in leaves:
        own = {who: candidates.of(node) for who, candidates in each.items()}
        for who, instants in own.items():
            found[who] |= instants
        if isinstance(node, n.Compare | n.Between) and any(isinstance(part, _GROWING) for part in walk(node)):
            for who, instant in _crossings(plan, node, own):
                found[who].add(instant)
    return {who: {t for t in instants if now < t <= LAST_INSTANT} for who, instants in found.items()}


# ---------------------------------------------------------------- values that grow with time


def _crossings(plan: Plan, node: n.Compare | n.Between, steps: Mapping[int, set[int]]) -> Iterator[tuple[int, int]]:
    """(customer, instant): where the sides of a comparison pass each other, between the instants at which they jump."""
    pieces = []
    for who, instants in steps.items():
        begins = [plan.frame.start, *sorted(instants)]
        pieces += [(who, begin, end) for begin, end in pairwise([*begins, LAST_INSTANT]) if begin < end]
    sides = _Sides(plan, node, [(who, begin) for who, begin, _ in pieces])
    for row, (who, begin, end) in enumerate(pieces):
        for left, right in sides.at(row):
            yield from ((who, begin + more) for more in changes(left, right, end - begin))


class _Sides:
    """The sides of a comparison at some moments, as values that move with time."""

    def __init__(self, plan: Plan, node: n.Compare | n.Between, moments: list[tuple[int, int]]) -> None:
        plan = plan.anew()
        pairs: list[tuple[n.Node, n.Node]] = (
            [(node.left, node.right)]
            if isinstance(node, n.Compare)
            else [(node.value, node.low), (node.value, node.high)]
        )
        self._pairs = pairs
        parts = {part for pair in pairs for side in pair for part in _still(side)}
        self._columns = {part: Column(plan, value(part, Scope(plan))) for part in parts}
        self._rows = ask(plan, moments)

    def at(self, row: int) -> Iterator[tuple[Moving, Moving]]:
        """The pairs from a moment on; none where a side is missing there."""
        for left, right in self._pairs:
            one, two = self._moving(left, row), self._moving(right, row)
            if one is not None and two is not None:
                yield one, two

    def _moving(self, side: n.Node, row: int) -> Moving | None:
        match side:
            case n.Negative(inner):
                found = self._moving(inner, row)
                return None if found is None else negative(found)
            case n.Arithmetic(left, op, right):
                one, two = self._moving(left, row), self._moving(right, row)
                return None if one is None or two is None else combined(one, op, two)
        number: Fraction | None = self._columns[side].read(self._rows, row)
        if number is None:
            return None
        return Moving.of(number, _slope(side))


def _slope(side: n.Node) -> Fraction:
    if isinstance(side, n.DaysUntil):
        return Fraction(-1, DAY)
    return Fraction(1, DAY) if isinstance(side, _GROWING) else Fraction(0)


def _still(side: n.Node) -> Iterator[n.Node]:
    """The values below the arithmetic."""
    match side:
        case n.Negative(inner):
            yield from _still(inner)
        case n.Arithmetic(left, _, right):
            yield from _still(left)
            yield from _still(right)
        case _:
            yield side
