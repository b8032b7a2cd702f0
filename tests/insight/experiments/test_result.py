"""What an experiment shows: the figures are those of the rows, and the verdict says no more than they bear."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from trial_worlds import BEGIN, METRICS, World

from shoal.clock import DAY, HOUR
from shoal.errors import Refused, UnknownName
from shoal.insight.experiments.definition import Amount, Belief, Guardrail, Plan
from shoal.insight.experiments.results import Result
from shoal.insight.experiments.state import state_of
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.sql.duck import DuckStore
from shoal.stats.experiments.arms import Arm, mean, ratio
from shoal.stats.experiments.comparing import gap, welch


def buying(world: World, seed: int, lift: float = 0.0, mean_: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """One order of many customers after the exposure, and one before that tells of it; the amounts of each, 0 for none."""
    random = np.random.default_rng(seed)
    n = len(world.arm)
    taste = random.normal(0, 0.6, n)
    after = np.exp(mean_ + taste + random.normal(0, 0.5, n)) * (1 + lift * (world.arm == 1)) * (random.random(n) < 0.6)
    before = np.exp(mean_ + taste + random.normal(0, 0.5, n)) * (random.random(n) < 0.6)
    after, before = np.round(after, 2), np.round(before, 2)
    for amounts, sign in ((before, -1), (after, 1)):
        who = np.flatnonzero(amounts)
        world.orders(who, sign * (HOUR + who * 1000), amounts[who])
    return after, before


def effect(found: Result, metric: str, arm: str = "mail") -> tuple[float, float]:
    told = next(one for one in found.metric(metric).comparisons if one.arm == arm)
    return told.absolute.value, told.absolute.se


# --------------------------------------------------------------------------- figures


def test_figures_are_those_of_the_rows(store: DuckStore) -> None:
    """Breaks when a sum loses rows, counts who bought nothing out, or a method of a metric is another one."""
    world = World.even(store, 3000, arms={"control": 0.5, "mail": 0.3, "letter": 0.2})
    after, _ = buying(world, 2, 0.1)
    shown = world.experiment("spend", secondary=("bought", "orders", "basket", "middle"))
    found = world.result(shown, winsor=None, cuped=False)
    for place, arm in ((1, "mail"), (2, "letter")):
        mine, theirs = after[world.arm == place], after[world.arm == 0]
        expected = welch(gap(mean(Arm.of(theirs)), mean(Arm.of(mine))))
        told = next(one for one in found.metric("spend").comparisons if one.arm == arm)
        assert told.absolute[:4] == pytest.approx(expected[:4])
        shares = gap(*(mean(Arm.of_share(int((x > 0).sum()), len(x))) for x in (theirs, mine)))
        assert effect(found, "bought", arm) == pytest.approx(shares[:2])
        ratios = gap(*(ratio(Arm.of(x, (x > 0) * 1.0)) for x in (theirs, mine)))
        assert effect(found, "basket", arm) == pytest.approx(ratios[:2])
        halves = [np.sort(x[x > 0])[int(np.ceil((x > 0).sum() / 2)) - 1] for x in (theirs, mine)]
        assert effect(found, "middle", arm)[0] == pytest.approx(halves[1] - halves[0])
    assert [one.n for one in found.metric("spend").figures] == np.bincount(world.arm).tolist()
    assert json.loads(json.dumps(found.document()))["n"] == found.n


def test_large_amounts_lose_no_digits(store: DuckStore) -> None:
    """Breaks when squares are summed before values are centred: near a billion nothing would be left of the variance."""
    world = World.even(store, 400)
    who = np.arange(400)
    small = np.random.default_rng(3).integers(0, 100, 400) / 100
    world.orders(who, who * 0 + HOUR, 1e9 + small)
    found = world.result(winsor=None, cuped=False)
    expected = gap(*(mean(Arm.of(small[world.arm == place])) for place in (0, 1)))
    assert effect(found, "spend") == pytest.approx((expected.value, expected.se), rel=1e-5)


def test_cuped_takes_away_what_the_past_explains(store: DuckStore) -> None:
    """Breaks when the covariate is from after the exposure, is aligned with others, or the reduction told isn't 1 − ρ²'s."""
    world = World.even(store, 4000)
    after, before = buying(world, 5, 0.0)
    found = world.result(winsor=None)
    told = found.metric("spend")
    rho = np.mean([np.corrcoef(after[world.arm == a], before[world.arm == a])[0, 1] for a in (0, 1)])
    assert told.reduction == pytest.approx(rho**2, abs=0.01)
    assert "CUPED" in told.method
    plain = world.result(winsor=None, cuped=False)
    assert effect(found, "spend")[1] == pytest.approx(effect(plain, "spend")[1] * np.sqrt(1 - told.reduction), rel=1e-3)


def test_without_a_past_nothing_is_adjusted(store: DuckStore) -> None:
    """Breaks when an adjustment is claimed that there can't be."""
    world = World.even(store, 500)
    who = np.arange(500)
    world.orders(who, who * 0 + HOUR, 10.0 + who % 7)
    told = world.result().metric("spend")
    assert told.reduction is None
    assert "CUPED" not in told.method


