"""The data of a workspace: loading, computed traits, quality, quarantine, status."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal import clock
from shoal.config import located, named_events
from shoal.customers.load import LoadReport, Progress, Turn, load, reload_quarantine
from shoal.errors import ConfigError, UnknownName, did_you_mean, nearest
from shoal.insight.history import newest
from shoal.insight.ranks import BACKFILL_DAYS
from shoal.insight.traits import compute_traits
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shoal.errors import ShoalError
    from shoal.insight.history import Published
    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]


_RULE = "computed_rule"
"""In ``meta``: the settings that traits were last computed with."""
_OTHER_RULE = "Traits were computed anew: revenue: or purchases: in shoal.yaml says something else than before."
_STEPS = {"judging": "checking"}
"""Steps of a load that readers know by another word."""
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

    @property
    def quarantined(self) -> int:
        """How many rows this load put aside."""
        return sum(sum(source.quarantined.values()) for source in self.report.sources.values())

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        memberships = {"entered": self.entered, "left": self.left}
        return self.report.document() | {
            "as_of": clock.iso(self.at),
            "notes": list(self.notes),
            "memberships": memberships,
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """What was done, a line a source."""
        if self.report.load is None:
            return ["Nothing has changed since the last load."]
        found = [line for source in self.report.sources.values() for line in _source_lines(source)]
        found.append(
            f"{counted(self.report.customers, 'new customer')}; {self.entered:,} entered a segment, {self.left:,} left one; "
            f"{self.report.seconds:.1f} s."
        )
        return found


def _source_lines(source: Any) -> list[str]:
    if not source.files:
        return [f"{source.name}: unchanged."] if source.skipped else []
    what = [f"{count:,} {name}" for name, count in source.events.items()]
    if source.traits:
        what.append(f"{counted(sum(source.traits.values()), 'change')} of {counted(len(source.traits), 'trait')}")
    what += [counted(n, name) for name, n in (("consent", source.consents), ("spend row", source.spend)) if n]
    said = [f"{source.name}: {counted(source.rows, 'row')} → {', '.join(what) or 'looked up only'}"]
    rest = {
        "repeated {row} dropped": source.dropped,
        "repeated {row} kept": (source.repeated or 0) - source.dropped,
        "{row} replaced or gone": source.retired,
        "{row} left out by where": source.left_out,
        "{row} of erased persons left out": source.erased,
        "{row} in quarantine": sum(source.quarantined.values()),
        "{cell} of another type": sum(source.mistyped.values()),
        "{key} not found": sum(source.orphans.values()),
    }
    words = {n: {w: w if n == 1 else f"{w}s" for w in ("row", "cell", "key")} for n in rest.values()}
    more = [f"{n:,} {text.format(**words[n])}" for text, n in rest.items() if n]
    return [said[0] + (f"; {', '.join(more)}" if more else "") + "."]


class _Followed(NamedTuple):
    """What followed from new rows: what the reader should know of computed traits, and the memberships that changed."""

    notes: tuple[str, ...]
    published: Published


class Data:
    """Loading and judging the data of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return f"Data({', '.join(self._ws.config.sources) or 'no sources'})"

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
        return self._take(load, only, self._is_first(), progress or _silent)

    def retry_quarantine(self, source: str | None = None, *, progress: Step | None = None) -> Loaded:
        """Read the rows in quarantine again, after the file or the mapping was mended."""
        return self._take(reload_quarantine, None if source is None else [source], False, progress or _silent)

    def _take(self, read: Callable[..., LoadReport], only: Iterable[str] | None, first: bool, step: Step) -> Loaded:
        """Rows and all that follows from them, in one transaction: whatever stops it, the workspace stays as it was.

        A server that has the workspace open lets calls have effect until all files are read.
        """
        ws = self._ws
        followed: list[_Followed] = []

        def then(report: LoadReport) -> None:
            followed.append(self._follow(report, first, step))

        @contextmanager
        def alone() -> Iterator[Turn]:
            with ws.changing():
                # Types that shoal.yaml and the tracking plan name come before those that the files suggest.
                ws.plan.declare()
                yield self._turn(first)

        try:
            report = read(ws.store, ws.config.sources, only=only, then=then, alone=alone, **self._settings(first, step))
            if report.load is None and (self._has_to_follow() or ws.plan.lacking()):
                with alone():
                    if self._has_to_follow():
                        with ws.store.transaction():
                            then(report)
        except ConfigError as error:
            # A mapping that the files don't bear out is named with its line in shoal.yaml.
            raise located(error, ws.config.root) from None
        finally:
            # What was read of the store may stand there no more.
            ws.refresh()
        return self._told(report, followed[0] if followed else None)

    def _settings(self, first: bool, step: Step) -> dict[str, Any]:
        config = self._ws.config

        def tell(now: Progress) -> None:
            step(f"{_STEPS.get(now.step, now.step)} {now.source}", now.done, now.total)

        return {
            "root": config.root,
            "zone": config.zone,
            "currency": config.currency,
            "rates": config.rates,
            "quality": config.quality,
            "progress": tell,
            **self._turn(first)._asdict(),
        }

    def _turn(self, first: bool) -> Turn:
        return Turn(None if first else self._ws.now(), self._ws.privacy.tombstones)

    def _has_to_follow(self) -> bool:
        """Whether traits and memberships are to be worked out though no file has changed."""
        return newest(self._ws.store) is None or self._rule_changed()

    def _is_first(self) -> bool:
        """Whether the clock of a ``data-end`` workspace is still to be set by this load."""
        from shoal.sql.layout import meta

        return self._ws.config.clock == "data-end" and meta(self._ws.store).get("clock_offset", "0") == "0"

    def _follow(self, report: LoadReport, first: bool, step: Step) -> _Followed:
        """What follows from new rows: the clock, computed traits, and who is in which segment."""
        from shoal.sql.layout import set_meta

        ws = self._ws
        if first and report.load is not None:
            set_meta(ws.store, "clock_offset", str(clock.Clock.showing(report.now).offset))
        other_rule = self._rule_changed()
        ws.refresh()
        ws.privacy.expire()
        step("computing traits", 0, 0)
        notes = self.compute_traits()
        if other_rule:
            notes = (_OTHER_RULE, *notes)
        notes = (*notes, *ws.models.rescore())
        step("evaluating segments", 0, 0)
        return _Followed(notes, ws.segments.publish(because="load"))

    def _told(self, report: LoadReport, done: _Followed | None) -> Loaded:
        if done is None:
            return Loaded(self._ws.now(), report, (*report.warnings, *self.faults()), 0, 0, ())
        changes = done.published.changes.values()
        entered, left = (sum(pair[i] for pair in changes) for i in (0, 1))
        quality = self.quality_table() if report.load is not None else ()
        said = (*report.warnings, *self._put_aside(report), *done.notes, *self.faults())
        return Loaded(done.published.at, report, said, entered, left, quality)

    def _put_aside(self, report: LoadReport) -> Iterator[str]:
        """A sentence for each source that lost so many rows that its figures mean something else."""
        for source in report.sources.values():
            measure = report.quality.of(source.name).get("quarantined")
            if source.retired and not source.rows:
                yield f"{source.name}: its files hold no rows any more, so what they held before was taken back."
            if measure is not None and measure.verdict != "ok":
                (worst, *_) = self.quarantine_counts(source.name)
                part = f"{source.name}: {100 * (measure.value or 0):.0f} % of the rows are in quarantine"
                yield f"{part}, most of them for this: {worst['example']}"

    def faults(self) -> tuple[str, ...]:
        """What isn't in force as it was written: definitions and a tracking plan that can't be accepted, lost revenue."""
        known = self._ws.schema.events
        lost = [
            str(self._lost(place, name, known))
            for place, name in named_events(self._ws.config.revenue)
            if known and name not in known
        ]
        catalogue = self._ws.catalogue
        stays = {True: " Its last good version stays in force.", False: ""}
        broken = [
            f"Not accepted: {_with(fault, stays[slug in catalogue.definitions])}"
            for slug, fault in catalogue.faults.items()
        ]
        return (*lost, *map(str, self._ws.plan.faults), *broken)

    def _lost(self, place: str, name: str, known: Iterable[str]) -> ConfigError:
        fix = did_you_mean(nearest(name, known)) or f"There are: {', '.join(sorted(known))}."
        return located(ConfigError(f'No event is called "{name}".', place=place, fix=fix), self._ws.config.root)

    def recalibrate(self) -> tuple[str, ...]:
        """Take new cut points and publish who is in which segment by them; returns what the reader should know."""
        with self._ws.changing(), self._ws.store.transaction():
            notes = self.compute_traits(recalibrate=True)
            self._ws.segments.publish(because="recalibrated")
        return notes

    def compute_traits(self, *, recalibrate: bool = False) -> tuple[str, ...]:
        """Work out RFM, lifecycle, favourites and the like; returns what the reader should know.

        The first time, they are worked out for some earlier days too, with the same cut points.
        """
        from shoal.customers.scores import has_computed
        from shoal.sql.layout import set_meta

        ws = self._ws
        fresh = not has_computed(ws.store)
        at = ws.now()
        with ws.changing(), ws.store.transaction():
            done = compute_traits(ws.store, ws.config.revenue, at, at, recalibrate=recalibrate)
            for days in BACKFILL_DAYS if fresh else ():
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
        """The measures of the last load of each source: of the source, and with ``source`` of its columns.

        Raises:
            UnknownName: if there is no such source.
        """
        self._check_source(source)
        rows = self._ws.store.rows(
            "SELECT source, col, measure, value, n, verdict, note FROM quality q WHERE load = "
            "(SELECT max(load) FROM quality WHERE source = q.source) AND "
            "CASE WHEN ? IS NULL THEN col IS NULL ELSE source = ? END ORDER BY source, col NULLS FIRST, measure",
            [source, source],
        )
        head = ("source", "column", "measure", "value", "n", "verdict", "note")
        return [dict(zip(head, row, strict=True)) for row in rows]

    def _check_source(self, source: str | None) -> None:
        if source is not None and source not in self._ws.config.sources:
            raise UnknownName("source", source, self._ws.config.sources)

    def quality_table(self) -> tuple[tuple[str, ...], ...]:
        """A line a source: score, rows, quarantined, repeated rows, newest row, verdict."""
        sources: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.quality():
            sources.setdefault(row["source"], {})[row["measure"]] = row
        return tuple(_quality_line(name, measures) for name, measures in sources.items())

    # ------------------------------------------------------------ quarantine

    def quarantine_counts(self, source: str | None = None) -> list[dict[str, Any]]:
        """How many rows wait in quarantine, by source and reason."""
        self._check_source(source)
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
        from shoal.workspace.untaken import untaken

        ws = self._ws
        (customers,) = ws.store.rows("SELECT count(*) FROM customers")[0]
        spent = ws.store.rows("SELECT count(*), min(day), max(day), sum(amount) FROM spend WHERE retired IS NULL")[0]
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
            "last_load": {"number": loads[0][0], "at": clock.iso(loads[0][1])} if loads else None,
            "customers": customers,
            "events": {
                name: {"count": count, "newest": None if ts is None else clock.iso(ts)}
                for name, (count, ts) in events.items()
            },
            "spend": _spent(spent, ws.config.currency) if spent[0] else None,
            "traits": len(ws.schema.traits),
            "segments": len(ws.definitions),
            "faults": list(self.faults()),
            "quarantined": sum(row["rows"] for row in self.quarantine_counts()),
            "untaken": untaken(ws),
        }


