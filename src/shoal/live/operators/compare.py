"""Comparisons of two values. A missing side makes each of them false."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, SECOND
from shoal.lang import nodes as n
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.matching import matches
from shoal.live.operators.arithmetic import curve, order
from shoal.live.registry import answers, value, values
from shoal.live.scope import account_trait_of, trait_of
from shoal.live.state import ACCOUNT_PREFIX
from shoal.live.values import FAR, Answer, Day, Micro, Moment, Valued

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.live.scope import Scope

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TURNED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


# ---------------------------------------------------------------- values


@values(n.Text, n.YesNo)
def plain(node: n.Text | n.YesNo, s: Scope) -> Valued:
    """A literal."""
    return Valued(node.value)


@values(n.Date)
def date(node: n.Date, s: Scope) -> Valued:
    """A literal."""
    return Valued(Day(node.days))


@values(n.Instant)
def instant(node: n.Instant, s: Scope) -> Valued:
    """A literal."""
    return Valued(Moment(node.micros))


@values(n.Trait)
def trait(node: n.Trait, s: Scope) -> Valued:
    """The value after all changes of ts ≤ t."""
    return account_trait_of(node.name, s) if node.name.startswith(ACCOUNT_PREFIX) else trait_of(node.name, s)


@values(n.Property)
def property_(node: n.Property, s: Scope) -> Valued:
    """A property of the event, or a field of the item."""
    if s.item is not None:
        return Valued(s.item.get(node.name))
    assert s.event is not None
    return Valued(s.event.get(node.name))


@values(n.LocalTime)
def local_time(node: n.LocalTime, s: Scope) -> Valued:
    """The event's hour, weekday or date in the workspace's zone."""
    assert s.event is not None
    local = s.event.ts + s.zone.offset(s.event.ts) * SECOND
    if node.part == "hour":
        return Valued(Micro(local % DAY // (3_600 * SECOND) * n.MICRO))
    day = local // DAY
    return Valued(Day(day) if node.part == "date" else WEEKDAYS[(day + 3) % 7])


# ---------------------------------------------------------------- comparing


def compare(left: Any, op: str, right: Any, s: Scope) -> Answer:
    """``left op right`` of two values."""
    if left is None or right is None:
        return Answer(False)
    one, two = curve(left), curve(right)
    if one is not None and two is not None:
        found, until = order(one, two, s.t)
        return Answer(_OPERATORS[op](found, 0), until)
    if isinstance(left, Moment) and isinstance(right, Day):
        return Answer(_on_day(left, op, right, s))
    if isinstance(left, Day) and isinstance(right, Moment):
        return Answer(_on_day(right, _TURNED[op], left, s))
    return Answer(_OPERATORS[op](left, right))


def _on_day(moment: Moment, op: str, day: Day, s: Scope) -> bool:
    """An instant against a date: equal to it all day long."""
    begins, ends = s.zone.starts(day), s.zone.starts(day + 1)
    place = -1 if moment < begins else 1 if moment >= ends else 0
    return _OPERATORS[op](place, 0)


@answers(n.Compare)
def compared(node: n.Compare, s: Scope) -> Answer:
    """``left op right``."""
    (left, until), (right, certain) = value(node.left, s), value(node.right, s)
    truth, crossing = compare(left, node.op, right, s)
    return Answer(truth, min(until, certain, crossing))


@answers(n.Between)
def between(node: n.Between, s: Scope) -> Answer:
    """``value between low and high``, both ends in."""
    found, until = value(node.value, s)
    truth = True
    for end, op in ((node.low, ">="), (node.high, "<=")):
        limit, certain = value(end, s)
        holds, crossing = compare(found, op, limit, s)
        truth, until = truth and holds, min(until, certain, crossing)
    return Answer(truth, until)


@answers(n.In)
def among(node: n.In, s: Scope) -> Answer:
    """``value in (…)``; ``not in`` is false too where the value is missing."""
    found, until = value(node.value, s)
    truth = False
    for option in node.options:
        holds, crossing = compare(found, "=", value(option, s).value, s)
        truth, until = truth or holds, min(until, crossing)
    if node.negated:
        truth = found is not None and not truth
    return Answer(truth, until)


@answers(n.Known)
def known(node: n.Known, s: Scope) -> Answer:
    """``is known`` or ``is missing``."""
    found, until = value(node.value, s)
    return Answer((found is not None) == node.known, until)


@answers(n.Match)
def matched(node: n.Match, s: Scope) -> Answer:
    """``contains`` and its kin, over a text or the elements of a list."""
    found, until = value(node.value, s)
    if found is None:
        return Answer(False, until)
    if isinstance(found, str):
        return Answer(_matches(node.op, found, node.operands[0].value, node.ignoring_case, False), until)
    hits = [any(_matches("contains", e, o.value, node.ignoring_case, True) for e in found) for o in node.operands]
    return Answer(all(hits) if node.op == "contains all of" else any(hits), until)


@lru_cache(maxsize=100_000)
def _matches(op: n.MatchOp, text: str, operand: str, ignoring_case: bool, whole: bool) -> bool:
    return matches(op, text, operand, ignoring_case=ignoring_case, whole=whole)


@answers(n.AnyItem)
def any_item(node: n.AnyItem, s: Scope) -> Answer:
    """All inside holds for the same item."""
    from shoal.live.registry import answer

    assert s.event is not None
    truth, until = False, FAR
    for item in s.event.get(node.items) or ():
        holds, certain = answer(node.where, s.of_item(item))
        truth, until = truth or holds, min(until, certain)
    return Answer(truth, until)
