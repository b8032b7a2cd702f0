"""Which segments respond differently: chance alone seldom passes all three questions, and a real difference does."""

from __future__ import annotations

import numpy as np
import pytest
from trial_worlds import METRICS

from shoal.insight.experiments.responding import Dimension, responding
from shoal.insight.experiments.sums import Cells

SPEND = METRICS["spend"]
ARMS = ("control", "mail")
Numbers = np.ndarray


def cells(value: Numbers, arm: Numbers, code: Numbers, half: Numbers) -> Cells:
    """The sums that SQL would give of these customers."""
    place = (arm * 100 + code) * 2 + half
    found = np.unique(place)
    n = np.array([np.sum(place == one) for one in found])
    sums = np.array([value[place == one].sum() for one in found])[:, None]
    squares = np.array([(value[place == one] ** 2).sum() for one in found])[:, None, None]
    groups = np.column_stack([found // 2 % 100, found % 2])
    return Cells(found // 200, groups, n, sums, squares, np.zeros(1))


def asked(random: np.random.Generator, n: int, lifts: tuple[float, ...], luck: int = 4) -> tuple[Dimension, ...]:
    """A division with these effects in its groups, and some that chance made."""
    arm, half = random.integers(0, 2, n), random.integers(0, 2, n)
    code = random.integers(0, len(lifts), n)
    value = random.normal(10, 5, n) + arm * np.array(lifts)[code]
    by = {"real": ([f"g{i}" for i in range(len(lifts))], cells(value, arm, code, half))}
    for i in range(luck):
        drawn = random.integers(0, 5, n)
        by[f"luck {i}"] = (list("abcde"), cells(value, arm, drawn, half))
    return responding(SPEND, ARMS, by)


def test_chance_alone_is_seldom_taken_for_a_difference(record_property: pytest.RecordProperty) -> None:
    """Breaks when divisions aren't corrected for one another, or what one half shows needn't be confirmed by the other.

    All groups have one effect. Of 300 experiments with five divisions each, at most a few may have any that "differs": the
    homogeneity test alone may err in 5 of 100, and both together in one of a thousand or so.
    """
    random = np.random.default_rng(2026)
    false = seeming = 0
    for _ in range(300):
        found = asked(random, 1500, (1.0, 1.0, 1.0))
        false += any(one.finding == "differs" for one in found)
        seeming += any(one.corrected < 0.05 for one in found)
    record_property(
        "shown: Segments that seem to respond differently by chance, of 300", f"{seeming} by Q, {false} confirmed"
    )
    assert seeming <= 26
    assert false <= 3


def test_a_real_difference_is_found_among_many(record_property: pytest.RecordProperty) -> None:
    """Breaks when the order of groups, the halves or the shrinkage lose a difference that is there."""
    random = np.random.default_rng(7)
    found = [asked(random, 4000, (0.0, 0.0, 2.5)) for _ in range(60)]
    hits = sum(told[0].finding == "differs" for told in found)
    record_property("shown: A real difference between segments, found of 60", f"{hits}")
    assert hits >= 54
    assert all(told[0].groups[0].name == "g2" for told in found if told[0].finding == "differs")
    others = [one.finding == "differs" for told in found for one in told[1:]]
    assert sum(others) <= 3


def test_an_effect_that_is_drawn_lies_between_the_groups_and_the_mean() -> None:
    """Breaks when chance isn't taken off, or is taken off in the wrong direction."""
    (told, *_) = asked(np.random.default_rng(3), 900, (0.5, 1.0, 1.5))
    for group in told.groups:
        low, high = sorted((group.effect.value, told.overall))
        assert low - 0.15 <= group.drawn.value <= high + 0.15
    assert told.rows()[0]["segment"] is None
    assert len(told.rows()) == 4


def test_a_division_of_which_one_group_is_left_says_nothing() -> None:
    """Breaks when a group of a few customers is compared, or left out in silence."""
    random = np.random.default_rng(4)
    arm, half = np.arange(500) % 2, random.integers(0, 2, 500)
    code = (np.arange(500) >= 480).astype(int)
    (told,) = responding(SPEND, ARMS, {"size": (["large", "small"], cells(random.normal(0, 1, 500), arm, code, half))})
    assert told.finding == "too few"
    assert told.left_out == ("small",)
