"""Funnels: against every chain there is, at their edges, by group, and where the others went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import instant

from shoal.clock import DAY, HOUR, MINUTE
from shoal.customers.writer import write_records
from shoal.errors import DefinitionError, Refused
from shoal.insight.funnels import Asked, Funnel, funnel
from shoal.insight.models.asof import AsOf
from shoal.lang.parse import parse_events
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule, SessionRule, TraitChange
from shoal.sql.duck import DuckStore, create_store
from shoal.sql.registry import learned_schema
from shoal.stats.intervals import wilson

Write = Callable[[Iterable[Any]], None]
START = instant("2024-03-01", 9)
LATE = START + 300 * DAY


def door(store: DuckStore, at: int = LATE) -> AsOf:
    """The store as of an instant, by default after all that tests write."""
    traits, events = learned_schema(store)
    return AsOf(store, RevenueRule(), Schema(traits=traits, events=events), at)


def did(who: str, name: str, after: int, **properties: Any) -> Event:
    """An event, so many microseconds after the start."""
    return Event(who, name, START + after, properties)


def asked(*texts: str, within: int = 10 * DAY, **more: Any) -> Asked:
    """A funnel over a hundred days."""
    return Asked([parse_events(text) for text in texts], texts, START, START + 100 * DAY, within, **more)


def ask(known: AsOf, *texts: str, **more: Any) -> Funnel:
    """A funnel, worked out."""
    return funnel(known, asked(*texts, **more), SessionRule())


def counts(found: Funnel) -> list[int]:
    """How many customers took each step."""
    return [step.customers for step in found.steps]


def test_steps_shares_and_times(store: DuckStore, write: Write) -> None:
    """Breaks when a share has the wrong base, an interval isn't Wilson's, or a time isn't the median of the step's own."""
    for number in range(10):
        write([did(f"c{number}", "Viewed", 0)])
    for number in range(6):
        write([did(f"c{number}", "Added", (number + 1) * HOUR)])
    write([did("c0", "Bought", 5 * HOUR), did("c1", "Bought", 3 * HOUR), did("c2", "Bought", 3 * HOUR)])
    viewed, added, bought = ask(door(store), '"Viewed"', '"Added"', '"Bought"').steps
    assert (viewed.customers, added.customers, bought.customers) == (10, 6, 2)
    assert (added.overall, added.conversion) == (wilson(6, 10), wilson(6, 10))
    assert (bought.overall, bought.conversion) == (wilson(2, 10), wilson(2, 6))
    assert (viewed.seconds, added.seconds, bought.seconds) == (None, 3.5 * 3600, 2.5 * 3600)


def test_a_step_is_strictly_later_and_in_time(store: DuckStore, write: Write) -> None:
    """Breaks when two events of one instant follow each other, or the limit's last microsecond is out."""
    write([
        did("same", "A", 0), did("same", "B", 0), did("last", "A", 0), did("last", "B", DAY),
        did("late", "A", 0), did("late", "B", DAY + 1), did("before", "B", 0), did("before", "A", 1),
    ])  # fmt: skip
    assert counts(ask(door(store), '"A"', '"B"', within=DAY)) == [4, 1]


def test_a_later_start_counts_when_it_leads_further(store: DuckStore, write: Write) -> None:
    """Breaks when only a customer's first start is tried: its time was over when the next step came."""
    write([did("c", "A", 0), did("c", "A", 5 * DAY), did("c", "B", 5 * DAY + HOUR)])
    found = ask(door(store), '"A"', '"B"', within=DAY)
    assert counts(found) == [1, 1]
    assert found.steps[1].seconds == 3600


def test_the_first_step_is_in_the_period_and_later_ones_may_come_after(store: DuckStore, write: Write) -> None:
    """Breaks when the period cuts off conversions that came in time, or lets in who came before or after it."""
    end = 100 * DAY
    write([
        did("in", "A", end - 1), did("in", "B", end + HOUR), did("after", "A", end), did("after", "B", end + HOUR),
        did("before", "A", -1), did("before", "B", HOUR),
    ])  # fmt: skip
    assert counts(ask(door(store), '"A"', '"B"')) == [1, 1]


def test_who_still_has_time_is_told(store: DuckStore, write: Write) -> None:
    """Breaks when a step that may yet come is counted as one that didn't, with no word of it."""
    write(
        [
            did("done", "A", 0),
            did("done", "B", HOUR),
            did("over", "A", 0),
            did("time", "A", 5 * DAY),
            did("again", "A", 0),
        ]
    )
    # The last instant in which "edge" could have taken the step is the one that is asked for.
    write([did("again", "A", 6 * DAY), did("edge", "A", 4 * DAY)])
    now = ask(door(store, START + 6 * DAY), '"A"', '"B"', within=2 * DAY)
    assert (counts(now), now.steps[1].open, now.finished) == ([5, 1], 2, False)
    later = ask(door(store), '"A"', '"B"', within=2 * DAY)
    assert (later.steps[1].open, later.finished) == (0, True)


