"""From a source's changed files to rows that were judged: everything before anything is written."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from shoal.customers.load import (
    completing,
    convert,
    erased,
    events,
    faults,
    learn,
    rows,
    spending,
    staging,
    times,
    traits,
)
from shoal.customers.load.convert import Writing
from shoal.customers.load.learn import Learned
from shoal.customers.load.report import SourceReport
from shoal.errors import ConfigError, SourceError
from shoal.lang.schema import Kind
from shoal.sql.layout import meta, set_meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from shoal.customers.load.changes import SourceState
    from shoal.customers.load.events import EventPlan
    from shoal.customers.load.rates import Money
    from shoal.customers.load.rows import Rows
    from shoal.customers.load.spending import SpendPlan
    from shoal.customers.load.staging import Meter, NumberedFile, Staged
    from shoal.customers.load.traits import ConsentPlan, TraitPlan
    from shoal.customers.privacy.tombstones import Tombstones
    from shoal.sources.mapping import ConsentMap, EventMap, SourceSpec, SpendMap, TraitMap
    from shoal.sql.store import Store

_DATES = (Kind.DATE, Kind.INSTANT)


@dataclass(slots=True)
class Prepared:
    """A source's rows, judged.

    Args:
        state: the source and its files.
        rows: its rows.
        report: what is known of the load so far.
        events: its events.
        traits: its traits.
        consents: its consent.
        spend: its spend.
    """

    state: SourceState
    rows: Rows
    report: SourceReport
    events: list[EventPlan] = field(default_factory=list)
    traits: list[TraitPlan] = field(default_factory=list)
    consents: list[ConsentPlan] = field(default_factory=list)
    spend: list[SpendPlan] = field(default_factory=list)

    @property
    def spec(self) -> SourceSpec:
        """The source."""
        return self.state.spec


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all sources: zone, currency and rates, whether a threshold judges rows that repeat others, who is erased."""

    zone: str
    money: Money
    judges_copies: bool = False
    erased: Tombstones | None = None


def prepare(
    store: Store,
    state: SourceState,
    files: Iterable[NumberedFile],
    references: Mapping[str, Rows],
    setting: Setting,
    meter: Meter,
) -> Prepared:
    """Stage, type and complete a source's rows, and judge them by its mapping.

    Raises:
        SourceError: a file can't be read, or lacks a column.
        ConfigError: the mapping names what isn't there.
    """
    spec = state.spec
    relation = f"load_rows_{len(references)}"
    staged = staging.stage(store, spec, files, f"load_staged_{len(references)}", meter)
    meter.at(spec.name, "judging")
    memory = _Memory.of(store, spec)
    staging.check_columns(
        staged, used_columns(spec, {**dict.fromkeys(memory.columns), **staged.absent}), memory.columns
    )
    how = _writing(spec, setting.zone)
    kinds = _kinds(store, staged, how, memory)
    ready = rows.typed(store, staged, kinds, how, memory.declared(spec, staged.columns), relation)
    report = SourceReport(spec.name, files=len(staged.files), rejected=staged.rejected)
    ((report.rows,),) = store.rows(f"SELECT count(*) FROM {ready.relation}")
    _find_copies(store, ready, spec, report, setting)
    completing.complete(store, ready, references)
    report.left_out = faults.unused(store, ready)
    if setting.erased:
        report.erased = erased.hide(store, ready, setting.erased)
    memory.keep(store, kinds)
    return Prepared(state, ready, report)


COPIES_UP_TO = 2_000_000
"""So many rows are searched for copies that are kept anyway: beyond, the search would slow a load down noticeably."""


def _find_copies(store: Store, ready: Rows, spec: SourceSpec, report: SourceReport, setting: Setting) -> None:
    """Count the rows that repeat others, where they are dropped, judged by a threshold, or few enough to look."""
    drops = spec.duplicates == "drop" and not (spec.reference and not _maps(spec))
    judged = setting.judges_copies or any("duplicates" in (limits or {}) for limits in spec.quality.values())
    if drops or judged or report.rows <= COPIES_UP_TO:
        report.repeated = faults.find_repeated(store, ready, report.rows)
        if drops and report.repeated:
            faults.drop_repeated(store, ready)
            report.dropped = report.repeated


