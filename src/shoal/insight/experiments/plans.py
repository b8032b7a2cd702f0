"""How an effect is judged by the plan that was made before: which interval, which bound, and whether it may be judged yet."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias

from shoal.clock import DAY
from shoal.stats.experiments import sequential
from shoal.stats.experiments.bayes import Belief, Prior, belief
from shoal.stats.experiments.comparing import Effect, welch
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.experiments.definition import Experiment, Plan
    from shoal.stats.experiments.comparing import Gap

Method: TypeAlias = Literal["fixed", "group sequential", "always valid", "bayesian"]


@dataclass(frozen=True, slots=True)
class Course:
    """How far an experiment is.

    Args:
        began: the instant of its start.
        now: the instant that it is looked at.
        ends: its planned end; None is open.
        stopped: when it was stopped; None while it runs.
        wanted: how many customers the plan asks for; None where nobody said.
        done: whether it is over whatever the plan says, as one that ran elsewhere.
    """

    began: int
    now: int
    ends: int | None = None
    stopped: int | None = None
    wanted: int | None = None
    done: bool = False

    @property
    def over(self) -> bool:
        """Whether the plan's end is reached: an open one ends when it is stopped."""
        last = self.now if self.stopped is None else min(self.stopped, self.now)
        reached = self.stopped is not None if self.ends is None else last >= self.ends
        return self.done or reached

    @property
    def early(self) -> bool:
        """Whether it was stopped before its planned end."""
        return self.stopped is not None and not self.over

    def share(self) -> float:
        """How much of the planned time is over; 1 at the end."""
        if self.over or self.ends is None:
            return 1.0
        return min(1.0, max(0.0, (self.now - self.began) / max(self.ends - self.began, 1)))

    def says(self, n: int) -> str:
        """How far it is, in words: ``12 of 28 days, 3,100 of 8,000 customers``."""
        parts = []
        if self.ends is not None:
            whole, past = self.ends - self.began, min(self.now, self.ends) - self.began
            parts.append(f"{past // DAY:,} of {counted(round(whole / DAY), 'day')}")
        of = "" if self.wanted is None else f" of {self.wanted:,}"
        parts.append(f"{n:,}{of} customers")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Rule:
    """How effects are judged now.

    Args:
        method: of intervals and p-values.
        alpha: of one comparison.
        final: whether the plan lets a null result be said: its end is reached.
        deciding: whether the plan lets an effect be said now.
        bounds: of a group sequential plan.
        look: which of them this is, counted from 0.
        prior: of a Bayesian plan, for the relative effect.
        tuning: the sample size at which an always-valid interval is narrowest.
    """

    method: Method
    alpha: float
    final: bool
    deciding: bool
    bounds: sequential.Plan | None = None
    look: int = 0
    prior: Prior | None = None
    tuning: float = sequential.TUNING

    @property
    def confidence(self) -> float:
        """Of its intervals."""
        return 1 - self.alpha

    def effect(self, found: Gap, base: float = 0.0) -> Effect:
        """The effect with the interval of this method; ``p`` is NaN where the method has none.

        Args:
            found: the difference.
            base: the control's figure, from which an absolute effect has its prior.
        """
        if self.method == "group sequential" and self.bounds is not None:
            return sequential.at_look(found, self.bounds, self.look)
        if self.method == "always valid":
            return sequential.always_valid(found, self.confidence, self.tuning)
        if self.method == "bayesian":
            told = self.belief(found, base)
            return Effect(told.value, told.low, told.high, found.se, inf, float("nan"), found.relative)
        return welch(found, self.confidence)

    def belief(self, found: Gap, base: float = 0.0) -> Belief:
        """What is believed of the effect after the data."""
        prior = self.prior
        if prior is not None and not found.relative:
            prior = Prior(prior.mean * abs(base), prior.variance * base * base)
        return belief(found, None if prior is None or not prior.variance > 0 else prior, self.confidence)

    @property
    def level(self) -> float:
        """What a p-value is held against."""
        return self.bounds.levels[self.look] if self.bounds is not None else self.alpha


def rule_of(experiment: Experiment, course: Course, looks: Sequence[int], *, family: int = 1) -> Rule:
    """How effects are judged by the experiment's plan at this moment.

    Args:
        experiment: with its plan.
        course: how far it is.
        looks: of a group sequential plan, how many customers were in at each look that was reached.
        family: how many comparisons share the bounds of a group sequential plan (Bonferroni).
    """
    plan = experiment.plan
    tuning = float(course.wanted or sequential.TUNING)
    if plan.kind == "bayesian":
        prior = None if plan.prior is None else Prior(plan.prior.mean, plan.prior.spread**2)
        return Rule("bayesian", plan.alpha, course.over, course.over, prior=prior)
    if plan.kind == "always valid":
        return Rule("always valid", plan.alpha, course.over, True, tuning=tuning)
    if plan.kind == "group sequential" and looks:
        bounds = _bounds(plan, course, looks, plan.alpha / family)
        return Rule("group sequential", plan.alpha, course.over, True, bounds, len(looks) - 1)
    if plan.kind == "fixed" and course.over:
        return Rule("fixed", plan.alpha, True, True)
    # Before its time a p-value of one look says nothing; an interval that holds at all times may be shown.
    return Rule("always valid", plan.alpha, False, False, tuning=tuning)


def _bounds(plan: Plan, course: Course, looks: Sequence[int], alpha: float) -> sequential.Plan:
    """Information is customers; where the plan says how many there will be it is their share, and else α is spent by time."""
    if course.wanted is not None:
        times = [min(n / course.wanted, 0.999) for n in looks]
        return sequential.spent(_rising([*times[:-1], 1.0] if course.over else times), alpha)
    clock = [(i + 1) / plan.looks for i in range(len(looks))]
    return sequential.spent(_rising([n / looks[-1] for n in looks]), alpha, clock=clock)


def _rising(times: Sequence[float]) -> list[float]:
    """Looks between which nobody came are told apart by a hair, so that the integral exists."""
    found: list[float] = []
    for time in times:
        found.append(max(time, found[-1] + 1e-6 if found else 1e-6))
    return [min(time, 1.0) for time in found]


def says(rule: Rule, experiment: Experiment, course: Course, n: int) -> str:
    """What intervals and p-values are, in a sentence or two."""
    percent = f"{100 * rule.confidence:g} %"
    if rule.method == "fixed" and course.ends is None:
        return (
            f"Intervals of {percent} by Welch's test, for one look. Nothing says when it was to end: if it was ended because of "
            "what it showed, they promise too much."
        )
    if rule.method == "fixed":
        return f"Intervals of {percent} by Welch's test at the planned end, looked at once."
    if rule.method == "group sequential" and rule.bounds is not None:
        return (
            f"Look {rule.look + 1} of {experiment.plan.looks}: |z| must exceed {rule.bounds.bounds[rule.look]:.3f} "
            f"(p below {rule.level:.4g}), by spending α as O'Brien and Fleming do; intervals are of that bound and hold at all "
            "looks together."
        )
    if rule.method == "bayesian":
        prior = "a flat prior" if rule.prior is None else _prior(rule.prior)
        return f"Credible intervals of {percent} with {prior} for the effect."
    if rule.deciding:
        return f"Always-valid intervals: they hold with {percent} at all moments together, however often one looks."
    return (
        f"Always-valid intervals ({percent} at all moments together), since it isn't at its planned end "
        f"({course.says(n)}); a p-value of one look would find too much now."
    )


def _prior(prior: Prior) -> str:
    return f"a normal prior of {100 * prior.mean:+.3g} % ± {100 * prior.variance**0.5:.3g} % (one standard deviation)"
