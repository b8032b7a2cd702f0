"""Laws of the classifier: what must not matter doesn't, what can't be learnt isn't, and nothing leaks.

Each of these traps has made a published churn model look better than it was.
"""

from __future__ import annotations

import dataclasses
import inspect
import json

import numpy as np
import pytest

from models.learning.made import made
from shoal.errors import Refused, ShoalError, UnknownName
from shoal.insight.models.learning import classifier as module
from shoal.insight.models.learning.classifier import Classifier, Config, Kind, Learner, fit
from shoal.insight.models.learning.encoding import Encoder
from shoal.insight.models.learning.folds import Folds
from shoal.insight.models.learning.learners import Logistic, Trees
from shoal.insight.models.learning.table import Numbers, Table, Words, fingerprint
from shoal.insight.models.learning.trials import Verdict, compare

LEARNERS = list(Learner)


def quick(learner: Learner = Learner.TREES) -> Config:
    return Config(learner, trees=40)


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_order_of_rows_does_not_matter(learner: Learner) -> None:
    table, outcome = made()
    folds = Folds.stratified(table, outcome)
    mixed = np.random.default_rng(5).permutation(len(table))
    again = table.take(mixed)
    folds_again = Folds.stratified(again, outcome[mixed])
    assert np.array_equal(folds.number[mixed], folds_again.number)
    a, b = fit(table, outcome, folds, quick(learner)), fit(again, outcome[mixed], folds_again, quick(learner))
    assert np.array_equal(a.model.score(table)[mixed], b.model.score(again))
    assert a.model.training.fingerprint == b.model.training.fingerprint
    assert a.trial is not None
    assert b.trial is not None
    assert dict(zip(a.trial.keys, a.trial.chance, strict=True)) == dict(zip(b.trial.keys, b.trial.chance, strict=True))


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_constant_column_and_the_order_of_columns_change_nothing(learner: Learner) -> None:
    table, outcome = made()
    folds = Folds.stratified(table, outcome)
    more = [*reversed(table.columns), Numbers.of("a", np.full(len(table), 7.0)), Words.of("b", ["x"] * len(table))]
    more.append(Numbers.of("empty", np.full(len(table), np.nan)))
    wider = Table.of(table.keys, more)
    a, b = fit(table, outcome, folds, quick(learner)), fit(wider, outcome, folds, quick(learner))
    assert np.array_equal(a.model.score(table), b.model.score(wider))
    assert dict(b.model.training.dropped)["a"] == "all values are equal"
    assert dict(b.model.training.dropped)["empty"] == "no value is known"
    assert dict(b.model.training.dropped)["id"] == "no word has 20 rows"


@pytest.mark.parametrize("learner", LEARNERS)
def test_equal_rows_get_equal_scores_whoever_stands_beside_them(learner: Learner) -> None:
    table, outcome = made()
    model = fit(table, outcome, Folds.stratified(table, outcome), quick(learner)).model
    twice = np.repeat(np.arange(0, 1200, 7), 2)
    scores = model.score(table.take(twice))
    assert np.array_equal(scores[::2], scores[1::2])
    assert np.array_equal(scores[::2], model.score(table)[twice[::2]])
    assert model.score(table.take(np.array([], dtype=np.int64))).size == 0


def test_the_number_of_threads_gives_the_same_trees() -> None:
    table, outcome = made()
    encoder = Encoder.of(table)
    grown = [Trees.fit(table, outcome, encoder, trees=3, leaves=8, rate=0.05, threads=n) for n in (1, 2)]
    assert np.array_equal(grown[0].log_odds(table), grown[1].log_odds(table))


def test_the_order_does_not_matter_where_bins_are_cut_on_a_sample() -> None:
    """From 200,000 rows on LightGBM cuts its bins on a sample of them, drawn by their place."""
    random = np.random.default_rng(2)
    table = Table.of(map(str, range(210_000)), [Numbers.of("x", random.lognormal(size=210_000))])
    outcome = (random.random(210_000) < 0.3).astype(float)
    mixed = random.permutation(210_000)
    pair = ((table, outcome), (table.take(mixed), outcome[mixed]))
    grown = [Trees.fit(t, y, Encoder.of(t), trees=3, leaves=8, rate=0.3, threads=1) for t, y in pair]
    assert grown[0].text == grown[1].text


