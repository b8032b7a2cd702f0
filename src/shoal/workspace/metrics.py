"""The metrics of a workspace: its own and those that ship, and their figures."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused, ShoalError, StoreError
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import altair as alt
    import pyarrow as pa

    from shoal.insight.metrics.catalogue import Metrics
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.history import Meaning
    from shoal.insight.metrics.periods import Period
    from shoal.insight.metrics.testing import Outcome
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import CalendarUnit, Definition
    from shoal.lang.schema import Schema
    from shoal.views.report.metrics import Measured
    from shoal.workspace.causes import Caused
    from shoal.workspace.frames import Form
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace
    from shoal.workspace.watching import Alerts

_SILENCE = 90


@dataclass(frozen=True, slots=True)
class Figured:
    """Figures of metrics.

    Args:
        at: the instant that they are as of.
        metrics: what they are figures of.
        segments: the names of segments by slug.
        reached: by metric, the instant of the newest event that it looks at; None where it looks at none.
        found: one row a metric, segment, group and period.
        grain: the length of a period.
        by: what they are broken down by.
    """

    at: int
    metrics: Sequence[Metric]
    segments: Mapping[str, str]
    reached: Mapping[str, int | None]
    found: pa.Table
    grain: str
    by: str | None

    def table(self, form: Form = "arrow") -> Any:
        """One row a figure: metric, period, ends, segment (None: everyone), by, group, value, low, high, n, n_is, unit,
        better and finished.

        ``low`` and ``high`` are the ends of a 95 % interval, None where the figure is a plain sum or count.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found, form)

    def chart(self, width: int | None = None) -> alt.VConcatChart:
        """Each metric over the periods, with its intervals."""
        from shoal.views import theme
        from shoal.views.charts.metrics import metric_lines

        return metric_lines(
            self.found,
            {m.slug: m.name for m in self.metrics},
            self.segments,
            width=theme.WIDE if width is None else width,
        )

    def write(self, path: Path) -> None:
        """Write the figures as ``.csv`` or ``.parquet``, or their chart as ``.html``, ``.svg`` or ``.png``.

        Raises:
            Refused: for another ending.
            StoreError: it can't be written.
        """
        from shoal.views.charts.render import write_chart

        also = {".csv": lambda: _csv(self.found), ".parquet": lambda: _parquet(self.found)}
        write_chart(path, self.chart, what="Figures aren't", also=also)

    def document(self) -> dict[str, Any]:
        """JSON-ready: each metric with its definition and its figures."""
        rows = self.found.to_pylist()
        return {
            "as_of": clock.iso(self.at),
            "grain": self.grain,
            "by": self.by,
            "metrics": [
                {**described(one), "reached": _iso(self.reached.get(one.slug)),
                 "figures": [_plain(row) for row in rows if row["metric"] == one.slug]}
                for one in self.metrics
            ],
        }  # fmt: skip


def described(metric: Metric) -> dict[str, Any]:
    """A metric, JSON-ready."""
    from shoal.lang.show import show

    said = {key: getattr(metric, key) for key in ("of", "per", "among", "before")}
    return {
        "slug": metric.slug, "name": metric.name, "unit": metric.unit, "better": metric.better, "as": metric.how,
        **{key: show(node, width=10_000) for key, node in said.items() if node is not None},
        **({"at": metric.at} if metric.at is not None else {}),
        "definition": metric.definition, "why": metric.why, "owner": metric.owner, "version": metric.version,
    }  # fmt: skip


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    left = ("metric", "by", "unit", "better")
    return {k: v.isoformat() if k in ("period", "ends") else v for k, v in row.items() if k not in left}


def _csv(table: pa.Table) -> bytes:
    from io import BytesIO

    from pyarrow import csv

    csv.write_csv(table, held := BytesIO())
    return held.getvalue()


def _parquet(table: pa.Table) -> bytes:
    from io import BytesIO

    from pyarrow import parquet

    parquet.write_table(table, held := BytesIO())
    return held.getvalue()


