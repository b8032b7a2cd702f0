"""What a series would be: the interval holds what it promises in every regime, and refuses where history is too short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.errors import Refused
from shoal.stats.expected import LEAST, Series, outlook, stepped

MONDAY = date(2017, 1, 2)
WEEK = np.array([1.0, 0.9, 0.95, 1.0, 1.2, 1.6, 1.4]) / 1.15
TIMES = 120
Random = np.random.Generator


def level(days: int, base: float, trend: float = 0.0) -> np.ndarray:
    """What is expected of each day, with the season of the week."""
    at = np.arange(days)
    return np.asarray(base * np.exp(trend * at) * WEEK[at % 7])


def overdispersed(random: Random, mean: np.ndarray) -> np.ndarray:
    """Counts whose variance is three times their mean."""
    return random.poisson(random.gamma(mean / 2, 2)).astype(float)


def days(values: np.ndarray, kind: str = "count") -> Series:
    return Series(MONDAY, "day", kind, values)  # type: ignore[arg-type]


def poisson_four_weeks(random: Random) -> Series:
    return days(random.poisson(level(29, 200)).astype(float))


def trend_and_weekday(random: Random) -> Series:
    return days(overdispersed(random, level(121, 100, 0.005)))


def level_shift(random: Random) -> Series:
    mean = level(121, 200)
    mean[60:] *= 1.6
    return days(overdispersed(random, mean))


def holidays(random: Random) -> Series:
    values = overdispersed(random, level(121, 200))
    values[random.choice(120, 5, replace=False)] *= random.choice([0.05, 3.0], 5)
    return days(values)


def few_a_day(random: Random) -> Series:
    return days(random.poisson(level(91, 4)).astype(float))


def revenue(random: Random) -> Series:
    return days(level(121, 5000, 0.002) * np.exp(0.12 * random.normal(size=121)), "sum")


def wandering(random: Random) -> Series:
    walk = np.cumsum(0.03 * random.normal(size=151))
    return days(level(151, 5000) * np.exp(walk + 0.1 * random.normal(size=151)), "sum")


def shares(random: Random) -> Series:
    n = random.integers(300, 900, 61)
    return Series(MONDAY, "week", "share", random.binomial(n, random.beta(50, 950, 61)) / n, n=n.astype(float))


def means(random: Random) -> Series:
    error = random.uniform(0.5, 2, 41)
    values = 50 + random.normal(0, 1, 41) + error * random.normal(size=41)
    return Series(MONDAY, "week", "mean", values, errors=error)


def months_of_three_years(random: Random) -> Series:
    at = np.arange(40)
    values = 1000 * np.exp(0.3 * np.sin(2 * np.pi * at / 12) + 0.01 * at + 0.06 * random.normal(size=40))
    return Series(date(2017, 1, 1), "month", "sum", values)


REGIMES: list[Callable[[Random], Series]] = [
    poisson_four_weeks, trend_and_weekday, level_shift, holidays, few_a_day, revenue, wandering, shares, means,
    months_of_three_years,
]  # fmt: skip


@pytest.mark.parametrize("regime", REGIMES, ids=lambda r: r.__name__)
def test_the_interval_holds_the_newest_period_as_often_as_it_says(
    regime: Callable[[Random], Series], record_property: Callable[[str, object], None]
) -> None:
    """Breaks when the interval is too narrow or too wide: 95 of 100 newest periods lie in it, give or take chance."""
    random = np.random.default_rng(7)
    found = [outlook(regime(random)).last for _ in range(TIMES)]
    inside = sum(one.outside == 0 for one in found) / TIMES
    error = sqrt(0.95 * 0.05 / TIMES)
    record_property(
        "shown: what the interval of the expected holds, of 95 %",
        f"{regime.__name__:24} {inside:.3f} ± {1.96 * error:.3f} of {TIMES}",
    )
    assert 0.95 - 3 * error <= inside <= 0.95 + 3 * error + 0.01
    # p and the interval are one statement.
    assert all((one.p is not None and one.p < 0.05) == (one.outside != 0) for one in found)


@pytest.mark.parametrize(("factor", "side"), [(0.5, -1), (1.7, 1)])
def test_a_change_is_seen(factor: float, side: int) -> None:
    """Breaks when a fall by half or a rise by 70 % of a Saturday passes as noise."""
    random, seen = np.random.default_rng(3), 0
    for _ in range(40):
        values = overdispersed(random, level(90, 200))
        values[-1] *= factor
        seen += outlook(days(values)).last.outside == side
    assert seen == 40


def test_the_weekday_is_no_change() -> None:
    """Breaks without the season: each Monday would fall and each Saturday rise beyond what was to be expected."""
    values = np.tile(1000 * WEEK, 12) * np.exp(0.02 * np.random.default_rng(6).normal(size=84))
    found = outlook(days(values, "sum"))
    assert found.seasons == ("weekday",)
    assert sum(step.outside != 0 for step in found.steps) <= 6
    assert found.last.expected is not None
    assert found.last.expected.value == pytest.approx(values[-1], rel=0.05)


@pytest.mark.parametrize("kind", ["sum", "count", "mean"])
def test_what_never_moved_is_expected_to_stay(kind: str) -> None:
    """Breaks when a figure without any noise divides by it, or a fall to nothing can't be told from a gap."""
    still = np.full(60, 250.0)
    assert outlook(days(still, kind)).last.outside == 0
    for last in (0.0, -5.0):
        gone = outlook(days(np.append(still, last), kind)).last
        assert gone.outside == -1
        assert gone.p is not None
        assert gone.p < 1e-6


