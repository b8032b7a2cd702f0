"""One emitter a family of nodes, under the file names of ``lang/say``."""

from shoal.sql.emit import (
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
from shoal.sql.emit.registry import CONDITIONS, VALUES, condition, value

__all__ = [
    "CONDITIONS",
    "VALUES",
    "arithmetic",
    "bucket",
    "compare",
    "condition",
    "events",
    "first",
    "history",
    "logic",
    "member",
    "place",
    "rank",
    "regular",
    "sequence",
    "value",
    "window",
]
