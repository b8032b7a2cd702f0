"""Micro-segments: published numbers, what must not be found, what must be, and what must stay the same."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from shoal.errors import Refused
from shoal.insight.discovery.choice import Settings
from shoal.insight.discovery.discover import Discovery, discover
from shoal.insight.discovery.identity import Members, identify, pair
from shoal.insight.discovery.indices import (
    adjusted_rand,
    calinski_harabasz,
    davies_bouldin,
    distances,
    jaccards,
    mixture_bic,
    silhouette,
)
from shoal.insight.discovery.kmeans import cluster
from shoal.insight.discovery.model import Model, Standing, reassign
from shoal.insight.discovery.outcomes import compare
from shoal.insight.discovery.prepare import make_plan
from shoal.insight.discovery.rule import Rule, short
from shoal.insight.discovery.table import Categories, Table

QUICK = Settings(fewest=2, most=5, rows=500, silhouette_rows=400, bootstraps=6)


def oracle(name: str) -> object:
    return json.loads((Path(os.environ["SHOAL_TEST_DATA"]) / "oracles" / "misc_expected.json").read_text())[name]


def planted(n: int = 500, seed: int = 1) -> tuple[Table, np.ndarray]:
    """Four groups; a category that says nothing, and a column that is the same for all."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    centres = np.array([[0, 0, 0], [9, 0, 3], [0, 9, 6], [9, 9, 0]])
    spots = centres[truth] + rng.standard_normal((n, 3))
    numbers = {"age": spots[:, 0], "visits": spots[:, 1], "spend": np.exp(spots[:, 2] / 4), "same": np.ones(n)}
    return Table(np.arange(n), numbers, {"plan": Categories.of(rng.choice(["a", "b"], n).tolist())}), truth


def structureless(seed: int) -> Table:
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky([[1, 0.7, 0.7], [0.7, 1, 0.8], [0.7, 0.8, 1]])
    drawn = np.exp(0.9 * rng.standard_normal((500, 3)) @ root.T + [3, 1, 4])
    return Table(np.arange(500), {n: drawn[:, i] for i, n in enumerate(["recency", "frequency", "monetary"])})


@lru_cache
def found() -> Discovery:
    return discover(planted()[0], QUICK)


def test_iris_gives_the_published_indices() -> None:
    rows, truth = load_iris(return_X_y=True)
    rows = rows.astype(np.float32)
    p, expected = cluster(rows, 3, 0, 10, 100), oracle("iris_kmeans3")
    got = {
        "inertia": p.inertia,
        "silhouette": silhouette(distances(rows), p.labels),
        "CH": calinski_harabasz(rows, p),
        "DB": davies_bouldin(rows, p),
        "ARI": adjusted_rand(p.labels, truth),
    }
    assert got == pytest.approx(expected, rel=1e-3)
    assert mixture_bic(rows, cluster(rows, 2, 0, 3, 100), 0, floor=0) == pytest.approx(574.02, abs=0.1)


