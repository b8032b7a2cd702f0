"""A share of things that come in clusters: sessions of customers aren't independent of each other."""

from __future__ import annotations

from typing import NamedTuple

from shoal.stats.intervals import CONFIDENCE, Interval, wilson


class Sums(NamedTuple):
    """Sums over clusters, each with ``x`` things of which ``y`` have the feature.

    Args:
        n: how many clusters.
        x: things.
        y: things with the feature.
        xx: squares of ``x``.
        xy: products.
        yy: squares of ``y``.
    """

    n: int
    x: int
    y: int
    xx: int
    xy: int
    yy: int


def clustered_share(sums: Sums, confidence: float = CONFIDENCE) -> Interval:
    """The share of things with the feature, with an interval that takes clusters for independent, not things.

    The variance is that of a ratio of two sums (Cochran 1977, section 6.3). It says how many independent things the sample is
    worth (Kish 1965), at most as many as there are, and Wilson's interval is that of so many (Korn and Graubard 1998). Where the
    share is 0 or 1 the variance says nothing, and each cluster is worth one.

    >>> clustered_share(Sums(4, 8, 4, 16, 8, 8)) == clustered_share(Sums(4, 4, 2, 4, 2, 2))
    True
    """
    if not sums.x:
        return wilson(0, 0, confidence)
    share = sums.y / sums.x
    worth: float = sums.n
    spread = sums.yy - 2 * share * sums.xy + share * share * sums.xx
    if 0 < share < 1 and sums.n > 1 and spread > 0:
        variance = sums.n / (sums.n - 1) * spread / sums.x**2
        worth = share * (1 - share) / variance
    worth = min(max(worth, 1.0), sums.x)
    return Interval(share, *wilson(share * worth, worth, confidence)[1:])
