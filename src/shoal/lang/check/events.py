"""Events: their names, and the aggregates over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.check.scope import ORDERED, SCALARS, an, only, property_faults, property_types
from shoal.lang.check.windows import window_faults
from shoal.lang.references import event_names, is_wildcard, plain_event_name
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from shoal.errors import DefinitionError
    from shoal.lang import nodes as n
    from shoal.lang.check.scope import Faults, Scope

_NEEDS: dict[str, frozenset[Kind]] = {
    "sum": frozenset({Kind.NUMBER}),
    "avg": frozenset({Kind.NUMBER}),
    "min": ORDERED - {Kind.TEXT},
    "max": ORDERED - {Kind.TEXT},
    "first": SCALARS,
    "last": SCALARS,
    "most frequent": SCALARS,
    "distinct": SCALARS | {Kind.TEXTS},
}
_WORDS = {
    "sum": "a number",
    "avg": "a number",
    "min": "a number, a date or an instant",
    "max": "a number, a date or an instant",
    "first": "a single value",
    "last": "a single value",
    "most frequent": "a single value",
    "distinct": "a single value or a list of text",
}
_OF_A_PROPERTY = frozenset({"min", "max", "first", "last", "most frequent"})


def events_faults(events: n.Events, scope: Scope, *, newest: bool = True) -> Faults:
    """An unknown name, or a ``last n`` that can't be; ``newest`` says whether one may stand here.

    Filters are checked apart, since they are the same wherever the events stand.
    """
    known = scope.schema.events
    if not event_names(events.name, known):
        yield _unknown_event(events, scope)
    if events.newest is not None:
        if not newest:
            problem = "The newest few events can be counted, but not put in order or in periods."
            yield scope.fault(events, problem, f'Leave out "last {events.newest}".')
        elif events.newest < 1:
            yield scope.fault(events, "The number of newest events is 1 or more.", "Write last 5 before the event.")


def aggregate_kind(value: n.Aggregate, scope: Scope) -> Kind | None:
    """The property's own type for min, max, first, last and most frequent; a number for the rest."""
    if value.fn in _OF_A_PROPERTY and value.of is not None:
        return only(property_types(value.events.name, value.of, scope.schema))
    return Kind.NUMBER


def aggregate_faults(value: n.Aggregate, scope: Scope) -> Faults:
    """Faults of the events, the property and its type, and the window."""
    yield from events_faults(value.events, scope)
    needs = _NEEDS.get(value.fn)
    if needs is None and value.of is not None:
        yield scope.fault(value, f'"{value.fn}" counts events and takes no property.', f"Leave out {value.of} of.")
    elif needs is not None and value.of is None:
        yield scope.fault(
            value, f'"{value.fn}" needs a property.', f'Write {value.fn}(revenue of "{value.events.name}").'
        )
    elif needs is not None and value.of is not None:
        inside = scope.in_filter(value.events.name)
        yield from property_faults(value, value.of, inside)
        kind = only(inside.properties(value.of))
        if kind is not None and kind not in needs:
            problem = f'"{value.fn}" needs {_WORDS[value.fn]}, and "{value.of}" is {an(kind)}.'
            yield scope.fault(value, problem, _instead(kind), at=value.of)
    if value.window is not None:
        yield from window_faults(value.window, scope)


def _instead(kind: Kind) -> str | None:
    if kind is Kind.OBJECTS:
        return "Look into the items with where any … ( … )."
    return "Count the different values with distinct( … )." if kind in (Kind.TEXT, Kind.TEXTS) else None


def _unknown_event(events: n.Events, scope: Scope) -> DefinitionError:
    known = scope.schema.events
    if is_wildcard(events.name):
        return scope.unknown(events, "event whose name begins with", plain_event_name(events.name), known)
    return scope.unknown(events, "event", plain_event_name(events.name), known)
