"""The customers of the resident state: a row for each id, who stands for whom, and since when each exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shoal.live.columns import grown
from shoal.live.ids import Ids
from shoal.live.values import FAR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

_MOST_NEAR = 1 << 16


class People:
    """Rows by id. A merged-away id keeps its row; who stands for it answers for both."""

    def __init__(self) -> None:
        self.ids = Ids()
        self._near: dict[str, int] = {}
        """Rows that were asked for lately."""
        self.first: npt.NDArray[np.int64] = np.empty(0, np.int64)
        """The earliest instant of anything of a row's own (``FAR``: nothing yet)."""
        self.exists: npt.NDArray[np.int64] = self.first
        """The earliest instant of anything of a row and of all that it stands for; ``FAR`` where another stands for it."""
        self._kept: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def fill(self, ids: Iterable[str], first: npt.NDArray[np.int64]) -> None:
        """Set all rows: their ids, and the earliest instant of anything of theirs (``FAR``: nothing yet)."""
        self.ids = ids if isinstance(ids, Ids) else Ids(ids)
        self.first = first
        self._near.clear()
        self._regroup()

    def row(self, customer: str) -> int:
        """The row of an id; a new one gets the next."""
        found = self._near.get(customer, -1)
        if found >= 0:
            return found
        found = self.ids.find(customer)
        if found < 0:
            found = self.ids.add(customer)
            shared = self.exists is self.first
            self.first = grown(self.first, found + 1, FAR)
            self.first[found] = FAR
            self.exists = self.first if shared else grown(self.exists, found + 1, FAR)
            self.exists[found] = FAR
        if len(self._near) >= _MOST_NEAR:
            self._near.clear()
        self._near[customer] = found
        return found

    def rows(self, customers: Sequence[str]) -> npt.NDArray[np.int64]:
        """The rows of ids; new ones get the next."""
        return np.fromiter(map(self.row, customers), np.int64, len(customers))

    def known(self, customer: str) -> int | None:
        """The row of an id, None where there is none."""
        found = self.ids.find(customer)
        return None if found < 0 else found

    def seen(self, row: int, ts: int) -> None:
        """Something of this customer's happened at ``ts``."""
        if ts < self.first[row]:
            self.first[row] = ts
        if self._kept:
            standing = self.survivor(row)
            if ts < self.exists[standing]:
                self.exists[standing] = ts

    # ------------------------------------------------------------ merges

    def survivor(self, row: int) -> int:
        """Who stands for a row: itself, where it wasn't merged away."""
        while row in self._kept:
            row = self._kept[row]
        return row

    @property
    def merges(self) -> dict[int, int]:
        """For each row that was merged away, the row that it joined."""
        return self._kept

    def join_all(self, merges: dict[int, int]) -> None:
        """Put many merges in force."""
        self._kept.update(merges)
        self._regroup()

    def join(self, kept: int, gone: int) -> None:
        """``gone`` joins ``kept``."""
        self._kept[gone] = kept
        standing = self.survivor(kept)
        self._members[standing] = [*self._members.get(standing, ()), gone, *self._members.pop(gone, ())]
        if self.exists is self.first:
            self.exists = self.first.copy()
        self.exists[standing] = min(self.exists[standing], self.exists[gone])
        self.exists[gone] = FAR

    def separate(self, gone: int) -> None:
        """Take a merge back."""
        self._kept.pop(gone, None)
        self._regroup()

    def _regroup(self) -> None:
        self._members = {}
        for gone in self._kept:
            self._members.setdefault(self.survivor(gone), []).append(gone)
        if not self._kept:
            self.exists = self.first
            return
        self.exists = self.first.copy()
        for standing in self._members:
            self.exists[standing] = min(int(self.first[one]) for one in self.members(standing))
        self.exists[list(self._kept)] = FAR

    def members(self, row: int) -> list[int]:
        """All rows that a survivor stands for, the own one first."""
        return [row, *self._members.get(row, ())]

    def gone(self, row: int) -> bool:
        """Whether a row was merged into another."""
        return row in self._kept

    @property
    def gone_rows(self) -> list[int]:
        """The rows that were merged into others."""
        return list(self._kept)

    @property
    def standing_rows(self) -> list[int]:
        """The rows that stand for others too."""
        return list(self._members)

    def exists_from(self, row: int) -> int:
        """The earliest instant of anything of a survivor's."""
        return int(self.exists[row])

    def forget(self, row: int) -> str:
        """Erase an id; the row stays empty. Returns the id."""
        old = self.ids.blank(row)
        self._near.pop(old, None)
        self.first[row] = FAR
        self._kept.pop(row, None)
        self._regroup()
        return old
