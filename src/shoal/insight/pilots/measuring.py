"""Measuring a pilot: its KPIs before the start, and what came of it against those who were held out."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import iso
from shoal.errors import Refused
from shoal.insight.experiments import effects
from shoal.insight.experiments.exposures import exposures
from shoal.insight.experiments.looking import changed_metrics
from shoal.insight.experiments.plans import Rule
from shoal.insight.experiments.results import Measured, plain
from shoal.insight.experiments.sums import cells, readings
from shoal.insight.metrics.units import of_units
from shoal.insight.pilots.money import Money, Terms, came
from shoal.insight.pilots.state import Baseline
from shoal.insight.pilots.verdict import Judged, Verdict, judge, verdict
from shoal.lang.nodes import MemberOf
from shoal.lang.show import show
from shoal.stats.experiments.heterogeneity import Heterogeneity, homogeneity, shrunk
from shoal.stats.experiments.sample_ratio import LEVEL, sample_ratio
from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.exposures import Exposures
    from shoal.insight.experiments.state import State
    from shoal.insight.experiments.sums import Cells, Reading
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.models.asof import AsOf
    from shoal.insight.pilots.definition import Pilot
    from shoal.insight.pilots.money import Came
    from shoal.insight.pilots.state import Record

_numbers = itertools.count(1)
_ONE = ("all",)


@dataclass(frozen=True, slots=True)
class Segments:
    """What a pilot brought by segment.

    Args:
        each: money of each, as it was measured.
        drawn: by slug, revenue per customer with chance taken off; empty where it can't be.
        tested: whether they differ at all; None where that can't be asked.
        says: in words.
    """

    each: tuple[Money, ...]
    drawn: Mapping[str, Interval]
    tested: Heterogeneity | None
    says: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a pilot.

    Args:
        pilot: the definition.
        record: what was recorded when it began.
        at: the instant that it is looked at: its end, once that is reached.
        over: whether its end is reached.
        arm: who got it.
        n: customers of the holdout and of that arm.
        p: of sizes at least as uneven as these.
        verdict: the whole.
        kpis: each with its goal.
        money: what it brought, and what that cost.
        segments: the same by segment.
        currency: of money.
        notes: what should be known.
    """

    pilot: Pilot
    record: Record
    at: int
    over: bool
    arm: str
    n: tuple[int, int]
    p: float
    verdict: Verdict
    kpis: tuple[Judged, ...]
    money: Money
    segments: Segments
    currency: str
    notes: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Whether the arms can't be as they were drawn, so that nothing here may be trusted."""
        return self.p < LEVEL

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "pilot": self.pilot.document(), "at": iso(self.at), "started": iso(self.record.started),
            "ends": iso(self.record.ends), "over": self.over, "arm": self.arm,
            "customers": {"holdout": self.n[0], self.arm: self.n[1]}, "sample_ratio_p": self.p,
            "verdict": plain(self.verdict), "currency": self.currency,
            "kpis": [_kpi(one) for one in self.kpis], "money": plain(self.money),
            "segments": {"each": plain(list(self.segments.each)), "says": self.segments.says,
                         "chance_taken_off": plain(dict(self.segments.drawn)), "homogeneity": plain(self.segments.tested)},
            "notes": list(self.notes),
        }  # fmt: skip


def _kpi(one: Judged) -> dict[str, Any]:
    return {
        "metric": one.goal.metric, "target": one.goal.text, "verdict": one.kind, "says": one.says,
        "baseline": one.baseline and one.baseline.document(), "measured": plain(one.measured),
    }  # fmt: skip


# ------------------------------------------------------------ before the start


def baseline(
    known: AsOf, pilot: Pilot, experiment: Experiment, metrics: Sequence[Metric], length: int
) -> tuple[Baseline, ...]:
    """The KPIs of those whom the pilot is for, as they stood over as long a time before as it will take.

    Args:
        known: the store as of the start.
        pilot: the definition.
        experiment: that it rests on.
        metrics: its KPIs.
        length: of the pilot, in microseconds.

    Raises:
        Refused: nobody is in the pilot's population.
    """
    begin, end = known.at - length, known.at - 1
    with _population(known, pilot, experiment, begin, end) as units:
        return _standing(known, units, metrics, pilot.segments, (begin, end))


