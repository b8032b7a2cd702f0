"""Who is tested when: rows at several cuts are tested by what was known before, from the first cut that has enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.insight.models.learning.classifier import Reason
from shoal.insight.models.learning.table import Numbers, Table
from shoal.insight.models.learnt import Cases, in_full, in_short

ROWS = 60


def cases(positives: list[int], step: int = 10) -> Cases:
    """One cut each ``step``, with so many positives among its rows."""
    parts = []
    for i, many in enumerate(positives):
        table = Table.of([str(k) for k in range(ROWS)], [Numbers.of("x", np.arange(ROWS))])
        parts.append(Cases.of(table, np.arange(ROWS) < many, i * step, np.arange(ROWS)))
    return Cases.joined(parts)


@given(st.lists(st.integers(0, ROWS), min_size=2, max_size=7), st.integers(1, 40))
def test_nothing_is_tested_by_what_came_later(positives: list[int], horizon: int) -> None:
    """Breaks if a row teaches what is tested before its outcome was known."""
    rows = cases(positives)
    folds, words = rows.folds(horizon)
    if not words.startswith("each cut"):
        assert "other customers" in words
        for learn, test in folds.splits():
            assert not set(rows.owners[learn]) & set(rows.owners[test])
        return
    for learn, test in folds.splits():
        assert rows.cuts[learn].max() + horizon <= rows.cuts[test].min()
        assert min(rows.outcome[learn].sum(), (1 - rows.outcome[learn]).sum()) >= 20


def test_cuts_before_which_too_little_was_known_only_teach() -> None:
    """Breaks if a first cut without cases makes a model of a long history fall back to the base rate."""
    rows = cases([3, 5, 30, 25, 30])
    folds, words = rows.folds(10)
    assert words == "each cut by a model of what was known before it"
    assert sorted({int(c) for _, test in folds.splits() for c in rows.cuts[test]}) == [30, 40]


@pytest.mark.parametrize("positives", [[30], [30, 30]])
def test_cuts_too_near_are_tested_customer_by_customer(positives: list[int]) -> None:
    """Breaks if one instant, or two within a horizon, pass for an order of time."""
    folds, words = cases(positives).folds(15)
    assert "other customers" in words
    assert len(list(folds.splits())) == 5


def test_reasons_in_words() -> None:
    """Breaks if a missing value or the direction is shown wrongly."""
    reasons = (Reason("days since the last order", "45", 0.693147), Reason("plan", "missing", -0.1))
    assert in_short(reasons) == "days since the last order: 45 (raises it); plan: not known (lowers it)"
    assert in_full(reasons)[0] == "days since the last order: 45 (the odds are 2.00 times the average's)"
    assert in_short(()) is None