def test_post_stratification_by_what_was_known_before(store: DuckStore) -> None:
    """Breaks when strata aren't weighted by their shares of all customers: chance dealt the arms unevenly here on purpose."""
    world = World.even(store, 3000)
    rich = (np.random.default_rng(8).random(3000) < np.where(world.arm == 1, 0.55, 0.45)).astype(float)
    world.trait("class", np.where(rich > 0, "rich", "poor").tolist(), BEGIN - 10 * DAY)
    amounts = np.round(10 + 40 * rich + np.random.default_rng(9).normal(0, 2, 3000), 2)
    world.orders(np.arange(3000), np.full(3000, HOUR), amounts)
    found = world.result(strata="class", winsor=None)
    assert effect(found, "spend")[0] == pytest.approx(0, abs=0.5)
    assert effect(world.result(winsor=None, cuped=False), "spend")[0] > 3
    assert (found.metric("spend").reduction or 0) > 0.9


def test_money_is_cut_at_one_quantile_of_all_arms(store: DuckStore) -> None:
    """Breaks when each arm has a cap of its own, which would hide an effect, or the cap isn't told."""
    world = World.even(store, 2000)
    after, _ = buying(world, 4)
    found = world.result(winsor=0.95, cuped=False).metric("spend")
    cap = np.quantile(after, 0.95)
    assert found.uncut is not None
    assert found.uncut.cap == pytest.approx(cap)
    assert found.uncut.capped == (after > cap).sum()
    assert found.figures[1].value == pytest.approx(np.minimum(after, cap)[world.arm == 1].mean())
    assert found.uncut.effects[0].value == pytest.approx(after[world.arm == 1].mean() - after[world.arm == 0].mean())
    low, high = found.uncut.bootstrap[0][1:]
    told = found.comparisons[0].absolute
    assert (low, high) == pytest.approx((told.low, told.high), abs=told.se)


# --------------------------------------------------------------------------- verdicts


def test_an_effect_is_said_with_its_interval(store: DuckStore) -> None:
    """Breaks when a clear effect isn't found, or its direction is read off the wrong way."""
    world = World.even(store, 4000)
    buying(world, 6, 0.3)
    found = world.result(world.experiment(effect=Amount(0.02, True)))
    assert found.verdict.kind == "better"
    assert "at least the 2% that would matter" in found.verdict.says
    worse = world.result(replace(world.experiment(), arms={"mail": 0.5, "control": 0.5}))
    assert worse.verdict.kind == "worse"


def test_without_an_effect_what_is_excluded_is_said(store: DuckStore) -> None:
    """Breaks when a null result is called equality, or says nothing of what it rules out."""
    world = World.even(store, 3000)
    buying(world, 7)
    small = world.result(world.experiment(effect=Amount(0.5, True)))
    assert small.verdict.kind == "no difference shown"
    assert "is ruled out" in small.verdict.says
    assert "is not ruled out" in world.result(world.experiment(effect=Amount(0.001, True))).verdict.says
    assert not re.search(r"no effect|equal|the same", small.verdict.says)


