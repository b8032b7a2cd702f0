"""Metrics of units that each have their own time: who entered an experiment when, and what came until when.

A metric is worked out for all units in one go by the SQL engine, and stays in the store: what is asked of it are sums.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from shoal.errors import DefinitionError
from shoal.insight.metrics.definition import within
from shoal.insight.metrics.reading import check_metric
from shoal.lang import nodes as n
from shoal.lang.parse_values import is_condition
from shoal.lang.tree import walk
from shoal.sql.columns import UNITS, Begun, Preceding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Node, Window

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a metric in ``UnitValues.table``: its value, what it is per, and both before the unit began."""

    value: str
    per: str | None = None
    prior: str | None = None
    prior_per: str | None = None

    @property
    def names(self) -> list[str]:
        """All that there are."""
        return [one for one in (self.value, self.per, self.prior, self.prior_per) if one is not None]


@dataclass(frozen=True, slots=True)
class UnitValues:
    """What each unit has of some metrics.

    Args:
        table: a temporary table of ``k`` and DOUBLE columns. NULL is a unit that doesn't count for the metric, or whose
            value is missing; of a share, 1 is yes and 0 no.
        columns: of each metric, by slug.
        kept: further columns of the units that the table has.
    """

    table: str
    columns: Mapping[str, Columns]
    kept: tuple[str, ...] = ()


@contextmanager
def of_units(
    known: AsOf, metrics: Sequence[Metric], units: str, *, prior: int | None = None, kept: tuple[str, ...] = ()
) -> Iterator[UnitValues]:
    """What each unit has of some metrics in its own time.

    Args:
        known: the store as of an instant.
        metrics: which.
        units: a relation of ``k`` (INTEGER, a number a row), ``who`` (INTEGER, a surviving customer's key), ``begin`` and
            ``t`` (BIGINT, instants): the metric is looked at over begin ≤ ts ≤ t.
        prior: so many microseconds before ``begin`` are looked at too, up to the instant before it.
        kept: further columns of the units that the values should stand beside, so that nobody need join them again.

    Yields:
        The values, gone afterwards.

    Raises:
        DefinitionError: a metric doesn't stand on this data.
        Unsupported: a metric asks for what units with a time of their own don't have, as a calendar window.
    """
    for metric in metrics:
        check_metric(metric, known.schema)
        if metric.before is not None:
            raise DefinitionError(
                f'The metric "{metric.slug}" asks what was in the period before, which a unit of its own time doesn\'t have.',
                fix="Take a metric without before:.",
            )
    number = next(_NUMBERS)
    asked = {slug: f"m{at}" for at, slug in enumerate(dict.fromkeys(m.slug for m in metrics))}
    by_slug = {m.slug: m for m in metrics}
    columns = {s: _columns(m, asked[s], prior=prior is not None) for s, m in by_slug.items()}
    if prior is None or all(_counts_events(metric) for metric in metrics):
        with _asked(known, by_slug, asked, units, f"units_{number}", prior, kept) as both:
            yield UnitValues(both, columns, kept)
        return
    earlier = f"units_{number}_before"
    shift = f"SELECT k, who, begin - {prior:d} AS begin, begin - 1 AS t FROM {units}"
    with (
        _asked(known, by_slug, asked, units, f"units_{number}", None, kept) as now,
        known.temporary(earlier, shift),
        _asked(known, by_slug, asked, earlier, f"units_{number}_prior") as then,
        known.temporary(f"units_{number}_both", _both(by_slug, asked, now, then)) as both,
    ):
        yield UnitValues(both, columns, kept)


_TIMELESS = (
    n.Events, n.Times, n.Number, n.Text, n.YesNo, n.Date, n.Instant, n.Property, n.LocalTime, n.Arithmetic, n.Negative, n.And,
    n.Or, n.Not, n.Compare, n.Between, n.In, n.Match, n.Known,
)  # fmt: skip
_FOLDS = ("count", "sum", "avg", "min", "max", "active days", "distinct")


def _counts_events(metric: Metric) -> bool:
    """Whether all that it asks is of events within its period: then the time before can be asked in the same pass."""
    return all(_is_of_events(node) for part in metric.nodes for node in walk(part))


def _is_of_events(node: Node) -> bool:
    if isinstance(node, n.Events):
        return node.newest is None and not node.of_account
    if isinstance(node, n.Aggregate):
        return node.window is None and node.fn in _FOLDS
    if isinstance(node, n.Did):
        return node.window is None
    return isinstance(node, _TIMELESS)


def _columns(metric: Metric, name: str, *, prior: bool) -> Columns:
    per = metric.per is not None
    return Columns(
        name,
        f"{name}_per" if per else None,
        f"{name}_prior" if prior else None,
        f"{name}_prior_per" if prior and per else None,
    )


def _both(metrics: Mapping[str, Metric], asked: Mapping[str, str], now: str, then: str) -> str:
    """Now beside then; what was nothing before the unit began is 0, as for a customer who wasn't there yet."""
    shown = ["n.*"]
    for slug, name in asked.items():
        shown.append(f"coalesce(p.{name}, 0) AS {name}_prior")
        if metrics[slug].per is not None:
            shown.append(f"coalesce(p.{name}_per, 0) AS {name}_prior_per")
    return f"SELECT {', '.join(shown)} FROM {now} n LEFT JOIN {then} p USING (k)"


@contextmanager
def _asked(
    known: AsOf,
    metrics: Mapping[str, Metric],
    asked: Mapping[str, str],
    units: str,
    table: str,
    prior: int | None = None,
    kept: tuple[str, ...] = (),
) -> Iterator[str]:
    """The columns of the metrics, with ``prior`` those of the time before too; a view, since it is a table with other types."""
    nodes: dict[str, Node] = {}
    shown = [f"c.{name}" for name in kept]
    for slug, metric in metrics.items():
        shown += [f"{sql} AS {column}" for column, sql in _shown(metric, asked[slug], nodes, Begun()).items()]
        if prior is not None:
            before = _shown(metric, f"{asked[slug]}_prior", nodes, Preceding(reach=prior))
            shown += [f"coalesce({sql}, 0) AS {column}" for column, sql in before.items()]
    with (
        known.columns(nodes, units=units, kept=kept) as found,
        known.viewed(table, f"SELECT c.k, {', '.join(shown)} FROM {found} c"),
    ):
        yield table


def _shown(metric: Metric, name: str, nodes: dict[str, Node], window: Window) -> dict[str, str]:
    """The SQL of a metric's columns over ``nodes``, to which its parts are added."""
    nodes[f"{name}_of"] = within(metric.of, window)
    value = f"c.{name}_of"
    if is_condition(metric.of):
        value = f"CAST({value} AS DOUBLE)"
    parts = {name: value}
    if metric.per is not None:
        nodes[f"{name}_per"] = within(metric.per, window)
        parts[f"{name}_per"] = f"c.{name}_per"
    if metric.among is not None:
        nodes[f"{name}_among"] = within(metric.among, window)
        parts = {column: f"CASE WHEN c.{name}_among THEN {sql} END" for column, sql in parts.items()}
    return parts


__all__ = ["UNITS", "Columns", "UnitValues", "of_units"]