def test_the_time_of_year_is_no_change() -> None:
    """Breaks when December is held against November alone though there are Decembers before."""
    random = np.random.default_rng(5)
    at = np.arange(48)
    values = 1000 * np.where(at % 12 == 11, 2.0, 1.0) * np.exp(0.03 * random.normal(size=48))
    found = outlook(Series(date(2014, 1, 1), "month", "sum", values))
    assert found.seasons == ("time of year",)
    assert found.last.outside == 0
    short = outlook(Series(date(2017, 1, 1), "month", "sum", values[-20:]))
    assert short.seasons == ()
    assert short.last.outside == 1


def test_a_level_that_stays_is_a_new_level() -> None:
    """Breaks when days after a lasting change are held against what was before it."""
    random = np.random.default_rng(11)
    mean = level(110, 200)
    mean[80:] *= 0.4
    found = outlook(days(overdispersed(random, mean)))
    assert next(day for day in found.shifts if day >= stepped(MONDAY, "day", 80)) <= stepped(MONDAY, "day", 84)
    assert found.steps[80].outside == -1
    assert sum(step.outside != 0 for step in found.steps[85:]) <= 4


def test_what_stood_out_before_teaches_nothing() -> None:
    """Breaks when holidays in the history widen the interval or move its middle much."""
    values = overdispersed(np.random.default_rng(2), level(121, 200))
    plain = outlook(days(values)).last.expected
    broken = values.copy()
    broken[[30, 59, 88, 110]] = [0, 2000, 1500, 0]
    found = outlook(days(broken))
    assert plain is not None
    assert found.last.expected is not None
    assert found.left_out == 4
    assert found.last.expected.value == pytest.approx(plain.value, rel=0.06)
    assert found.last.expected.high - found.last.expected.low < 1.4 * (plain.high - plain.low)


def test_the_judged_period_has_no_say_in_what_was_expected_of_it() -> None:
    """Breaks when a large change widens the very interval that should tell it."""
    values = overdispersed(np.random.default_rng(4), level(100, 200))
    expected = [outlook(days(np.append(values, last))).last.expected for last in (0.0, 230.0, 5000.0)]
    assert expected[0] is not None
    for other in expected[1:]:
        assert other == pytest.approx(expected[0])


@pytest.mark.parametrize("grain", LEAST)
def test_a_short_history_is_refused_and_says_what_it_takes(grain: str) -> None:
    """Breaks when something is said of a figure that nothing is known of."""
    values = np.arange(1.0, LEAST[grain] + 2) + 100
    outlook(Series(date(2017, 1, 1), grain, "sum", values))
    with pytest.raises(Refused, match=f"There are {LEAST[grain] - 1} {grain}s with a value; .* takes {LEAST[grain]}"):
        outlook(Series(date(2017, 1, 1), grain, "sum", values[1:]))


def test_periods_without_a_value_are_no_zeros() -> None:
    """Breaks when a gap counts as a fall, or as history."""
    values = overdispersed(np.random.default_rng(9), level(100, 200))
    values[[10, 40, 41, 42, 70]] = np.nan
    found = outlook(days(values))
    assert found.steps[41].value is None
    assert found.steps[41].p is None
    assert found.left_out == 0
    assert found.last.outside == 0


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 400), min_size=30, max_size=60),
    st.sampled_from(["sum", "count", "share", "mean"]),
    st.sampled_from(["day", "week", "month"]),
)
def test_whatever_the_figures_are_the_ends_are_in_order_and_possible(values: list[int], kind: str, grain: str) -> None:
    """Breaks when a share may exceed 1 or a count fall below 0, or an interval is upside down or no number."""
    given_ = np.array(values, dtype=float)
    many = np.full(len(values), 400.0)
    series = Series(
        MONDAY if grain != "month" else date(2017, 1, 1), grain, kind,  # type: ignore[arg-type]
        given_ / 400 if kind == "share" else given_, many, np.full(len(values), 3.0) if kind == "mean" else None,
    )  # fmt: skip
    for step in outlook(series).steps:
        if step.expected is not None:
            value, low, high = step.expected
            assert low <= value <= high
            assert np.isfinite([low, high]).all()
            assert kind == "mean" or low >= 0
            assert kind != "share" or high <= 1
            assert step.p is not None
            assert 0 <= step.p <= 1


def test_what_comes_is_drawn_with_the_season() -> None:
    """Breaks when the sum of a coming week isn't what seven such days add up to."""
    random = np.random.default_rng(1)
    values = overdispersed(random, level(140, 200))
    drawn = outlook(days(values)).ahead(7)
    sums = drawn.sum(axis=1)
    assert float(np.median(sums)) == pytest.approx(level(7, 200).sum(), rel=0.08)
    assert np.argmax(np.median(drawn, axis=0)) == 5
    shape = outlook(days(values)).shape(14, 7)
    assert shape == pytest.approx(level(21, shape.mean()), rel=0.1)
    held = 0
    for _ in range(60):
        values = overdispersed(random, level(154, 200))
        low, high = np.quantile(outlook(days(values[:147])).ahead(7).sum(axis=1), [0.025, 0.975])
        held += low <= values[147:].sum() <= high
    assert held >= 52
