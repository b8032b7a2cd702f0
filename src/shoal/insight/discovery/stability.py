"""Would another sample of the same customers give the same groups?

Stable isn't real: slicing one smooth cloud gives the same slices each time. So this is never read without ``null``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from shoal.insight.discovery.indices import adjusted_rand, jaccards
from shoal.insight.discovery.kmeans import Partition, cluster, nearest

if TYPE_CHECKING:
    from shoal.insight.discovery.table import Floats, Matrix

Band: TypeAlias = Literal["unstable", "doubtful", "stable", "highly stable"]

STABLE = 0.75


def band(jaccard: float) -> Band:
    """Hennig's words for a mean Jaccard (2007, doi 10.1016/j.csda.2006.11.025): bounds .6, .75 and .85.

    >>> band(0.8)
    'stable'
    """
    if jaccard < 0.6:
        return "unstable"
    if jaccard < STABLE:
        return "doubtful"
    return "stable" if jaccard <= 0.85 else "highly stable"


@dataclass(frozen=True, slots=True)
class Stability:
    """Agreement with the partitions of bootstrap samples.

    Args:
        rand: mean adjusted Rand index over the samples.
        jaccard: for each group, the mean of its best Jaccard with a group of each sample's partition.
        samples: how many.
    """

    rand: float
    jaccard: Floats
    samples: int


def bootstrap(rows: Matrix, partition: Partition, seed: int, samples: int = 20, starts: int = 2) -> Stability:
    """Cluster samples drawn with replacement, assign all rows to their centres, and compare (Hennig 2007)."""
    rands, best = [], []
    for sample in range(samples):
        rng = np.random.default_rng([seed, partition.k, sample])
        drawn = rows[np.sort(rng.integers(0, len(rows), len(rows)))]
        again = nearest(rows, cluster(drawn, partition.k, seed + 1 + sample, starts).centres)
        rands.append(adjusted_rand(partition.labels, again))
        found = jaccards(partition.labels, again).max(axis=1)
        # A group with no row in this sample of customers has no place in the table.
        best.append(np.pad(found, (0, partition.k - len(found))))
    return Stability(float(np.mean(rands)), np.asarray(np.mean(best, axis=0)), samples)
