"""Where in a definition the check stands: the schema, the events that a filter speaks of, the item inside ``any``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.lang.lex import read_tokens
from shoal.lang.references import event_names
from shoal.lang.schema import Kind, PropertyType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from shoal.lang.nodes import Node
    from shoal.lang.schema import Schema

    Faults: TypeAlias = Iterator[DefinitionError]

SCALARS = frozenset({Kind.TEXT, Kind.NUMBER, Kind.YESNO, Kind.DATE, Kind.INSTANT})
ORDERED = frozenset({Kind.NUMBER, Kind.DATE, Kind.INSTANT, Kind.TEXT})

_WITH_ARTICLE = {
    Kind.TEXT: "text",
    Kind.NUMBER: "a number",
    Kind.YESNO: "yes/no",
    Kind.DATE: "a date",
    Kind.INSTANT: "an instant",
    Kind.TEXTS: "a list of text",
    Kind.OBJECTS: "a list of objects",
    Kind.POINT: "a geo point",
}


def an(kind: Kind) -> str:
    """A type in words, as ``a number``."""
    return _WITH_ARTICLE[kind]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the check knows at a place of the tree.

    Args:
        schema: types and names.
        text: the definition that was read, for the errors.
        place: the file that it came from.
        event: in a filter, the event name as written; None outside.
        items: inside ``any``, the name of the list of objects.
        slug: the segment that is being defined; it may not be known yet.
    """

    schema: Schema
    text: str | None = None
    place: str | None = None
    event: str | None = None
    items: str | None = None
    slug: str | None = None

    def fault(self, node: Node, problem: str, fix: str | None = None, *, at: str | None = None) -> DefinitionError:
        """An error that points at ``node``, or at the name ``at`` in it."""
        start, end = node.span or (None, None)
        if at is not None and self.text is not None and start is not None and end is not None:
            start, end = _spot(self.text, start, end, at)
        return DefinitionError(problem, start=start, end=end, text=self.text, place=self.place, fix=fix)

    def unknown(self, node: Node, what: str, name: str, known: Iterable[str], of: str = "") -> DefinitionError:
        """The error for a name that isn't there, with the nearest ones, or some of those there are."""
        names = list(known)
        fix = suggestion(name, names) if names else _NONE_YET.get(what, suggestion(name, names))
        return self.fault(node, f'There is no {what} "{name}"{of}.', fix, at=name)

    def in_filter(self, event: str) -> Scope:
        """The scope of the filter of the events with this name."""
        return dataclasses.replace(self, event=event, items=None)

    def in_items(self, items: str) -> Scope:
        """The scope inside ``any items ( … )``."""
        return dataclasses.replace(self, items=items)

    def properties(self, name: str) -> list[PropertyType]:
        """The types that the property bears among the events of this filter (fields of the item inside ``any``)."""
        types = property_types(self.event or "", name if self.items is None else self.items, self.schema)
        if self.items is None:
            return types
        return [PropertyType(t.fields[name]) for t in types if name in t.fields]


def _spot(text: str, start: int, end: int, name: str) -> tuple[int, int]:
    """Where a name stands between two places of a text; both places where it doesn't stand there as it is."""
    tokens, _ = read_tokens(text)
    for token in tokens:
        if start <= token.start and token.end <= end and token.kind in _NAMES and token.value == name:
            return token.start, token.end
    return start, end


_NAMES = ("word", "name", "text")
_NONE_YET = {
    "segment": "None is there yet: add one with shoal segment add.",
    "list": "None is there yet: make one with shoal list add.",
    "purpose": "None is there yet: name it under purposes: in shoal.yaml.",
}


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest known names, else those that begin alike, else some of those there are."""
    names = sorted(known)
    beginning = [k for k in names if name and k.casefold().startswith(name.casefold())]
    return did_you_mean(nearest(name, names) or beginning[:3]) or some(names)


def some(names: list[str], most: int = 6) -> str:
    """``Known: "a", "b" …``, or that there is none."""
    if not names:
        return "None is known yet: load data first, or declare it."
    shown = ", ".join(f'"{name}"' for name in names[:most])
    return f"Known: {shown}{' …' if len(names) > most else '.'}"


def property_types(event: str, name: str, schema: Schema) -> list[PropertyType]:
    """The types of a property among all known events that an event name (a wildcard too) stands for."""
    events = (schema.events[known] for known in event_names(event, schema.events))
    return [properties[name] for properties in events if name in properties]


def property_names(event: str, schema: Schema) -> set[str]:
    """All properties of the known events that an event name stands for."""
    return {name for known in event_names(event, schema.events) for name in schema.events[known]}


def only(types: list[PropertyType]) -> Kind | None:
    """The one type that all agree on, or None."""
    kinds = {t.kind for t in types}
    return kinds.pop() if len(kinds) == 1 else None


def property_faults(node: Node, name: str, scope: Scope) -> Faults:
    """A property that no event of the scope has, or that has several types among them."""
    event = scope.event or ""
    if not event_names(event, scope.schema.events):
        return  # the unknown event is a fault of its own
    types = scope.properties(name)
    if not types:
        yield _no_property(node, name, scope)
    elif only(types) is None:
        kinds = " and ".join(sorted({an(t.kind) for t in types}))
        yield scope.fault(
            node,
            f'The property "{name}" is {kinds} among the events "{event}".',
            "Name the events one by one, or declare one type for the property.",
            at=name,
        )


def _no_property(node: Node, name: str, scope: Scope) -> DefinitionError:
    event = scope.event or ""
    if scope.items is None:
        return scope.unknown(node, "property", name, property_names(event, scope.schema), f' of the event "{event}"')
    fields = {f for t in property_types(event, scope.items, scope.schema) for f in t.fields}
    return scope.unknown(node, "field", name, fields, f' in the items of "{scope.items}"')
