"""A load from beginning to end, and the second try of rows in quarantine.

All that a load writes is one transaction: an error, a key press, a full disk or a quality threshold leave the store as it
was, and the next load begins anew with the files that it hasn't taken in yet.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import stopwatch
from shoal.customers import quality as judging
from shoal.customers.load import changes, faults, prepare, staging, writing
from shoal.customers.load.erased import clean_quarantine
from shoal.customers.load.prepare import Prepared, Setting
from shoal.customers.load.rates import Money
from shoal.customers.load.report import LoadReport, SourceReport
from shoal.customers.load.staging import Meter, NumberedFile, Progress
from shoal.customers.privacy.tombstones import marks_of
from shoal.errors import QualityStop
from shoal.lang import calendar
from shoal.sql.encode import quoted
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from shoal.customers.load.changes import SourceState
    from shoal.customers.privacy.tombstones import Tombstones
    from shoal.sources.mapping import SourceSpec
    from shoal.sql.store import Store


def load(
    store: Store,
    sources: Mapping[str, SourceSpec],
    *,
    root: Path,
    zone: str,
    currency: str,
    now: int | None,
    rates: Path | None = None,
    quality: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    only: Iterable[str] | None = None,
    erased: Tombstones | None = None,
    then: Callable[[LoadReport], None] | None = None,
    alone: Callable[[], AbstractContextManager[Turn]] | None = None,
) -> LoadReport:
    """Bring the store up to what the sources' files hold now.

    Files that haven't changed since they were loaded are skipped. In a changed file, rows that are the same stay as they
    were, changed ones are replaced, and vanished ones retired (``removed: keep`` leaves them). A file that isn't there any
    more leaves its rows in force. Where a message id stands in several files of a source, the newest file is right.

    Args:
        store: the workspace's store.
        sources: all sources of the workspace.
        root: where relative paths start.
        zone: the workspace's time zone.
        currency: the workspace's currency.
        now: the instant at which what is loaded became known; None takes the newest event's time, as a workspace whose
            clock begins at the data's end does.
        rates: the dated rate file.
        quality: thresholds, as ``quality:`` in ``shoal.yaml``.
        progress: is told how far the load is.
        only: the sources to load; None for all.
        erased: whose rows are left out; None where nobody was ever erased.
        then: what follows from new rows; it is called in the same transaction, so that it is kept with them or not at all.
        alone: begins the time in which nothing else changes the store. It comes when files are read and judged, and only
            where there is something to write; None where nothing else changes the store anyway.

    Returns:
        What was done, with the quality of the rows that were read.

    Raises:
        SourceError: a file can't be read, or lacks a column. The store is as it was.
        ConfigError: the mapping can't be used. The store is as it was.
        QualityStop: a threshold says stop. The store is as it was.
        StoreError: there is no room. The store is as it was.
    """
    began = stopwatch()
    wanted = prepare.check_names(sources, only)
    thresholds = judging.read_thresholds(quality or {}, "quality")
    task = _Task(store, sources, wanted, root, zone, currency, rates, thresholds, progress or _silent)
    here = Turn(now, erased)
    try:
        report = _load(task, here, then or _silent, alone or (lambda: nullcontext(here)))
    finally:
        _clean(store)
    report.seconds = stopwatch() - began
    return report


class Turn(NamedTuple):
    """What holds from an instant on.

    Args:
        now: the instant at which what is loaded becomes known; None for the newest event's time.
        erased: whose rows are left out; None where nobody was ever erased.
    """

    now: int | None
    erased: Tombstones | None


def _load(
    task: _Task, here: Turn, then: Callable[[LoadReport], None], alone: Callable[[], AbstractContextManager[Turn]]
) -> LoadReport:
    found = task.read(here)
    if isinstance(found, LoadReport):
        return found
    with alone() as turn:
        if found.stamp != task.stamp():
            # Another load or an erasure came first: what was read is known by now, or mustn't be.
            again = task.read(turn)
            if isinstance(again, LoadReport):
                return again
            found = again
        report = found.report(_newest(task.store, found.prepared) if turn.now is None else turn.now)
        with task.store.transaction():
            _write(task.store, found.plan, found.prepared, report, found.setting)
            then(report)
    return report


@dataclass(frozen=True, slots=True)
class _Read:
    """Files that were read and judged.

    Args:
        plan: which, under which numbers.
        setting: what held for all sources.
        prepared: their rows.
        quality: of the rows.
        skipped: by source, how many files were as they had been.
        stamp: of what the store had when they were read.
    """

    plan: _Plan
    setting: Setting
    prepared: list[Prepared]
    quality: judging.QualityReport
    skipped: dict[str, int]
    stamp: object

    def report(self, instant: int) -> LoadReport:
        """The report of a load that has not written anything yet."""
        done = {p.spec.name: p.report for p in self.prepared}
        report = LoadReport(self.plan.load, instant, {}, self.quality)
        for name, skipped in self.skipped.items():
            report.sources[name] = done.get(name) or SourceReport(name)
            report.sources[name].skipped = skipped
        return report


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be loaded."""

    store: Store
    sources: Mapping[str, SourceSpec]
    wanted: list[str]
    root: Path
    zone: str
    currency: str
    rates: Path | None
    thresholds: judging.Thresholds
    tell: Callable[[Progress], None]

    def read(self, turn: Turn) -> _Read | LoadReport:
        """Read and judge what has changed; changes nothing that stays. The report of a load of nothing where nothing has.

        Raises:
            QualityStop: a threshold says stop.
        """
        store, setting, stamp = self.store, self._setting(turn.erased), self.stamp()
        states = changes.look(store, self.sources, self.wanted, self.root, self._surroundings(setting))
        due = [name for name in self.wanted if states[name].to_read]
        skipped = {n: len(states[n].files) - len(states[n].to_read) for n in self.wanted}
        if not due:
            reports = {n: SourceReport(n, skipped=skipped[n]) for n in self.wanted}
            gone = [note for n in self.wanted for note in _gone(states[n])]
            return LoadReport(None, _known_now(store, turn.now), reports, judging.QualityReport([]), warnings=gone)
        plan = _Plan(store, self.sources, states, due)
        meter = Meter(self.tell, total=plan.bytes)
        _begin(store)
        prepare.read_rates(store, self.rates, self.root, meter)
        prepared = _prepare(store, plan, setting, meter)
        instant = _newest(store, prepared) if turn.now is None else turn.now
        quality = judging.judge(store, prepared, self.thresholds, instant)
        meter.at(due[-1], "writing")
        _stop_or_warn(store, quality)
        return _Read(plan, setting, prepared, quality, skipped, stamp)

    def stamp(self) -> object:
        """What reading files rests on of the store: other loads, and who is erased."""
        (known,) = self.store.rows("SELECT (SELECT max(id) FROM loads), (SELECT max(no) FROM files)")
        return known, sorted(marks_of(self.store))

    def _setting(self, erased: Tombstones | None) -> Setting:
        copies = any("duplicates" in limits for limits in (self.thresholds.stop, self.thresholds.warn))
        money = Money(self.currency, calendar.zone(self.zone), self.rates is not None)
        return Setting(self.zone, money, copies, erased)

    def _surroundings(self, setting: Setting) -> list[str]:
        """What rows depend on beside files and mapping."""
        file = self.root / self.rates if self.rates else None
        known = hashlib.blake2b(file.read_bytes()).hexdigest() if file is not None and file.exists() else ""
        return [setting.zone, setting.money.currency, known]


