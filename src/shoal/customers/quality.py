"""How good the rows of a load are: measures per source and column, scores, and thresholds that warn or stop.

Measures of a column, over the rows that were read (exact repetitions left out):

- ``completeness``: cells that hold something ÷ rows;
- ``validity``: cells of the column's type ÷ cells that hold something;
- ``uniqueness``: different values ÷ cells that hold something, for keys alone (ids of events that aren't grouped, owners
  of traits without a time, keys that other sources look up); exact;
- ``distinct``: how many different values, about (HyperLogLog, within some percent); not of times;
- ``outliers``: numbers beyond Q1 − 3 × IQR or Q3 + 3 × IQR ÷ numbers (Tukey's "far out"); none where IQR is 0; from a
  sample of about 200,000 rows at most; ids are no numbers in this sense;
- ``impossible``: dates before 1900 or from 2100 on, and times of events more than a day after now ÷ dates.

Measures of a source: ``rows``, ``duplicates`` (rows that repeat an earlier one exactly ÷ rows), ``quarantined`` (rows put
aside ÷ rows), ``orphans`` (rows whose key a lookup didn't find ÷ rows with a key, the worst lookup), ``freshness`` (days
from the newest event to now; of the newest consent, or day of spend, in a source without events),
``shrinkage`` (how much smaller, in bytes, the files are that were read again; a cut-off
export would take back what it lacks), ``gaps`` (days without an event between the first and the last; the note names the
longest), ``loss`` (of files that were read before: rows that can't be used and that weren't in quarantine before ÷ rows; not
counted are those that only wait for another row of their group).

Scores: a column's is validity × (1 + completeness) / 2, since a missing cell is often rightly so and a wrong one never. A
source's is the mean over the columns that its mapping uses × (1 − quarantined) × (1 − duplicates) × (1 − orphans). The
overall score is the mean over the sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.errors import ConfigError, QualityStop, did_you_mean, nearest
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shoal.customers.load.prepare import Prepared
    from shoal.customers.load.rows import Column, Rows
    from shoal.sql.store import Store

GOOD = ("score", "completeness", "validity", "uniqueness")
"""Measures of which more is better: a threshold is the least that is allowed."""
BAD = ("outliers", "impossible", "duplicates", "quarantined", "orphans", "freshness", "gaps", "shrinkage", "loss")
"""Measures of which less is better: a threshold is the most that is allowed."""

_SAMPLE = 200_000
_FENCE = 3
_EPOCH = date(1970, 1, 1)
_EARLIEST, _LATEST = ((date(year, 1, 1) - _EPOCH).days for year in (1900, 2100))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The values that stop a load, and those that warn, by measure; and those of single sources, which go first."""

    stop: Mapping[str, float] = field(default_factory=dict)
    warn: Mapping[str, float] = field(default_factory=dict)

    def over(self, own: Thresholds) -> Thresholds:
        """These thresholds with those of a source in their place, where it has any."""
        return Thresholds({**self.stop, **own.stop}, {**self.warn, **own.warn})

    def verdict(self, measure: str, value: float | None) -> str:
        """``ok``, ``warn`` or ``stop``."""
        if value is None:
            return "ok"
        for word, limits in (("stop", self.stop), ("warn", self.warn)):
            limit = limits.get(measure)
            if limit is not None and (value < limit if measure in GOOD else value > limit):
                return word
        return "ok"


DEFAULTS = Thresholds(stop={"shrinkage": 0.9, "loss": 0.5}, warn={"quarantined": 0.05})
"""What holds where ``shoal.yaml`` says nothing else."""

NUMBERS = Thresholds(warn={"validity": 0.5})
"""What holds besides for columns that must be numbers, as money and what is summed up."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured value.

    Args:
        source: the source.
        column: the column, None for the source as a whole.
        measure: its name.
        value: what was measured; None where there was nothing to measure.
        n: over how many rows or cells.
        verdict: ``ok``, ``warn`` or ``stop``.
        note: what a person should know of it.
    """

    source: str
    column: str | None
    measure: str
    value: float | None
    n: int
    verdict: str = "ok"
    note: str | None = None


