"""Paths of touches, read from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused, UnknownName
from shoal.insight.attribution.paths import Paths
from shoal.lang.nodes import MICRO
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.sql.registry import EventType

WINDOW = 30
"""Days before a conversion in which a touch counts."""


def paths_of(
    known: AsOf,
    touches: Mapping[str, str | None],
    conversion: str,
    *,
    value: str | None = None,
    cost: str | None = None,
    days: int = WINDOW,
) -> Paths:
    """The paths of all customers, up to the instant.

    Args:
        known: the store as of an instant.
        touches: by event, the text property that names the channel; None where the event is itself one.
        conversion: the event.
        value: its number property; each counts 1 without one.
        cost: its number property; value less cost is the margin.
        days: a touch counts so long before a conversion.

    Raises:
        UnknownName: there is no such event.
        Refused: it has no such property.
    """
    asked = [_touches(known, event, prop) for event, prop in touches.items()]
    ends = _event(known, conversion)
    worth = "1.0" if value is None else f"{_column(ends, value, Kind.NUMBER)} / 1e6"
    spared = "NULL" if cost is None else f"coalesce({worth}, 0.0) - {_column(ends, cost, Kind.NUMBER)} / 1e6"
    # A touch belongs to the next conversion of its customer; at one instant the touch is the cause.
    table = known.arrow(
        f"WITH t AS ({' UNION ALL '.join(asked)}), "
        "a AS (SELECT customer, ts, 0 AS ends, channel, NULL AS value, NULL AS margin FROM t WHERE channel IS NOT NULL "
        f"UNION ALL SELECT customer, ts, 1, NULL, coalesce({worth}, 0.0), CAST({spared} AS DOUBLE) "
        f"FROM ({known.event(conversion)})), "
        "n AS (SELECT *, sum(ends) OVER (PARTITION BY customer ORDER BY ts, ends, value, margin "
        "ROWS UNBOUNDED PRECEDING) - ends AS turn FROM a), "
        "p AS (SELECT customer, turn, max(CASE WHEN ends = 1 THEN ts END) AS until, max(value) AS value, "
        "max(margin) AS margin FROM n GROUP BY customer, turn) "
        "SELECT n.customer, CAST(n.turn AS BIGINT) AS turn, n.ends = 1 AS ends, n.channel, p.value, p.margin, n.ts, "
        f"coalesce(p.until - n.ts <= {days * DAY}, FALSE) AS counts, (p.until - n.ts) / {DAY}.0 AS age "
        "FROM n JOIN p USING (customer, turn) ORDER BY n.customer, n.turn, counts, n.ts, n.ends, n.channel"
    )
    return _laid_out(table, with_margin=cost is not None)


def _laid_out(table: pa.Table, *, with_margin: bool) -> Paths:
    customer, turn, at = (table[name].to_numpy() for name in ("customer", "turn", "ts"))
    ends, counts = (table[name].to_numpy(zero_copy_only=False).astype(bool) for name in ("ends", "counts"))
    # What counts for a conversion, and what came to nothing, are paths of their own.
    of_path = np.stack([customer, turn, counts])
    new = np.ones(len(customer), bool)
    new[1:] = (of_path[:, 1:] != of_path[:, :-1]).any(axis=0)
    last = np.roll(new, -1)
    path, touch = np.cumsum(new) - 1, ~ends
    lengths = np.bincount(path[touch], minlength=int(new.sum()))
    names, channel = _channels(table)
    converted, worth = counts[new], _floats(table, "value")[new]
    margin = np.where(converted, _floats(table, "margin")[new], 0.0) if with_margin else None
    return Paths(
        np.append(0, np.cumsum(lengths)).astype(np.int64),
        channel[touch],
        np.nan_to_num(_floats(table, "age"))[touch],
        converted,
        np.where(converted, np.nan_to_num(worth), 0.0),
        names,
        customer[new].astype(np.int64),
        at[last].astype(np.int64),
        turn[new].astype(np.int64),
        margin,
    )


def _floats(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = table[name].cast("float64").to_numpy(zero_copy_only=False)
    return found


def _channels(table: pa.Table) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The names in order, and the place of each row's among them; -1 for a conversion."""
    words = table["channel"].combine_chunks().dictionary_encode()
    names = words.dictionary.to_pylist()
    place = words.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    order = sorted(range(len(names)), key=lambda i: names[i])
    renamed = np.full(len(names) + 1, -1, np.int64)
    renamed[order] = np.arange(len(names))
    return [names[i] for i in order], renamed[place]


def _touches(known: AsOf, event: str, prop: str | None) -> str:
    found = _event(known, event)
    name = event.replace("'", "''")
    channel = f"'{name}'" if prop is None else f"nullif(trim({_named(found, prop)}), '')"
    return f"SELECT customer, ts, {channel} AS channel FROM ({known.event(event)})"


def _event(known: AsOf, name: str) -> EventType:
    found = known.events.get(name)
    if found is None:
        raise UnknownName("event", name, known.events)
    return found


def _named(event: EventType, name: str) -> str:
    """A property that names a channel or campaign, as text: many systems number their campaigns."""
    found = event.properties.get(name)
    if found is None or found.kind is not Kind.NUMBER:
        return _column(event, name, Kind.TEXT)
    col = found.col
    return (
        f"CASE WHEN {col} % {MICRO} = 0 THEN CAST(CAST(({col} - {col} % {MICRO}) / {MICRO} AS BIGINT) AS VARCHAR) "
        f"ELSE CAST(CAST({col} AS DOUBLE) / {MICRO} AS VARCHAR) END"
    )


def _column(event: EventType, name: str, kind: Kind) -> str:
    found = event.properties.get(name)
    if found is None or found.kind is not kind:
        there = ", ".join(p.name for p in event.properties.values() if p.kind is kind)
        raise Refused(f'"{event.name}" has no {kind.value} {name!r}.', fix=f"It has: {there or 'none'}.")
    return found.col
