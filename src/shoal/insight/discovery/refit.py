"""A search that begins with the groups in force: what may stay, what moves, and what has to be found anew.

K-means has many ends that are nearly as good as each other, so that a search from nothing cuts the same customers
otherwise after any change of data. Groups that are in force therefore go first, and give way only to what is materially
better, against the same cloud without groups (the way of evolutionary clustering: Chakrabarti, Kumar & Tomkins 2006,
doi 10.1145/1150402.1150467). In this order:

- **kept**: the frozen centres as they are;
- **moved**: the same groups, their centres moved to where the customers are now (k-means from the old centres), by as few
  steps as do: run to its end, k-means may wander far from where it began for a gain that doesn't matter;
- **adapted**: the same with as many groups as a fresh search takes: the loosest are split in two (bisecting k-means, Steinbach,
  Karypis & Kumar 2000), or the two are joined that cost least (Ward 1963, doi 10.1080/01621459.1963.10500845);
- **fresh**: found from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from shoal.insight.discovery.kmeans import Partition, cluster, group_sums, lloyd, squared_distances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.discovery.model import Model
    from shoal.insight.discovery.table import Bools, Floats, Ints, Matrix, Table

Origin: TypeAlias = Literal["kept", "moved", "adapted", "fresh"]

STEPS = (1, 3, 10)
"""Steps of k-means from the old centres that are tried, before all that it takes."""
LEAST_MEMBERS = 2
"""Members in the sample below which a group in force has ended; what is left of it can't be compared."""


@dataclass(frozen=True, slots=True)
class Held:
    """The groups in force, laid on the customers of today.

    Args:
        model: the frozen partition.
        table: its columns as they are now, for the same customers in the same order as the table of the new search.
        stays: whether it may stay as it is: not if it was made for other customers or from columns that are left out now.
        starts: whether the search begins with it; else it only gives its ids.
    """

    model: Model
    table: Table
    stays: bool = True
    starts: bool = True


@dataclass(frozen=True, slots=True)
class Laid:
    """Groups in force on the sample: their labels, and whether they may stay as they are."""

    labels: Ints
    k: int
    stays: bool

    @property
    def alive(self) -> Bools:
        """Which groups have members in the sample."""
        return np.asarray(np.bincount(self.labels, minlength=self.k) >= LEAST_MEMBERS)


def partitions(rows: Matrix, laid: Laid, k: int, allowed: range, seed: int) -> Iterator[tuple[Origin, Partition, bool]]:
    """The partitions of the sample that begin with the groups in force, what changes least first.

    With each goes whether k-means has come to its end with it.

    Args:
        rows: the sample in the prepared space.
        laid: the groups in force on it.
        k: how many groups a fresh search takes.
        allowed: the numbers of groups that were asked for.
        seed: of the draws of a split.
    """
    old = held_partition(rows, laid.labels, laid.k)
    if laid.stays and laid.k in allowed and laid.alive.all():
        yield "kept", old, False
    alive = old.centres[laid.alive]
    if not len(alive):
        return
    if len(alive) in allowed:
        yield from (("moved", *one) for one in _stepped(rows, alive))
    if len(alive) != k:
        yield from (("adapted", *one) for one in _stepped(rows, resized(rows, lloyd(rows, alive, 1), k, seed).centres))


def _stepped(rows: Matrix, centres: Floats) -> Iterator[tuple[Partition, bool]]:
    """K-means from given centres by more and more steps, and whether it has come to its end."""
    yield from ((lloyd(rows, centres, iterations=steps), False) for steps in STEPS)
    yield lloyd(rows, centres), True


def held_partition(rows: Matrix, labels: Ints, k: int) -> Partition:
    """The partition that given labels are; a group without members has its centre at zero."""
    sums, counts = group_sums(rows, labels, k)
    centres = sums / np.maximum(counts, 1)[:, None]
    return Partition(centres, labels, float(squared_distances(rows, centres, labels).sum()))


def resized(rows: Matrix, partition: Partition, k: int, seed: int) -> Partition:
    """The partition with k groups, by splitting the loosest or joining the nearest ones."""
    while partition.k < k:
        found = _split(rows, partition, seed)
        if found is None:
            break
        partition = found
    while partition.k > k:
        partition = _joined(rows, partition)
    return partition


def _split(rows: Matrix, partition: Partition, seed: int) -> Partition | None:
    """The group with the greatest spread in all becomes two; None where no group can be parted."""
    away = squared_distances(rows, partition.centres, partition.labels)
    at = int(np.argmax(np.bincount(partition.labels, away, minlength=partition.k)))
    mine = np.flatnonzero(partition.labels == at)
    if len(np.unique(rows[mine], axis=0)) < 2:
        return None
    two = cluster(rows[mine], 2, seed)
    labels = partition.labels.copy()
    labels[mine[two.labels == 1]] = partition.k
    return held_partition(rows, labels, partition.k + 1)


def _joined(rows: Matrix, partition: Partition) -> Partition:
    """The two groups become one that add least to the spread within: n₁n₂ / (n₁ + n₂) times their squared distance."""
    counts = np.bincount(partition.labels, minlength=partition.k).astype(np.float64)
    apart = ((partition.centres[:, None] - partition.centres) ** 2).sum(axis=2)
    cost = apart * (counts[:, None] * counts) / np.maximum(counts[:, None] + counts, 1)
    np.fill_diagonal(cost, np.inf)
    low, high = sorted(divmod(int(np.argmin(cost)), partition.k))
    labels = np.where(partition.labels == high, low, partition.labels)
    labels = np.where(labels > high, labels - 1, labels)
    return held_partition(rows, labels, partition.k - 1)