_OF_ROWS = ("quarantined", "loss", "score")
"""The measures that rows which can't be used make worse."""


def _stop_or_warn(store: Store, quality: judging.QualityReport) -> None:
    """Let a threshold stop the load; since nothing will be in quarantine then, the rows at fault are named at once."""
    try:
        judging.stop_or_warn(quality)
    except QualityStop as stop:
        stopped = {m.source for m in quality.measures if m.verdict == "stop" and m.measure in _OF_ROWS}
        shown = faults.first_of_each(store, sorted(stopped)) if stopped else []
        if not shown:
            raise
        problem = f"{stop.problem} The first of each reason: {'; '.join(shown)}."
        raise QualityStop(problem, place=stop.place, fix=stop.fix) from None


def _silent(_: object) -> None:
    """Tell nobody."""


def _known_now(store: Store, now: int | None) -> int:
    if now is not None:
        return now
    return int(store.rows("SELECT coalesce(max(started), 0) FROM loads")[0][0])


class _Plan:
    """Which files are read, under which numbers."""

    def __init__(
        self, store: Store, sources: Mapping[str, SourceSpec], states: dict[str, SourceState], due: list[str]
    ) -> None:
        self.due = due
        self.states = states
        ((self.load,),) = store.rows("SELECT coalesce(max(id), 0) + 1 FROM loads")
        ((number,),) = store.rows("SELECT coalesce(max(no), 0) + 1 FROM files")
        self.order: list[str] = []
        for name in due:
            self.order += [n for n in changes.with_references(sources, name) if n not in self.order]
        looked_up = {lookup.source for name in self.order for lookup in sources[name].lookup}
        self.files: dict[str, list[NumberedFile]] = {}
        self.new: dict[str, list[NumberedFile]] = {}
        for name in self.order:
            state = states[name]
            for file in state.files if name in looked_up else state.to_read:
                fresh = state.changed(file) and name in due
                numbered = NumberedFile(number if fresh else file.number, file.file)
                self.files.setdefault(name, []).append(numbered)
                if fresh:
                    self.new.setdefault(name, []).append(numbered)
                    number += 1

    @property
    def bytes(self) -> int:
        """How many bytes are to be read."""
        return sum(n.file.size for files in self.files.values() for n in files)