def test_filters_speak_the_language(store: DuckStore, write: Write) -> None:
    """Breaks when a filter's lists, traits or matches are another language's."""
    write([
        TraitChange("a", "home", "KE", START - DAY), TraitChange("b", "home", "UG", START - DAY),
        did("a", "Viewed", 0, category="shoes", country="KE"), did("b", "Viewed", 0, category="shoes", country="KE"),
        did("c", "Viewed", 0, category="hats", country="KE"), did("a", "Bought", HOUR, items=[{"kind": "x", "price": 12}]),
        did("b", "Bought", HOUR, items=[{"kind": "x", "price": 2}]),
    ])  # fmt: skip
    known = door(store)
    assert counts(ask(known, '"Viewed" where category = "shoes"', '"Bought" where any items (price > 10)')) == [2, 1]
    assert counts(ask(known, '"Viewed" where country = trait home', '"Bought"')) == [1, 1]
    assert counts(ask(known, '"View*" where category starts with "sh"', '"Bought"')) == [2, 2]


def test_in_any_order(store: DuckStore, write: Write) -> None:
    """Breaks when the order matters after all, or steps further apart than the limit count together."""
    write([
        did("abc", "A", 0), did("abc", "B", HOUR), did("abc", "C", 2 * HOUR),
        did("cba", "C", 0), did("cba", "B", HOUR), did("cba", "A", 3 * HOUR),
        did("far", "A", 0), did("far", "B", DAY), did("far", "C", 2 * DAY), did("same", "A", 0), did("same", "B", 0),
    ])  # fmt: skip
    found = ask(door(store), '"A"', '"B"', '"C"', within=DAY, ordered=False)
    assert counts(found) == [4, 4, 2]
    assert [step.name for step in found.steps] == ["any 1 of 3", "any 2 of 3", "all 3"]
    assert found.steps[2].seconds == 1.5 * 3600


def test_groups_by_trait_and_by_the_first_step(store: DuckStore, write: Write) -> None:
    """Breaks when a group's steps don't add up to those of all, or a later start's property counts."""
    for number in range(6):
        write([did(f"c{number}", "A", 0, via="mail" if number < 4 else "ad")])
    write([did("c0", "B", HOUR), did("c5", "B", HOUR), did("c6", "A", 0), did("c5", "A", 30 * DAY, via="mail")])
    found = ask(door(store), '"A"', '"B"', told="via")
    assert {name: [s.customers for s in steps] for name, steps in found.groups.items()} == {
        "mail": [4, 1], "ad": [2, 1], "(unknown)": [1, 0],
    }  # fmt: skip
    assert counts(found) == [7, 2]
    store.execute("CREATE TEMP TABLE places AS SELECT key AS customer, IF(id < 'c3', 'x', 'y') AS value FROM customers")
    by = ask(door(store), '"A"', '"B"', groups="places")
    assert {name: [s.customers for s in steps] for name, steps in by.groups.items()} == {"x": [3, 1], "y": [4, 1]}


def test_small_groups_are_told_together(store: DuckStore, write: Write) -> None:
    """Breaks when a property with a thousand values makes a thousand rows."""
    write([did(f"c{n}", "A", 0, via=f"v{min(n, 29) if n else 0:02}") for n in range(40)])
    groups = ask(door(store), '"A"', '"B"', told="via").groups
    assert (next(iter(groups)), list(groups)[-1], len(groups)) == ("v29", "(other)", 13)
    assert sum(steps[0].customers for steps in groups.values()) == 40


def test_only_the_members_of_a_relation(store: DuckStore, write: Write) -> None:
    """Breaks when a segment's funnel has others in it."""
    write([did("a", "A", 0), did("b", "A", 0), did("a", "B", HOUR), did("b", "B", HOUR)])
    store.execute("CREATE TEMP TABLE chosen AS SELECT key AS customer FROM customers WHERE id = 'a'")
    assert counts(ask(door(store), '"A"', '"B"', among="chosen")) == [1, 1]


def test_where_the_others_went(store: DuckStore, write: Write) -> None:
    """Breaks when what came at the same instant, too late, or after a later step is what they did instead."""
    write([
        did("gone", "A", 0), did("gone", "Page Viewed", 0, path="/now"), did("gone", "Page Viewed", HOUR, path="/help?a"),
        did("gone", "C", 2 * HOUR), did("late", "A", 0), did("late", "C", 11 * DAY), did("quiet", "A", 0),
        did("back", "A", 0), did("back", "A", HOUR), did("done", "A", 0), did("done", "B", HOUR), did("done", "C", 2 * HOUR),
    ])  # fmt: skip
    found = ask(door(store), '"A"', '"B"', '"Page Viewed"')
    assert [(i.step, i.event, i.customers) for i in found.instead] == [
        (1, "/help", 1), (1, "A", 1), (1, None, 2), (2, "C", 1),
    ]  # fmt: skip
    assert found.instead[2].share == wilson(2, 4)


