"""Rules: boxes are found where they are, are short, and are judged on customers that they weren't made from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.insight.discovery.boxes import MOST_BOXES, MOST_CONDITIONS, Boxes, Search, counted, packed
from shoal.insight.discovery.discover import discover
from shoal.insight.discovery.kmeans import squared_distances
from shoal.insight.discovery.model import Model, spreads
from shoal.insight.discovery.prepare import make_plan
from shoal.insight.discovery.rule import f1_interval, rules
from shoal.insight.discovery.table import Categories, Table

from .test_refit import QUICK, cloud


@given(st.lists(st.booleans(), min_size=1, max_size=200))
@settings(max_examples=50, deadline=None)
def test_bits_count_as_booleans_do(rows: list[bool]) -> None:
    """Breaks when the filling of the last word counts as customers."""
    assert int(counted(packed(np.array(rows)))) == sum(rows)


def literals(n: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    columns = rng.random((4, n))
    return np.array([column <= cut for column in columns for cut in (0.25, 0.5, 0.75)] + [c > 0.5 for c in columns])


@pytest.mark.parametrize("boxes", [((0, 4),), ((0, 4), (8, 11)), ((2, 5, 8), (0, 11))])
def test_boxes_that_are_there_are_found(boxes: tuple[tuple[int, ...], ...]) -> None:
    """Breaks when the search stops short of a rule that names the members exactly."""
    met = literals()
    member = np.any([np.all(met[list(box)], axis=0) for box in boxes], axis=0)
    search = Search(packed(met), packed(member), np.arange(len(met)))
    assert search.f1(search.rule()) > 0.97


def test_one_box_is_as_good_as_trying_them_all() -> None:
    """Breaks when the beam loses the best pair of conditions; the oracle tries each of them."""
    met = literals(300, 3)
    member = np.random.default_rng(1).random(300) < 0.1 + 0.6 * (met[1] & met[7])
    search = Search(packed(met), packed(member), np.arange(len(met)))
    pairs = (Boxes(((i, j),)) for i, j in itertools.combinations(range(len(met)), 2))
    best = max(search.f1(rule) - search.cost(rule) for rule in pairs)
    found = search.rule()
    assert search.f1(found) - search.cost(found) >= best - 1e-9


def test_a_rule_is_short_enough_to_be_read() -> None:
    """Breaks when a rule on noise grows as long as it may: each condition has to be worth its place."""
    met = literals(300, 5)
    member = np.random.default_rng(2).random(300) < 0.3
    rule = Search(packed(met), packed(member), np.arange(len(met))).rule()
    assert len(rule.boxes) <= MOST_BOXES
    assert max(map(len, rule.boxes)) <= MOST_CONDITIONS
    found = discover(cloud(), QUICK)
    assert np.mean([s.rule.conditions for s in found.segments]) <= 6


def test_the_interval_of_f1_holds_as_often_as_it_says() -> None:
    """Breaks when the interval isn't one of 95 %: members and named customers are drawn a thousand times."""
    rng = np.random.default_rng(0)
    true_f1 = 2 * 0.15 / (2 * 0.15 + 0.05 + 0.1)
    inside = 0
    for _ in range(1000):
        both, named_only, member_only, _ = rng.multinomial(300, [0.15, 0.05, 0.1, 0.7])
        _, low, high = f1_interval(int(both), int(both + named_only), int(both + member_only))
        inside += low <= true_f1 <= high
    assert 930 <= inside <= 970
    assert f1_interval(0, 0, 0)[1:] == (0.0, 1.0)


def frozen(table: Table, k: int = 4) -> tuple[Model, np.ndarray]:
    plan = make_plan(table)
    rows = plan.apply(table)
    centres = rows[np.random.default_rng(0).choice(table.size, k, replace=False)].astype(np.float64)
    model = Model(plan, centres, tuple(f"m{i}" for i in range(k)), np.zeros((k, 2)))
    places = model.places(table)
    return Model(plan, centres, model.segments, spreads(squared_distances(rows, centres, places), places, k)), places


def test_who_judges_a_rule_had_no_part_in_making_it() -> None:
    """Breaks when fidelity is measured on customers that the search saw: changing only those it saw not changes no rule."""
    rng = np.random.default_rng(3)
    n = 900
    city = Categories.of(rng.choice(["Bonn", "Kiel", "Jena"], n).tolist())
    table = Table(np.arange(n), {"a": rng.normal(size=n), "b": rng.lognormal(size=n)}, {"city": city})
    model, places = frozen(table)
    made = rules(table, model, places, 4, 0)
    other = {name: values.copy() for name, values in table.numbers.items()}
    for values in other.values():
        values[made.judged] = rng.permutation(values[made.judged])
    again = rules(Table(table.ids, other, table.categories), model, places, 4, 0)
    assert [r.branches for r in again.rules] == [r.branches for r in made.rules]
    assert [r.fidelity for r in again.rules] != [r.fidelity for r in made.rules]


def test_bounds_are_numbers_that_people_use() -> None:
    """Breaks when a rule on money says 27.4863 where 27 parts the same customers."""
    rng = np.random.default_rng(4)
    table = Table(np.arange(3000), {"spend": rng.lognormal(4, 1, 3000), "orders": rng.poisson(5, 3000).astype(float)})
    model, places = frozen(table)
    bounds = [c.value for r in rules(table, model, places, 4, 0).rules for box in r.branches for c in box]
    assert bounds
    assert [b for b in bounds if not isinstance(b, float) or float(f"{b:.3g}") != b] == []
