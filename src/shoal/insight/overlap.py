"""How segments overlap: every pair, the customers in none, near-duplicates, in one pass over the evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from shoal.lang.references import references
from shoal.lang.rewrite.canonical import canonical
from shoal.stats.effects import jaccard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.insight.evaluation import Evaluation
    from shoal.lang.nodes import Definition
    from shoal.sql.store import Store

DUPLICATE_FROM = 0.9
"""Two segments whose Jaccard index reaches this are the same for all that can be done with them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two segments: how many customers are in both, as a share of those in either, and against chance.

    ``lift`` is how many times as many are in both as would be if the two had nothing to do with each other; None where
    one of them is empty.
    """

    a: str
    b: str
    size_a: int
    size_b: int
    both: int
    jaccard: float
    lift: float | None

    @property
    def share_of_a(self) -> float:
        """The share of the first segment that is in the second too."""
        return self.both / self.size_a if self.size_a else 0.0

    @property
    def share_of_b(self) -> float:
        """The share of the second segment that is in the first too."""
        return self.both / self.size_b if self.size_b else 0.0


@dataclass(frozen=True, slots=True)
class Overlaps:
    """The overlap of all segments at an instant.

    Args:
        base: how many customers there are.
        sizes: of each segment.
        pairs: every pair, the largest Jaccard index first.
        in_none: customers in no segment.
        in_many: by number of segments, how many customers are in so many.
    """

    base: int
    sizes: Mapping[str, int]
    pairs: tuple[Pair, ...]
    in_none: int
    in_many: Mapping[int, int]

    @property
    def coverage(self) -> float:
        """The share of customers in at least one segment."""
        return 1 - self.in_none / self.base if self.base else 0.0

    def pair(self, a: str, b: str) -> Pair:
        """The pair of two segments, in the order that it is kept in.

        Raises:
            KeyError: if there is none.
        """
        for found in self.pairs:
            if {found.a, found.b} == {a, b}:
                return found
        raise KeyError((a, b))


def overlaps(store: Store, evaluation: Evaluation) -> Overlaps:
    """Every pair of segments in one pass: the table is streamed, and counts are a product of 0/1 matrices."""
    import numpy as np

    slugs = list(evaluation.columns)
    both = np.zeros((len(slugs), len(slugs)), dtype=np.int64)
    depth = np.zeros(len(slugs) + 1, dtype=np.int64)
    columns = ", ".join(f'coalesce("{evaluation.columns[slug]}", false)' for slug in slugs) or "1"
    for batch in store.batches(f"SELECT {columns} FROM {evaluation.table}"):
        # float32 counts exactly up to 2^24, far above a batch's rows, and multiplies fast.
        inside = np.column_stack([np.asarray(c.to_numpy(zero_copy_only=False), np.float32) for c in batch.columns])
        if slugs:
            both += np.rint(inside.T @ inside).astype(np.int64)
            depth += np.bincount(inside.sum(axis=1).astype(np.int64), minlength=len(slugs) + 1)
        else:
            depth[0] += len(inside)
    base = int(depth.sum())
    sizes = {slug: int(both[i, i]) for i, slug in enumerate(slugs)}
    found = [_pair(a, b, sizes, int(both[i, j]), base) for (i, a), (j, b) in combinations(enumerate(slugs), 2)]
    found.sort(key=lambda pair: (-pair.jaccard, pair.a, pair.b))
    return Overlaps(base, sizes, tuple(found), int(depth[0]), {i: int(n) for i, n in enumerate(depth) if n})


def _pair(a: str, b: str, sizes: Mapping[str, int], both: int, base: int) -> Pair:
    expected = sizes[a] * sizes[b] / base if base else 0.0
    return Pair(
        a, b, sizes[a], sizes[b], both, jaccard(both, sizes[a], sizes[b]), both / expected if expected else None
    )


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two segments that are nearly the same, and how that is known."""

    a: str
    b: str
    reason: str


def duplicates(found: Overlaps, definitions: Mapping[str, Definition]) -> list[Duplicate]:
    """The near-duplicates: equal conditions, or nearly the same customers."""
    named = _same_text(definitions)
    same = [Duplicate(a, b, "The same condition, written twice.") for a, b in named]
    close = [
        Duplicate(pair.a, pair.b, f"{pair.jaccard:.0%} of the customers in either are in both.")
        for pair in found.pairs
        if pair.jaccard >= DUPLICATE_FROM and (pair.a, pair.b) not in named and (pair.b, pair.a) not in named
    ]
    return same + close


def _same_text(definitions: Mapping[str, Definition]) -> list[tuple[str, str]]:
    """The pairs whose conditions say the same in other words, with the same lists."""
    by_text: dict[tuple[str, str | None, str | None], list[str]] = {}
    for slug, definition in definitions.items():
        key = canonical(definition.where), definition.always, definition.never
        by_text.setdefault(key, []).append(slug)
    return [pair for slugs in by_text.values() for pair in combinations(slugs, 2)]


def named_segments(definitions: Iterable[Definition], slugs: Sequence[str]) -> dict[str, frozenset[str]]:
    """For each slug, all segments that its definition rests on, itself included."""
    known = {d.slug: d for d in definitions}
    found: dict[str, frozenset[str]] = {}
    for slug in slugs:
        seen: set[str] = set()
        waiting = [slug]
        while waiting:
            at = waiting.pop()
            if at in known and at not in seen:
                seen.add(at)
                waiting += references(known[at]).segments
        found[slug] = frozenset(seen)
    return found