def baseline_of(known: AsOf, table: str, pilot: Pilot, metrics: Sequence[Metric], length: int) -> tuple[Baseline, ...]:
    """The same of those who were drawn elsewhere, each over the time before they were: by then it is all that can be had.

    Args:
        known: the store.
        table: of the exposures.
        pilot: the definition.
        metrics: its KPIs.
        length: of the pilot, in microseconds.
    """
    ((first, last),) = _rows(known, f'SELECT min("begin") AS a, max("begin") AS b FROM {table}')
    before = f'SELECT k, who, "begin" - {length:d} AS "begin", "begin" - 1 AS t FROM {table}'
    with _with_segments(known, before, pilot.segments) as units:
        return _standing(known, units, metrics, pilot.segments, (int(first) - length, int(last) - 1))


@contextmanager
def _population(known: AsOf, pilot: Pilot, experiment: Experiment, begin: int, end: int) -> Iterator[str]:
    """Who may take part now, as units of the time before."""
    asked = {} if experiment.population is None else {"held": experiment.population}
    times = f'CAST({begin:d} AS BIGINT) AS "begin", CAST({end:d} AS BIGINT) AS t'
    with known.columns(asked) as found:
        where = " WHERE held" if asked else ""
        body = f"SELECT k, k AS who, {times} FROM {found}{where}"
        with _with_segments(known, body, pilot.segments) as units:
            yield units


@contextmanager
def _with_segments(known: AsOf, body: str, segments: Sequence[str]) -> Iterator[str]:
    """Units with a column a segment: whether they were in it at the end of their time."""
    name = f"pilot_units_{next(_numbers)}"
    with known.temporary(f"{name}_bare", body) as bare:
        if not _rows(known, f"SELECT 1 AS a FROM {bare} LIMIT 1"):
            raise Refused("Nobody is in the pilot's segments.", fix="See who is: shoal segments list")
        if not segments:
            yield bare
            return
        nodes = {f"s{i}": MemberOf(slug) for i, slug in enumerate(segments)}
        with known.columns(nodes, units=bare) as found:
            names = "".join(f", f.{one}" for one in nodes)
            with known.temporary(name, f"SELECT u.*{names} FROM {bare} u JOIN {found} f ON f.k = u.k") as units:
                yield units


def _standing(
    known: AsOf, units: str, metrics: Sequence[Metric], segments: Sequence[str], span: tuple[int, int]
) -> tuple[Baseline, ...]:
    """Each metric of all units, and of those of each segment."""
    found = []
    by = {f"g{i}": f"CAST(e.s{i} AS TINYINT)" for i in range(len(segments))}
    with of_units(known, metrics, units) as values:
        read = readings(known, values, metrics, winsor=None)
        held = cells(known, f"(SELECT *, 0 AS arm FROM {units}) e", values, list(read.values()), by)
        for metric, one in zip(metrics, held, strict=True):
            every = np.ones(len(one.arm), dtype=bool)
            for place, segment in enumerate((None, *segments)):
                which = every if segment is None else one.groups[:, place - 1] == 1
                found.append(_baseline(metric, segment, one, which, span))
    return tuple(found)


def _baseline(metric: Metric, segment: str | None, held: Any, which: Any, span: tuple[int, int]) -> Baseline:
    try:
        told = effects.figures(metric, _ONE, effects.estimates(metric, [held.of(which)]))[0]
    except Refused:
        n = int(held.n[which].sum())
        return Baseline(metric.slug, metric.version, segment, n, None, None, None, *span)
    return Baseline(metric.slug, metric.version, segment, told.n, told.value, told.low, told.high, *span)


# ------------------------------------------------------------ what came


