"""How segments overlap now, from the memberships that stand in memory: pairs, and the exact parts of a few segments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused, UnknownName
from shoal.stats.effects import jaccard
from shoal.workspace.exploring.conditions import both, member

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shoal.live.engine import Engine

MOST = 6
"""So many segments are told apart in all their combinations."""
_BLOCK = 4_096
"""So many words of bits are counted at a time, so that the counts of pairs stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Held:
    """The memberships of an instant.

    Args:
        at: the instant.
        everyone: how many customers there are.
        slots: the column of each segment, by slug.
        words: bits of 64 customers a row, a column a segment.
    """

    at: int
    everyone: int
    slots: Mapping[str, int]
    words: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, engine: Engine) -> Held:
        """A copy of what an engine holds, under its lock: what happens afterwards changes nothing."""
        held = engine.evaluator
        return cls(engine.now, len(engine.standing()), dict(held.slots), held.bits.words.copy())

    def column(self, slug: str) -> npt.NDArray[np.uint64]:
        """The bits of a segment.

        Raises:
            UnknownName: there is no such segment.
        """
        if slug not in self.slots:
            raise UnknownName("segment", slug, self.slots)
        return np.ascontiguousarray(self.words[:, self.slots[slug]])


def pairs(held: Held, slugs: Sequence[str]) -> list[dict[str, Any]]:
    """Every pair of segments, the largest Jaccard index first.

    Returns:
        a, b, size_a, size_b, both, share_of_a, share_of_b, jaccard, lift (None where one is empty), where.
    """
    columns = [held.column(slug) for slug in slugs]
    counts = np.zeros((len(slugs), len(slugs)), np.int64)
    for start in range(0, len(columns[0]) if columns else 0, _BLOCK):
        block = [column[start : start + _BLOCK] for column in columns]
        for i, one in enumerate(block):
            for j in range(i, len(block)):
                counts[i, j] += int(np.bitwise_count(one & block[j]).sum(dtype=np.int64))
    found = [_pair(slugs[i], slugs[j], counts[i, i], counts[j, j], counts[i, j], held.everyone)
             for i, j in combinations(range(len(slugs)), 2)]  # fmt: skip
    return sorted(found, key=lambda row: (-row["jaccard"], row["a"], row["b"]))


def _pair(a: str, b: str, size_a: int, size_b: int, shared: int, everyone: int) -> dict[str, Any]:
    size_a, size_b, shared = int(size_a), int(size_b), int(shared)
    expected = size_a * size_b / everyone if everyone else 0.0
    return {
        "a": a, "b": b, "size_a": size_a, "size_b": size_b, "both": shared,
        "share_of_a": shared / size_a if size_a else None, "share_of_b": shared / size_b if size_b else None,
        "jaccard": jaccard(shared, size_a, size_b), "lift": shared / expected if expected else None,
        "where": both(member(a), member(b)),
    }  # fmt: skip


def parts(held: Held, slugs: Sequence[str]) -> list[dict[str, Any]]:
    """The parts into which segments cut the customers: who is in exactly these of them; the largest first.

    Returns:
        inside (slugs), customers, where: parts that nobody is in are left out, and who is in none.

    Raises:
        Refused: there are too many segments, or fewer than two.
    """
    if not 2 <= len(slugs) <= MOST:
        raise Refused(f"The parts of 2 to {MOST} segments are told, not of {len(slugs)}.", fix="Choose other segments.")
    columns = [held.column(slug) for slug in slugs]
    found = []
    for code in range(1, 2 ** len(slugs)):
        words = np.full(len(columns[0]), ~np.uint64(0))
        for at, column in enumerate(columns):
            words &= column if code >> at & 1 else ~column
        customers = int(np.bitwise_count(words).sum(dtype=np.int64))
        if customers:
            inside = [slug for at, slug in enumerate(slugs) if code >> at & 1]
            rest = [f"not {member(slug)}" for slug in slugs if slug not in inside]
            found.append({"inside": inside, "customers": customers, "where": both(*map(member, inside), *rest)})
    return sorted(found, key=lambda row: (-row["customers"], row["inside"]))
