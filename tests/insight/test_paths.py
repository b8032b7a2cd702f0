"""Paths: in the order of time, from a start and to an end, against a walk through each customer's events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import instant

from shoal.clock import DAY, HOUR, MINUTE
from shoal.customers.writer import write_records
from shoal.errors import Refused, UnknownName
from shoal.insight.models.asof import AsOf
from shoal.insight.paths import Asked, Flow, Paths, paths
from shoal.lang.parse import parse_events
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule, SessionRule
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import learned_schema
from shoal.stats.intervals import wilson

Write = Callable[[Iterable[Any]], None]
START = instant("2024-03-01", 9)


def door(store: DuckStore) -> AsOf:
    """The store as of an instant after all that tests write."""
    traits, events = learned_schema(store)
    return AsOf(store, RevenueRule(), Schema(traits=traits, events=events), START + 300 * DAY)


def did(who: str, name: str, after: int, **properties: Any) -> Event:
    """An event, so many microseconds after the start."""
    return Event(who, name, START + after, properties)


def asked(anchor: str | None = None, **more: Any) -> Asked:
    """Paths over a hundred days."""
    events = None if anchor is None else parse_events(anchor)
    return Asked(START, START + 100 * DAY, events, events.name if events else "", **more)


def ask(store: DuckStore, anchor: str | None = None, **more: Any) -> Paths:
    """Paths, worked out."""
    return paths(door(store), asked(anchor, **more), SessionRule())


def taken(found: Paths) -> dict[tuple[str, ...], int]:
    """Customers by path."""
    return {one.steps: one.customers for one in found.paths}


def test_from_a_start(store: DuckStore, write: Write) -> None:
    """Breaks when what came before or at the start's instant is a step, repeats count, or a break doesn't end it."""
    write([
        did("a", "Zero", 0), did("a", "A", MINUTE), did("a", "Zero", MINUTE), did("a", "A", 2 * MINUTE),
        did("a", "B", 3 * MINUTE), did("a", "B", 4 * MINUTE), did("a", "C", 5 * MINUTE), did("a", "D", 36 * MINUTE),
        did("b", "A", 0), did("b", "B", 30 * MINUTE), did("c", "A", 0),
    ])  # fmt: skip
    found = ask(store, '"A"')
    assert taken(found) == {("A", "B", "C"): 1, ("A", "B"): 1, ("A",): 1}
    assert (found.customers, found.rest, found.kinds) == (3, 0, 3)
    assert found.flows == (
        Flow(0, "A", "B", 2), Flow(0, "A", None, 1), Flow(1, "B", "C", 1), Flow(1, "B", None, 1), Flow(2, "C", None, 1),
    )  # fmt: skip
    wide = ask(store, '"A"', within=DAY)
    assert ("A", "B", "C", "D") in taken(wide)


def test_to_an_end(store: DuckStore, write: Write) -> None:
    """Breaks when steps before an end stand in the wrong order or beyond the number that was asked for."""
    for who in "ab":
        write([did(who, n, at * MINUTE) for at, n in enumerate(["W", "X", "Y", "Z", "Bought", "Later"])])
    write([did("c", "Z", 0), did("c", "Bought", MINUTE), did("c", "Bought", 3 * DAY)])
    found = ask(store, '"Bought"', back=True, steps=3)
    assert taken(found) == {("X", "Y", "Z", "Bought"): 2, ("Z", "Bought"): 1}
    assert Flow(-1, "Z", "Bought", 3) in found.flows
    assert Flow(-2, None, "Z", 1) in found.flows
    assert [f.place for f in found.flows] == [-1, -2, -2, -3]


def test_from_the_first_event_at_all(store: DuckStore, write: Write) -> None:
    """Breaks when a path doesn't begin with the first event of the period, or ends where the period does."""
    end = 100 * DAY
    write(
        [
            did("a", "Old", -HOUR),
            did("a", "A", 0),
            did("a", "B", MINUTE),
            did("b", "A", end - 1),
            did("b", "B", end + 1),
        ]
    )
    assert taken(ask(store, steps=2)) == {("A", "B"): 2}


