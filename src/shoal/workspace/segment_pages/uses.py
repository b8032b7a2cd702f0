"""Who uses a segment: other segments, metrics, experiments, pilots, dashboards and jobs that name it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shoal.insight.definitions import dependents
from shoal.lang.references import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.nodes import Definition, Node
    from shoal.workspace.opening import Workspace

SEGMENT, METRIC, EXPERIMENT, PILOT, DASHBOARD, JOB = "segment", "metric", "experiment", "pilot", "dashboard", "job"


def uses(ws: Workspace, segment: str) -> list[dict[str, Any]]:
    """What names a segment: each with kind, slug, name and how it uses it.

    Args:
        ws: the workspace.
        segment: name or slug.

    Raises:
        UnknownName: there is no such segment.
    """
    definition = ws.segments[segment]
    found = [*_segments(ws, definition), *_metrics(ws, definition), *_trials(ws, definition), *_files(ws, definition)]
    return [dict(zip(("kind", "slug", "name", "how"), one, strict=True)) for one in found]


_Use = tuple[str, str, str, str]


def _segments(ws: Workspace, definition: Definition) -> Iterator[_Use]:
    for slug in dependents(definition.slug, ws.definitions):
        yield SEGMENT, slug, ws.definitions[slug].name, "its condition names this segment"


def _metrics(ws: Workspace, definition: Definition) -> Iterator[_Use]:
    for metric in ws.metrics.catalogue().definitions.values():
        nodes = (metric.of, metric.per, metric.among, metric.before)
        if any(_names(node, definition) for node in nodes):
            yield METRIC, metric.slug, metric.name, "its definition names this segment"
        elif metric.alert is not None and not {definition.slug, definition.name}.isdisjoint(metric.alert.segments):
            yield METRIC, metric.slug, metric.name, "its alert watches this segment"


def _trials(ws: Workspace, definition: Definition) -> Iterator[_Use]:
    for experiment in ws.experiments.catalogue().definitions.values():
        if _names(experiment.population, definition):
            yield EXPERIMENT, experiment.slug, experiment.name, "who takes part is drawn from this segment"
    for pilot in ws.pilots.catalogue().definitions.values():
        if definition.slug in pilot.segments:
            yield PILOT, pilot.slug, pilot.name, "it is told for this segment"


def _names(node: Node | None, definition: Definition) -> bool:
    return node is not None and definition.slug in references(node).segments


def _files(ws: Workspace, definition: Definition) -> Iterator[_Use]:
    """Dashboards are read as they are written: a tile names a segment by its slug or in a condition."""
    import yaml

    for path in sorted((ws.config.root / "dashboards").glob("*.yaml")):
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(document, dict) and _said(document, definition):
            yield (
                DASHBOARD,
                path.stem,
                str(document.get("name", path.stem)),
                "a tile or a filter of it is of this segment",
            )
    for job in ws.config.jobs.values():
        if _said(job.options, definition):
            yield JOB, job.name, job.name, "it works on this segment"


def _said(document: Any, definition: Definition) -> bool:
    """Whether a document holds the slug as a text of its own, or within a condition, in quotation marks."""
    told = json.dumps(document, default=str)
    return f'"{definition.slug}"' in told or f'\\"{definition.slug}\\"' in told
