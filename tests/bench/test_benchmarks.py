"""The benchmarks run: with data of no size they give every figure, and the queries by hand find the same members.

Would break: a door that the benchmarks use changes, or the engine and plain SQL disagree on the drawn segments.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks stand in the repository, not in the package")

from benchmarks.run import run
from benchmarks.segments import draw, leaves, written

from shoal.lang.parse import parse


def test_everything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each benchmark gives its figures, and the page shows them beside their baselines."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    page = run("tiny", ["load", "segments"], [3, 10], tmp_path / "results")
    load = json.loads((tmp_path / "results" / "tiny-load.json").read_text())["found"]
    assert load["load"]["events"] == 40_000
    assert min(load[way]["cpu_s"] for way in ("baseline", "bulk", "load")) > 0
    segments = json.loads((tmp_path / "results" / "tiny-segments.json").read_text())["found"]
    assert segments["counts"]["10"]["members"] > segments["counts"]["3"]["members"] > 0
    assert "DuckDB alone: copy and sort (baseline)" in page
    assert "10: one query per segment, by hand (baseline)" in page


def test_the_draw_is_seeded_and_speaks_the_language() -> None:
    """A longer draw begins with the shorter one, and every segment parses."""
    assert draw(200)[:10] == draw(10)
    assert draw(10, seed=8) != draw(10)
    for tree in draw(200):
        parse(written(tree))
        assert 1 <= len(list(leaves(tree))) <= 4