@dataclass(slots=True)
class QualityReport:
    """All measures of a load."""

    measures: list[Measure]

    @property
    def score(self) -> float | None:
        """The mean of the sources' scores; None without sources."""
        found = [s for s in self.sources().values() if s is not None]
        return sum(found) / len(found) if found else None

    def sources(self) -> dict[str, float | None]:
        """The score of each source."""
        return {m.source: m.value for m in self.measures if m.measure == "score" and m.column is None}

    def of(self, source: str, column: str | None = None) -> dict[str, Measure]:
        """The measures of a source, or of one of its columns, by name."""
        return {m.measure: m for m in self.measures if m.source == source and m.column == column}

    def columns(self, source: str) -> list[str]:
        """The columns of a source, in its order."""
        return list(dict.fromkeys(m.column for m in self.measures if m.source == source and m.column is not None))

    @property
    def warnings(self) -> list[str]:
        """A sentence for each value beyond a threshold; rows put aside speak for themselves, each with its reason."""
        return [_sentence(m) for m in self.measures if m.verdict != "ok" and m.measure != "quarantined"]


def read_thresholds(given: Mapping[str, Any], place: str) -> Thresholds:
    """Read ``quality:`` of the workspace or of a source.

    Raises:
        ConfigError: a measure or value makes no sense.
    """
    known = (*GOOD, *BAD)
    found: dict[str, dict[str, float]] = {"stop": {}, "warn": {}}
    for word, limits in given.items():
        if word not in found:
            raise ConfigError(f"{word!r} is not a setting.", place=f"{place}.{word}", fix="Write stop: or warn:.")
        if not isinstance(limits, dict):
            raise ConfigError("Expected measures.", place=f"{place}.{word}", fix="As warn: {completeness: 0.95}")
        for measure, limit in limits.items():
            spot = f"{place}.{word}.{measure}"
            if measure not in known:
                near = did_you_mean(nearest(str(measure), known)) or f"There are: {', '.join(known)}."
                raise ConfigError(f"{measure!r} is not a measure.", place=spot, fix=near)
            if isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 0:
                raise ConfigError(f"{limit!r} is not a threshold.", place=spot, fix="Write a number, as 0.95.")
            found[word][measure] = float(limit)
    return Thresholds(found["stop"], found["warn"])


def judge(store: Store, prepared: Sequence[Prepared], thresholds: Thresholds, now: int) -> QualityReport:
    """Measure the rows of a load; counts of cells that aren't of their type go into each source's report too."""
    measures: list[Measure] = []
    for one in prepared:
        own = DEFAULTS.over(thresholds).over(read_thresholds(one.spec.quality, f"{one.spec.place}.quality"))
        numbers, strict = _numbers(one), NUMBERS.over(own)
        for m in list(_of_source(store, one, now)):
            limits = strict if m.column in numbers else own
            verdict = limits.verdict(m.measure, m.value)
            measures.append(Measure(m.source, m.column, m.measure, m.value, m.n, verdict, m.note))
    return QualityReport(measures)


def stop_or_warn(report: QualityReport) -> None:
    """Let a threshold stop the load.

    Raises:
        QualityStop: a value is beyond a threshold under ``stop:``.
    """
    stops = [m for m in report.measures if m.verdict == "stop"]
    if stops:
        more = f" {len(stops) - 1} other values are beyond their thresholds too." if len(stops) > 1 else ""
        raise QualityStop(
            f"{_sentence(stops[0])} The threshold says stop, so nothing was loaded.{more}",
            place=f"sources.{stops[0].source}",
            fix=f"Mend the data, or if it is as it should be, change quality: stop: {{{stops[0].measure}: …}} in shoal.yaml.",
        )


def record(store: Store, report: QualityReport, load: int) -> None:
    """Write the measures into the table ``quality``; inside the transaction of the load."""
    for m in report.measures:
        store.rows(
            "INSERT INTO quality VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [load, m.source, m.column, m.measure, m.value, m.n, m.verdict, m.note],
        )


def read_report(store: Store, load: int | None = None) -> QualityReport:
    """The measures of a load; None for the newest of each source."""
    which = (
        "load = (SELECT max(load) FROM quality AS o WHERE o.source = q.source)" if load is None else f"load = {load}"
    )
    rows = store.rows(
        f"SELECT source, col, measure, value, n, verdict, note FROM quality AS q WHERE {which} ORDER BY q.rowid"
    )
    return QualityReport([Measure(*row) for row in rows])


def _sentence(m: Measure) -> str:
    what = f"the column {m.column!r} of {m.source}" if m.column else m.source
    shown = (
        "unknown"
        if m.value is None
        else f"{m.value:,.0f} days"
        if m.measure in ("freshness", "gaps")
        else f"{m.value:.3f}"
    )
    return f"The {m.measure} of {what} is {shown}." + (f" {m.note}" if m.note else "")


# ------------------------------------------------------------------- measuring


