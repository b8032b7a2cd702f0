"""How many customers an experiment takes, how long that is, and what it can find: from what the workspace saw lately.

It is reckoned as if the experiment had just run, with the same arm for all: who would have been exposed in the last days, and
what the primary metric was of them. So its mean and spread are those of the customers and the time that it will have.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import DAY, iso
from shoal.errors import Refused
from shoal.insight.experiments.definition import AtStart
from shoal.insight.experiments.sums import cells, order_statistics, readings
from shoal.insight.metrics.units import of_units
from shoal.lang.nodes import Definition
from shoal.stats.experiments import sequential
from shoal.stats.experiments.adjusting import cuped, cuped_ratio
from shoal.stats.experiments.arms import Estimate, mean, ratio
from shoal.stats.experiments.comparing import Gap
from shoal.stats.experiments.power import detectable, needed, reach
from shoal.stats.experiments.quantiles import quantile, ranks
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.insight.experiments.assignment import Holdout
    from shoal.insight.experiments.definition import Amount, Experiment, Plan
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.units import UnitValues
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Condition

SPANS = (7, 14, 28, 56, 91)
"""Days that are looked at."""
USUAL = 28
LEAST = 7
"""With fewer days behind it nothing is reckoned."""
LONGEST = 730
"""Days beyond which an experiment is called impossible."""


class Measured(NamedTuple):
    """The primary metric of those who would have been exposed.

    Args:
        mean: of one customer; of a ratio, the ratio; of a quantile, the quantile.
        variance: of one customer: that of the figure times how many there were.
        n: customers who count.
        of: customers who would have been exposed, those too for whom the metric isn't asked.
    """

    mean: float
    variance: float
    n: int
    of: int


@dataclass(frozen=True, slots=True)
class Span:
    """What the experiment would find in so many days.

    Args:
        days: how many.
        customers: how many would take part, all arms together.
        metric: the primary one of them.
        detectable: the least effect that is found with the plan's power, in the metric's unit.
    """

    days: int
    customers: int
    metric: Measured
    detectable: float

    @property
    def relative(self) -> float | None:
        """The same as a share of the figure; None where that is 0."""
        return self.detectable / abs(self.metric.mean) if self.metric.mean else None


@dataclass(frozen=True, slots=True)
class Planned:
    """What an experiment takes.

    Args:
        slug: of the experiment.
        metric: the primary one.
        at: the instant up to which the data was looked at.
        arms: names, the control first.
        spans: by days, the shortest first.
        basis: the span whose figures sizes are reckoned from.
        effect: the least effect that matters, in the metric's unit; None where the file doesn't say.
        sizes: customers of each arm for it; None without it.
        days: how long it takes until so many have come; None without it, or where that is out of reach.
        reduction: by how much the customers' own past lowers the variance (CUPED), as a share; None where there is no past.
        factor: by how much the plan's looks and arms add to the size of one look at two arms.
        notes: what else has to be known.
    """

    slug: str
    metric: Metric
    at: int
    arms: tuple[str, ...]
    spans: tuple[Span, ...]
    basis: Span
    effect: float | None
    sizes: tuple[int, ...] | None
    days: int | None
    reduction: float | None
    factor: float
    notes: tuple[str, ...]

    @property
    def wanted(self) -> int | None:
        """How many customers all arms take."""
        return None if self.sizes is None else sum(self.sizes)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "experiment": self.slug,
            "metric": self.metric.slug,
            "unit": self.metric.unit,
            "as_of": iso(self.at),
            "figure": self.basis.metric.mean,
            "spread": self.basis.metric.variance**0.5,
            "based_on_days": self.basis.days,
            "minimum_effect": self.effect,
            "arms": None if self.sizes is None else dict(zip(self.arms, self.sizes, strict=True)),
            "customers": self.wanted,
            "days": self.days,
            "reduction_by_past": self.reduction,
            "size_factor": self.factor,
            "spans": [
                {"days": s.days, "customers": s.customers, "figure": s.metric.mean, "detectable": s.detectable,
                 "detectable_relative": s.relative}
                for s in self.spans
            ],
            "notes": list(self.notes),
        }  # fmt: skip


def planned(known: AsOf, experiment: Experiment, metric: Metric, everywhere: Sequence[Holdout] = ()) -> Planned:
    """What an experiment takes, from the store as of an instant.

    Args:
        known: the store.
        experiment: the definition.
        metric: its primary one.
        everywhere: the workspace's holdouts.

    Raises:
        Refused: it ran elsewhere; or the data reaches back less than a week, nobody would take part, or the metric is the
            same for all.
        DefinitionError: the metric doesn't stand on this data, or not for customers with a time of their own.
    """
    if experiment.elsewhere:
        raise Refused(
            f"Others drew the arms of {experiment.slug!r}: there is nothing to plan.",
            fix=f"Look at what came of it: shoal experiment result {experiment.slug}",
        )
    part = _part(experiment, everywhere)
    spans, arrivals = [], [0]
    reduction: float | None = None
    lengths = _lengths(known, experiment.plan.days)
    for days in lengths:
        with _entrants(known, experiment, days) as table:
            if days == lengths[-1]:
                arrivals = _arrivals(known, table, days)
            with of_units(known, [metric], table, prior=_past(experiment, days)) as values:
                found = _measured(known, metric, values, table)
                if days == _basis(lengths, experiment.plan.days):
                    reduction = _reduction(known, metric, values, table)
        if found is not None:
            spans.append(_span(experiment, days, found, part))
    if not spans:
        raise Refused(
            f"In the last {lengths[-1]} days fewer than two customers would have taken part in {experiment.slug!r}, or "
            f"{metric.name} was the same for all of them.",
            fix="Widen the population, choose another metric, or load more.",
        )
    return _told(known, experiment, metric, spans, [n * part for n in arrivals], reduction)


def _told(
    known: AsOf,
    experiment: Experiment,
    metric: Metric,
    spans: Sequence[Span],
    arrivals: Sequence[float],
    reduction: float | None,
) -> Planned:
    wanted_days = _basis([s.days for s in spans], experiment.plan.days)
    basis = next(s for s in spans if s.days == wanted_days)
    notes = list(_notes(experiment, metric, spans))
    effect = sizes = days = None
    if experiment.effect is not None:
        effect = absolute(experiment.effect, basis.metric.mean)
        sizes = arm_sizes(basis.metric, effect, experiment, share=metric.how == "share")
        days = _days(experiment, metric, spans, arrivals)
        if days is None:
            notes.append(_impossible(experiment, sum(sizes), spans, arrivals))
    else:
        notes.append("The file says no minimum_effect, so there is no size: the table says what each length can find.")
    return Planned(
        experiment.slug, metric, known.at, tuple(experiment.arms), tuple(spans), basis, effect, sizes, days, reduction,
        factor(experiment.plan, len(experiment.arms)), tuple(notes),
    )  # fmt: skip


# ------------------------------------------------------------ who would have taken part


def _lengths(known: AsOf, planned: int | None) -> list[int]:
    """The spans that the data bears, the plan's own among them."""
    ((first,),) = known.engine.store.rows("SELECT min(first_ts) FROM customers WHERE first_ts <= ?", [known.at])
    reaches = 0 if first is None else (known.at - int(first)) // DAY
    if reaches < LEAST:
        raise Refused(
            f"The data reaches back {counted(int(reaches), 'day')}; to reckon what an experiment takes, {LEAST} are needed.",
            fix="Wait, or load more.",
        )
    return sorted({days for days in (*SPANS, planned or USUAL) if days <= reaches})


