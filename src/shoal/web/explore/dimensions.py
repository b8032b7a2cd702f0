"""What customers may be told apart by: traits, and properties of events, of few kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.lex import name_text
from shoal.lang.schema import Kind
from shoal.workspace.exploring.places import n_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.schema import Schema

KINDS = (Kind.TEXT, Kind.YESNO)


def dimensions(schema: Schema) -> Iterator[str]:
    """Traits, then properties as ``channel of "Order Completed"``: those whose values are words, or yes and no."""
    for name, kind in sorted(schema.traits.items()):
        if kind in KINDS:
            yield name_text(name)
    for event, properties in sorted(schema.events.items()):
        for name, told in sorted(properties.items()):
            if told.kind in KINDS:
                yield f"{name_text(name)} of {n_event(event)}"
