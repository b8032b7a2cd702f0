"""Is there a gap between two groups, or only a cut through one?

Rows of two groups are laid on a line on which their centres lie apart. Between two real groups the density has a valley;
where k-means has cut one cloud, it is highest at the cut (Sneath 1977, doi 10.1007/BF02312507). The line is Fisher's with
each dimension on its own: a dimension counts by the distance of the centres over the spread within the groups, or a wide
one that says nothing would fill the valley that another has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shoal.insight.discovery.kmeans import Partition
    from shoal.insight.discovery.table import Bools, Floats, Matrix

_NEIGHBOURS = 4
_BINS = 81
_LOW, _HIGH = -1.0, 2.0
_NARROWEST = 0.05  # robust standard units: a spread below it is taken for this one


def valleys(rows: Matrix, partition: Partition, smooth: Bools) -> Floats:
    """For each group, the shallowest valley to its nearest groups: 0 no gap, 1 nothing in between.

    Args:
        rows: n × d.
        partition: of these rows.
        smooth: the dimensions to look at. Steps are left out: between yes and no there is always a gap.

    Returns:
        k depths; all 0 where no dimension is smooth or there is one group.
    """
    k = partition.k
    found = np.ones(k)
    if k < 2 or not smooth.any():
        return np.zeros(k)
    seen, centres = rows[:, smooth], partition.centres[:, smooth]
    members = [np.flatnonzero(partition.labels == i) for i in range(k)]
    apart = ((centres[:, None] - centres) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1, kind="stable")[:, :_NEIGHBOURS]
    pairs = {(min(i, int(j)), max(i, int(j))) for i in range(k) for j in near[i] if int(j) != i}
    for i, j in sorted(pairs):
        deep = _valley(seen[members[i]], seen[members[j]], centres[i], centres[j])
        found[i], found[j] = min(found[i], deep), min(found[j], deep)
    return found


def _valley(a: Matrix, b: Matrix, centre_a: Floats, centre_b: Floats) -> float:
    if len(a) == 0 or len(b) == 0:
        return 0.0
    apart = centre_b - centre_a
    within = (len(a) * a.var(axis=0, dtype=np.float64) + len(b) * b.var(axis=0, dtype=np.float64)) / (len(a) + len(b))
    line = apart / np.maximum(within, _NARROWEST**2)
    length = float(line @ apart)
    if length <= 0:
        return 0.0
    sides = [((part - centre_a) @ line / length).astype(np.float64) for part in (a, b)]
    spread = max(float(np.sqrt(np.mean([side.var() for side in sides]))), 0.02)
    bandwidth = 0.9 * spread * min(len(a), len(b)) ** -0.2
    grid = np.linspace(_LOW, _HIGH, _BINS)
    heights, _ = np.histogram(np.clip(np.concatenate(sides), _LOW, _HIGH), _BINS, (_LOW, _HIGH))
    density = np.exp(-0.5 * ((grid[:, None] - grid) / bandwidth) ** 2) @ heights
    half = int(np.searchsorted(grid, 0.5))
    left, right = int(np.argmax(density[:half])), half + int(np.argmax(density[half:]))
    lower = min(float(density[left]), float(density[right]))
    return 1 - float(density[left : right + 1].min()) / lower if lower > 0 else 0.0
