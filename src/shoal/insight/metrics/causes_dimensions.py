"""By what a change of a metric is looked at where nobody says: traits and properties with few values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import ShoalError
from shoal.insight.metrics.grouping import dimension
from shoal.insight.metrics.wording import quoted
from shoal.lang import nodes as n
from shoal.lang.schema import Kind
from shoal.lang.tree import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.grouping import Dimension
    from shoal.insight.models.asof import AsOf
    from shoal.lang.schema import Schema

MOST_VALUES = 50
"""A trait or property with more values than this isn't looked at unless it is asked for."""
_MOST_DIMENSIONS = 12
_LIKE = {Kind.TEXT, Kind.YESNO}


def usual_dimensions(known: AsOf, metric: Metric) -> list[Dimension]:
    """What has few values: customers' traits, and properties of the one event that a metric counts.

    Args:
        known: the store as of the end of the later period.
        metric: of whose events properties are looked at, where it is a sum or ratio of one event.
    """
    found: list[Dimension] = []
    named = {at.name for node in metric.nodes for at in walk(node) if isinstance(at, n.Events)}
    (event,) = named if len(named) == 1 else ("",)
    held = known.events.get(event)
    if held is not None and metric.how in ("sum", "ratio"):
        texts = [name for name, prop in held.properties.items() if prop.kind in _LIKE]
        found += _few(known, [f"{_word(name)} of {quoted(event)}" for name in texts], known.schema)
    found += _few(known, [_word(trait.name) for trait in known.traits], known.schema)
    return found[:_MOST_DIMENSIONS]


def _few(known: AsOf, names: Sequence[str], schema: Schema) -> list[Dimension]:
    """Those whose values can be groups, and are few."""
    found = []
    for name in names:
        try:
            one = dimension(name, schema)
        except ShoalError:
            # A date or a list can't be groups: nobody asked for it.
            continue
        if 2 <= _values(known, one) <= MOST_VALUES:
            found.append(one)
    return found


def _values(known: AsOf, by: Dimension) -> int:
    """How many values it has."""
    if by.node is not None:
        with known.columns({"v": by.node}) as table:
            rows = known.arrow(f"SELECT count(DISTINCT v) AS many FROM {table}")
    else:
        event = known.events[by.events or ""]
        column = event.properties[by.prop or ""].col
        rows = known.arrow(f"SELECT count(DISTINCT {column}) AS many FROM ({known.event(event.name)})")
    return int(rows["many"][0].as_py())


def _word(name: str) -> str:
    return name if name.isidentifier() else f"`{name.replace('`', '``')}`"
