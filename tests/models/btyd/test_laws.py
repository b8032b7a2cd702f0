"""What holds of every model of repeat purchases, whatever its parameters; and the corners where formulas break."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta as beta_law

from shoal.insight.models.btyd import (
    BetaGeometric,
    GammaGamma,
    ModifiedBetaGeometric,
    Needs,
    NegativeBinomial,
    ParetoNBD,
    Purchases,
    Refused,
    RepeatModel,
    Split,
    bootstrap,
    choose,
    split,
    summarise,
    value,
)
from shoal.insight.models.btyd.holdout import distinct

KINDS = (BetaGeometric, ModifiedBetaGeometric, ParetoNBD)
ALL = (*KINDS, NegativeBinomial)
shape = st.floats(0.05, 8.0)
scale = st.floats(0.2, 60.0)


def typical(kind: type[RepeatModel], last: float = 3.0) -> RepeatModel:
    """A model with parameters as they are met with."""
    whole = np.array([0.8, 6.0, 1.4, last])
    some = NegativeBinomial(1, 1) if kind is NegativeBinomial else kind(1, 1, 1, 1)  # type: ignore[call-arg]
    return some.with_values(whole[: len(some.values())])


@st.composite
def models(draw: st.DrawFn) -> RepeatModel:
    kind = draw(st.sampled_from(ALL))
    if kind is NegativeBinomial:
        return kind(draw(shape), draw(scale))
    last = scale if kind is ParetoNBD else shape
    return kind(draw(shape), draw(scale), draw(shape), draw(last))


@st.composite
def histories(draw: st.DrawFn) -> Purchases:
    size = draw(st.integers(1, 6))
    frequency = np.array(draw(st.lists(st.integers(0, 40), min_size=size, max_size=size)), dtype=float)
    age = np.array(draw(st.lists(st.floats(1.0, 150.0), min_size=size, max_size=size)))
    part = np.array(draw(st.lists(st.floats(0.01, 1.0), min_size=size, max_size=size)))
    return Purchases(frequency, np.where(frequency > 0, age * part, 0.0), age)


@settings(max_examples=60, deadline=None)
@given(models(), histories(), st.floats(0.5, 100.0))
def test_answers_agree_with_one_another(model: RepeatModel, who: Purchases, horizon: float) -> None:
    active, alive = model.active(who, horizon), model.alive(who)
    assert np.all((active >= 0) & (active <= alive + 1e-9))
    chances = model.counts(who, horizon, 3)
    assert 1 - chances[:, 0] == pytest.approx(active, abs=1e-7)
    assert np.all(chances >= -1e-12)
    # P(no purchase in the next t) is what t more weeks of silence do to the likelihood.
    for row in range(len(who)):
        one = who.take(np.array([row]))
        later = replace(one, age=one.age + horizon)
        silent = np.exp(model.log_likelihood(later) - model.log_likelihood(one))
        assert active[row] == pytest.approx(1 - silent, abs=1e-6)
    assert np.all(model.expected(who, horizon) >= active - 1e-6)
    assert np.all(model.expected(who, horizon) <= model.expected(who, 2 * horizon) + 1e-9)


@settings(max_examples=40, deadline=None)
@given(models(), histories(), st.floats(1.0, 80.0))
def test_the_next_order_lies_within_the_horizon_at_its_share(
    model: RepeatModel, who: Purchases, horizon: float
) -> None:
    found = model.next_order(who, horizon)
    assert np.all((found.low <= found.middle) & (found.middle <= found.high) & (found.high <= horizon * (1 + 1e-9)))
    for row in range(len(who)):
        one = who.take(np.array([row]))
        half = model.active(one, float(found.middle[row]))[0]
        assert half == pytest.approx(found.probability[row] / 2, abs=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        BetaGeometric(0.2426, 4.4136, 0.7929, 2.4259),
        ModifiedBetaGeometric(0.5248, 6.1831, 0.8914, 1.614),
        ParetoNBD(0.5533, 10.578, 0.6062, 11.669),
    ],
)
def test_counts_have_the_expected_mean(model: RepeatModel) -> None:
    who = Purchases([0, 1, 3, 8], [0, 5, 20, 38], [39, 39, 30, 39])
    chances = model.counts(who, 30, 200)
    assert chances.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-9)
    assert chances @ np.arange(201) == pytest.approx(model.expected(who, 30), rel=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_expected_purchases_of_the_new_are_those_that_are_drawn(kind: type[RepeatModel]) -> None:
    model = typical(kind)
    drawn = model.simulate(np.full(200_000, 50.0), seed=3)
    assert drawn.frequency.mean() == pytest.approx(model.new(np.array([50.0]))[0], rel=0.02)
    # A new customer is a history of no length.
    assert np.mean(drawn.frequency > 0) == pytest.approx(model.active(Purchases([0], [0], [0]), 50)[0], abs=0.005)


@pytest.mark.parametrize("kind", ALL)
def test_a_fit_finds_what_was_drawn_and_the_order_of_customers_is_nothing(kind: type[RepeatModel]) -> None:
    model = typical(kind, 3.0 if kind is not ParetoNBD else 20.0)
    drawn = model.simulate(np.linspace(10, 100, 30_000), seed=11)
    again = kind.fitted(drawn)
    assert again.fit is not None
    assert again.fit.converged
    assert again.values() == pytest.approx(model.values(), rel=0.25)
    assert again.fit.log_likelihood >= model.log_likelihood(drawn)
    mixed = drawn.take(np.random.default_rng(2).permutation(len(drawn)))
    assert kind.fitted(mixed) == again


def test_where_nobody_leaves_the_others_become_the_nbd() -> None:
    """Breaks when the NBD isn't the model that stands in for those whose readiness to leave ran to the edge."""
    plain = NegativeBinomial(0.8, 6.0)
    who = plain.simulate(np.linspace(1, 100, 400), seed=5)
    for model in (BetaGeometric(0.8, 6.0, 1e-7, 1e4), ParetoNBD(0.8, 6.0, 1e-7, 1e4)):
        assert model.log_likelihood(who) == pytest.approx(plain.log_likelihood(who), abs=1e-4)
        assert model.expected(who, 30) == pytest.approx(plain.expected(who, 30), rel=1e-4)
        assert model.counts(who, 30, 9) == pytest.approx(plain.counts(who, 30, 9), abs=1e-5)


