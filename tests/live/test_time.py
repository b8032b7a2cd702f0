"""Time in pieces comes to what it comes to at once, whatever is received between the pieces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from random import Random

import pytest

from shoal.live.batches import Events
from shoal.live.changes import Change
from shoal.live.engine import Engine
from shoal.live.values import Micro

from .shop import DAY, NOW, SCHEMA, SECOND, TEXTS, definitions, engine, event, filled, memberships

CALENDAR = {
    **TEXTS,
    "today": 'did "visit" in this day',
    "lately": 'count("visit" in last 3 calendar days) >= 2',
    "month": 'sum(amount of "order" in this month) >= 50',
}


def by_customer(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """Each customer's changes in the order in which they were told."""
    found = defaultdict(list)
    for change in changes:
        found[change.customer].append(change)
    return dict(found)


def in_pieces(one: Engine, t: int, most: int) -> list[Change]:
    """Let time pass, a few customers at a time."""
    changes = one.advance(t, most)
    while one.behind:
        changes += one.advance(t, most)
    return changes


def received(one: Engine, events: list[tuple[object, ...]], together: bool) -> list[Change]:
    """Take events in, one by one or as a batch."""
    if not together:
        for each in events:
            one.add_event(*each)  # type: ignore[arg-type]
        return one.settle("received")
    columns = {name: [e[4].get(name) for e in events] for name in ("amount", "shop", "page")}  # type: ignore[attr-defined]
    who, names, ts, mids = ([e[i] for e in events] for i in range(4))
    return one.apply_events(Events(who, names, ts, mids, columns), "received")  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [1, 3, 1_000])
def test_pieces_are_the_whole(most: int) -> None:
    """Breaks if a customer is left out, judged at another instant than their own, or told of twice."""
    whole, pieces = filled(engine(CALENDAR), 11), filled(engine(CALENDAR), 11)
    for each in (whole, pieces):
        each.build()
    for step in range(1, 8):
        at = NOW + step * (DAY + 7 * SECOND)
        assert sorted(in_pieces(pieces, at, most)) == sorted(whole.advance(at))
        assert memberships(pieces) == memberships(whole)
        assert pieces.next_due() == whole.next_due()


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_what_comes_between_pieces_waits_for_nobody(seed: int, together: bool) -> None:
    """Breaks if an event, trait, merge or edit between two pieces finds a customer as they were before time passed."""
    whole, pieces = filled(engine(CALENDAR), 12), filled(engine(CALENDAR), 12)
    random = Random(seed)
    for each in (whole, pieces):
        each.build()
    now = NOW
    for step in range(10):
        now += random.choice([DAY, DAY // 3, 2 * DAY])
        ours, theirs = list(pieces.advance(now, 2)), list(whole.advance(now))
        for part in range(3):
            events = [event(random, 1_000 * step + 10 * part + i, now) for i in range(random.randrange(1, 4))]
            age = Micro(random.randrange(18, 60) * SECOND)
            who, other = f"c{random.randrange(40)}", f"c{random.randrange(40)}"
            for one, told in ((pieces, ours), (whole, theirs)):
                told += received(one, events, together)
                one.add_trait(who, "age", age, now - part, f"t{step}-{part}")
                told += one.settle("received")
            if part == 1 and who != other and not pieces.state.people.merges:
                for one, told in ((pieces, ours), (whole, theirs)):
                    told += [*one.merge(who, other), *one.settle("merged")]
            if step == 6 and part == 1:
                for one, told in ((pieces, ours), (whole, theirs)):
                    one.define(definitions({**CALENDAR, "often": 'count("visit" in last 4 days) >= 2'}))
                    told += one.settle("definition changed")
            ours += pieces.advance(now, 2)
        ours += in_pieces(pieces, now, 2)
        assert by_customer(ours) == by_customer(theirs)
        assert memberships(pieces) == memberships(whole)


def test_a_snapshot_between_pieces_goes_on() -> None:
    """Breaks if an engine that was saved while customers waited forgets that they do."""
    one = filled(engine(CALENDAR), 13)
    one.build()
    at = NOW + 3 * DAY
    one.advance(at, 1)
    assert one.behind
    head, arrays = one.arrays()
    copies = {name: array.copy() for name, array in arrays.items()}
    other = Engine.from_arrays(head, copies, SCHEMA, definitions(CALENDAR))
    assert other.behind
    assert sorted(in_pieces(other, at, 2)) == sorted(in_pieces(one, at, 5))
    assert memberships(other) == memberships(one)


def test_who_is_due_first_comes_first() -> None:
    """Breaks if a piece takes somebody who is due later while another waits."""
    one = filled(engine(CALENDAR), 14)
    one.build()
    at, last = NOW + 5 * DAY, 0
    changes = one.advance(at, 1)
    while one.behind:
        due = one.next_due()
        assert due >= last
        last = due
        changes += one.advance(at, 1)
    assert changes
    assert [change.at for change in changes] == sorted(change.at for change in changes)


def test_the_order_among_equals_is_that_of_ids() -> None:
    """Breaks if who of those due together comes first hangs on where they stand in memory: a replay numbers changes alike."""
    told = []
    for ids in (range(200), reversed(range(200))):
        one = engine({"today": 'did "visit" in this day'})
        for i in ids:
            one.add_event(f"c{i}", "visit", NOW - SECOND, f"m{i}", {})
        one.build()
        one.advance(NOW + DAY, 70)
        told.append({f"c{i}" for i in range(200)} - set(one.members("today")))
    assert len(told[0]) == 70
    assert told[0] == told[1]
