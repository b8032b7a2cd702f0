"""The data of a workspace: loading, computed traits, quality, quarantine, status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.customers.load import LoadReport, Progress, load, reload_quarantine
from shoal.insight.history import newest
from shoal.insight.traits import compute_traits
from shoal.workspace.segments import BACKFILL_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]


_RULE = "computed_rule"
"""In ``meta``: the settings that traits were last computed with."""
_OTHER_RULE = "Traits were computed anew: revenue: or purchases: in shoal.yaml says something else than before."
COUNTED = {"rows", "gaps", "distinct"}
"""The measures of quality that are counts; freshness is in days, all others are shares."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did, down to the memberships that changed."""

    at: int
    report: LoadReport
    notes: tuple[str, ...]
    entered: int
    left: int
    quality_rows: tuple[tuple[str, ...], ...]

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        memberships = {"entered": self.entered, "left": self.left}
        return self.report.document() | {
            "as_of": clock.iso(self.at),
            "notes": list(self.notes),
            "memberships": memberships,
        }

    def lines(self) -> list[str]:
        """What was done, a line a source."""
        if self.report.load is None:
            return ["Nothing has changed since the last load."]
        found = [line for source in self.report.sources.values() for line in _source_lines(source)]
        found.append(
            f"{self.report.customers:,} new customers; {self.entered:,} entered a segment, {self.left:,} left one; "
            f"{self.report.seconds:.1f} s."
        )
        return found


def _source_lines(source: Any) -> list[str]:
    if not source.files:
        return [f"{source.name}: unchanged."] if source.skipped else []
    what = [f"{count:,} {name}" for name, count in source.events.items()]
    if source.traits:
        what.append(f"{sum(source.traits.values()):,} changes of {len(source.traits)} traits")
    what += [
        f"{count:,} {name}" for name, count in (("consents", source.consents), ("spend rows", source.spend)) if count
    ]
    said = [f"{source.name}: {source.rows:,} rows → {', '.join(what) or 'looked up only'}"]
    rest = {
        "repeated rows dropped": source.repeated,
        "rows replaced or gone": source.retired,
        "rows left out by where": source.left_out,
        "in quarantine": sum(source.quarantined.values()),
        "cells of another type": sum(source.mistyped.values()),
        "keys not found": sum(source.orphans.values()),
    }
    more = [f"{count:,} {name}" for name, count in rest.items() if count]
    return [said[0] + (f"; {', '.join(more)}" if more else "") + "."]


