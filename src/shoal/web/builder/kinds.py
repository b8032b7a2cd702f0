"""What can be put where: the kinds of conditions, values and windows, each with its words and how it begins.

A kind begins with what can be kept of that which stood there: another operator keeps both sides, a sequence the event of
the ``did`` before it. What isn't known yet is a hole: a name that no data bears, which the check then points at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from shoal.lang import nodes as n
from shoal.lang.check.values import LITERALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lang.nodes import Node

NO_NAME = "?"
"""Stands where the name of a trait, a property or a list of objects is still to be chosen."""
FIRST_DAY = n.Date(-719_162)
"""Stands for the present day where a kind begins with a date; see ``edits``."""
FIRST_INSTANT = n.Instant(-719_162 * 86_400_000_000)
MONTH = n.Duration(30, "day")
WEEK = n.Duration(7, "day")
_HOLE = n.Text("")


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can be chosen.

    Args:
        key: by which a page names it.
        label: in the words of marketers.
        group: under which heading it is offered.
        make: what it begins as, given what stands there (None where nothing does).
    """

    key: str
    label: str
    group: str
    make: Callable[[Node | None], Node]


# ---------------------------------------------------------------- what can be kept of what stood there


def value_of(node: Node | None) -> Any:
    """The value that a condition is about, or a trait that is still to be chosen."""
    match node:
        case n.Compare(left=value):
            return value
        case n.Between() | n.In() | n.Match() | n.Known() | n.Ranked() | n.Percentile():
            return node.value
        case n.When() | n.Anniversary() | n.Distance() | n.Changed():
            return node.trait
        case n.Held(inner):
            return value_of(inner)
    return n.Trait(NO_NAME)


def _trait(node: Node | None) -> n.Trait:
    value = value_of(node)
    return value if isinstance(value, n.Trait) else n.Trait(NO_NAME)


def _events(node: Node | None) -> n.Events:
    match node:
        case n.Did(events=events) | n.NotAfter(events=events) | n.DidFirst(events=events) | n.Regularly(events=events):
            return events
        case n.Sequence(first):
            return first
        case n.Aggregate(events=events) | n.DaysSinceEvent(events=events):
            return events
        case n.Compare(left=value) | n.Between(value=value) | n.Ranked(value=value) | n.Percentile(value=value):
            return _events(value)
    return n.Events("")


def _window(node: Node | None) -> n.Window | None:
    match node:
        case (
            n.Did() | n.Sequence() | n.NotAfter() | n.DidFirst() | n.Changed() | n.Entered() | n.Left() | n.Aggregate()
        ):
            return node.window
        case n.Compare(left=value):
            return _window(value)
    return None


def _segment(node: Node | None) -> str:
    return node.segment if isinstance(node, n.MemberOf | n.Entered | n.Left) else ""


def _times(node: Node | None) -> n.Times:
    return node.times if isinstance(node, n.Did) and node.times is not None else n.Times("at least", 2)


def _rights(node: Node | None) -> list[Any]:
    """The right sides of a comparison."""
    match node:
        case n.Compare(right=right):
            return [right]
        case n.Between(_, low, high):
            return [low, high]
        case n.In(_, options):
            return list(options)
        case n.Match(_, _, operands):
            return list(operands)
    return []


def _literals(node: Node | None) -> tuple[Any, ...]:
    return tuple(one for one in _rights(node) if isinstance(one, LITERALS)) or (_HOLE,)


def _right(node: Node | None) -> Any:
    return next(iter(_rights(node)), _HOLE)


def _texts(node: Node | None) -> tuple[n.Text, ...]:
    return tuple(one for one in _rights(node) if isinstance(one, n.Text)) or (_HOLE,)


def _between(node: Node | None) -> Node:
    rights = _rights(node)
    low = rights[0] if rights else _HOLE
    return n.Between(value_of(node), low, rights[1] if len(rights) > 1 else low)


def _rankable(node: Node | None) -> n.Trait | n.Aggregate:
    value = value_of(node)
    return value if isinstance(value, n.Trait | n.Aggregate) else n.Trait(NO_NAME)


def _folded(node: Node | None) -> bool:
    return isinstance(node, n.Match) and node.ignoring_case


# ---------------------------------------------------------------- operators


