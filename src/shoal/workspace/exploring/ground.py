"""What the pages' questions share: the store as of now with who is in a segment, and ids of customers."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.lang import nodes as n

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.models.asof import AsOf
    from shoal.workspace.opening import Workspace

MOST_KEPT = 200_000
"""So many customers at most are put on a list by one click."""
_numbers = itertools.count(1)


def slug_in(workspace: Workspace, segment: str | None) -> str | None:
    """The slug of a segment by its name.

    Raises:
        UnknownName: there is none.
    """
    return None if segment is None else workspace.segments.known().find(segment).slug


def sayable(workspace: Workspace, *events: n.Events) -> bool:
    """Whether segments may name some events: those that are worked out from others, as sessions, they may not."""
    from shoal.lang.references import event_names

    return all(event_names(one.name, workspace.schema.events) for one in events)


@contextmanager
def values_of(known: AsOf, values: Mapping[str, n.Node], slug: str | None) -> Iterator[str]:
    """What each customer, or each member of a segment, has of some values: a relation of ``k`` and a column a value."""
    inside = {} if slug is None else {"inside": n.MemberOf(slug)}
    with known.columns({**values, **inside}) as table:
        if slug is None:
            yield table
        else:
            yield f"(SELECT * FROM {table} WHERE inside)"


def counted(known: AsOf, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, as plain values."""
    return list(known.arrow(sql).to_pylist())


def ids(workspace: Workspace, keys: Sequence[int]) -> list[str]:
    """The ids of customers by their keys.

    Raises:
        Refused: they are more than a list should hold.
    """
    if len(keys) > MOST_KEPT:
        raise Refused(
            f"These are {len(keys):,} customers, more than the {MOST_KEPT:,} that a list takes at once.",
            fix="Point at a smaller group.",
        )
    rows = workspace.store.rows(
        "SELECT id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[])) ORDER BY id", [list(keys)]
    )
    return [one for (one,) in rows]