class Data:
    """Loading and judging the data of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    # ------------------------------------------------------------ loading

    def load(self, *, only: Iterable[str] | None = None, progress: Step | None = None) -> Loaded:
        """Load what is new or changed, compute traits, evaluate all segments and publish what changed.

        Args:
            only: names of sources; all by default.
            progress: is called with (what, done, total).

        Raises:
            SourceError: if a file can't be read; nothing is loaded then.
            QualityStop: if a threshold in ``shoal.yaml`` says stop; nothing is loaded then.
        """
        first = self._is_first()
        report = load(self._ws.store, self._ws.config.sources, only=only, **self._settings(first, progress or _silent))
        return self._finish(report, first, progress or _silent)

    def retry_quarantine(self, source: str | None = None, *, progress: Step | None = None) -> Loaded:
        """Read the rows in quarantine again, after the file or the mapping was mended."""
        step = progress or _silent
        only = None if source is None else [source]
        report = reload_quarantine(self._ws.store, self._ws.config.sources, only=only, **self._settings(False, step))
        return self._finish(report, False, step)

    def _settings(self, first: bool, step: Step) -> dict[str, Any]:
        config = self._ws.config

        def tell(now: Progress) -> None:
            step(f"{now.step} {now.source}", now.done, now.total)

        return {
            "root": config.root,
            "zone": config.zone,
            "currency": config.currency,
            "now": None if first else self._ws.now(),
            "rates": config.rates,
            "quality": config.quality,
            "progress": tell,
        }

    def _is_first(self) -> bool:
        """Whether the clock of a ``data-end`` workspace is still to be set by this load."""
        from shoal.sql.layout import meta

        return self._ws.config.clock == "data-end" and meta(self._ws.store).get("clock_offset", "0") == "0"

    def _finish(self, report: LoadReport, first: bool, step: Step) -> Loaded:
        from shoal.sql.layout import set_meta

        ws = self._ws
        if first and report.load is not None:
            set_meta(ws.store, "clock_offset", str(clock.Clock.showing(report.now).offset))
        other_rule = self._rule_changed()
        if report.load is None and newest(ws.store) is not None and not other_rule:
            return Loaded(ws.now(), report, (), 0, 0, ())
        ws.refresh()
        step("computing traits", 0, 0)
        notes = self.compute_traits()
        if other_rule:
            notes = (_OTHER_RULE, *notes)
        step("evaluating segments", 0, 0)
        published = ws.segments.publish(because="load")
        entered = sum(e for e, _ in published.changes.values())
        left = sum(out for _, out in published.changes.values())
        faults = tuple(str(fault) for fault in ws.catalogue.faults.values())
        quality = self.quality_table() if report.load is not None else ()
        return Loaded(published.at, report, (*report.warnings, *notes, *faults), entered, left, quality)

    def compute_traits(self, *, recalibrate: bool = False) -> tuple[str, ...]:
        """Work out RFM, lifecycle, favourites and the like; returns what the reader should know.

        The first time, they are worked out for some earlier days too, with the same cut points.
        """
        from shoal.sql.layout import set_meta

        ws = self._ws
        fresh = not ws.store.rows("SELECT 1 FROM traits WHERE score LIMIT 1")
        at = ws.now()
        done = compute_traits(ws.store, ws.config.revenue, at, at, recalibrate=recalibrate)
        if fresh:
            for days in BACKFILL_DAYS:
                compute_traits(ws.store, ws.config.revenue, at - days * clock.DAY, at)
        set_meta(ws.store, _RULE, repr(ws.config.revenue))
        ws.refresh()
        return done.advice

    def _rule_changed(self) -> bool:
        """Whether traits were last computed with other settings of revenue and purchases."""
        from shoal.sql.layout import meta

        rule = repr(self._ws.config.revenue)
        return meta(self._ws.store).get(_RULE, rule) != rule

    # ------------------------------------------------------------ quality

    def quality(self, source: str | None = None) -> list[dict[str, Any]]:
        """The measures of the last load of each source: of the source, and with ``source`` of its columns."""
        rows = self._ws.store.rows(
            "SELECT source, col, measure, value, n, verdict, note FROM quality q WHERE load = "
            "(SELECT max(load) FROM quality WHERE source = q.source) AND "
            "CASE WHEN ? IS NULL THEN col IS NULL ELSE source = ? END ORDER BY source, col NULLS FIRST, measure",
            [source, source],
        )
        head = ("source", "column", "measure", "value", "n", "verdict", "note")
        return [dict(zip(head, row, strict=True)) for row in rows]

    def quality_table(self) -> tuple[tuple[str, ...], ...]:
        """A line a source: score, rows, quarantined, repeated rows, newest row, verdict."""
        sources: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.quality():
            sources.setdefault(row["source"], {})[row["measure"]] = row
        return tuple(_quality_line(name, measures) for name, measures in sources.items())

    # ------------------------------------------------------------ quarantine

    def quarantine_counts(self, source: str | None = None) -> list[dict[str, Any]]:
        """How many rows wait in quarantine, by source and reason."""
        rows = self._ws.store.rows(
            "SELECT source, code, count(*), min(reason) FROM quarantine WHERE resolved IS NULL "
            "AND (? IS NULL OR source = ?) GROUP BY source, code ORDER BY count(*) DESC, source, code",
            [source, source],
        )
        return [{"source": s, "code": code, "rows": count, "example": reason} for s, code, count, reason in rows]

    def quarantine(self, source: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """Rows in quarantine: where from, why, and what they hold."""
        rows = self._ws.store.rows(
            "SELECT source, path, line, code, reason, content FROM quarantine WHERE resolved IS NULL "
            "AND (? IS NULL OR source = ?) ORDER BY source, path, line LIMIT ?",
            [source, source, limit],
        )
        head = ("source", "path", "line", "code", "reason", "content")
        return [dict(zip(head, row, strict=True)) for row in rows]

    # ------------------------------------------------------------ status

    def status(self) -> dict[str, Any]:
        """The workspace at a glance."""
        ws = self._ws
        (customers,) = ws.store.rows("SELECT count(*) FROM customers")[0]
        loads = ws.store.rows("SELECT id, finished FROM loads ORDER BY id DESC LIMIT 1")
        events = {
            name: ws.store.rows(f"SELECT count(*), max(ts) FROM event_{number} WHERE retired IS NULL")[0]
            for number, name in ws.store.rows("SELECT id, name FROM event_types ORDER BY name")
        }
        return {
            "workspace": str(ws.config.root),
            "now": clock.iso(ws.now()),
            "clock": ws.config.clock,
            "timezone": ws.config.zone,
            "last_load": f"number {loads[0][0]} at {clock.iso(loads[0][1])}" if loads else "none yet",
            "customers": customers,
            "events": {n: f"{c:,}, newest {clock.iso(ts) if ts is not None else '–'}" for n, (c, ts) in events.items()},
            "traits": len(ws.schema.traits),
            "segments": len(ws.definitions),
            "faults": {slug: str(fault) for slug, fault in ws.catalogue.faults.items()},
            "quarantined": sum(row["rows"] for row in self.quarantine_counts()),
        }


def _quality_line(name: str, measures: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    def said(measure: str) -> str:
        row = measures.get(measure)
        return "–" if row is None else figure(measure, row["value"])

    verdicts = [row["verdict"] for row in measures.values() if row["verdict"] != "ok"]
    figures = (said(m) for m in ("score", "rows", "quarantined", "duplicates", "freshness"))
    return (name, *figures, verdicts[0] if verdicts else "ok")


def figure(measure: str, value: float | None) -> str:
    """A measure of quality as people read it.

    >>> figure("rows", 1234.0), figure("completeness", 0.5), figure("freshness", 2.25), figure("score", None)
    ('1,234', '50.0 %', '2.2 days ago', '–')
    """
    if value is None:
        return "–"
    if measure in COUNTED:
        return f"{value:,.0f}"
    return f"{value:,.1f} days ago" if measure == "freshness" else f"{100 * value:.1f} %"


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