def test_uneven_arms_block_the_verdict(store: DuckStore) -> None:
    """Breaks when an effect is announced of arms that lost customers, however large it is."""
    even = World.even(store, 20_000, days=10)
    kept = ~((even.arm == 1) & (np.random.default_rng(77).random(20_000) < 0.2))
    world = World(_again(store), even.arm[kept], even.begin[kept])
    buying(world, 6, 0.5)
    found = world.result()
    assert found.verdict.kind == "blocked"
    assert not found.verdict.arms
    assert found.sample.fails
    assert found.sample.first_day is not None
    assert found.sample.first_day < 9
    assert f"on day {found.sample.first_day + 1} of" in found.verdict.says
    assert "redirects" in found.verdict.says


def test_arms_that_are_uneven_in_a_segment_alone_block_too(store: DuckStore) -> None:
    """Breaks when losses of one segment are made up for by another, so that the whole looks even."""
    even = World.even(store, 6000, seed=2)
    browser = np.random.default_rng(3).choice(["old", "new"], 6000)
    gone = np.random.default_rng(4).random(6000) < 0.3
    kept = ~(gone & (((even.arm == 1) & (browser == "old")) | ((even.arm == 0) & (browser == "new"))))
    world = World(_again(store), even.arm[kept], even.begin[kept])
    buying(world, 6, 0.5)
    world.trait("browser", browser[kept].tolist(), BEGIN - DAY)
    assert world.result().verdict.kind == "better"
    found = world.result(by=("browser",))
    assert found.verdict.kind == "blocked"
    assert {part.group for part in found.sample.parts} == {"old", "new"}
    assert "browser old" in found.sample.says


def _again(store: DuckStore) -> DuckStore:
    """Another empty store."""
    from shoal.sql.duck import create_store

    return create_store(":memory:", zone="UTC", now=0, threads=1)


def test_a_guardrail_that_got_worse_is_in_the_verdict(store: DuckStore) -> None:
    """Breaks when a gain is announced while complaints double, or a tolerated change is called harm."""
    world = World.even(store, 4000)
    buying(world, 6, 0.3)
    random = np.random.default_rng(2)
    who = np.flatnonzero(random.random(4000) < np.where(world.arm == 1, 0.10, 0.05))
    world.events("complaint", who, world.begin[who] + HOUR)
    hard = world.experiment(guardrails=(Guardrail("complaints", Amount(0.1, True)),))
    found = world.result(hard)
    assert found.verdict.kind == "harm"
    assert "Complaints is worse" in found.verdict.says
    assert "Spend is higher" in found.verdict.says
    soft = replace(hard, guardrails=(Guardrail("complaints", Amount(3.0, True)),))
    assert world.result(soft).verdict.kind == "better"
    unsure = replace(hard, guardrails=(Guardrail("bought", Amount(0.001, True)),))
    assert "isn't ruled out" in world.result(unsure).verdict.says


def test_a_finding_on_a_few_large_amounts_is_not_announced(store: DuckStore) -> None:
    """Breaks when Welch's interval of very skewed money is believed where drawing customers anew doesn't find the same."""
    arm = np.arange(300) % 2
    world = World(store, arm, np.full(300, BEGIN))
    control, treated = np.flatnonzero(arm == 0), np.flatnonzero(arm == 1)
    who = np.concatenate([control[:2], treated])
    amounts = np.concatenate([[225.0, 225.0], 7.5 + (np.arange(150) % 5) / 10 - 0.2])
    world.orders(who, who * 0 + HOUR, amounts)
    found = world.result(winsor=None)
    told = found.metric("spend")
    assert told.comparisons[0].sure
    assert told.uncut is not None
    assert told.uncut.bootstrap[0].low <= 0
    assert found.verdict.kind == "no difference shown"
    assert "few large amounts" in found.verdict.says


