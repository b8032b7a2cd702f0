"""The operators of the resident engine, a family of the language in each file."""

from __future__ import annotations

from shoal.live.operators import (
    arithmetic,
    bucket,
    compare,
    events,
    first,
    history,
    logic,
    member,
    place,
    rank,
    regular,
    sequence,
    window,
)

__all__ = [
    "arithmetic",
    "bucket",
    "compare",
    "events",
    "first",
    "history",
    "logic",
    "member",
    "place",
    "rank",
    "regular",
    "sequence",
    "window",
]
