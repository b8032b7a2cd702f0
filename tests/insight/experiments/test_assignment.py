"""Who is in which arm: frozen for ever, even, apart where it must be, and the same in the segment language."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shoal
from shoal.errors import Refused
from shoal.insight.experiments.assignment import WHOLE, Assignment, Holdout, Slot, Span, free, place_of
from shoal.stats.experiments.sample_ratio import sample_ratio

GOLDEN = Path(__file__).with_name("assignment.json")
CUSTOMERS = [f"c{i}" for i in range(20_000)]
THREE = Assignment(
    "spring", {"control": 0.5, "mail": 0.3, "letter": 0.2}, Slot("messages", Span(100_000, 700_000)),
    (Holdout("global", 0.05), Holdout("spring", 0.1)),
)  # fmt: skip


def test_assignment_is_frozen() -> None:
    """Breaks when a release puts customers into other arms: experiments that run would be worthless.

    The file holds ids in several scripts with their places and arms; it never changes.
    """
    for told in json.loads(GOLDEN.read_text(encoding="utf-8")):
        assert place_of("experiment:spring", told["customer"]) == told["place"]
        assert THREE.arm(told["customer"]) == told["arm"]


def test_arms_are_as_large_as_their_weights() -> None:
    """Breaks when a range is off, or the hash isn't even."""
    arms = THREE.arms(CUSTOMERS)
    sizes = [arms.count(name) for name in THREE.weights]
    assert sample_ratio(sizes, list(THREE.weights.values())).p > 0.001
    assert sum(sizes) / len(CUSTOMERS) == pytest.approx(0.6 * 0.95 * 0.9, abs=0.01)


def test_experiments_of_a_layer_share_nobody_and_layers_cross_evenly() -> None:
    """Breaks when two experiments of one layer meet, or the arm of one tells that of another."""
    taken: list[Span] = []
    there = []
    for name in ("a", "b", "c"):
        span = free(taken, 0.3, "page")
        taken.append(span)
        there.append(Assignment(name, {"control": 50, "new": 50}, Slot("page", span)).arms(CUSTOMERS))
    assert all(sum(arm is not None for arm in arms) <= 1 for arms in zip(*there, strict=True))
    with pytest.raises(Refused, match="no 20%"):
        free(taken, 0.2, "page")
    assert free([taken[0], taken[2]], 0.3, "page") == taken[1]
    one, other = (Assignment(name, {"control": 0.5, "new": 0.5}).arms(CUSTOMERS) for name in ("x", "y"))
    crossed = Counter(zip(one, other, strict=True))
    assert len(crossed) == 4
    assert sample_ratio(list(crossed.values()), [1, 1, 1, 1]).p > 0.001


def test_who_is_in_stays_when_an_experiment_grows() -> None:
    """Breaks when more traffic moves customers between arms."""
    small = Assignment("grow", {"control": 0.5, "new": 0.5}, Slot("page", Span(0, 100_000)))
    large = Assignment("grow", {"control": 0.5, "new": 0.5}, Slot("page", Span(0, 600_000)))
    for before, after in zip(small.arms(CUSTOMERS), large.arms(CUSTOMERS), strict=True):
        assert before is None or before == after


SHOP = """
shoal: 1
name: Shop
purposes: {mail: legitimate-interest}
default_purpose: mail
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at}]
"""


def test_an_arm_is_a_segment(tmp_path: Path) -> None:
    """Breaks when the language's buckets and the arms' differ: the server, SQL and the analysis would disagree."""
    rows = "".join(f"c{i},2026-01-01T00:00:00Z\n" for i in range(3_000))
    (tmp_path / "orders.csv").write_text("customer,at\n" + rows, encoding="utf-8")
    (tmp_path / "shoal.yaml").write_text(SHOP, encoding="utf-8")
    arms = THREE.arms(f"c{i}" for i in range(3_000))
    with shoal.open(tmp_path) as ws:
        ws.load()
        for name in THREE.weights:
            ws.segments.add(name, THREE.condition(name))
            members = ws.segments.members(name)
            assert set(members["customer_id"].to_pylist()) == {f"c{i}" for i, arm in enumerate(arms) if arm == name}


@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=8))
def test_ranges_fill_the_bucket(weights: list[int]) -> None:
    """Breaks when rounding leaves a gap, in which customers have no arm, or an overlap."""
    total = sum(weights)
    made = Assignment("x", {f"a{i}": w / total for i, w in enumerate(weights)})
    ends = [0, *(span.end for span in made.spans.values())]
    assert [span.begin for span in made.spans.values()] == ends[:-1]
    assert ends[-1] == WHOLE
    for (name, weight), span in zip(made.weights.items(), made.spans.values(), strict=True):
        assert (span.end - span.begin) / WHOLE == pytest.approx(weight, abs=2e-6), name


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"a": 1.0}, "fewer than two"),
        ({"a": 0.5, "b": 0.4}, "add up to 0.9"),
        ({"a": 1.0, "b": 0.0}, "weight 0"),
        ({"a": 1 - 1e-8, "b": 1e-8}, "millionth"),
    ],
)
def test_weights_that_cannot_be(weights: dict[str, float], told: str) -> None:
    """Breaks when weights that don't add up are scaled in silence, or an arm is empty."""
    with pytest.raises(Refused, match=told):
        Assignment("x", weights)


def test_holdouts_are_shares() -> None:
    """Breaks when a holdout of everybody stops all experiments without a word."""
    with pytest.raises(Refused, match="holdout"):
        Holdout("global", 1.0)
    kept = np.mean([Holdout("global", 0.05).holds(c) for c in CUSTOMERS])
    assert kept == pytest.approx(0.05, abs=0.006)
