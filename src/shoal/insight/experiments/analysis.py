"""The analysis of an experiment, from the store: sums by arm in SQL, then effects, checks and the verdict.

exposures ── of_units ── sums ── effects ── corrections ─┐
    └── sampling (sizes of arms) ────────────────────────┴── verdict
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shoal.clock import DAY
from shoal.errors import DefinitionError, Refused, Unsupported
from shoal.insight.experiments import over_time as course_of
from shoal.insight.experiments.dimensions import divided
from shoal.insight.experiments.effects import bootstrap, estimates, measured, stratified, with_corrections
from shoal.insight.experiments.plans import rule_of, says
from shoal.insight.experiments.responding import HALF, responding
from shoal.insight.experiments.results import Measured, Result, Uncut
from shoal.insight.experiments.sampling import SampleCheck, check, unchecked
from shoal.insight.experiments.sums import WINSOR, cells, order_statistics, readings
from shoal.insight.experiments.verdict import verdict
from shoal.insight.metrics.units import of_units
from shoal.stats.experiments.quantiles import quantile, ranks
from shoal.stats.experiments.sequential import TUNING
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.dimensions import Divided
    from shoal.insight.experiments.effects import Estimates
    from shoal.insight.experiments.exposures import Exposures
    from shoal.insight.experiments.over_time import OverTime
    from shoal.insight.experiments.plans import Course, Rule
    from shoal.insight.experiments.responding import Dimension
    from shoal.insight.experiments.results import Role
    from shoal.insight.experiments.sums import Cells, Reading
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.units import UnitValues
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Definition

    Ints = npt.NDArray[np.int64]

MOST_FOR_PERIODS = 250_000
"""With more customers the course since the exposure is looked at only where it is asked for: it reads each several times."""
_LONGEST_PAST, _SHORTEST_PAST = 90 * DAY, 7 * DAY
_DEALT = "CAST(((CAST(u.k AS BIGINT) * 2654435761) % 4294967296) // 4294968 AS INTEGER)"
"""The SQL of one of a thousand groups that customers are dealt to for the bootstrap."""
_KEPT = ("arm", "begin")
_ONE_BY_ONE = 2_000
"""With fewer customers the bootstrap draws them one by one."""
NOT_DRAWN = "Chance didn't draw the groups, so no ratio of their sizes was planned."


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an analysis beside the experiment itself.

    Args:
        by: segments or traits; of each, whether its groups respond differently.
        strata: a segment or trait by which figures are post-stratified, in the place of CUPED.
        winsor: the quantile of all arms together above which money counts as the quantile; None cuts nothing.
        cuped: whether the time before the exposure is used.
        since_exposure: whether the effect is followed since the exposure; None does so for up to 250,000 customers.
    """

    by: tuple[str, ...] = ()
    strata: str | None = None
    winsor: float | None = WINSOR
    cuped: bool = True
    since_exposure: bool | None = None


def analyse(
    known: AsOf,
    experiment: Experiment,
    exposed: Exposures,
    metrics: Mapping[str, Metric],
    course: Course,
    *,
    asked: Asked | None = None,
    segments: Mapping[str, Definition] | None = None,
    looks: Sequence[int] = (),
) -> Result:
    """What an experiment shows as of an instant.

    Args:
        known: the store as of it.
        experiment: the definition.
        exposed: who takes part.
        metrics: by slug, all that it names.
        course: how far it is.
        asked: what else is asked.
        segments: of the workspace, by slug.
        looks: of a group sequential plan, how many customers were in at each look, up to the one that this is.

    Raises:
        Refused: nobody takes part.
        UnknownName: a division that there isn't.
        DefinitionError: the primary metric can't be asked of customers with a time of their own.
        Unsupported: the same.
    """
    return _Analysis(known, experiment, exposed, metrics, course, asked or Asked(), looks).result(segments or {})


