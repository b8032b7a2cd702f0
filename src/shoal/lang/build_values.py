"""Python objects for values and conditions, and what makes values; ``build`` is the door to all of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast, get_args

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.build_literals import Plain, literal_node, micro, name_of, text_of
from shoal.lang.show import show

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from shoal.lang.nodes import CompareOp, MatchOp, Window

_VALUES = get_args(n.Value)
_CONDITIONS = get_args(n.Condition)
_WINDOWS = get_args(n.Window)

Operand: TypeAlias = "Value | Plain | n.Node"
Filter: TypeAlias = "Condition | n.Node"


class Value:
    """Something that can be calculated and compared with. ``node`` is its tree."""

    def __init__(self, node: n.Value) -> None:
        self.node = node

    def __repr__(self) -> str:
        return f"<value: {show(self.node)}>"

    @property
    def text(self) -> str:
        """The value in the segment language."""
        return show(self.node)

    # ------------------------------------------------------------ calculating

    def _with(self, op: str, other: Operand, *, turned: bool = False) -> Value:
        left, right = self.node, value_node(other)
        if turned:
            left, right = right, left
        return Value(n.Arithmetic(left, cast("Literal['+', '-', '*', '/']", op), right))

    def __add__(self, other: Operand) -> Value:
        return self._with("+", other)

    def __radd__(self, other: Operand) -> Value:
        return self._with("+", other, turned=True)

    def __sub__(self, other: Operand) -> Value:
        return self._with("-", other)

    def __rsub__(self, other: Operand) -> Value:
        return self._with("-", other, turned=True)

    def __mul__(self, other: Operand) -> Value:
        return self._with("*", other)

    def __rmul__(self, other: Operand) -> Value:
        return self._with("*", other, turned=True)

    def __truediv__(self, other: Operand) -> Value:
        return self._with("/", other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self._with("/", other, turned=True)

    def __neg__(self) -> Value:
        return Value(n.Negative(self.node))

    # ------------------------------------------------------------ comparing

    def _compared(self, op: CompareOp, other: Operand) -> Condition:
        return Condition(n.Compare(self.node, op, value_node(other)))

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("=", cast("Operand", other))

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("!=", cast("Operand", other))

    def __lt__(self, other: Operand) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: Operand) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: Operand) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: Operand) -> Condition:
        return self._compared(">=", other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise _no_truth("A value", "Compare it, as trait('age') > 30.")

    def __contains__(self, item: object) -> NoReturn:
        raise _no_truth("'in'", "Write .is_in(…) for a value in a list, .contains(…) for a list of text.")

    def between(self, low: Operand, high: Operand) -> Condition:
        """``between low and high``, both ends in."""
        return Condition(n.Between(self.node, value_node(low), value_node(high)))

    def is_in(self, *options: Plain) -> Condition:
        """``in (…)``."""
        return Condition(n.In(self.node, _options(options)))

    def not_in(self, *options: Plain) -> Condition:
        """``not in (…)``; false where the value is missing."""
        return Condition(n.In(self.node, _options(options), True))

    def is_known(self) -> Condition:
        """``is known``."""
        return Condition(n.Known(self.node))

    def is_missing(self) -> Condition:
        """``is missing``."""
        return Condition(n.Known(self.node, False))

    # ------------------------------------------------------------ text and lists of text

    def _matched(self, op: MatchOp, texts: Iterable[str], ignoring_case: bool) -> Condition:
        operands = tuple(n.Text(text_of(t, op)) for t in texts)
        if not operands:
            raise DefinitionError(f"'{op}' needs a text.", fix='Name one at least, as "shoes".')
        return Condition(n.Match(self.node, op, operands, ignoring_case))

    def contains(self, text: str, *, ignoring_case: bool = False) -> Condition:
        """``contains "x"``, of a text or a list of text."""
        return self._matched("contains", (text,), ignoring_case)

    def contains_any_of(self, *texts: str, ignoring_case: bool = False) -> Condition:
        """``contains any of (…)``, of a list of text."""
        return self._matched("contains any of", texts, ignoring_case)

    def contains_all_of(self, *texts: str, ignoring_case: bool = False) -> Condition:
        """``contains all of (…)``, of a list of text."""
        return self._matched("contains all of", texts, ignoring_case)

    def starts_with(self, text: str, *, ignoring_case: bool = False) -> Condition:
        """``starts with "x"``."""
        return self._matched("starts with", (text,), ignoring_case)

    def ends_with(self, text: str, *, ignoring_case: bool = False) -> Condition:
        """``ends with "x"``."""
        return self._matched("ends with", (text,), ignoring_case)

    def matches(self, pattern: str, *, ignoring_case: bool = False) -> Condition:
        """``matches "x"``, a pattern in RE2's syntax."""
        return self._matched("matches", (pattern,), ignoring_case)

    # ------------------------------------------------------------ ranks and dates

    def _ranked(self) -> n.Trait | n.Aggregate:
        if isinstance(self.node, n.Trait | n.Aggregate):
            return self.node
        raise DefinitionError("Only a trait or an aggregate can be ranked among customers.", fix="Rank it alone.")

    def in_top(self, percent: Plain) -> Condition:
        """``in top 10%``."""
        return Condition(n.Ranked(self._ranked(), "top", _percent(percent)))

    def in_bottom(self, percent: Plain) -> Condition:
        """``in bottom 10%``."""
        return Condition(n.Ranked(self._ranked(), "bottom", _percent(percent)))

    def between_percentiles(self, low: Plain, high: Plain) -> Condition:
        """``between percentile 20 and 40``, both ends in."""
        return Condition(n.Percentile(self._ranked(), _percent(low), _percent(high)))

    def during(self, window: Window) -> Condition:
        """``signed_up in last 30 days``: a date or instant trait falls in the window."""
        return Condition(n.When(trait_node(self), cast("Window", window_node(window))))


