"""``tracking-plan.yaml``: which events there are, which properties and traits they bear, and of which types.

The file is optional. Where there is none, what the workspace has seen is the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.config.record import at_line, read_yaml
from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.lang.schema import Kind, PropertyType
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAN_NAME = "tracking-plan.yaml"
_WORDS = [kind.value for kind in Kind]
_WITHOUT_OBJECTS = [word for word in _WORDS if word != Kind.OBJECTS]


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """An event of the plan.

    Args:
        properties: the types that are fixed; a property that isn't named here may be of any.
        required: the properties that each such event bears.
    """

    properties: Mapping[str, PropertyType] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackingPlan:
    """What senders agreed on.

    Args:
        events: by name; an event that isn't named here is unknown.
        traits: types by name, those of accounts with the prefix ``account.``.
        strict: refuse what doesn't fit, instead of keeping and marking it.
    """

    events: Mapping[str, PlannedEvent] = field(default_factory=dict)
    traits: Mapping[str, Kind] = field(default_factory=dict)
    strict: bool = False


def read_plan(root: Path) -> TrackingPlan | None:
    """Read the tracking plan of a workspace; None where there is none.

    Raises:
        ConfigError: with file, line and fix.
    """
    path = root / PLAN_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        fix = f"Byte {error.start} can't be read."
        raise ConfigError("The file is not UTF-8.", place=str(path), fix=fix) from None
    return parse_plan(text, place=str(path))


def parse_plan(text: str, place: str = PLAN_NAME) -> TrackingPlan:
    """Read the text of a tracking plan.

    Raises:
        ConfigError: with file, line and fix.
    """
    document, lines = read_yaml(text, place)
    try:
        return _plan({} if document is None else document)
    except ConfigError as error:
        # Of a key at the top the place is the key alone.
        inner = ConfigError(error.problem, place=(error.place or "").removeprefix("."), fix=error.fix)
        raise at_line(inner, lines, place) from None


def write_plan(plan: TrackingPlan) -> str:
    """A plan as YAML that ``parse_plan`` reads."""
    import yaml

    accounts = {n.removeprefix(ACCOUNT_PREFIX): k for n, k in plan.traits.items() if n.startswith(ACCOUNT_PREFIX)}
    customers = {n: k for n, k in plan.traits.items() if not n.startswith(ACCOUNT_PREFIX)}
    document = {
        "strict": plan.strict,
        "events": {name: _event_document(event) for name, event in plan.events.items()},
        "traits": {name: kind.value for name, kind in customers.items()},
        "accounts": {name: kind.value for name, kind in accounts.items()},
    }
    found: str = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)
    return found


def _event_document(event: PlannedEvent) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, known in event.properties.items():
        more: dict[str, Any] = {"fields": {n: k.value for n, k in known.fields.items()}} if known.fields else {}
        more |= {"required": True} if name in event.required else {}
        found[name] = {"type": known.kind.value, **more} if more else known.kind.value
    found |= {name: {"required": True} for name in event.required if name not in event.properties}
    return {"properties": found} if found else {}


def _plan(document: object) -> TrackingPlan:
    top = Section.of(document, "", {"strict", "events", "traits", "accounts"})
    traits = _kinds(top, "traits")
    for name in traits:
        if name.startswith(ACCOUNT_PREFIX):
            fix = f"Write {name.removeprefix(ACCOUNT_PREFIX)} under accounts:."
            raise ConfigError("Traits of accounts have a place of their own.", place=f"traits.{name}", fix=fix)
    return TrackingPlan(
        {name: _event(value, f"events.{name}") for name, value in top.names("events").items()},
        traits | {ACCOUNT_PREFIX + name: kind for name, kind in _kinds(top, "accounts").items()},
        bool(top.flag("strict")),
    )


def _kinds(top: Section, key: str) -> dict[str, Kind]:
    return {name: _kind(kind, f"{key}.{name}", _WITHOUT_OBJECTS) for name, kind in top.names(key).items()}


def _event(value: object, path: str) -> PlannedEvent:
    if value is None:
        return PlannedEvent()
    section = Section.of(value, path, {"about", "properties"})
    section.text("about")
    properties: dict[str, PropertyType] = {}
    required: list[str] = []
    for name, inner in section.names("properties").items():
        known, needed = _property(inner, f"{path}.properties.{name}")
        if known is not None:
            properties[name] = known
        if needed:
            required.append(name)
    return PlannedEvent(properties, tuple(required))


def _property(value: object, path: str) -> tuple[PropertyType | None, bool]:
    """The type, where one is said, and whether each event must bear the property."""
    if not isinstance(value, dict):
        return PropertyType(_kind(value, path, _WORDS)), False
    section = Section.of(value, path, {"type", "required", "fields", "about"})
    section.text("about")
    required = bool(section.flag("required"))
    given = section.values.get("type")
    if given is None:
        return None, required
    kind = _kind(given, f"{path}.type", _WORDS)
    fields = {n: _kind(k, f"{path}.fields.{n}", _WITHOUT_OBJECTS) for n, k in section.names("fields").items()}
    if fields and kind is not Kind.OBJECTS:
        section.fail("fields", f"Only a list of objects has fields, and this is {kind.value}.", "Leave them out.")
    return PropertyType(kind, fields), required


def _kind(value: object, path: str, words: list[str]) -> Kind:
    # YAML takes a bare yes for true.
    word = Kind.YESNO.value if value is True else value
    if not isinstance(word, str) or word not in words:
        near = did_you_mean(nearest(word, words)) if isinstance(word, str) else None
        raise ConfigError(f"{value!r} is not a type.", place=path, fix=near or f"Use one of: {', '.join(words)}.")
    return Kind(word)
