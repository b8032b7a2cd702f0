"""``discovery:`` in ``shoal.yaml``: how many micro-segments, of whom, from what."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shoal.config.models import days
from shoal.errors import ConfigError
from shoal.sources.section import Section

_RANGE = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?")
MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """What ``shoal discover`` does unless it is told otherwise.

    Args:
        fewest: of the range of numbers of groups.
        most: of it.
        who: a segment, or a condition, that names the population; None for everyone.
        without: features, traits, events or themes that are left out.
        horizon: days that are held out for the test of what segments did afterwards.
    """

    fewest: int = 12
    most: int = 20
    who: str | None = None
    without: tuple[str, ...] = ()
    horizon: int = 90


def discovery_from(value: object, place: str = "discovery") -> DiscoverySettings:
    """Read the section ``discovery:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, {"groups", "for", "without", "horizon"})
    usual = DiscoverySettings()
    said = section.text("groups")
    fewest, most = (usual.fewest, usual.most) if said is None else groups_of(said, section.at("groups"))
    return DiscoverySettings(
        fewest, most, section.text("for"), section.texts("without") or (), days(section, "horizon") or usual.horizon
    )


def groups_of(said: str, place: str | None = None) -> tuple[int, int]:
    """A range of numbers of groups, as ``12-20``, or one number.

    Raises:
        ConfigError: for what isn't one.

    >>> groups_of("12-20"), groups_of("8")
    ((12, 20), (8, 8))
    """
    match = _RANGE.fullmatch(said.strip())
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 2 <= low <= high <= MOST_GROUPS:
        raise ConfigError(
            f"{said!r} isn't a range of numbers of groups.",
            place=place,
            fix=f"Write it as 12-20, from 2 to {MOST_GROUPS}.",
        )
    return low, high
