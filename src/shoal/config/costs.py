"""``attribution:`` and ``costs:`` in ``shoal.yaml``: what is credited with conversions, and what spend is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.config.models import days
from shoal.errors import ConfigError
from shoal.shapes import AttributionRule, CostRule
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = ("last", "first", "linear", "position", "time-decay", "markov")
"""As ``insight.attribution`` names them; said here too, so that reading settings imports no library."""
_AS_TOUCHES = "Name the events and their property, as touches: {Ad Clicked: channel}."


def attribution_from(value: object, place: str = "attribution") -> AttributionRule:
    """Read the section ``attribution:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    known = {"touches", "campaigns", "conversion", "value", "within", "model", "half_life"}
    section, usual = Section.of(value, place, known), AttributionRule()
    touches = _properties(section, "touches")
    if not touches:
        section.fail("", "`touches` is missing.", _AS_TOUCHES)
    return AttributionRule(
        touches=touches,
        campaigns=_properties(section, "campaigns"),
        conversion=section.text("conversion") or "",
        value=section.text("value") or "",
        days=days(section, "within") or usual.days,
        model=section.choice("model", MODELS, usual.model),
        half_life=days(section, "half_life") or usual.half_life,
    )


def costs_from(value: object, place: str = "costs") -> CostRule:
    """Read the section ``costs:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section, usual = Section.of(value, place, {"acquisition", "lead", "within"}), CostRule()
    inner = section.values.get("acquisition")
    bought = Section.of({} if inner is None else inner, section.at("acquisition"), {"channels", "campaigns"})
    if inner is not None and not (bought.has("channels") or bought.has("campaigns")):
        raise ConfigError(
            "Nothing says which spend is to win customers.", place=section.at("acquisition"),
            fix="Name channels or campaigns, as acquisition: {channels: [search, social]}; without it all spend is.",
        )  # fmt: skip
    return CostRule(
        channels=bought.texts("channels") or (),
        campaigns=bought.texts("campaigns") or (),
        lead=section.text("lead") or "",
        within=days(section, "within") or usual.within,
    )


def _properties(section: Section, key: str) -> Mapping[str, str | None]:
    """By event the property, None where none is named; a list names events that are channels themselves."""
    if not isinstance(section.values.get(key), dict):
        return dict.fromkeys(section.texts(key) or ())
    inner = Section(section.names(key), section.at(key))
    return {event: inner.text(event) or None for event in inner.values}
