"""An engine's state as arrays, and back."""

from __future__ import annotations

import json
from random import Random

import pytest

from shoal.live.engine import Engine
from shoal.live.freeze import captured

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


def test_what_was_captured_stays_as_it_was_while_the_engine_goes_on() -> None:
    """Breaks if a snapshot that is being written sees what came after it: late history, words, runs, merges."""
    one = filled(engine(), 8)
    one.build()
    one.merge("c1", "c2")
    one.settle()
    # What is captured first is stored at once and shows how the state was.
    head, arrays = one.arrays()
    then = Engine.from_arrays(head, {name: array.copy() for name, array in arrays.items()}, SCHEMA, definitions())
    held = captured(one)
    random = Random(9)
    for number in range(300):
        one.advance(NOW + number * DAY // 50)
        one.add_event(*event(random, 30_000 + number, one.now))
        one.settle()
    one.merge("c3", "c4")
    one.unmerge("c2")
    one.add_event("new", "visit", one.now, "n1", {"page": "never seen"})
    one.settle()
    for table in one.state.tables():
        table.compact()
    head, arrays = held.finished()
    later = Engine.from_arrays(json.loads(json.dumps(head)), arrays, SCHEMA, definitions())
    assert memberships(later) == memberships(then)
    assert (later.now, later.next_due(), len(later.state.people)) == (NOW, then.next_due(), len(then.state.people))
    random = Random(10)
    for step in range(60):
        each = event(random, 20_000 + step, NOW + step * DAY // 7)
        for engine_ in (then, later):
            engine_.advance(NOW + step * DAY // 7)
            engine_.add_event(*each)
        assert then.settle() == later.settle()


def test_another_format_is_refused() -> None:
    """Breaks if arrays of another release are taken for this one's."""
    head, arrays = filled(engine(), 7, 10).arrays()
    with pytest.raises(ValueError, match="format"):
        Engine.from_arrays({**head, "format": 99}, arrays, SCHEMA, definitions())