def _of_source(store: Store, one: Prepared, now: int) -> Iterator[Measure]:
    name, rows, report = one.spec.name, one.rows, one.report
    counts = _count(store, rows)
    total = report.rows - report.dropped
    used = _used(one)
    scores = []
    outliers = _outliers(store, one, [c for c in rows.columns.values() if counts[c.name].typed], total)
    for column in rows.columns.values():
        cells = counts[column.name]
        found = list(_of_column(store, one, column, cells, total, now))
        yield from found
        if column.name in outliers:
            yield outliers[column.name]
        score = found[0].value
        if column.name.casefold() in used and score is not None:
            scores.append(score)
        if cells.known > cells.typed and column.name.casefold() in used:
            report.mistyped[column.name] = cells.known - cells.typed
    bad = {m.measure: m for m in _whole(store, one, now)}
    yield from bad.values()
    mean = sum(scores) / len(scores) if scores else 1.0
    for share in ("quarantined", "duplicates", "orphans"):
        mean *= 1 - (bad[share].value or 0.0) if share in bad else 1.0
    yield Measure(name, None, "score", mean if report.rows else None, report.rows)


@dataclass(frozen=True, slots=True)
class _Cells:
    known: int
    typed: int
    distinct: int | None
    least: int | None
    most: int | None


def _count(store: Store, rows: Rows) -> dict[str, _Cells]:
    """The cells of each column, in one look at each relation that has some."""
    found: dict[str, _Cells] = {}
    for relation, columns in _by_relation(rows, rows.columns.values()).items():
        measures = ", ".join(part for c in columns for part in _counters(c))
        values = store.rows(f"SELECT {measures} FROM {relation}")[0]
        found |= {c.name: _Cells(*values[5 * i : 5 * i + 5]) for i, c in enumerate(columns)}
    return found


