"""How well a model of repeat purchases foretold what came: choice by holdout, expected against actual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.btyd.betageometric import BetaGeometric, ModifiedBetaGeometric
from shoal.insight.models.btyd.pareto import ParetoNBD
from shoal.insight.models.btyd.refusals import USUAL, Needs, refuse_unless
from shoal.insight.models.btyd.summary import DAYS, Purchases, Unit, summarise
from shoal.stats import scoring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.models.btyd.repeat import RepeatModel

MODELS: tuple[type[RepeatModel], ...] = (BetaGeometric, ModifiedBetaGeometric, ParetoNBD)
TINY = 1e-12


@dataclass(frozen=True)
class Split:
    """Histories up to a day, and what the same customers did after it.

    Attributes:
        before: the histories at the close of that day.
        orders: days with a purchase after it, of each customer.
        horizon: how long the time after it was watched, in the unit of the histories.
    """

    before: Purchases
    orders: NDArray[np.float64]
    horizon: float


@dataclass(frozen=True)
class Score:
    """How well one way to foretell did on the holdout.

    Attributes:
        name: the model, or the baseline.
        expected: purchases that were foretold, of all customers.
        actual: purchases that came.
        error: mean absolute error per customer; None for a baseline that ranks only.
        auc: how well it ranks those who buy above those who don't; 0.5 is a guess. None if all or nobody bought.
        brier: mean squared error of P(buys); None for a baseline.
        log_score: mean log probability of the numbers that came, the higher the better; None for a baseline.
        reason: why a model was left out, else empty.
    """

    name: str
    expected: float | None
    actual: float
    error: float | None
    auc: float | None
    brier: float | None
    log_score: float | None
    reason: str = ""


@dataclass(frozen=True)
class Choice:
    """The model that foretold the holdout best, and how all of them did.

    Attributes:
        model: the one with the best log score, fitted on the time before the cut.
        scores: of all models, then of the baselines.
        base_brier: the Brier score of foretelling the share of buyers for everybody.
    """

    model: RepeatModel
    scores: tuple[Score, ...]
    base_brier: float


@dataclass(frozen=True)
class Tracking:
    """Repeat purchases of all customers, step by step, as expected and as they came.

    Attributes:
        end: the end of each step, in units of time since the first day.
        expected: in each step.
        actual: in each step.
        expected_sum: up to the end of each step.
        actual_sum: up to the end of each step.
    """

    end: NDArray[np.float64]
    expected: NDArray[np.float64]
    actual: NDArray[np.float64]
    expected_sum: NDArray[np.float64]
    actual_sum: NDArray[np.float64]


@dataclass(frozen=True)
class ByFrequency:
    """Purchases in the holdout per customer, by repeat purchases before it; the last group holds all above.

    Attributes:
        frequency: repeat purchases before the cut.
        customers: how many had so many; groups with nobody are left out.
        expected: mean of what was foretold.
        actual: mean of what came.
    """

    frequency: NDArray[np.float64]
    customers: NDArray[np.int64]
    expected: NDArray[np.float64]
    actual: NDArray[np.float64]


def split(
    customer: ArrayLike,
    day: ArrayLike,
    amount: ArrayLike | None = None,
    *,
    cut: int,
    end: int,
    unit: Unit = "weeks",
) -> Split:
    """Histories at the close of day ``cut``, and the purchases from then to the close of day ``end``.

    Raises:
        Refused: the end isn't after the cut, or as :func:`summarise`.
    """
    refuse_unless(end > cut, "The holdout ends before it begins.", "Take an end after the cut.")
    who, when = np.asarray(customer), np.asarray(day)
    before = summarise(who, when, amount, end=cut, unit=unit)
    paid = np.zeros(len(who)) if amount is None else np.asarray(amount, dtype=np.float64)
    assert before.customers is not None
    place = np.minimum(np.searchsorted(before.customers, who), len(before) - 1)
    kept = (when > cut) & (when <= end) & (paid >= 0) & (before.customers[place] == who)
    span = end - cut + 1
    visits = distinct(place[kept].astype(np.int64) * span + (when[kept].astype(np.int64) - cut))
    orders = np.bincount(visits // span, minlength=len(before)).astype(np.float64)
    return Split(before, orders, (end - cut) / DAYS[unit])


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The different values, ascending.

    ``np.unique`` of whole numbers hashes them; a log in order of customers and days is all but sorted.
    """
    ordered = np.sort(values, kind="stable")
    return np.asarray(ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0])


def choose(held: Split, models: Sequence[type[RepeatModel]] = MODELS, needs: Needs = USUAL) -> Choice:
    """Fit each model before the cut, and take the one that gave the numbers after it the greatest probability.

    Baselines stand beside: the same rate as before, the mean of all, and the rankings by recency and by frequency.

    Raises:
        Refused: no model could be fitted.
    """
    fitted: list[tuple[float, RepeatModel]] = []
    scores = []
    for kind in models:
        try:
            model = kind.fitted(held.before, needs)
        except Refused as refusal:
            scores.append(_left_out(kind.name, held, str(refusal)))
            continue
        if model.fit is not None and not model.fit.converged:
            scores.append(_left_out(kind.name, held, model.fit.reason))
            continue
        score = assess(model, held)
        assert score.log_score is not None
        scores.append(score)
        fitted.append((score.log_score, model))
    reasons = " ".join(f"{score.name}: {score.reason}" for score in scores)
    refuse_unless(len(fitted) > 0, f"No model could be fitted. {reasons}", "Take a longer history.")
    best = max(fitted, key=lambda pair: pair[0])[1]
    share = float(np.mean(held.orders > 0))
    return Choice(best, (*scores, *baselines(held)), share * (1 - share))


