"""The same segment under the same id across refreshes.

A partition's labels mean nothing: they come in another order each time. Segments are matched at most one to one (Kuhn 1955,
doi 10.1002/nav.3800020109) by the Jaccard of what they share, in two ways, of which the better one counts:

- **by members**: the customers who are recorded in the one and are in the other now;
- **by meaning**: the customers of today whom the frozen centres put into the one, and the new ones into the other. Members
  move, as when a regular lapses; a segment of lapsed customers is the same one with other people in it.

From a Jaccard of a half it is the same one: below, a cluster counts as dissolved (Hennig 2008,
doi 10.1016/j.jmva.2007.07.002). What isn't matched was born or has died. Merges and splits are told beside them with the
shares that went each way, as in MONIC (Spiliopoulou et al. 2006, doi 10.1145/1150402.1150491).
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
_SPLIT = 0.1  # the share of the old segment that a part of a split has at least: a few who left are none


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a segment.

    Args:
        kind: kept (under its id), born, died, merged (``before`` went into ``after``) or split.
        before: ids of the last refresh.
        after: ids of this one.
        jaccard: for a kept segment, the greater of that by members and that by meaning.
        members: for a kept segment, the Jaccard of the members that both refreshes know; None where none are known.
        shares: of a merge, for each of ``before`` the share of its customers that went in; of a split, for each of ``after``
            the share of the old segment's customers that went there.
        customers: how many it had that are known now (died), or has (others).
    """

    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]
    jaccard: float | None = None
    members: float | None = None
    shares: tuple[float, ...] = ()
    customers: int = 0


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


def identify(
    customers: Names,
    labels: Ints,
    k: int,
    before: Members | None,
    least: float = MATCH,
    meaning: Ints | None = None,
) -> Identity:
    """Ids for k groups: of the last refresh where one shares its members or its meaning, else new ones.

    By members only customers known to both refreshes count, so that growth of the base alone can't end a segment.

    Args:
        customers: ids, in the order of ``labels``.
        labels: groups, 0 … k − 1; new ids are numbered in this order.
        k: how many groups.
        before: the last refresh, if there was one.
        least: the Jaccard from which two segments are the same one.
        meaning: for each customer, the place in ``before.segments`` that the frozen centres of then give now.

    Raises:
        Refused: if the ids of the two refreshes are of different types.
    """
    sizes = np.bincount(labels, minlength=k).tolist()
    if before is None:
        ids = tuple(_id(i + 1) for i in range(k))
        return Identity(
            ids, tuple(Change("born", (), (i,), customers=n) for i, n in zip(ids, sizes, strict=True)), k + 1
        )
    flows, similar, members = _similar(customers, labels, k, before, meaning)
    pairs = pair(similar, least)
    of_new = {j: before.segments[i] for i, j in pairs.items()}
    number, ids_now = before.next_number, []
    for j in range(k):
        if j not in of_new:
            of_new[j] = _id(number)
            number += 1
        ids_now.append(of_new[j])
    kept = [
        Change(
            "kept", (before.segments[i],), (ids_now[j],), float(similar[i, j]),
            None if members is None else float(members[i, j]), customers=sizes[j],
        )
        for i, j in sorted(pairs.items())
    ]  # fmt: skip
    changes = kept + _others(flows, before.segments, ids_now, pairs, sizes)
    return Identity(tuple(ids_now), tuple(changes), number)


def _similar(
    customers: Names, labels: Ints, k: int, before: Members, meaning: Ints | None
) -> tuple[Ints, Floats, Floats | None]:
    """Who went where, the better Jaccard of both ways, and that by members; None where no member is known to both."""
    if len(before.customers) and customers.dtype.kind != before.customers.dtype.kind:
        raise Refused(
            "The customers' ids are of another type than at the last refresh.", fix="Use the same ids at each refresh."
        )
    _, old_rows, new_rows = np.intersect1d(before.customers, customers, return_indices=True)
    many = len(before.segments)
    shared, by_members = _tables(before.places[old_rows], labels[new_rows], many, k)
    known = by_members if len(old_rows) else None
    if meaning is None:
        return shared, by_members, known
    flows, by_meaning = _tables(meaning, labels, many, k)
    return flows, np.maximum(by_members, by_meaning), known


def _id(number: int) -> str:
    return f"m{number:02d}"


def _tables(old: Ints, new: Ints, before: int, now: int) -> tuple[Ints, Floats]:
    shared, similar = np.zeros((before, now), dtype=np.int64), np.zeros((before, now))
    if len(old):
        found = contingency(old, new)
        shared[: found.shape[0], : found.shape[1]] = found
        similar[: found.shape[0], : found.shape[1]] = jaccards(old, new)
    return shared, similar


def _others(
    shared: Ints, before: Sequence[str], now: Sequence[str], pairs: dict[int, int], sizes: Sequence[int]
) -> list[Change]:
    """Births and deaths, and beside them the merges and splits that explain them."""
    had, continued = shared.sum(axis=1), set(pairs.values())
    found = [Change("died", (before[i],), (), customers=int(had[i])) for i in range(len(before)) if i not in pairs]
    found += [Change("born", (), (now[j],), customers=sizes[j]) for j in range(len(now)) if j not in continued]
    out_of = shared / np.maximum(shared.sum(axis=1, keepdims=True), 1)
    into = shared / np.maximum(shared.sum(axis=0, keepdims=True), 1)
    for j in range(len(now)):
        parts = np.flatnonzero(out_of[:, j] > _PART).tolist()
        if len(parts) > 1:
            went = tuple(float(out_of[i, j]) for i in parts)
            found.append(Change("merged", tuple(before[i] for i in parts), (now[j],), shares=went, customers=sizes[j]))
    for i in range(len(before)):
        parts = np.flatnonzero((into[i] > _PART) & (out_of[i] >= _SPLIT)).tolist()
        if len(parts) > 1:
            went = tuple(float(out_of[i, j]) for j in parts)
            new = tuple(now[j] for j in parts)
            found.append(Change("split", (before[i],), new, shares=went, customers=int(had[i])))
    return found