def _operators() -> dict[str, Kind]:
    words = {
        "=": "is", "!=": "is not", "<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least",
    }  # fmt: skip
    found = [Kind(op, words[op], "", _comparing(op)) for op in get_args(n.CompareOp)]
    found += [
        Kind("between", "is between", "", _between),
        Kind("in", "is one of", "", lambda old: n.In(value_of(old), _literals(old))),
        Kind("not in", "is none of", "", lambda old: n.In(value_of(old), _literals(old), True)),
    ]
    found += [Kind(op, op, "", _matching(op)) for op in get_args(n.MatchOp)]
    found += [
        Kind("known", "is known", "", lambda old: n.Known(value_of(old))),
        Kind("missing", "is not known", "", lambda old: n.Known(value_of(old), False)),
        Kind("when", "is a date …", "", lambda old: n.When(_trait(old), n.Last(MONTH))),
        Kind("top", "is in the top", "", lambda old: n.Ranked(_rankable(old), "top", _percent(old))),
        Kind("bottom", "is in the bottom", "", lambda old: n.Ranked(_rankable(old), "bottom", _percent(old))),
        Kind(
            "percentile",
            "is between percentiles",
            "",
            lambda old: n.Percentile(_rankable(old), 40 * n.MICRO, 60 * n.MICRO),
        ),
    ]
    return {kind.key: kind for kind in found}


def _comparing(op: Any) -> Callable[[Node | None], Node]:
    return lambda old: n.Compare(value_of(old), op, _right(old))


def _matching(op: Any) -> Callable[[Node | None], Node]:
    if op in ("contains any of", "contains all of"):
        return lambda old: n.Match(value_of(old), op, _texts(old), _folded(old))
    return lambda old: n.Match(value_of(old), op, _texts(old)[:1], _folded(old))


def _percent(node: Node | None) -> int:
    return node.percent if isinstance(node, n.Ranked) else 10 * n.MICRO


OPERATORS = _operators()
"""How a value is compared, by key; the first that stand in a filter too."""
ANYWHERE = (*get_args(n.CompareOp), "between", "in", "not in", *get_args(n.MatchOp), "known", "missing")
"""The operators that a filter, or ``held``, takes as well."""


def operator_of(node: Node) -> str:
    """The key of a comparison's operator."""
    match node:
        case n.Compare() | n.Match():
            return node.op
        case n.In():
            return "not in" if node.negated else "in"
        case n.Known():
            return "known" if node.known else "missing"
        case n.Ranked():
            return node.end
    return node.kind


# ---------------------------------------------------------------- conditions

_DID, _FIGURES, _KNOWN = "What they did", "Figures of what they did", "What is known of them"
_SEGMENTS, _OTHER, _GROUPS = "Segments and lists", "Permission and chance", "Groups"


def _figure(fn: Any, of: str | None, limit: int) -> Callable[[Node | None], Node]:
    return lambda old: n.Compare(n.Aggregate(fn, _events(old), of, _window(old)), ">=", n.Number(limit * n.MICRO))


def _steps(old: Node | None) -> tuple[n.Step, ...]:
    return old.steps if isinstance(old, n.Sequence) else (n.Step(n.Events("")),)


def _not_after(old: Node | None) -> Node:
    return n.NotAfter(_events(old), n.Events(""), WEEK, _window(old))


def _since(old: Node | None) -> Node:
    return n.Compare(n.DaysSinceEvent("last", _events(old)), ">", n.Number(60 * n.MICRO))


def _two(old: Node | None) -> tuple[Any, Any]:
    """The parts that a group begins with."""
    hole = n.Compare(n.Trait(NO_NAME), "=", _HOLE)
    return (hole if old is None else old), hole


