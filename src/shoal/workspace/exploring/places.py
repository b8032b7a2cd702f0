"""Where customers are, and on which channel they are at home: traits of places and points, and what their events say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused, UnknownName
from shoal.lang import nodes as n
from shoal.lang.lex import name_text
from shoal.lang.schema import Kind
from shoal.stats.intervals import wilson
from shoal.workspace.exploring.conditions import WIDTH, among, equal
from shoal.workspace.exploring.ground import counted, ids, slug_in, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.models.asof import AsOf
    from shoal.lang.schema import Schema
    from shoal.workspace.opening import Workspace

PLACES = ("country", "region", "state", "province", "county", "city", "town", "postcode", "zip", "market")
CHANNELS = ("channel", "preferred_channel", "favourite_channel", "channel_preference", "source", "medium")
MOST = 30
SQUARE = 1.0
"""Points are counted in squares of so many degrees."""


def _is_of(name: str, kinds: tuple[str, ...]) -> bool:
    words = name.rsplit(".", 1)[-1].lower()
    return any(words == one or words.endswith(f"_{one}") or words.startswith(f"{one}_") for one in kinds)


def choices(schema: Schema) -> dict[str, list[str]]:
    """What customers may be placed by: ``place`` traits, ``point`` traits, and ``channel`` traits and properties."""
    texts = sorted(name for name, kind in schema.traits.items() if kind is Kind.TEXT)
    said = [name for name in texts if _is_of(name, CHANNELS)]
    told = [
        f"{name_text(prop)} of {n_event(event)}"
        for event, properties in sorted(schema.events.items())
        for prop, kind in sorted(properties.items())
        if kind.kind is Kind.TEXT and _is_of(prop, CHANNELS)
    ]
    return {
        "place": [name for name in texts if _is_of(name, PLACES)],
        "point": sorted(name for name, kind in schema.traits.items() if kind is Kind.POINT),
        "channel": [*said, *told],
    }


def n_event(name: str) -> str:
    """An event's name as the language writes it."""
    from shoal.lang.show import show

    return show(n.Events(name), width=WIDTH)


def places(workspace: Workspace, *, by: str | None = None, segment: str | None = None) -> dict[str, Any]:
    """How many customers each place or channel has.

    Args:
        workspace: where.
        by: a trait of ``choices``, or a property of an event, of which each customer's most frequent value counts; the first
            place that there is by default, else the first channel.
        segment: only its members.

    Returns:
        ``rows``: value, customers, share with its interval, where; of points: latitude, longitude, customers, where None.

    Raises:
        Refused: there is nothing of the kind in the data.
        UnknownName: it isn't one of the choices.
    """
    slug, schema = slug_in(workspace, segment), workspace.schema
    found = choices(schema)
    every = [*found["place"], *found["point"], *found["channel"]]
    if not every:
        raise Refused(
            "Nothing in the data says where customers are, or on which channel.",
            fix=f"Load a trait such as {', '.join(PLACES[:3])}, a point, or events with a channel.",
        )
    by = by or every[0]
    if by not in every:
        raise UnknownName("place", by, every)
    with workspace.models.as_of() as known:
        told = _points(known, by, slug) if by in found["point"] else _values(known, by, slug)
        return {"as_of": clock.iso(known.at), "segment": segment, "by": by, "choices": found} | told


def _values(known: AsOf, by: str, slug: str | None) -> dict[str, Any]:
    node, text = _node(by)
    with values_of(known, {"place": node}, slug) as table:
        rows = counted(
            known, f"SELECT place AS value, count(*) AS customers FROM {table} GROUP BY 1 ORDER BY 2 DESC, 1"
        )
    known_of = [row for row in rows if row["value"] is not None]
    n_known = sum(row["customers"] for row in known_of)
    shown = [
        row | _share(row["customers"], n_known) | {"where": among(slug, text(row["value"]))} for row in known_of[:MOST]
    ]
    missing = sum(row["customers"] for row in rows if row["value"] is None)
    return {
        "form": "values", "rows": shown, "n": n_known, "missing": missing, "kinds": len(known_of),
        "rest": sum(row["customers"] for row in known_of[MOST:]),
    }  # fmt: skip


def _share(customers: int, n_known: int) -> dict[str, float]:
    value, low, high = wilson(customers, n_known)
    return {"share": value, "low": low, "high": high}


def _node(by: str) -> tuple[n.Node, Any]:
    """The value of a customer, and how its equality with a text is written."""
    from shoal.lang.lex import quoted
    from shoal.lang.parse import parse_value

    if " of " not in by:
        return n.Trait(by), lambda value: equal(by, value)
    told = f"most frequent({by})"
    return parse_value(told), lambda value: f"{told} = {quoted(value)}"


def _points(known: AsOf, by: str, slug: str | None) -> dict[str, Any]:
    """Customers by square of a degree."""
    squares: dict[tuple[float, float], int] = {}
    for _, square in _squares(known, by, slug):
        squares[square] = squares.get(square, 0) + 1
    told = [
        {"latitude": a, "longitude": b, "customers": many, "where": None, "mark": f"{a},{b}"}
        for (a, b), many in sorted(squares.items())
    ]
    return {"form": "points", "rows": told, "n": sum(squares.values()), "missing": 0, "kinds": len(told), "rest": 0}


def _squares(known: AsOf, by: str, slug: str | None) -> Iterator[tuple[int, tuple[float, float]]]:
    """Each customer whose place is known, and the middle of the square that it lies in."""
    trait = next(one for one in known.traits if one.name == by)
    inside = "" if slug is None else " AND t.owner IN (SELECT k FROM {table})"
    with values_of(known, {"place": n.Trait(by)} if slug is None else {}, slug) as table:
        rows = counted(
            known,
            f"SELECT t.owner AS owner, t.value AS value FROM ({known.trait(trait)}) t "
            f"WHERE t.value IS NOT NULL{inside.format(table=table)}",
        )
    for row in rows:
        x, y, z = (row["value"][key] / 1e9 for key in ("x", "y", "z"))
        angles = math.degrees(math.asin(max(-1.0, min(1.0, z)))), math.degrees(math.atan2(y, x))
        latitude, longitude = (math.floor(angle / SQUARE) * SQUARE + SQUARE / 2 for angle in angles)
        yield row["owner"], (latitude, longitude)


def placed(workspace: Workspace, mark: str, *, by: str | None = None, segment: str | None = None) -> list[str]:
    """The ids of those in a square of the map: the mark is the latitude and longitude of its middle."""
    slug = slug_in(workspace, segment)
    points = choices(workspace.schema)["point"]
    if by not in points:
        raise UnknownName("point", by or "", points)
    with workspace.models.as_of() as known:
        return ids(workspace, [owner for owner, (a, b) in _squares(known, by, slug) if f"{a},{b}" == mark])
