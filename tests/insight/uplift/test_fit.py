"""What is judged owes nothing to what judges it; planted truth is found, and where there is none nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from shoal.errors import Refused, UnknownName
from shoal.insight.models.learning.table import Numbers, Table, Words
from shoal.insight.uplift.balance import hold_alike, hold_sizes, hold_values, propensities
from shoal.insight.uplift.fit import FOLDS, Fit, Money, Sample, best_share, fit, places
from shoal.insight.uplift.judging import Found, judge
from shoal.insight.uplift.kept import Kept, Layout
from shoal.insight.uplift.learners import LEARNERS, dealt, learner
from shoal.stats.uplift import Trial

Floats = npt.NDArray[np.float64]
MONEY = Money(1.0, 0.1)


def drawn(n: int, effect: Callable[[Floats], Any], share: float = 0.5, seed: int = 1) -> tuple[Sample, Floats]:
    """Customers of four features, drawn into arms by chance, with their true effects."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4))
    w = random.random(n) < share
    true = np.asarray(effect(x), dtype=np.float64)
    return Sample(x, w, 0.5 * x[:, 1] + w * true + random.normal(size=n), share), true


def mixed(x: Floats) -> Floats:
    """Half gain from it, and half are sleeping dogs."""
    return np.where(x[:, 0] > 0, 0.6, -0.4)


def judged(sample: Sample, money: Money = MONEY, kinds: tuple[str, ...] = ("t",), **options: Any) -> tuple[Fit, Found]:
    """What was learnt, and its judgement."""
    found = fit(sample, money, kinds)
    return found, judge(sample, found, money, arm="mail", control="none", draws=100, **options)


# --------------------------------------------------------------------------- nothing judges itself


@pytest.mark.parametrize("kinds", [("t",), ("s", "dr")], ids=["one", "chosen"])
def test_a_fold_has_no_say_in_its_own_scores(kinds: tuple[str, ...]) -> None:
    """Breaks when a fold's outcomes reach its own scores, its learner or whom its policy treats, by any way."""
    sample, _ = drawn(2_400, mixed)
    before = fit(sample, MONEY, kinds).crossed
    part = dealt(sample.treated, FOLDS, 6)
    for fold in (0, 3):
        y = np.where(part == fold, sample.outcome[::-1] * 7 - 3, sample.outcome)
        after = fit(Sample(sample.x, sample.treated, y, 0.5), MONEY, kinds).crossed
        mine = part == fold
        assert np.array_equal(before.effect[mine], after.effect[mine])
        assert np.array_equal(before.treat[mine], after.treat[mine])
        assert before.kinds[fold] == after.kinds[fold]
        assert not np.array_equal(before.effect[~mine], after.effect[~mine])


def test_the_same_units_give_the_same_to_the_last_bit() -> None:
    """Breaks when threads or an unseeded draw decide."""
    sample, _ = drawn(1_600, mixed)
    (one, told), (other, again) = judged(sample), judged(sample)
    assert told.document() == again.document()
    assert np.array_equal(one.learner.effects(sample.x), other.learner.effects(sample.x))


# --------------------------------------------------------------------------- truth


def test_what_a_policy_is_worth_is_covered_and_sleeping_dogs_are_found() -> None:
    """Breaks when a policy's worth is that of the sample it was chosen by, or effects below 0 are cut off."""
    covered = over = 0
    many = 20
    for seed in range(many):
        sample, true = drawn(2_400, mixed, seed=100 + seed)
        found, told = judged(sample)
        gains = (true - MONEY.cost) * found.crossed.treat
        gain, all_ = told.policy.value.gain, told.policy.value.over_all
        covered += gain.low <= gains.mean() <= gain.high
        over += all_.low <= gains.mean() - (true - MONEY.cost).mean() <= all_.high
        assert told.code == "usable"
        assert told.asleep.sure
        assert told.asleep.n == pytest.approx(len(sample) / 2, rel=0.25)
        assert 0.35 <= told.policy.share <= 0.65
    # 95 % of 20 is 19, and three Monte-Carlo errors are 3.
    assert min(covered, over) >= 16


