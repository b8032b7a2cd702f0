"""Who is tested when: each row has a fold, and the rows' own order never decides it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from shoal.insight.models.learning.table import ModelError, checked_outcome, ranks_of_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike

    from shoal.insight.models.learning.table import Table, Whole


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """A fold for each row.

    Args:
        number: 0, 1 … of each row.
        ordered: whether later folds are later in time: then a fold is tested by a model of the earlier ones alone,
            and the first is never tested.
    """

    number: Whole
    ordered: bool

    @classmethod
    def stratified(cls, table: Table, outcome: ArrayLike, k: int = 5, *, seed: int = 0) -> Folds:
        """Folds with equal shares of positives, dealt by the keys and the seed.

        It is for outcomes of one and the same period. Over several periods use ``by_time``: a random split would learn
        from the future.

        Raises:
            ModelError: for fewer than two folds, or fewer rows of an outcome than folds.
        """
        y = checked_outcome(outcome, len(table))
        if k < 2 or min(y.sum(), (1 - y).sum()) < k:
            raise ModelError(f"{k} folds need two of them or more, and {k} rows of each outcome.")
        rank, number = ranks_of_keys(table.keys, seed), np.zeros(len(table), dtype=np.int64)
        for value in (0.0, 1.0):
            rows = np.flatnonzero(y == value)
            number[rows[np.argsort(rank[rows])]] = np.arange(rows.size) % k
        return cls(number, ordered=False)

    @classmethod
    def by_owner(cls, owners: Sequence[str], k: int = 5, *, seed: int = 0) -> Folds:
        """Folds in which all rows of an owner (a customer at several cuts, a household) lie together.

        Raises:
            ModelError: for fewer than two folds, or fewer owners than folds.
        """
        names, at = np.unique(np.array(owners, dtype=str), return_inverse=True)
        if k < 2 or names.size < k:
            raise ModelError(f"{k} folds need two of them or more, and {k} owners.")
        return cls(ranks_of_keys([str(n) for n in names], seed)[at] % k, ordered=False)

    @classmethod
    def by_time(cls, cuts: ArrayLike) -> Folds:
        """One fold for each distinct cut (a date or a number), the earliest first.

        Rows of one customer at several cuts may not have labels that reach past a later cut; that is the caller's to
        see to, who knows the horizon.

        Raises:
            ModelError: for fewer than two cuts.
        """
        names, at = np.unique(np.asarray(cuts), return_inverse=True)
        if names.size < 2:
            raise ModelError("Folds by time need at least two cuts.", fix="Give more history, or stratified folds.")
        return cls(at.astype(np.int64), ordered=True)

    def __len__(self) -> int:
        return int(self.number.size)

    def splits(self) -> Iterator[tuple[Whole, Whole]]:
        """Pairs of rows to learn from and rows to test on; no row is in both, and each is tested once at most."""
        for k in range(int(self.ordered), int(self.number.max()) + 1):
            learn = self.number < k if self.ordered else self.number != k
            yield np.flatnonzero(learn), np.flatnonzero(self.number == k)

    def mark(self) -> str:
        """Names the folds, to tell whether two trials were tested on the same."""
        return sha256(bytes([self.ordered]) + self.number.astype("<i8").tobytes()).hexdigest()[:16]
