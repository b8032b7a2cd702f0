"""What each channel is credited with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.errors import Refused, UnknownName
from shoal.insight.attribution.removal import removal_effects
from shoal.insight.attribution.rules import HALF_LIFE, rules

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.insight.attribution.paths import Paths

    Floats = npt.NDArray[np.float64]

MARKOV = "markov"
MODELS = (*rules(), MARKOV)


class Credit(NamedTuple):
    """What a channel is credited with.

    Args:
        channel: its name.
        conversions: may be fractions; over channels they add up to the conversions that had a touch.
        value: the same of their value.
        touches: how many there were on all paths.
        margin: the same of the margin of conversions whose cost is known; None where no cost is.
    """

    channel: str
    conversions: float
    value: float
    touches: int
    margin: float | None = None


def credits_of(paths: Paths, model: str, *, half_life: float = HALF_LIFE) -> list[Credit]:
    """What each channel is credited with.

    Args:
        paths: of all customers.
        model: one of ``MODELS``.
        half_life: days, for time decay.

    Raises:
        UnknownName: another model.
        Refused: there is no touch, or no conversion after one.
    """
    check_model(model)
    touched = paths.touched
    if not touched.any():
        raise Refused(
            "No conversion follows a touch.", fix="Name the events that are touches, or take a longer window."
        )
    many = len(paths.names)
    touches = np.bincount(paths.channel, minlength=many)
    money = [np.ones(len(touched)), paths.value]
    money += [] if paths.margin is None else [np.nan_to_num(paths.margin)]
    if model == MARKOV:
        share = removal_effects(paths)
        share = share / share.sum()
        found = [share * one[touched].sum() for one in money]
    else:
        weights = weights_of(paths, model, half_life)
        found = [np.bincount(paths.channel, weights=weights * one[paths.path], minlength=many) for one in money]
    conversions, value = found[0].tolist(), found[1].tolist()
    margin = found[2].tolist() if len(found) > 2 else [None] * many
    rows = zip(paths.names, conversions, value, touches.tolist(), margin, strict=True)
    return [Credit(*row) for row in rows]


def check_model(model: str) -> None:
    """Refuse what is no model.

    Raises:
        UnknownName: with the nearest ones.
    """
    if model not in MODELS:
        raise UnknownName("attribution model", model, MODELS)


def weights_of(paths: Paths, model: str, half_life: float = HALF_LIFE) -> Floats:
    """The share of a conversion that each touch is credited with by a rule; 0 where none followed."""
    return np.asarray(rules(half_life)[model](paths) * paths.converted[paths.path])