def _basis(lengths: Sequence[int], planned: int | None) -> int:
    """The span that is nearest to the plan's, and not longer."""
    return max((days for days in lengths if days <= (planned or USUAL)), default=lengths[0])


def _part(experiment: Experiment, everywhere: Sequence[Holdout]) -> float:
    """The share of the population that takes part: that of the layer, less holdouts."""
    return experiment.share * prod(1 - one.share for one in experiment.assignment(None, everywhere).holdouts)


@contextmanager
def _entrants(known: AsOf, experiment: Experiment, days: int) -> Iterator[str]:
    """A table of those who would have taken part in the last days: ``k``, ``who``, ``begin``, ``t``."""
    low = known.at - days * DAY
    name = f"entrants_{days}"
    if isinstance(experiment.exposure, AtStart):
        with (
            _members(known, experiment, low) as found,
            known.temporary(name, _timed(found, experiment, known.at)) as all_,
        ):
            yield all_
        return
    seen = " UNION ALL ".join(
        f"SELECT customer AS who, ts FROM ({known.event(event)}) e WHERE ts > {low:d}" for event in known.events
    )
    # What brought them here isn't counted: an exposure comes before what it is to change.
    first = f'SELECT who, min(ts) + 1 AS "begin" FROM ({seen}) s GROUP BY who'
    with known.temporary(f"{name}_all", _timed(first, experiment, known.at)) as everybody:
        if experiment.population is None:
            yield everybody
            return
        with _within(known, experiment.population, everybody, low) as kept, known.temporary(name, kept) as found:
            yield found


