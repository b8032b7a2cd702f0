"""The pilots of a workspace: what they promise, their start with its baseline, and what came of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from shoal import clock
from shoal.errors import DefinitionError, Refused, ShoalError
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import altair as alt

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.state import State
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.models.asof import AsOf
    from shoal.insight.pilots.definition import Pilot
    from shoal.insight.pilots.measuring import Result
    from shoal.insight.pilots.reading import Pilots
    from shoal.insight.pilots.scoreboard import Entry, Scoreboard, Unmeasured
    from shoal.insight.pilots.state import Record
    from shoal.workspace.frames import Form
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

Stage = Literal["planned", "running", "over"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a pilot is.

    Args:
        pilot: the definition.
        stage: planned, running or over.
        record: what was recorded when it began; None before.
        now: the instant that is looked at.
    """

    pilot: Pilot
    stage: Stage
    record: Record | None
    now: int

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        record = self.record
        return {
            **self.pilot.document(), "state": self.stage,
            "started": None if record is None else clock.iso(record.started),
            "ends": None if record is None else clock.iso(record.ends),
            "baseline": [] if record is None else [one.document() for one in record.baseline],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """The result of a pilot.

    Args:
        found: what came of it.
    """

    found: Result

    def table(self, form: Form = "arrow") -> Any:
        """Money for all and for each segment: ``segment`` (None: all), customers, and each figure with its interval.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        from shoal.insight.pilots.telling import money_rows

        return as_form(pa.Table.from_pylist(money_rows(self.found)), form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """From incremental revenue over what it cost to what is left.

        Raises:
            Refused: nobody said what it cost, or nothing can be told.
        """
        from shoal.insight.pilots.telling import waterfall
        from shoal.views import theme
        from shoal.views.charts.experiments import roi_waterfall

        rows, title, subtitle = waterfall(self.found)
        return roi_waterfall(
            rows, title=title, subtitle=subtitle, currency=self.found.currency,
            width=theme.WIDE if width is None else width,
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return self.found.document()


class PilotsDoor:
    """The pilots of an open workspace; it is ``workspace.pilots``."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return "Pilots(catalogue, status, start, result)"

    def catalogue(self) -> Pilots:
        """The workspace's files ``pilots/*.yaml``, and what is wrong with those that can't be read."""
        from shoal.insight.pilots.reading import read_pilots

        return read_pilots(self._ws.config.root)

    def status(self, name: str | None = None, *, as_of: When = None) -> list[Standing]:
        """How far pilots are.

        Args:
            name: of one, by slug or name; all by default.
            as_of: the instant; now by default.

        Raises:
            UnknownName: there is no such pilot.
        """
        from shoal.insight.pilots.state import recorded

        found, known, at = self.catalogue(), recorded(self._ws.store), self._ws.instant(as_of)
        pilots = list(found.definitions.values()) if name is None else [found.find(name)]
        return [_standing(pilot, known.get(pilot.slug), at) for pilot in pilots]

    def start(self, name: str) -> Standing:
        """Record what is promised and how its KPIs stand now, and begin: its experiment draws from this instant on.

        Args:
            name: of the pilot, by slug or name.

        Raises:
            UnknownName: there is no such pilot, metric, segment or experiment.
            Refused: it began already, its end is past, its experiment runs, or nobody is in its segments.
        """
        from shoal.insight.pilots import state as kept
        from shoal.insight.pilots.measuring import arm_of, baseline, baseline_of

        ws = self._ws
        pilot = self.catalogue().find(name)
        metrics = self._metrics(pilot)
        for slug in pilot.segments:
            ws.segments.known(None).find(slug)
        experiment, standing = self._experiment(pilot)
        arm_of(pilot, experiment)
        at = ws.now()
        ends = self._ends(pilot)
        _may_start(pilot, kept.recorded(ws.store).get(pilot.slug), experiment, standing, at, ends)
        with self._as_of(at, metrics) as known:
            if experiment.elsewhere:
                began, found = self._elsewhere(known, pilot, experiment, standing, metrics, ends, baseline_of)
            else:
                began, found = at, baseline(known, pilot, experiment, metrics, ends - at)
        with ws.changing():
            if not experiment.elsewhere:
                began = self._begin(pilot, experiment, standing, metrics, at)
            record = kept.Record(pilot.slug, at, began, ends, pilot.version, pilot.meaning, found)
            kept.keep(ws.store, pilot, record)
        return _standing(pilot, record, at)

    def _begin(self, pilot: Pilot, experiment: Experiment, standing: State, metrics: Sequence[Metric], at: int) -> int:
        """Let its experiment draw, and say since when."""
        from shoal.insight.experiments.state import start

        ws = self._ws
        if pilot.experiment:
            return ws.experiments.start(experiment.slug).started or at
        with ws.store.transaction():
            start(
                ws.store, experiment, at, everywhere=standing.holdouts, segments=ws.definitions,
                metrics={one.slug: one.version for one in metrics},
            )  # fmt: skip
        return at

    def _elsewhere(
        self, known: AsOf, pilot: Pilot, experiment: Experiment, standing: State, metrics: Sequence[Metric], ends: int,
        baseline_of: Any,
    ) -> Any:  # fmt: skip
        """The first exposure, and the baseline of those who were drawn, each over the time before they were."""
        from shoal.insight.experiments.exposures import exposures

        with exposures(known, experiment, standing) as seen:
            if seen.begin is None:
                raise Refused(
                    f"Nobody was drawn by {experiment.slug!r} yet.", fix="Load its exposures, then start the pilot."
                )
            return seen.begin, baseline_of(known, seen.table, pilot, metrics, max(ends - seen.begin, clock.DAY))

    def result(self, name: str, *, as_of: When = None) -> Told:
        """What came of a pilot, against those who were held out.

        Args:
            name: of the pilot, by slug or name.
            as_of: the instant; now by default, and never later than its end.

        Raises:
            UnknownName: there is no such pilot.
            Refused: it hasn't begun, its file was edited since, or too few were drawn.
        """
        return Told(self.of(self.catalogue().find(name), self._ws.instant(as_of)))

    def of(self, pilot: Pilot, at: int) -> Result:
        """As ``result``, of a definition at an instant."""
        from shoal.insight.pilots import state as kept
        from shoal.insight.pilots.measuring import measure

        record = kept.recorded(self._ws.store).get(pilot.slug)
        if record is None:
            raise Refused(f"{pilot.slug!r} hasn't begun yet.", fix=f"Begin it: shoal pilot start {pilot.slug}")
        kept.hold(pilot, record)
        if at < record.began:
            raise Refused(f"{pilot.slug!r} began at {clock.iso(record.began)}, after the instant that is asked of.")
        experiment, standing = self._experiment(pilot)
        metrics = self._metrics(pilot)
        with self._as_of(at, metrics) as known:
            return measure(known, pilot, record, experiment, standing, metrics)

    # ------------------------------------------------------------ what it is made of

    def _ends(self, pilot: Pilot) -> int:
        """The first instant of the day after its last."""
        return self._ws.instant((pilot.ends + timedelta(days=1)).isoformat())

    def _metrics(self, pilot: Pilot) -> list[Metric]:
        known = self._ws.metrics.catalogue()
        found = [known.find(slug) for slug in pilot.metrics]
        for metric in found:
            if metric.how == "quantile" or metric.before is not None:
                what = "a quantile" if metric.how == "quantile" else "held against the period before"
                raise DefinitionError(
                    f"The metric {metric.slug!r} is {what}: a pilot isn't judged by it.",
                    place=f"pilots/{pilot.slug}.yaml", fix="Take a mean, a share or a ratio, as orders.",
                )  # fmt: skip
            if metric.better == "neither":
                raise DefinitionError(
                    f"Of the metric {metric.slug!r} neither way is better, so no goal can be met.",
                    place=f"pilots/{pilot.slug}.yaml", fix="Write better: higher or lower in its file.",
                )  # fmt: skip
        return found

    def _experiment(self, pilot: Pilot) -> tuple[Experiment, State]:
        """What it rests on, and how far that is."""
        from shoal.insight.experiments.state import state_of

        ws = self._ws
        experiment = self._named(pilot) if pilot.experiment else pilot.own_experiment()
        return experiment, state_of(ws.store, experiment, ws.config.holdouts)

    def _named(self, pilot: Pilot) -> Experiment:
        """The experiment that it names.

        Raises:
            UnknownName: there is none.
            Refused: chance didn't draw its arms.
        """
        from shoal.insight.experiments.looking import randomised
        from shoal.insight.pilots.reading import NO_HOLDOUT

        found = self._ws.experiments.find(pilot.experiment)
        if not randomised(found):
            raise Refused(
                f"Chance didn't draw the arms of {found.slug!r}, so what would have come anyway can't be known.",
                fix=NO_HOLDOUT,
            )
        return found

    @contextmanager
    def _as_of(self, at: int, metrics: Sequence[Metric]) -> Iterator[AsOf]:
        from shoal.lang.show import show

        sessions = any('"Session"' in show(node, width=10_000) for metric in metrics for node in metric.nodes)
        with self._ws.metrics.as_of(at, sessions=sessions) as known:
            yield known


def _standing(pilot: Pilot, record: Record | None, at: int) -> Standing:
    began = record is not None and record.started <= at
    stage: Stage = "planned" if record is None or not began else "running" if at < record.ends else "over"
    return Standing(pilot, stage, record if began else None, at)


def _may_start(
    pilot: Pilot, record: Record | None, experiment: Experiment, standing: State, at: int, ends: int
) -> None:
    if record is not None:
        raise Refused(
            f"{pilot.slug!r} began at {clock.iso(record.started)}: its baseline is measured once, before the start.",
            fix="Copy its file under another name, and start that one.",
        )
    if ends <= at and not experiment.elsewhere:
        raise Refused(f"{pilot.slug!r} ends on {pilot.ends}, which is past.", fix="Write a later end:.")
    if standing.begun:
        raise Refused(
            f"The experiment {experiment.slug!r} has begun, so that a baseline from before and goals that were set before "
            "can't be had any more.",
            fix="Start the pilot and not its experiment: that begins with it. Copy the experiment under another name.",
        )


# ------------------------------------------------------------ all campaigns side by side


@dataclass(frozen=True, slots=True)
class Board:
    """The scoreboard of an instant.

    Args:
        found: all campaigns.
    """

    found: Scoreboard

    def table(self, form: Form = "arrow") -> Any:
        """One row a campaign that can be measured.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        return as_form(pa.Table.from_pylist(self.found.rows()), form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """A bar each, with its interval, and with chance taken off.

        Raises:
            Refused: no campaign can be measured.
        """
        from shoal.insight.pilots.telling import board_says
        from shoal.views import theme
        from shoal.views.charts.experiments import scoreboard_bars

        title, subtitle = board_says(self.found)
        return scoreboard_bars(
            self.found.rows(), title=title, subtitle=subtitle, currency=self.found.currency,
            width=theme.WIDE if width is None else width,
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return self.found.document()


def board(workspace: Workspace, as_of: When = None) -> Board:
    """What every campaign brought that customers were held out of by lot, and which can't be measured.

    Pilots, experiments and ``trials:`` are measured; an experiment that a pilot rests on is told as the pilot. Campaigns that
    the data names and nobody drew lots for are listed without a figure.

    Args:
        workspace: where.
        as_of: the instant; now by default.
    """
    from shoal.insight.pilots.scoreboard import scoreboard

    at = workspace.instant(as_of)
    return Board(scoreboard(at, workspace.config.revenue.currency, *_Gathering(workspace, at).all()))


class _Gathering:
    """All campaigns of a workspace as of an instant."""

    def __init__(self, workspace: Workspace, at: int) -> None:
        self._ws, self._at = workspace, at
        self._entries: list[Entry] = []
        self._unmeasured: list[Unmeasured] = []
        self._named: dict[str, str] = {}

    def all(self) -> tuple[list[Entry], list[Unmeasured]]:
        with self._ws.models.as_of(self._at) as known:
            covered = self._pilots()
            self._experiments(known, covered)
            self._trials(known)
            self._others(known)
        return self._entries, self._unmeasured

    def _not(self, kind: str, name: str, why: object) -> None:
        from shoal.insight.pilots.scoreboard import Unmeasured

        self._unmeasured.append(Unmeasured(kind, name, str(why)))

    def _pilots(self) -> set[str]:
        """Pilots; the slugs of the experiments that they rest on."""
        from shoal.insight.pilots.scoreboard import Entry

        door, covered = self._ws.pilots, set[str]()
        found = door.catalogue()
        for path, fault in found.faults.items():
            self._not("pilot", path, fault)
        for pilot in found.definitions.values():
            covered.add(pilot.rests_on)
            self._named[pilot.slug] = pilot.name
            try:
                told = door.of(pilot, self._at)
            except ShoalError as refusal:
                self._not("pilot", pilot.name, refusal)
                continue
            if told.fails:
                self._not("pilot", pilot.name, told.verdict.says)
                continue
            self._entries.append(Entry("pilot", pilot.slug, pilot.name, told.money, told.over))
        return covered

    def _experiments(self, known: AsOf, covered: set[str]) -> None:
        found = self._ws.experiments.catalogue()
        for slug, fault in found.faults.items():
            self._not("experiment", slug, fault)
        for experiment in found.definitions.values():
            self._named[experiment.slug] = experiment.name
            if experiment.slug not in covered:
                try:
                    self._experiment(known, experiment)
                except ShoalError as refusal:
                    self._not("experiment", experiment.name, refusal)

    def _experiment(self, known: AsOf, experiment: Experiment) -> None:
        """Each arm against the control; a mismatch of sizes, or arms that chance didn't draw, and there is no figure."""
        from shoal.insight.experiments.exposures import exposures
        from shoal.insight.experiments.looking import course_of, randomised
        from shoal.insight.experiments.state import state_of
        from shoal.insight.pilots.money import Terms, came
        from shoal.insight.pilots.scoreboard import NO_LOTS, Entry
        from shoal.stats.experiments.sample_ratio import sample_ratio

        state = state_of(self._ws.store, experiment, self._ws.config.holdouts)
        if not randomised(experiment):
            raise Refused(NO_LOTS)
        with exposures(known, experiment, state) as seen:
            if not seen.total:
                raise Refused("Nobody takes part yet.")
            if sample_ratio(list(seen.counts.values()), list(experiment.arms.values())).fails:
                raise Refused("Arms aren't as large as they were to be, so that no effect can be trusted.")
            sums = came(known, seen.table, seen.arms)
            over = course_of(experiment, state, seen, known.at).over
        others = seen.arms[1:]
        for arm in others:
            name = experiment.name if len(others) == 1 else f"{experiment.name}: {arm}"
            money = sums.of(arm, Terms(over=over))
            self._entries.append(Entry("experiment", experiment.slug, name, money, over))

    def _trials(self, known: AsOf) -> None:
        from shoal.insight.experiments.trials import drawn, measured
        from shoal.insight.pilots.scoreboard import Entry

        for trial in self._ws.config.trials:
            try:
                with drawn(known, trial) as part:
                    money = measured(known, trial, part)
            except ShoalError as refusal:
                self._not("trial", trial.name, refusal)
                continue
            same = f"{trial.event} {sorted(trial.only.items())} {trial.control}"
            self._entries.append(Entry("trial", trial.name, trial.name, money, over=True, shares=same))

    def _others(self, known: AsOf) -> None:
        from shoal.insight.pilots.scoreboard import campaigns
        from shoal.shapes import CAMPAIGN_SENT

        self._unmeasured += campaigns(known, CAMPAIGN_SENT, "campaign", self._ws.config.trials, self._named)
