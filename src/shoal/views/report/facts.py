"""Everything that a report says, as frames: gathered from the store once, and drawn without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from shoal.customers.quality import QualityReport
    from shoal.insight.actions import Table as Actions
    from shoal.insight.contracts import Retention
    from shoal.insight.discovery.keeping import Version as Discovered
    from shoal.insight.experiments.results import Result as Tested
    from shoal.insight.feedback.heard import Heard
    from shoal.insight.holdings import Holdings
    from shoal.insight.lifecycle import Cycle
    from shoal.insight.models.model import Evidence
    from shoal.insight.pilots.measuring import Result as Piloted
    from shoal.insight.pilots.scoreboard import Scoreboard
    from shoal.insight.rfm import CutPoints
    from shoal.insight.segments import Quality
    from shoal.shapes import RevenueRule
    from shoal.views.charts.lines import Grain
    from shoal.views.report.costs import Bought
    from shoal.views.report.funnels import Named
    from shoal.views.report.metrics import Measured


@dataclass(frozen=True, slots=True)
class Foretold:
    """A model that scores.

    Args:
        name: the model's name.
        title: what its kind foretells.
        version: the number of the fit.
        fitted: when, an instant; its trial ended then.
        looks: how far it looks ahead, in words.
        trial: days that it was tried on; 0 where an experiment judged it.
        by: the measure that decides between it and its baselines.
        higher: whether more of that measure is better.
        evidence: what it rests on.
        frames: rows for charts, as of ``insight.models.model.FRAMES``; ``periods`` as of ``charts.models.period_rows``,
            of the trials of several fits.
    """

    name: str
    title: str
    version: int
    fitted: int
    looks: str
    trial: int
    by: str
    higher: bool
    evidence: Evidence
    frames: Mapping[str, Sequence[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What models say.

    Args:
        models: those of which a version is in force.
        value: how expected value spreads over customers, None where no model says it.
        value_says: how that value is worked out, in words.
    """

    models: Sequence[Foretold]
    value: Holdings | None = None
    value_says: str = ""


@dataclass(frozen=True, slots=True)
class Micro:
    """The micro-segments.

    Args:
        version: the discovery that assigned customers at the report's instant.
        names: of all segments that there were up to then, by id.
        since: the earlier instant of the moves; None where customers were put into segments once only.
        moves: between that instant and the report's, as of ``insight.migration``.
        proposal: why a refit is proposed; empty where none is.
        expected: by id, the mean value to come of those who are in it now; empty where no model says it.
        expected_as: the trait that says it.
    """

    version: Discovered
    names: Mapping[str, str]
    since: int | None = None
    moves: pa.Table | None = None
    proposal: Sequence[str] = ()
    expected: Mapping[str, float] = field(default_factory=dict)
    expected_as: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried on customers.

    Args:
        board: all campaigns side by side.
        pilots: those that began, the newest first.
        experiments: those that can be told, the newest first.
        missing: name and reason of experiments that can't.
    """

    board: Scoreboard
    pilots: Sequence[Piloted] = ()
    experiments: Sequence[Tested] = ()
    missing: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a report.

    Args:
        name: the workspace's display name.
        at: the instant that the report is of.
        compare: the earlier instant of the migration, and the start of the period at a glance.
        zone: IANA name of the time zone in which days begin.
        rule: what counts as revenue, as an order and as cost; names the currency.
        span: the instants of the first and last line of revenue, None without any.
        data_end: the instant of the newest event.
        scored_at: when the RFM scores in force were worked out; None before the first time, when the grid is worked out
            for the report alone.
        customers: how many exist at ``at``.
        period: the KPIs since ``compare``, as of ``insight.metrics.trading.overall``.
        before: the same over as long a time before, None where the data doesn't reach back so far.
        kpis: the KPIs over time, as of ``insight.metrics.trading.kpis``.
        grain: the length of their periods.
        concentration: as of ``insight.metrics.trading.concentration``.
        data: how good the loaded rows were.
        quarantine: rows put aside, by ``source`` and ``code``: ``rows``, ``example``.
        segments: as of ``insight.segments.segment_table``.
        sentences: what each segment means, by slug, in plain words.
        quality: how good the segments are, each and together.
        sizes: sizes of all segments at some dates: ``slug``, ``at`` (instant), ``size``.
        known_since: for segments that rest on scores or thresholds, the instant from which these are known.
        segment_flows: as of ``insight.migration.flows``.
        cuts: the RFM cut points in force, None before there were enough buyers.
        rfm: as of ``insight.standing.rfm_cells``.
        cycle: the repurchase cycle in force, None before the first computation.
        lifecycle: as of ``insight.standing.lifecycle_now``.
        months: as of ``insight.lifecycle.over_time``.
        cohorts: as of ``insight.cohorts.retention``.
        rfm_moves: as of ``insight.migration.of_rfm``.
        lifecycle_moves: as of ``insight.migration.of_lifecycle``.
        heard: what customers say, and why what isn't there isn't.
        actions: what to do next with each segment; the reason, where nothing can be said.
        purposes: the purposes that the workspace knows, with their basis in words.
        predictions: what models say; None where none is fitted.
        micro: the micro-segments; None where none were discovered.
        contracts: who under contract stays how long, or why that can't be said; None where nothing says who is.
        tried: experiments, pilots and campaigns.
        bought: what was spent against what came; None where neither spend nor touches are told.
        funnels: those that ``funnels:`` names.
        measured: figures of metrics, of everyone and of segments.
    """

    name: str
    at: int
    compare: int
    zone: str
    rule: RevenueRule
    span: tuple[int, int] | None
    data_end: int
    scored_at: int | None
    customers: int
    period: pa.Table
    before: pa.Table | None
    kpis: pa.Table
    grain: Grain
    concentration: pa.Table
    data: QualityReport
    quarantine: Sequence[Mapping[str, Any]]
    segments: pa.Table
    sentences: Mapping[str, str]
    quality: Quality
    sizes: Sequence[Mapping[str, Any]]
    known_since: Mapping[str, int]
    segment_flows: pa.Table
    cuts: CutPoints | None
    rfm: pa.Table | None
    cycle: Cycle | None
    lifecycle: pa.Table | None
    months: pa.Table
    cohorts: pa.Table
    rfm_moves: pa.Table | None
    lifecycle_moves: pa.Table | None
    heard: Heard
    actions: Actions | str
    purposes: Mapping[str, str]
    predictions: Predictions | None = None
    micro: Micro | None = None
    contracts: Retention | str | None = None
    tried: Tried | None = None
    bought: Bought | None = None
    funnels: Sequence[Named] = ()
    measured: Measured | None = None

    @property
    def currency(self) -> str:
        """The currency of all money."""
        return self.rule.currency

    @property
    def has_orders(self) -> bool:
        """Whether there is any order or refund at all."""
        return self.span is not None

    def days(self) -> int:
        """The whole days between the two instants."""
        from shoal.clock import DAY

        return max(1, round((self.at - self.compare) / DAY))


def by_kpi(table: pa.Table) -> dict[str, dict[str, Any]]:
    """The rows of a table of one period by the KPI's name; churn under ``churn``."""
    return {row["kpi"].split(",")[0]: row for row in table.to_pylist()}
