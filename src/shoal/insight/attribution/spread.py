"""How surely a channel is credited with so much: customers are drawn anew with all their paths, and credit is given again.

That is the error of who happened to be among the customers. It says nothing of whether the model's way of sharing out is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoal.insight.attribution.credit import MARKOV, weights_of
from shoal.insight.attribution.removal import Moves, moves_of
from shoal.insight.attribution.rules import HALF_LIFE
from shoal.stats.bootstrap import LEAST_UNITS, dealt, totals_drawn
from shoal.stats.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.insight.attribution.paths import Paths

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

DRAWS = 1_000
MOST_CHANNELS = 40
"""With more, the chain's moves are too many to be drawn anew a thousand times: removal effects bear no interval then."""


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Credit in each draw.

    Args:
        conversions: draws × channels.
        value: the same of their value.
        margin: the same of their margin, of conversions whose cost is known; None where no cost is known.
    """

    conversions: Floats
    value: Floats
    margin: Floats | None


def ends_of(value: float, drawn: Floats, confidence: float = CONFIDENCE) -> Interval:
    """A figure with the percentile interval of its draws; those that are NaN don't count."""
    if np.isnan(drawn).all():
        return Interval(value, np.nan, np.nan)
    # Of draws without a conversion a cost is infinite, and between infinite values there is nothing to interpolate.
    low, high = np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], method="closest_observation")
    return Interval(value, float(low), float(high))


def spread_of(
    paths: Paths, model: str, *, half_life: float = HALF_LIFE, draws: int = DRAWS, seed: int = 0
) -> Spread | None:
    """The credit of each channel in as many draws of customers.

    Args:
        paths: of all customers, with conversions that had no touch.
        model: one of ``MODELS``.
        half_life: days, for time decay.
        draws: how often customers are drawn anew.
        seed: of the draws.

    Returns:
        None with fewer than 20 customers who converted after a touch, and for Markov with too many channels.
    """
    touched = paths.touched
    if len(np.unique(paths.customer[touched])) < LEAST_UNITS:
        return None
    if model == MARKOV and len(paths.names) > MOST_CHANNELS:
        return None
    customers, of_path = np.unique(paths.customer, return_inverse=True)
    groups = dealt(len(customers), seed=seed)
    group, many = groups[of_path], int(groups.max()) + 1
    margin = None if paths.margin is None else np.nan_to_num(paths.margin)
    money = [np.ones(len(touched)), paths.value, *([] if margin is None else [margin])]
    if model == MARKOV:
        found = _by_removal(paths, group, many, money, draws, seed)
    else:
        found = _by_rule(paths, weights_of(paths, model, half_life), group, many, money, draws, seed)
    return Spread(found[0], found[1], found[2] if margin is not None else None)


def _by_rule(
    paths: Paths, weights: Floats, group: Ints, many: int, money: list[Floats], draws: int, seed: int
) -> list[Floats]:
    place = group[paths.path] * len(paths.names) + paths.channel
    columns = [_summed(place, weights * one[paths.path], many, len(paths.names)) for one in money]
    return np.split(totals_drawn(np.hstack(columns), draws=draws, seed=seed), len(money), axis=1)


def _by_removal(paths: Paths, group: Ints, many: int, money: list[Floats], draws: int, seed: int) -> list[Floats]:
    counted, width = moves_of(paths, group, many), len(paths.names)
    won = paths.touched
    sums = [_summed(group[won], one[won], many, 1) for one in money]
    parts = [counted.starts, counted.pairs.reshape(many, -1), counted.converted, counted.ends, *sums]
    drawn = totals_drawn(np.hstack(parts), draws=draws, seed=seed)
    starts, pairs, converted, ends, totals = np.split(drawn, np.cumsum([width, width * width, width, width]), axis=1)
    share = Moves(starts, pairs.reshape(-1, width, width), converted, ends).effects()
    share = share / share.sum(axis=1, keepdims=True)
    return [share * totals[:, i : i + 1] for i in range(len(money))]


def _summed(place: Ints, weights: Floats, rows: int, columns: int) -> Floats:
    return np.bincount(place, weights=weights, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