def test_adjusted_rand_and_hungarian_on_jaccard_give_the_published_values() -> None:
    for case in oracle("ari"):
        assert adjusted_rand(np.array(case["a"]), np.array(case["b"])) == pytest.approx(case["ari"])
    moves = [(0, 2, 24), (0, 0, 1), (1, 0, 21), (1, 1, 1), (2, 1, 9), (2, 0, 1)]
    old, new = (np.repeat([m[i] for m in moves], [m[2] for m in moves]) for i in (0, 1))
    similar = jaccards(old, new)
    expected = oracle("hungarian")
    pairs = pair(similar)
    assert {str(k): v for k, v in pairs.items()} == expected["match"]
    assert [similar[i, j] for i, j in sorted(pairs.items())] == pytest.approx(expected["jaccard"], abs=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_structureless_lognormal_data_is_constructive_however_stable(seed: int) -> None:
    """Breaks when stability alone is taken for groups: slices of one cloud come back too."""
    result = discover(structureless(seed), QUICK)
    assert max(e.rand for e in result.evidence) > 0.85
    assert result.supported_k == 1
    assert {e.verdict for e in result.evidence} == {"constructive"}


def test_planted_groups_are_recovered_and_natural() -> None:
    _, truth = planted()
    result = found()
    assert (result.supported_k, result.k, result.verdict) == (4, 4, "natural")
    assert adjusted_rand(truth, result.places) >= 0.95
    assert all(s.kind == "natural" and s.rule.fidelity > 0.9 and s.band == "highly stable" for s in result.segments)
    assert any(d.column == "same" and d.action == "dropped" for d in result.decisions)
    assert all(s.traits[0].column != "plan" for s in result.segments)


def test_more_groups_than_there_are_get_called_constructive() -> None:
    assert next(e for e in found().evidence if e.k == 5).verdict == "constructive"


def test_order_of_rows_and_a_second_run_change_nothing() -> None:
    table, _ = planted()
    shuffled = np.random.default_rng(3).permutation(table.size)
    again = discover(table.take(shuffled), QUICK, before=found().members)
    assert np.array_equal(again.places, found().places[shuffled])
    assert again.model.segments == found().model.segments
    assert {c.kind for c in again.changes} == {"kept"}


def test_identity_persists_under_a_five_percent_change() -> None:
    table, _ = planted()
    rng = np.random.default_rng(4)
    changed = rng.choice(table.size, table.size // 20, replace=False)
    numbers = {n: v.copy() for n, v in table.numbers.items()}
    numbers["age"][changed] = rng.permutation(numbers["age"])[: len(changed)]
    after = discover(Table(table.ids, numbers, table.categories), QUICK, before=found().members)
    assert set(after.model.segments) == set(found().model.segments)
    same = np.array(after.model.segments)[after.places] == np.array(found().model.segments)[found().places]
    assert same.mean() > 0.93


def test_births_deaths_merges_and_splits_are_told() -> None:
    before = Members(np.arange(120), np.repeat([0, 1, 2], 40), ("m1", "m2", "m3"), 4)
    labels = np.concatenate([np.zeros(80, int), np.repeat([1, 2], 20)])
    now = identify(np.arange(120), labels, 3, before)
    kinds = {(c.kind, c.before, c.after) for c in now.changes}
    assert ("merged", ("m1", "m2"), (now.segments[0],)) in kinds
    assert any(c.kind == "split" and c.before == ("m3",) for c in now.changes)
    assert now.next_number > 4
    assert len(set(now.segments)) == 3


def test_a_saved_model_assigns_the_same(tmp_path: Path) -> None:
    values, arrays = found().model.document()
    read = Model.read(json.loads(json.dumps(values)), arrays)
    fresh, _ = planted(seed=8)
    assert np.array_equal(read.assign(fresh), found().model.assign(fresh))
    with pytest.raises(Refused, match="version"):
        Model.read(values | {"version": 0}, arrays)


def test_a_customer_moves_at_the_second_look_and_not_on_the_border() -> None:
    table, _ = planted()
    model = found().model
    home = reassign(model, table, Standing.new(table.size))
    assert np.array_equal(home.segment, found().places)
    elsewhere = Standing((home.segment + 1) % 4, home.rival, home.times)
    once = reassign(model, table, elsewhere)
    twice = reassign(model, table, once)
    assert np.array_equal(once.segment, elsewhere.segment)
    assert (twice.segment == home.segment).mean() > 0.95
    assert np.array_equal(reassign(model, table, elsewhere, margin=0.999, times=1).segment, elsewhere.segment)


def test_looks_that_come_too_soon_don_t_count_and_a_clear_case_needs_one() -> None:
    """Breaks when two loads in a minute make two looks, or somebody who has plainly changed must wait for the second."""
    table, _ = planted()
    model = found().model
    home = reassign(model, table, Standing.new(table.size))
    elsewhere = Standing((home.segment + 1) % 4, home.rival, home.times)
    soon = reassign(model, table, elsewhere, counts=False)
    assert np.array_equal(soon.segment, elsewhere.segment)
    assert (soon.rival == -1).all()
    first = reassign(model, table, elsewhere)
    again = reassign(model, table, first, counts=False)
    assert np.array_equal(again.segment, elsewhere.segment)
    assert np.array_equal(again.rival, first.rival)
    assert (reassign(model, table, again).segment == home.segment).mean() > 0.95
    assert (reassign(model, table, elsewhere, at_once=0.35, counts=False).segment == home.segment).mean() > 0.95


def test_a_rule_says_nothing_that_its_other_conditions_rule_out() -> None:
    """Breaks when a reader meets conditions that name nobody else, as "or missing" where nobody is."""
    for segment in found().segments:
        for branch in segment.rule.branches:
            for left_out in branch:
                rest = [c for c in branch if c is not left_out]
                fewer = Rule((tuple(rest),), None, None, 0)
                assert (
                    not rest
                    or fewer.holds(planted()[0]).sum() > Rule((branch,), None, None, 0).holds(planted()[0]).sum()
                )


def test_a_long_left_tail_is_bent_in_a_mirror() -> None:
    """Breaks when the few who are far below decide a column's scale, as newcomers do of the days since a first order."""
    days = 365 - np.random.default_rng(0).lognormal(1.5, 1.2, 500)
    table = Table(np.arange(500), {"days": days})
    plan = make_plan(table)
    assert plan.numbers[0].bend == "reflected"
    assert np.abs(plan.apply(table)).max() < 4
    later = Table(np.arange(2), {"days": np.array([365.0, 500.0])})
    assert plan.apply(later)[0, 0] == pytest.approx(plan.apply(later)[1, 0], abs=0.2)


def test_an_outlier_is_named_and_kept() -> None:
    table, _ = planted()
    numbers = {n: v.copy() for n, v in table.numbers.items()}
    numbers["visits"][7] = 1e6
    result = discover(Table(table.ids, numbers, table.categories), QUICK)
    assert result.outliers.rows[7]
    assert result.outliers.rows.mean() < 0.1
    assert min(s.size for s in result.segments) > 20


def test_segments_that_no_outcome_tells_apart_are_proposed_for_merging() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 200)
    result = compare(labels, ("m1", "m2", "m3"), {"later": rng.standard_normal(600) + 2.0 * (labels == 2)})
    assert [m.segments for m in result.merges] == [("m1", "m2")]
    assert result.distinct == ("m3",)


def test_missing_rare_and_equal_columns_are_stated() -> None:
    n = 200
    rng = np.random.default_rng(0)
    spend = rng.lognormal(3, 1.5, n)
    numbers = {"spend": np.where(rng.random(n) < 0.2, np.nan, spend), "none": np.full(n, np.nan), "twin": spend}
    plan = make_plan(Table(np.arange(n), numbers, {"id": Categories.of(range(n))}))
    said = {(d.column, d.action) for d in plan.decisions}
    assert {("none", "dropped"), ("id", "dropped"), ("spend", "bent"), ("spend", "filled"), ("twin", "bent")} <= said
    assert np.isfinite(plan.apply(Table(np.arange(n), numbers, {"id": Categories.of(range(n))}))).all()


def test_a_column_in_which_hardly_anybody_differs_makes_no_group() -> None:
    """Breaks when the few who differ lie so far out, by the measure of a narrow column, that they are a group."""
    few = np.where(np.arange(400) < 12, 100.0, 365.0)
    plan = make_plan(Table(np.arange(400), {"few": few, "age": np.arange(400.0)}))
    assert [(d.column, d.action) for d in plan.decisions if d.column == "few"] == [("few", "dropped")]
    assert [p.column for p in plan.numbers] == ["age"]


def test_a_million_levels_and_nothing_else_are_refused() -> None:
    n = 1_000_000
    column = Categories(np.arange(n, dtype=np.int32), tuple(map(str, range(n))))
    with pytest.raises(Refused, match=r"names customers|too many"):
        discover(Table(np.arange(n), {}, {"id": column}))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (Table(np.arange(1), {"a": np.ones(1)}), "too few"),
        (Table(np.arange(300), {"a": np.ones(300)}), "All values are equal"),
        (Table(np.arange(300), {"a": np.full(300, np.nan)}), "missing"),
        (Table(np.zeros(300, int), {"a": np.arange(300.0)}), "two rows"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(table: Table, why: str) -> None:
    with pytest.raises(Refused, match=why):
        discover(table)


def test_a_bound_is_short_and_parts_the_same_values() -> None:
    for low, high in [(19.87, 23.1), (0.123456, 0.123457), (-5.0, 5.0), (999.0, 1000.0)]:
        assert low <= short(low, high) < high
