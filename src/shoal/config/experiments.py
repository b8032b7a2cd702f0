"""``holdouts:`` in ``shoal.yaml``: customers who are kept out of every experiment, so that all of them together can be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import ConfigError, Refused
from shoal.insight.experiments.assignment import Holdout

if TYPE_CHECKING:
    from collections.abc import Iterator


def holdouts_from(value: object, place: str = "holdouts") -> tuple[Holdout, ...]:
    """Read the section ``holdouts:``, as ``{everyone: 5%}``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    if not isinstance(value, dict):
        raise ConfigError("Expected a share of customers by name.", place=place, fix="Write holdouts: {global: 5%}.")
    return tuple(_holdouts(value, place))


def _holdouts(given: dict[object, object], place: str) -> Iterator[Holdout]:
    for name, share in given.items():
        try:
            yield Holdout(str(name), _share(share))
        except (Refused, ValueError):
            raise ConfigError(
                f"{share!r} is no share of customers.", place=f"{place}.{name}", fix="Write it as 5%, or as 0.05."
            ) from None


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    text = str(value).strip()
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