def test_groups_that_nobody_drew_are_compared_without_a_word_of_cause(store: DuckStore) -> None:
    """Breaks when a difference between groups that chose themselves is called an effect."""
    world = World.even(store, 2000)
    buying(world, 6, 0.5)
    found = world.result(world.experiment(randomised=False))
    assert found.verdict.kind == "compared"
    said = found.verdict.says
    assert "Compared, not caused" in said
    assert not re.search(
        r"\beffects?\b|\blift|\bgain|because of|led to|thanks to|\bincrease|\bimprov", said, re.IGNORECASE
    )
    assert found.over_time is None
    assert not found.sample.fails


def test_a_tolerance_in_per_cent_is_of_the_controls_figure(store: DuckStore) -> None:
    """Breaks when a relative tolerance is held against an absolute change, where the figure is too near 0 for a relative one."""
    world = World.even(store, 600)
    buying(world, 6)
    few = np.flatnonzero(world.arm == 0)[:2]
    many = np.flatnonzero(world.arm == 1)[:20]
    who = np.concatenate([few, many])
    world.events("complaint", who, world.begin[who] + HOUR)
    found = world.result(world.experiment(guardrails=(Guardrail("complaints", Amount(0.5, True)),)))
    told = found.metric("complaints").comparisons[0]
    assert told.relative is None
    assert told.absolute.value < 0.5
    assert found.verdict.kind == "harm"


def test_equals_are_seldom_told_apart(store: DuckStore) -> None:
    """Breaks when more than chance finds a winner among equals; of twenty A/A experiments at 5 % one is expected."""
    kinds = []
    for seed in range(20):
        world = World.even(_again(store), 300, seed=1000 + seed)
        buying(world, 2000 + seed)
        kinds.append(world.result().verdict.kind)
    assert set(kinds) <= {"no difference shown", "better", "worse"}
    assert kinds.count("no difference shown") >= 16


# --------------------------------------------------------------------------- too little


def test_a_metric_that_never_varies_is_said_so(store: DuckStore) -> None:
    """Breaks when a division by nothing becomes a figure."""
    world = World.even(store, 200)
    world.orders(np.array([0]), np.array([-HOUR]), np.array([5.0]))
    found = world.result(world.experiment("orders"), cuped=False)
    assert found.verdict.kind == "undecided"
    assert "the same for every unit of both arms" in found.verdict.says


def test_one_customer_an_arm_is_said_so(store: DuckStore) -> None:
    """Breaks when one customer gets an interval."""
    world = World(store, np.array([0, 1]), np.array([BEGIN, BEGIN]))
    world.orders(np.array([0, 1]), np.array([HOUR, HOUR]), np.array([5.0, 7.0]))
    found = world.result()
    assert found.verdict.kind == "undecided"
    assert "control has 1 customer who counts" in found.verdict.says


def test_nobody_is_refused(store: DuckStore) -> None:
    """Breaks when an empty experiment has a result."""
    world = World(store, np.array([0, 1]), np.array([BEGIN, BEGIN]))
    world.orders(np.array([0]), np.array([HOUR]), np.array([5.0]))
    with pytest.raises(Refused, match="Nobody takes part"):
        world.result(at=BEGIN - DAY)


def test_a_metric_that_customers_of_an_experiment_cannot_have_is_refused_alone(store: DuckStore) -> None:
    """Breaks when one metric that can't be asked takes the others with it."""
    world = World.even(store, 800)
    buying(world, 3, 0.2)
    found = world.result(world.experiment(secondary=("before",)))
    assert "period before" in (found.metric("before").refused or "")
    assert found.metric("spend").comparisons
    with pytest.raises(UnknownName, match="churn"):
        found.metric("churn")
    assert METRICS["before"].before is not None


# --------------------------------------------------------------------------- plans


def test_before_its_end_a_fixed_plan_decides_nothing(store: DuckStore) -> None:
    """Breaks when a p-value of one look is shown daily: under a fixed plan only an interval that holds at all moments is."""
    world = World.even(store, 4000, days=10)
    buying(world, 6, 0.4)
    plan = world.experiment(plan=Plan("fixed", days=14))
    early = world.result(plan, at=BEGIN + 8 * DAY + HOUR)
    assert early.verdict.kind == "undecided"
    assert "8 of 14 days" in early.verdict.says
    assert "no verdict" in early.verdict.says
    told = early.metric("spend").comparisons[0].absolute
    assert told.high - told.low > 2 * 1.96 * told.se * 1.2
    done = world.result(plan, at=BEGIN + 14 * DAY + HOUR)
    assert done.verdict.kind == "better"
    assert world.result(plan, at=BEGIN + 25 * DAY).document() == done.document()


