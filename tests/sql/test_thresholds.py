"""Ranks are held against recorded thresholds: which value is recorded, and which record counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shoal.lang.nodes import Definition
from shoal.lang.parse import parse

from .worlds import World, at

Make = Callable[..., World]


def refresh(w: World, *texts: str, when: str) -> int:
    """Refresh the thresholds of some texts at an instant."""
    definitions = {f"s{i}": Definition(f"s{i}", f"s{i}", parse(text)) for i, text in enumerate(texts)}
    return w.engine.refresh_thresholds(definitions, at(when), at(when))


@pytest.fixture
def ten(world: Make) -> World:
    """Customers c1 … c10 with clv 1 … 10, and c0 without."""
    w = world()
    for i in range(1, 11):
        w.has(f"c{i}", "clv", i)
        for _ in range(i):
            w.did(f"c{i}", "A", at("2024-01-01") + i, v=i)
    w.has("c0", "name", "none")
    return w


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("clv in top 10%", "c10"),
        ("clv in top 11%", "c9 c10"),
        ("clv in top 100%", "c1 c2 c3 c4 c5 c6 c7 c8 c9 c10"),
        ("clv in bottom 20%", "c1 c2"),
        ("clv between percentile 0 and 15", "c1 c2"),
        ("clv between percentile 90 and 100", "c9 c10"),
        # c0 has a count too, 0: of eleven values, two are in the top.
        ('count("A" in last 90 days) in top 10%', "c9 c10"),
        ('avg(v of "A") in bottom 10%', "c1"),
    ],
)
def test_ranks(ten: World, text: str, members: str) -> None:
    """The k-th value from the end, ties in; nobody before the first refresh, nor before its instant."""
    assert ten.members(text, "2024-02-01") == set()
    assert refresh(ten, text, text, when="2024-02-01") == (2 if "percentile" in text else 1)
    assert ten.members(text, "2024-02-02") == set(members.split())
    assert ten.members(text, "2024-01-31T23:59:59.999999") == set()


def test_the_newest_refresh_counts_and_values_move_between(ten: World) -> None:
    """Between refreshes the threshold stands still while values change."""
    text = "clv in top 10%"
    refresh(ten, text, when="2024-02-01")
    ten.has("c1", "clv", 50, "2024-02-02")
    assert ten.members(text, "2024-02-03") == {"c1", "c10"}
    refresh(ten, text, when="2024-02-10")
    assert ten.members(text, "2024-02-09T23:59:59") == {"c1", "c10"}
    assert ten.members(text, "2024-02-10") == {"c1"}


def test_averages_are_ranked_exactly(world: Make) -> None:
    """1/3 and 0.333333 differ by less than a millionth; the order is that of the fractions."""
    w = world()
    for v in (1, 0, 0):
        w.did("third", "A", "2024-01-01", v=v)
    w.did("near", "A", "2024-01-01", v=0.333333)
    refresh(w, 'avg(v of "A") in top 50%', when="2024-02-01")
    assert w.members('avg(v of "A") in top 50%', "2024-02-01") == {"third"}
    assert w.store.rows("SELECT num, den, n FROM thresholds") == [(1, 3, 2)]


def test_no_value_no_threshold(world: Make) -> None:
    """Nobody has a value: nothing is recorded, and the rank stays false."""
    w = world().has("x", "name", "a")
    w.did("x", "A", "2024-01-01", v=None).did("x", "A", "2024-01-01", v=1)
    assert refresh(w, 'max(v of "A" where v > 5) in top 10%', when="2024-02-01") == 0
    assert w.members('max(v of "A" where v > 5) in top 10%', "2024-02-01") == set()