def test_rates_of_few_are_drawn_to_the_rate_of_all() -> None:
    few = Purchases([0, 0, 1, 4], [0, 0, 5, 40], [10, 50, 50, 50])
    found = NegativeBinomial.pooled(few, Needs(4, 2)).expected(few, 1)
    # 5 orders in 160 weeks: 32 weeks between two, so (x + 1) / (T + 32).
    assert found == pytest.approx([1 / 42, 1 / 82, 2 / 82, 5 / 82])
    with pytest.raises(Refused, match="bought again; there are 2"):
        NegativeBinomial.pooled(few, Needs(4, 3))


def test_expectations_hold_where_the_published_form_overflows() -> None:
    heavy = Purchases([1000, 5000], [38.9, 38.9], [39, 39])
    assert not np.isfinite(hyp2f1(5000.24, 5002.4, 5002.2, 0.47))
    for model in (BetaGeometric(0.2426, 4.4136, 0.7929, 2.4259), ParetoNBD(0.5533, 10.578, 0.6062, 11.669)):
        found = model.expected(heavy, 39)
        assert np.all(np.isfinite(found))
        assert np.all(found > 0)
        assert np.isfinite(model.log_likelihood(heavy))


@pytest.mark.parametrize(
    ("a", "b"),
    [(1.0, 2.5), (1 + 1e-9, 0.7), (0.9999, 3.0), (0.4, 0.6), (0.3, 0.2), (2.5, 1.5), (29.0, 60.0), (31.0, 60.0)],
)
@pytest.mark.parametrize("frequency", [0, 2])
def test_expectations_are_the_integral_at_the_poles_too(a: float, b: float, frequency: int) -> None:
    model = BetaGeometric(0.6, 5.0, a, b)
    who = Purchases([frequency], [10.0 if frequency else 0.0], [30.0])
    power, start = 0.6 + frequency, 35.0

    def until(chance: float) -> float:
        # ∫ of the rate over time, in closed form, weighted with the chance to leave.
        gone = 1 - (start / (start + chance * 26)) ** power
        return float(gone / chance * beta_law.pdf(chance, a, b + frequency))

    expected = quad(until, 0, 0.5, limit=400)[0] + quad(until, 0.5, 1, limit=400)[0]
    found = model.expected(who, 26)[0] / model.alive(who)[0]
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", [BetaGeometric, ModifiedBetaGeometric])
def test_a_fit_that_ran_to_the_edge_still_has_answers(kind: type[BetaGeometric]) -> None:
    # Everybody leaves with the same chance of .4; the published form is 0 x infinity here.
    model = kind(0.5, 60.0, 1.6e5, 2.4e5)
    who = Purchases([0, 3], [0, 20], [39, 39])
    gone = 1 - (1 + 0.4 * 30 / 99) ** -np.array([0.5, 3.5])
    assert model.expected(who, 30) == pytest.approx(model.alive(who) * gone / 0.4, rel=1e-3)


