"""Values that a condition asks for and that nobody has: more often a slip of the pen than meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import did_you_mean, nearest
from shoal.lang import nodes as n
from shoal.lang.check.scope import Scope
from shoal.lang.references import ACCOUNT, event_names
from shoal.lang.schema import Kind
from shoal.lang.tree import children
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.errors import DefinitionError
    from shoal.lang.schema import Schema
    from shoal.sql.store import Store

_LOOKED_AT = 2_000
"""Among so many values, the most frequent, near ones are looked for."""


def unheard(store: Store, condition: n.Condition, schema: Schema, text: str) -> list[DefinitionError]:
    """The texts that a trait or a property of an event is compared with, and that no customer or event bears.

    Each is an error object that shows its place in the text: to be shown, not raised, since the value may come yet.
    """
    registry, scope = Registry.load(store), Scope(schema, text)
    found = []
    for value, literal, event in _compared(condition, None):
        source = _source(registry, value, event)
        if source is not None and not store.rows(f"SELECT 1 FROM ({source}) WHERE value = ? LIMIT 1", [literal.value]):
            found.append(scope.fault(literal, *_said(store, source, value, literal.value, event)))
    return found


def _compared(node: n.Node, event: str | None) -> Iterator[tuple[n.Trait | n.Property, n.Text, str | None]]:
    """What is compared with which text, and in the filter of which event; fields of items are left out."""
    match node:
        case n.AnyItem():
            return
        case n.Compare(n.Trait() | n.Property() as value, "=" | "!=", n.Text() as literal):
            yield value, literal, event
        case n.In(n.Trait() | n.Property() as value, options):
            yield from ((value, option, event) for option in options if isinstance(option, n.Text))
    inside = node.name if isinstance(node, n.Events) else event
    for child in children(node):
        yield from _compared(child, inside)


def _source(registry: Registry, value: n.Trait | n.Property, event: str | None) -> str | None:
    """A query of all values there are, in a column ``value``; None where it isn't text."""
    if isinstance(value, n.Trait):
        of_account = value.name.startswith(ACCOUNT)
        trait = (
            registry.trait(value.name.removeprefix(ACCOUNT), "account") if of_account else registry.trait(value.name)
        )
        known = trait is not None and trait.kind is Kind.TEXT
        return f"SELECT value FROM {trait.table} WHERE retired IS NULL" if trait is not None and known else None
    tables = []
    for name in event_names(event or "", registry.events):
        source = registry.events[name]
        bears = source.properties.get(value.name)
        if bears is not None and bears.kind is Kind.TEXT:
            tables.append(f"SELECT {bears.col} AS value FROM {source.table} WHERE retired IS NULL")
    return " UNION ALL ".join(tables) or None


def _said(
    store: Store, source: str, value: n.Trait | n.Property, asked: str, event: str | None
) -> tuple[str, str | None]:
    rows = store.rows(
        f"SELECT value FROM ({source}) WHERE value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value LIMIT {_LOOKED_AT}"
    )
    known = [str(name) for (name,) in rows]
    who = "Nobody has" if isinstance(value, n.Trait) else f'No "{event}" has'
    few = ", ".join(f'"{name}"' for name in known[:5])
    fix = did_you_mean(nearest(asked, known)) or (f"Most frequent: {few}." if known else None)
    return f'{who} the {value.name} "{asked}".', fix