def test_where_nobody_differs_nothing_is_found() -> None:
    """Breaks when folds that judge each other are taken for independent: then 8 to 10 of 100 would look usable, and not 2.5."""
    codes = []
    for seed in range(40):
        sample, _ = drawn(1_200, lambda x: 0.2, seed=500 + seed)
        codes.append(judged(sample)[1].code)
    # 2.5 % of 40 is 1, and three Monte-Carlo errors are 3.
    assert codes.count("none") >= 36


def test_unequal_arms_are_weighed_by_the_chance_that_was_planned() -> None:
    """Breaks when a learner or a policy takes arms for equal that aren't."""
    sample, true = drawn(8_000, mixed, share=0.2, seed=9)
    for kind in ("x", "dr"):
        found, told = judged(sample, kinds=(kind,))
        assert np.corrcoef(found.crossed.effect, true)[0, 1] > 0.6
        assert told.effect.low <= true.mean() <= told.effect.high


def test_a_small_difference_beyond_chance_is_called_slight() -> None:
    """Breaks when whatever is significant is called usable: a large effect on all with little difference isn't worth a rule."""
    sample, _ = drawn(40_000, lambda x: 3.0 + 0.3 * (x[:, 0] > 0), seed=3)
    _, told = judged(sample)
    assert told.qini.low > 0
    assert told.more < 0.1
    assert (told.code, told.usable) == ("slight", False)


def test_several_arms_widen_the_interval() -> None:
    """Breaks when the best of several arms is judged as if it had been the only one."""
    sample, _ = drawn(2_400, mixed)
    found = fit(sample, MONEY, ("t",))
    one, five = (judge(sample, found, MONEY, arm="a", control="c", arms=n, draws=400).qini for n in (1, 5))
    assert five.low < one.low < one.high < five.high


# --------------------------------------------------------------------------- shares and thresholds


def test_as_many_are_treated_as_pay() -> None:
    """Breaks when cost or worth don't reach the choice."""
    trial = Trial([1.0, 0, 1, 0, 0, 0, 0, 0] * 40, [1, 0] * 160, np.repeat(np.arange(160, 0, -1.0), 2))
    assert best_share(trial, Money(1.0, 0.0)) == 1.0
    assert best_share(trial, Money(1.0, 2.0)) == 0.0
    assert best_share(trial, Money(1.0, 2.0, share=0.3)) == 0.3


def test_an_asked_share_is_kept_and_a_cost_above_all_gains_treats_nobody() -> None:
    """Breaks when a budget is passed over, or nobody is worth a part of everybody."""
    sample, _ = drawn(2_400, mixed)
    found, told = judged(sample, Money(1.0, 0.1, share=0.2))
    assert (told.policy.share, told.policy.asked) == (0.2, True)
    assert told.policy.treated == pytest.approx(0.2, abs=0.04)
    assert np.mean(found.crossed.effect > found.threshold) == pytest.approx(0.2, abs=0.01)
    nobody = judged(sample, Money(1.0, 50.0))[1].policy
    assert (nobody.share, nobody.threshold, nobody.treated) == (0.0, None, 0.0)
    assert nobody.value.gain == (0.0, 0.0, 0.0)
    assert nobody.value.over_all.value == pytest.approx(50 - 0.1, abs=0.2)


def test_units_of_one_effect_share_a_place() -> None:
    """Breaks when rows' order tells equal units apart."""
    effect = np.array([2.0, 2.0, 2.0, 1.0])
    assert places(effect).tolist() == [0.625, 0.625, 0.625, 0.125]
    assert places(effect[::-1]).tolist() == places(effect)[::-1].tolist()


# --------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("kind", sorted(LEARNERS))
def test_what_is_kept_says_the_same_to_the_last_bit(kind: str) -> None:
    """Breaks when a learner's parts don't add up to its effect, or the text of its trees loses digits."""
    sample, _ = drawn(1_500, mixed)
    sample.x[::7, 2] = np.nan
    found = fit(sample, MONEY, (kind,))
    kept = Kept.from_document(json.loads(json.dumps(Kept.of(found.learner).document())))
    fresh = np.random.default_rng(5).normal(size=(300, 4))
    assert np.array_equal(kept.effects(fresh), found.learner.effects(fresh))
    moved = kept.moved(fresh)
    rest = kept.effects(fresh) - moved.sum(axis=1)
    assert np.ptp(rest) == pytest.approx(0.0, abs=1e-9) or kind == "s"