def test_a_line_is_not_drawn_beyond_what_was_there() -> None:
    table, outcome = made()
    model = fit(table, outcome, Folds.stratified(table, outcome), quick(Learner.LOGISTIC)).model
    recency = table.column("recency")
    assert isinstance(recency, Numbers)
    values = [float(recency.values.max()), 1e12]
    rows = [Numbers.of("recency", values), Numbers.of("spend", [20, 20]), Words.of("region", ["north"] * 2)]
    scores = model.score(Table.of(["a", "b"], rows))
    assert scores[0] == scores[1] < 1


def test_nothing_weighs_rows_or_classes_or_draws_them_again() -> None:
    """Class weights took the calibration error of the Telco model from .010 to .140."""
    barred = ("weight", "balance", "sample", "smote", "scale_pos")
    names = {f.name for f in dataclasses.fields(Config)}
    for function in (fit, Trees.fit, Logistic.fit, Folds.stratified, Table.of):
        names |= set(inspect.signature(function).parameters)
    assert not [n for n in names if any(b in n for b in barred)]
    table, outcome = made()
    text = fit(table, outcome, Folds.stratified(table, outcome), quick()).model.learnt
    assert isinstance(text, Trees)
    assert "[is_unbalance: 0]" in text.text
    assert "[scale_pos_weight: 1]" in text.text
    assert "[bagging_fraction: 1]" in text.text


def test_a_tested_row_says_nothing_to_the_model_that_scores_it() -> None:
    """Turning all outcomes of one fold round must leave its own scores, before calibration, as they were."""
    table, outcome = made()
    folds = Folds.stratified(table, outcome)
    other = np.where(folds.number == 2, 1 - outcome, outcome)
    how = Config(trees=20, calibrate=False)
    a, b = fit(table, outcome, folds, how).trial, fit(table, other, folds, how).trial
    assert a is not None
    assert b is not None
    tested = folds.number == 2
    assert np.array_equal(a.chance[tested], b.chance[tested])
    assert not np.array_equal(a.chance[~tested], b.chance[~tested])


def test_words_and_means_of_the_tested_fold_are_not_learnt_either() -> None:
    """The same for columns: what is common, and the mean, come from the learning rows alone."""
    table, outcome = made()
    folds = Folds.stratified(table, outcome)
    recency = table.column("recency")
    assert isinstance(recency, Numbers)
    mine = folds.number == 1
    shifted = Numbers.of("recency", np.where(mine, recency.values * 100, recency.values))
    other = Table.of(table.keys, [shifted, *(c for c in table.columns if c.name != "recency")])
    how = Config(Learner.LOGISTIC, calibrate=False)
    a, b = fit(table, outcome, folds, how).trial, fit(other, outcome, folds, how).trial
    assert a is not None
    assert b is not None
    one_row = np.flatnonzero(mine)[:1]
    seen = table.take(np.flatnonzero(~mine))
    fold_model = Logistic.fit(seen, outcome[~mine])
    assert fold_model.log_odds(table.take(one_row)) == pytest.approx(
        np.log(a.chance[one_row] / (1 - a.chance[one_row]))
    )
    assert fold_model.log_odds(other.take(one_row)) == pytest.approx(
        np.log(b.chance[one_row] / (1 - b.chance[one_row]))
    )


def test_folds_by_time_learn_from_the_past_alone() -> None:
    """Scores of a month don't change when later months are appended."""
    table, outcome = made()
    cuts = np.arange(1200) % 3
    early = np.flatnonzero(cuts < 2)
    whole = fit(table, outcome, Folds.by_time(cuts, 1), quick()).trial
    before = fit(table.take(early), outcome[early], Folds.by_time(cuts[early], 1), quick()).trial
    assert whole is not None
    assert before is not None
    told = dict(zip(whole.keys, whole.chance, strict=True))
    assert "k0" not in told
    assert {k: told[k] for k in before.keys} == dict(zip(before.keys, before.chance, strict=True))