def _begin(store: Store) -> None:
    _clean(store)
    staging.prepare(store)
    faults.prepare(store)


def _prepare(store: Store, plan: _Plan, setting: Setting, meter: Meter) -> list[Prepared]:
    """Read and judge; sources that are only looked up in are read but not judged."""
    references: dict[str, Any] = {}
    prepared, number = [], 0
    for name in plan.order:
        one = prepare.prepare(store, plan.states[name], plan.files[name], references, setting, meter)
        references[name] = one.rows
        if name in plan.due:
            number = prepare.judge(store, one, setting, number)
            prepared.append(one)
    if setting.erased:
        clean_quarantine(store, setting.erased)
    return prepared


def _newest(store: Store, prepared: list[Prepared]) -> int:
    """The newest event's time among what is loaded and what is stored; the beginning of 1970 where there is none."""
    found: list[tuple[int | None]] = [(last,) for one in prepared for p in one.events for _, _, last, _ in p.days]
    for event in Registry.load(store).events.values():
        found += store.rows(f"SELECT max(ts) FROM {event.table} WHERE retired IS NULL")
    return max((ts for (ts,) in found if ts is not None), default=0)


def _write(store: Store, plan: _Plan, prepared: list[Prepared], report: LoadReport, setting: Setting) -> None:
    """Everything that a load writes of the files."""
    now = report.now
    pen = writing.Pen(store, Registry.load(store), setting.zone, now, plan.load)
    report.customers = writing.write(pen, prepared)
    for one in prepared:
        one.rows.staged.check_unchanged()
        _record_files(store, plan, one)
    prepare.remember(store)
    report.resolved = _quarantine(store, plan, prepared, now)
    judging.record(store, report.quality, plan.load)
    gone = [note for name in report.sources for note in _gone(plan.states[name])]
    report.warnings = _warnings(prepared) + gone + report.quality.warnings
    store.execute(
        "INSERT INTO loads VALUES (?, ?, ?, 'done', ?)",
        [plan.load, now, now, json.dumps(report.document(), sort_keys=True)],
    )


def _record_files(store: Store, plan: _Plan, one: Prepared) -> None:
    state = one.state
    contents = {f.file.path: f.content for f in state.files}
    for numbered in plan.new.get(one.spec.name, []):
        file = numbered.file
        fingerprint = f"{contents[file.path]}/{state.context}"
        store.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            [numbered.no, one.spec.name, file.path, fingerprint, file.size, file.modified, plan.load],
        )


