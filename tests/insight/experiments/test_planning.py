"""What an experiment takes: from the workspace's own last weeks, and refused where that can't be said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from shoal.clock import DAY
from shoal.customers.writer import write_records
from shoal.errors import Refused
from shoal.insight.experiments.assignment import Holdout
from shoal.insight.experiments.definition import Amount, AtStart, Experiment, InTrait, Plan
from shoal.insight.experiments.planning import Measured, Planned, arm_sizes, factor, planned
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.reading import read_metric
from shoal.insight.models.asof import AsOf
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.shapes import Event, RevenueRule
from shoal.sql.duck import DuckStore
from shoal.sql.registry import learned_schema

AT = 200 * DAY
MAIL = Experiment("mail", "Mail", {"control": 0.5, "mail": 0.5}, "revenue", effect=Amount(0.1, True))
REVENUE = read_metric(
    'name: Revenue\nunit: number\nas: mean\nof: sum(revenue of "Order Completed")\n', slug="revenue", place="m"
)
BUYING = read_metric(
    'name: Much\nunit: share\nas: share\nof: sum(revenue of "Order Completed") > 40\n', slug="much", place="m"
)
VALUE = read_metric(
    'name: Value\nunit: money\nas: ratio\nof: sum(revenue of "Order Completed")\nper: count("Order Completed")\n',
    slug="value", place="m",
)  # fmt: skip


def a_shop(store: DuckStore, a_day: int = 10, days: int = 120, seed: int = 1) -> dict[str, tuple[int, float, float]]:
    """New customers each day, who look around and order half a day later; some ordered before.

    Returns:
        By id, the instant that they came, what they spent after it, and what they had spent before.
    """
    rng = np.random.default_rng(seed)
    told: dict[str, tuple[int, float, float]] = {}
    events = []
    for day in range(days):
        for i in range(a_day):
            who, at = f"c{day}-{i}", AT - day * DAY - DAY // 2
            before = float(round(rng.gamma(2, 20), 2))
            after = float(round(0.8 * before + rng.gamma(2, 10), 2))
            events += [
                Event(who, "Order Completed", at - 150 * DAY, {"revenue": before}),
                Event(who, "Page Viewed", at, {}),
                Event(who, "Order Completed", at + DAY // 4, {"revenue": after}),
            ]
            told[who] = at, after, before
    assert write_records(store, events, zone="UTC", received=0).rejected == 0
    return told


@contextmanager
def as_of(store: DuckStore, at: int = AT) -> Iterator[AsOf]:
    traits, events = learned_schema(store)
    with AsOf(store, RevenueRule(), Schema(traits=traits, events=events), at) as known:
        yield known


def plan(store: DuckStore, experiment: Experiment, metric: Metric = REVENUE, **more: tuple[Holdout, ...]) -> Planned:
    with as_of(store) as known:
        return planned(known, experiment, metric, **more)


def test_a_plan_has_the_figures_of_those_who_came_lately(store: DuckStore) -> None:
    """Breaks when customers of another time are counted, or figures before they came."""
    told = a_shop(store)
    found = plan(store, MAIL)
    assert [span.days for span in found.spans] == [7, 14, 28, 56, 91]
    for span in found.spans:
        spent = [after for at, after, _ in told.values() if at > AT - span.days * DAY]
        assert span.customers == 10 * span.days == len(spent)
        assert span.metric.mean == pytest.approx(np.mean(spent))
        assert span.metric.variance == pytest.approx(np.var(spent, ddof=1))
    assert found.basis.days == 28
    assert found.effect == pytest.approx(0.1 * found.basis.metric.mean)


def test_so_many_customers_find_the_least_effect_in_four_of_five_tries(store: DuckStore) -> None:
    """Breaks when size and detectable effect aren't the same thing said twice, or the power isn't met.

    400 experiments of the plan's size are drawn from what customers spent, with the effect on one arm; the share of those in
    which Welch's test finds it is the power within its Monte-Carlo error (3 × 2.0 points).
    """
    from shoal.stats.experiments.arms import Arm, mean
    from shoal.stats.experiments.comparing import gap, welch

    told = a_shop(store)
    found = plan(store, MAIL)
    assert found.sizes is not None
    assert found.effect is not None
    spent = np.array([after for at, after, _ in told.values() if at > AT - 28 * DAY])
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        a, b = (rng.choice(spent, size=n) for n in found.sizes)
        hits += welch(gap(mean(Arm.of(a)), mean(Arm.of(b + found.effect)))).p < 0.05
    assert hits / 400 == pytest.approx(0.8, abs=0.06)


def test_days_follow_from_how_many_come(store: DuckStore) -> None:
    """Breaks when the days are off by more than one, within what was seen and beyond it."""
    a_shop(store)
    long = replace(MAIL, plan=Plan(days=91))
    # Beyond the longest span all is reckoned from that one: 10 come a day.
    beyond = plan(store, replace(long, effect=Amount(0.05, True)))
    assert beyond.wanted is not None
    assert beyond.wanted > 910
    assert beyond.days == pytest.approx(beyond.wanted / 10, abs=1.5)
    # Within it the spread of the span that is reached counts, which isn't that of the longest to the digit.
    within = plan(store, replace(long, effect=Amount(0.1, True)))
    assert within.wanted is not None
    assert within.wanted < 910
    assert within.days == pytest.approx(within.wanted / 10, rel=0.15)


def test_the_past_lowers_the_variance_by_its_correlation_squared(store: DuckStore) -> None:
    """Breaks when the reduction that is promised isn't 1 - rho squared of this data (Deng et al. 2013)."""
    told = a_shop(store)
    found = plan(store, replace(MAIL, plan=Plan(days=91)))
    assert found.basis.days == 91
    assert found.reduction is None  # Orders of 150 days ago lie before the past that is as long as the plan.
    whole = plan(store, replace(MAIL, window=160 * DAY))
    lately = [(after, before) for at, after, before in told.values() if at > AT - 28 * DAY]
    rho = float(np.corrcoef(np.array(lately).T)[0, 1])
    assert rho > 0.5
    assert whole.reduction == pytest.approx(rho**2, abs=1e-6)


