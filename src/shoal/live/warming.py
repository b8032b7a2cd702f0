"""Compiles the loops before anybody waits for them: on a machine that never ran them this takes half a minute, else none."""

from __future__ import annotations

import numpy as np

from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Kind, PropertyType, Schema
from shoal.live.batches import Events
from shoal.live.caching import has_numba
from shoal.live.engine import Engine

_DAY = 86_400_000_000
_MANY = 100
"""Customers, more than one lane is wide."""


def warm_up() -> None:
    """Run each loop once, on an engine that is thrown away."""
    if not has_numba():
        return
    schema = Schema(events={"Seen": {"amount": PropertyType(Kind.NUMBER)}})
    where = 'sum(amount of "Seen" in last 2 days) > 1'
    engine = Engine(schema, {"some": Definition("some", "Some", parse(where))}, _DAY)
    rows = np.arange(_MANY)
    engine.state.people.fill([f"c{n}" for n in rows], np.zeros(_MANY, np.int64))
    engine.state.event_table("Seen").fill(rows, rows, [""] * _MANY, {"amount": rows})
    engine.build(quiet=True)
    engine.warm()
    for many in (1, 2):
        events = Events(["c1"] * many, ["Seen"] * many, [_DAY] * many, ["m", "n"][:many], {"amount": [3] * many})
        engine.apply_events(events)
    engine.advance(4 * _DAY)