def measure(
    known: AsOf, pilot: Pilot, record: Record, experiment: Experiment, state: State, metrics: Sequence[Metric]
) -> Result:
    """What came of a pilot as of the instant that is known, or of its end where that is earlier.

    Args:
        known: the store as of an instant.
        pilot: the definition.
        record: what was recorded when it began.
        experiment: that it rests on.
        state: how far that is.
        metrics: the KPIs, in the order of the goals.

    Raises:
        Refused: nobody was drawn yet, or an arm has fewer than two customers.
    """
    if known.at > record.ends:
        with known.before(record.ends) as then:
            return measure(then, pilot, record, experiment, state, metrics)
    stopped = state.stopped is not None and state.stopped <= known.at
    # Who stops early may do so for what was seen: then only intervals that hold at all moments may be read.
    planned = known.at >= record.ends and not (stopped and (state.stopped or 0) < record.ends)
    over = planned or stopped
    with exposures(known, experiment, state) as seen:
        arm = arm_of(pilot, experiment)
        place = seen.arms.index(arm)
        if min(seen.counts[seen.arms[0]], seen.counts[arm]) < LEAST:
            more = f", or see why few take part: shoal experiment result {pilot.experiment}" if pilot.experiment else ""
            raise Refused(
                f"{seen.counts[arm]:,} customers got it and {seen.counts[seen.arms[0]]:,} were held out so far; it takes "
                f"{LEAST} of each.",
                fix=f"Wait{more}.",
            )
        check = sample_ratio(list(seen.counts.values()), list(experiment.arms.values()))
        waiting = _waiting(over, check.fails, check.p, record)
        judged, told = _judged(known, seen, place, pilot, record, metrics, planned=planned, waiting=waiting)
        sums = came(known, seen.table, seen.arms, pilot.segments)
    known_margin = None if pilot.margin == "data" and not known.rule.cost else pilot.margin
    terms = Terms(pilot.cost, known_margin, planned)
    return Result(
        pilot, record, known.at, over, arm, (seen.counts[seen.arms[0]], seen.counts[arm]), check.p,
        verdict(judged, waiting), judged, sums.of(arm, terms), _segments(sums, arm, terms), known.rule.currency,
        (*_notes(known, pilot, record, seen), *told, *changed_metrics(state, {one.slug: one for one in metrics})),
    )  # fmt: skip


LEAST = 2


def arm_of(pilot: Pilot, experiment: Experiment) -> str:
    """Which arm of the experiment is the pilot.

    Raises:
        Refused: the experiment has several beside the control and the pilot names none, or one that there isn't.
    """
    others = [name for name in experiment.arms if name != experiment.control]
    if pilot.arm:
        if pilot.arm in others:
            return pilot.arm
        raise Refused(
            f"{experiment.slug!r} has no arm {pilot.arm!r} beside its control.",
            fix=f"Write one of: {', '.join(others)}.",
        )
    if not pilot.experiment or len(others) == 1:
        return others[0]
    raise Refused(
        f"{experiment.slug!r} has {len(others)} arms beside its control.", fix=f"Add arm: one of {', '.join(others)}."
    )


def _waiting(over: bool, fails: bool, p: float, record: Record) -> str:
    if fails:
        return (
            f"Arms aren't as large as they were to be (p {p:.2g}, below {LEVEL:g}): something lost customers of one arm, and no "
            "effect can be trusted until it is found."
        )
    return (
        ""
        if over
        else f"It ends at {iso(record.ends)}; until then intervals hold at all moments together, and are wider."
    )


def _judged(
    known: AsOf, seen: Exposures, place: int, pilot: Pilot, record: Record, metrics: Sequence[Metric], *,
    planned: bool, waiting: str,
) -> tuple[tuple[Judged, ...], list[str]]:  # fmt: skip
    """Each KPI, with CUPED where the time before tells something; and what should be known of them."""
    rule = Rule("fixed" if planned else "always valid", round(1 - CONFIDENCE, 10), planned, planned)
    prior = max(record.ends - record.began, 1)
    with of_units(known, metrics, seen.table, prior=prior) as values:
        read = readings(known, values, metrics)
        held = cells(known, f"{seen.table} e", values, list(read.values()))
    found = [
        judge(goal, _measured(metric, one, place, seen, rule), record.of(metric.slug), waiting=waiting)
        for goal, metric, one in zip(pilot.goals, metrics, held, strict=True)
    ]
    return tuple(found), [note for metric in metrics for note in _told(metric, read[metric.slug])]