def judge(store: Store, prepared: Prepared, setting: Setting, number: int) -> int:
    """Judge the rows by the mapping, and put aside what can't be used.

    Args:
        store: the store.
        prepared: gets its plans.
        setting: zone and currency.
        number: of the first event mapping, over all sources.

    Returns:
        The number for the next source.

    Raises:
        ConfigError: the mapping names what isn't there.
    """
    spec, ready = prepared.spec, prepared.rows
    prepared.events = events.judge(store, ready, spec.events, number, setting.money)
    accounts = [account for map_ in spec.events if (account := traits.account_map(map_))]
    prepared.traits = [traits.judge_traits(store, ready, map_) for map_ in (*accounts, *spec.traits)]
    prepared.consents = [traits.judge_consent(store, ready, map_) for map_ in spec.consent]
    prepared.spend = [spending.judge(store, ready, map_, i, setting.money) for i, map_ in enumerate(spec.spend)]
    faults.contents(store, ready)
    return number + len(spec.events)


def _maps(spec: SourceSpec) -> bool:
    return bool(spec.events or spec.traits or spec.consent or spec.spend)


def _writing(spec: SourceSpec, zone: str) -> Writing:
    fmt = spec.format
    return Writing(
        zone=times.zone_named(fmt.timezone or zone),
        decimal=fmt.decimal or ".",
        thousands=fmt.thousands or "",
        dates=fmt.dates,
        yes=tuple(w.lower() for w in fmt.yes) if fmt.yes else convert.YES,
        no=tuple(w.lower() for w in fmt.no) if fmt.no else convert.NO,
    )


# ------------------------------------------------------------------- the types of columns


@dataclass(slots=True)
class _Memory:
    """What earlier loads learned of a source's columns; kept in the store's ``meta``."""

    key: str
    format: str
    columns: dict[str, tuple[str | None, ...]]
    stale: bool

    @classmethod
    def of(cls, store: Store, spec: SourceSpec) -> _Memory:
        form = json.dumps([asdict(spec.format), {c: k.value for c, k in spec.types.items()}], sort_keys=True)
        key = f"columns:{spec.name}"
        known = json.loads(meta(store).get(key, "{}"))
        columns = {c: tuple(learned) for c, learned in known.get("columns", {}).items()}
        return cls(key, form, columns, bool(known) and known.get("format") != form)

    def declared(self, spec: SourceSpec, columns: Iterable[str]) -> list[str]:
        """The columns whose types overrule what is stored: declared ones, and all where the user changed the format."""
        return list(columns) if self.stale else list(spec.types)

    def remembered(self, column: str) -> Learned | None:
        """What was learned before, unless the format has changed since."""
        known = None if self.stale else self.columns.get(column)
        if known is None:
            return None
        kind, dates, decimal, thousands = (*known, None, None)[:4]
        return Learned(Kind(str(kind)), dates, decimal=decimal, thousands=thousands)

    def keep(self, store: Store, kinds: Mapping[str, Learned]) -> None:
        """Remember; undone with the load's transaction only if it runs inside one."""
        self.columns = {**self.columns, **{c: _kept(k) for c, k in kinds.items() if not k.empty}}
        store.execute("CREATE TEMP TABLE IF NOT EXISTS load_memory (key VARCHAR, value VARCHAR)")
        store.rows(
            "INSERT INTO load_memory VALUES (?, ?)",
            [self.key, json.dumps({"format": self.format, "columns": self.columns}, sort_keys=True)],
        )


def _kept(learned: Learned) -> tuple[str | None, ...]:
    return str(learned.kind), learned.dates, learned.decimal, learned.thousands


def remember(store: Store) -> None:
    """Keep what was learned of the columns; inside the transaction of the load."""
    for key, value in store.rows("SELECT key, value FROM load_memory"):
        set_meta(store, key, value)