def _spent(found: tuple[Any, ...], currency: str) -> dict[str, Any]:
    rows, first, last, amount = found
    start, end = (str(date(1970, 1, 1) + timedelta(days=day)) for day in (first, last))
    return {"lines": rows, "from": start, "until": end, "amount": float(amount) / 1e6, "currency": currency}


def _quality_line(name: str, measures: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    def said(measure: str) -> str:
        row = measures.get(measure)
        return "–" if row is None else figure(measure, row["value"])

    verdicts = [row["verdict"] for row in measures.values() if row["verdict"] != "ok"]
    figures = (said(m) for m in ("score", "rows", "quarantined", "duplicates", "freshness"))
    return (name, *figures, verdicts[0] if verdicts else "ok")


def _with(fault: ShoalError, more: str) -> str:
    """A fault with a sentence behind its own, above the excerpt of the text."""
    sentence, *excerpt = str(fault).split("\n")
    return "\n".join([sentence + more, *excerpt])


def figure(measure: str, value: float | None) -> str:
    """A measure of quality as people read it; a little is never a false zero.

    >>> figure("rows", 1234.0), figure("completeness", 0.5), figure("freshness", 2.25), figure("score", None)
    ('1,234', '50.0 %', '2.2 days ago', '–')
    >>> figure("duplicates", 0.0001), figure("duplicates", 0.0)
    ('< 0.1 %', '0.0 %')
    """
    if value is None:
        return "–"
    if measure in COUNTED:
        return f"{value:,.0f}"
    if measure == "freshness":
        return f"{value:,.1f} days ago"
    return "< 0.1 %" if 0 < value < FALSE_ZERO else f"{100 * value:.1f} %"


FALSE_ZERO = 0.0005
"""A share that is more than nothing and would be written 0.0 %."""


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