def test_fewer_customers_than_planned_and_an_open_end_are_told(store: DuckStore) -> None:
    """Breaks when a null result of too few customers looks like one of enough, or an open end like a planned one."""
    world = World.even(store, 500, days=3)
    buying(world, 6)
    plan = world.experiment(plan=Plan("fixed", days=14))
    state = replace(state_of(world.store, plan), started=BEGIN, wanted=9000)
    found = world.result(plan, state=state)
    assert any("500 customers came in, and the plan asks for 9,000" in note for note in found.notes)
    assert "planned end" in found.plan
    assert "500 of 9,000 customers" in found.progress
    assert "Nothing says when it was to end" in world.result().plan


def test_looks_of_a_group_sequential_plan_are_where_they_were_planned(store: DuckStore) -> None:
    """Breaks when data from between two looks is held against the bound of a look: asking daily would then find too much."""
    world = World.even(store, 4000, days=20)
    buying(world, 11, 0.0)
    plan = world.experiment(plan=Plan("group sequential", looks=4, days=20))
    first = world.result(plan, at=BEGIN + 6 * DAY)
    assert "Look 1 of 4" in first.plan
    assert world.result(plan, at=BEGIN + 9 * DAY).document() == first.document()
    assert first.at < BEGIN + 6 * DAY
    second = world.result(plan, at=BEGIN + 11 * DAY)
    assert "Look 2 of 4" in second.plan
    assert second.metric("spend").comparisons[0].level > first.metric("spend").comparisons[0].level
    assert world.result(plan, at=BEGIN + 21 * DAY).verdict.kind == "no difference shown"
    none = world.result(plan, at=BEGIN + 4 * DAY)
    assert none.verdict.kind == "undecided"


def test_a_bound_that_was_crossed_ends_the_experiment(store: DuckStore) -> None:
    """Breaks when what later looks show undoes the decision of an earlier one."""
    world = World.even(store, 4000, days=20)
    random = np.random.default_rng(1)
    strong = (world.begin < BEGIN + 11 * DAY) & (world.arm == 1)
    who = np.arange(4000)
    world.orders(who, who * 0 + HOUR, np.round(20 + random.normal(0, 5, 4000) + np.where(strong, 10, 0), 2))
    found = world.result(world.experiment(plan=Plan("group sequential", looks=4, days=20)), at=BEGIN + 30 * DAY)
    assert found.verdict.kind == "better"
    assert found.at <= BEGIN + 6 * DAY
    assert any("crossed its bound at look 1" in note for note in found.notes)


def test_an_always_valid_plan_may_decide_at_any_moment(store: DuckStore) -> None:
    """Breaks when it waits for an end that it doesn't have, or says that nothing is there before it is over."""
    world = World.even(store, 4000, days=10)
    buying(world, 6, 0.5)
    found = world.result(world.experiment(plan=Plan("always valid")), at=BEGIN + 9 * DAY)
    assert found.verdict.kind == "better"
    running = World.even(_again(store), 1000, days=10)
    buying(running, 6)
    plan = running.experiment(plan=Plan("always valid", days=60))
    assert running.result(plan, at=BEGIN + 9 * DAY).verdict.kind == "undecided"


def test_a_bayesian_plan_gives_chances(store: DuckStore) -> None:
    """Breaks when the prior isn't used, or a chance is called a p-value."""
    world = World.even(store, 4000, days=5)
    buying(world, 6, 0.3)
    flat = world.result(world.experiment(plan=Plan("bayesian", days=14)))
    told = flat.metric("spend").comparisons[0]
    assert flat.verdict.kind == "better"
    assert told.p is None
    assert (told.chance or 0) > 0.99
    assert "chance that it is higher" in flat.verdict.says
    narrow = world.experiment(plan=Plan("bayesian", days=14, prior=Belief(0.0, 0.01)))
    drawn = world.result(narrow).metric("spend").comparisons[0]
    assert told.relative is not None
    assert drawn.relative is not None
    assert abs(drawn.relative.value) < abs(told.relative.value) / 2
    assert world.result(narrow, at=BEGIN + 7 * DAY).verdict.kind == "undecided"


