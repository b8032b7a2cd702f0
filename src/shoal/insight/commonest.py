"""How often the data has what a definition may name: events of each name, and the most frequent texts of a trait or property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.references import ACCOUNT, event_names
from shoal.lang.schema import Kind
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.sql.store import Store

_LOOKED_AT = 4_000
"""So many of the most frequent values are looked at, to see whether they tell anything."""
_OWN = 0.9
"""Where so large a share of the values is everybody's own, as names and addresses are, none is frequent."""


def event_counts(store: Store) -> dict[str, int]:
    """How many events there are of each name."""
    names = list(Registry.load(store).events.values())
    if not names:
        return {}
    parts = [f"SELECT {one.id} AS id, count(*) AS n FROM {one.table} WHERE retired IS NULL" for one in names]
    by_id = dict(store.rows(" UNION ALL ".join(parts)))
    return {one.name: int(by_id[one.id]) for one in names}


def commonest(
    store: Store, name: str, event: str | None = None, items: str | None = None, most: int = 100
) -> list[tuple[str, int]]:
    """The most frequent texts, each with how often it stands in the data, the most frequent first.

    Args:
        store: the workspace's store.
        name: of a trait; with ``event``, of a property of such events.
        event: the name of the event (a wildcard too).
        items: the list of objects whose field ``name`` is then.
        most: so many at most.

    Returns:
        Nothing where the values aren't texts, or where nearly each is somebody's own.
    """
    registry = Registry.load(store)
    sources = list(_of_trait(registry, name) if event is None else _of_events(registry, name, event, items))
    if not sources:
        return []
    rows = store.rows(
        f"SELECT value, count(*) FROM ({' UNION ALL '.join(sources)}) WHERE value IS NOT NULL AND value <> '' "
        f"GROUP BY value ORDER BY 2 DESC, 1 LIMIT {_LOOKED_AT}"
    )
    single = sum(1 for _, count in rows if count == 1)
    if len(rows) > most and single >= _OWN * len(rows):
        return []
    return [(str(value), int(count)) for value, count in rows[:most]]


def _of_trait(registry: Registry, name: str) -> Iterator[str]:
    of_account = name.startswith(ACCOUNT)
    trait = registry.trait(name.removeprefix(ACCOUNT), "account") if of_account else registry.trait(name)
    if trait is not None and (source := _texts("value", trait.kind, trait.table)):
        yield source


def _of_events(registry: Registry, name: str, event: str, items: str | None) -> Iterator[str]:
    for each in event_names(event, registry.events):
        source = registry.events[each]
        held = source.properties.get(name if items is None else items)
        if held is None:
            continue
        if items is None:
            found = _texts(held.col, held.kind, source.table)
            if found:
                yield found
        elif held.kind is Kind.OBJECTS and (field := held.fields.get(name)) and field.kind is Kind.TEXT:
            each_item = f"SELECT unnest({held.col}) AS item FROM {source.table} WHERE retired IS NULL"
            yield f"SELECT item.{field.col} AS value FROM ({each_item})"


def _texts(column: str, kind: Kind, table: str) -> str | None:
    if kind is Kind.TEXT:
        return f"SELECT {column} AS value FROM {table} WHERE retired IS NULL"
    return f"SELECT unnest({column}) AS value FROM {table} WHERE retired IS NULL" if kind is Kind.TEXTS else None