def _kinds(store: Store, staged: Staged, how: Writing, memory: _Memory) -> dict[str, Learned]:
    """The type of each column: declared, needed by the mapping, its own, remembered, or learned."""
    spec = staged.spec
    declared = {c.casefold(): kind for c, kind in spec.types.items()}
    needed = {c.casefold(): kind for c, kind in needed_kinds(spec)}
    ids = {c.casefold() for c in id_columns(spec)}
    texts = [
        c
        for c, t in staged.columns.items()
        if t == "VARCHAR"
        and c.casefold() not in ids
        and (memory.remembered(c) is None or (declared.get(c.casefold()) or needed.get(c.casefold())) in _DATES)
    ]
    looked = spec.format.decimal is None and spec.format.thousands is None
    learned = learn.learn(store, staged.relation, texts, how, looked=looked)
    used = {c.casefold() for c, _ in used_columns(spec, staged.columns)}
    found = {}
    for column, sql_type in staged.columns.items():
        folded = column.casefold()
        own = memory.remembered(column) if sql_type == "VARCHAR" else None
        seen = own or learned.get(column) or Learned(convert.native_kind(sql_type) or Kind.TEXT, how.dates)
        kind = declared.get(folded) or _as_needed(seen.kind, needed.get(folded))
        empty = seen.empty and folded not in declared and folded not in needed and folded not in ids
        if folded in ids and folded not in declared and sql_type == "VARCHAR":
            kind = Kind.TEXT
        if seen.doubt and kind in _DATES:
            if folded in used or folded in declared:
                raise _doubtful(store, staged, column, seen)
            kind = Kind.TEXT
        if seen.unsure and kind is Kind.NUMBER and folded in used:
            fix = f'Say which it is in {spec.place}.format, as decimal: "{seen.decimal}".'
            staged.warnings.append(f"{spec.name}, column {column}: {seen.unsure} {fix}")
        found[column] = replace(seen, kind=kind, empty=empty)
    return found


def _as_needed(seen: Kind, needed: Kind | None) -> Kind:
    if (
        needed is None
        or (needed is Kind.INSTANT and seen is Kind.DATE)
        or (needed is Kind.DATE and seen is Kind.INSTANT)
    ):
        return seen
    return needed


def id_columns(spec: SourceSpec) -> Iterator[str]:
    """The columns that are ids, so that 007 stays 007."""
    for event in spec.events:
        yield from (c for c in (event.customer, event.id, event.group, event.account) if c)
    yield from (t.owner for t in spec.traits)
    yield from (c.customer for c in spec.consent)


def needed_kinds(spec: SourceSpec) -> Iterator[tuple[str, Kind]]:
    """The types that the mapping needs."""
    for event in spec.events:
        yield event.at, Kind.INSTANT
        for prop, take in event.properties.items():
            if take.how == "sum" or prop in event.money:
                yield take.column, Kind.NUMBER
    for latitude, longitude, _ in spec.points.values():
        yield from ((c, Kind.NUMBER) for c in (latitude, longitude))
    for trait in spec.traits:
        if trait.at:
            yield trait.at, Kind.INSTANT
    for consent in spec.consent:
        yield consent.granted, Kind.YESNO
        if consent.at:
            yield consent.at, Kind.INSTANT
    for spend in spec.spend:
        yield spend.day, Kind.DATE
        yield from ((c, Kind.NUMBER) for c in (spend.amount, spend.impressions, spend.clicks) if c)


