"""The benchmarks run: with data of no size they give every figure, and the queries by hand find the same members.

Would break: a door that the benchmarks use changes, or the engine and plain SQL disagree on the drawn segments.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks stand in the repository, not in the package")

from benchmarks import btyd, discovering, experimenting, report
from benchmarks.measure import surroundings
from benchmarks.run import run
from benchmarks.segments import draw, leaves, written

from shoal.insight.discovery.choice import Settings
from shoal.lang.parse import parse


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the made data and the loaded store stay for the next test."""
    return tmp_path_factory.mktemp("bench")


def test_everything_is_measured(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each benchmark gives its figures, and the page shows them beside their baselines."""
    monkeypatch.setenv("BENCH_DATA", str(place))
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


@pytest.mark.skipif("SHOAL_LONG" not in os.environ, reason="half a minute of fitting: make soak runs it")
def test_value_and_churn_are_measured(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both models score the store, and the steps add up to something; without ``lifetimes`` scipy is the baseline.

    Breaks when a door of the models changes, or a model of so small a store is refused without the page saying so.
    """
    monkeypatch.setenv("BENCH_DATA", str(place))
    monkeypatch.delenv(btyd.INTERPRETER, raising=False)
    page = run("tiny", ["predict"], [3], tmp_path / "results")
    found = json.loads((tmp_path / "results" / "tiny-predict.json").read_text())["found"]
    assert found["store"]["refused"] == {}
    assert found["store"]["changed"] > found["store"]["buyers"] > 0
    assert min(found["steps"]["steps_cpu_s"][step] for step in ("read", "fit", "score", "write")) > 0
    assert "scipy, the plain way (baseline)" in page


def test_both_fits_find_the_same_maximum() -> None:
    """Ours and the plain way agree on the likelihood of the same customers, so that they did the same work.

    Breaks when one of them fits something else.
    """
    ours, plain = btyd.ours("BG/NBD", 4000, 3), btyd.plain(4000, 3)
    assert ours["converged"]
    assert ours["log_likelihood"] == pytest.approx(plain["log_likelihood"], rel=1e-5)


def test_discovery_is_measured_on_planted_groups() -> None:
    """The draw has its forty columns and is equal on each call; both ways see the groups, and the page shows both.

    Breaks when the draw says nothing of the groups any more: no figure of agreement would mean anything then.
    """
    first, second = discovering.drawn(600), discovering.drawn(600)
    assert len(first.numbers) + len(first.categories) == discovering.COLUMNS == 40
    assert all((first.categories[name].codes == second.categories[name].codes).all() for name in first.categories)
    few = Settings(4, 4, rows=300, silhouette_rows=100, bootstraps=1)
    found = {"ours": discovering.ours(600, few), "plain": discovering.plain(600, range(4, 5))}
    assert found["ours"]["k"] == found["plain"]["k"] == 4
    assert found["ours"]["rand"] > 0.1
    found = {way: {**each, "peak_mb": 1} for way, each in found.items()}
    found["store"] = {**found["ours"], "customers": 600}
    page = report.section({"benchmark": "discover", "size": "tiny", **surroundings(), "found": found})
    assert "## Discovery: 600 drawn customers, 40 columns" in page


def test_a_result_of_an_experiment_is_measured(tmp_path: Path) -> None:
    """The made experiment has its effect, and the page shows it with a baseline and without.

    Breaks when the draw has no effect any more, or both ways may differ without a word.
    """
    made = experimenting.make(tmp_path, 20_000)
    assert made["events"]["seen"] == 20_000
    ours = {**experimenting.ours(tmp_path), "peak_mb": 1}
    assert ours["exposures"] == 20_000
    assert len(ours["effects"]) == 10
    theirs = {**ours, "version": "statsmodels", "effects": [list(row) for row in ours["effects"]]}
    experimenting.hold_equal(ours, theirs)
    theirs["effects"][3][2] += theirs["effects"][3][3]
    with pytest.raises(AssertionError, match="statsmodels"):
        experimenting.hold_equal(ours, theirs)
    for other, said in ((theirs, "(baseline)"), ({"refused": "no module"}, "No baseline: no module.")):
        found = {"ours": ours, "theirs": other}
        page = report.section({"benchmark": "experiments", "size": "tiny", **surroundings(), "found": found})
        assert "5 metrics on 20,000 exposures" in page
        assert said in page
