"""Metric files: ``metrics/SLUG.yaml`` read, each fault at its place in the file.

name: Average order value
unit: money
better: higher
as: ratio
of: sum(revenue of "Order Completed")
per: count("Order Completed")
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shoal.errors import DefinitionError, did_you_mean, nearest
from shoal.insight.metrics.cases import read_cases
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.watching_reading import read_alert, read_target
from shoal.lang.check import faults, type_of
from shoal.lang.parse import parse, parse_value
from shoal.lang.parse_values import is_condition
from shoal.lang.schema import Kind
from shoal.lang.slug import hold_slug
from shoal.lang.yaml_tree import Sheet

if TYPE_CHECKING:
    from shoal.lang.nodes import Node
    from shoal.lang.schema import Schema
    from shoal.lang.yaml_tree import Entry

KEYS = (
    "name", "why", "owner", "unit", "better", "as", "of", "per", "at", "among", "before", "definition", "target", "alert",
    "tests",
)  # fmt: skip
"""The keys of a metric file."""
UNITS = ("money", "count", "share", "score", "days", "number")
BETTER = ("higher", "lower", "neither")
HOW = ("sum", "count", "mean", "share", "ratio", "quantile")
_NEEDED = {"name": "…", "unit": "money", "as": "sum", "of": 'count("Order Completed")'}
_PARTS = ("of", "per", "among", "before")


def read_metric(text: str, *, slug: str, place: str) -> Metric:
    """Read a metric file.

    Args:
        text: what the file holds.
        slug: the file's name without its ending.
        place: the file's path, for messages.

    Raises:
        DefinitionError: with the file and the line of the fault.
    """
    hold_slug(slug, place)
    sheet = Sheet(text, place)
    entries = sheet.entries(KEYS)
    for key, example in _NEEDED.items():
        if key not in entries:
            raise DefinitionError(f"The metric has no '{key}'.", place=place, fix=f"Add: {key}: {example}")
    how = _choice(sheet, entries["as"], HOW)
    _hold_parts(sheet, entries, how)
    parts = {key: _part(sheet, entries[key], condition=_asks(key, how)) for key in _PARTS if key in entries}
    name = sheet.text(entries["name"]).strip()
    if not name:
        raise sheet.fault("The name is empty.", entries["name"], "Write the name that people should see.")
    fields = {**parts, **_watched(sheet, entries, how)}
    return Metric(
        slug=slug,
        name=name,
        unit=_choice(sheet, entries["unit"], UNITS),
        better=_choice(sheet, entries["better"], BETTER) if "better" in entries else "higher",
        how=how,
        at=_quantile(sheet, entries["at"]) if "at" in entries else None,
        told=sheet.text(entries["definition"]) if "definition" in entries else "",
        **fields,
    )


_WATCHED = ("why", "owner", "target", "alert", "tests")
"""The keys that a file has which watches or tests a metric that ships, and doesn't define one."""


def only_watched(text: str, place: str) -> bool:
    """Whether a file says nothing of what a metric is.

    Raises:
        DefinitionError: it is no YAML mapping.
    """
    sheet = Sheet(text, place)
    return {str(getattr(key, "value", "")) for key, _ in sheet.root.value} <= set(_WATCHED)


def read_watched(text: str, metric: Metric, *, place: str) -> Metric:
    """A metric that ships, with the target, alert, tests, owner and reason that a file of its name gives it.

    Args:
        text: what the file holds.
        metric: the one that ships.
        place: the file's path, for messages.

    Raises:
        DefinitionError: with the file and the line of the fault.
    """
    sheet = Sheet(text, place)
    return replace(metric, **_watched(sheet, sheet.entries(_WATCHED), metric.how))


def _watched(sheet: Sheet, entries: dict[str, Entry], how: str) -> dict[str, Any]:
    fields: dict[str, Any] = {key: sheet.text(entries[key]) for key in ("why", "owner") if key in entries}
    if "target" in entries:
        fields["target"] = read_target(sheet, entries["target"], how=how)
    if "alert" in entries:
        fields["alert"] = read_alert(sheet, entries["alert"], how=how)
    if "tests" in entries:
        fields["cases"] = read_cases(sheet, entries["tests"])
    return fields


def _asks(key: str, how: str) -> bool:
    """Whether a condition stands there, and not a value."""
    return key in ("among", "before") or (key == "of" and how in ("share", "count"))


def _hold_parts(sheet: Sheet, entries: dict[str, Entry], how: str) -> None:
    for key, needing, of in (("per", "ratio", "what the sum is divided by"), ("at", "quantile", "0.5 for the median")):
        if how == needing and key not in entries:
            raise sheet.fault(f"A {needing} has '{key}' too.", entries["as"], f"Add: {key}: {of}")
        if how != needing and key in entries:
            raise sheet.fault(f"Only a {needing} has '{key}'.", entries[key], f"Take it away, or write as: {needing}.")


def _choice(sheet: Sheet, entry: Entry, known: tuple[str, ...]) -> Any:
    given = sheet.text(entry)
    if given not in known:
        fix = did_you_mean(nearest(given, known)) or f"Write one of {', '.join(known)}."
        raise sheet.fault(f"{given!r} can't stand here.", entry, fix)
    return given


def _quantile(sheet: Sheet, entry: Entry) -> float:
    try:
        at = float(str(getattr(entry, "value", "")))
    except ValueError:
        at = 0.0
    if not 0 < at < 1:
        raise sheet.fault(
            "A quantile lies between 0 and 1.", entry, "Write 0.5 for the median, 0.9 for the ninth decile."
        )
    return at


def _part(sheet: Sheet, entry: Entry, *, condition: bool) -> Node:
    text = sheet.text(entry)
    try:
        return parse(text, periodic=True) if condition else parse_value(text)
    except DefinitionError as error:
        raise sheet.moved(error, entry, text) from None


def check_metric(metric: Metric, schema: Schema, text: str | None = None, place: str | None = None) -> None:
    """Raise the first fault of a metric against the names and types there are.

    Args:
        metric: what was read.
        schema: the names and types.
        text: what its file holds, so that a fault is shown at its place there.
        place: the file's path.

    Raises:
        DefinitionError: an unknown name, or a value that isn't a number where one is summed.
    """
    for key in _PARTS:
        node = getattr(metric, key)
        if node is None:
            continue
        try:
            _hold(node, schema)
        except DefinitionError as error:
            raise _shown(error, key, text, place or f"metric {metric.slug}") from None


def _hold(node: Node, schema: Schema) -> None:
    if is_condition(node):
        for fault in faults(node, schema):
            raise fault
    elif type_of(node, schema) is not Kind.NUMBER:  # type: ignore[arg-type]
        raise DefinitionError("A metric is made of numbers, and this is none.", fix="Count or sum something.")


def _shown(error: DefinitionError, key: str, text: str | None, place: str) -> DefinitionError:
    if text is None:
        error.place = place if error.place is None else error.place
        return error
    sheet = Sheet(text, place)
    entry = sheet.entries(KEYS)[key]
    return (
        sheet.moved(error, entry, sheet.text(entry))
        if error.start is not None
        else sheet.fault(error.problem, entry, error.fix)
    )
