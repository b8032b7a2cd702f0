"""The rules of identity, as ``identity:`` in ``shoal.yaml`` says them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_ID = "user_id"
ANONYMOUS_ID = "anonymous_id"
EMAIL = "email"
PHONE = "phone"
DEVICE_ID = "device_id"

MOVE, STAY = "move", "stay"

EVERY_KIND = "any"
"""In ``blocked:`` the name under which patterns for every kind stand."""


@dataclass(frozen=True, slots=True)
class KindRule:
    """What holds for one kind of identifier.

    Args:
        name: the kind, as ``email``.
        cap: how many values of it one customer may bear.
        conflict: what happens to a value of another customer that may not be merged: ``move`` re-points it to the
            customer of the call from then on, ``stay`` leaves it.
        shared: seen with more user ids than this, a value is set aside; None for never.
    """

    name: str
    cap: int = 20
    conflict: str = STAY
    shared: int | None = None


DEFAULT_KINDS = (
    KindRule(USER_ID, cap=1),
    KindRule(EMAIL, cap=3),
    KindRule(PHONE, cap=3),
    KindRule(ANONYMOUS_ID, cap=1000, conflict=MOVE, shared=10),
    KindRule(DEVICE_ID, cap=20, conflict=MOVE, shared=10),
)


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """Who is one customer, and what never says so.

    Args:
        kinds: in order of priority; the first decides. A kind that isn't here (an external id of any name) comes after
            them, in the order of names, with the default cap.
        blocked: patterns with ``*`` of values that identify nobody, by kind, or under ``any`` for every kind.
        region: the country of phone numbers without a country code, as ``GB``; None refuses those.
        traits: the traits whose values identify, each with the kind.
    """

    kinds: tuple[KindRule, ...] = DEFAULT_KINDS
    blocked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    region: str | None = None
    traits: Mapping[str, str] = field(default_factory=lambda: {EMAIL: EMAIL, PHONE: PHONE})

    def kind(self, name: str) -> KindRule:
        """The rule of a kind; that of an unknown one is the default."""
        return next((rule for rule in self.kinds if rule.name == name), KindRule(name))


def rules_from(value: object, place: str = "identity") -> IdentityRules:
    """Read the section ``identity:``.

    Args:
        value: what stands there.
        place: the path of the section, which errors begin with.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, {"kinds", "blocked", "shared", "region", "traits"})
    kinds = _shared(section, _kinds(section))
    return IdentityRules(
        kinds=kinds,
        blocked=_blocked(section, {rule.name for rule in kinds}),
        region=_region(section),
        traits=_traits(section, {rule.name for rule in kinds}),
    )


def _kinds(section: Section) -> tuple[KindRule, ...]:
    """The kinds named, in their order, then the standard ones that aren't."""
    given = section.names("kinds")
    usual = {rule.name: rule for rule in DEFAULT_KINDS}
    named = [_kind(name, inner, f"{section.at('kinds')}.{name}", usual) for name, inner in given.items()]
    if USER_ID in given and next(iter(given)) != USER_ID:
        raise ConfigError(
            f"{USER_ID} must come first: it says who a customer is, and the others only point to one.",
            place=f"{section.at('kinds')}.{USER_ID}",
            fix="Move it to the top of kinds:, or leave it out.",
        )
    rest = [rule for rule in DEFAULT_KINDS if rule.name not in given]
    first = [rule for rule in rest if rule.name == USER_ID]
    return (*first, *named, *(rule for rule in rest if rule.name != USER_ID))


def _kind(name: str, value: object, path: str, usual: Mapping[str, KindRule]) -> KindRule:
    if name not in usual and (near := nearest(name, usual, most=1)) and _alike(name, near[0]):
        raise ConfigError(f"{name!r} is not a usual kind.", place=path, fix=did_you_mean(near))
    rule = usual.get(name, KindRule(name))
    if value is None:
        return rule
    inner = Section.of(value, path, {"cap", "conflict"})
    cap = inner.whole("cap")
    conflict = inner.choice("conflict", (MOVE, STAY), rule.conflict)
    return replace(rule, cap=rule.cap if cap is None else cap, conflict=conflict)


def _alike(name: str, near: str) -> bool:
    """Whether a name is a standard one in other dress or a slip of a letter: an external id is called otherwise."""
    plain, other = (text.casefold().replace("_", "").replace("-", "").replace(" ", "") for text in (name, near))
    return plain == other or (len(plain) == len(other) and sum(a != b for a, b in zip(plain, other, strict=True)) <= 2)


def _shared(section: Section, kinds: tuple[KindRule, ...]) -> tuple[KindRule, ...]:
    given = section.names("shared")
    path = section.at("shared")
    _must_be_kinds(given, {rule.name for rule in kinds} - {USER_ID}, path)
    inner = Section(dict(given), path)
    changed = {name: None if value == "never" or value is False else inner.whole(name) for name, value in given.items()}
    return tuple(replace(r, shared=changed[r.name]) if r.name in changed else r for r in kinds)


def _blocked(section: Section, known: set[str]) -> dict[str, tuple[str, ...]]:
    value = section.values.get("blocked")
    if value is None:
        return {}
    if not isinstance(value, dict):
        return {EVERY_KIND: _patterns(section, "blocked")}
    given = section.names("blocked")
    path = section.at("blocked")
    _must_be_kinds(given, known | {EVERY_KIND}, path)
    inner = Section(dict(given), path)
    return {name: _patterns(inner, name) for name in given}


def _patterns(section: Section, key: str) -> tuple[str, ...]:
    patterns = section.texts(key) or ()
    for index, pattern in enumerate(patterns):
        if not pattern.strip("* "):
            raise ConfigError(
                f"{pattern!r} would block every value.",
                place=f"{section.at(key)}[{index}]",
                fix="Write what the values have in common, as test@*.",
            )
    return patterns


def _region(section: Section) -> str | None:
    region = section.text("region")
    if region is None:
        return None
    from phonenumbers import SUPPORTED_REGIONS

    if region not in SUPPORTED_REGIONS:
        example = region.upper() if region.upper() in SUPPORTED_REGIONS else "GB"
        section.fail("region", f"{region!r} is not a country.", f"Use the two capital letters of one, as {example}.")
    return region


def _traits(section: Section, known: set[str]) -> Mapping[str, str]:
    if not section.has("traits"):
        return IdentityRules().traits
    given: dict[str, Any] = section.pairs("traits")
    for trait, kind in given.items():
        _must_be_kinds([kind], known, section.at("traits"), at=trait)
    return given


def _must_be_kinds(names: Any, known: set[str], path: str, *, at: str | None = None) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{name!r} is not a kind of identifier.",
                place=f"{path}.{at or name}",
                fix=did_you_mean(nearest(name, known)) or f"Name it under kinds: first; there are {_listed(known)}.",
            )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
