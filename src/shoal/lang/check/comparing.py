"""Comparisons: which types compare with which, and with which operators. Shared by conditions and by filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.calendar import WEEKDAYS
from shoal.lang.check.bounds import LIMIT, bound_of, cross
from shoal.lang.check.patterns import pattern_problem
from shoal.lang.check.scope import ORDERED, SCALARS, an
from shoal.lang.check.values import kind_of, size_faults, too_large, value_faults
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.lang.check.scope import Faults, Scope
    from shoal.lang.nodes import Value

_ORDERING = ("<", "<=", ">", ">=")
_OF_LISTS = ("contains any of", "contains all of")
_FOR_LISTS = "Ask a list with contains, contains any of, contains all of, is known or is missing."
_HOW: dict[Kind, str] = {
    Kind.TEXTS: _FOR_LISTS,
    Kind.OBJECTS: "Look into its items in a filter, as where any products (price > 10).",
    Kind.POINT: "Ask how far away it is, as distance of location to (-1.2864, 36.8172) < 10 km.",
    Kind.YESNO: "Write = yes or = no.",
}
_LITERAL: dict[Kind, str] = {
    Kind.TEXT: 'Text stands in quotes, as "KE".',
    Kind.NUMBER: "A number stands without quotes, as 25.",
    Kind.YESNO: "Write = yes or = no.",
    Kind.DATE: "A date is written 2017-09-01, without quotes.",
    Kind.INSTANT: "An instant is written 2017-09-01T12:00:00Z, or as a date, without quotes.",
}


def compare_faults(node: n.Compare, scope: Scope) -> Faults:
    """Faults of ``left op right``."""
    yield from value_faults(node.left, scope)
    yield from _right_faults(node, scope)
    yield from pair_faults(node.left, node.op in _ORDERING, node.right, scope, node)


def _right_faults(node: n.Compare, scope: Scope) -> Faults:
    """A bare word where text is compared is more often a text without quotes than a trait."""
    right, known = node.right, scope.schema.traits
    if not isinstance(right, n.Trait) or right.name in known or kind_of(node.left, scope) is not Kind.TEXT:
        yield from value_faults(right, scope)
        return
    near = did_you_mean(nearest(right.name, known))
    fix = f'A text stands in quotes: "{right.name}".' + (f" {near}" if near else "")
    yield scope.fault(right, f'There is no trait "{right.name}".', fix, at=right.name)


def between_faults(node: n.Between, scope: Scope) -> Faults:
    """Faults of ``value between low and high``."""
    yield from value_faults(node.value, scope)
    for end in (node.low, node.high):
        yield from value_faults(end, scope)
        yield from pair_faults(node.value, True, end, scope, node)


def in_faults(node: n.In, scope: Scope) -> Faults:
    """Faults of ``value in ( … )``."""
    yield from value_faults(node.value, scope)
    if not node.options:
        yield scope.fault(node, "This list of values is empty, so nothing is in it.", 'Write in ("KE", "UG").')
    for option in node.options:
        yield from value_faults(option, scope)
        yield from pair_faults(node.value, False, option, scope, node)


def match_faults(node: n.Match, scope: Scope) -> Faults:
    """Faults of ``contains`` and its kin: over text or a list of text, with as many operands as the word takes."""
    yield from value_faults(node.value, scope)
    kind = kind_of(node.value, scope)
    if kind is not None and kind not in (Kind.TEXT, Kind.TEXTS):
        yield scope.fault(node, f'"{node.op}" is for text, and this is {an(kind)}.', _HOW.get(kind))
    elif kind is Kind.TEXT and node.op in _OF_LISTS:
        yield scope.fault(node, f'"{node.op}" is for lists, and this is text.', "Use contains, joined with or.")
    elif kind is Kind.TEXTS and node.op not in ("contains", *_OF_LISTS):
        yield scope.fault(node, f'"{node.op}" is for text, and this is a list of text.', _FOR_LISTS)
    yield from _operand_faults(node, scope)


def known_faults(node: n.Known, scope: Scope) -> Faults:
    """``is known`` and ``is missing`` suit every type; a literal is always known."""
    yield from value_faults(node.value, scope)
    yield from size_faults(node.value, scope)


def pair_faults(left: Value, ordering: bool, right: Value, scope: Scope, node: n.Node) -> Faults:
    """Whether two values compare: types first, then the room that exact arithmetic needs."""
    one, two = kind_of(left, scope), kind_of(right, scope)
    if one is None or two is None:
        return
    for kind in (one, two):
        if kind not in SCALARS:
            yield scope.fault(node, f"This is {an(kind)}, which doesn't compare with another value.", _HOW[kind])
            return
    if not _alike(left, one, right, two):
        yield scope.fault(
            node, f"{an(one).capitalize()} doesn't compare with {an(two)}.", _advice(left, one, right, two)
        )
    elif ordering and one not in ORDERED:
        yield scope.fault(node, "Yes/no has no order.", _HOW[Kind.YESNO])
    elif isinstance(left, n.LocalTime) and left.part == "weekday":
        yield from _weekday_faults(ordering, right, scope, node)
    elif one is Kind.NUMBER:
        yield from _room_faults(left, right, scope, node)


def _alike(left: Value, one: Kind, right: Value, two: Kind) -> bool:
    """The same type, or an instant with a written date."""
    if one is two:
        return True
    return (one is Kind.INSTANT and isinstance(right, n.Date)) or (two is Kind.INSTANT and isinstance(left, n.Date))


def _advice(left: Value, one: Kind, right: Value, two: Kind) -> str | None:
    if isinstance(right, n.Text | n.Number | n.YesNo | n.Date | n.Instant | n.Negative):
        return _LITERAL[one]
    if isinstance(left, n.Text | n.Number | n.YesNo | n.Date | n.Instant | n.Negative):
        return _LITERAL[two]
    if {one, two} == {Kind.DATE, Kind.INSTANT}:
        return "An instant compares with an instant, or with a written date."
    return None


def _weekday_faults(ordering: bool, right: Value, scope: Scope, node: n.Node) -> Faults:
    if ordering:
        yield scope.fault(node, "Weekdays have no order here.", 'Write weekday in ("Saturday", "Sunday").')
    elif isinstance(right, n.Text) and right.value not in WEEKDAYS:
        near = [day for day in WEEKDAYS if day.casefold() == right.value.casefold()] or nearest(right.value, WEEKDAYS)
        fix = did_you_mean(near) or 'Write "Monday" to "Sunday".'
        yield scope.fault(right, f'"{right.value}" is not a weekday.', fix)


def _room_faults(left: Value, right: Value, scope: Scope, node: n.Node) -> Faults:
    faults = [*size_faults(left, scope), *size_faults(right, scope)]
    yield from faults
    if not faults and cross(bound_of(left), bound_of(right)) >= LIMIT:
        yield too_large(node, scope)


def _operand_faults(node: n.Match, scope: Scope) -> Faults:
    if not node.operands or (len(node.operands) > 1 and node.op not in _OF_LISTS):
        how = "at least one text" if node.op in _OF_LISTS else "one text"
        yield scope.fault(node, f'"{node.op}" takes {how}, and {len(node.operands)} are given.')
    if node.op == "matches":
        for operand in node.operands:
            problem = pattern_problem(operand.value)
            if problem:
                fix = "Patterns follow the RE2 syntax, without look-around and back-references."
                yield scope.fault(operand, f"This pattern can't be used: {problem}.", fix)