@contextmanager
def _within(known: AsOf, population: Condition, everybody: str, low: int) -> Iterator[str]:
    """A query of those who were in the population with what brought them here, or just before it.

    Who was silent for long isn't with their next order, and who signs up isn't there before.
    """
    asked = {"held": population}
    units = [f'(SELECT k, who, "begin", "begin" - {back} AS t FROM {everybody})' for back in (1, 2)]
    engine = known.engine
    with engine.columns(asked, low, units=units[0]) as with_, engine.columns(asked, low, units=units[1]) as before:
        yield (
            f"SELECT e.* FROM {everybody} e JOIN {with_} w ON w.k = e.k JOIN {before} b ON b.k = e.k "
            "WHERE w.held OR b.held"
        )


@contextmanager
def _members(known: AsOf, experiment: Experiment, at: int) -> Iterator[str]:
    """A query of the population as it was at an instant: ``who`` and ``begin``."""
    asked = {} if experiment.population is None else {"who": Definition("who", "who", experiment.population)}
    found = known.engine.evaluate(asked, at, drafts=True)
    try:
        within = f' WHERE "{found.columns["who"]}"' if asked else ""
        yield f'SELECT customer AS who, CAST({at:d} AS BIGINT) AS "begin" FROM {found.table}{within}'
    finally:
        found.close()


def _timed(body: str, experiment: Experiment, at: int) -> str:
    window = experiment.window
    end = f"CAST({at:d} AS BIGINT)" if window is None else f'least("begin" + {window - 1:d}, {at:d})'
    return f'SELECT who AS k, who, "begin", {end} AS t FROM ({body}) b'


def _arrivals(known: AsOf, table: str, days: int) -> list[int]:
    """How many had come by the end of each day, from day 0."""
    low = known.at - days * DAY
    rows = known.arrow(
        f'SELECT greatest(1, CAST(ceil(("begin" - {low:d}) / {DAY}) AS INTEGER)) AS day, count(*) AS n FROM {table} '
        "GROUP BY day ORDER BY day"
    )
    come = dict(zip(rows["day"].to_pylist(), rows["n"].to_pylist(), strict=True))
    found = [0]
    for day in range(1, days + 1):
        found.append(found[-1] + come.get(day, 0))
    return found


# ------------------------------------------------------------ the metric


def _past(experiment: Experiment, days: int) -> int:
    return experiment.window or days * DAY


def _source(table: str) -> str:
    return f"(SELECT k, 0 AS arm FROM {table}) e"


