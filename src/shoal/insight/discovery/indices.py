"""Indices of a partition: silhouette, Calinski-Harabasz, Davies-Bouldin, BIC of a mixture, and two agreements."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from shoal.insight.discovery.kmeans import Partition, group_sums, squared_distances

if TYPE_CHECKING:
    from shoal.insight.discovery.table import Floats, Ints, Matrix

_FULL_UP_TO = 8  # dimensions up to which the mixture has full covariances


def distances(rows: Matrix | Floats) -> Floats:
    """All distances between rows (n × n); for samples of a few thousand at most."""
    exact = rows.astype(np.float64)
    squares = (exact**2).sum(axis=1)
    out = np.sqrt(np.maximum(squares[:, None] + squares - 2 * exact @ exact.T, 0.0))
    np.fill_diagonal(out, 0.0)
    return np.asarray(out)


def silhouette(between: Floats, labels: Ints) -> float:
    """The mean silhouette (Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7), in [−1, 1].

    Args:
        between: distances of the rows, n × n.
        labels: their groups, 0 … k − 1; a row alone in its group counts 0.

    Returns:
        0 where fewer than two groups have members.
    """
    k = int(labels.max()) + 1
    member = (labels[:, None] == np.arange(k)).astype(np.float64)
    counts = member.sum(axis=0)
    if int((counts > 0).sum()) < 2:
        return 0.0
    sums = between @ member
    mine = counts[labels]
    own = sums[np.arange(len(labels)), labels] / np.maximum(mine - 1, 1)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    means[np.arange(len(labels)), labels] = np.inf
    other = means.min(axis=1)
    top = np.maximum(own, other)
    return float(np.where((mine > 1) & (top > 0), (other - own) / np.where(top > 0, top, 1.0), 0.0).mean())


def calinski_harabasz(rows: Matrix, partition: Partition) -> float:
    """Spread between groups over spread within, each by its degrees of freedom (1974, doi 10.1080/03610927408827101).

    0 for one group, and where the rows of each group are equal (no spread within to compare with).
    """
    k, n = partition.k, len(rows)
    if k < 2 or n <= k or partition.inertia <= 0:
        return 0.0
    exact = rows.astype(np.float64)
    total = float(((exact - exact.mean(axis=0)) ** 2).sum())
    return max(total - partition.inertia, 0.0) / (k - 1) / (partition.inertia / (n - k))


def davies_bouldin(rows: Matrix, partition: Partition) -> float:
    """The mean over groups of the worst (spread + spread) / distance of centres (1979, doi 10.1109/TPAMI.1979.4766909).

    Less is better; 0 for one group.
    """
    sums, counts = group_sums(rows, partition.labels, partition.k)
    there = np.flatnonzero(counts > 0)
    if len(there) < 2:
        return 0.0
    centres = sums / np.maximum(counts, 1)[:, None]
    away = np.sqrt(squared_distances(rows, centres, partition.labels))
    spread = (np.bincount(partition.labels, away, minlength=partition.k) / np.maximum(counts, 1))[there]
    apart = distances(centres[there].astype(np.float64))
    np.fill_diagonal(apart, np.inf)
    return float(((spread[:, None] + spread) / np.maximum(apart, 1e-12)).max(axis=1).mean())


def mixture_bic(rows: Matrix, partition: Partition, seed: int, floor: float = 1e-3) -> float:
    """BIC of a Gaussian mixture that starts at the partition's centres (Schwarz 1978); less is better.

    Full covariances up to eight dimensions, diagonal ones beyond. Variances are kept above ``floor`` of the mean one,
    because a column of yes and no would have none within a group.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    exact = rows.astype(np.float64)
    kind = "full" if rows.shape[1] <= _FULL_UP_TO else "diag"
    least = 1e-6 + floor * float(exact.var(axis=0).mean())
    model = GaussianMixture(
        partition.k, covariance_type=kind, means_init=partition.centres, reg_covar=least, max_iter=60, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(model.fit(exact).bic(exact))


def contingency(a: Ints, b: Ints) -> Ints:
    """How many rows have label i in the one and j in the other; labels count from 0."""
    wide = int(b.max()) + 1
    return np.bincount(a * wide + b, minlength=(int(a.max()) + 1) * wide).reshape(-1, wide).astype(np.int64)


def adjusted_rand(a: Ints, b: Ints) -> float:
    """Agreement of two partitions, 0 for chance and 1 for equal (Hubert & Arabie 1985, doi 10.1007/BF01908075).

    >>> round(adjusted_rand(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])), 4)
    0.5714
    """
    table = contingency(a, b).astype(np.float64)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, left, right = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    every = len(a) * (len(a) - 1) / 2
    chance = left * right / every if every else 0.0
    most = (left + right) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def jaccards(a: Ints, b: Ints) -> Floats:
    """The Jaccard similarity of each group of ``a`` with each of ``b``: |both| / |either|."""
    table = contingency(a, b).astype(np.float64)
    either = table.sum(axis=1)[:, None] + table.sum(axis=0) - table
    return np.asarray(table / np.maximum(either, 1))