def test_the_pareto_at_s_of_one_is_the_limit() -> None:
    who = Purchases([3], [20], [39])
    near, at = (ParetoNBD(0.55, 10.0, s, 12.0).expected(who, 39)[0] for s in (1 + 1e-7, 1.0))
    assert at == pytest.approx(near, rel=1e-6)


@pytest.mark.parametrize(("alpha", "beta"), [(10.0, 10.0), (10.0, 11.7), (50.0, 0.01), (0.01, 50.0)])
@pytest.mark.parametrize(("frequency", "recency"), [(0, 0.0), (4, 12.0), (120, 38.0), (3, 39.0)])
def test_the_likelihood_of_the_pareto_is_the_integral(
    alpha: float, beta: float, frequency: int, recency: float
) -> None:
    r, s, age = 0.55, 0.6, 39.0
    model = ParetoNBD(r, alpha, s, beta)

    def gone(time: float) -> float:
        power = (r + frequency) * np.log((alpha + age) / (alpha + time))
        return float(np.exp(power + s * np.log((beta + age) / (beta + time))) * s / (beta + time))

    cuts = [recency, *(recency + (age - recency) * np.array([1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0]))]
    area = sum(quad(gone, low, high, limit=200)[0] for low, high in pairwise(cuts))
    assert model.alive(Purchases([frequency], [recency], [age]))[0] == pytest.approx(1 / (1 + area), rel=1e-8)


@pytest.mark.parametrize("kind", ALL)
def test_discounting_is_a_sum_over_time(kind: type[RepeatModel]) -> None:
    model = typical(kind)
    who = Purchases([0, 3], [0, 20], [39, 39])
    times = np.linspace(0, 52, 1041)
    steps = np.diff([model.expected(who, float(time)) for time in times], axis=0)
    expected = (steps * np.exp(-0.01 * (times[1:] + times[:-1]) / 2)[:, None]).sum(axis=0)
    assert model.discounted(who, 0.01, 52) == pytest.approx(expected, rel=1e-5)
    assert np.all(model.discounted(who, 0.01) > model.discounted(who, 0.01, 52))
    assert model.discounted(who, 0.0, 52) == pytest.approx(model.expected(who, 52))


def test_a_summary_merges_days_and_sets_refunds_apart() -> None:
    found = summarise(
        ["b", "a", "a", "a", "a", "a", "a"], [3, 0, 7, 7, 9, 14, 99], [5, 8, 2, 3, -4, 0, 1], end=21, unit="days"
    )
    assert found.customers is not None
    assert found.spend is not None
    assert found.spend_orders is not None
    assert found.total is not None
    assert found.customers.tolist() == ["a", "b"]
    # Day 14 costs nothing: a purchase, but no spend. Day 9 is a refund, day 99 lies after the end.
    assert found.frequency.tolist() == [2, 0]
    assert found.recency.tolist() == [14, 0]
    assert found.age.tolist() == [21, 18]
    assert found.spend.tolist() == [5, 0]
    assert found.spend_orders.tolist() == [1, 0]
    assert found.total.tolist() == [13, 5]
    assert (found.refunds, found.later) == (1, 1)


def test_bad_histories_are_refused_with_the_fix() -> None:
    with pytest.raises(Refused, match="whole"):
        Purchases([1.5], [1], [2])
    with pytest.raises(Refused, match="between the first purchase and the end"):
        Purchases([1], [3], [2])
    with pytest.raises(Refused, match="missing or negative"):
        Purchases([1], [np.nan], [2])
    with pytest.raises(Refused, match="rows"):
        Purchases([1, 2], [1], [2])
    with pytest.raises(Refused, match="no purchase up to"):
        summarise([1], [50], end=10)
    with pytest.raises(Refused, match="Amounts are missing"):
        summarise([1], [5], [np.nan], end=10)


@pytest.mark.parametrize("kind", ALL)
def test_too_little_is_refused(kind: type[RepeatModel]) -> None:
    with pytest.raises(Refused, match="at least 100 customers; there is 1"):
        kind.fitted(Purchases([1], [1], [2]))
    with pytest.raises(Refused, match="bought again; there are 0"):
        kind.fitted(Purchases(np.zeros(500), np.zeros(500), np.full(500, 9.0)))
    with pytest.raises(Refused, match="same number of repeat purchases"):
        kind.fitted(Purchases(np.ones(500), np.linspace(1, 5, 500), np.full(500, 9.0)))


def test_units_that_differ_are_refused() -> None:
    with pytest.raises(Refused, match="counts in weeks"):
        BetaGeometric(1, 1, 1, 1).expected(Purchases([1], [1], [2], "days"), 7)


