"""The report of a workspace, and its charts for notebooks."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, MINUTE
from shoal.customers.scores import COMPUTED
from shoal.errors import DefinitionError, Refused, ShoalError, UnknownName
from shoal.insight import migration, standing
from shoal.sql.registry import Registry
from shoal.views import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import altair as alt

    from shoal.insight.actions import Table
    from shoal.insight.contracts import Retention
    from shoal.insight.lifecycle import Cycle
    from shoal.insight.metrics.costs import Costs
    from shoal.insight.models.versions import Version
    from shoal.insight.rfm import CutPoints
    from shoal.insight.sales import Sales
    from shoal.sql.engine import Evaluation
    from shoal.sql.store import Store
    from shoal.views.charts.lines import Grain
    from shoal.views.report import Alone, Facts, Figure
    from shoal.views.report.costs import Bought
    from shoal.views.report.facts import Foretold, Micro, Predictions, Tried
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]

COMPARE_OVER = 90 * DAY
_FRESH = 10 * MINUTE
"""For so long charts of "now" are drawn from the same figures, so that a notebook works them out once."""
_PARTS = 10
_MOST_COMPARED = 8
"""So many segments stand beside everyone in the table of metrics."""
_MOST_TRIED = 6
"""So many pilots and experiments, the newest, are shown in full; the scoreboard has all."""
_TRIALS = 8
"""So many fits of a model, the newest, are shown by period."""
_SIZES, _SIZES_OVER = 12, 360 * DAY


class Reports:
    """The report and the charts of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        self._drawn: tuple[object, int, dict[str, Figure]] | None = None

    def __repr__(self) -> str:
        return "Reports(write, html, chart, names, persona)"

    def write(
        self,
        path: str | Path,
        *,
        as_of: When = None,
        compare: When = None,
        progress: Step | None = None,
    ) -> Path:
        """Write the report as one self-contained HTML file; an older one is replaced whole, or not at all.

        Args:
            path: of the file.
            as_of: the instant of the report; now by default.
            compare: the earlier date of the migration, and the start of the period at a glance; 90 days before by
                default.
            progress: is called with (what, done, total).

        Raises:
            DefinitionError: if ``compare`` isn't before ``as_of``.
            ShoalError: if the file can't be written.
        """
        text = self.html(as_of=as_of, compare=compare, progress=progress)
        return _replace(Path(path), text)

    def html(self, *, as_of: When = None, compare: When = None, progress: Step | None = None) -> str:
        """The text of the report's HTML; arguments as of ``write``."""
        from shoal.views.report import render
        from shoal.views.report.compose import compose

        return render(compose(self.facts(as_of=as_of, compare=compare, progress=progress)), progress)

    def chart(self, name: str, *, as_of: When = None, compare: When = None, width: int = theme.WIDE) -> alt.Chart:
        """One chart of the report, for a notebook.

        Args:
            name: one of ``names()``.
            as_of: the instant; now by default.
            compare: the earlier date of the migration.
            width: in pixels.

        Raises:
            UnknownName: if the report has no such chart, or the data doesn't bear it yet.
        """
        figures = self._figures(as_of, compare)
        if name not in figures:
            raise UnknownName("chart", name, figures)
        return figures[name].draw(width)

    def persona(self, segment: str) -> Alone:
        """The persona card of a micro-segment in force, as the report shows it: a notebook draws it.

        Args:
            segment: its id or name.

        Raises:
            UnknownName: there is no such micro-segment.
            Refused: nothing was discovered yet.
        """
        from shoal.views.report import alone, micro

        return alone(micro.brief(self._ws.discovery.persona(segment)))

    def names(self, *, as_of: When = None) -> list[str]:
        """The names of the charts that this data bears."""
        return list(self._figures(as_of, None))

    def _figures(self, as_of: When, compare: When) -> dict[str, Figure]:
        from shoal.views.report import Figure
        from shoal.views.report.compose import sections

        key, now = (as_of, compare, self._state()), self._ws.now()
        if self._drawn is not None and self._drawn[0] == key and now - self._drawn[1] < _FRESH:
            return self._drawn[2]
        blocks = (b for s in sections(self.facts(as_of=as_of, compare=compare)) for b in s.blocks)
        found = {block.id: block for block in blocks if isinstance(block, Figure)}
        self._drawn = (key, now, found)
        return found

    def _state(self) -> tuple[object, ...]:
        """What changes where the same chart would show something else: loads, lists, models, scores, definitions."""
        ((loads, changes, kept, line),) = self._ws.store.rows(
            "SELECT (SELECT max(id) FROM loads), (SELECT count(*) FROM list_changes), (SELECT count(*) FROM definitions), "
            "(SELECT value FROM meta WHERE key = 'api_line')"
        )
        return loads, changes, kept, line, tuple(self._ws.catalogue.hashes.items())

    # ------------------------------------------------------------ gathering

    def facts(self, *, as_of: When = None, compare: When = None, progress: Step | None = None) -> Facts:
        """Everything that the report says, as frames; arguments as of ``write``."""
        at = self._ws.instant(as_of)
        earlier = at - COMPARE_OVER if compare is None else self._ws.instant(compare)
        if earlier >= at:
            raise DefinitionError(
                "The report compares with a date that isn't before its own.", fix="Give --compare an earlier date."
            )
        consent_at = self._ws.moment() if as_of is None else None
        return _Gathering(self._ws, at, earlier, consent_at, progress or _silent).facts()


