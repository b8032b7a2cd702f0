"""Hold a definition against the schema before anything runs.

Everything that can be known when a definition is saved is said then: unknown names with the nearest known ones, types
that don't compare, windows that can't hold, segments that go in a circle, numbers that could outgrow exact arithmetic.
The rules stand in the files beside this one, one subject a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.check.conditions import condition_faults
from shoal.lang.check.doubts import doubts
from shoal.lang.check.filters import filter_faults
from shoal.lang.check.scope import Scope, suggestion
from shoal.lang.check.values import kind_of, value_faults
from shoal.lang.depth import LESS_DEEP, MOST_DEPTH, TOO_DEEP, depth
from shoal.lang.references import circle_error, circle_from, references, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.lang.nodes import Condition, Definition, Value
    from shoal.lang.schema import Kind, Schema

__all__ = ["check", "check_definition", "definition_faults", "doubts", "faults", "type_of"]


def check(
    condition: Condition, schema: Schema, *, text: str | None = None, place: str | None = None, slug: str | None = None
) -> None:
    """Raise the first fault of a condition, in the order of the text.

    Args:
        condition: what to check.
        schema: the names and types there are.
        text: the text that the condition was read from; the error shows the place in it.
        place: the file that it came from.
        slug: the segment that the condition defines; a reference to itself is a circle.

    Raises:
        DefinitionError: at the first fault.
    """
    for fault in faults(condition, schema, text=text, place=place, slug=slug):
        raise fault


def check_definition(
    definition: Definition, schema: Schema, *, text: str | None = None, place: str | None = None
) -> None:
    """Raise the first fault of a whole definition: its condition, then its lists and purpose.

    Raises:
        DefinitionError: at the first fault.
    """
    for fault in definition_faults(definition, schema, text=text, place=place):
        raise fault


def faults(
    condition: Condition, schema: Schema, *, text: str | None = None, place: str | None = None, slug: str | None = None
) -> list[DefinitionError]:
    """Everything that is wrong with a condition, in the order of the text; empty where it can be saved."""
    scope = Scope(schema, text, place, slug=slug)
    if depth(condition) > MOST_DEPTH:
        return [scope.fault(condition, TOO_DEEP, LESS_DEEP)]
    found = [*condition_faults(condition, scope), *_filters(condition, scope), *_circles(condition, scope)]
    return sorted(found, key=lambda fault: fault.start or 0)


def definition_faults(
    definition: Definition, schema: Schema, *, text: str | None = None, place: str | None = None
) -> list[DefinitionError]:
    """Everything that is wrong with a definition: its condition, its lists and its purpose."""
    found = faults(definition.where, schema, text=text, place=place, slug=definition.slug)
    where = place or f"segment {definition.slug}"
    for role, name in (("always", definition.always), ("never", definition.never)):
        if name is not None and name not in schema.lists:
            found.append(_no_such(f'The list "{name}" after "{role}"', name, schema.lists, where, role))
    if definition.purpose is not None and definition.purpose not in schema.purposes:
        purpose = definition.purpose
        found.append(_no_such(f'The purpose "{purpose}"', purpose, schema.purposes, where, "purpose"))
    return found


def type_of(value: Value, schema: Schema, event: str | None = None) -> Kind:
    """The type of a value.

    Args:
        value: a literal, trait, aggregate, arithmetic … or, with ``event``, a property.
        schema: the names and types there are.
        event: the event name (a wildcard too) whose filter the value stands in.

    Raises:
        DefinitionError: if the value has a fault, as an unknown name.
    """
    scope = Scope(schema, event=event)
    for fault in (*value_faults(value, scope), *_filters(value, scope)):
        raise fault
    kind = kind_of(value, scope)
    if kind is None:
        raise scope.fault(value, "The type of this value isn't known.")
    return kind


def _filters(node: n.Node, scope: Scope) -> Iterator[DefinitionError]:
    for at in walk(node):
        if isinstance(at, n.Events) and at.where is not None:
            yield from filter_faults(at.where, scope.in_filter(at.name))


def _circles(condition: Condition, scope: Scope) -> Iterator[DefinitionError]:
    segments, slug = scope.schema.segments, scope.slug

    def segments_of(at: str) -> Iterable[str]:
        if at == slug:
            return references(condition).segments
        return references(segments[at]).segments if at in segments else ()

    shown: set[frozenset[str]] = set()
    for node in _segment_nodes(condition):
        circle = circle_from(node.segment, segments_of)
        if circle and frozenset(circle) not in shown:
            shown.add(frozenset(circle))
            start, end = node.span or (None, None)
            yield circle_error(_from(slug, circle), start=start, end=end, text=scope.text, place=scope.place)


def _segment_nodes(condition: Condition) -> Iterator[n.MemberOf | n.Entered | n.Left]:
    return (at for at in walk(condition) if isinstance(at, n.MemberOf | n.Entered | n.Left))


def _from(slug: str | None, circle: list[str]) -> list[str]:
    """The same circle, begun at ``slug`` where it lies on it."""
    if slug is None or slug not in circle:
        return circle
    at = circle.index(slug)
    return [*circle[at:-1], *circle[:at], slug]


def _no_such(what: str, name: str, known: Iterable[str], place: str, key: str) -> DefinitionError:
    return DefinitionError(f"{what} isn't there.", place=place, fix=suggestion(name, known), key=key)
