"""Corrections for many looks: the published example, and laws that hold for any p-values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.stats.multiple import benjamini_hochberg, benjamini_yekutieli, bonferroni, holm

# Benjamini & Hochberg 1995, the fifteen p-values of their example.
FIFTEEN = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
           0.7590, 1.0]  # fmt: skip
ALL = [bonferroni, holm, benjamini_hochberg, benjamini_yekutieli]
chances = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("correct", "rejected"), [(benjamini_hochberg, 4), (holm, 3), (bonferroni, 3), (benjamini_yekutieli, 3)]
)
def test_the_published_example(correct: Callable[[Any], Any], rejected: int) -> None:
    """MODELS.md, oracle 36. Breaks when a step is off by one."""
    assert int((correct(FIFTEEN) <= 0.05).sum()) == rejected


@given(chances)
def test_the_false_discovery_rate_is_scipys(values: list[float]) -> None:
    """Breaks when ties or the order of the values matter, or a step runs the wrong way."""
    from scipy.stats import false_discovery_control

    assert np.allclose(benjamini_hochberg(values), false_discovery_control(values))
    assert np.allclose(benjamini_yekutieli(values), false_discovery_control(values, method="by"))


@given(chances)
def test_holm_is_what_closed_testing_says(values: list[float]) -> None:
    """Each is the largest, over the smaller ones, of p times how many are no smaller. Breaks when a step is off."""
    ranked = sorted(range(len(values)), key=lambda i: (values[i], i))
    expected = [0.0] * len(values)
    for place, at in enumerate(ranked):
        steps = (values[ranked[j]] * (len(values) - j) for j in range(place + 1))
        expected[at] = min(1.0, max(steps))
    assert np.allclose(holm(values), expected)


@given(chances)
def test_a_correction_never_helps_and_keeps_the_order(values: list[float]) -> None:
    """Breaks when a corrected value is below the p-value or above 1, or two change places."""
    order = np.argsort(values, kind="stable")
    for correct in ALL:
        found = correct(values)
        assert (found >= np.array(values) - 1e-15).all()
        assert (found <= 1).all()
        assert (np.diff(found[order]) >= 0).all()
    assert (holm(values) <= bonferroni(values) + 1e-15).all()


@pytest.mark.parametrize("correct", ALL)
def test_what_is_no_chance_is_refused(correct: Callable[[Any], Any]) -> None:
    """Breaks when a missing p-value comes out as a figure."""
    assert len(correct([])) == 0
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(Refused, match="between 0 and 1"):
            correct([wrong, 0.5])