def _quarantine(store: Store, plan: _Plan, prepared: list[Prepared], now: int) -> int:
    """Put rows into quarantine, and mark as resolved those of the same files that needn't be there any more."""
    resolved = 0
    for one in prepared:
        source = quoted(one.spec.name)
        paths = ", ".join(quoted(n.file.path) for n in one.rows.staged.files)
        old = f"source = {source} AND resolved IS NULL AND path IN ({paths})"
        nth = "row_number() OVER (PARTITION BY path, code, content ORDER BY line) AS nth"
        store.execute(
            f"CREATE OR REPLACE TEMP TABLE load_still AS SELECT o.id, f.rid FROM (SELECT id, path, code, content, {nth} "
            f"FROM quarantine WHERE {old}) AS o JOIN (SELECT rowid AS rid, path, code, content, {nth} "
            f"FROM load_quarantined WHERE source = {source}) AS f USING (path, code, content, nth)"
        )
        ((done,),) = store.rows(
            f"UPDATE quarantine SET resolved = {now} WHERE {old} AND id NOT IN (SELECT id FROM load_still)"
        )
        resolved += int(done)
        store.execute(
            "INSERT INTO quarantine (id, load, source, path, line, code, reason, content, received) "
            "SELECT (SELECT coalesce(max(id), 0) FROM quarantine) + row_number() OVER (ORDER BY path, line, code), "
            f"{plan.load}, source, path, line, code, reason, content, {now} FROM load_quarantined "
            f"WHERE source = {source} AND rowid NOT IN (SELECT rid FROM load_still)"
        )
        one.report.quarantined = dict(
            store.rows(
                f"SELECT code, count(*) FROM load_quarantined WHERE source = {source} GROUP BY code ORDER BY code"
            )
        )
    return resolved


def _warnings(prepared: list[Prepared]) -> list[str]:
    found = []
    for one in prepared:
        found += one.rows.staged.warnings
        if one.report.same_id:
            advice = _advice(one)
            found.append(
                f"{one.spec.name}: {one.report.same_id:,} events bear a message id that another one has; "
                f"the newest file's first stands.{advice}"
            )
    return found


def _gone(state: SourceState) -> Iterator[str]:
    """A sentence for files that were loaded once and aren't there any more."""
    there = {f.file.path for f in state.files}
    gone = [path for path in state.seen if path not in there]
    if gone:
        files, verb = ("a file that was", "isn't") if len(gone) == 1 else (f"{len(gone)} files that were", "aren't")
        yield (
            f"{state.spec.name}: {files} loaded earlier {verb} there any more ({', '.join(gone[:3])}); what came from "
            "there stays in force."
        )


def _advice(one: Prepared) -> str:
    """What may be meant where message ids come several times."""
    if not any(e.group for e in one.spec.events):
        return " If the rows of one id belong together, add group: with the id's column."
    if len(one.rows.staged.files) > 1 and one.spec.across_files != "join":
        return " If the files are parts of one export, so that a group's rows are spread over them, write across_files: join."
    return ""


def reload_quarantine(
    store: Store, sources: Mapping[str, SourceSpec], *, only: Iterable[str] | None = None, **settings: Any
) -> LoadReport:
    """Try the rows in quarantine again, after the mapping or a file was mended.

    The files that they came from are read again where they, or the mapping, changed; rows that are fine now are
    stored, and their entries in quarantine marked as resolved.

    Args:
        store: the workspace's store.
        sources: all sources.
        only: the sources to try; None for all that have rows in quarantine.
        settings: as for ``load``.
    """
    waiting = {name for (name,) in store.rows("SELECT DISTINCT source FROM quarantine WHERE resolved IS NULL")}
    chosen = [name for name in (sources if only is None else only) if name in waiting or only is not None]
    if not chosen:
        return LoadReport(None, _known_now(store, settings.get("now")), {}, judging.QualityReport([]))
    return load(store, sources, only=chosen, **settings)


def _clean(store: Store) -> None:
    """Drop what a load keeps for itself."""
    for name, view in store.rows(
        "SELECT view_name, true FROM duckdb_views() WHERE temporary AND view_name LIKE 'load\\_%' ESCAPE '\\' UNION ALL "
        "SELECT table_name, false FROM duckdb_tables() WHERE temporary AND table_name LIKE 'load\\_%' ESCAPE '\\'"
    ):
        store.execute(f"DROP {'VIEW' if view else 'TABLE'} IF EXISTS temp.{staging.name(name)}")