def test_another_model_learns_and_is_not_kept() -> None:
    """Breaks when a model of scikit-learn can't be used, or is thought to be kept."""
    from sklearn.linear_model import Ridge

    sample, true = drawn(2_400, lambda x: x[:, 0])
    found = fit(sample, MONEY, ("t",), Ridge)
    assert np.corrcoef(found.crossed.effect, true)[0, 1] > 0.95
    with pytest.raises(Refused, match="Ridge can't be kept"):
        Kept.of(found.learner)


def test_columns_are_laid_out_by_their_words() -> None:
    """Breaks when a word that is rare or gone shifts the others, or a constant column is learnt from."""
    table = Table.of(
        list("abcd"),
        [
            Words.of("plan", ["gold", "basic", None, "gold"]), Numbers.of("age", [1, np.nan, 3, 4]),
            Numbers.of("same", [2, 2, 2, 2]),
        ],
    )  # fmt: skip
    layout = Layout.from_document(json.loads(json.dumps(Layout.of(table).document())))
    assert layout.names == ["age", "plan: basic", "plan: gold"]
    assert np.array_equal(layout.matrix(table)[:, 1:], [[0, 1], [1, 0], [0, 0], [0, 1]])
    later = Table.of(["z"], [Words.of("plan", ["new"]), Numbers.of("age", [9]), Numbers.of("same", [1])])
    assert layout.matrix(later).tolist() == [[9.0, 0.0, 0.0]]


# --------------------------------------------------------------------------- refusals


def test_what_cannot_be_learnt_is_refused() -> None:
    """Breaks when too little gives a verdict."""
    sample, _ = drawn(3_000, mixed)
    with pytest.raises(Refused, match="too few"):
        Sample(sample.x[:900], sample.treated[:900], sample.outcome[:900], 0.5)
    with pytest.raises(Refused, match="for everybody"):
        Sample(sample.x, sample.treated, np.ones(len(sample)), 0.5)
    with pytest.raises(Refused, match="same units"):
        Sample(sample.x[:-1], sample.treated, sample.outcome, 0.5)
    with pytest.raises(UnknownName, match="u"):
        fit(sample, MONEY, ("u",))


def test_arms_that_chance_did_not_draw_are_refused() -> None:
    """Breaks when customers who were chosen for what they are pass for an experiment."""
    random = np.random.default_rng(2)
    x = random.normal(size=(3_000, 3))
    chosen = random.random(3_000) < 1 / (1 + np.exp(-x[:, 1]))
    biased = Sample(x, chosen, x[:, 1] + random.normal(size=3_000), 0.5)
    assert np.corrcoef(propensities(biased), x[:, 1])[0, 1] > 0.8
    with pytest.raises(Refused, match=r"who is in which arm .*most by spend"):
        hold_alike(biased, ["age", "spend", "visits"])
    for seed in range(5):
        hold_alike(drawn(3_000, mixed, seed=seed)[0], ["a", "b", "c", "d"])


def test_sizes_and_missing_values_are_held_against_chance() -> None:
    """Breaks when an arm that lost customers, or a metric that only one arm has, gives a verdict."""
    other = np.arange(2_000) >= 1_000
    hold_sizes(("none", "mail"), (1_000, 1_000), (0.25, 0.25))
    with pytest.raises(Refused, match=r"mail 1,000 \(planned 667\)"):
        hold_sizes(("none", "mail"), (1_000, 1_000), (0.5, 0.25))
    with pytest.raises(Refused, match="Nobody is in the arm 'mail'"):
        hold_sizes(("none", "mail"), (1_000, 0), (0.5, 0.5))
    known = np.random.default_rng(1).random(2_000) < 0.4
    hold_values(known, other, "mail")
    with pytest.raises(Refused, match="decides who is looked at"):
        hold_values(known | (other & (np.arange(2_000) % 5 == 0)), other, "mail")


def test_a_learner_with_chances_of_its_own_is_no_sum_of_models() -> None:
    """Breaks when an X-learner whose weights differ by unit is kept as if they didn't."""
    sample, _ = drawn(2_000, mixed)
    chance = np.where(sample.x[:, 2] > 0, 0.4, 0.6)
    made = learner("x").fit(sample.x, sample.treated, sample.outcome, chance)
    with pytest.raises(Refused, match="no sum of models"):
        made.parts()