def test_customers_who_do_not_differ_give_no_false_precision() -> None:
    # All buy at one rate: the shape of the rates has no maximum, and the fit says so.
    rate = np.random.default_rng(1)
    frequency = rate.poisson(5, 2000).astype(float)
    recency = np.where(frequency > 0, 50 * rate.random(2000) ** (1 / np.maximum(frequency, 1)), 0.0)
    fit = ParetoNBD.fitted(Purchases(frequency, recency, np.full(2000, 50.0))).fit
    assert fit is not None
    assert not fit.converged
    assert fit.errors == {}
    assert fit.reason


def test_spend_is_scored_for_all_and_refused_where_it_says_nothing() -> None:
    orders = np.tile([0.0, 1.0, 4.0], 100)
    base = Purchases(orders, orders, np.full(300, 9.0))
    with pytest.raises(Refused, match="no amounts"):
        GammaGamma.fitted(base)
    with pytest.raises(Refused, match="same mean spend"):
        GammaGamma.fitted(replace(base, spend=np.where(orders > 0, 7.0, 0.0)))
    true = GammaGamma(4.0, 5.0, 40.0)
    spend = true.simulate(orders, 5)
    model = GammaGamma.fitted(replace(base, spend=spend))
    scores = model.expected(replace(base, spend=spend))
    assert np.all(scores > 0)
    assert scores[orders == 0] == pytest.approx(model.mean())
    # More purchases pull the expectation nearer to the customer's own mean.
    assert abs(scores[2] - spend[2]) < abs(model.mean() - spend[2])


def test_spend_that_goes_with_frequency_is_a_warning() -> None:
    random = np.random.default_rng(3)
    orders = random.integers(1, 20, 500).astype(float)
    base = Purchases(orders, np.full(500, 5.0), np.full(500, 9.0), spend=orders * 10 * random.gamma(5, 0.2, 500))
    fit = GammaGamma.fitted(base).fit
    assert fit is not None
    assert "go together" in fit.warnings[0]


def test_a_bootstrap_tells_the_same_for_the_same_seed(held: Split) -> None:
    some = held.before.take(np.arange(800))
    model, spend = BetaGeometric.fitted(some), GammaGamma.fitted(some)

    def figures(orders: RepeatModel, paid: GammaGamma | None) -> np.ndarray:
        assert paid is not None
        return np.array([value(orders, paid, some, horizon=39).predicted.sum()])

    one, two = (bootstrap(model, some, figures, seed=4, spend=spend, draws=20) for _ in range(2))
    assert (one.low, one.high) == (two.low, two.high)
    assert one.low < one.estimate < one.high
    # About as wide as the error of the fit lets one expect: neither nothing nor everything.
    assert 0.03 < (one.high - one.low) / one.estimate < 0.8
    with pytest.raises(Refused, match="too few"):
        bootstrap(model, some, figures, seed=4, spend=spend, draws=3)


def test_a_value_needs_a_margin_and_an_end(held: Split, fitted: dict[str, RepeatModel]) -> None:
    model, spend = fitted["BG/NBD"], GammaGamma.fitted(held.before)
    with pytest.raises(Refused, match="margin"):
        value(model, spend, held.before, horizon=39, margin=30)
    with pytest.raises(Refused, match="for ever"):
        value(model, spend, held.before, horizon=None)
    half = value(model, spend, held.before, horizon=39, margin=0.5).predicted
    assert half == pytest.approx(value(model, spend, held.before, horizon=39).predicted / 2)


def test_where_no_model_fits_the_choice_says_why() -> None:
    with pytest.raises(Refused, match="BG/NBD: A purchase model needs"):
        choose(split([1, 2, 2], [0, 0, 5], cut=6, end=9))
    with pytest.raises(Refused, match="ends before it begins"):
        split([1], [0], cut=6, end=6)


def test_needs_are_a_setting() -> None:
    drawn = BetaGeometric(0.8, 6.0, 1.4, 3.0).simulate(np.linspace(10, 100, 60), seed=11)
    with pytest.raises(Refused, match="at least 100"):
        BetaGeometric.fitted(drawn)
    assert BetaGeometric.fitted(drawn, Needs(50, 10)).fit is not None


@given(st.lists(st.integers(-5, 5)))
def test_different_values_are_those_of_a_set(values: list[int]) -> None:
    """Ascending, each once, in whatever order they come.

    Breaks when an order is counted twice, or the first of a log is lost: the sort replaces a slow ``np.unique``.
    """
    assert distinct(np.array(values, dtype=np.int64)).tolist() == sorted(set(values))