class Condition:
    """Something that holds or doesn't. ``node`` is its tree."""

    def __init__(self, node: n.Condition) -> None:
        self.node = node

    def __repr__(self) -> str:
        return f"<condition: {show(self.node)}>"

    @property
    def text(self) -> str:
        """The condition in the segment language."""
        return show(self.node)

    def __and__(self, other: Filter) -> Condition:
        # a & b & c is one chain, as "a and b and c" is; all_of(all_of(a, b), c) keeps its inner group.
        parts = self.node.parts if isinstance(self.node, n.And) and self.node.note is None else (self.node,)
        return Condition(n.And((*parts, condition_node(other))))

    def __or__(self, other: Filter) -> Condition:
        parts = self.node.parts if isinstance(self.node, n.Or) and self.node.note is None else (self.node,)
        return Condition(n.Or((*parts, condition_node(other))))

    def __invert__(self) -> Condition:
        return Condition(n.Not(self.node))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self.node == other.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __bool__(self) -> NoReturn:
        raise _no_truth(
            "A condition",
            "Write & for and, | for or, ~ for not, with parentheses around each comparison; "
            ".between(…) for a chained comparison.",
        )

    def noted(self, note: str) -> Condition:
        """The same condition with a comment beside it."""
        return Condition(dataclasses.replace(self.node, note=note))


def _no_truth(what: str, fix: str) -> DefinitionError:
    return DefinitionError(f"{what} has no truth of its own in Python.", fix=fix)


# ---------------------------------------------------------------- from objects to nodes


def value_node(operand: Operand) -> n.Value:
    """The tree of a value, a node or a plain Python value.

    Raises:
        DefinitionError: if it is none of them.
    """
    if isinstance(operand, Value):
        return operand.node
    if isinstance(operand, _VALUES):
        return cast("n.Value", operand)
    if isinstance(operand, Condition | n.Node):
        shown = show(operand.node if isinstance(operand, Condition) else operand)
        raise DefinitionError(f"{shown} is not a value.", fix="Only values can be calculated and compared with.")
    return literal_node(operand)


def condition_node(condition: Filter) -> n.Condition:
    """The tree of a condition.

    Raises:
        DefinitionError: if it isn't one.
    """
    if isinstance(condition, Condition):
        return condition.node
    if isinstance(condition, _CONDITIONS):
        return cast("n.Condition", condition)
    raise DefinitionError(f"{condition!r} is not a condition.", fix="Compare it, as trait('age') > 30.")


def trait_node(trait: Value | n.Trait | str) -> n.Trait:
    """The node of a trait or of a trait's name.

    Raises:
        DefinitionError: if it is another value.
    """
    if isinstance(trait, str):
        return n.Trait(name_of(trait, "trait"))
    node = trait.node if isinstance(trait, Value) else trait
    if isinstance(node, n.Trait):
        return node
    raise DefinitionError(f"{trait!r} is not a trait.", fix="Name a trait, as trait('signed_up').")


def events_node(events: str | n.Events) -> n.Events:
    """The node of events, or of the name of one."""
    return events if isinstance(events, n.Events) else n.Events(text_of(events, "the name of an event"))


def window_node(window: Window | None) -> Window | None:
    """The window itself, held to be one.

    Raises:
        DefinitionError: if it isn't one.
    """
    if window is None or isinstance(window, _WINDOWS):
        return window
    raise DefinitionError(f"{window!r} is not a window.", fix="Write last(30, 'days'), since(…) or this('month').")