class _Analysis:
    """One analysis: what its steps share."""

    def __init__(
        self, known: AsOf, experiment: Experiment, exposed: Exposures, metrics: Mapping[str, Metric], course: Course,
        asked: Asked, looks: Sequence[int],
    ) -> None:  # fmt: skip
        self.known, self.experiment, self.exposed, self.course = known, experiment, exposed, course
        self.metrics, self.asked, self.randomised = metrics, asked, experiment.randomised
        self.arms = exposed.arms
        self.rule: Rule = rule_of(experiment, course, looks, family=len(self.arms) - 1)
        self.source = f"{exposed.table} e"
        self.notes: list[str] = []
        self.refused: dict[str, str] = {}

    def result(self, segments: Mapping[str, Definition]) -> Result:
        if not self.exposed.total:
            left = " ".join(one.says for one in self.exposed.problems)
            raise Refused(
                f"Nobody takes part in {self.experiment.slug!r} yet.{f' {left}' if left else ''}",
                fix="Wait until it has customers, or look at what says who was exposed.",
            )
        usable = [self.metrics[slug] for slug in self.experiment.metrics if self._usable(self.metrics[slug])]
        with ExitStack() as held:
            names = list(dict.fromkeys([*self.asked.by, *([self.asked.strata] if self.asked.strata else [])]))
            parts = held.enter_context(divided(self.known, self.course.began, names, segments))
            sample = self._sample(parts[: len(dict.fromkeys(self.asked.by))])
            values = held.enter_context(
                of_units(self.known, usable, self.exposed.table, prior=self._past(), kept=_KEPT)
            )
            return self._told(values, usable, parts, sample)

    def _told(
        self, values: UnitValues, usable: Sequence[Metric], parts: Sequence[Divided], sample: SampleCheck
    ) -> Result:
        primary = self.metrics[self.experiment.primary]
        read = readings(self.known, values, usable, winsor=self.asked.winsor)
        found = self._daily(values, read)
        strata = parts[-1] if self.asked.strata else None
        rows = self._measured(values, usable, read, found, strata)
        dimensions = self._dimensions(values, read, parts[: len(dict.fromkeys(self.asked.by))], primary)
        followed = self._over_time(primary, found.get(primary.slug))
        told = verdict(self.experiment, rows, sample, self.course, self.rule, randomised=self.randomised)
        n = sum(self.exposed.counts.values())
        if self.course.over and self.course.wanted is not None and n < self.course.wanted:
            self.notes.append(
                f"{n:,} customers came in, and the plan asks for {self.course.wanted:,}: an effect of the size that matters may "
                "be missed."
            )
        return Result(
            self.experiment.slug, self.experiment.name, self.known.at, self.course.began, self.randomised,
            dict(self.exposed.counts), told, sample, tuple(rows),
            says(self.rule, self.experiment, self.course, n), self.course.says(n), dimensions, followed,
            (*self._of_exposures(), *self.notes),
        )  # fmt: skip

    # ------------------------------------------------------------ what is asked

    def _usable(self, metric: Metric) -> bool:
        """Whether a metric can be asked of customers with a time of their own; the primary one must be."""
        from shoal.insight.metrics.reading import check_metric
        from shoal.sql.columns import hold_units

        try:
            check_metric(metric, self.known.schema)
            hold_units(metric.nodes)
            if metric.before is not None:
                raise DefinitionError(
                    f'The metric "{metric.slug}" asks what was in the period before, which a customer of an experiment '
                    "doesn't have.",
                    fix="Take a metric without before:.",
                )
        except (DefinitionError, Unsupported) as error:
            if metric.slug == self.experiment.primary:
                raise
            self.refused[metric.slug] = str(error)
            return False
        return True

    def _past(self) -> int | None:
        """How long before the exposure is looked at: as long as after it, within bounds.

        Groups that nobody drew differ before already: to adjust for that would look as if they were alike otherwise.
        """
        if not self.asked.cuped or self.asked.strata or not self.randomised:
            return None
        seen = self.experiment.window or self.exposed.end - self.course.began
        return max(_SHORTEST_PAST, min(seen, _LONGEST_PAST))

    def _of_exposures(self) -> list[str]:
        notes = [f"Left out: {one.says}" for one in self.exposed.problems] + list(self.exposed.notes)
        if self.exposed.unfinished:
            n = self.exposed.unfinished
            notes.append(
                f"{counted(n, 'customer')} {noun(n, 'has', 'have')} less than the whole window behind them: what they do in "
                "the rest of it is still to come."
            )
        return notes

    # ------------------------------------------------------------ sizes of arms

    def _sample(self, parts: Sequence[Divided]) -> SampleCheck:
        sizes = [self.exposed.counts[arm] for arm in self.arms]
        if not self.randomised:
            return unchecked(self.arms, sizes, NOT_DRAWN)
        day = f"CAST((e.begin - {self.course.began:d}) // {DAY:d} AS INTEGER)"
        days, came = self._counts(f"SELECT {day} AS code, e.arm FROM {self.source}")
        groups: dict[tuple[str, str], Sequence[int]] = {}
        for part in parts:
            codes, n = self._counts(f"SELECT e.code, e.arm FROM {part.rows(self.exposed.table)}")
            groups |= {
                (part.name, part.labels[code]): row for code, row in zip(codes.tolist(), n.tolist(), strict=True)
            }
        return check({arm: self.experiment.arms[arm] for arm in self.arms}, (days, came), groups)

    def _counts(self, rows: str) -> tuple[Ints, Ints]:
        """Codes, ascending, and codes × arms: how many."""
        shown = ", ".join(f"count(*) FILTER (WHERE arm = {place}) AS n{place}" for place in range(len(self.arms)))
        table = self.known.arrow(f"SELECT code, {shown} FROM ({rows}) r GROUP BY code ORDER BY code")
        columns = [table[f"n{place}"].to_numpy() for place in range(len(self.arms))]
        return table["code"].to_numpy().astype(np.int64), np.column_stack(columns).astype(np.int64)

    # ------------------------------------------------------------ metrics

    def _daily(self, values: UnitValues, read: Mapping[str, Reading]) -> dict[str, Cells]:
        """Sums by arm and the day that customers came in; of money without its cap under the slug with an asterisk."""
        every = {**read, **{f"{slug}*": one.uncapped() for slug, one in read.items() if one.cap is not None}}
        if not every:
            return {}
        day = f"CAST((u.begin - {self.course.began:d}) // {DAY:d} AS INTEGER)"
        return dict(zip(every, cells(self.known, None, values, every.values(), {"day": day}), strict=True))

    def _measured(
        self, values: UnitValues, usable: Sequence[Metric], read: Mapping[str, Reading], found: Mapping[str, Cells],
        strata: Divided | None,
    ) -> list[Measured]:  # fmt: skip
        drawn = self._bootstrapped(values, read)
        by_stratum = self._strata(values, read, strata)
        rows = []
        for slug, role in self._roles():
            metric = self.metrics[slug]
            one = self._one(values, metric, role, read, found, by_stratum.get(slug), strata)
            one = self._with_money(one, read.get(slug), found, drawn.get(slug))
            rows.append(one)
        tolerated = {guard.metric: guard.tolerated for guard in self.experiment.guardrails}
        told = [
            replace(one, tolerated=amount.text, borne=amount.value, relative=amount.relative)
            if one.role == "guardrail" and (amount := tolerated.get(one.metric)) is not None
            else one
            for one in rows
        ]
        return with_corrections(told, self.rule)

    def _roles(self) -> list[tuple[str, Role]]:
        found: list[tuple[str, Role]] = [(self.experiment.primary, "primary")]
        found += [(slug, "secondary") for slug in self.experiment.secondary]
        return [*found, *((guard.metric, "guardrail") for guard in self.experiment.guardrails)]

    def _one(
        self, values: UnitValues, metric: Metric, role: Role, read: Mapping[str, Reading], found: Mapping[str, Cells],
        by_stratum: Cells | None, strata: Divided | None,
    ) -> Measured:  # fmt: skip
        bare = Measured(metric.slug, metric.name, metric.unit, metric.better, role)
        if metric.slug in self.refused:
            return replace(bare, refused=self.refused[metric.slug])
        try:
            if metric.how == "quantile":
                told = self._quantile(values, metric)
            elif by_stratum is not None and strata is not None and metric.how != "ratio":
                told = self._post_stratified(metric, by_stratum, strata)
            else:
                told = estimates(metric, found[metric.slug].arms(len(self.arms)))
            return measured(metric, role, self.arms, told, self.rule)
        except Refused as refusal:
            return replace(bare, refused=f"{self._small(found.get(metric.slug))}{refusal}")

    def _small(self, found: Cells | None) -> str:
        """Which arm is too small, where one is."""
        if found is None:
            return ""
        sizes = found.sizes(len(self.arms))
        return "".join(
            f"{arm} has {counted(n, 'customer')} who {noun(n, 'counts', 'count')}. "
            for arm, n in zip(self.arms, sizes, strict=True)
            if n < 2
        )

    def _quantile(self, values: UnitValues, metric: Metric) -> Estimates:
        from shoal.insight.experiments.effects import Estimates

        column, at = values.columns[metric.slug].value, metric.at or 0.5
        table = self.known.arrow(
            f"SELECT e.arm, count(u.{column}) AS n FROM {self.source} JOIN {values.table} u ON u.k = e.k GROUP BY e.arm"
        )
        counts = dict(zip(table["arm"].to_pylist(), table["n"].to_pylist(), strict=True))
        sizes = [int(counts.get(place, 0)) for place in range(len(self.arms))]
        wanted = {place: ranks(n, at, self.rule.confidence) for place, n in enumerate(sizes)}
        read = order_statistics(self.known, self.source, values, column, wanted, sizes)
        told = [quantile(read[place], n, self.rule.confidence) for place, n in enumerate(sizes)]
        return Estimates(told, told, "quantile, its variance by Woodruff's interval")

    def _strata(self, values: UnitValues, read: Mapping[str, Reading], strata: Divided | None) -> dict[str, Cells]:
        if strata is None or not read:
            return {}
        source = strata.rows(self.exposed.table)
        return dict(zip(read, cells(self.known, source, values, read.values(), {"code": "e.code"}), strict=True))

    def _post_stratified(self, metric: Metric, by_stratum: Cells, strata: Divided) -> Estimates:
        """Strata that lack customers in an arm are one together."""
        codes = by_stratum.groups[:, 0]
        full = [c for c in np.unique(codes).tolist() if by_stratum.enough(len(self.arms), codes == c)]
        rest = ~np.isin(codes, full)
        groups = {strata.labels[code]: codes == code for code in full}
        if rest.any():
            if not by_stratum.enough(len(self.arms), rest) and full:
                rest = rest | (codes == full[-1])
                del groups[strata.labels[full[-1]]]
            groups["the rest"] = rest
        parts = [
            {name: by_stratum.of(which & (by_stratum.arm == place)) for name, which in groups.items()}
            for place in range(len(self.arms))
        ]
        return stratified(metric, parts, strata.name)

    def _bootstrapped(self, values: UnitValues, read: Mapping[str, Reading]) -> dict[str, Cells]:
        """Of money, sums by groups that customers are dealt to."""
        money = {s: one for s, one in read.items() if one.metric.unit == "money" and one.metric.how in ("sum", "mean")}
        if not money:
            return {}
        deal = "CAST(u.k AS INTEGER)" if self.exposed.total <= _ONE_BY_ONE else _DEALT
        asked = [replace(one, past=False, centre=one.centre[:1]) for one in money.values()]
        return dict(zip(money, cells(self.known, None, values, asked, {"deal": deal}), strict=True))

    def _with_money(
        self, one: Measured, read: Reading | None, found: Mapping[str, Cells], drawn: Cells | None
    ) -> Measured:
        """A money metric with what nothing was cut of, and the bootstrap's word."""
        if drawn is None or read is None or not one.comparisons:
            return one
        from shoal.insight.experiments.effects import compared

        arms = len(self.arms)
        uncut = found.get(f"{one.metric}*", found[one.metric])
        plain = [estimates(read.metric, [a.column(0) for a in held.arms(arms)]) for held in (uncut, found[one.metric])]
        rule = replace(self.rule, method="fixed")
        effects = [c.absolute for c in compared(read.metric, self.arms, plain[0], rule)]
        doubted = [c.absolute.low <= 0 <= c.absolute.high for c in compared(read.metric, self.arms, plain[1], rule)]
        quantile_ = self.asked.winsor if read.cap is not None else None
        method = one.method if read.cap is None else f"{one.method}, winsorised"
        told = Uncut(read.cap, quantile_, read.capped, tuple(effects), bootstrap(drawn, arms), tuple(doubted))
        return replace(one, method=method, uncut=told)

    # ------------------------------------------------------------ segments and time

    def _dimensions(
        self, values: UnitValues, read: Mapping[str, Reading], parts: Sequence[Divided], primary: Metric
    ) -> tuple[Dimension, ...]:
        if not parts:
            return ()
        if not self.randomised or primary.slug not in read:
            self.notes.append(
                "Whether segments respond differently is asked of metrics that aren't quantiles, where chance drew the arms."
            )
            return ()
        by = {}
        for part in parts:
            source = part.rows(self.exposed.table)
            (held,) = cells(self.known, source, values, [read[primary.slug]], {"code": "e.code", "half": HALF})
            by[part.name] = (part.labels, held)
        return responding(primary, self.arms, by)

    def _over_time(self, primary: Metric, found: Cells | None) -> OverTime | None:
        if found is None or not self.randomised:
            return None
        tuning = float(self.course.wanted or TUNING)
        points = course_of.cumulative(primary, self.arms, found, confidence=self.rule.confidence, tuning=tuning)
        weeks = course_of.by_period(primary, self.arms, found, course_of.WEEK)
        told = course_of.OverTime(primary.slug, primary.unit, self.course.began, points, weeks, course_of.trends(weeks))
        asked = self.asked.since_exposure
        if asked or (asked is None and self.exposed.total <= MOST_FOR_PERIODS):
            told = self._since(primary, told)
        return replace(told, says=course_of.says(primary, told.week_trends, told.period_trends, told.period_days))

    def _since(self, primary: Metric, told: OverTime) -> OverTime:
        with course_of.since_exposure(self.known, primary, self.exposed.table) as laid:
            if laid is None:
                return told
            table, values, periods, days = laid
            points = course_of.in_periods(self.known, primary, self.arms, table, values)
            if len({one.at for one in points}) < course_of.LEAST_PERIODS:
                # As in a file that dates all that happened to one day: that isn't an effect that wears off.
                return told
            return replace(
                told,
                periods=points,
                period_days=days,
                period_trends=course_of.wearing(self.known, primary, self.arms, table, values, periods),
            )