def test_an_outcome_that_was_not_known_yet_teaches_nothing() -> None:
    """Monthly cuts and a horizon of three months: July's cut learns from April's and those before."""
    cuts = np.array(["2026-01-01", "2026-04-01", "2026-05-01", "2026-07-01"], dtype="datetime64[D]")
    splits = [(s.tolist(), u.tolist()) for s, u in Folds.by_time(cuts, np.timedelta64(91, "D")).splits()]
    assert splits == [([0], [2]), ([0, 1], [3])]
    assert [(s.tolist(), u.tolist()) for s, u in Folds.by_time([1, 2, 3, 4], 2).splits()] == [([0], [2]), ([0, 1], [3])]


def test_folds_keep_an_owner_together_and_shares_equal() -> None:
    table, outcome = made()
    owners = [f"o{i % 300}" for i in range(1200)]
    number = Folds.by_owner(owners).number
    assert all(len({int(number[j]) for j in range(i, 1200, 300)}) == 1 for i in range(300))
    folds = Folds.stratified(table, outcome)
    hits = [int(outcome[folds.number == k].sum()) for k in range(5)]
    assert max(hits) - min(hits) <= 1
    for seen, unseen in folds.splits():
        assert not set(seen.tolist()) & set(unseen.tolist())


@pytest.mark.parametrize("learner", LEARNERS)
def test_reasons_add_up_to_the_score(learner: Learner) -> None:
    table, outcome = made()
    model = fit(table, outcome, Folds.stratified(table, outcome), Config(learner, trees=40, calibrate=False)).model
    rows = table.take(np.arange(30))
    reasons = model.explain(rows, most=10)
    total = np.array([sum(r.effect for r in row) for row in reasons])
    rest = np.log(model.score(rows) / (1 - model.score(rows))) - total
    assert rest == pytest.approx(np.full(30, rest[0]), abs=1e-9)
    assert all(abs(row[0].effect) >= abs(row[-1].effect) for row in reasons)
    assert {r.column for row in reasons for r in row} <= {"recency", "spend", "region"}
    first = reasons[0][0]
    assert first.sentence("the gap") == f"the gap is {first.value}: the odds are {first.odds:.2f} times the average's"
    gap = int(np.flatnonzero(np.isnan(table.column("spend").values))[0])  # type: ignore[union-attr]
    assert "missing" in {r.value for r in model.explain(table.take(np.array([gap])), 10)[0] if r.column == "spend"}


@pytest.mark.parametrize("learner", LEARNERS)
def test_words_never_seen_and_gaps_are_scored(learner: Learner) -> None:
    table, outcome = made()
    model = fit(table, outcome, Folds.stratified(table, outcome), quick(learner)).model
    strange = Table.of(
        ["a", "b"],
        [
            Numbers.of("recency", [np.nan, 1e12]),
            Numbers.of("spend", [np.nan, -5.0]),
            Words.of("region", [None, "the moon"]),
        ],
    )
    scores = model.score(strange)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("rows", "level", "kind"), [(400, -3.2, Kind.BASELINE), (120, -4.0, Kind.BASE_RATE), (60, -99.0, Kind.BASE_RATE)]
)
def test_too_few_positives_give_a_fallback_that_says_so(rows: int, level: float, kind: Kind) -> None:
    table, outcome = made(rows, seed=4, level=level)
    folds = Folds.by_owner(table.keys)
    found = fit(table, outcome, folds, baselines=["recency", "spend"])
    assert found.model.kind is kind
    assert f"There are {int(outcome.sum())} positives among {rows} rows; a model needs 100 or more." in found.model.said
    scores = found.model.score(table)
    assert ((scores > 0) & (scores < 1)).all()
    if kind is Kind.BASE_RATE:
        assert np.unique(scores).size == 1
        assert scores[0] == pytest.approx(outcome.mean() or 0.5 / (rows + 1))
        assert found.model.explain(table.take(np.arange(2))) == ((), ())
    back = Classifier.from_bytes(found.model.to_bytes())
    assert np.array_equal(back.score(table), scores)
    with pytest.raises(Refused, match="a model needs 100 or more"):
        fit(table, outcome, folds, Config(fallback=False))