class _Gathering:
    """One gathering: opens the sales and the evaluations once, and asks everything of them."""

    def __init__(self, workspace: Workspace, at: int, earlier: int, consent_at: int | None, progress: Step) -> None:
        self._ws, self.at, self.earlier, self._progress = workspace, at, earlier, progress
        self._consent_at = consent_at
        self._done = 0

    def facts(self) -> Facts:
        from shoal.insight.sales import open_sales

        ws = self._ws
        with ExitStack() as stack:
            self._step("orders")
            sales = stack.enter_context(open_sales(ws.store, ws.config.revenue, self.at))
            self._step("segments now")
            now = ws.engine.evaluate(ws.definitions, self.at)
            stack.callback(now.close)
            self._step("segments then")
            then = ws.engine.evaluate(ws.definitions, self.earlier)
            stack.callback(then.close)
            return self._of(sales, now, then)

    def _of(self, sales: Sales, now: Evaluation, then: Evaluation) -> Facts:
        from shoal.customers.quality import read_report
        from shoal.insight.segments import quality, segment_table
        from shoal.views.report import Facts

        ws, rule = self._ws, self._ws.config.revenue
        self._step("sizes over time")
        known = standing.known_since(ws.store, ws.definitions)
        sizes = [point for point in self._sizes(sales, now) if point["at"] >= known.get(point["slug"], 0)]
        self._step("quality of segments")
        judged = quality(ws.store, now, ws.definitions, ws.schema, rule, consent_at=self._consent_at)
        self._step("what customers say")
        heard = ws.feedback.heard(as_of=self.at)
        self._step("what to do next")
        actions = self._actions()
        self._step("campaigns")
        tried = self._tried()
        self._step("metrics")
        measured = ws.metrics.newest(segments=self._largest(now), grain=_grain(standing.span(sales)), as_of=self.at)
        self._step("customers")
        return Facts(
            name=ws.config.name,
            at=self.at,
            compare=self.earlier,
            zone=ws.config.zone,
            rule=rule,
            customers=now.base(),
            data=read_report(ws.store),
            quarantine=ws.data.quarantine_counts(),
            segments=segment_table(ws.store, now, ws.definitions, rule, previous=then),
            sentences=dict(self._sentences()),
            quality=judged,
            sizes=sizes,
            known_since=known,
            segment_flows=migration.flows(ws.store, then, now),
            heard=heard,
            actions=actions,
            predictions=(predictions := self._predictions()),
            contracts=self._contracts(),
            tried=tried,
            bought=bought(ws, self.at),
            funnels=ws.journeys.newest(_grain(standing.span(sales)), min(self._newest(), self.at), as_of=self.at),
            measured=measured,
            micro=self._micro(sales, "" if predictions is None or not predictions.value else predictions.value.trait),
            purposes={name: basis.value.replace("-", " ") for name, basis in ws.config.purposes.items()},
            **self._of_orders(sales),
        )

    def _actions(self) -> Table | str:
        """What to do next with each segment; why nothing can be said, where nothing can."""
        try:
            return self._ws.actions.of(self.at, self._consent_at)
        except Refused as refusal:
            return str(refusal)

    def _of_orders(self, sales: Sales) -> dict[str, Any]:
        """The facts that rest on orders alone."""
        from shoal.insight import lifecycle
        from shoal.insight.cohorts import retention
        from shoal.insight.metrics.trading import concentration, kpis, overall

        cuts, cycle = self._calibration(sales)
        silence = cycle.lapse if cycle else 90
        span = standing.span(sales)
        grain = _grain(span)
        newest, scored_at = self._newest(), self._scored_at()
        data_end = min(newest, self.at)
        # One instant more, so that orders which bear a date alone have their day when they are the newest.
        told = sales.before(min(newest + 1, self.at))
        scored = sales.before(self.at if scored_at is None else scored_at)
        return {
            "data_end": data_end,
            "scored_at": scored_at,
            "span": span,
            "period": overall(standing.window(sales, self.earlier, self.at), silence),
            "before": self._before(sales, span, silence),
            "kpis": kpis(told, silence, grain=grain),
            "grain": grain,
            "concentration": concentration(sales),
            "cuts": cuts,
            "rfm": standing.rfm_cells(scored, cuts) if cuts else None,
            "cycle": cycle,
            "lifecycle": standing.lifecycle_now(sales, cycle) if cycle else None,
            "months": lifecycle.over_time(told),
            "cohorts": retention(told),
            "rfm_moves": migration.of_rfm(scored, cuts, self.earlier) if cuts and self.earlier < scored.at else None,
            "lifecycle_moves": migration.of_lifecycle(sales, cycle, self.earlier) if cycle else None,
        }

    def _predictions(self) -> Predictions | None:
        """The models that scored at the instant; None where none did."""
        from shoal.insight.holdings import holdings
        from shoal.insight.models import versions
        from shoal.insight.models.kinds import EVERY
        from shoal.views.report.facts import Predictions

        scoring = versions.in_force(self._ws.store, self.at)
        if not scoring:
            return None
        scoring = sorted(scoring, key=lambda v: (list(EVERY).index(v.settings.kind), v.name))
        trait, says = expected_value(self._ws.store, {v.name for v in scoring if v.settings.kind == "value"})
        value = holdings(self._ws.store, trait, self.at) if trait else None
        every = [v for v in versions.versions(self._ws.store) if v.fitted <= self.at]
        return Predictions([foretold(v, [e for e in every if e.name == v.name]) for v in scoring], value, says)

    def _micro(self, sales: Sales, worth: str) -> Micro | None:
        """The micro-segments in force at the instant, and who moved; None where none were discovered.

        Args:
            sales: up to the instant.
            worth: the trait of the value to come, or an empty text.
        """
        from shoal.insight.discovery import keeping
        from shoal.insight.discovery.refresh import TRAIT
        from shoal.insight.holdings import means
        from shoal.views.report.facts import Micro

        store = self._ws.store
        known = [v for v in keeping.versions(store) if v.fitted <= self.at]
        if not known:
            return None
        version = next((v for v in known if v.in_force), known[0])
        names = {segment.id: segment.name for v in reversed(known) for segment in v.found.segments}
        proposal = keeping.open_proposal(store, version.number)
        why = proposal.reasons if proposal is not None and proposal.at <= self.at else ()
        since = self._looked_before(TRAIT)
        moves = None if since is None else migration.of_trait(sales, TRAIT, since)
        expected = means(store, worth, TRAIT, self.at)
        return Micro(version, names, since, moves, why, expected, worth)

    def _contracts(self) -> Retention | str | None:
        """Who under contract stays how long, or why that can't be said; None where ``contracts:`` says nothing."""
        if self._ws.config.contracts is None:
            return None
        try:
            return self._ws.models.retention(as_of=self.at).found
        except (Refused, UnknownName) as refusal:
            return str(refusal)

    def _largest(self, now: Evaluation) -> list[str]:
        """The largest segments that aren't empty."""
        sizes = now.sizes()
        return sorted((slug for slug in sizes if sizes[slug]), key=lambda slug: (-sizes[slug], slug))[:_MOST_COMPARED]

    def _tried(self) -> Tried:
        """Campaigns side by side, and the newest pilots and experiments in full."""
        from shoal.views.report.facts import Tried

        ws = self._ws
        board = ws.scoreboard(as_of=self.at).found
        running = [one for one in ws.pilots.status(as_of=self.at) if one.record is not None]
        running.sort(key=lambda one: -one.record.began if one.record else 0)
        pilots = []
        for one in running[:_MOST_TRIED]:
            with suppress(ShoalError):  # The scoreboard says why.
                pilots.append(ws.pilots.of(one.pilot, self.at))
        covered = {one.pilot.rests_on for one in running}
        tests, missing = [], []
        for slug, experiment in ws.experiments.catalogue().definitions.items():
            if slug in covered:
                continue
            try:
                tests.append(ws.experiments.result(slug, as_of=self.at))
            except ShoalError as refusal:
                missing.append((experiment.name, str(refusal)))
        tests.sort(key=lambda one: -one.began)
        return Tried(board, pilots, tests[:_MOST_TRIED], missing)

    def _looked_before(self, trait: str) -> int | None:
        """The report's earlier instant, or the first at which the trait was written, if that is later than it.

        None where it was written once only.
        """
        known = Registry.load(self._ws.store).trait(trait)
        if known is None:
            return None
        ((first, last),) = self._ws.store.rows(f"SELECT min(ts), max(ts) FROM {known.table} WHERE ts <= ?", [self.at])
        return None if first is None or first == last else max(int(first), self.earlier)

    def _newest(self) -> int:
        """The newest event. A month that begins after it isn't a bad month: nothing was loaded of it yet.

        One after the report's instant says that the time up to the instant is whole.
        """
        events = [event.table for event in Registry.load(self._ws.store).events.values()]
        newest = [self._ws.store.rows(f"SELECT max(ts) FROM {table} WHERE retired IS NULL")[0][0] for table in events]
        return max((ts for ts in newest if ts is not None), default=self.at)

    def _scored_at(self) -> int | None:
        """When the scores of customers were last worked out, so that the grid shows the groups that segments have.

        None before the first time.
        """
        recency = Registry.load(self._ws.store).trait("rfm_recency_days")
        if recency is None:
            return None
        ((last,),) = self._ws.store.rows(f"SELECT max(ts) FROM {recency.table} WHERE ts <= ?", [self.at])
        return None if last is None else int(last)

    def _before(self, sales: Sales, span: tuple[int, int] | None, silence: int) -> Any:
        """The KPIs of as long a time before; None where the data doesn't reach back so far."""
        from shoal.insight.metrics.trading import overall

        start = 2 * self.earlier - self.at
        # A day of grace: the first day of the data is rarely a whole one.
        if span is None or span[0] > start + DAY:
            return None
        return overall(standing.window(sales, start, self.earlier), silence)

    def _calibration(self, sales: Sales) -> tuple[CutPoints | None, Cycle | None]:
        """The cut points and the cycle in force; where none was recorded yet, those of the data at hand."""
        from shoal.errors import Unsupported
        from shoal.insight import lifecycle, rfm
        from shoal.insight.traits import cut_points, cycle

        cuts = cut_points(self._ws.store)
        if cuts is None:
            try:
                cuts = rfm.calibrate(sales)
            except Unsupported:
                cuts = None
        return cuts, cycle(self._ws.store) or lifecycle.measure_cycle(sales)

    def _sizes(self, sales: Sales, now: Evaluation) -> Iterator[Mapping[str, Any]]:
        """Sizes at about monthly dates of the last year, from when there is data; nothing without segments."""
        span = standing.span(sales)
        if not now.columns or span is None:
            return
        over = min(_SIZES_OVER, self.at - span[0])
        steps = min(_SIZES, over // (7 * DAY))
        for index in range(1, steps):
            then = self.at - over + index * over // steps
            evaluation = self._ws.engine.evaluate(self._ws.definitions, then)
            try:
                yield from ({"slug": s, "at": then, "size": n} for s, n in evaluation.sizes().items())
            finally:
                evaluation.close()
        yield from ({"slug": s, "at": self.at, "size": n} for s, n in now.sizes().items())

    def _sentences(self) -> Iterator[tuple[str, str]]:
        from shoal.lang.say import say

        schema = self._ws.schema
        for slug, definition in self._ws.definitions.items():
            yield slug, f"{say(definition.where, schema)}."

    def _step(self, what: str) -> None:
        self._done += 1
        self._progress(f"working out {what}", self._done, _PARTS)


def bought(workspace: Workspace, at: int) -> Bought | None:
    """What was spent against what came, or why that can't be said; None where neither spend nor touches are told."""
    from shoal.views.report.costs import Bought

    spent = workspace.store.rows("SELECT 1 FROM spend WHERE retired IS NULL LIMIT 1")
    if workspace.config.attribution is None and not spent:
        return None
    costs: Costs | str
    closing = None
    try:
        told = workspace.costs(by="channel", as_of=at)
        costs, closing = told.found, told.closing
    except (Refused, UnknownName) as refusal:
        costs = str(refusal)
    try:
        return Bought(costs, closing, workspace.attribution(as_of=at).found)
    except (Refused, UnknownName) as refusal:
        return Bought(costs, closing, str(refusal))


def foretold(version: Version, every: Sequence[Version] = ()) -> Foretold:
    """A version as the report shows it.

    Args:
        version: the fit that scores.
        every: all fits of the model, whose trials, each on the time before it, show how the model does by period.
    """
    from shoal.insight.models.kinds import EVERY, kind
    from shoal.views.report.facts import Foretold

    made, settings = kind(version.settings.kind), version.settings
    trial = made.horizon_of(settings)
    periods = _trials([v for v in every if v.settings == settings], trial) if trial else []
    return Foretold(
        version.name,
        EVERY[settings.kind].title,
        version.number,
        version.fitted,
        settings.looks,
        trial,
        made.by,
        made.higher,
        version.evidence,
        version.frames | ({"periods": periods} if len({row["cut"] for row in periods}) > 1 else {}),
    )


def _trials(fits: Sequence[Version], horizon: int) -> list[dict[str, Any]]:
    from shoal.insight.models.model import Backtest, Period
    from shoal.views.charts.models import period_rows

    periods = tuple(
        Period(v.fitted - horizon * DAY, v.fitted, v.evidence.customers, v.evidence.measures)
        for v in sorted(fits, key=lambda v: v.fitted)[-_TRIALS:]
    )
    return period_rows(Backtest("", periods, "", True))


def expected_value(store: Store, models: set[str]) -> tuple[str, str]:
    """The trait that holds the value to come of each customer, and what it is; empty where no model writes one."""
    notes = store.rows(
        "SELECT name, note FROM traits WHERE score AND scope = 'customer' AND note IS NOT NULL ORDER BY name"
    )
    for name, text in notes:
        note = json.loads(text)
        if note.get("model") in models and "predicted" in name:
            return name, str(note.get(COMPUTED, ""))
    return "", ""


def _grain(span: tuple[int, int] | None) -> Grain:
    """The period that gives a line enough points and not too many."""
    days = 0 if span is None else (span[1] - span[0]) // DAY
    return "day" if days < 21 else "week" if days < 92 else "month" if days < 6 * 365 else "quarter"


def _replace(path: Path, text: str) -> Path:
    """Write beside and rename, so that a reader never sees half a file.

    Raises:
        ShoalError: if it can't be written.
    """
    from shoal.destinations.files import write_whole

    try:
        return write_whole(path, text.encode("utf-8"))
    except OSError as error:
        raise ShoalError(
            f"The report can't be written: {error.strerror or error}.", place=str(path), fix="Choose another place."
        ) from None


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