def test_holdouts_layers_and_weights_lessen_who_takes_part(store: DuckStore) -> None:
    a_shop(store)
    whole = plan(store, MAIL).spans[0]
    part = plan(store, replace(MAIL, share=0.5, layer="m"), everywhere=(Holdout("global", 0.2),)).spans[0]
    assert part.customers == int(whole.customers * 0.4)
    assert part.detectable == pytest.approx(whole.detectable / 0.4**0.5, rel=0.01)
    uneven = plan(store, replace(MAIL, arms={"control": 0.9, "mail": 0.1}))
    even = plan(store, MAIL)
    assert uneven.wanted is not None
    assert even.wanted is not None
    assert uneven.wanted / even.wanted == pytest.approx((1 / 0.9 + 1 / 0.1) / 4, rel=0.01)


def test_the_population_is_that_of_the_moment(store: DuckStore) -> None:
    """Breaks when who was silent isn't a lapsed customer any more by the order that brought them."""
    a_shop(store, a_day=4)
    lapsed = replace(MAIL, population=parse('not did "Order Completed" in last 60 days'))
    assert plan(store, lapsed).spans[0].customers == 28
    active = replace(MAIL, population=parse('did "Order Completed" at least 2 times'))
    with pytest.raises(Refused, match="fewer than two customers would have taken part"):
        plan(store, active)


def test_at_the_start_all_of_the_population_are_in(store: DuckStore) -> None:
    a_shop(store, a_day=5)
    found = plan(store, replace(MAIL, exposure=AtStart(), effect=Amount(0.01, True)))
    there = [5 * 120 for _ in found.spans]
    assert [span.customers for span in found.spans] == there
    assert found.days is None
    assert "all of them from the start on" in found.notes[-1]


def test_shares_and_ratios_are_planned_by_their_own_variance(store: DuckStore) -> None:
    a_shop(store)
    share = plan(store, MAIL, BUYING).basis.metric
    assert 0.4 < share.mean < 0.9
    assert share.variance == pytest.approx(share.mean * (1 - share.mean) * share.n / (share.n - 1))
    value = plan(store, MAIL, VALUE)
    assert value.basis.metric.mean == pytest.approx(plan(store, MAIL).basis.metric.mean, rel=0.05)


def test_five_per_cent_on_five_per_cent_take_122121_each() -> None:
    """MODELS.md, oracle 37: 122,121 an arm (unpooled)."""
    two = replace(MAIL, primary="buying")
    assert arm_sizes(Measured(0.05, 0.05 * 0.95, 1000, 1000), 0.0025, two, share=True) == (122_121, 122_121)
    # Of whom the metric is asked of half only, twice as many have to take part.
    assert arm_sizes(Measured(0.05, 0.05 * 0.95, 500, 1000), 0.0025, two, share=True)[0] == pytest.approx(
        244_242, abs=1
    )


def test_looks_cost_what_is_published() -> None:
    """Jennison & Turnbull (2000), table 2.4: O'Brien-Fleming's five looks take 1.028 times the fixed size at 80 %."""
    assert factor(Plan(), 2) == pytest.approx(1.0)
    assert factor(Plan("group sequential", 5), 2) == pytest.approx(1.028, abs=0.001)
    assert factor(Plan("always valid"), 2) > 1.5
    assert factor(Plan(), 3) > 1.15


def test_what_cannot_be_planned_is_refused(store: DuckStore) -> None:
    with pytest.raises(Refused, match="reaches back 0 days"):
        plan(store, MAIL)
    assert write_records(store, [Event("c1", "Page Viewed", 0, {})], zone="UTC", received=0).rejected == 0
    with pytest.raises(Refused, match="Others drew the arms"):
        plan(store, replace(MAIL, exposure=InTrait("segment")))
    a_shop(store, a_day=1, days=20)
    nothing = read_metric(
        'name: Refunds\nunit: count\nas: mean\nof: count("Page Viewed") * 0\n', slug="zero", place="m"
    )
    with pytest.raises(Refused, match="Refunds was the same for all of them"):
        plan(store, MAIL, nothing)
    without = plan(store, replace(MAIL, effect=None))
    assert (without.sizes, without.days, without.wanted) == (None, None, None)
    assert "no minimum_effect" in without.notes[-1]
