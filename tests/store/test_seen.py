"""Message ids that are known: copies are told from what is new, whenever they come and however ids are held by then."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.customers import seen
from shoal.customers.seen import Seen


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a few ids, so that sealing and merging of runs happen."""
    monkeypatch.setattr(seen, "RUN", 3)


@given(
    entries=st.lists(st.lists(st.sampled_from([f"m{n}" for n in range(30)]), max_size=6), max_size=20), after=st.data()
)
def test_each_id_is_new_once(entries: list[list[str]], after: st.DataObject) -> None:
    """Breaks if a copy counts as new, or a new message as a copy, before, between and after its id was rolled and sealed."""
    kept, known = set[str](), set[str]()
    usual, seen.RUN = seen.RUN, 3
    try:
        ids = Seen(kept.intersection)
        for entry in entries:
            expected = []
            for message in entry:
                expected.append(message not in known)
                known.add(message)
            assert ids.add_all(entry) == expected
            if after.draw(st.booleans()) and ids.roll():
                kept |= known
            if after.draw(st.booleans()):
                ids.seal()
        again = Seen.of(kept.intersection, ids.texts(), ids.runs)
        kept |= known
        assert again.add_all(sorted(known)) == [False] * len(known)
    finally:
        seen.RUN = usual


@pytest.mark.usefixtures("small")
def test_the_store_hashes_as_we_do() -> None:
    """Breaks if DuckDB's hash is another than ours: after a start from the store all copies would count as new."""
    messages = ["order-17", "é" * 40, "", "ajs-next-1732-7b"]
    hashes = duckdb.execute("SELECT md5_number_lower(unnest(?))", [messages]).fetchnumpy()[
        "md5_number_lower(unnest($1))"
    ]
    ids = Seen(lambda asked: set(messages) & set(asked))
    ids.fill(np.asarray(hashes, np.uint64))
    assert ids.add_all([*messages, "new"]) == [False] * len(messages) + [True]