def test_pages_are_told_by_their_name_and_steps_can_be_chosen(store: DuckStore, write: Write) -> None:
    """Breaks when all pages are one step, or an event that wasn't asked for is one."""
    write([
        did("a", "Page Viewed", 0, url="https://x.org/?a"), did("a", "Button Pressed", 1, url="https://x.org/"),
        did("a", "Page Viewed", MINUTE, url="https://x.org/cart#2"), did("a", "Order Completed", 2 * MINUTE),
    ])  # fmt: skip
    assert taken(ask(store)) == {("/", "Button Pressed", "/cart", "Order Completed"): 1}
    assert taken(ask(store, events=("Page *", "Order Completed"))) == {("/", "/cart", "Order Completed"): 1}
    with pytest.raises(UnknownName, match="Pgae Viewed"):
        ask(store, events=("Pgae Viewed",))


def test_an_instant_s_events_go_by_message_id(store: DuckStore, write: Write) -> None:
    """Breaks when a path hangs on where rows stand."""
    write([Event("a", n, START, {}, message_id=m) for n, m in [("Z", "1"), ("A", "2"), ("M", "3")]])
    assert taken(ask(store)) == {("Z", "A", "M"): 1}


def test_the_rest_is_counted_together(store: DuckStore, write: Write) -> None:
    """Breaks when customers are lost between the paths and the rest, or a place has more steps than are told apart."""
    write([did(f"c{n}", "A", 0) for n in range(60)])
    write([did(f"c{n}", f"P{n % 20:02}" if n < 40 else "P00", MINUTE) for n in range(60)])
    found = ask(store, '"A"', top=3, branches=4)
    assert (found.paths[0].steps, found.paths[0].customers, found.rest) == (("A", "P00"), 22, 34)
    assert found.paths[0].share == wilson(22, 60)
    assert {f.target: f.customers for f in found.flows if f.place == 0} == {
        "P00": 22, "P01": 2, "P02": 2, "P03": 2, "(other)": 32,
    }  # fmt: skip
    assert found.rows()[-1]["path"] is None
    assert sum(found.table()["customers"].to_pylist()) == 60


def test_what_is_refused(store: DuckStore, write: Write) -> None:
    """Breaks when paths without steps, an end without an event, or an empty period are told."""
    write([did("a", "A", 0)])
    for anchor, more, said in [
        ('"A"', {"steps": 0}, "1 to 10 steps"), ('"A"', {"steps": 11}, "1 to 10 steps"),
        (None, {"back": True}, "need the event"), ('"B"', {}, "Nobody did anything"),
    ]:  # fmt: skip
        with pytest.raises(Refused, match=said):
            ask(store, anchor, **more)


# ---------------------------------------------------------------- the oracle

Drawn = Sequence[tuple[str, str, int]]
drawn = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("ABCD"), st.integers(0, 80)), min_size=1, max_size=14,
    unique_by=lambda e: (e[0], e[2]),
)  # fmt: skip


def walked(mine: Drawn, anchor: str, back: bool, steps: int, within: int | None) -> tuple[str, ...] | None:
    """One customer's path, step by step."""
    starts = [ts for _, name, ts in mine if name == anchor]
    if not starts:
        return None
    origin = before = min(starts)
    path = [anchor]
    ahead = sorted(
        (e for e in mine if (e[2] < origin if back else e[2] > origin)), key=lambda e: -e[2] if back else e[2]
    )
    for _, name, ts in ahead:
        if abs(ts - (origin if within else before)) > (within or 30):
            break
        before = ts
        if name != path[-1]:
            path.append(name)
    kept = path[: steps + 1]
    return tuple(kept[::-1] if back else kept)


@contextmanager
def holding(found: Drawn) -> Iterator[AsOf]:
    """A store of the drawn events, a minute a unit."""
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    try:
        write_records(store, [Event(who, n, START + ts * MINUTE) for who, n, ts in found], zone="UTC", received=0)
        yield door(store)
    finally:
        store.close()


@given(drawn, st.booleans(), st.integers(1, 4), st.sampled_from([None, 20]))
@settings(max_examples=60)
def test_paths_are_those_of_a_walk(found: Drawn, back: bool, steps: int, within: int | None) -> None:
    """Breaks when SQL's paths, or what flows from step to step, aren't those of a walk through each one's events."""
    each = [walked([e for e in found if e[0] == who], "A", back, steps, within) for who in {e[0] for e in found}]
    expected = Counter(path for path in each if path)
    if not expected:
        return
    with holding(found) as known:
        wanted = asked('"A"', back=back, steps=steps, within=within and within * MINUTE, top=99)
        told = paths(known, wanted, SessionRule())
    assert taken(told) == dict(expected)
    for place in range(steps):
        through = sum(f.customers for f in told.flows if f.place == (-place - 1 if back else place))
        assert through == sum(n for path, n in expected.items() if len(path) > place)