def assess(model: RepeatModel, held: Split) -> Score:
    """How well a model foretold the holdout."""
    expected = model.expected(held.before, held.horizon)
    active = model.active(held.before, held.horizon)
    most = int(held.orders.max(initial=0))
    log_score = 0.0
    # By blocks, as a row has as many columns as the busiest customer has orders.
    block = max(1, 2_000_000 // (most + 1))
    for first in range(0, len(held.before), block):
        rows = np.arange(first, min(first + block, len(held.before)))
        chances = model.counts(held.before.take(rows), held.horizon, most)
        came = chances[np.arange(len(rows)), held.orders[rows].astype(np.int64)]
        log_score += float(np.log(np.maximum(came, TINY)).sum())
    return Score(
        model.name,
        float(expected.sum()),
        float(held.orders.sum()),
        float(np.abs(expected - held.orders).mean()),
        auc(expected, held.orders > 0),
        float(np.mean((active - (held.orders > 0)) ** 2)),
        log_score / len(held.before),
    )


def baselines(held: Split) -> tuple[Score, ...]:
    """What can be foretold without a model."""
    before, bought = held.before, held.orders > 0
    actual = float(held.orders.sum())
    rate = before.frequency * held.horizon / np.maximum(before.age, 1 / DAYS[before.unit])
    mean = np.full(len(before), float(rate.mean()))
    last = -(before.age - before.recency)
    found = [
        Score(
            name, float(guess.sum()), actual, float(np.abs(guess - held.orders).mean()), auc(guess, bought), None, None
        )
        for name, guess in (("same rate", rate), ("mean rate", mean))
    ]
    rankings = (("recency", last), ("frequency", before.frequency))
    return (*found, *(Score(name, None, actual, None, auc(rank, bought), None, None) for name, rank in rankings))


def _left_out(name: str, held: Split, reason: str) -> Score:
    return Score(name, None, float(held.orders.sum()), None, None, None, None, reason)


def auc(score: NDArray[np.float64], bought: NDArray[Any]) -> float | None:
    """P(a buyer scores above somebody who isn't one), ties counted half; None without both kinds."""
    return scoring.auc(bought, score) if 0 < np.count_nonzero(bought) < len(bought) else None


def track(
    model: RepeatModel, customer: ArrayLike, day: ArrayLike, amount: ArrayLike | None = None, *, end: int, step: int = 7
) -> Tracking:
    """Repeat purchases of all customers in steps of ``step`` days, from the first day of all to day ``end``.

    What is expected of a customer begins with their own first purchase.

    Raises:
        Refused: as :func:`summarise`, or there is less than a step.
    """
    who, when = np.asarray(customer), np.asarray(day)
    paid = np.zeros(len(who)) if amount is None else np.asarray(amount, dtype=np.float64)
    kept = (when <= end) & (paid >= 0)
    refuse_unless(bool(kept.any()), f"There is no purchase up to day {end}.", "Take a later end.")
    _, place = np.unique(who[kept], return_inverse=True)
    days = when[kept].astype(np.int64)
    start = int(days.min())
    span = end - start + 1
    visits = distinct(place.astype(np.int64) * span + (days - start))
    opening = np.diff(visits // span, prepend=-1) != 0
    births, many = np.unique((visits % span)[opening], return_counts=True)
    repeats = (visits % span)[~opening]
    steps = span // step
    refuse_unless(steps > 0, "The observation is shorter than a step.", "Take a shorter step.")
    per = DAYS[model.unit]
    # A step is over at the close of its last day.
    ends = np.arange(1, steps + 1) * step - 1
    known = np.maximum(ends[:, None] - births[None, :], 0) / per
    expected = model.new(known.ravel()).reshape(known.shape) @ many.astype(np.float64)
    actual = np.searchsorted(np.sort(repeats), ends, side="right").astype(np.float64)
    return Tracking((ends + 1) / per, np.diff(expected, prepend=0.0), np.diff(actual, prepend=0.0), expected, actual)


def by_frequency(model: RepeatModel, held: Split, top: int = 7) -> ByFrequency:
    """Expected against actual in the holdout, by repeat purchases before it (``top`` stands for all from there on)."""
    refuse_unless(top >= 1, "There must be two groups.", "Take 1 or more.")
    group = np.minimum(held.before.frequency, top).astype(np.int64)
    customers = np.bincount(group, minlength=top + 1)
    there = np.flatnonzero(customers)
    expected = np.bincount(group, weights=model.expected(held.before, held.horizon), minlength=top + 1)
    actual = np.bincount(group, weights=held.orders, minlength=top + 1)
    many = customers[there]
    return ByFrequency(there.astype(np.float64), many, expected[there] / many, actual[there] / many)