_CONDITIONS = [
    Kind("did", "Did something", _DID, lambda old: n.Did(_events(old), None, _window(old))),
    Kind("did not", "Did not do something", _DID, lambda old: n.Not(n.Did(_events(old), None, _window(old) or n.Last(MONTH)))),
    Kind("did times", "Did it a number of times", _DID, lambda old: n.Did(_events(old), _times(old), _window(old))),
    Kind("did first", "Did it for the first time", _DID, lambda old: n.DidFirst(_events(old), _window(old) or n.Last(MONTH))),
    Kind("sequence", "Did one thing, then another", _DID, lambda old: n.Sequence(_events(old), _steps(old), _window(old))),
    Kind("not after", "Did it without something before", _DID, _not_after),
    Kind("regularly", "Did it regularly", _DID, lambda old: n.Regularly(_events(old), 1, 3, 4, WEEK)),
    Kind("count", "How often they did it", _FIGURES, _figure("count", None, 2)),
    Kind("sum", "Total of a property, as money spent", _FIGURES, _figure("sum", NO_NAME, 100)),
    Kind("avg", "Average of a property", _FIGURES, _figure("avg", NO_NAME, 50)),
    Kind("since", "Days since they did it", _FIGURES, _since),
    Kind("compare", "Something known of them", _KNOWN, lambda old: n.Compare(value_of(old), "=", _right(old))),
    Kind("when", "A date of theirs", _KNOWN, lambda old: n.When(_trait(old), n.Last(MONTH))),
    Kind("anniversary", "A birthday, or other yearly day", _KNOWN, lambda old: n.Anniversary(_trait(old), 7)),
    Kind("changed", "Something that changed", _KNOWN, lambda old: n.Changed(_trait(old), None, None, _window(old))),
    Kind("held", "Something that has stayed so", _KNOWN, lambda old: n.Held(_plain(old), WEEK)),
    Kind("ranked", "Among the highest or lowest", _KNOWN, lambda old: n.Ranked(_rankable(old), "top", 10 * n.MICRO)),
    Kind("distance", "How far away they are", _KNOWN, lambda old: n.Distance(_trait(old), 0, 0, "<", 10 * n.MICRO, "km")),
    Kind("member of", "In a segment", _SEGMENTS, lambda old: n.MemberOf(_segment(old))),
    Kind("entered", "Entered a segment", _SEGMENTS, lambda old: n.Entered(_segment(old), _window(old) or n.Last(MONTH))),
    Kind("left", "Left a segment", _SEGMENTS, lambda old: n.Left(_segment(old), _window(old) or n.Last(MONTH))),
    Kind("listed in", "On a list", _SEGMENTS, lambda old: n.ListedIn("")),
    Kind("consents to", "Agreed to be contacted", _OTHER, lambda old: n.Consents("")),
    Kind("bucket", "A random share", _OTHER, lambda old: n.Compare(n.Bucket(""), "<", n.Number(n.MICRO // 10))),
    Kind("all", "All of some conditions", _GROUPS, lambda old: n.And(_two(old))),
    Kind("any", "Any of some conditions", _GROUPS, lambda old: n.Or(_two(old))),
    Kind("none", "None of some conditions", _GROUPS, lambda old: n.Not(n.Or(_two(old)))),
]  # fmt: skip


def _plain(old: Node | None) -> Any:
    """A comparison of one trait with literals, which is what can stay so."""
    if isinstance(old, n.Held):
        return old.condition
    if isinstance(old, n.Known):
        return n.Known(_trait(old), old.known)
    return n.Compare(_trait(old), "=", _literals(old)[0])


CONDITIONS = {kind.key: kind for kind in _CONDITIONS}
"""What can be asked of a customer."""


def _property(old: Node | None) -> Any:
    value = value_of(old)
    return value if isinstance(value, n.Property | n.LocalTime) else n.Property(NO_NAME)


FILTERS = {
    "property": Kind("property", "A property of it", "", lambda old: n.Compare(_property(old), "=", _right(old))),
    "local": Kind("local", "Its hour, weekday or date", "", lambda old: n.Compare(n.LocalTime("hour"), ">=", _right(old))),
    "any": Kind("any", "An item of a list in it", "", lambda old: n.AnyItem(NO_NAME, n.Compare(_property(None), "=", _HOLE))),
}  # fmt: skip
"""What can be asked of an event, or of an item in it."""

# ---------------------------------------------------------------- values


def _inner(old: Node | None, cls: type[Node]) -> Any:
    """What there is of a class in a value that is to become it."""
    if isinstance(old, cls):
        return old
    match old:
        case n.Arithmetic(left, _, right):
            return next((side for side in (left, right) if isinstance(side, cls)), None)
        case n.Negative(value):
            return value if isinstance(value, cls) else None
    return None


def _aggregate(old: Node | None) -> Node:
    kept: n.Aggregate | None = _inner(old, n.Aggregate)
    return kept or n.Aggregate("count", _events(old))


def _named(cls: Any, old: Node | None) -> Node:
    kept: Node = _inner(old, cls) or cls(NO_NAME)
    return kept


def _dated(old: Node | None) -> n.Trait:
    return old.trait if isinstance(old, n.DaysSince | n.DaysUntil) else _inner(old, n.Trait) or n.Trait(NO_NAME)


def _arithmetic(old: Node | None) -> Node:
    if isinstance(old, n.Arithmetic):
        return old
    return n.Arithmetic(old if old is not None else n.Trait(NO_NAME), "+", n.Number(0))  # type: ignore[arg-type]


_TRAIT = Kind("trait", "something known of them", "Theirs", lambda old: _named(n.Trait, old))
_LITERAL_KINDS = [
    Kind("number", "a number", "A fixed value", lambda old: _inner(old, n.Number) or n.Number(0)),
    Kind("text", "a text", "A fixed value", lambda old: _inner(old, n.Text) or _HOLE),
    Kind("yesno", "yes or no", "A fixed value", lambda old: _inner(old, n.YesNo) or n.YesNo(True)),
    Kind("date", "a date", "A fixed value", lambda old: _inner(old, n.Date) or FIRST_DAY),
    Kind("instant", "a moment", "A fixed value", lambda old: _inner(old, n.Instant) or FIRST_INSTANT),
]  # fmt: skip
_CALCULATED = [
    Kind("arithmetic", "a calculation with it", "Calculated", _arithmetic),
    Kind("negative", "its negative", "Calculated", lambda old: n.Negative(old if old is not None else n.Number(0))),  # type: ignore[arg-type]
]
_VALUES = [
    _TRAIT,
    Kind("aggregate", "a figure of what they did", "Theirs", _aggregate),
    Kind("days since event", "days since they did something", "Theirs", lambda old: n.DaysSinceEvent("last", _events(old))),
    Kind("days since", "days since a date of theirs", "Theirs", lambda old: n.DaysSince(_dated(old))),
    Kind("days until", "days until a date of theirs", "Theirs", lambda old: n.DaysUntil(_dated(old))),
    Kind("bucket", "their random number from 0 to 1", "Theirs", lambda old: _inner(old, n.Bucket) or n.Bucket("")),
    *_LITERAL_KINDS,
    *_CALCULATED,
]  # fmt: skip
_OF_EVENT = [
    Kind("property", "a property of it", "The event's", lambda old: _named(n.Property, old)),
    Kind("local", "its hour, weekday or date", "The event's", lambda old: _inner(old, n.LocalTime) or n.LocalTime("hour")),
    _LITERAL_KINDS[0],
    *_CALCULATED,
]  # fmt: skip


def _table(kinds: list[Kind]) -> dict[str, Kind]:
    return {kind.key: kind for kind in kinds}


VALUES = _table(_VALUES)
"""What can be compared, outside filters."""
RANKED = _table([_TRAIT, VALUES["aggregate"]])
"""By what customers can be ranked."""
FILTER_LEFT = _table(_OF_EVENT)
FILTER_RIGHT = _table([*_LITERAL_KINDS, _TRAIT])
LITERALS_ONLY = _table(_LITERAL_KINDS)
MOMENTS = _table(_LITERAL_KINDS[3:])

# ---------------------------------------------------------------- windows


def _length(old: Node | None) -> n.Duration:
    return old.length if isinstance(old, n.Last | n.BeforeLast | n.Next) else MONTH


def _start(old: Node | None) -> n.Date | n.Instant:
    return old.start if isinstance(old, n.Since | n.Period) else FIRST_DAY


def _end(old: Node | None) -> n.Date | n.Instant:
    return old.end if isinstance(old, n.Period) else FIRST_DAY


_WINDOWS = [
    Kind("last", "in the last", "", lambda old: n.Last(_length(old))),
    Kind("before last", "in a time before the last", "", lambda old: n.BeforeLast(_length(old), MONTH)),
    Kind("since", "since", "", lambda old: n.Since(_start(old))),
    Kind("period", "from … until", "", lambda old: n.Period(_start(old), _end(old))),
    Kind("this", "in the current", "", lambda old: n.This("month")),
    Kind("last calendar", "in the last whole", "", lambda old: n.LastCalendar(3, "month")),
]
WINDOWS = _table(_WINDOWS)
"""When something was done."""
TRAIT_WINDOWS = WINDOWS | _table([Kind("next", "in the next", "", lambda old: n.Next(_length(old)))])
"""When a date of a customer lies."""
