"""The metrics of a workspace: its files ``metrics/*.yaml``, and those that ship, written for its data."""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass, field
from functools import lru_cache
from string import Template
from typing import TYPE_CHECKING

from shoal.errors import DefinitionError, ShoalError, UnknownName
from shoal.insight.metrics.reading import check_metric, only_watched, read_metric, read_watched
from shoal.insight.metrics.wording import Subject, horizons, words
from shoal.lang.files import file_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shoal.insight.metrics.definition import Metric
    from shoal.lang.schema import Schema

_PLACE = re.compile(r"\$([a-z_]+)")
_LACKING = {
    "order": "no order",
    "revenue": "no revenue",
    "revenue_ever": "no revenue",
    "order_revenue": "no revenue of orders",
    "margin": "no cost data",
    "margin_ever": "no cost data",
    "visit": "no page view, session or app opening",
    "activity": "nothing that customers do",
    "clicked": "no click on a message",
    "delivered": "no message that was sent",
    "refund": "no refund",
    "csat_event": "no answer on satisfaction",
    "nps_event": "no answer on recommending",
    "left": "nothing that says when a contract ends (contracts: in shoal.yaml)",
}
_NO_SESSION = "no page or screen that a customer saw, which sessions are made of"
_ORDER = (
    "revenue", "margin", "orders", "active-customers", "new-customers", "average-order-value", "revenue-per-customer",
    "median-revenue", "orders-per-customer", "repeat-purchase-rate", "returning-customer-rate", "retention-rate",
    "churn-silent", "churn-contractual", "refund-rate", "historic-value", "historic-margin", "predicted-value",
    "conversion-rate", "conversion-rate-sessions", "sessions", "engagement-rate", "bounce-rate",
    "single-page-bounce-rate", "stickiness", "click-through-rate", "click-through-rate-unique", "nps", "csat", "csat-mean",
)  # fmt: skip
"""The metrics that ship, as they are listed."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics there are.

    Args:
        definitions: by slug: the workspace's own by the names of their files, then those that ship.
        faults: of files that can't be accepted, by slug.
        lacking: those that ship and don't stand on this data, each with what it lacks.
        shipped: the slugs of those that ship, and that no file of the workspace stands in for.
    """

    definitions: Mapping[str, Metric]
    faults: Mapping[str, ShoalError] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)
    shipped: frozenset[str] = frozenset()

    def find(self, name: str) -> Metric:
        """The metric of a slug or display name.

        Raises:
            UnknownName: there is none, with the nearest known one.
            DefinitionError: it ships, and the data lacks what it is made of; or its file has a fault.
        """
        if name in self.definitions:
            return self.definitions[name]
        if name in self.faults:
            raise self.faults[name]
        if name in self.lacking:
            raise DefinitionError(
                f'The metric "{name}" doesn\'t stand on this data: {self.lacking[name]}.',
                fix=f"Load it, or write metrics/{name}.yaml of your own.",
            )
        named = [one for one in self.definitions.values() if one.name.casefold() == name.casefold()]
        if len(named) == 1:
            return named[0]
        raise UnknownName("metric", name, [*self.definitions, *(one.name for one in self.definitions.values())])


def folder_of(root: Path) -> Path:
    """Where a workspace keeps its metrics."""
    return root / "metrics"


def read_metrics(root: Path, schema: Schema, subject: Subject | None = None) -> Metrics:
    """Read and check all metric files, and write out those that ship.

    Args:
        root: the workspace's folder.
        schema: what they may name, with what is derived for metrics alone, as sessions.
        subject: what the workspace is about, for those that ship.
    """
    definitions: dict[str, Metric] = {}
    faults: dict[str, ShoalError] = {}
    lacking: dict[str, str] = {}
    shipped = _shipped(subject or Subject(), schema, lacking)
    for path in sorted(folder_of(root).glob("*.yaml")):
        try:
            ships = shipped.get(path.stem, lacking.get(path.stem))
            definitions[path.stem] = _read(path, str(path.relative_to(root)), schema, ships)
        except ShoalError as error:
            faults[path.stem] = error
    kept = {slug: one for slug, one in shipped.items() if slug not in definitions and slug not in faults}
    left = {slug: why for slug, why in lacking.items() if slug not in definitions and slug not in faults}
    return Metrics({**definitions, **kept}, faults, left, frozenset(kept))


def _read(path: Path, place: str, schema: Schema, ships: Metric | str | None) -> Metric:
    """A metric's file; ``ships`` is the metric of its name that ships, or what the data lacks for it."""
    text = file_text(path, place)
    if ships is not None and only_watched(text, place):
        if isinstance(ships, str):
            raise DefinitionError(
                f"The file adds to a metric that ships and doesn't stand on this data: {ships}.", place=place,
                fix="Load it, or say with of: what the metric is.",
            )  # fmt: skip
        return read_watched(text, ships, place=place)
    found = read_metric(text, slug=path.stem, place=place)
    check_metric(found, schema, text, place)
    return found


def _shipped(subject: Subject, schema: Schema, lacking: dict[str, str]) -> dict[str, Metric]:
    known, found = words(subject, schema), {}
    for slug in _ORDER:
        if slug == "predicted-value":
            for suffix, more in horizons(schema).items():
                found[f"{slug}-{suffix}"] = _written(f"{slug}-{suffix}", slug, {**known, **more})
            continue
        missing = next(
            (name for name in _PLACE.findall(_template(slug)) if name not in known and name in _LACKING), None
        )
        if missing is not None:
            lacking[slug] = _LACKING[missing]
            continue
        try:
            one = _written(slug, slug, known)
            check_metric(one, schema)
            found[slug] = one
        except DefinitionError as error:
            lacking[slug] = _NO_SESSION if '"Session"' in error.problem else error.problem.rstrip(".")
    return found


def _written(slug: str, template: str, known: Mapping[str, str]) -> Metric:
    text = Template(_template(template)).safe_substitute(known)
    return read_metric(text, slug=slug, place=f"the metric {slug}, which ships")


@lru_cache(maxsize=64)
def _template(slug: str) -> str:
    folder = importlib.resources.files("shoal.insight.metrics") / "library"
    return (folder / f"{slug}.yaml").read_text(encoding="utf-8")