def test_columns_that_teach_nothing_give_the_base_rate() -> None:
    table, outcome = made()
    found = fit(table.only(["id", "constant"]), outcome, Folds.stratified(table, outcome))
    assert found.model.kind is Kind.BASE_RATE
    assert "No column is left to learn from. Left out were constant: all values are equal" in found.model.said


def test_noise_is_not_called_better_than_the_base_rate() -> None:
    table, _ = made(2000)
    outcome = (np.random.default_rng(9).random(2000) < 0.3).astype(float)
    found = fit(table, outcome, Folds.stratified(table, outcome), quick(), baselines=["recency"])
    assert found.model.card is not None
    assert found.model.card.auc.low < 0.5
    assert found.trial is not None
    assert compare(found.baselines[0], found.trial).verdict is not Verdict.CHALLENGER


def test_a_comparison_needs_the_same_folds() -> None:
    table, outcome = made()
    a = fit(table, outcome, Folds.stratified(table, outcome, seed=1), quick()).trial
    b = fit(table, outcome, Folds.stratified(table, outcome, seed=2), quick()).trial
    assert a is not None
    assert b is not None
    with pytest.raises(Refused, match="weren't tested on the same rows"):
        compare(a, b)
    same = compare(a, a)
    assert (same.verdict, same.auc.value) == (Verdict.TIE, 0)


def test_the_fingerprint_knows_values_names_and_outcomes() -> None:
    table, outcome = made(50)
    first = fingerprint(table, outcome)
    assert first == fingerprint(*made(50))
    assert first != fingerprint(table, 1 - outcome)
    assert first != fingerprint(table.only(["recency"]), outcome)
    other = Table.of(table.keys, [Numbers.of("recent", table.column("recency").values)])  # type: ignore[union-attr]
    assert fingerprint(table.only(["recency"]), outcome) != fingerprint(other, outcome)


def test_damaged_or_foreign_bytes_are_refused() -> None:
    table, outcome = made()
    saved = fit(table, outcome, Folds.stratified(table, outcome), quick(Learner.LOGISTIC)).model.to_bytes()
    outer = json.loads(saved)
    damaged = json.dumps({**outer, "body": outer["body"].replace("logistic", "logistik", 1)}).encode()
    for wrong, said in (
        (b"", "no saved classifier"),
        (b"[1]", "no saved classifier"),
        (b"\x80\x04N.", "no saved classifier"),
        (damaged, "damaged"),
        (json.dumps({**outer, "format": "shoal classifier 99"}).encode(), "another version"),
    ):
        with pytest.raises(Refused, match=said):
            Classifier.from_bytes(wrong)
    assert "pickle" not in inspect.getsource(module)


def test_bad_input_is_refused_with_its_reason() -> None:
    table, outcome = made()
    folds = Folds.stratified(table, outcome)
    model = fit(table, outcome, folds, quick()).model
    with pytest.raises(UnknownName, match="column 'recency'"):
        model.score(table.only(["spend", "region"]))
    turned = Table.of(["a"], [Words.of("recency", ["x"]), Numbers.of("spend", [1]), Words.of("region", ["north"])])
    with pytest.raises(Refused, match="learnt numbers in the column 'recency'"):
        model.score(turned)
    for call in (
        lambda: fit(table, outcome + 0.5, folds),
        lambda: fit(table, outcome[:-1], folds),
        lambda: fit(table.take(np.arange(10)), outcome[:10], folds),
        lambda: Numbers.of("x", [1, np.inf]),
        lambda: Table.of(["a", "b"], [Numbers.of("x", [1])]),
        lambda: Table.of(["a"], [Numbers.of("x", [1]), Numbers.of("x", [1])]),
        lambda: Folds.by_time([2026] * 5, 1),
        lambda: Folds.by_time([1, 2, 3], 3),
        lambda: Folds.by_time([1, 2, 3], -1),
        lambda: Folds.stratified(table, np.zeros(1200)),
        lambda: Config(leaves=1),
        lambda: Config("forest"),  # type: ignore[arg-type]
        lambda: fit(Table.of([], []), [], Folds(np.zeros(0, dtype=np.int64))),
    ):
        with pytest.raises(ShoalError):
            call()
