"""What scores change, as a stream of entries for the log: the same as a write in an own process, in little memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shoal
from shoal.insight.models.model import Score
from shoal.insight.models.writing import write
from shoal.lang.schema import Kind
from shoal.workspace.live import scoring
from shoal.workspace.live.scoring import VALUES, Scored, changed

CUSTOMERS = 30_000
SETTINGS = """\
shoal: 1
name: many
timezone: UTC
sources:
  people:
    from: people.csv
    traits: [{customer: id, take: {plan: plan}}]
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(scoring, "AT_ONCE", 1_700)
    (tmp_path / "segments").mkdir()
    (tmp_path / "shoal.yaml").write_text(SETTINGS)
    lines = [f"customer-{(i * 7919) % CUSTOMERS},basic" for i in range(CUSTOMERS)]
    (tmp_path / "people.csv").write_text("id,plan\n" + "\n".join(lines) + "\n")
    with shoal.open(tmp_path) as opened:
        opened.load()
        yield opened


def scores(workspace: Any, seed: int) -> list[Score]:
    """Four columns, each of other customers, in any order of rows; the last of texts."""
    r = np.random.default_rng(seed)
    keys = np.array([key for (key,) in workspace.store.rows("SELECT key FROM customers")], dtype=np.int32)
    found = []
    for i in range(4):
        owners = r.permutation(keys)[: len(keys) - 10 * i]
        drawn = r.integers(0, 12, len(owners))
        kind, values = (Kind.TEXT, [f"Group {n}" for n in drawn]) if i == 3 else (Kind.NUMBER, drawn / 12)
        found.append(Score(f"score_{i}", kind, f"Drawn, column {i}.", owners, values))
    return found


def told(pieces: list[Scored]) -> dict[tuple[str, str], Any]:
    """By customer and trait, the new value."""
    return {
        (customer, piece.columns[place].name): value
        for piece in pieces
        for customer, row in zip(piece.customers, piece.rows, strict=True)
        for place, value in row.items()
    }


def test_the_stream_says_what_a_write_would_write(workspace: Any) -> None:
    """Breaks if a value is lost, moved to another customer or told twice, or a customer's row is torn over entries."""
    ws, at = workspace, workspace.now()
    write(ws.store, "model test", scores(ws, 1), at, at, {})
    before = values(ws)
    second = scores(ws, 2)[1:]
    pieces = list(changed(ws.store, "model test", second, at + 1, {}).pieces())
    written, _ = write(ws.store, "model test", second, at + 1, at + 1, {})
    after = values(ws)
    moved = {pair: value for pair, value in after.items() if before.get(pair) != value}
    moved |= dict.fromkeys(before.keys() - after.keys())
    assert told(pieces) == moved
    many = Counter(name for _, name in told(pieces))
    assert {name: many[name] for name in written} == written
    customers = [customer for piece in pieces for customer in piece.customers]
    assert len(set(customers)) == len(customers)
    assert max(sum(map(len, piece.rows)) for piece in pieces) <= VALUES


@pytest.mark.parametrize("complete", [True, False])
def test_scores_of_some_customers_leave_the_others_alone(workspace: Any, complete: bool) -> None:
    """Breaks if customers between those who are spoken of are cleared, or a trait that isn't said any more stays."""
    ws, at = workspace, workspace.now()
    made = scores(ws, 7)
    write(ws.store, "model test", made, at, at, {})
    before = values(ws)
    some = [Score(s.name, s.kind, s.says, np.asarray(s.owners)[::9], s.values[::9]) for s in scores(ws, 8)[1:]]
    pieces = list(changed(ws.store, "model test", some, at + 1, {}, whole=False, complete=complete).pieces())
    write(ws.store, "model test", some, at + 1, at + 1, {}, whole=False, complete=complete)
    after = values(ws)
    moved = {pair: value for pair, value in after.items() if before.get(pair) != value}
    gone = before.keys() - after.keys()
    assert {name for _, name in gone} == ({"score_0"} if complete else set())
    assert told(pieces) == moved | dict.fromkeys(gone)


def values(workspace: Any) -> dict[tuple[str, str], Any]:
    """By customer and trait, the newest value that isn't missing."""
    found: dict[tuple[str, str], Any] = {}
    for name, table in workspace.store.rows("SELECT name, 'trait_' || id FROM traits WHERE score"):
        rows = workspace.store.rows(
            f"SELECT c.id, arg_max_null(t.value, t.ts) FROM {table} t JOIN customers c ON c.key = t.owner GROUP BY c.id"
        )
        found |= {(customer, name): value for customer, value in rows if value is not None}
    return found


def test_the_order_of_entries_hangs_on_nothing_but_the_customers(workspace: Any) -> None:
    """Breaks if two runs over the same scores, given in other orders of rows, write other entries."""
    ws, at = workspace, workspace.now()
    r = np.random.default_rng(3)

    def shuffled(score: Score) -> Score:
        order = r.permutation(len(score.owners))
        values = [score.values[i] for i in order]
        return Score(
            score.name,
            score.kind,
            score.says,
            np.asarray(score.owners)[order],
            values if score.kind is Kind.TEXT else np.array(values),
        )

    made = scores(ws, 4)
    first = [piece.body() for piece in changed(ws.store, "model test", made, at, {}).pieces()]
    again = [piece.body() for piece in changed(ws.store, "model test", [shuffled(s) for s in made], at, {}).pieces()]
    assert first == again
    keys = dict(ws.store.rows("SELECT id, key FROM customers"))
    order = [keys[customer] for body in first for customer in body["customers"]]
    assert order == sorted(order)


def test_nothing_changed_gives_no_entry(workspace: Any) -> None:
    """Breaks if a run that says the same as the last one fills the log."""
    ws, at = workspace, workspace.now()
    made = scores(ws, 5)
    write(ws.store, "model test", made, at, at, {})
    assert list(changed(ws.store, "model test", made, at + 1, {}).pieces()) == []


def test_python_holds_a_few_customers_at_a_time(workspace: Any) -> None:
    """Breaks if all changes stand in Python's objects at once: at a million customers that was most of a gigabyte."""
    ws = workspace
    found = changed(ws.store, "model test", scores(ws, 6), ws.now(), {})
    tracemalloc.start()
    try:
        many = sum(len(piece.customers) for piece in found.pieces())
        _, streamed = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        held = list(found.pieces())
        _, boxed = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert many == sum(len(piece.customers) for piece in held) == CUSTOMERS
    assert streamed < boxed / 3