def test_a_merged_customer_goes_through_once(store: DuckStore, write: Write) -> None:
    """Breaks when a step before signing in and one after it are two customers'."""
    write([did("a", "A", 0), did("b", "B", HOUR)])
    keys = dict(store.rows("SELECT id, key FROM customers"))
    store.execute("INSERT INTO merges VALUES (?, ?, 0, NULL, 'test')", [keys["a"], keys["b"]])
    assert counts(ask(door(store), '"A"', '"B"')) == [1, 1]


def test_what_is_refused(store: DuckStore, write: Write) -> None:
    """Breaks when a funnel that can't be told is told."""
    write([did("a", "A", 0)])
    known = door(store)
    for texts, more, said in [
        (['"A"'], {}, "2 to 12 steps"),
        (['"B"', '"A"'], {}, "Nobody took the first step"),
        (['"A"', '"A"'], {"ordered": False}, "Name each step once"),
        (['"A"', '"B"'], {"ordered": False, "told": "x"}, "no first step"),
        (['"A"', '"B"'], {"within": 0}, "needs time"),
    ]:
        with pytest.raises(Refused, match=said):
            ask(known, *texts, **more)
    with pytest.raises(Refused, match="ends before it begins"):
        funnel(known, replace(asked('"A"', '"B"'), end=START), SessionRule())
    with pytest.raises(DefinitionError):
        parse_events('"A" where')
    with pytest.raises(DefinitionError):
        parse_events('"A" in last 3 days')


# ---------------------------------------------------------------- the oracle

WITHIN = 6
Drawn = Sequence[tuple[str, str, int]]
drawn = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("ABC"), st.integers(-2, 14)), min_size=1, max_size=12)


def longest(mine: Drawn, steps: Sequence[str]) -> tuple[int, int]:
    """How far any chain of events leads, and the earliest start of one that leads so far: all of them are tried."""
    best = (0, 0)
    for choice in product(*[[ts for _, name, ts in mine if name == step] + [None] for step in steps]):
        taken = choice[: choice.index(None)] if None in choice else choice
        in_order = all(a < b for a, b in pairwise(taken))
        if taken and 0 <= taken[0] < 10 and in_order and taken[-1] - taken[0] <= WITHIN:
            best = max(best, (len(taken), -taken[0]))
    return best


def together(mine: Drawn, steps: Sequence[str]) -> int:
    """How many of the steps were taken within the limit from an event in the period."""
    starts = [ts for _, name, ts in mine if name in steps and 0 <= ts < 10]
    return max((len({n for _, n, ts in mine if n in steps and a <= ts <= a + WITHIN}) for a in starts), default=0)


@contextmanager
def holding(found: Drawn) -> Iterator[AsOf]:
    """A store of the drawn events, a minute a unit."""
    store = create_store(":memory:", zone="UTC", now=0, threads=1)
    try:
        made = [Event(who, name, START + ts * MINUTE) for who, name, ts in found]
        write_records(store, made, zone="UTC", received=0)
        yield door(store)
    finally:
        store.close()


@given(drawn, st.sampled_from([("A", "B"), ("A", "B", "C"), ("A", "B", "A"), ("A", "A", "B")]))
@settings(max_examples=70)
def test_no_chain_leads_further(found: Drawn, steps: tuple[str, ...]) -> None:
    """Breaks when the earliest next step isn't the right one, a tie counts as later, or a start is missed."""
    best = {who: longest([e for e in found if e[0] == who], steps) for who in {e[0] for e in found}}
    expected = [sum(depth >= at for depth, _ in best.values()) for at in range(1, len(steps) + 1)]
    with holding(found) as known:
        wanted = asked(*[f'"{step}"' for step in steps], within=WITHIN * MINUTE, top=0)
        wanted = replace(wanted, end=START + 10 * MINUTE)
        if not expected[0]:
            with pytest.raises(Refused):
                funnel(known, wanted, SessionRule())
        else:
            assert counts(funnel(known, wanted, SessionRule())) == expected


@given(drawn, st.sampled_from([("A", "B"), ("A", "B", "C")]))
@settings(max_examples=40)
def test_any_order_is_the_fullest_window(found: Drawn, steps: tuple[str, ...]) -> None:
    """Breaks when a window that begins with a later step, or at an instant of two events, is missed."""
    best = [together([e for e in found if e[0] == who], steps) for who in {e[0] for e in found}]
    expected = [sum(depth >= at for depth in best) for at in range(1, len(steps) + 1)]
    with holding(found) as known:
        wanted = asked(*[f'"{step}"' for step in steps], within=WITHIN * MINUTE, top=0, ordered=False)
        wanted = replace(wanted, end=START + 10 * MINUTE)
        if expected[0]:
            assert counts(funnel(known, wanted, SessionRule())) == expected
