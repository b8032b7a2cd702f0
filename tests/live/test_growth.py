"""Arrays that grow where they stand, and published history that is gathered in runs."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shoal.live.columns import grown
from shoal.live.history import Happened


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
