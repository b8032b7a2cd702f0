"""An engine's state as arrays, and back."""

from __future__ import annotations

import json
from random import Random

import pytest

from shoal.live.engine import Engine

from .shop import DAY, NOW, SCHEMA, definitions, engine, event, filled, memberships


def test_an_engine_goes_on_where_it_stopped() -> None:
    """Breaks if anything that later answers depend on isn't in the arrays."""
    one = filled(engine(), 5)
    one.build()
    one.merge("c1", "c2")
    one.settle()
    head, arrays = one.arrays()
    head = json.loads(json.dumps(head))
    other = Engine.from_arrays(head, {name: array.copy() for name, array in arrays.items()}, SCHEMA, definitions())
    assert memberships(other) == memberships(one)
    assert other.next_due() == one.next_due()
    random = Random(6)
    for step in range(60):
        each = event(random, 20_000 + step, NOW + step * DAY // 7)
        for engine_ in (one, other):
            engine_.advance(NOW + step * DAY // 7)
            engine_.add_event(*each)
        assert one.settle() == other.settle()
    assert one.unmerge("c2") == other.unmerge("c2")


def test_another_format_is_refused() -> None:
    """Breaks if arrays of another release are taken for this one's."""
    head, arrays = filled(engine(), 7, 10).arrays()
    with pytest.raises(ValueError, match="format"):
        Engine.from_arrays({**head, "format": 99}, arrays, SCHEMA, definitions())
