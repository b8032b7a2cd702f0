"""The same segment under the same id across refreshes.

A partition's labels mean nothing: they come in another order each time. Segments are matched by the customers that they
share, at most one to one (Kuhn 1955, doi 10.1002/nav.3800020109), and what isn't matched was born or has died.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from shoal.errors import Refused
from shoal.insight.discovery.indices import contingency, jaccards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.discovery.table import Floats, Ints, Names

Kind: TypeAlias = Literal["kept", "born", "died", "merged", "split"]

MATCH = 0.5
_PART = 0.5  # the share of a segment's members that must have gone one way for it to count as a part


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a segment.

    Args:
        kind: kept (under its id), born, died, merged (``before`` went into ``after``) or split.
        before: ids of the last refresh.
        after: ids of this one.
        jaccard: of the members that both refreshes know, for a kept segment.
    """

    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]
    jaccard: float | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """Who was in which segment at a refresh.

    Args:
        customers: their ids, each once.
        places: for each, the place of the segment in ``segments``.
        segments: the ids.
        next_number: the number of the next segment to be born; numbers aren't given twice.
    """

    customers: Names
    places: Ints
    segments: tuple[str, ...]
    next_number: int


@dataclass(frozen=True, slots=True)
class Identity:
    """The ids of a new partition's groups, what changed, and the number of the next segment to be born."""

    segments: tuple[str, ...]
    changes: tuple[Change, ...]
    next_number: int


def pair(similar: Floats, least: float = MATCH) -> dict[int, int]:
    """The one-to-one pairs of rows and columns with the greatest total similarity, of those at ``least`` or more."""
    from scipy.optimize import linear_sum_assignment

    # A pair below the bound is worth nothing, or it could take the place of one above.
    rows, columns = linear_sum_assignment(np.where(similar >= least, similar, 0.0), maximize=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if similar[i, j] >= least}


def identify(customers: Names, labels: Ints, k: int, before: Members | None, least: float = MATCH) -> Identity:
    """Ids for k groups: of the last refresh where one shares its members, else new ones.

    Only customers known to both refreshes count, so that growth of the base alone can't end a segment.

    Args:
        customers: ids, in the order of ``labels``.
        labels: groups, 0 … k − 1; new ids are numbered in this order.
        k: how many groups.
        before: the last refresh, if there was one.
        least: the Jaccard from which two segments are the same one.

    Raises:
        Refused: if the ids of the two refreshes are of different types.
    """
    if before is None:
        ids = tuple(_id(i + 1) for i in range(k))
        return Identity(ids, tuple(Change("born", (), (i,)) for i in ids), k + 1)
    if customers.dtype.kind != before.customers.dtype.kind:
        raise Refused(
            "The customers' ids are of another type than at the last refresh.", fix="Use the same ids at each refresh."
        )
    _, old_rows, new_rows = np.intersect1d(before.customers, customers, return_indices=True)
    old, new = before.places[old_rows], labels[new_rows]
    shared, similar = _tables(old, new, len(before.segments), k)
    pairs = pair(similar, least)
    of_new = {j: before.segments[i] for i, j in pairs.items()}
    number, ids_now = before.next_number, []
    for j in range(k):
        if j not in of_new:
            of_new[j] = _id(number)
            number += 1
        ids_now.append(of_new[j])
    kept = [
        Change("kept", (before.segments[i],), (ids_now[j],), float(similar[i, j])) for i, j in sorted(pairs.items())
    ]
    changes = kept + _others(shared, before.segments, ids_now, pairs)
    return Identity(tuple(ids_now), tuple(changes), number)


def _id(number: int) -> str:
    return f"m{number:02d}"


def _tables(old: Ints, new: Ints, before: int, now: int) -> tuple[Ints, Floats]:
    shared, similar = np.zeros((before, now), dtype=np.int64), np.zeros((before, now))
    if len(old):
        found = contingency(old, new)
        shared[: found.shape[0], : found.shape[1]] = found
        similar[: found.shape[0], : found.shape[1]] = jaccards(old, new)
    return shared, similar


def _others(shared: Ints, before: Sequence[str], now: Sequence[str], pairs: dict[int, int]) -> list[Change]:
    """Births and deaths, and beside them the merges and splits that explain them."""
    found = [Change("died", (before[i],), ()) for i in range(len(before)) if i not in pairs]
    found += [Change("born", (), (now[j],)) for j in range(len(now)) if j not in set(pairs.values())]
    out_of = shared / np.maximum(shared.sum(axis=1, keepdims=True), 1)
    into = shared / np.maximum(shared.sum(axis=0, keepdims=True), 1)
    for j in range(len(now)):
        parts = np.flatnonzero(out_of[:, j] > _PART)
        if len(parts) > 1:
            found.append(Change("merged", tuple(before[int(i)] for i in parts), (now[j],)))
    for i in range(len(before)):
        parts = np.flatnonzero(into[i] > _PART)
        if len(parts) > 1:
            found.append(Change("split", (before[i],), tuple(now[int(j)] for j in parts)))
    return found