def _measured(known: AsOf, metric: Metric, values: UnitValues, table: str) -> Measured | None:
    """The metric of all who would have taken part; None for fewer than two, and where it is the same for all."""
    if metric.how == "quantile":
        return _of_quantile(known, metric, values, table)
    read = readings(known, values, [metric])[metric.slug]
    (found,) = cells(known, _source(table), values, [read])
    if sum(found.sizes(1)) < 2:
        return None
    (arm,) = found.arms(1)
    told = ratio(arm) if metric.how == "ratio" else mean(arm)
    return _of_one(known, told, table)


def _of_one(known: AsOf, told: Estimate, table: str) -> Measured | None:
    """None where nothing varies: no size can be reckoned from that."""
    of = int(known.arrow(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py())
    return Measured(told.value, told.variance * told.n, told.n, of) if told.variance > 0 else None


def _of_quantile(known: AsOf, metric: Metric, values: UnitValues, table: str) -> Measured | None:
    column = values.columns[metric.slug].value
    n = int(known.arrow(f"SELECT count({column}) AS n FROM {values.table}")["n"][0].as_py())
    try:
        places = ranks(n, metric.at or 0.5)
    except Refused:
        return None
    found = order_statistics(known, _source(table), values, column, {0: places}, [n])
    return _of_one(known, quantile(found[0], n), table)


def _reduction(known: AsOf, metric: Metric, values: UnitValues, table: str) -> float | None:
    if metric.how == "quantile":
        return None
    read = readings(known, values, [metric])[metric.slug]
    (found,) = cells(known, _source(table), values, [read])
    if not read.past or sum(found.sizes(1)) < 2:
        return None
    return (cuped_ratio if metric.how == "ratio" else cuped)(found.arms(1)).reduction


# ------------------------------------------------------------ sizes


def absolute(effect: Amount, figure: float) -> float:
    """A least effect in the metric's own unit.

    Raises:
        Refused: it is relative to a figure of 0.
    """
    if not effect.relative:
        return effect.value
    if figure == 0:
        raise Refused(
            "The primary metric is 0 for everybody lately, so that a share of it is nothing.",
            fix="Write minimum_effect as a number in its unit, or choose another metric.",
        )
    return effect.value * abs(figure)


@lru_cache(maxsize=64)
def factor(plan: Plan, arms: int) -> float:
    """By how much several looks and several treated arms (by Bonferroni) add to the size of one look at two arms."""
    alpha = plan.alpha / (arms - 1)
    alone = reach(plan.alpha, plan.power)
    if plan.kind == "group sequential":
        more = sequential.inflation(sequential.classic(plan.looks, alpha), plan.power, alpha)
        return more * (reach(alpha, plan.power) / alone) ** 2
    if plan.kind == "always valid":
        size = 100_000
        wide = sequential.always_valid(Gap(0.0, 1.0, float("inf"), size, False), 1 - alpha, tuning=size).high
        return float(((wide + NormalDist().inv_cdf(plan.power)) / alone) ** 2)
    return float((reach(alpha, plan.power) / alone) ** 2)


def arm_sizes(measured: Measured, effect: float, experiment: Experiment, *, share: bool) -> tuple[int, ...]:
    """Customers of each arm who show an effect with the plan's power.

    Args:
        measured: the metric of everybody.
        effect: in its own unit.
        experiment: with its plan and weights.
        share: whether it is a share, whose variance is another once it has moved.

    Raises:
        Refused: the effect takes the share out of 0 to 1.

    >>> from shoal.insight.experiments.definition import Experiment
    >>> two = Experiment("mail", "Mail", {"control": 0.5, "mail": 0.5}, "conversion")
    >>> arm_sizes(Measured(0.05, 0.0475, 1000, 1000), 0.0025, two, share=True)
    (122121, 122121)
    """
    moved = measured.variance
    if share:
        other = measured.mean + effect
        if not 0 < other < 1:
            raise Refused(
                f"With the least effect the share would be {other:.3g}.", fix="Write a smaller minimum_effect."
            )
        moved = other * (1 - other)
    plan, many = experiment.plan, len(experiment.arms)
    size = needed(
        [measured.variance] + [moved] * (many - 1),
        effect,
        weights=list(experiment.arms.values()),
        alpha=plan.alpha,
        power=plan.power,
    )
    more = factor(plan, many)
    return tuple(ceil(n * more * measured.of / measured.n) for n in size.arms)


def _span(experiment: Experiment, days: int, found: Measured, part: float) -> Span:
    sizes = [max(1, int(found.n * part * weight)) for weight in experiment.arms.values()]
    plan = experiment.plan
    least = detectable([found.variance] * len(sizes), sizes, alpha=plan.alpha, power=plan.power)
    return Span(days, int(found.of * part), found, least * factor(plan, len(sizes)) ** 0.5)


def _days(experiment: Experiment, metric: Metric, spans: Sequence[Span], arrivals: Sequence[float]) -> int | None:
    """The first day on which as many have come as that length takes; None where that is out of reach.

    Between spans, and beyond the last, how much of what is needed has come is followed in a straight line.
    """
    assert experiment.effect is not None
    before, reached = 0, 0.0
    wanted = 0
    for span in spans:
        effect = absolute(experiment.effect, span.metric.mean) if span.metric.mean else 0.0
        if effect == 0:
            continue
        wanted = sum(arm_sizes(span.metric, effect, experiment, share=metric.how == "share"))
        now = span.customers / wanted
        if now >= 1:
            return _between(before, span.days, reached, now, at_start=isinstance(experiment.exposure, AtStart))
        before, reached = span.days, now
    return _beyond(wanted, spans[-1], arrivals)


def _between(before: int, after: int, low: float, high: float, *, at_start: bool) -> int:
    if at_start and before == 0:
        # All are there from the first day on: it is the shortest span that was looked at.
        return after
    return before + max(1, ceil((after - before) * (1 - low) / (high - low)))


def _beyond(wanted: int, last: Span, arrivals: Sequence[float]) -> int | None:
    """By how many came a day in the second half of the longest span."""
    half = len(arrivals) // 2
    a_day = (arrivals[-1] - arrivals[half]) / max(1, len(arrivals) - 1 - half)
    missing = wanted - last.customers
    if not wanted or a_day <= 0 or last.days + missing / a_day > LONGEST:
        return None
    return last.days + ceil(missing / a_day)


def _impossible(experiment: Experiment, wanted: int, spans: Sequence[Span], arrivals: Sequence[float]) -> str:
    last = spans[-1]
    come = (
        "all of them from the start on"
        if isinstance(experiment.exposure, AtStart)
        else f"{arrivals[-1] - arrivals[len(arrivals) // 2]:,.0f} of them in the second half"
    )
    least = f"{100 * last.relative:.1f} %" if last.relative is not None else f"{last.detectable:.3g}"
    size = experiment.effect.text if experiment.effect else ""
    return (
        f"An effect of {size} can't be shown: it takes {wanted:,} customers, and {last.customers:,} would take part in "
        f"{last.days} days, {come}. The least that can be shown in {last.days} days is {least}."
    )


def _notes(experiment: Experiment, metric: Metric, spans: Sequence[Span]) -> Iterator[str]:
    plan = experiment.plan
    if metric.among is not None:
        yield (
            f"{metric.name} counts some customers only, by what they do: an arm may change who they are, and the figure with "
            "it. A metric of all customers is safer."
        )
    if plan.kind == "bayesian":
        yield "A Bayesian plan has no size of its own: these are of one test at the end."
    if plan.kind == "always valid":
        yield "Sizes are of intervals that hold at every moment, narrowest at the size that is asked for."
    if experiment.window is not None:
        yield f"After the last exposure its window of {experiment.window / DAY:g} days has to pass."
    if plan.days is not None and plan.days % 7:
        yield "The days of the plan are no whole weeks: some weekdays would count more than others."
    if plan.days is not None and plan.days > spans[-1].days:
        yield f"The data reaches back {spans[-1].days} days, less than the plan's {plan.days}."