def test_corrections_are_for_what_was_looked_at(store: DuckStore) -> None:
    """Breaks when several arms or metrics are each held against the whole level."""
    world = World.even(store, 2000, arms={"control": 0.25, "a": 0.25, "b": 0.25, "c": 0.25})
    buying(world, 12)
    found = world.result(world.experiment(secondary=("bought", "orders")))
    p = [one.p or 0.0 for one in found.metric("spend").comparisons]
    corrected = [one.corrected or 0.0 for one in found.metric("spend").comparisons]
    assert min(corrected) == pytest.approx(min(1, 3 * min(p)))
    assert "Holm" in found.metric("spend").correction
    assert "Benjamini" in found.metric("bought").correction


# --------------------------------------------------------------------------- segments and time


def test_segments_that_respond_are_found_and_confirmed(store: DuckStore) -> None:
    """Breaks when a planted difference isn't found, or chance differences are called real."""
    world = World.even(store, 8000)
    random = np.random.default_rng(3)
    kind = random.choice(["loyal", "new"], 8000)
    luck = random.choice(list("abcdefghij"), 8000)
    lift = np.where((world.arm == 1) & (kind == "new"), 6.0, 0.0)
    world.orders(np.arange(8000), np.full(8000, HOUR), np.round(30 + random.normal(0, 8, 8000) + lift, 2))
    world.trait("kind", kind.tolist(), BEGIN - DAY)
    world.trait("luck", luck.tolist(), BEGIN - DAY)
    segments = {"new": Definition("new", "Newcomers", parse('kind = "new"'))}
    found = world.result(by=("kind", "luck", "new"), segments=segments)
    told = {one.dimension: one for one in found.dimensions}
    assert told["kind"].finding == told["Newcomers"].finding == "differs"
    assert told["kind"].usable
    assert told["kind"].groups[0].name == "new"
    assert told["luck"].finding == "no difference shown"
    assert "what chance makes" in told["luck"].says
    assert told["luck"].corrected >= told["luck"].p


def test_what_the_treatment_did_to_a_trait_does_not_divide(store: DuckStore) -> None:
    """Breaks when customers are divided by what was known after the exposure, which the arm itself may have changed."""
    world = World.even(store, 1000)
    buying(world, 3)
    world.trait("mood", np.where(world.arm == 1, "glad", "glum").tolist(), BEGIN + 5 * DAY)
    with pytest.raises(Refused, match="Nobody had 'mood' when the experiment began"):
        world.result(by=("mood",))
    with pytest.raises(UnknownName, match="segment or trait"):
        world.result(by=("moon",))


def test_an_effect_that_wears_off_is_told(store: DuckStore) -> None:
    """Breaks when the course since the exposure is taken from other customers, or novelty isn't seen."""
    world = World.even(store, 1500)
    random = np.random.default_rng(4)
    for week in range(4):
        lift = np.where(world.arm == 1, 12.0 - 4 * week, 0)
        who = np.arange(1500)
        world.orders(who, who * 0 + week * 7 * DAY + HOUR, np.round(20 + random.normal(0, 4, 1500) + lift, 2))
    found = world.result(since_exposure=True, winsor=None)
    told = found.over_time
    assert told is not None
    values = [one.value for one in told.periods]
    assert values[0] == pytest.approx(12, abs=1)
    assert values[3] == pytest.approx(0, abs=1)
    assert told.period_trends[0].p < 1e-6
    assert "novelty" in told.says
    assert told.cumulative[-1].low < told.cumulative[-1].value < told.cumulative[-1].high
    assert told.rows()[0]["at"] == "1971-02-05"
