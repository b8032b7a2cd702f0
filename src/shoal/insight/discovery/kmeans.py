"""Lloyd's k-means in bounded memory, the same on each run.

Our own loop, because a library's threads add up a centre in whatever order they end, and a partition that differs in the
last digit has other members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shoal.insight.discovery.table import Floats, Ints, Matrix

_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Partition:
    """Centres (k × d), the label of each row, and the summed squared distance to the own centre."""

    centres: Floats
    labels: Ints
    inertia: float

    @property
    def k(self) -> int:
        """How many groups."""
        return len(self.centres)


def nearest(rows: Matrix, centres: Floats) -> Ints:
    """The nearest centre of each row; the first of equally near ones."""
    sides, half = centres.T.astype(rows.dtype), (centres**2).sum(axis=1).astype(rows.dtype) / 2
    labels = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        labels[start : start + len(part)] = np.argmin(half - part @ sides, axis=1)
    return labels


def squared_distances(rows: Matrix, centres: Floats, labels: Ints) -> Floats:
    """Each row's squared distance to the centre of its label."""
    out = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        away = rows[part] - centres[labels[part]]
        out[part] = np.einsum("ij,ij->i", away, away)
    return out


def group_sums(rows: Matrix, labels: Ints, k: int) -> tuple[Floats, Floats]:
    """The sum of rows and their number for each label."""
    sums = np.zeros((k, rows.shape[1]))
    for start in range(0, len(rows), _CHUNK):
        part, mine = rows[start : start + _CHUNK], labels[start : start + _CHUNK]
        member = (mine == np.arange(k)[:, None]).astype(rows.dtype)
        sums += member @ part
    return sums, np.bincount(labels, minlength=k).astype(np.float64)


def lloyd(rows: Matrix, centres: Floats, iterations: int = 100, tolerance: float = 1e-4) -> Partition:
    """K-means from given centres, until they move by less than ``tolerance`` of the rows' mean variance.

    A group that loses all members starts again at the row farthest from its centre.
    """
    k = len(centres)
    stop = tolerance * float(rows.var(axis=0, dtype=np.float64).mean())
    for _ in range(iterations):
        labels = nearest(rows, centres)
        sums, counts = group_sums(rows, labels, k)
        moved = sums / np.maximum(counts, 1)[:, None]
        if empty := np.flatnonzero(counts == 0).tolist():
            far = np.argsort(-squared_distances(rows, centres, labels), kind="stable")[: len(empty)]
            moved[empty] = rows[far]
        shift = float(((moved - centres) ** 2).sum())
        centres = moved
        if shift <= stop and not empty:
            break
    labels = nearest(rows, centres)
    return Partition(centres, labels, float(squared_distances(rows, centres, labels).sum()))


def cluster(rows: Matrix, k: int, seed: int, starts: int = 3, iterations: int = 25) -> Partition:
    """The best of several k-means, each from k-means++ centres (Arthur & Vassilvitskii 2007).

    Args:
        rows: n × d, n ≥ k.
        k: how many groups.
        seed: of the starts.
        starts: how many; the one with the least inertia is kept.
    """
    from sklearn.cluster import kmeans_plusplus

    found: list[Partition] = []
    for start in range(starts):
        state = int(np.random.SeedSequence([seed, k, start]).generate_state(1)[0])
        centres, _ = kmeans_plusplus(rows, k, random_state=state)
        found.append(lloyd(rows, centres.astype(np.float64), iterations))
    return min(found, key=lambda p: p.inertia)
