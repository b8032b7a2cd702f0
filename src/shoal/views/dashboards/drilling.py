"""From a mark to its customers: the condition of the segment language that holds for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shoal.insight.metrics.definition import within
from shoal.insight.metrics.grouping import OTHER, UNKNOWN
from shoal.lang import nodes as n
from shoal.lang.lex import quoted
from shoal.lang.show import show
from shoal.lang.tree import walk
from shoal.views.dashboards.answers import WHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.grouping import Dimension
    from shoal.lang.nodes import Condition

_EPOCH = date(1970, 1, 1)


def between(first: date, last: date) -> n.Period:
    """The window of whole dates, both in."""
    return n.Period(_day(first), _day(last + timedelta(days=1)))


def _day(at: date) -> n.Date:
    return n.Date((at - _EPOCH).days)


def of_metric(
    metric: Metric, first: date, last: date, *, segment: str = "", by: Dimension | None = None, group: str | None = None
) -> str:
    """The customers behind a metric's figure of a period; empty where no condition says who they are.

    Of a share they are those for whom it holds; else those who did what is counted, among those who count.

    Args:
        metric: which.
        first: the period's first date.
        last: its last one.
        segment: the slug of the segment whose figure it is.
        by: what the figure is broken down by.
        group: the group's name.
    """
    window = between(first, last)
    parts: list[Any] = [] if metric.among is None else [within(metric.among, window)]
    if metric.how in ("share", "count"):
        parts.append(within(metric.of, window))
    else:
        parts += [n.Did(_filtered(events, by, group), None, window) for events in _events(metric)[:1]]
    if by is not None and by.node is not None and group is not None:
        told = _held(by, group)
        if told is None:
            return ""
        parts.append(told)
    elif by is not None and (group in (OTHER, UNKNOWN) or metric.how in ("share", "count")):
        return ""
    if not all(map(_fixed, parts)):
        # Looked at now, "in last 30 days" would speak of other days than those of the figure.
        return ""
    return all_of([*parts, n.MemberOf(segment)] if segment else parts)


def _fixed(node: Any) -> bool:
    """Whether a condition holds for the same customers whenever it is asked."""
    windows = [window for one in walk(node) if (window := getattr(one, "window", None)) is not None]
    return all(isinstance(window, n.Period | n.Since) for window in windows) and not any(
        isinstance(one, n.DaysSinceEvent | n.Regularly) for one in walk(node)
    )


def all_of(parts: Sequence[Any]) -> str:
    """Conditions together, as text; empty where there is none."""
    flat = [part for one in parts for part in (one.parts if isinstance(one, n.And) else (one,))]
    kept = tuple({show(part, width=10_000): part for part in flat}.values())
    return show(n.And(kept) if len(kept) > 1 else kept[0], width=10_000) if kept else ""


def _events(metric: Metric) -> list[n.Events]:
    return [node.events for node in walk(metric.of) if isinstance(node, n.Aggregate | n.Did | n.DidFirst)]


def _filtered(events: n.Events, by: Dimension | None, group: str | None) -> n.Events:
    """The same events of a group's value alone."""
    if by is None or by.events != events.name or group is None or by.prop is None:
        return events
    said: Condition = n.Compare(n.Property(by.prop), "=", _literal(by, group))
    return replace(events, where=said if events.where is None else n.And((events.where, said)))


def _held(by: Dimension, group: str) -> Any:
    if group == OTHER or by.node is None:
        return None
    if group == UNKNOWN:
        return n.Known(by.node, known=False)  # type: ignore[arg-type]
    return n.Compare(by.node, "=", _literal(by, group))  # type: ignore[arg-type]


def _literal(by: Dimension, group: str) -> Any:
    from shoal.lang.parse import parse_value

    bare = by.kind.value in ("number", "yes/no")
    return parse_value(group.replace(",", "") if bare else quoted(group))


def narrowed(where: str, segment: str) -> str:
    """A condition for a segment's members alone.

    >>> narrowed("rfm_r = 5", "vip")
    'rfm_r = 5 and member of "vip"'
    """
    if not segment or not where:
        return where
    both = f"({where})" if " or " in where else where
    return f"{both} and member of {quoted(segment)}"


def linked(spec: dict[str, Any], where: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """A chart's definition whose rows bear the conditions of their customers.

    Args:
        spec: a Vega-Lite definition that holds its data.
        where: gives the condition of a row; empty where there is none.
    """
    for values in _data(spec):
        for row in values:
            if isinstance(row, dict) and (said := where(row)):
                row[WHERE] = said
    return spec


def _data(part: Any) -> Iterator[list[Any]]:
    """All lists of rows of a definition, wherever they stand."""
    if isinstance(part, dict):
        for key, inner in part.items():
            if key == "values" and isinstance(inner, list):
                yield inner
            elif key == "datasets" and isinstance(inner, dict):
                yield from (rows for rows in inner.values() if isinstance(rows, list))
            else:
                yield from _data(inner)
    elif isinstance(part, list):
        for one in part:
            yield from _data(one)
