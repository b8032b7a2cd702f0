"""What a campaign brought beyond what would have come anyway: of those who were drawn to get it, against a randomised holdout.

Pure functions from an experiment's counts. What they foretell of the exposed is what the holdout did, so without a holdout that
chance decided there is nothing to say, and they refuse: an attributed figure (``costs``) is another one, and no substitute.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from shoal.errors import Refused
from shoal.insight.metrics.trading import Kpi
from shoal.stats.experiments.arms import Arm, mean
from shoal.stats.experiments.comparing import gap, welch
from shoal.stats.intervals import CONFIDENCE, Interval, share_difference

if TYPE_CHECKING:
    from shoal.stats.experiments.comparing import Effect

_Side = TypeVar("_Side")

INCREMENTAL = (
    Kpi(
        "incremental conversions", "count", "higher", "customers of both sides",
        "Conversions of the exposed, less how many of the exposed × (conversions of the holdout / customers of the holdout). "
        "The exposed are all who were drawn to get it, reached or not.",
    ),
    Kpi(
        "incremental revenue", "money", "higher", "customers of both sides",
        "Revenue of the exposed, less how many of the exposed × revenue per customer of the holdout.",
    ),
    Kpi("iROAS", "number", "higher", "customers of both sides", "Incremental revenue / spend."),
    Kpi(
        "incremental profit", "money", "higher", "customers of both sides",
        "Incremental margin − spend; margin, not revenue.",
    ),
    Kpi(
        "incremental ROI", "share", "higher", "customers of both sides",
        "(Incremental margin − spend) / spend; margin, not revenue.",
    ),
    Kpi(
        "cost per incremental conversion", "money", "lower", "customers of both sides",
        "Spend / incremental conversions; without an upper end where the interval of these begins at 0 or below.",
    ),
)  # fmt: skip
"""The incremental KPIs, with their definitions in words."""

_NO_HOLDOUT = "Hold out customers at random before the start, and compare with them."


@dataclass(frozen=True, slots=True)
class Sides:
    """What both sides of a campaign came to, one unit a customer who was drawn.

    Args:
        exposed: those who were drawn to get it, whether it reached them or not.
        holdout: those who were drawn not to; None where nobody was held out.
        randomised: whether chance alone decided who is on which side.
    """

    exposed: Arm
    holdout: Arm | None
    randomised: bool


class Return(NamedTuple):
    """What was spent, and what came of it beyond what would have come anyway; each with its interval.

    Args:
        spend: in money.
        iroas: incremental revenue / spend.
        profit: incremental margin − spend; None where no margin is known.
        roi: profit / spend; None likewise.
    """

    spend: float
    iroas: Interval
    profit: Interval | None
    roi: Interval | None


# ------------------------------------------------------------ what came


def incremental_conversions(
    exposed: tuple[float, int], holdout: tuple[float, int] | None, *, randomised: bool, confidence: float = CONFIDENCE
) -> Interval:
    """Conversions of the exposed beyond what the holdout leads one to expect of as many, where a customer converts or doesn't.

    The interval is Newcombe's of the difference of shares times the exposed, which holds for few conversions too.

    Args:
        exposed: how many converted, of how many who were drawn to get it.
        holdout: the same of those who were drawn not to; None where nobody was held out.
        randomised: whether chance alone decided who is on which side.
        confidence: the two-sided level.

    Raises:
        Refused: without a randomised holdout, or for counts that can't be.

    >>> incremental_conversions((1_200, 100_000), (900, 100_000), randomised=True).value
    300.0
    """
    (hits, n), (held, m) = exposed, _needed(holdout, randomised)
    for some, of in ((hits, n), (held, m)):
        if of < 1 or not 0 <= some <= of:
            raise Refused(f"{some:g} conversions of {of} customers can't be: a customer converts once or not at all.")
    apart = share_difference((hits, n), (held, m), confidence)
    return Interval(hits - n * held / m, n * apart.low, n * apart.high)


def incremental(sides: Sides, confidence: float = CONFIDENCE) -> Interval:
    """The sum of a metric over the exposed beyond what the holdout leads one to expect: revenue, margin, orders.

    The interval is Welch's of the difference of means times the exposed.

    Raises:
        Refused: without a randomised holdout, or where no customer differs from another.
    """
    held = _needed(sides.holdout, sides.randomised)
    found = welch(gap(mean(held), mean(sides.exposed)), confidence)
    n = sides.exposed.n
    # Sums and not n times a difference of means: counts stay whole.
    value = n * float(sides.exposed.means[0]) - n * float(held.means[0])
    return Interval(value, n * found.low, n * found.high)


def of_effect(effect: Effect, exposed: int, *, randomised: bool) -> Interval:
    """The same from an effect per customer that was worked out elsewhere, with CUPED or sequentially.

    Raises:
        Refused: without randomisation, or for a relative effect.
    """
    _needed(effect, randomised)
    if effect.relative:
        raise Refused("A relative effect doesn't add up over customers.", fix="Take the absolute one.")
    return Interval(effect.value * exposed, effect.low * exposed, effect.high * exposed)


# ------------------------------------------------------------ against what was spent


def returned(revenue: Interval, margin: Interval | float | None, spend: float) -> Return:
    """iROAS, and incremental profit and ROI where a margin is known.

    Args:
        revenue: incremental, with its interval.
        margin: incremental, with its interval; or the share of revenue that is margin; None where no cost is known.
        spend: what the campaign cost; it is known, not an estimate.

    Raises:
        Refused: nothing was spent, or a share isn't above 0 and at most 1.

    >>> found = returned(Interval(24_000, 18_000, 30_000), 0.4, 50_000)
    >>> found.iroas.value, found.profit.value, round(found.roi.value, 3)
    (0.48, -40400.0, -0.808)
    """
    _check_spend(spend)
    gained = _margin(revenue, margin)
    profit = None if gained is None else Interval(*(end - spend for end in gained))
    return Return(spend, _per(revenue, spend), profit, None if profit is None else _per(profit, spend))


def cost_per_incremental(conversions: Interval, spend: float) -> Interval:
    """Spend per incremental conversion.

    Returns:
        Its upper end is infinite where the conversions may be none.

    Raises:
        Refused: nothing was spent, or there were no incremental conversions.
    """
    _check_spend(spend)
    if conversions.value <= 0:
        raise Refused(
            "The exposed converted no more often than the holdout, so no incremental conversion has a cost.",
            fix="Look at incremental conversions and their interval.",
        )
    return Interval(
        spend / conversions.value, spend / conversions.high, spend / conversions.low if conversions.low > 0 else inf
    )


def _margin(revenue: Interval, margin: Interval | float | None) -> Interval | None:
    if margin is None or isinstance(margin, Interval):
        return margin
    if not 0 < margin <= 1:
        raise Refused(f"{margin:g} is no share of revenue that is margin.", fix="Give it as 0.4 for 40 %.")
    return Interval(*(end * margin for end in revenue))


def _per(found: Interval, spend: float) -> Interval:
    return Interval(*(end / spend for end in found))


def _check_spend(spend: float) -> None:
    if not spend > 0:
        raise Refused("Nothing was spent, so there is nothing that it could pay back.", fix="Say what it cost.")


def _needed(holdout: _Side | None, randomised: bool) -> _Side:
    if holdout is None:
        raise Refused("Nobody was held out, so what would have come anyway isn't known.", fix=_NO_HOLDOUT)
    if not randomised:
        raise Refused(
            "Chance didn't decide who got it: the others differ from the exposed in more than that.", fix=_NO_HOLDOUT
        )
    return holdout
