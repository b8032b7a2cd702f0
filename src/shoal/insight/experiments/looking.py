"""The result of an experiment by its plan: at this moment, or as of the last planned look that the plan allows.

A plan with an end is answered as of its end, whenever somebody asks afterwards. A group sequential plan is looked at as of its
looks and not between them: at each the store is read as it was then, so that the bounds mean what they promise however often
somebody asks. The first look that crosses its bound decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.insight.experiments.analysis import Asked, analyse
from shoal.insight.experiments.exposures import exposures
from shoal.insight.experiments.plans import Course
from shoal.insight.experiments.sightings import sightings

if TYPE_CHECKING:
    from collections.abc import Mapping

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
) -> Result:
    """What an experiment shows as of an instant.

    Args:
        known: the store as of it.
        experiment: the definition.
        state: how far it is.
        metrics: by slug, all that it names.
        asked: what else is asked.
        segments: of the workspace, by slug.

    Raises:
        Refused: it hasn't begun, its file was edited since, or nobody takes part.
        UnknownName: an event, property, trait, column or segment that there isn't.
        DefinitionError: the primary metric can't be asked of customers with a time of their own.
        Unsupported: the same.
    """
    looking = _Looking(experiment, state, metrics, asked or Asked(), segments or {})
    end = _end(known, experiment, state)
    if end is None:
        return looking.result(known)
    with known.before(end) as then:
        return looking.result(then)


def _end(known: AsOf, experiment: Experiment, state: State) -> int | None:
    """The planned end where it lies behind: what is asked later is answered as of it, so that asking again finds nothing new."""
    if experiment.plan.days is None or experiment.plan.kind == "always valid":
        return None
    began = state.started
    if began is None and experiment.elsewhere:
        with sightings(known, experiment, state) as seen:
            ((began,),) = known.engine.store.rows(f"SELECT min(ts) FROM ({seen.rows}) s WHERE arm >= 0")
    if began is None:
        return None
    end = int(began) + experiment.plan.days * DAY
    return end if end < known.at else None


def course_of(experiment: Experiment, state: State, exposed: Exposures, at: int) -> Course:
    """How far an experiment is as of an instant.

    One that ran elsewhere began with its first exposure, and is over unless its plan says when it ends.
    """
    began = state.started if state.started is not None else exposed.begin
    began = at if began is None else began
    days = experiment.plan.days
    ends = None if days is None else began + days * DAY
    stopped = state.stopped if state.stopped is not None and state.stopped <= at else None
    return Course(began, at, ends, stopped, state.wanted, experiment.elsewhere and ends is None)


@dataclass(frozen=True, slots=True)
class _Looking:
    """What is asked, whatever the instant."""

    experiment: Experiment
    state: State
    metrics: Mapping[str, Metric]
    asked: Asked
    segments: Mapping[str, Definition]

    def result(self, known: AsOf) -> Result:
        with exposures(known, self.experiment, self.state) as exposed:
            course = course_of(self.experiment, self.state, exposed, known.at)
            looks = self._looks(course) if exposed.total else []
            if not looks:
                return self._analysed(known, exposed, course, self.asked, ())
        return self._by_looks(known, looks)

    def _looks(self, course: Course) -> list[int]:
        """The instants of planned looks that were reached, evenly over the days; none where the plan has no end."""
        plan = self.experiment.plan
        if plan.kind != "group sequential" or course.ends is None:
            return []
        whole, last = course.ends - course.began, course.now if course.stopped is None else course.stopped
        return [at for at in (course.began + whole * (i + 1) // plan.looks for i in range(plan.looks)) if at <= last]

    def _by_looks(self, known: AsOf, looks: list[int]) -> Result:
        """As of the last look, or of the first at which all arms had crossed their bounds."""
        sizes: list[int] = []
        crossed: dict[str, int] = {}
        quick = Asked(winsor=self.asked.winsor, cuped=self.asked.cuped, since_exposure=False)
        for place, at in enumerate(looks, start=1):
            with known.before(min(at, known.at)) as then, exposures(then, self.experiment, self.state) as exposed:
                sizes.append(exposed.total)
                course = course_of(self.experiment, self.state, exposed, then.at)
                last = place == len(looks)
                if not exposed.total and not last:
                    continue
                found = self._analysed(then, exposed, course, self.asked if last else quick, sizes)
                told = (one.arm for one in found.metrics[0].comparisons if one.sure)
                crossed |= {arm: place for arm in told if arm not in crossed}
                if not last and set(crossed) == set(exposed.arms[1:]):
                    found = self._analysed(then, exposed, course, self.asked, sizes)
                    break
        notes = [f"{arm} crossed its bound at look {look} of {len(looks)}." for arm, look in crossed.items()]
        return replace(found, notes=(*found.notes, *notes))

    def _analysed(
        self, known: AsOf, exposed: Exposures, course: Course, asked: Asked, looks: list[int] | tuple[int, ...]
    ) -> Result:
        return analyse(
            known,
            self.experiment,
            exposed,
            self.metrics,
            course,
            asked=asked,
            segments=self.segments,
            looks=tuple(looks),
        )


def randomised(experiment: Experiment) -> bool:
    """Whether chance drew the arms, as far as the definition says."""
    return experiment.randomised


def changed_metrics(state: State, metrics: Mapping[str, Metric]) -> list[str]:
    """What metrics mean something else than when the experiment began, in words."""
    return [
        f"The metric {metrics[slug].name} was changed since the experiment began: it isn't what was agreed on then."
        for slug, version in state.metrics.items()
        if slug in metrics and metrics[slug].version != version
    ]