def _measured(metric: Metric, sums: Cells, place: int, seen: Exposures, rule: Rule) -> Measured:
    try:
        arms = [sums.of(sums.arm == at) for at in (0, place)]
        return effects.measured(
            metric, "primary", (seen.arms[0], seen.arms[place]), effects.estimates(metric, arms), rule
        )
    except Refused as refusal:
        return Measured(metric.slug, metric.name, metric.unit, metric.better, "primary", refused=str(refusal))


def _told(metric: Metric, read: Reading) -> Iterator[str]:
    if metric.among is not None:
        yield (
            f"{metric.name} counts only customers of whom this holds: {show(metric.among, width=10_000)}. Those whom the pilot "
            "brought to that are among them, so that both arms may hold different customers."
        )
    if read.cap is not None:
        yield f"Of {metric.name}, what exceeds {read.cap:,.2f} counts as that ({counted(read.capped, 'customer')})."


def _segments(sums: Came, arm: str, terms: Terms) -> Segments:
    """Money by segment, and whether segments differ: first that, then by how much with chance taken off."""
    each = tuple(sums.of(arm, terms, slug) for slug in sums.segments)
    if not each:
        return Segments((), {}, None, "")
    if bool((sums.inside.sum(axis=1) > 1).any()):
        return Segments(each, {}, None, "Segments share customers, so whether they differ isn't asked.")
    told = [one for one in each if one.each is not None and one.each.se > 0]
    if len(told) < 2:
        return Segments(each, {}, None, "")
    values, errors = [one.each.value for one in told if one.each], [one.each.se for one in told if one.each]
    tested = homogeneity(values, errors)
    drawn = {one.segment or "": how for one, how in zip(told, shrunk(values, errors), strict=True)}
    differ = "Segments respond differently" if tested.p < 1 - CONFIDENCE else "Nothing says that segments differ"
    said = f"{differ} in revenue (Cochran's Q {tested.q:,.2f}, df {tested.df}, p {tested.p:.3g})."
    best = max(told, key=lambda one: one.each.value if one.each else 0.0)
    if tested.p >= 1 - CONFIDENCE:
        said += f" {best.segment} looks best, as the best of {len(told)} does by chance alone."
    return Segments(each, drawn, tested, said)


def _notes(known: AsOf, pilot: Pilot, record: Record, seen: Exposures) -> Iterator[str]:
    if record.late:
        yield "Goals were set after customers had been drawn: they may follow from what was seen by then."
    if pilot.margin is None:
        yield "No margin is known: add margin: 40%, or margin: data, and profit and ROI are told."
    if not pilot.cost.contact and not pilot.cost.fixed:
        yield "No cost is known: add cost: {contact: …, fixed: …}, and ROI is told."
    if pilot.margin == "data" and not known.rule.cost:
        yield "The data bears no cost of goods, so that no margin is known: name cost under revenue: in shoal.yaml."
    begin, end = min(((one.begin, one.end) for one in record.baseline), default=(record.began, record.began))
    # The first order hardly ever comes at the very beginning.
    if known.first_order is not None and known.first_order > begin + (end - begin) // 10:
        yield f"Orders begin at {iso(known.first_order)}, within the time of the baseline: what stood before is too low."
    if seen.unfinished:
        many, have = counted(seen.unfinished, "customer"), noun(seen.unfinished, "has", "have")
        yield f"{many} {have} less than the whole window behind them."
    yield from (one.says for one in seen.problems)
    yield from seen.notes


def _rows(known: AsOf, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in known.arrow(sql).to_pylist()]
