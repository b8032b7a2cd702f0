"""``contracts:`` in ``shoal.yaml``: what says since when a customer is under contract, and whether they left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import ConfigError
from shoal.shapes import PERIODS, ContractRule
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

PAIRS = (("start", "end"), ("tenure", "left"))
_FIX = (
    "Name what begins and ends a contract, as start: Subscription Started and end: Subscription Cancelled; or how long "
    "each stayed and whether they left, as tenure: months and left: churned."
)


def contracts_from(value: object, place: str = "contracts") -> ContractRule:
    """Read the section ``contracts:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, {"start", "end", "tenure", "left", "period", "by"})
    section.choice("period", PERIODS, "month")
    return contract_rule({key: section.text(key) for key in section.values}, place)


def contract_rule(given: Mapping[str, str | None], place: str | None = None) -> ContractRule:
    """A rule of these settings.

    Raises:
        ConfigError: it isn't one of the two ways, or mixes them.
    """
    said = {key: value for key, value in given.items() if value}
    if said.get("period", "month") not in PERIODS:
        raise ConfigError(f"{said['period']!r} isn't a period.", place=place, fix=f"Use one of: {', '.join(PERIODS)}.")
    whole = [pair for pair in PAIRS if all(key in said for key in pair)]
    named = [key for pair in PAIRS for key in pair if key in said]
    if len(whole) != 1 or len(named) != 2:
        problem = f"{' and '.join(named)} together don't" if named else "Nothing does"
        raise ConfigError(
            f"{problem} say since when a customer is under contract and whether they left.", place=place, fix=_FIX
        )
    return ContractRule(**said)