def used_columns(spec: SourceSpec, named: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The columns of the files that the mapping uses, each with its place in ``shoal.yaml``.

    Args:
        spec: the source.
        named: columns that count as used where an expression seems to name them.
    """
    made = {c.casefold() for c in spec.derive}
    made |= {c.casefold() for lookup in spec.lookup for c in lookup.take}
    made |= {c.casefold() for c in spec.points}
    found = [(c, place) for c, place in _direct(spec) if c.casefold() not in made]
    expressions = [(e, f"{spec.place}.derive.{c}") for c, e in spec.derive.items()]
    expressions += [(spec.where, f"{spec.place}.where")] if spec.where else []
    maps: list[EventMap | TraitMap | ConsentMap | SpendMap] = [*spec.events, *spec.traits, *spec.consent, *spec.spend]
    expressions += [(map_.when, f"{map_.place}.when") for map_ in maps if map_.when]
    for column in named:
        word = re.compile(rf"(?<!\w){re.escape(column)}(?!\w)", re.IGNORECASE)
        found += [(column, place) for text, place in expressions if column.casefold() not in made and word.search(text)]
    return found


def _direct(spec: SourceSpec) -> Iterator[tuple[str, str]]:
    for event in spec.events:
        for key in ("customer", "account", "at", "id", "group"):
            if getattr(event, key):
                yield getattr(event, key), f"{event.place}.{key}"
        for prop, take in event.properties.items():
            yield take.column, f"{event.place}.properties.{prop}"
        for prop, fields in event.items.items():
            yield from ((c, f"{event.place}.items.{prop}.{f}") for f, c in fields.items())
    for trait in spec.traits:
        yield trait.owner, f"{trait.place}.{trait.scope}"
        yield from ((c, f"{trait.place}.take.{name}") for name, c in trait.take.items())
    for other, keys in (
        (spec.consent, ("customer", "granted")),
        (spec.spend, ("day", "amount", "channel", "campaign", "impressions", "clicks")),
    ):
        for map_ in other:
            yield from ((getattr(map_, k), f"{map_.place}.{k}") for k in keys if getattr(map_, k))
    dated: list[TraitMap | ConsentMap] = [*spec.traits, *spec.consent]
    yield from ((map_.at, f"{map_.place}.at") for map_ in dated if map_.at)
    for lookup in spec.lookup:
        yield from ((here, f"{lookup.place}.on") for here in lookup.on)
    for latitude, longitude, place in spec.points.values():
        yield from ((c, place) for c in (latitude, longitude))


def _doubtful(store: Store, staged: Staged, column: str, seen: Learned) -> SourceError:
    """The error for a column of dates whose order can't be told, with lines that show it."""
    cell = staging.name(column)
    day, month = times.slashed(cell, "day-first"), times.slashed(cell, "month-first")
    where = f"{day} IS NOT NULL" if seen.doubt == "ambiguous" else f"{day} IS NOT NULL AND {month} IS NULL"
    shown = [_example(store, staged, cell, where)]
    if seen.doubt == "mixed":
        shown.append(_example(store, staged, cell, f"{month} IS NOT NULL AND {day} IS NULL"))
        problem = f"The column {column!r} has dates in several orders: {' and '.join(t for t, _ in shown)}."
    else:
        problem = f"The dates in the column {column!r} could be day first or month first, as {shown[0][0]}."
    return SourceError(
        problem,
        place=shown[-1][1],
        fix=f"Say which it is in {staged.spec.place}.format, as dates: day-first; rows of another order are put aside.",
    )


def _example(store: Store, staged: Staged, cell: str, where: str) -> tuple[str, str]:
    """A cell with its line, and the file and line."""
    text, number, line = store.rows(
        f"SELECT {cell}, {staging.FILE}, {staging.ROW} FROM {staged.relation} WHERE {where} ORDER BY 2, 3 LIMIT 1"
    )[0]
    path = next(n.file.path for n in staged.files if n.no == number)
    return f"{text!r} in line {line}", f"{path}:{line}"


# ------------------------------------------------------------------- rates


def read_rates(store: Store, path: Path | None, root: Path, meter: Meter) -> bool:
    """Make the table of rates ``currency, day, rate``, empty where there is no file.

    Raises:
        SourceError: the file can't be read, or a row of it is no rate.
    """
    from shoal.sources import discover
    from shoal.sources.mapping import SourceSpec as Spec

    store.execute("CREATE OR REPLACE TEMP TABLE load_rates (currency VARCHAR, day INTEGER, rate DECIMAL(18, 9))")
    if path is None:
        return False
    spec = Spec("rates", str(path), place="rates")
    files = [staging.NumberedFile(0, file) for file in discover(str(path), root)]
    staged = staging.stage(store, spec, files, "load_staged_rates", meter)
    staging.check_columns(staged, [(c, "rates") for c in ("date", "currency", "rate")], [])
    names = {c.casefold(): c for c in staged.columns}
    how = Writing(times.zone_named("UTC"))
    day = convert.physical(staging.name(names["date"]), staged.columns[names["date"]], Kind.DATE, how)
    rate = f"TRY_CAST({staging.name(names['rate'])} AS DECIMAL(18, 9))"
    bad = store.rows(
        f"SELECT {staging.ROW} FROM {staged.relation} WHERE ({day}) IS NULL OR coalesce({rate} <= 0, true) "
        f"OR currency IS NULL ORDER BY 1 LIMIT 1"
    )
    if bad:
        raise SourceError(
            "This row is no rate.", place=f"{files[0].file.path}:{bad[0][0]}", fix="Write it as 2017-01-31,EUR,0.8512"
        )
    store.execute(
        f"INSERT INTO load_rates SELECT upper(trim(currency)), {day} AS day, arg_max({rate}, {staging.ROW}) "
        f"FROM {staged.relation} GROUP BY ALL"
    )
    return True


def check_names(sources: Mapping[str, SourceSpec], only: Iterable[str] | None) -> list[str]:
    """The names of the sources to load.

    Raises:
        UnknownName: one isn't there.
        ConfigError: there are no sources.
    """
    from shoal.errors import UnknownName

    if not sources:
        raise ConfigError("There are no sources.", place="sources", fix="Name where the data is, under sources:.")
    wanted = list(sources) if only is None else list(only)
    for name in wanted:
        if name not in sources:
            raise UnknownName("source", name, sources)
    return wanted
