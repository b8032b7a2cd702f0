"""``feedback:`` and ``trials:`` in ``shoal.yaml``: where customers' words stand, and what was drawn by lot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.config.models import days
from shoal.errors import ConfigError
from shoal.shapes import CAMPAIGN_SENT, FeedbackRule, Trial
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS = ("win-back", "cross-sell", "upsell", "replenish", "thank", "ask")
"""What may be done, as ``insight.actions`` names it; said here too, so that reading settings imports no library."""
_DAYS = 14


def feedback_from(value: object, place: str = "feedback") -> FeedbackRule:
    """Read the section ``feedback:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, {"nps", "csat", "texts", "words"})
    words = {word.casefold(): _weight(section, word, given) for word, given in section.names("words").items()}
    return FeedbackRule(_properties(section, "nps"), _properties(section, "csat"), _properties(section, "texts"), words)


def _properties(section: Section, key: str) -> Mapping[str, tuple[str, ...]]:
    inner = Section(section.names(key), section.at(key))
    return {event: inner.texts(event) or () for event in inner.values}


def _weight(section: Section, word: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= 1:
        place = f"{section.at('words')}.{word}"
        raise ConfigError(f"{given!r} is no weight of a word.", place=place, fix="Write a number from -1 to 1.")
    return float(given)


def trials_from(value: object, place: str = "trials") -> tuple[Trial, ...]:
    """Read the section ``trials:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    if not isinstance(value, dict):
        raise ConfigError(
            "Expected trials, as `spring: {arm: group, control: holdout, action: win-back}`.", place=place
        )
    return tuple(_trial(str(name), inner, f"{place}.{name}") for name, inner in value.items())


def _trial(name: str, value: object, path: str) -> Trial:
    section = Section.of(value, path, {"event", "arm", "control", "treated", "action", "within", "only"})
    section.needed("action", f"Say what was done: {', '.join(ACTIONS)}.")
    control = section.texts("control") or ()
    if not control:
        section.fail("", "`control` is missing.", "Say which arm got nothing, as control: holdout.")
    treated = section.texts("treated") or ()
    if set(control) & set(treated):
        section.fail("treated", "An arm can't have got it and nothing.", "Name each arm once.")
    return Trial(
        name=name,
        event=section.text("event") or CAMPAIGN_SENT,
        arm=section.needed("arm", "Name the property that says who got it, as arm: group."),
        control=control,
        treated=treated,
        action=section.choice("action", ACTIONS, ""),
        days=days(section, "within") or _DAYS,
        only=section.pairs("only"),
    )
