"""The instants that the literals of a definition name: the ends of its written windows.

An engine that is off by a microsecond there is found out only by something that stands right there. So histories put
events, changes and values on them, questions are asked at them, and literals are chosen so that it matters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from .naive import named
from .vocabulary import EVENTS, TRAITS, Wire
from .wire import EPOCH, MICROSECOND, moment
from .zones import day_start

WRITTEN = ("since", "period")
"""The windows with written ends."""


def bounds_by_name(wires: list[Wire], zone: str) -> dict[str, list[int]]:
    """For each event or trait that a written window is about, the ends of such windows."""
    found: dict[str, list[int]] = {}
    for wire in wires:
        for name, instant in _bounds(wire, zone):
            found.setdefault(name, []).append(instant)
    return found


def _bounds(wire: Any, zone: str) -> Iterator[tuple[str, int]]:
    for node in nodes_in(wire):
        window = node.get("window")
        if window is not None and window["node"] in WRITTEN:
            for name in _subjects(node):
                yield from ((name, instant) for instant in ends(window, zone))


def ends(window: Wire, zone: str) -> list[int]:
    """The instants that a window's literals name."""
    return [instant_of(window[part], zone) for part in ("start", "end") if part in window]


def instant_of(literal: Wire, zone: str) -> int:
    """The instant that a literal of a window stands for."""
    if literal["node"] == "instant":
        return moment(dt.datetime.fromisoformat(literal["value"]))
    return day_start(zone, dt.date.fromisoformat(literal["value"]))


def _subjects(node: Wire) -> list[str]:
    """The names of the events or the trait that a node's window is about, or the segment."""
    if "segment" in node:
        return [node["segment"]]
    about = node.get("events") or node.get("first") or node["trait"]
    return [name for name in (*EVENTS, *TRAITS) if named(name, about["name"])]


def nodes_in(wire: Any) -> Iterator[Wire]:
    """Every node of a wire form."""
    for part in wire.values() if isinstance(wire, dict) else wire:
        if isinstance(part, dict | list):
            yield from nodes_in(part)
    if isinstance(wire, dict) and "node" in wire:
        yield wire


def moved(wire: Any, by: int, zone: str) -> Any:
    """The wire form with both ends of every written window moved by some microseconds."""
    if isinstance(wire, list):
        return [moved(part, by, zone) for part in wire]
    if not isinstance(wire, dict):
        return wire
    if wire.get("node") in WRITTEN:
        return {key: part if key == "node" else _moved_literal(part, by, zone) for key, part in wire.items()}
    return {key: moved(part, by, zone) for key, part in wire.items()}


def _moved_literal(literal: Wire, by: int, zone: str) -> Wire:
    instant = instant_of(literal, zone) + by
    return {"node": "instant", "value": (EPOCH + instant * MICROSECOND).isoformat()}