def _options(options: tuple[Plain, ...]) -> tuple[n.Literal_, ...]:
    if not options:
        raise DefinitionError("A list of values is empty.", fix="Name one value at least.")
    return tuple(literal_node(o) for o in options)


def _percent(percent: Plain) -> int:
    share = micro(percent, "a percentage")
    if not 0 <= share <= 100 * n.MICRO:
        raise DefinitionError(f"{percent} is not a percentage.", fix="Write a number from 0 to 100.")
    return share


def of(node: n.Node) -> Any:
    """A tree that is there already, as an object: a ``Value`` or a ``Condition``.

    Raises:
        DefinitionError: if the node is neither.
    """
    if isinstance(node, _CONDITIONS):
        return Condition(cast("n.Condition", node))
    if isinstance(node, _VALUES):
        return Value(cast("n.Value", node))
    raise DefinitionError(f"A {node.kind!r} is neither a value nor a condition.", fix="Give the whole of it.")


# ---------------------------------------------------------------- values


def literal(value: Plain) -> Value:
    """A literal, where it is to stand on the left or be calculated with."""
    return Value(literal_node(value))


def trait(name: str) -> Value:
    """A trait of the customer; ``account.`` before the name makes it one of their account."""
    return Value(n.Trait(name_of(name, "trait")))


def prop(name: str) -> Value:
    """In a filter, a property of the event or of the item."""
    return Value(n.Property(name_of(name, "property")))


def local(part: Literal["hour", "weekday", "date"]) -> Value:
    """In a filter, the event's local hour (0 to 23), weekday ("Monday" …) or date."""
    if part not in ("hour", "weekday", "date"):
        raise DefinitionError(f"{part!r} is not a part of local time.", fix="Write hour, weekday or date.")
    return Value(n.LocalTime(part))


def days_since(trait: Value | str) -> Value:
    """``days since signed_up``, of a date or instant trait."""
    return Value(n.DaysSince(trait_node(trait)))


def days_until(trait: Value | str) -> Value:
    """``days until renewal_date``, of a date or instant trait."""
    return Value(n.DaysUntil(trait_node(trait)))


def bucket(salt: str) -> Value:
    """A stable share in [0, 1) of the customer for this salt."""
    return Value(n.Bucket(text_of(salt, "the salt of a bucket")))


def events(name: str, *, where: Filter | None = None, newest: int | None = None, of_account: bool = False) -> n.Events:
    """Which events: a name, a filter, the newest few, those of the whole account."""
    if newest is not None and newest < 1:
        raise DefinitionError("The newest events are one or more.", fix="Write newest=5.")
    filtered = None if where is None else condition_node(where)
    return n.Events(text_of(name, "the name of an event"), filtered, newest, of_account)


def _aggregate(fn: n.AggregateFn, of: str | None, events: str | n.Events, within: Window | None) -> Value:
    named = None if of is None else name_of(of, "property")
    return Value(n.Aggregate(fn, events_node(events), named, window_node(within)))


def count(events: str | n.Events, *, within: Window | None = None) -> Value:
    """How many events."""
    return _aggregate("count", None, events, within)


def active_days(events: str | n.Events, *, within: Window | None = None) -> Value:
    """On how many dates, in the workspace's time zone."""
    return _aggregate("active days", None, events, within)


def total(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """``sum``: the total of a property."""
    return _aggregate("sum", of, events, within)


def average(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """``avg``: the mean of a property."""
    return _aggregate("avg", of, events, within)


def least(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """``min``: the least value of a property."""
    return _aggregate("min", of, events, within)


def greatest(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """``max``: the greatest value of a property."""
    return _aggregate("max", of, events, within)


def first_value(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """``first``: a property's value in the earliest event that has one."""
    return _aggregate("first", of, events, within)


def last_value(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """``last``: a property's value in the latest event that has one."""
    return _aggregate("last", of, events, within)


def most_frequent(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """The value of a property that occurs most often."""
    return _aggregate("most frequent", of, events, within)


def distinct(of: str, events: str | n.Events, *, within: Window | None = None) -> Value:
    """How many different values of a property."""
    return _aggregate("distinct", of, events, within)


def days_since_last(events: str | n.Events) -> Value:
    """``days since last "A"``."""
    return Value(n.DaysSinceEvent("last", events_node(events)))


def days_since_first(events: str | n.Events) -> Value:
    """``days since first "A"``."""
    return Value(n.DaysSinceEvent("first", events_node(events)))