def _iso(at: int | None) -> str | None:
    return None if at is None else clock.iso(at)


class MetricsDoor:
    """The metrics of an open workspace; it is ``workspace.metrics``."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def catalogue(self) -> Metrics:
        """All metrics: the workspace's files, those that ship, and what can't stand on this data with the reason."""
        from shoal.insight.metrics.catalogue import read_metrics
        from shoal.insight.metrics.wording import Subject

        ws = self._ws
        subject = Subject(ws.config.revenue, self._silence(), ws.config.contracts, self._feedback())
        return read_metrics(ws.config.root, self.schema(), subject)

    def schema(self) -> Schema:
        """What metrics may name: all that definitions may, and the event ``Session`` that is worked out from others."""
        from shoal.insight.pages import session_events
        from shoal.insight.sessions import taught

        with self._ws.models.as_of() as known:
            try:
                session_events(known, self._ws.config.sessions)
            except ShoalError:
                return self._ws.schema
        return taught(self._ws.schema)

    def find(self, name: str) -> Metric:
        """The metric of a slug or display name.

        Raises:
            UnknownName: there is none.
            DefinitionError: it doesn't stand on this data, or its file has a fault.
        """
        return self.catalogue().find(name)

    @contextmanager
    def as_of(self, when: When = None, *, sessions: bool = True) -> Iterator[AsOf]:
        """The store as of an instant, as metrics read it: with sessions where the data has any and they are asked for."""
        from shoal.insight.pages import session_events
        from shoal.insight.sessions import derived

        with self._ws.models.as_of(when) as known:
            try:
                if sessions:
                    session_events(known, self._ws.config.sessions)
            except ShoalError:
                sessions = False
            if not sessions:
                yield known
                return
            with derived(known, self._ws.config.sessions) as more:
                yield more

    def figures(
        self,
        metrics: Collection[str | Metric] = (),
        *,
        segments: Collection[str] = (),
        by: str | None = None,
        grain: CalendarUnit = "month",
        start: When = None,
        end: When = None,
        as_of: When = None,
        everyone: bool = True,
    ) -> Figured:
        """Figures of metrics over periods.

        Args:
            metrics: names, slugs or metrics; all that stand on this data by default.
            segments: names or slugs of segments, each beside everyone; who is in at the end of a period counts in it.
            by: break down by a trait, as ``plan``, or by a property of the events, as ``store of "Order Completed"``.
            grain: day, week (from Monday), month, quarter or year.
            start: a date in the first period; by default a year or so back, or where the data begins.
            end: a date in the last period; now by default.
            as_of: the instant; now by default.
            everyone: whether everyone together is shown.

        Raises:
            UnknownName: there is no such metric or segment.
            DefinitionError: a metric doesn't stand on this data.
            Refused: the breakdown doesn't suit a metric, or the periods can't be.
        """
        from shoal.insight.metrics.figures import Question, figures
        from shoal.insight.metrics.grouping import dimension
        from shoal.insight.metrics.kept import FILE, Kept

        catalogue = self.catalogue()
        chosen = [catalogue.find(one) if isinstance(one, str) else one for one in metrics]
        chosen = chosen or list(catalogue.definitions.values())
        if not chosen:
            raise Refused("There is no metric that stands on this data.", fix="Load orders, or write metrics/….yaml.")
        self._note(catalogue, chosen)
        found = [self._ws.segments.known(as_of).find(name) for name in segments]
        with self.as_of(as_of, sessions=any(map(of_sessions, chosen)) or "Session" in (by or "")) as known:
            schema = replace(known.schema, segments={**known.schema.segments, **{d.slug: d for d in found}})
            asked = None if by is None else dimension(by, schema)
            spans = {one.slug: span(known, one) for one in chosen}
            periods = self._periods(known, grain, start, end, [one for one in spans.values() if one])
            all_ = everyone or not found
            question = Question(chosen, periods, grain, found, asked, all_, self._unknown(found))
            table = figures(known, question, Kept(self._ws.config.root / ".shoal" / FILE, self._ws.store))
        reached = {slug: ends[1] if ends else None for slug, ends in spans.items()}
        return Figured(known.at, chosen, {d.slug: d.name for d in found}, reached, table, grain, by)

    def test(self, *metrics: str | Metric) -> list[Outcome]:
        """Try metrics on the cases of their files, over a store in memory that holds those few rows and nothing else.

        Args:
            metrics: names, slugs or metrics; all that have cases by default.

        Raises:
            UnknownName: there is no such metric.
            DefinitionError: a metric that was named doesn't stand on this data, or its file has a fault.
        """
        from shoal.insight.metrics.testing import Ground, tried
        from shoal.insight.sessions import taught

        catalogue, config = self.catalogue(), self._ws.config
        chosen = [catalogue.find(one) if isinstance(one, str) else one for one in metrics]
        ground = Ground(taught(self._ws.schema), config.zone, config.revenue, config.sessions)
        return [one for metric in chosen or catalogue.definitions.values() for one in tried(metric, ground)]

    def history(self, metric: str) -> list[Meaning]:
        """What a metric meant since when, the oldest first: from its first use on, or since its file was first seen.

        Args:
            metric: its name or slug; of one whose file is gone, its slug.

        Raises:
            UnknownName: there is no such metric, and never was.
            DefinitionError: its file has a fault, and it was never recorded.
        """
        from shoal.insight.metrics.history import meanings

        catalogue = self.catalogue()
        self._note(catalogue, ())
        gone = metric not in catalogue.definitions and meanings(self._ws.store, metric)
        return gone or meanings(self._ws.store, catalogue.find(metric).slug)

    def _note(self, catalogue: Metrics, used: Sequence[Metric]) -> None:
        """Keep what the workspace's own metrics mean, and those that ship and are used; mostly that stands there already."""
        from shoal.insight.metrics.history import record

        own = [one for slug, one in catalogue.definitions.items() if slug not in catalogue.shipped]
        asked = [one for one in used if catalogue.definitions.get(one.slug) is one]
        # A figure isn't refused because its definition can't be noted, as on a full disk: the next one notes it.
        with suppress(StoreError):
            record(self._ws.store, {one.slug: one for one in [*own, *asked]}.values(), self._ws.now())

    def alerts(self) -> Alerts:
        """What is watched: checks, alerts and targets."""
        from shoal.workspace.watching import Alerts

        return Alerts(self._ws)

    def causes(
        self,
        metric: str,
        *,
        grain: CalendarUnit = "month",
        period: When = None,
        against: When = None,
        by: Collection[str] = (),
        segments: Collection[str] = (),
        as_of: When = None,
    ) -> Caused:
        """What a change of a metric is made of: which groups changed otherwise than all others, by more than chance.

        Args:
            metric: its name or slug.
            grain: the length of the two periods.
            period: a day of the later one; by default of the newest that is over.
            against: a day of the earlier one; by default of the one before.
            by: traits, and properties as ``store of "Order Completed"``; by default all with 2 to 50 values.
            segments: to look at too; who was a member before the earlier period counts.
            as_of: the instant; now by default.

        Raises:
            UnknownName: there is no such metric or segment.
            DefinitionError: the metric or a dimension doesn't stand on this data.
            Refused: a quantile, or periods that can't be held against each other.
        """
        from shoal.workspace.causes import caused

        return caused(
            self._ws, metric, grain=grain, period=period, against=against, by=by, segments=segments, as_of=as_of
        )

    def newest(self, *, segments: Collection[str] = (), grain: CalendarUnit = "month", as_of: When = None) -> Measured:
        """All metrics in the newest whole period and the one before, and segments in the newest.

        Args:
            segments: names or slugs.
            grain: the length of a period.
            as_of: the instant; now by default.
        """
        from shoal.views.report.metrics import BY_SEGMENT, Measured

        catalogue = self.catalogue()
        chosen: list[Metric] = list(catalogue.definitions.values())
        if not chosen:
            return Measured((), (), {}, None, None, catalogue.lacking)
        with self.as_of(as_of, sessions=False) as known:
            spans = [found for one in chosen if (found := span(known, one))]
            whole = [one for one in self._periods(known, grain, None, None, spans) if one.finished][-2:]
            first = [clock.from_instant(one.begin).astimezone(known.zone.rules).date() for one in whole]
        if not whole:
            return Measured(chosen, (), {}, None, None, catalogue.lacking)
        told = self.figures(chosen, grain=grain, start=first[0], end=first[-1], as_of=as_of)
        rows, named = told.found.to_pylist(), {}
        compared = [one for one in chosen if one.slug in BY_SEGMENT]
        if segments and compared:
            split = self.figures(
                compared, segments=segments, grain=grain, start=first[-1], end=first[-1], as_of=as_of, everyone=False
            )
            rows, named = [*rows, *split.found.to_pylist()], dict(split.segments)
        return Measured(chosen, rows, named, first[-1], first[0] if len(first) > 1 else None, catalogue.lacking)

    def _unknown(self, segments: Sequence[Definition]) -> Callable[[int], Collection[str]]:
        """Which segments can't be told at an instant, since what they ask was never scored by then."""
        from shoal.insight.standing import unscored

        ws, asked = self._ws, {one.slug: one for one in segments}
        return lambda at: unscored(ws.store, ws.definitions | asked, at)

    def _periods(
        self, known: AsOf, grain: CalendarUnit, start: When, end: When, spans: Sequence[tuple[int, int]]
    ) -> list[Period]:
        from shoal.insight.metrics.periods import USUAL, periods
        from shoal.lang.calendar import unit_start

        if grain not in USUAL:
            raise Refused(f"{grain!r} is no period.", fix=f"Take one of {', '.join(USUAL)}.")
        # A period that has begun and in which nothing happened yet says nothing: it is only shown where it is asked for.
        newest = max((last for _, last in spans), default=known.at - 1)
        last = int(known.zone.day(newest if end is None else min(self._ws.instant(end), known.at)))
        if start is not None:
            return periods(int(known.zone.day(self._ws.instant(start))), last, grain, known.zone, known.at)
        oldest = min((first for first, _ in spans), default=newest)
        first = max(unit_start(last, grain, USUAL[grain] - 1), int(known.zone.day(oldest)))
        return periods(min(first, last), last, grain, known.zone, known.at)

    def _silence(self) -> int:
        from shoal.insight.traits import cycle

        found = cycle(self._ws.store)
        return found.lapse if found else _SILENCE

    def _feedback(self) -> Any:
        """Where scores stand, with what is found by names where nothing is said."""
        from shoal.insight.feedback.asked import asked

        said = self._ws.config.feedback
        told: dict[str, Any] = {}
        for measure in ("nps", "csat"):
            try:
                question = asked(self._ws.store, measure, said)
            except ShoalError:
                continue
            told[measure] = {place.of: (place.name,) for place in question.places if place.of is not None}
        return replace(said, **told)


def of_sessions(metric: Metric) -> bool:
    return "Session" in _events(metric)


def _events(metric: Metric) -> set[str]:
    from shoal.lang import nodes as n
    from shoal.lang.tree import walk

    return {at.name for node in metric.nodes for at in walk(node) if isinstance(at, n.Events)}


def span(known: AsOf, metric: Metric) -> tuple[int, int] | None:
    """The oldest and the newest of the events that a metric looks at."""
    from shoal.lang.references import event_names

    names = [name for asked in _events(metric) for name in event_names(asked, known.events)]
    rows = " UNION ALL ".join(f"SELECT min(ts) AS a, max(ts) AS b FROM ({known.event(name)})" for name in names)
    if not rows:
        return None
    (found,) = known.arrow(f"SELECT min(a) AS a, max(b) AS b FROM ({rows})").to_pylist()
    return None if found["a"] is None else (int(found["a"]), int(found["b"]))
