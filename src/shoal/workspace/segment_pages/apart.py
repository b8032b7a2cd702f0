"""What makes a segment different: attributes that are over- or under-represented, and how its members behave."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.distinct import differences
from shoal.lang.parse import parse
from shoal.lang.references import event_names, references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.discovery.features import Feature
    from shoal.insight.discovery.profile import Trait
    from shoal.lang.nodes import Definition
    from shoal.workspace.opening import Workspace

MOST = 40
"""So many differences are told at most."""
TOLD_FROM = 0.1
"""Standard deviations, or Cohen's h, below which a difference of behaviour isn't worth a line."""


def apart(ws: Workspace, segment: str) -> list[dict[str, Any]]:
    """Traits in which members differ from all others by more than chance, the largest effect first.

    Whatever the definition rests on is left out. Each level of a trait is told, not only the one that differs most.

    Args:
        ws: the workspace.
        segment: name or slug.

    Raises:
        UnknownName: there is no such segment.
    """
    definition = ws.segments[segment]
    found = ws.segments.evaluate([definition.slug])
    try:
        told = differences(
            ws.store, found, ws.definitions, ws.config.revenue, most=MOST, every_level=True
        )[definition.slug]  # fmt: skip
    finally:
        found.close()
    return [asdict(one) | {"difference": one.difference._asdict(), "lift": one.lift and one.lift._asdict()}
            for one in told]  # fmt: skip


def behaviour(ws: Workspace, segment: str) -> dict[str, Any]:
    """What members do more or less than all others: orders, spend, times, tastes, channels, as micro-segments look at them.

    Traits that were loaded aren't among it: ``apart`` tells of those.

    Args:
        ws: the workspace.
        segment: name or slug.

    Returns:
        ``window`` (days looked back) and ``differences``: each with says, level, theme, unit, kind (``difference`` in
        standard deviations, ``lift`` of shares), effect, value, low, high, segment, others (median or share), known, and
        ``built``: whether the definition itself asks for the same event or trait, so that some difference is certain.

    Raises:
        UnknownName: there is no such segment.
        Refused: too few are in it or outside, or nothing is known that tells customers apart.
    """
    from shoal.insight.discovery.features import features, span_of
    from shoal.insight.discovery.personas import well_known
    from shoal.insight.discovery.prepare import make_plan
    from shoal.insight.discovery.profile import profiles
    from shoal.insight.discovery.reading import read
    from shoal.insight.models.kinds import needing

    definition = ws.segments[segment]
    with needing(), ws.models.as_of() as known:
        span = span_of(known, 0)
        columns, _ = features(known, span)
        inside = known.holds({definition.slug: definition})[definition.slug]
        if min(int(inside.sum()), int((~inside).sum())) < 2:
            raise Refused("Too few customers are in it, or outside it, to hold them against each other.")
        if not columns:
            raise Refused("Nothing is known that tells customers apart.", fix="Load orders, or traits of customers.")
        table = read(known, columns).table
        labels = np.where(inside, 0, 1).astype(np.int64)
        traits = profiles(table, make_plan(table), labels, 2)[0]
    by_name = {one.name: one for one in columns}
    built = _Built(ws, definition)
    size = int(inside.sum())
    told = [
        _told(one, by_name[one.column], built) | _means(table.numbers.get(one.column), inside)
        for one in traits
        if by_name[one.column].theme != "demographics" and well_known(one.known, size) and _is_told(one)
    ]
    return {"window": span.window, "differences": told[:MOST]}


def _is_told(trait: Trait) -> bool:
    """Whether a difference is worth a line, and not explained by chance."""
    if abs(trait.effect) < TOLD_FROM:
        return False
    neutral = 0.0 if trait.kind == "difference" else 1.0
    return trait.value is None or not trait.value.low <= neutral <= trait.value.high


def _told(trait: Trait, feature: Feature, built: _Built) -> dict[str, Any]:
    value = trait.value
    return {
        "says": feature.says, "level": trait.level, "theme": feature.theme, "unit": feature.unit, "kind": trait.kind,
        "effect": trait.effect, "value": value and float(value.value), "low": value and float(value.low),
        "high": value and float(value.high), "segment": trait.segment, "others": trait.others, "known": trait.known,
        "built": built.asks(feature),
    }  # fmt: skip


def _means(values: Any, inside: Any) -> dict[str, float | None]:
    """The means inside and outside; of what most never did the medians are 0 on both sides."""
    if values is None:
        return {"mean": None, "mean_others": None}
    mine, others = (float(np.nanmean(values[rows])) for rows in (inside, ~inside))
    return {"mean": mine, "mean_others": others}


class _Built:
    """What a definition rests on, segments that it names included."""

    def __init__(self, ws: Workspace, definition: Definition) -> None:
        self._names = list(ws.schema.events)
        held = list(_resting(ws, definition, set()))
        self._traits = {trait for refs in held for trait in refs.traits}
        self._events = {one for refs in held for name in refs.events for one in event_names(name, self._names)}
        if self._traits & ws.schema.scores:
            # What is computed rests on orders and money.
            self._events |= set(ws.config.revenue.names)

    def asks(self, feature: Feature) -> bool:
        """Whether the definition asks for the event or trait that a feature is of."""
        refs = references(parse(f"{feature.text} is known"))
        events = {one for name in refs.events for one in event_names(name, self._names)}
        return bool(events & self._events or refs.traits & self._traits)


def _resting(ws: Workspace, definition: Definition, seen: set[str]) -> Iterator[Any]:
    refs = references(definition)
    yield refs
    for slug in refs.segments - seen:
        seen.add(slug)
        if slug in ws.definitions:
            yield from _resting(ws, ws.definitions[slug], seen)
