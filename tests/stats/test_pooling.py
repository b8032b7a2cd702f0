"""Figures of several periods as one: the published trials of a vaccine, and what the interval holds."""

from __future__ import annotations

import numpy as np
import pytest

from shoal.errors import Refused
from shoal.stats.pooling import pooled

BCG = {
    "values": [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173],
    "variances": [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714],
}  # fmt: skip
"""Log relative risks of 13 trials of the BCG vaccine (Colditz and others 1994, doi:10.1001/jama.1994.03510330076038)."""


def test_the_trials_of_the_vaccine_are_pooled_as_published() -> None:
    """By DerSimonian and Laird: tau² 0.3088, -0.7141 with an error of 0.1787 (Viechtbauer 2010, doi:10.18637/jss.v036.i03).

    Breaks when weights or the variance of the true figures are others.
    """
    found = pooled(BCG["values"], np.sqrt(BCG["variances"]).tolist())
    assert found.tau2 == pytest.approx(0.3088, abs=5e-4)
    assert found.value == pytest.approx(-0.7141, abs=5e-4)
    assert found.error == pytest.approx(0.1787, abs=5e-4)
    # The plain interval is -1.064 to -0.364; that of Hartung and Knapp is wider.
    assert found.interval.low < -1.0644
    assert found.interval.high > -0.3638


def test_equal_figures_are_as_sure_as_their_sum_and_order_says_nothing() -> None:
    """Breaks if a pooled figure is surer than all customers together, or the first period counts more."""
    found = pooled([0.5] * 4, [0.2] * 4)
    assert found.value == pytest.approx(0.5)
    assert found.tau2 == 0
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.959964 * 0.1, rel=1e-5)
    one, other = pooled([0.1, 0.4, 0.2], [0.1, 0.3, 0.2]), pooled([0.2, 0.1, 0.4], [0.2, 0.1, 0.3])
    assert one.interval == pytest.approx(other.interval)
    single = pooled([0.3], [0.1])
    assert single.interval == pytest.approx((0.3, 0.3 - 0.1959964, 0.3 + 0.1959964))


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_the_interval_holds_what_it_promises_of_few_periods(tau: float) -> None:
    """Breaks if three periods that differ are pooled as if they were one."""
    random = np.random.default_rng(8)
    errors = [0.5, 1.0, 1.0]
    held = 0
    for _ in range(2000):
        truths = random.normal(0.3, tau, 3)
        found = pooled((truths + random.normal(0, errors)).tolist(), errors).interval
        held += found.low <= 0.3 <= found.high
    assert held / 2000 >= 0.94


def test_nothing_and_no_error_are_refused() -> None:
    for values, errors in (([], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(Refused):
            pooled(values, errors)
