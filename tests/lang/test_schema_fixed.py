"""A schema that others go on learning into, held still for a reader."""

from __future__ import annotations

from threading import Thread

from shoal.lang.check import check
from shoal.lang.parse import parse
from shoal.lang.schema import Kind, PropertyType, Schema


def test_what_is_learned_meanwhile_changes_nothing_for_a_reader() -> None:
    """Breaks if definitions are checked against names that come and go under the reader: a fault was there and then wasn't."""
    traits: dict[str, Kind] = {}
    events: dict[str, dict[str, PropertyType]] = {"Order Completed": {}}
    live = Schema(traits=traits, events=events)
    fixed = live.fixed()
    traits["plan"] = Kind.TEXT
    events["Order Completed"]["revenue"] = PropertyType(Kind.NUMBER, {})
    events["Cart Updated"] = {}
    assert fixed.traits == {}
    assert fixed.events == {"Order Completed": {}}
    assert live.fixed().events["Order Completed"].keys() == {"revenue"}
    check(parse('count("Cart Updated") >= 1 and plan = "pro"'), live.fixed())


def test_it_can_be_held_still_while_names_are_learned() -> None:
    """Breaks if a copy is taken step by step: a dict that grows meanwhile ends it."""
    events: dict[str, dict[str, PropertyType]] = {}
    live, done = Schema(events=events), []

    def learn() -> None:
        for i in range(20_000):
            events[f"e{i}"] = {"p": PropertyType(Kind.TEXT, {})}
        done.append(True)

    learning = Thread(target=learn)
    learning.start()
    while not done:
        live.fixed()
    learning.join()
    assert len(live.fixed().events) == 20_000
