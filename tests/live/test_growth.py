"""Arrays that grow where they stand, and published history that is gathered in runs."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.live import engine as engine_module
from shoal.live.batches import Events
from shoal.live.columns import grown
from shoal.live.engine import Engine
from shoal.live.history import Happened
from shoal.live.table import NOBODY, Entry

from .shop import DAY, NOW, engine, event, filled, memberships


@given(
    steps=st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), max_size=12),
    reserve=st.sampled_from([0, 100, 20_000]),
)
def test_a_grown_array_keeps_what_it_had_and_takes_nothing_from_others(
    steps: list[tuple[int, bool]], reserve: int
) -> None:
    """Breaks if growth loses a value, leaves a new place unfilled, or writes into an array that somebody else still reads."""
    array, expected = np.empty(0, np.int64), np.empty(0, np.int64)
    others: list[tuple[np.ndarray, np.ndarray]] = []
    for number, (size, cut) in enumerate(steps):
        if cut:
            # Somebody goes on with a part: growing it mustn't reach into the rest.
            part = array[: len(array) // 2]
            others.append((array, array.copy()))
            array, expected = part, part.copy()
        array = grown(array, size, -7, reserve)
        assert len(array) >= size
        expected = np.concatenate((expected, np.full(len(array) - len(expected), -7)))
        assert (array == expected).all()
        if not cut and len(array):
            array[-1] = expected[-1] = number
    for kept, was in others:
        assert (kept[len(was) // 2 :] == was[len(was) // 2 :]).all()


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=40), max_size=12))
def test_published_history_is_the_same_however_it_comes(pieces: list[list[tuple[int, int]]]) -> None:
    """Breaks if an instant is lost, doubled or another customer's after runs were put together."""
    happened = Happened("some")
    for number, piece in enumerate(pieces):
        rows, ts = np.array([row for row, _ in piece], np.int64), np.array([at for _, at in piece], np.int64)
        if number % 2:
            happened.extend(rows, ts)
        else:
            for row, at in piece:
                happened.insert(row, at)
    everything = sorted(pair for piece in pieces for pair in piece)
    for row in range(10):
        assert happened.instants(row) == [at for owner, at in everything if owner == row]
    lengths = [len(rows) for rows, _ in happened.runs]
    assert all(longer > 2 * shorter for longer, shorter in itertools.pairwise(lengths))
    rows, ts = happened.arrays()
    assert list(zip(rows.tolist(), ts.tolist(), strict=True)) == everything
    happened.clear(3)
    assert happened.instants(3) == []
    assert happened.customers().tolist() == sorted({row for row, _ in everything} - {3})


@pytest.mark.parametrize("idle", [True, False])
def test_what_came_lately_is_packed_and_answers_stay(idle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if packing never happens, packs what is small, or a membership, a due or a later event is another after it."""
    monkeypatch.setattr(engine_module, "_LOOSE", 5)
    definitions = {"often": Definition("often", "Often", parse('did "Seen" at least 3 times in last 2 days'))}
    day = 86_400_000_000
    schema = Schema(events={"Seen": {}})
    packed, plain = (Engine(schema, definitions, 10 * day) for _ in range(2))
    for one in (packed, plain):
        one.build()
    for step in range(40):
        for one in (packed, plain):
            one.advance((10 * 24 + step) * day // 24)
            events = Events(
                [f"c{(step * 7 + n) % 30}" for n in range(20)], ["Seen"] * 20, [one.now - n for n in range(20)]
            )
            one.apply_events(events)
        while packed.compact(idle=idle):
            pass
        assert sorted(packed.members("often")) == sorted(plain.members("often"))
        assert packed.next_due() == plain.next_due()
    assert sum(table.loose for table in packed.state.tables()) < sum(table.loose for table in plain.state.tables())
    assert not packed.compact(idle=idle)


def merged_shop(seed: int) -> Engine:
    """The random shop, a third of whose customers were merged."""
    one = filled(engine(), seed, 300)
    one.build()
    for number in range(0, 26, 2):
        one.merge(f"c{number}", f"c{number + 1}")
    one.settle()
    return one


def test_what_packing_cannot_rid_a_table_of_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if entries of merged customers, which stay beside the base, are packed again at every look of an idle server."""
    monkeypatch.setattr(engine_module, "_LOOSE", 5)
    packed, plain = merged_shop(6), merged_shop(6)
    looks = 0
    while packed.compact(idle=True):
        looks += 1
        assert looks <= len(list(packed.state.tables())), "a table was packed twice, though nothing came"
    assert looks
    assert any(table.settled for table in packed.state.tables())
    assert sum(table.used for table in packed.state.tables()) < sum(table.used for table in plain.state.tables())
    random = Random(9)
    for number in range(200):
        each = event(random, 5_000 + number, NOW + number * DAY // 20)
        for one in (packed, plain):
            one.advance(NOW + number * DAY // 20)
            one.add_event(*each)
        assert sorted(packed.settle()) == sorted(plain.settle())
        if number % 20 == 0:
            while packed.compact(idle=number % 40 == 0):
                pass
    for gone in ("c1", "c5"):
        for one in (packed, plain):
            one.unmerge(gone)
    assert sorted(packed.settle()) == sorted(plain.settle())
    assert memberships(packed) == memberships(plain)
    assert packed.next_due() == plain.next_due()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_packing_keeps_entries_of_merged_customers_and_whose_they_are(seed: int) -> None:
    """Breaks if packing loses, doubles or moves an entry, its message id, value, filter or origin."""
    packed, plain = merged_shop(seed), merged_shop(seed)
    for _ in range(2):
        for table in packed.state.tables():
            table.compact()
    for ours, theirs in zip(packed.state.tables(), plain.state.tables(), strict=True):
        for row in range(len(theirs)):
            pairs = zip(ours.entries(row), theirs.entries(row), strict=True)
            for mine, other in pairs:
                assert (mine.ts, mine.mid) == (other.ts, other.mid)
                assert [mine.get(name) for name in ours.columns] == [other.get(name) for name in theirs.columns]
                assert hidden(mine) == hidden(other)


def hidden(entry: Entry) -> tuple[int, int]:
    """Whose an entry was before a merge, and which filters hold of it."""
    table = entry.table
    if entry.ref >= 0:
        return NOBODY, int(table.flags[entry.ref])
    return int(table.tail_origin[-1 - entry.ref]), int(table.tail_flags[-1 - entry.ref])
