"""Met, not met, or it can't be said: laws of the verdict over all intervals."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.insight.experiments.definition import Amount
from shoal.insight.experiments.results import Comparison, Figure, Measured
from shoal.insight.metrics.definition import Better
from shoal.insight.pilots.definition import Goal
from shoal.insight.pilots.verdict import Judged, judge, verdict
from shoal.stats.experiments.comparing import Effect

numbers = st.floats(-10, 10, allow_nan=False)


def kpi(
    low: float, high: float, *, better: Better = "higher", mine: tuple[float, float, float] = (5, 4, 6)
) -> Measured:
    """A KPI whose absolute effect has an interval, and whose arm has a figure."""
    effect = Effect((low + high) / 2, low, high, (high - low) / 4, inf, 0.5, False)
    told = Comparison("pilot", effect, effect._replace(relative=True), 0.5, 0.5, 0.05, effect.excludes(0))
    figures = (Figure("holdout", 100, 5.0, 4.0, 6.0, 5.0), Figure("pilot", 100, *mine, mine[0]))
    return Measured("m", "Metric", "number", better, "primary", "mean", figures, (told,))


def of(goal: Goal, measured: Measured, **more: Any) -> Judged:
    return judge(goal, measured, None, **more)


@given(numbers, numbers, st.floats(0.1, 9), st.booleans())
def test_met_is_what_the_whole_interval_meets(a: float, b: float, gain: float, relative: bool) -> None:
    """Breaks when an interval that holds the goal is called met or missed."""
    low, high = min(a, b), max(a, b)
    found = of(Goal("m", Amount(gain, relative)), kpi(low, high)).kind
    assert found == ("met" if low >= gain else "not met" if high < gain else "can't be said")


@given(numbers, numbers, st.floats(0.1, 9))
def test_where_lower_is_better_it_is_the_mirror_image(a: float, b: float, gain: float) -> None:
    """Breaks when a fall of churn counts as a miss."""
    low, high = min(a, b), max(a, b)
    for goal in (Goal("m", Amount(gain, False)), Goal("m")):
        assert of(goal, kpi(low, high)).kind == of(goal, kpi(-high, -low, better="lower")).kind


@given(numbers, numbers)
def test_better_at_all_is_beyond_nothing(a: float, b: float) -> None:
    """Breaks when an interval that holds 0 is called better or worse."""
    low, high = min(a, b), max(a, b)
    found = of(Goal("m"), kpi(low, high)).kind
    assert found == ("met" if low > 0 else "not met" if high <= 0 else "can't be said")


@pytest.mark.parametrize(
    ("effect", "mine", "kind", "says"),
    [
        ((0.5, 1.5), (9, 8.5, 9.5), "met", "holdout is beaten"),
        ((-0.5, 1.5), (9, 8.5, 9.5), "can't be said", "whether by the pilot can't be said"),
        ((-1.5, -0.5), (9, 8.5, 9.5), "not met", "no part in what was reached"),
        ((0.5, 1.5), (7, 6.5, 7.5), "not met", "aren't reached"),
        ((0.5, 1.5), (8, 7.5, 8.5), "can't be said", "Whether the 8"),
    ],
)
def test_what_is_reached_counts_only_beyond_the_holdout(
    effect: tuple[float, float], mine: tuple[float, float, float], kind: str, says: str
) -> None:
    """Breaks when a season that lifts everybody makes a pilot a success."""
    found = of(Goal("m", reach=8), kpi(*effect, mine=mine))
    assert found.kind == kind
    assert says in found.says


def test_before_the_end_or_with_lost_customers_nothing_is_met() -> None:
    """Breaks when a pilot is called a success while it runs."""
    found = of(Goal("m"), kpi(1, 2), waiting="It ends tomorrow.")
    assert (found.kind, "It ends tomorrow." in found.says) == ("can't be said", True)
    assert verdict([found], "It ends tomorrow.").kind == "can't be said"


def test_a_kpi_without_a_figure_says_why() -> None:
    refused = Measured("m", "Metric", "number", "higher", "primary", refused="It has no variance.")
    found = of(Goal("m"), refused)
    assert (found.kind, found.says) == ("can't be said", "Metric: It has no variance.")


@given(st.lists(st.sampled_from([(1.0, 2.0), (-2.0, -1.0), (-1.0, 1.0)]), min_size=1, max_size=5))
def test_a_pilot_is_met_only_where_all_of_it_is(effects: list[tuple[float, float]]) -> None:
    """Breaks when one good figure among many makes a success."""
    judged = [of(Goal("m"), kpi(*effect)) for effect in effects]
    kinds = {one.kind for one in judged}
    expected = "not met" if "not met" in kinds else "met" if kinds == {"met"} else "can't be said"
    assert verdict(judged).kind == expected
