"""What can be evaluated but can't have been meant: ranges that end before they begin, changes to the same value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.calendar import literal_instant, zone
from shoal.lang.check.scope import Scope
from shoal.lang.references import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.errors import DefinitionError
    from shoal.lang.nodes import Condition, Value
    from shoal.lang.schema import Schema


def doubts(condition: Condition, schema: Schema, *, text: str | None = None) -> list[DefinitionError]:
    """Parts of a condition that hold for nobody whatever the data, to be shown as a warning, not raised."""
    scope = Scope(schema, text)
    return [doubt for node in walk(condition) for doubt in _doubts(node, scope)]


def _doubts(node: n.Node, scope: Scope) -> Iterator[DefinitionError]:
    match node:
        case n.Between(_, low, high) if _reversed(low, high):
            yield scope.fault(node, "The first end of this range is above the second.", "Write the lower end first.")
        case n.Period(start, end):
            rules = zone(scope.schema.zone)
            if literal_instant(start, rules) >= literal_instant(end, rules):
                fix = "Write the earlier date first; the second one is not part of the window."
                yield scope.fault(node, "This window ends before it begins, so nothing is in it.", fix)
        case n.Changed(_, before, after) if before is not None and before == after:
            yield scope.fault(node, "A change goes from one value to another, and these are the same.")
        case n.Arithmetic(_, "/", n.Number(0)):
            yield scope.fault(node, "A division by 0 is always missing.")


def _reversed(low: Value, high: Value) -> bool:
    """Whether two literals of one type stand in the wrong order."""
    match low, high:
        case (n.Date(one), n.Date(two)) | (n.Instant(one), n.Instant(two)):
            return one > two
        case n.Text(text), n.Text(other):
            return text > other
    least, most = _micro(low), _micro(high)
    return least is not None and most is not None and least > most


def _micro(value: Value) -> int | None:
    match value:
        case n.Number(micro):
            return micro
        case n.Negative(n.Number(micro)):
            return -micro
    return None
