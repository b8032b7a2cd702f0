"""``models:`` in ``shoal.yaml``: what is foretold, over which horizon, and what else a model takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shoal.errors import ConfigError
from shoal.insight.models.kinds import KINDS
from shoal.insight.models.model import Settings
from shoal.shapes import PERIOD_DAYS
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_DAYS = re.compile(r"(\d{1,4}) days?")
_PERIODS = re.compile(r"(\d{1,3}) (week|month|quarter|year)s?")
MOST_DAYS = 3650
_COMMON = {"kind", "horizon", "skip"}


def usual_models() -> dict[str, Settings]:
    """The models that a workspace has without asking."""
    return {name: Settings(name, name, known.horizon) for name, known in KINDS.items() if known.usual}


def models_from(value: object, place: str = "models") -> dict[str, Settings]:
    """Read the section ``models:``; the usual models stay, unless it says ``skip: true`` of one.

    Args:
        value: what stands there.
        place: the path of the section, which errors begin with.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    if not isinstance(value, dict):
        raise ConfigError("Expected models, as `value: {horizon: 365 days}`.", place=place)
    found = usual_models()
    for name, inner in value.items():
        section = _section(str(name), {} if inner is None else inner, f"{place}.{name}")
        if section.flag("skip"):
            found.pop(str(name), None)
        else:
            found[str(name)] = _model(str(name), section)
    return found


def _section(name: str, value: object, path: str) -> Section:
    if not _NAME.fullmatch(name):
        fix = "Use lower case letters, digits and _, as likes_wine: it becomes a part of the names of traits."
        raise ConfigError(f"{name!r} can't be the name of a model.", place=path, fix=fix)
    every = {key for keys in OPTIONS.values() for key in keys}
    return Section.of(value, path, _COMMON | every)


def _model(name: str, section: Section) -> Settings:
    kind = section.choice("kind", tuple(KINDS), name if name in KINDS else "")
    if not kind:
        section.fail("", "`kind` is missing.", f"Say what to foretell: {', '.join(KINDS)}.")
    known = OPTIONS[kind]
    for key in section.values:
        if key not in _COMMON and key not in known:
            section.fail(key, f"A model of the kind {kind!r} has no setting {key!r}.", _has(known))
    options = {key: read(section, key) for key, read in known.items() if section.has(key)}
    for key in NEEDED.get(kind, ()):
        if key not in options:
            section.fail("", f"`{key}` is missing.", NEEDED[kind][key])
    if "family" in options:
        return Settings(name, kind, *_in_periods(section, options))
    if "period" in options:
        section.fail(
            "period", "Only models with `family: bgbb` count in periods.", "Add family: bgbb, or leave it out."
        )
    return Settings(name, kind, days(section, "horizon") or KINDS[kind].horizon, options)


def _in_periods(section: Section, options: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The horizon in days at most, and the options with the number of periods: the two clocks are never mixed."""
    if "period" not in options:
        section.fail("", "`period` is missing.", "Say how often customers can buy, as period: year.")
    if options.get("process", "auto") != "auto":
        section.fail("process", "With `family: bgbb` there is no other process.", "Leave process out.")
    period = options["period"]
    said = section.text("horizon") or f"1 {period}"
    match = _PERIODS.fullmatch(said.strip())
    if match is None or match[2] != period or int(match[1]) < 1:
        section.fail(
            "horizon",
            f"{said!r} is not a number of {period}s: customers can buy once a {period} here.",
            f"Write it as 1 {period} or 3 {period}s.",
        )
    ahead = int(match[1])
    if ahead * PERIOD_DAYS[period] > MOST_DAYS + 366:
        section.fail("horizon", f"{said} is too far ahead.", "Look ten years ahead at most.")
    return ahead * PERIOD_DAYS[period], {**options, "ahead": ahead}


def _has(known: Mapping[str, Any]) -> str:
    return f"It has: horizon{''.join(f', {key}' for key in sorted(known))}."


def days(section: Section, key: str) -> int | None:
    """A number of days, as ``90 days``."""
    said = section.text(key)
    if said is None:
        return None
    match = _DAYS.fullmatch(said.strip())
    if match is None or not 1 <= int(match[1]) <= MOST_DAYS:
        section.fail(key, f"{said!r} is not a number of days from 1 to {MOST_DAYS}.", "Write it as 90 days.")
    return int(match[1])


def _share(section: Section, key: str) -> float:
    value = section.values[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        section.fail(key, f"{value!r} is not a share from 0 up to 1.", "Write 0.1 for 10 %.")
    return float(value)


def _basis(section: Section, key: str) -> str:
    return section.choice(key, ("revenue", "margin"), "revenue")


def _process(section: Section, key: str) -> str:
    return section.choice(key, ("auto", "BG/NBD", "MBG/NBD", "Pareto/NBD", "NBD"), "auto")


def _family(section: Section, key: str) -> str:
    return section.choice(key, ("bgbb",), "bgbb")


def _period(section: Section, key: str) -> str:
    return section.choice(key, tuple(PERIOD_DAYS), "year")


def _learner(section: Section, key: str) -> str:
    return section.choice(key, ("trees", "logistic"), "trees")


def _moment(section: Section, key: str) -> str:
    return section.choice(key, ("cuts", "now"), "cuts")


def _already(section: Section, key: str) -> str:
    return section.choice(key, ("leave out", "keep"), "leave out")


def _goods(section: Section, key: str) -> str:
    return section.choice(key, ("product", "category"), "product")


def _text(section: Section, key: str) -> str:
    return section.needed(key, "Write it in quotes.")


def _texts(section: Section, key: str) -> list[str]:
    return list(section.texts(key) or ())


def _whole(section: Section, key: str) -> int | None:
    return section.whole(key)


OPTIONS: Mapping[str, Mapping[str, Callable[[Section, str], Any]]] = {
    "value": {"of": _basis, "discount": _share, "process": _process, "family": _family, "period": _period},
    "churn": {"process": _process, "family": _family, "period": _period},
    "category": {"categories": _texts, "most": _whole, "without": _texts, "learner": _learner},
    "response": {"sent": _text, "answered": _text, "type": _text, "without": _texts, "learner": _learner},
    "reach": {"events": _texts, "sent": _texts, "answered": _texts, "within": days},
    "price": {},
    "replenish": {"of": _goods},
    "taste": {"half_life": days, "most": _whole},
    "needs": {"most": _whole},
    "outcome": {
        "predict": _text,
        "for": _text,
        "without": _texts,
        "learner": _learner,
        "at": _moment,
        "already": _already,
    },
}
"""What a model of each kind takes beside its horizon, and who reads it."""

NEEDED: Mapping[str, Mapping[str, str]] = {
    "outcome": {
        "predict": "Say in the segment language what will be so when the horizon has passed, as predict: 'plan is \"free\"'."
    },
}
"""What a model of a kind must be told, with the advice where it isn't."""