def _by_relation(rows: Rows, columns: Iterable[Column]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for column in columns:
        found.setdefault(rows.cheapest(column), []).append(column)
    return found


def _counters(column: Column) -> list[str]:
    sized = column.kind in (Kind.DATE, Kind.INSTANT)
    return [
        f"count(CASE WHEN {column.known} THEN 1 END)",
        f"count({column.typed})",
        "NULL" if column.kind is Kind.INSTANT else f"approx_count_distinct({column.raw or column.physical})",
        f"min({column.physical})" if sized else "NULL",
        f"max({column.physical})" if sized else "NULL",
    ]


def _of_column(store: Store, one: Prepared, column: Column, cells: _Cells, total: int, now: int) -> Iterator[Measure]:
    """The measures of a column, its score first."""
    source, name = one.spec.name, column.name
    complete = cells.known / total if total else None
    valid = cells.typed / cells.known if cells.known else None
    score = None if complete is None else (1 if valid is None else valid) * (1 + complete) / 2
    yield Measure(source, name, "score", score, total)
    yield Measure(source, name, "completeness", complete, total)
    wrong = cells.known - cells.typed
    note = f"{wrong:,} cells aren't {column.kind.value}." if wrong else None
    yield Measure(source, name, "validity", valid, cells.known, note=note)
    if cells.distinct is not None:
        yield Measure(source, name, "distinct", float(cells.distinct), cells.known, note="About; by HyperLogLog.")
    if name.casefold() in _keys(one):
        yield _uniqueness(store, one, column, cells)
    if column.kind in (Kind.DATE, Kind.INSTANT) and cells.typed:
        yield _impossible(store, one, column, cells, now)


def _uniqueness(store: Store, one: Prepared, column: Column, cells: _Cells) -> Measure:
    ((different,),) = store.rows(f"SELECT count(DISTINCT {column.id}) FROM {one.rows.cheapest(column)}")
    share = different / cells.known if cells.known else None
    note = None if share in (None, 1.0) else f"{cells.known - different:,} cells repeat a key."
    return Measure(one.spec.name, column.name, "uniqueness", share, cells.known, note=note)


def _outliers(store: Store, one: Prepared, columns: list[Column], total: int) -> dict[str, Measure]:
    """The share of numbers that lie far out, by column, from a sample of the rows."""
    from shoal.customers.load.prepare import id_columns

    ids = {c.casefold() for c in id_columns(one.spec)}
    numbers = [c for c in columns if c.kind is Kind.NUMBER and c.name.casefold() not in ids]
    where = f"WHERE hash(__line) % {total // _SAMPLE + 1} = 0" if total > _SAMPLE else ""
    found: dict[str, Measure] = {}
    for relation, chosen in _by_relation(one.rows, numbers).items():
        shown = ", ".join(f"{c.physical} AS x{i}" for i, c in enumerate(chosen))
        store.execute(f"CREATE OR REPLACE TEMP TABLE load_sample AS SELECT {shown} FROM {relation} {where}")
        found |= {c.name: _far_out(store, one, c, f"x{i}") for i, c in enumerate(chosen)}
    return found


def _far_out(store: Store, one: Prepared, column: Column, x: str) -> Measure:
    low, high, n = store.rows(
        f"SELECT quantile_cont(CAST({x} AS DOUBLE), 0.25), quantile_cont(CAST({x} AS DOUBLE), 0.75), count({x}) "
        "FROM load_sample"
    )[0]
    if not n or low == high:
        return Measure(one.spec.name, column.name, "outliers", 0.0 if n else None, n)
    fence = _FENCE * (high - low)
    least, most = low - fence, high + fence
    far, smallest, largest = store.rows(
        f"SELECT count(*), min({x}), max({x}) FROM load_sample WHERE {x} < {least!r} OR {x} > {most!r}"
    )[0]
    note = None
    if far:
        note = (
            f"Values outside {least / 1e6:,.2f} to {most / 1e6:,.2f} reach from {smallest / 1e6:,.2f} to "
            f"{largest / 1e6:,.2f}."
        )
    return Measure(one.spec.name, column.name, "outliers", far / n, n, note=note)


def _impossible(store: Store, one: Prepared, column: Column, cells: _Cells, now: int) -> Measure:
    unit = 1 if column.kind is Kind.DATE else DAY
    earliest, latest = _EARLIEST * unit, _LATEST * unit
    if column.name.casefold() in {e.at.casefold() for e in one.spec.events}:
        latest = min(latest, (now + DAY) // DAY + 1 if unit == 1 else now + DAY)
    if cells.least is not None and cells.most is not None and cells.least >= earliest and cells.most < latest:
        return Measure(one.spec.name, column.name, "impossible", 0.0, cells.typed)
    ((wrong,),) = store.rows(
        f"SELECT count(*) FROM {one.rows.cheapest(column)} WHERE {column.physical} < {earliest} OR {column.physical} >= {latest}"
    )
    extremes = f"The dates reach from {_shown(cells.least, unit)} to {_shown(cells.most, unit)}."
    return Measure(one.spec.name, column.name, "impossible", wrong / cells.typed, cells.typed, note=extremes)


def _shown(value: int | None, unit: int) -> str:
    try:
        return str(_EPOCH + timedelta(days=(value or 0) // unit))
    except OverflowError:
        return "beyond the calendar"


def _whole(store: Store, one: Prepared, now: int) -> Iterator[Measure]:
    """The measures of a source as a whole."""
    source, report = one.spec.name, one.report
    read = report.rows + report.rejected
    yield Measure(source, None, "rows", float(read), read)
    before = sum(f.size_before for f in one.state.to_read)
    if before:
        size = sum(f.file.size for f in one.state.to_read if f.size_before)
        less = max(0.0, 1 - size / before)
        note = f"The files have {size:,} bytes instead of {before:,}, as if an export was cut off." if less else None
        yield Measure(source, None, "shrinkage", less, before, note=note)
    copies = None if report.repeated is None or not read else report.repeated / read
    uncounted = "Not counted: so many rows are looked at only under duplicates: drop, or where a threshold names them."
    yield Measure(source, None, "duplicates", copies, read, note=uncounted if report.repeated is None else None)
    ((aside,),) = store.rows(
        f"SELECT count(*) FROM (SELECT DISTINCT path, line FROM load_quarantined WHERE source = {quoted(source)})"
    )
    codes = store.rows(
        f"SELECT code, count(*) FROM load_quarantined WHERE source = {quoted(source)} GROUP BY code ORDER BY 2 DESC, 1"
    )
    note = ", ".join(f"{code}: {n:,}" for code, n in codes) or None
    yield Measure(source, None, "quarantined", aside / read if read else None, read, note=note)
    if any(f.known for f in one.state.to_read):
        yield _loss(store, one, aside)
    yield from _orphans(store, one)
    yield from _in_time(one, now)
    if not one.events:
        yield from _newest_other(store, one, now)


def _loss(store: Store, one: Prepared, aside: int) -> Measure:
    """Which share of the files that were read before can't be used any more. A bad export is no correction."""
    paths = ", ".join(quoted(f.file.path) for f in one.state.to_read if f.known)
    mine = f"source = {quoted(one.spec.name)} AND path IN ({paths}) AND code <> 'incomplete'"
    if not aside:
        return Measure(one.spec.name, None, "loss", 0.0, one.report.rows)
    numbers = ", ".join(str(n.no) for n in one.rows.staged.files if quoted(n.file.path) in paths)
    ((now, before, rows),) = store.rows(
        f"SELECT (SELECT count(*) FROM (SELECT DISTINCT path, line FROM load_quarantined WHERE {mine})), "
        f"(SELECT count(*) FROM (SELECT DISTINCT path, line FROM quarantine WHERE {mine} AND resolved IS NULL)), "
        f"(SELECT count(*) FROM {one.rows.base} WHERE __file IN ({numbers})) + "
        f"(SELECT count(*) FROM load_rejects WHERE {mine})"
    )
    more = max(0, now - before)
    note = f"{more:,} rows more than before can't be used, and what they brought would be taken back." if more else None
    if more:
        (code, path, line), *_ = store.rows(
            f"SELECT code, arg_min(path, line), min(line) FROM load_quarantined WHERE {mine} GROUP BY code "
            "ORDER BY count(*) DESC, code LIMIT 1"
        )
        note = f"{note} Most of them are {code}, as in {path}:{line}."
    return Measure(one.spec.name, None, "loss", more / rows if rows else None, rows, note=note)


def _orphans(store: Store, one: Prepared) -> Iterator[Measure]:
    worst: Measure | None = None
    for lookup in one.spec.lookup:
        asked, met = one.rows.orphans[lookup.place]
        with_key, lost = store.rows(
            f"SELECT count(CASE WHEN {asked} THEN 1 END), count(CASE WHEN {asked} AND NOT {met} THEN 1 END) "
            f"FROM {one.rows.relation}"
        )[0]
        if lost:
            one.report.orphans[lookup.source] = lost
        share = lost / with_key if with_key else None
        note = f"{lost:,} rows have a key that isn't in {lookup.source}." if lost else None
        if worst is None or (share or 0) > (worst.value or 0):
            worst = Measure(one.spec.name, None, "orphans", share, with_key, note=note)
    if worst:
        yield worst


def _newest_other(store: Store, one: Prepared, now: int) -> Iterator[Measure]:
    """Freshness of a source without events: from the newest consent, or from the end of the newest day of spend."""
    asked = [
        (plan.rows.relation, plan.condition, plan.rows.find(plan.map.at, plan.map.place).as_kind(Kind.INSTANT), 0)
        for plan in one.consents
        if plan.map.at is not None
    ]
    for spent in one.spend:
        day = spent.rows.find(spent.map.day, spent.map.place).as_kind(Kind.DATE)
        asked.append((spent.relation, spent.condition, f"CAST({day} AS BIGINT) * {DAY}", DAY))
    newest, total = None, 0
    for relation, condition, ts, lasts in asked:
        query = f"SELECT max({ts}) + {lasts}, count(*) FROM {relation} WHERE {condition} AND ({ts}) <= {now:d}"
        last, count = store.rows(query)[0]
        newest, total = max(filter(None, (newest, last)), default=None), total + count
    if newest is not None:
        yield Measure(one.spec.name, None, "freshness", max(0.0, (now - newest) / DAY), total)


def _in_time(one: Prepared, now: int) -> Iterator[Measure]:
    """Freshness and gaps, from how many events there are on each day."""
    source = one.spec.name
    found = [day for plan in one.events for day in plan.days]
    if not found:
        return
    total = sum(n for *_, n in found)
    days = sorted({day for day, *_ in found})
    newest = max(last for _, _, last, _ in found)
    yield Measure(source, None, "freshness", max(0.0, (now - newest) / DAY), total)
    empty, longest, after = 0, 0, days[0]
    for day, other in pairwise(days):
        empty += other - day - 1
        if other - day - 1 > longest:
            longest, after = other - day - 1, day
    note = f"The longest are {longest:,} days after {_shown(after, 1)}." if longest else None
    yield Measure(source, None, "gaps", float(empty), days[-1] - days[0] + 1, note=note)


def _used(one: Prepared) -> set[str]:
    """The columns that the mapping uses, in lower case."""
    from shoal.customers.load.prepare import used_columns

    used = {c.casefold() for c, _ in used_columns(one.spec, one.rows.columns)}
    return used or {c.casefold() for c in one.rows.columns}


def _numbers(one: Prepared) -> set[str]:
    """The columns that the mapping needs as numbers, and those of the files that they are made of."""
    from shoal.customers.load.prepare import needed_kinds

    needed = {c for c, kind in needed_kinds(one.spec) if kind is Kind.NUMBER and one.rows.has(c)}
    return {made.name for c in needed for made in one.rows.sources_of(one.rows.find(c, one.spec.place))}


def _keys(one: Prepared) -> set[str]:
    """The columns whose values should be unique, in lower case."""
    ids = {e.id.casefold() for e in one.spec.events if e.id and not e.group and e.when is None}
    owners = {t.owner.casefold() for t in one.spec.traits if t.at is None and not one.spec.events}
    return ids | owners
