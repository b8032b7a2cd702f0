"""``funnels:`` in ``shoal.yaml``: funnels that have a name, for the command and the report."""

from __future__ import annotations

import re

from shoal.errors import ConfigError, DefinitionError
from shoal.lang.parse import as_step, parse_events
from shoal.lang.slug import slug_of
from shoal.shapes import FunnelRule
from shoal.sources.section import Section

MOST_STEPS = 12
_TIME = re.compile(r"[1-9]\d{0,5} (second|minute|hour|day|week)s?")
_OF_EVENT = re.compile(r'\S+ of "[^"]+"')
_FIX = "Write a name with its steps, as checkout: {steps: [Product Added, Order Completed]}"


def funnels_from(value: object, place: str = "funnels") -> dict[str, FunnelRule]:
    """Read the section ``funnels:``. Whether there are such events only the data says.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    if not isinstance(value, dict):
        raise ConfigError("Expected funnels by name.", place=place, fix=_FIX)
    found: dict[str, FunnelRule] = {}
    slugs: dict[str, str] = {}
    for name, inner in value.items():
        at = f"{place}.{name}"
        if not isinstance(name, str) or not slug_of(name):
            raise ConfigError(f"{name!r} is no name for a funnel.", place=at, fix="Use letters, as checkout.")
        if (other := slugs.setdefault(slug_of(name), name)) != name:
            raise ConfigError(f"{name!r} and {other!r} are nearly one name.", place=at, fix="Name one otherwise.")
        found[name] = _funnel(Section.of(inner, at, {"steps", "within", "by", "order"}))
    return found


def _funnel(section: Section) -> FunnelRule:
    steps = section.texts("steps") or ()
    if not 2 <= len(steps) <= MOST_STEPS:
        section.fail("steps", f"A funnel has 2 to {MOST_STEPS} steps, not {len(steps)}.", _FIX)
    for index, step in enumerate(steps):
        _hold_step(step, f"{section.at('steps')}[{index}]")
    within = (section.text("within") or FunnelRule(steps).within).strip()
    if not _TIME.fullmatch(within):
        section.fail("within", f"{within!r} is not a time.", "Write it as 7 days, 12 hours or 30 minutes.")
    any_order = section.choice("order", _ORDERS, "strict") == "any"
    rule = FunnelRule(steps, within, section.text("by") or "", any_order)
    _hold_order(section, rule)
    return rule


_ORDERS = ("strict", "any")


def _hold_step(step: str, place: str) -> None:
    if not step.strip():
        raise ConfigError("The step is empty.", place=place, fix="Name an event.")
    try:
        parse_events(as_step(step))
    except DefinitionError as error:
        raise ConfigError(error.problem, place=place, fix=error.fix) from None


def _hold_order(section: Section, rule: FunnelRule) -> None:
    if not rule.any_order:
        return
    if _OF_EVENT.fullmatch(rule.by):
        section.fail(
            "by", "In any order there is no first step whose property could tell groups apart.", "Take a trait."
        )
    if len({parse_events(as_step(step)) for step in rule.steps}) < len(rule.steps):
        problem = "In any order one event would take two steps that are the same."
        section.fail("steps", problem, "Name each step once, or leave order: any out.")
