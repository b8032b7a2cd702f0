"""Figures of metrics: by period, for everyone and for segments, broken down by what customers are or by what events say.

For each period all metrics, segments and groups are worked out together by the SQL engine, a row a customer; figures are
sums, means and covariances over those rows, so that an interval never takes rows of one customer for independent ones.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.metrics.definition import within
from shoal.insight.metrics.grouping import Groups
from shoal.insight.metrics.periods import before
from shoal.lang import nodes as n
from shoal.stats.experiments import arms
from shoal.stats.experiments.quantiles import ranks
from shoal.stats.intervals import Moments, mean_interval, wilson
from shoal.stats.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import pyarrow as pa

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.grouping import Dimension
    from shoal.insight.metrics.kept import Grounds, Kept
    from shoal.insight.metrics.periods import Period
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import CalendarUnit, Definition, Node

CONFIDENCE = 0.95
COLUMNS = (
    "metric", "period", "ends", "segment", "by", "group", "value", "low", "high", "n", "n_is", "unit", "better", "finished",
)  # fmt: skip
"""The columns of a table of figures."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Question:
    """What figures are asked for.

    Args:
        metrics: which.
        periods: over which, in order.
        grain: their length.
        segments: for these beside everyone; who is in at the end of each period counts.
        by: what figures are broken down by; None is nothing.
        everyone: whether everyone together is asked for too.
        unknown: the segments of which nothing can be said at an instant, as nothing was scored by then.
    """

    metrics: Sequence[Metric]
    periods: Sequence[Period]
    grain: CalendarUnit
    segments: Sequence[Definition] = ()
    by: Dimension | None = None
    everyone: bool = True
    unknown: Callable[[int], Collection[str]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``value`` is None where nothing can be said, ``low`` and ``high`` where it is no estimate."""

    metric: Metric
    period: Period
    segment: str | None
    group: str | None
    value: float | None
    low: float | None
    high: float | None
    n: int

    def row(self, by: str | None) -> dict[str, Any]:
        """A row of the table."""
        return {
            "metric": self.metric.slug, "period": _date(self.period.first), "ends": _date(self.period.last),
            "segment": self.segment, "by": by, "group": self.group, "value": self.value, "low": self.low,
            "high": self.high, "n": self.n, "n_is": "customers", "unit": self.metric.unit, "better": self.metric.better,
            "finished": self.period.finished,
        }  # fmt: skip


def figures(known: AsOf, question: Question, kept: Kept | None = None) -> pa.Table:
    """The figures, ordered by metric, segment (everyone first), group and period.

    Args:
        known: the store as of now.
        question: what is asked for.
        kept: figures of earlier questions, which are taken where nothing changed, and to which new ones are added.

    Raises:
        Refused: the breakdown doesn't suit a metric.
        DefinitionError, Unsupported: a metric doesn't stand on this data.
    """
    import pyarrow as pa

    groups = Groups.of(known, question)
    found = list(_found(known, question, groups, kept))
    if kept is not None:
        kept.save()
    place = {metric.slug: at for at, metric in enumerate(question.metrics)}
    segments: dict[str | None, int] = {None: -1}
    segments |= {one.slug: at for at, one in enumerate(question.segments)}
    found.sort(key=lambda f: (place[f.metric.slug], segments[f.segment], groups.place(f.group), f.period.first))
    by = None if question.by is None else question.by.name
    return pa.Table.from_pylist([one.row(by) for one in found], schema=_schema())


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {
        "period": pa.date32(), "ends": pa.date32(), "value": pa.float64(), "low": pa.float64(), "high": pa.float64(),
        "n": pa.int64(), "finished": pa.bool_(),
    }  # fmt: skip
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


# --------------------------------------------------------------------------- one period after another


@dataclass
class _Asked:
    """The nodes of one period, and which columns make up which metric."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def column(self, node: Node) -> str:
        """The column of a node; equal nodes share one."""
        for name, known in self.nodes.items():
            if known == node:
                return name
        name = f"n{len(self.nodes)}"
        self.nodes[name] = node
        return name


def _found(known: AsOf, question: Question, groups: Groups, kept: Kept | None) -> Iterator[Figure]:
    from shoal.insight.metrics.kept import Grounds

    over = any(period.finished for period in question.periods)
    # The labels of groups are those of now, and values of customers: neither is kept.
    grounds = Grounds(kept.store, known, question) if kept is not None and question.by is None and over else None
    for period in question.periods:
        if period.begin > known.at:
            raise Refused(
                f"The period from {_date(period.first)} hasn't begun.", fix="Ask for periods up to the present one."
            )
        if kept is not None and grounds is not None and period.finished:
            yield from _kept_or_found(known, question, period, kept, grounds)
        else:
            yield from _of_period(known, question, groups, period)


def _kept_or_found(known: AsOf, question: Question, period: Period, kept: Kept, grounds: Grounds) -> Iterator[Figure]:
    segments = [*([None] if question.everyone else []), *(one.slug for one in question.segments)]
    missing = []
    for metric in question.metrics:
        answers = [kept.get(grounds.key(metric, period, segment)) for segment in segments]
        there = [one for one in answers if one is not None]
        if len(there) < len(segments):
            missing.append(metric)
            continue
        yield from (Figure(metric, period, s, None, *one) for s, one in zip(segments, there, strict=True))
    if not missing:
        return
    left = replace(question, metrics=missing)
    for figure in _of_period(known, left, Groups.of(known, left), period):
        key = grounds.key(figure.metric, period, figure.segment)
        if key is not None:
            kept.put(key, (figure.value, figure.low, figure.high, figure.n))
        yield figure


def _of_period(known: AsOf, question: Question, groups: Groups, period: Period) -> Iterator[Figure]:
    asked = _Asked()
    window = n.Since(n.Instant(period.begin))
    cells = [_Cell.made(metric, label, window, asked, groups) for metric in question.metrics for label in groups.labels]
    segments = {one.slug: asked.column(n.MemberOf(one.slug)) for one in question.segments}
    of_customer = None if groups.node is None else asked.column(groups.node)
    with ExitStack() as stack:
        now = stack.enter_context(known.before(period.at(known.at)))
        table = stack.enter_context(now.columns(asked.nodes))
        joined = table
        if any(m.before is not None for m in question.metrics):
            joined = stack.enter_context(_with_earlier(known, question, period, table))
        unknown = question.unknown(now.at)
        for segment in [*([None] if question.everyone else []), *segments]:
            if segment in unknown:
                labels = [None] if groups.node is None else groups.known
                yield from (
                    Figure(c.metric, period, segment, at or c.label, None, None, None, 0)
                    for c in cells
                    for at in labels
                )
                continue
            for cell in cells:
                # What no metric asks of isn't joined: a year of a million customers would be copied twelve times.
                source = table if cell.metric.before is None else joined
                rows = source if segment is None else f"(SELECT * FROM {source} WHERE {segments[segment]})"
                yield from _figures(now, cell, rows, of_customer, segment, period, groups)


@contextmanager
def _with_earlier(known: AsOf, question: Question, period: Period, table: str) -> Iterator[str]:
    """The rows with what each customer fulfilled in the period before: ``b0`` and so on, false for who wasn't there yet."""
    last = before(period, question.grain, known.zone)
    window = n.Since(n.Instant(last.begin))
    asked = {f"b{at}": within(m.before, window) for at, m in enumerate(question.metrics) if m.before is not None}
    shown = "".join(f", coalesce(b.{name}, FALSE) AS {name}" for name in asked)
    with known.before(last.end - 1) as then, then.columns(asked) as found:
        yield f"(SELECT t.*{shown} FROM {table} t LEFT JOIN {found} b USING (k))"


@dataclass(frozen=True, slots=True)
class _Cell:
    """A metric, of one group of events or of all, over the columns of a period."""

    metric: Metric
    label: str | None
    value: str
    per: str | None
    counts: str
    """The SQL of which rows count."""

    @classmethod
    def made(cls, metric: Metric, label: str | None, window: n.Window, asked: _Asked, groups: Groups) -> _Cell:
        placed = {key: _placed(metric, key, label, window, groups) for key in ("of", "per", "among")}
        columns = {key: None if node is None else asked.column(node) for key, node in placed.items()}
        tests = [columns["among"]] if columns["among"] else []
        if metric.before is not None:
            tests.append(f"b{groups.question_place(metric)}")
        of = columns["of"]
        assert of is not None
        if metric.how in ("share", "count"):
            return cls(metric, label, f"CAST({of} AS DOUBLE)", None, " AND ".join(tests) or "TRUE")
        if metric.how == "ratio":
            # A customer with neither adds nothing to a ratio, and isn't behind it.
            tests.append(f"({of} <> 0 OR {columns['per']} <> 0)")
        return cls(metric, label, of, columns["per"], " AND ".join(tests) or "TRUE")


def _placed(metric: Metric, key: str, label: str | None, window: n.Window, groups: Groups) -> Node | None:
    node: Node | None = getattr(metric, key)
    if node is None:
        return None
    return within(node if label is None else groups.narrowed(metric, node, label), window)


# --------------------------------------------------------------------------- rows into figures


def _figures(
    now: AsOf, cell: _Cell, rows: str, column: str | None, segment: str | None, period: Period, groups: Groups
) -> Iterator[Figure]:
    group = None if column is None else groups.sql(column)
    key = group or "NULL"
    y, x = cell.value, cell.per or "NULL"
    table = now.arrow(
        f"SELECT {key} AS grp, count({y}) AS n, count(CASE WHEN {y} <> 0 THEN 1 END) AS some, sum({y}) AS total, "
        f"avg({y}) AS mean, var_samp({y}) AS var, avg({x}) AS per, var_samp({x}) AS var_per, covar_samp({y}, {x}) AS covar "
        f"FROM {rows} WHERE {cell.counts} GROUP BY ALL"
    )
    told = {row["grp"]: row for row in table.to_pylist()}
    asked = groups.known if group is not None else [None]
    for label in asked:
        row = told.get(label, _NOTHING)
        value, low, high, many = _estimate(cell.metric, row)
        if cell.metric.how == "quantile" and many:
            value, low, high = _quantile(now, cell, rows, group, label, many)
        yield Figure(cell.metric, period, segment, cell.label if label is None else label, value, low, high, many)


_NOTHING = {"n": 0, "some": 0, "total": None, "mean": None, "var": None, "per": None, "var_per": None, "covar": None}


def _estimate(metric: Metric, row: dict[str, Any]) -> tuple[float | None, float | None, float | None, int]:
    many = int(row["n"])
    if not metric.estimated:
        # Amounts are of millionths: what DOUBLE leaves behind them is no part of the sum.
        return round(float(row["total"] or 0.0), 6), None, None, int(row["some"])
    if not many:
        return None, None, None, 0
    if metric.how == "share":
        held = wilson(float(row["total"]), many, CONFIDENCE)
        return held.value, held.low, held.high, many
    if metric.how == "ratio":
        return (*_ratio(row, many), many)
    held = mean_interval(Moments(many, float(row["mean"]), float(row["var"] or 0.0)), CONFIDENCE)
    low, high = (end if isfinite(end) else None for end in (held.low, held.high))
    return held.value, low, high, many


def _ratio(row: dict[str, Any], many: int) -> tuple[float | None, float | None, float | None]:
    if not row["per"]:
        return None, None, None
    value = float(row["mean"]) / float(row["per"])
    if many < arms.LEAST:
        return value, None, None
    spread = np.array([[row["var"], row["covar"]], [row["covar"], row["var_per"]]], dtype=np.float64)
    found = arms.ratio(arms.Arm(many, np.array([row["mean"], row["per"]], dtype=np.float64), spread))
    half = t_quantile((1 + CONFIDENCE) / 2, many - 1) * sqrt(max(found.variance, 0.0))
    # Where customers don't differ at all, nothing says how far off the figure may be.
    return (value, value - half, value + half) if half > 0 else (value, None, None)


def _quantile(
    now: AsOf, cell: _Cell, rows: str, group: str | None, label: str | None, many: int
) -> tuple[float | None, float | None, float | None]:
    at = cell.metric.at or 0.5
    try:
        places = ranks(many, at, CONFIDENCE)
        asked = [places.low, places.middle, places.high]
    except Refused:
        asked = [max(0, int(np.ceil(many * at)) - 1)]
    test = cell.counts if group is None else f"{cell.counts} AND {group} IS NOT DISTINCT FROM {_text(label)}"
    listed = ", ".join(f"list_extract(v, {place + 1})" for place in asked)
    table = now.arrow(f"SELECT {listed} FROM (SELECT list_sort(list({cell.value})) AS v FROM {rows} WHERE {test})")
    found = [None if v is None else float(v) for v in table.to_pylist()[0].values()]
    return (found[1], found[0], found[2]) if len(found) > 1 else (found[0], None, None)


def _text(label: str | None) -> str:
    return "NULL" if label is None else "'" + label.replace("'", "''") + "'"


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


__all__ = ["COLUMNS", "Figure", "Question", "figures"]
