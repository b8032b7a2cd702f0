"""The Telco table: the gates that a churn model must hold, its baselines, and its survival curve.

An AUC far above .85 on these data would be a leak, so there is an upper bound too.
"""

from __future__ import annotations

import numpy as np
import pytest

from models.learning.telco import telco
from shoal.insight.models.learning.classifier import Classifier, Config, Fitted, Kind, Learner, fit
from shoal.insight.models.learning.folds import Folds
from shoal.insight.models.learning.table import Numbers, Table
from shoal.insight.models.learning.trials import Verdict, compare
from shoal.stats.survival import kaplan_meier

BASELINES = ("tenure", "MonthlyCharges")


@pytest.fixture(scope="module")
def data() -> tuple[Table, np.ndarray, Folds]:
    table, outcome = telco()
    return table, outcome, Folds.stratified(table, outcome, 5, seed=42)


@pytest.fixture(scope="module")
def trees(data: tuple[Table, np.ndarray, Folds]) -> Fitted:
    return fit(*data, baselines=BASELINES)


@pytest.fixture(scope="module")
def logistic(data: tuple[Table, np.ndarray, Folds]) -> Fitted:
    return fit(*data, Config(Learner.LOGISTIC))


def test_small_trees_hold_the_gates(trees: Fitted) -> None:
    """MODELS.md section 4: AUC .8486, PR-AUC .664, Brier .1339, log loss .4119, ECE .010, lift 2.85."""
    card = trees.model.card
    assert card is not None
    assert 0.84 <= card.auc.value <= 0.86
    assert card.auc.value == pytest.approx(0.8486, abs=0.006)
    assert card.brier <= 0.1339 + 0.003
    assert card.calibration_error <= 0.02
    assert card.average_precision == pytest.approx(0.664, abs=0.01)
    assert card.log_loss == pytest.approx(0.4119, abs=0.006)
    assert card.lift == pytest.approx(2.85, abs=0.12)
    assert card.auc.low < 0.8486 < card.auc.high
    assert (card.rows, card.positives) == (7043, 1869)


def test_the_logistic_baseline_is_near(trees: Fitted, logistic: Fitted) -> None:
    card = logistic.model.card
    assert card is not None
    assert card.auc.value == pytest.approx(0.8451, abs=0.004)
    assert card.brier == pytest.approx(0.1356, abs=0.002)
    assert card.log_loss == pytest.approx(0.4174, abs=0.006)
    assert trees.trial is not None
    assert logistic.trial is not None
    found = compare(logistic.trial, trees.trial)
    assert 0 < found.auc.value < 0.008
    assert found.auc.high - found.auc.low < 0.01


def test_the_base_rate_and_the_plain_columns_stand_beside_it(trees: Fitted) -> None:
    card = trees.model.card
    assert card is not None
    assert card.brier / (1 - card.brier_skill) == pytest.approx(0.1949, abs=1e-4)
    assert {t.name for t in trees.baselines} == set(BASELINES)
    assert trees.trial is not None
    for baseline in trees.baselines:
        assert compare(baseline, trees.trial).verdict is Verdict.CHALLENGER


def test_scikit_learn_ranks_the_same_on_the_same_folds(
    data: tuple[Table, np.ndarray, Folds], trees: Fitted, logistic: Fitted
) -> None:
    """Its logistic regression on our terms, fold by fold: the fit by Newton's steps is the same maximum."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, roc_auc_score

    from shoal.insight.models.learning.encoding import Encoder

    table, outcome, folds = data
    assert trees.trial is not None
    assert logistic.trial is not None
    assert trees.model.card is not None
    y, p = trees.trial.outcome, trees.trial.chance
    assert trees.model.card.auc.value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert trees.model.card.average_precision == pytest.approx(average_precision_score(y, p), abs=1e-12)
    seen, unseen = next(iter(folds.splits()))
    encoder = Encoder.of(table.take(seen))
    theirs = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=200)
    theirs.fit(encoder.terms(table.take(seen))[0], outcome[seen])
    expected = theirs.predict_proba(encoder.terms(table.take(unseen))[0])[:, 1]
    assert logistic.model.calibration.kind == "none"
    assert logistic.trial.chance[unseen] == pytest.approx(expected, abs=1e-6)


def test_a_saved_model_gives_the_same_scores(data: tuple[Table, np.ndarray, Folds], trees: Fitted) -> None:
    table = data[0]
    back = Classifier.from_bytes(trees.model.to_bytes())
    assert np.array_equal(back.score(table), trees.model.score(table))
    assert back == trees.model
    assert back.explain(table.take(np.arange(5))) == trees.model.explain(table.take(np.arange(5)))
    assert b"pickle" not in trees.model.to_bytes()


def test_reasons_name_what_is_known_to_drive_churn_here(data: tuple[Table, np.ndarray, Folds], trees: Fitted) -> None:
    """A month-to-month contract and a short tenure (README of the data: 42.7 % of month-to-month left)."""
    table, *_ = data
    likeliest = np.argsort(-trees.model.score(table))[:50]
    named = [{r.column for r in reasons} for reasons in trees.model.explain(table.take(likeliest))]
    assert sum("Contract" in names for names in named) >= 45
    assert sum("tenure" in names for names in named) >= 25


def test_the_survival_curve_is_the_published_one() -> None:
    """S(12) .8432, S(24) .7887, S(48) .7088, S(72) .5928."""
    table, outcome = telco()
    tenure = table.column("tenure")
    assert isinstance(tenure, Numbers)
    curve = kaplan_meier(tenure.values, outcome)
    for month, share in ((12, 0.8432), (24, 0.7887), (48, 0.7088), (72, 0.5928)):
        found = curve.at(month)
        assert found.value == pytest.approx(share, abs=5e-5)
        assert found.low < share < found.high
    assert curve.median() is None


def test_rows_repeated_to_balance_the_outcomes_are_refused() -> None:
    """SMOTE-ENN before the folds gives an AUC of .987 here: a copied row has no key of its own."""
    from shoal.errors import Refused

    table, outcome = telco()
    positives = np.flatnonzero(outcome)
    repeated = table.take(np.append(np.arange(len(table)), positives))
    with pytest.raises(Refused, match="key that another row has"):
        Table.of(repeated.keys, repeated.columns)


def test_the_kinds_are_told(trees: Fitted, logistic: Fitted) -> None:
    assert (trees.model.kind, logistic.model.kind) == (Kind.TREES, Kind.LOGISTIC)
    assert trees.model.said == "150 boosted trees of 8 leaves, calibration: none."
