"""Who is tested when: each row has a fold, and the rows' own order never decides it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.learning.table import checked_outcome, ranks_of_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.models.learning.table import Table, Whole


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """A fold for each row.

    Args:
        number: 0, 1 … of each row; later folds are later where ``known`` is given.
        known: the first fold at whose cut the row's outcome was known; None where folds don't follow time. A fold is
            tested by a model of the rows whose outcome was known by then, and by nothing else.
    """

    number: Whole
    known: Whole | None = None

    @classmethod
    def stratified(cls, table: Table, outcome: ArrayLike, k: int = 5, *, seed: int = 0) -> Folds:
        """Folds with equal shares of positives, dealt by the keys and the seed.

        It is for outcomes of one and the same period. Over several periods use ``by_time``: a random split would learn
        from the future.

        Raises:
            Refused: for fewer than two folds, or fewer rows of an outcome than folds.
        """
        y = checked_outcome(outcome, len(table))
        if k < 2 or min(y.sum(), (1 - y).sum()) < k:
            raise Refused(f"{k} folds need two of them or more, and {k} rows of each outcome.")
        rank, number = ranks_of_keys(table.keys, seed), np.zeros(len(table), dtype=np.int64)
        for value in (0.0, 1.0):
            rows = np.flatnonzero(y == value)
            number[rows[np.argsort(rank[rows])]] = np.arange(rows.size) % k
        return cls(number)

    @classmethod
    def by_owner(cls, owners: Sequence[str], k: int = 5, *, seed: int = 0) -> Folds:
        """Folds in which all rows of an owner (a customer at several cuts, a household) lie together.

        Raises:
            Refused: for fewer than two folds, or fewer owners than folds.
        """
        names, at = np.unique(np.array(owners, dtype=str), return_inverse=True)
        if k < 2 or names.size < k:
            raise Refused(f"{k} folds need two of them or more, and {k} owners.")
        return cls(ranks_of_keys([str(n) for n in names], seed)[at] % k)

    @classmethod
    def by_time(cls, cuts: ArrayLike, horizon: Any) -> Folds:
        """One fold for each distinct cut, the earliest first.

        A row is learnt from once its horizon has passed: with cuts a month apart and a horizon of three, a model that
        is tested on July's cut has learnt from April's and those before. Cuts by which nothing was known aren't tested.

        Args:
            cuts: until when each row's columns were known: ``datetime64``, or numbers of any unit.
            horizon: how long after its cut a row's outcome is known: ``timedelta64``, or a number of that unit.

        Raises:
            Refused: where no cut has a horizon's worth of history before it, or for a negative horizon.
        """
        at = np.asarray(cuts)
        names, number = np.unique(at, return_inverse=True)
        ends = at + horizon
        if not names.size or (ends < at).any() or ends.min() > names[-1]:
            raise Refused(
                "No cut has rows before it whose outcome was known by then.",
                fix="Give more cuts, a shorter horizon, or stratified folds.",
            )
        return cls(number.astype(np.int64), np.searchsorted(names, ends, "left").astype(np.int64))

    def __len__(self) -> int:
        return int(self.number.size)

    def splits(self) -> Iterator[tuple[Whole, Whole]]:
        """Pairs of rows to learn from and rows to test on; no row is in both, and each is tested once at most."""
        for k in np.unique(self.number).tolist():
            learn = learnable(self.number, self.known, k)
            if learn.any():
                yield np.flatnonzero(learn), np.flatnonzero(self.number == k)

    def mark(self) -> str:
        """Names the folds, to tell whether two trials were tested on the same."""
        known = b"" if self.known is None else self.known.astype("<i8").tobytes()
        return sha256(self.number.astype("<i8").tobytes() + b"/" + known).hexdigest()[:16]


def learnable(number: Whole, known: Whole | None, k: int) -> NDArray[np.bool_]:
    """Which rows may teach what is tested on fold ``k``: the other folds, or what was known before it in time."""
    found: NDArray[np.bool_] = number != k
    return found if known is None else found & (known <= k)
