"""The result of an experiment by its plan: at this moment, or as of the last planned look that the plan allows.

A group sequential plan is looked at as of its looks and not between them: at each the store is read as it was then, so that the
bounds mean what they promise however often somebody asks. The first look that crosses its bound decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.insight.experiments.analysis import Asked, analyse
from shoal.insight.experiments.exposures import exposures
from shoal.insight.experiments.plans import Course

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.exposures import Exposures
    from shoal.insight.experiments.results import Result
    from shoal.insight.experiments.state import State
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Definition


def result_of(
    known: AsOf,
    experiment: Experiment,
    state: State,
    metrics: Mapping[str, Metric],
    *,
    asked: Asked | None = None,
    segments: Mapping[str, Definition] | None = None,
    wanted: int | None = None,
) -> Result:
    """What an experiment shows as of an instant.

    Args:
        known: the store as of it.
        experiment: the definition.
        state: how far it is.
        metrics: by slug, all that it names.
        asked: what else is asked.
        segments: of the workspace, by slug.
        wanted: how many customers its plan asks for, where somebody worked that out.

    Raises:
        Refused: it hasn't begun, its file was edited since, or nobody takes part.
        UnknownName: an event, property, trait, column, segment or metric that there isn't.
        DefinitionError: the primary metric can't be asked of customers with a time of their own.
        Unsupported: the same.
    """
    told = {"asked": asked, "segments": segments, "randomised": randomised(experiment)}
    notes = changed_metrics(state, metrics)
    with exposures(known, experiment, state) as exposed:
        course = course_of(experiment, state, exposed, known.at, wanted)
        looks = _looks(experiment, course) if experiment.plan.kind == "group sequential" and exposed.total else []
        if not looks:
            return _noted(analyse(known, experiment, exposed, metrics, course, **told), notes)  # type: ignore[arg-type]
    sizes: list[int] = []
    crossed: dict[str, int] = {}
    for place, at in enumerate(looks):
        with known.before(min(at, known.at)) as then, exposures(then, experiment, state) as exposed:
            sizes.append(exposed.total)
            course = course_of(experiment, state, exposed, then.at, wanted)
            last = place == len(looks) - 1
            quick = told if last else {**told, "asked": Asked(since_exposure=False)}
            found = analyse(then, experiment, exposed, metrics, course, looks=tuple(sizes), **quick)  # type: ignore[arg-type]
            crossed |= {arm: place + 1 for arm in _crossing(found) if arm not in crossed}
            if not last and set(crossed) == set(exposed.arms[1:]):
                found = analyse(then, experiment, exposed, metrics, course, looks=tuple(sizes), **told)  # type: ignore[arg-type]
                break
    notes += [f"{arm} crossed its bound at look {look} of {len(looks)}." for arm, look in crossed.items()]
    return _noted(found, notes)


def _crossing(found: Result) -> list[str]:
    return [one.arm for one in found.metrics[0].comparisons if one.sure]


def _noted(found: Result, notes: Sequence[str]) -> Result:
    return replace(found, notes=(*found.notes, *notes))


def randomised(experiment: Experiment) -> bool:
    """Whether chance drew the arms, as far as the definition says."""
    return bool(getattr(experiment, "randomised", True))


def course_of(experiment: Experiment, state: State, exposed: Exposures, at: int, wanted: int | None = None) -> Course:
    """How far an experiment is as of an instant; one that ran elsewhere began with its first exposure, and is over unless its
    plan says when it ends."""
    began = state.started if state.started is not None else exposed.begin
    began = at if began is None else began
    days = experiment.plan.days
    ends = None if days is None else began + days * DAY
    stopped = state.stopped if state.stopped is not None and state.stopped <= at else None
    return Course(began, at, ends, stopped, wanted, experiment.elsewhere and ends is None)


def _looks(experiment: Experiment, course: Course) -> list[int]:
    """The instants of planned looks that were reached, evenly over the days; none where the plan has no end."""
    if course.ends is None:
        return []
    whole, last = course.ends - course.began, course.now if course.stopped is None else course.stopped
    looks = experiment.plan.looks
    return [at for at in (course.began + whole * (i + 1) // looks for i in range(looks)) if at <= last]


def changed_metrics(state: State, metrics: Mapping[str, Metric]) -> list[str]:
    """What metrics mean something else than when the experiment began, in words."""
    return [
        f"The metric {metrics[slug].name} was changed since the experiment began: it isn't what was agreed on then."
        for slug, version in state.metrics.items()
        if slug in metrics and metrics[slug].version != version
    ]
